"""The documents say of the code what the code says."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

from scripts import generate_docs

ROOT = pathlib.Path(__file__).parents[2]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
INVARIANT = r"(?:cap|[A-Z]{1,2}[0-9])"
# How code names an invariant that is broken, or that it keeps.
CITED = re.compile(
    rf'yield "({INVARIANT})"|f?"({INVARIANT}): |[Ii]nvariants? ({INVARIANT})|^ *"""({INVARIANT}): ', re.M
)
PROVED = re.compile(rf"({INVARIANT}(?:, {INVARIANT})*): ")
FUNCTION, TEST = (ast.FunctionDef, ast.AsyncFunctionDef), re.compile("test_")
LISTED = re.compile(rf"({INVARIANT})(?: to ({INVARIANT}))?")
ATTRIBUTE = re.compile(r'"(aval\.(?:[a-z_]+\.[a-z_]+|resource))"')


def test_the_generated_parts_are_up_to_date() -> None:
    """Otherwise: python scripts/generate_docs.py."""
    script = str(ROOT / "scripts" / "generate_docs.py")
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_state_machine_has_its_diagram() -> None:
    """A table that no README draws is missing from it."""
    texts = "".join(file.read_text("utf-8") for file in generate_docs.documents())
    missing = [name for name in generate_docs.state_machines() if f"<!-- states {name} -->" not in texts]
    assert missing == []


@pytest.mark.parametrize("kind", generate_docs.KINDS)
def test_a_stale_part_is_noticed(kind: str) -> None:
    """Whatever stands between the marks is replaced, all around it stays."""
    argument = {"states": "services.loans.loan.model", "methods": "loans", "events": "loans", "errors": ""}[kind]
    text = f"before\n<!-- {f'{kind} {argument}'.strip()} -->\nstale\n<!-- end {kind} -->\nafter\n"
    renewed = generate_docs.renewed(text)
    assert renewed.startswith("before\n<!--")
    assert renewed.endswith("-->\nafter\n")
    assert "stale" not in renewed
    assert generate_docs.renewed(renewed) == renewed


def test_links_lead_somewhere() -> None:
    """Relative links of every document name files of the repository."""
    files = [file for pattern in ("*.md", "docs/**/*.md", "*/**/README.md") for file in ROOT.glob(pattern)]
    files = [file for file in files if not {".venv", "node_modules"} & set(file.parts)]
    broken = [f"{file.name}: {link}" for file in files for link in LINK.findall(file.read_text("utf-8"))
              if not (file.parent / link).exists()]  # fmt: skip
    assert broken == []


def test_every_span_attribute_is_declared() -> None:
    """Names in code and protos stand in docs/telemetry.md."""
    declared = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    files = [file for folder in (*generate_docs.HOUSE, "protos") for file in (ROOT / folder).rglob("*.p[yr]*")]
    texts = [file.read_text("utf-8") for file in files if file.suffix in (".py", ".proto")]
    named = {name for text in texts for name in ATTRIBUTE.findall(text)}
    assert len(named) > 10
    assert sorted(name for name in named if f"`{name}`" not in declared) == []


def invariants() -> list[str]:
    """The ids in docs/invariants.md; a row may have several."""
    text = (ROOT / "docs" / "invariants.md").read_text("utf-8")
    heads = re.findall(rf"^\| ({INVARIANT}(?:, {INVARIANT})*) \|", text, re.M)
    return [identifier for head in heads for identifier in head.split(", ")]


def test_an_invariants_id_stands_in_one_row() -> None:
    identifiers = invariants()
    assert len(identifiers) > 40
    assert sorted(identifier for identifier in set(identifiers) if identifiers.count(identifier) > 1) == []


def proved() -> set[str]:
    """The ids at the head of the docstrings of tests. Example: "R1, R2: the rows are ..." proves R1 and R2."""
    files = [ast.parse(file.read_text("utf-8")) for file in (ROOT / "tests").rglob("test_*.py")]
    tests = [test for file in files for test in ast.walk(file) if isinstance(test, FUNCTION) and TEST.match(test.name)]
    heads = [PROVED.match(ast.get_docstring(test) or "") for test in tests]
    return {identifier for head in heads if head for identifier in head[1].split(", ")}


def test_every_invariant_is_proved_by_a_test_that_names_it() -> None:
    """Each id of docs/invariants.md stands at the head of the docstring of a test, and no other id does."""
    assert sorted(proved() ^ set(invariants())) == []


def test_every_invariant_that_code_names_is_written_down() -> None:
    files = [file for folder in generate_docs.HOUSE for file in (ROOT / folder).rglob("*.py")]
    cited = {"".join(match) for file in files for match in CITED.findall(file.read_text("utf-8"))}
    assert len(cited) > 15
    assert sorted(cited - set(invariants())) == []


def test_every_invariant_that_a_readme_lists_is_written_down() -> None:
    texts = [file.read_text("utf-8") for file in ROOT.glob("services/*/README.md")]
    sections = [text.partition("## Invariants\n")[2].partition("\n## ")[0] for text in texts]
    pairs = [pair for section in sections for pair in LISTED.findall(section)]
    listed = {identifier for pair in pairs for identifier in _between(*pair)}
    assert len(listed) > 25
    assert sorted(listed - set(invariants())) == []


def _between(first: str, last: str) -> list[str]:
    """The ids of a range. Example: I1 to I3 are I1, I2, I3."""
    letters = first.rstrip("0123456789")
    return [f"{letters}{number}" for number in range(int(first[-1]), int(last[-1]) + 1)] if last else [first]
