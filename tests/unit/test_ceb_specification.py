"""CEB messages against customs' own specification of 202205: its schemas, and its samples."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from aval.declarations.v1 import declarations_pb2
from hypothesis import HealthCheck, given, settings

from services.declarations.intake.formats import parsing
from services.declarations.intake.formats.ceb import MESSAGES, parse
from tests.ceb_specification import Specification

# What is wrong with samples by the specification's own rules: codes that it made up, sums that differ, drafts.
_DRAFT, _SUM, _NUMBER = ("appStatus", "NOT_DECLARED"), ("totalPrice", "TOTAL_MISMATCH"), ("invtNo", "FORMAT_INVALID")
SAMPLES_AT_FAULT: Mapping[str, set[tuple[str, str]]] = {
    "CEB213": {_NUMBER},
    "CEB303": {("currency", "CURRENCY_UNKNOWN"), ("unit", "UNIT_UNKNOWN")},
    "CEB311": {_SUM},
    "CEB603": {_DRAFT, _SUM, ("ieFlag", "FLAG_INVALID"), ("country", "COUNTRY_UNKNOWN")},
    "CEB604": {_NUMBER},
    "CEB605": {_NUMBER},
    "CEB621": {_DRAFT, _SUM},
    "CEB623": {_DRAFT},
    "CEB625": {_DRAFT, _NUMBER},
}
NAMES = sorted(name for name in MESSAGES if name.endswith("Message"))


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    """The specification's folder."""
    return real_data / "customs_ceb_202205"


@pytest.fixture(scope="module")
def specification(folder: Path) -> Specification:
    """Its schemas."""
    return Specification(folder / "xsd")


def test_every_message_of_the_specification_is_taken(specification: Specification) -> None:
    assert specification.messages() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_whatever_the_schemas_allow_is_taken(specification: Specification, name: str) -> None:
    @settings(max_examples=8, suppress_health_check=list(HealthCheck), deadline=None)
    @given(specification.any_message(name))
    def taken(content: bytes) -> None:
        assert specification.is_valid(content)
        found = parse(content)
        assert found
        assert [(parsed.problems, parsed.row is None) for parsed in found if parsed.problems] == []

    taken()


def test_every_sample_is_taken_or_refused_for_what_is_wrong_with_it(folder: Path) -> None:
    for path in sorted((folder / "samples").glob("*.xml")):
        read = parsing.read(declarations_pb2.Document(document_id="sample", content=path.read_bytes()))
        name = path.stem.removesuffix("Message")
        reasons = {
            (problem.path.rpartition("/")[2], problem.reason) for part in read.parts for problem in part.problems
        }
        assert (read.format, reasons) == (name, SAMPLES_AT_FAULT.get(name, set()))
        assert all((part.row is None) == bool(part.problems) for part in read.parts)
