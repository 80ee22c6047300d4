"""Compares the built contracts with those that clients have, in protos/aval.binpb.gz: `contract_breaks.py [--renew]`.

Fails on a change that breaks clients. Until 1.0 such a change is allowed: its CHANGELOG entry names it, and `--renew`
makes protos/aval.binpb.gz anew in the same commit.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUF = ROOT / "examples" / "node" / "node_modules" / ".bin" / "buf"
BUILT = ROOT / "build" / "aval.binpb"
STANDING = ROOT / "protos" / "aval.binpb.gz"
CHANGELOG = ROOT / "CHANGELOG.md"
# buf's exit status where a change breaks clients; any other but 0 is a failure of buf itself.
BREAKS = 100
SECTION = re.compile(r"^## Unreleased\n(?:(?!^## ).*\n)*?### Contracts \(protos\)\n((?:(?!^##).*\n)*)", re.M)
NAMES = re.compile(r'"([A-Za-z_][\w.]*)"')
QUOTED = re.compile(r"`([^`]+)`")

ADVICE = """
These changes break clients of the contracts in protos/aval.binpb.gz. Keep the old field, method or value beside the
new. Until 1.0 a break is allowed too: name it in CHANGELOG.md, under "### Contracts (protos)" of "## Unreleased" and in
backticks, run `.venv/bin/python scripts/contract_breaks.py --renew`, and commit both with the change."""
UNNAMED = """
Not renewed: CHANGELOG.md doesn't name these changes under "### Contracts (protos)" of "## Unreleased"."""


def buf(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs buf with the repository's settings."""
    return subprocess.run([str(BUF), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def breaks() -> list[dict[str, str]]:
    """Finds the changes that break clients, each with its path and a message. Exits if buf can't compare."""
    compared = buf("breaking", str(BUILT), "--against", str(STANDING), "--config", "buf.yaml", "--error-format", "json")
    if compared.returncode not in (0, BREAKS):
        sys.exit(compared.stderr or compared.stdout)
    return [json.loads(line) for line in compared.stdout.splitlines()]


def contracts_section(changelog: str) -> str:
    """Returns the text under "### Contracts (protos)" of what isn't released yet; empty where there is none."""
    section = SECTION.search(changelog)
    return section.group(1) if section else ""


def is_named(message: str, section: str) -> bool:
    """Whether the section names, in backticks, the thing that changed or what it is part of.

    `Account.owner`, `Account` and `owner` name what buf tells as
    Field "2" on message "Account" changed name from "owner" to "holder".
    """
    changed, named = (
        re.findall(r"\w+", " ".join(form.findall(text))) for form, text in ((NAMES, message), (QUOTED, section))
    )
    return not set(changed).isdisjoint(named)


def tell(changes: list[dict[str, str]], advice: str) -> None:
    """Prints the changes and what to do, to the standard error."""
    print(*(f"{change['path']}: {change['message']}" for change in changes), advice, sep="\n", file=sys.stderr)


def renew(changes: list[dict[str, str]]) -> int:
    """Makes the built contracts the standing ones, unless a break isn't named. Returns the exit status."""
    section = contracts_section(CHANGELOG.read_text(encoding="utf-8"))
    unnamed = [change for change in changes if not is_named(change["message"], section)]
    if unnamed:
        tell(unnamed, UNNAMED)
        return 1
    built = buf("build", str(BUILT), "--exclude-source-info", "--output", str(STANDING))
    sys.stderr.write(built.stderr)
    return built.returncode


def main(arguments: list[str]) -> int:
    """Compares, or renews. Returns the exit status."""
    if arguments not in ([], ["--renew"]):
        sys.exit(__doc__)
    changes = breaks()
    if arguments:
        return renew(changes)
    if changes:
        tell(changes, ADVICE)
    return 1 if changes else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
