"""Whatever stands in a document, its reader says what is wrong with it, and soon."""

import pathlib
import time

import pytest
from aval.declarations.v1 import declarations_pb2
from lxml import etree

from chassis import xml
from services.declarations.intake.formats import parsing
from services.declarations.intake.formats.parsed import MISDECLARED
from services.declarations.intake.formats.parsing import Read

FIXTURES = sorted((pathlib.Path(__file__).parent.parent / "fixtures").glob("*/good*.xml"))
HOSTILE = [
    "9" * 5000,
    "1e999",
    "NaN",
    "0000-00-00",
    "00010101000000",
    "0001-01-01T00:00:00",
    "00010101000000+0800",
    "99991231235959-0800",
    "9999-12-31T23:59:59-08:00",
    "\u0661\u00b2",
]
# As large as a message may be, with room for what is around it.
LARGE = 4_000_000
WCO = b"urn:wco:datamodel:WCO:"


def read(content: bytes) -> Read:
    return parsing.read(declarations_pb2.Document(document_id="one", content=content))


def reasons(content: bytes) -> list[str]:
    return [problem.reason for part in read(content).parts for problem in part.problems]


@pytest.mark.parametrize(
    "content", [b"<md:MetaData/>", b"<a:b><c/></a:b>", b"<?xml version='1.0'?><x:DxpMsg ver='1.0'/>"]
)
def test_a_prefix_that_is_not_declared_is_no_internal_error(content: bytes) -> None:
    assert reasons(content) == ["XML_MALFORMED"]


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_no_value_of_an_element_stops_the_reader(file: pathlib.Path) -> None:
    """IN5: each element of each fixture takes each hostile text and gets a verdict."""
    root, _ = xml.parse_document(file.read_bytes(), MISDECLARED)
    assert root is not None
    leaves = {element.tag: element for element in root.iter(etree.Element) if len(element) == 0}
    for element in leaves.values():
        before = element.text
        for text in HOSTILE:
            element.text = text
            assert read(etree.tostring(root, encoding="UTF-8")).parts
        element.text = before


@pytest.mark.parametrize(
    "content",
    [
        b"<a>" + b" " * LARGE + b"</a>",
        b" " * LARGE + b"<a/>",
        b"\n" * LARGE,
        b"<a " + b"<?xml " * (LARGE // 6),
        b"<?xml " * (LARGE // 6),
        b"<!--" * (LARGE // 4),
        b"<a" + b"".join(b' a%d="1"' % number for number in range(LARGE // 16)) + b"/>",
        b"<a" + b"".join(b' xmlns:a%d="u"' % number for number in range(LARGE // 20)) + b"/>",
        b"<a>" + b"<b/>" * (LARGE // 4) + b"</a>",
        b'{"note":"' + b"x" * LARGE + b'"}',
        b"<CEB303Message>" + b"<OrderHead/><OrderList/>" * 3_000 + b"</CEB303Message>",
        b"<MetaData xmlns='%s'>" % WCO
        + b"".join(b'<a xmlns="%s%d"/>' % (WCO, number) for number in range(LARGE // 50))
        + b"</MetaData>",
    ],
    ids=range(12),
)
def test_the_time_to_read_grows_with_the_size_alone(content: bytes) -> None:
    """IN5: the largest documents of hostile shapes are answered within 10 seconds."""
    begun = time.monotonic()
    assert read(content).parts
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "content",
    [
        b"{\n" * 1_000_000,
        b"<CEB303Message>" + b"<Order/>" * 300_000 + b"</CEB303Message>",
        b"<CEB303Message><Order>" + b"<OrderList/>" * 200_000 + b"</Order></CEB303Message>",
    ],
    ids=range(3),
)
def test_what_no_answer_could_tell_is_one_problem(content: bytes) -> None:
    assert reasons(content) == ["TOO_MANY_DOCUMENTS"]


def test_no_more_lines_of_a_declaration_are_read_than_may_be() -> None:
    text = next(file for file in FIXTURES if file.stem == "good_fifty_lines").read_text()
    end = text.index("</DecLists>")
    begun = time.monotonic()
    assert reasons((text[:end] + "<DecList/>" * 200_000 + text[end:]).encode())[-1] == "MORE_PROBLEMS"
    assert time.monotonic() - begun < 5


def test_of_very_many_problems_the_first_are_told() -> None:
    content = b"<CEB303Message><Order><OrderHead/>" + b"<OrderList/>" * 1_000 + b"</Order></CEB303Message>"
    found = reasons(content)
    assert (len(found), found[-1]) == (1_001, "MORE_PROBLEMS")


@pytest.mark.parametrize(
    "line",
    [
        '{"a":' * 100_000,
        '{"persons":' + "[" * 100_000,
        '{"bill":' * 5_000 + "0" + "}" * 5_000,
        '{"bill":"\\ud800"}',
        '{"note":"\\ud800"}',
        '{"bill":' + "9" * 10_000 + "}",
        '{"noticeTime":NaN}',
        '{"noticeTime":1e999}',
        '{"noticeTime":"0000-00-00T00:00:00Z"}',
        '{"note":"one","note":"other"}',
        '{"bill":{"billNumber":"one","billNumber":"other"}}',
        '{"note":"one","declaration_number":"1","declarationNumber":"2"}',
    ],
    ids=range(12),
)
def test_no_line_of_json_stops_the_reader(line: str) -> None:
    good = '{"note":"one"}'
    assert reasons("\n".join([good, line, good]).encode()) == ["LINE_MALFORMED"]


def test_only_a_line_feed_ends_a_line_of_json() -> None:
    (part,) = read('{"note":"one\u2028two\x85three"}\r\n'.encode()).parts
    assert part.row is not None
    assert part.row.note == "one\u2028two\x85three"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("root", "part"), [(b"DEC_DATA", b"DEC_RESULT"), (b"MetaData", b"Declaration")])
def test_very_many_empty_parts_are_told_at_once(root: bytes, part: bytes) -> None:
    content = b"<%s>" % root + b"<%s/>" % part * 10_001 + b"</%s>" % root
    assert reasons(content) == ["TOO_MANY_DOCUMENTS"]
