"""Foreign import declarations in the WCO data model, and the documents beside them that prove no import."""

import pathlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from aval.declarations.v1 import declarations_pb2, records_pb2

from services.declarations.intake.formats import parsing, wco
from services.declarations.intake.formats.parsed import Parsed

IMPORT = (pathlib.Path(__file__).parent.parent / "fixtures" / "wco" / "import.xml").read_text("utf-8")
TARIFF = "<Classification><ID>67042000</ID><IdentificationTypeCode>TSP</IdentificationTypeCode></Classification>"
ACCEPTED = '<ds:DateTimeString formatCode="304">20261128103000+0000</ds:DateTimeString>'


def changed(*changes: tuple[str, str]) -> bytes:
    """The import of the fixture with texts replaced, each of which stands in it."""
    content = IMPORT
    for before, after in changes:
        assert before in content
        content = content.replace(before, after)
    return content.encode()


def only(content: bytes) -> Parsed:
    (parsed,) = wco.parse(content)
    return parsed


def mirror(content: bytes) -> records_pb2.MirrorDeclaration:
    parsed = only(content)
    assert parsed.problems == []
    assert isinstance(parsed.row, records_pb2.Record)
    return parsed.row.mirror_declaration


@pytest.mark.parametrize(
    ("element", "code", "name"),
    [
        ("TypeCode", "EXA", "an export declaration"),
        ("TypeCode", "EXY", "an export declaration"),
        ("TypeCode", "COD", "a declaration of Union goods"),
        ("TypeCode", "INV", "a cancellation"),
        ("TypeCode", "COR", "an amendment"),
        ("TypeCode", "GPN", "goods were presented"),
        ("TypeCode", "QQA", "unknown kind"),
        ("FunctionCode", "13", "a request to amend or cancel"),
        ("FunctionCode", "1", "a cancellation"),
        ("FunctionCode", "99", "unknown kind"),
        ("md:WCOTypeName", "RES", "a response of customs"),
        ("md:WCOTypeName", "CRI", "unknown kind"),
    ],
)
def test_what_proves_no_import_is_refused_by_name(element: str, code: str, name: str) -> None:
    before = {"TypeCode": "IMA", "FunctionCode": "9", "md:WCOTypeName": "DEC"}[element]
    (problem,) = only(changed((f"<{element}>{before}<", f"<{element}>{code}<"))).problems
    assert problem.reason == "NOT_AN_IMPORT_DECLARATION"
    assert problem.path.endswith(f"/{element.removeprefix('md:')}")
    assert name in problem.english


def test_a_document_without_a_type_is_no_import() -> None:
    (problem,) = only(changed(("<TypeCode>IMA</TypeCode>", ""))).problems
    assert (problem.path.rpartition("/")[2], problem.reason) == ("TypeCode", "NOT_AN_IMPORT_DECLARATION")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<TypeCode>IMA<", "<TypeCode>IMD<"),
        ("<TypeCode>IMA<", "<TypeCode>IMZ<"),
        ("<FunctionCode>9<", "<FunctionCode>5<"),
        ("<FunctionCode>9<", "<FunctionCode>09<"),
        ("<FunctionCode>9</FunctionCode>", ""),
        ("<md:WCOTypeName>DEC</md:WCOTypeName>", ""),
    ],
)
def test_every_form_of_an_import_is_taken(before: str, after: str) -> None:
    assert mirror(changed((before, after))).foreign_number == "26US00012345"


@pytest.mark.parametrize("space", ["urn:wco:datamodel:WCO:RES-DMS:2", ""])
@pytest.mark.parametrize("is_wrapped", [True, False])
def test_a_response_is_refused_by_name_whatever_its_namespace(space: str, is_wrapped: bool) -> None:
    response = (
        f"<Response xmlns='{space}'><FunctionCode>01</FunctionCode><Declaration><ID>1</ID></Declaration></Response>"
    )
    content = f"<MetaData xmlns='{space}'>{response}</MetaData>" if is_wrapped else response
    read = parsing.read(declarations_pb2.Document(content=content.encode()))
    (part,) = read.parts
    assert [problem.reason for problem in part.problems] == ["NOT_AN_IMPORT_DECLARATION"]
    assert "a response of customs" in part.problems[0].english


def test_an_import_without_a_namespace_is_taken() -> None:
    bare = changed(
        ('xmlns="urn:wco:datamodel:WCO:DEC-DMS:2"', ""),
        ('xmlns:md="urn:wco:datamodel:WCO:DocumentMetaData-DMS:2"', ""),
        ("md:", ""),
    )
    assert mirror(bare).foreign_number == "26US00012345"
    assert parsing.read(declarations_pb2.Document(content=bare)).format == "WCO"


@pytest.mark.parametrize("element", ["AcceptanceDateTime", "GoodsShipment", "Commodity"])
def test_an_element_without_a_namespace_is_read(element: str) -> None:
    assert mirror(changed((f"<{element}>", f'<{element} xmlns="">'))) == mirror(IMPORT.encode())


def test_a_type_without_a_namespace_counts() -> None:
    (problem,) = only(changed(("<md:WCOTypeName>DEC</md:WCOTypeName>", "<WCOTypeName>RES</WCOTypeName>"))).problems
    assert problem.reason == "NOT_AN_IMPORT_DECLARATION"


def test_another_namespace_is_told_one_that_exists() -> None:
    content = b"<MetaData xmlns='urn:another'/>"
    (part,) = parsing.read(declarations_pb2.Document(content=content)).parts
    assert [problem.reason for problem in part.problems] == ["WRONG_NAMESPACE"]
    assert "urn:wco:datamodel:WCO:}" not in part.problems[0].english
    assert wco.EXAMPLE_NAMESPACE in part.problems[0].english


EAST = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "code", "moment"),
    [
        ("20260302101112+01", "304", datetime(2026, 3, 2, 10, 11, 12, tzinfo=EAST)),
        ("20260302101112+0100", "304", datetime(2026, 3, 2, 10, 11, 12, tzinfo=EAST)),
        ("20260302101112+01:00", "304", datetime(2026, 3, 2, 10, 11, 12, tzinfo=EAST)),
        ("20260302101112-0330", "304", datetime(2026, 3, 2, 13, 41, 12, tzinfo=UTC)),
        ("20260302101112Z", "304", datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)),
        ("20260302101112UTC", "304", datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)),
        ("20260302101112GMT", "304", datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)),
        ("202603021011Z", "303", datetime(2026, 3, 2, 10, 11, tzinfo=UTC)),
        ("20260302101112+0100", "208", datetime(2026, 3, 2, 10, 11, 12, tzinfo=EAST)),
        ("202603021011+0100", "205", datetime(2026, 3, 2, 10, 11, tzinfo=EAST)),
        ("20260302101112", "204", datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)),
        ("202603021011", "203", datetime(2026, 3, 2, 10, 11, tzinfo=UTC)),
        ("260302101112", "202", datetime(2026, 3, 2, 10, 11, 12, tzinfo=UTC)),
        ("2603021011", "201", datetime(2026, 3, 2, 10, 11, tzinfo=UTC)),
        ("260302", "101", datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260302", "102", datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260302", "304", datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260302", "", datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260302101112+01", "", datetime(2026, 3, 2, 10, 11, 12, tzinfo=EAST)),
        ("202603021011", "", None),
        ("202603021011", "304", None),
        ("20261302", "102", None),
        ("20260302101112+99", "304", None),
        ("20260302101112CET", "304", None),
        ("20260302", "999", None),
        ("2026-03-02", "102", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-02T10:11:12+01:00", "", datetime(2026, 3, 2, 10, 11, 12, tzinfo=EAST)),
        ("2026-13-02", "102", None),
        ("2026-W10-1", "", None),
        ("", "102", None),
    ],
)
def test_times_are_read_by_their_format(text: str, code: str, moment: datetime | None) -> None:
    assert wco.moment_or_none(text, code) == moment


def test_a_time_may_stand_in_the_element_itself() -> None:
    assert mirror(changed((ACCEPTED, "20261130235959-05"))).accept_date.day == 30


def test_an_empty_time_of_acceptance_is_reported() -> None:
    reasons = {problem.reason for problem in only(changed((ACCEPTED, ""))).problems}
    assert reasons == {"NOT_ACCEPTED_YET"}


@pytest.mark.parametrize(("zone", "day"), [("+01", 1), ("-05", 1), ("Z", 1)])
def test_the_day_of_acceptance_is_the_day_where_it_was_accepted(zone: str, day: int) -> None:
    accepted = ACCEPTED.replace("20261128103000+0000", f"20261201003000{zone}")
    assert mirror(changed((ACCEPTED, accepted))).accept_date.day == day


@pytest.mark.parametrize(
    ("code", "country"),
    [("XI", "GBR"), ("XC", "ESP"), ("XK", "SRB"), ("XS", "SRB"), ("XL", "ESP"), ("XU", "GBR"), ("EL", "GRC")],
)
def test_customs_territories_are_countries(code: str, country: str) -> None:
    content = changed(
        ("<md:ResponsibleCountryCode>US<", f"<md:ResponsibleCountryCode>{code}<"),
        ("<Origin><CountryCode>CN<", f"<Origin><CountryCode>{code}<"),
    )
    found = mirror(content)
    assert (found.country, found.lines[0].origin_country) == (country, country)


def test_the_union_is_an_origin_and_its_member_the_importing_country() -> None:
    content = changed(
        ("<md:ResponsibleCountryCode>US<", "<md:ResponsibleCountryCode>EU<"),
        ("<Destination><CountryCode>US<", "<Destination><CountryCode>DE<"),
        ("<Origin><CountryCode>CN<", "<Origin><CountryCode>EU<"),
    )
    found = mirror(content)
    assert (found.country, found.lines[0].origin_country) == ("DEU", "EUE")


def classification(code: str, kind: str = "") -> str:
    named = f"<IdentificationTypeCode>{kind}</IdentificationTypeCode>" if kind else ""
    return f"<Classification><ID>{code}</ID>{named}</Classification>"


@pytest.mark.parametrize(
    ("classifications", "code"),
    [
        ([("12345678", "SRZ"), ("67042000", "TSP")], "67042000"),
        ([("1266", "SSO"), ("12345678", "SRV"), ("67042000", "TSP"), ("00", "TRC")], "67042000"),
        ([("670420", "HS"), ("67042000", "TSP")], "67042000"),
        ([("12345678", "GN"), ("670420", "HS")], "670420"),
        ([("12345678", ""), ("67042000", "TSP")], "67042000"),
        ([("6704.20.00", "TSP")], "67042000"),
        ([("67042000", "")], "67042000"),
        ([("12345678", "SRZ")], None),
        ([("12345678", "SRV"), ("00", "TRC")], None),
    ],
)
def test_the_commodity_code_is_the_tariffs(classifications: list[tuple[str, str]], code: str | None) -> None:
    content = changed((TARIFF, "".join(classification(*pair) for pair in classifications)))
    if code is None:
        assert [problem.reason for problem in only(content).problems] == ["COMMODITY_CODE_MISSING"]
    else:
        assert mirror(content).lines[0].commodity_code == code


@pytest.mark.parametrize(
    ("removed", "element"),
    [("<ID>26US00012345</ID>", "ID"), (f"<AcceptanceDateTime>{ACCEPTED}</AcceptanceDateTime>", "AcceptanceDateTime")],
)
def test_a_declaration_before_its_acceptance_proves_nothing(removed: str, element: str) -> None:
    (problem,) = only(changed((removed, ""))).problems
    assert (problem.path.rpartition("/")[2], problem.reason) == (element, "NOT_ACCEPTED_YET")
