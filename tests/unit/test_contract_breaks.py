"""A change that breaks clients of the protos fails the check, until the changelog names it and the contracts move."""

import pathlib
import shutil
import subprocess

import pytest

from tests.support import require_node

ROOT = pathlib.Path(__file__).parents[2]
CHANGED = "aval/settlement/v1/settlement.proto"


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of what the check reads, with the repository's Python and Node packages."""
    require_node()
    subprocess.run(["sh", str(ROOT / "scripts" / "setup-node.sh")], check=True)
    for folder in ("protos", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "buf.yaml", tmp_path / "buf.yaml")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n- The owner of an Account.\n", encoding="utf-8"
    )
    (tmp_path / "build").mkdir()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    return tmp_path


def run(copy: pathlib.Path, *command: str) -> tuple[int, str]:
    """A command's exit status and what it told."""
    ended = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def check(copy: pathlib.Path) -> tuple[int, str]:
    """Builds the copy's contracts and compares them, as `make check` does."""
    assert run(copy, ".venv/bin/python", "scripts/generate.py") == (0, "")
    return run(copy, "sh", "scripts/lint-protos.sh")


def renew(copy: pathlib.Path) -> tuple[int, str]:
    return run(copy, ".venv/bin/python", "scripts/contract_breaks.py", "--renew")


def replace(file: pathlib.Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_field_that_is_renamed_breaks_clients_until_the_changelog_names_it(copy: pathlib.Path) -> None:
    """CT1: a field that is renamed breaks clients until the changelog names it."""
    replace(
        copy / "protos" / CHANGED,
        "  // Whose money it is.\n  string owner = 2 [",
        "  // Its holder.\n  string holder = 2 [",
    )
    status, told = check(copy)
    assert status == 1
    assert f'{CHANGED}: Field "2" on message "Account" changed name from "owner" to "holder".' in told
    assert "contract_breaks.py --renew" in told

    standing = (copy / "protos" / "aval.binpb.gz").read_bytes()
    status, told = renew(copy)
    assert status == 1
    assert "CHANGELOG.md doesn't name these changes" in told
    assert (copy / "protos" / "aval.binpb.gz").read_bytes() == standing

    entry = "### Contracts (protos)\n\n- `Account.holder` replaces `Account.owner`.\n"
    replace(copy / "CHANGELOG.md", "## Unreleased\n", f"## Unreleased\n\n{entry}")
    assert renew(copy) == (0, "")
    assert (copy / "protos" / "aval.binpb.gz").read_bytes() != standing
    assert check(copy) == (0, "")


def test_a_field_that_is_new_breaks_nobody(copy: pathlib.Path) -> None:
    replace(
        copy / "protos" / CHANGED,
        "message Account {\n",
        "message Account {\n  // A name for people.\n  string title = 99;\n",
    )
    assert check(copy) == (0, "")
