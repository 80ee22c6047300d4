"""`scripts/setup.sh` on a small project of its own: it says what it does, and nothing where nothing is to be done."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGES = 12
# What the script needs of the machine. uv isn't among them, so that pip installs.
TOOLS = ("sh", "cat", "date", "dirname", "grep", "sha256sum")

PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "small"
version = "1"
"""
# The small project's build: an empty wheel, as for any editable install without files.
BACKEND = """
import pathlib, zipfile
def build_editable(folder, settings=None, metadata=None):
    name = "small-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        wheel.writestr("small-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n")
        wheel.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("small-1.dist-info/RECORD", "")
    return name
"""
GENERATE = """
import pathlib, sys
built = pathlib.Path(".venv/built")
if sys.argv[1:] == ["--check"]:
    sys.exit(not built.exists())
built.touch()
"""


def wheel(folder: pathlib.Path, name: str) -> str:
    """Writes a wheel of a package without code. Returns its line of a lock file."""
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr(f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        content.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        content.writestr(f"{name}-1.dist-info/RECORD", "")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project with the set-up script, a lock of twelve packages, and code to be generated."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "wheels").mkdir()
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "scripts" / "setup.sh")
    files = {
        "scripts/generate.py": GENERATE,
        "pyproject.toml": PROJECT,
        "backend.py": BACKEND,
        "requirements.lock": "".join(wheel(tmp_path / "wheels", f"package{n}") for n in range(PACKAGES)),
    }
    for path, text in files.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def set_up(project: pathlib.Path) -> tuple[int, list[str]]:
    """Runs the script without any index, and with pip even where uv is there. Returns exit status and lines."""
    environment = {
        "PATH": str(project / "bin"),
        "PYTHON": sys.executable,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(project / "wheels"),
        "PIP_CONFIG_FILE": os.devnull,
        "HOME": str(project),
    }
    ended = subprocess.run(
        ["sh", "scripts/setup.sh"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.returncode, [re.sub(r"\d+ s\b", "N s", line) for line in ended.stdout.splitlines()]


def test_set_up_tells_its_steps_and_does_only_what_is_to_be_done(project: pathlib.Path) -> None:
    assert set_up(project) == (
        0,
        [
            "[1/4] Making .venv (N s)",
            "[2/4] Installing 12 packages into .venv, once; a minute or two (N s)",
            "      10 of 12 packages (N s)",
            "      unpacking (N s)",
            "[3/4] Installing Aval (N s)",
            "[4/4] Building the code of the protos (N s)",
            "Ready after N s",
        ],
    )
    assert set_up(project) == (0, [])

    (project / ".venv" / "built").unlink()
    assert set_up(project) == (0, ["[4/4] Building the code of the protos (N s)", "Ready after N s"])


def test_a_package_that_cannot_be_had_fails_the_set_up(project: pathlib.Path) -> None:
    (project / "wheels" / "package3-1-py3-none-any.whl").unlink()
    status, lines = set_up(project)
    assert status != 0
    assert any("package3" in line for line in lines if line.startswith("ERROR"))
    assert lines[-1] != "Ready after N s"
    assert not (project / ".venv" / "installed").exists()
