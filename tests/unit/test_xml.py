"""The safe parser: encodings, refusals, and that nothing is fetched or expanded."""

import pytest
from lxml import etree

from chassis.xml import Reader, parse_document

TEXT = "<a xmlns='urn:x'><b>许昌</b></a>"


def text_of(content: bytes, *others: str) -> str:
    """The text of the element b of a document that can be read."""
    root, problems = parse_document(content, others)
    assert problems == []
    assert root is not None
    return Reader(root, "a").text("b")


def declared(encoding: str, text: str | bytes) -> bytes:
    """A document that says that it is in an encoding."""
    inner = text.encode(encoding) if isinstance(text, str) else text
    return f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + b"<a><b>" + inner + b"</b></a>"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        b"\xff\xfe" + TEXT.encode("utf-16-le"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        ('<?xml version="1.0" encoding="UTF-16"?>' + TEXT).encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        b'<?xml version="1.0" encoding="GBK"?>' + TEXT.encode("gb18030"),
        # As programs write it whose strings are in UTF-16.
        b'<?xml version="1.0" encoding="utf-16"?>' + TEXT.encode(),
        b'<?xml version="1.0" encoding="us-ascii"?>' + TEXT.encode(),
        b'<?xml version="1.0" encoding="utf-16"?>' + TEXT.encode("ascii", "xmlcharrefreplace"),
    ],
)
def test_a_document_is_read_in_the_encoding_that_it_declares(content: bytes) -> None:
    assert text_of(content) == "许昌"


@pytest.mark.parametrize("text", ["鞋帽", "纸", "女式T恤衫", "朱镕基", "河南省许昌市"])
@pytest.mark.parametrize("encoding", ["GBK", "gb18030"])
def test_what_is_declared_is_believed_first(encoding: str, text: str) -> None:
    assert text_of(declared(encoding, text), "gb18030") == text


@pytest.mark.parametrize("text", ["MÜLLER GMBH", "CAFÉ", "Größe", "SOCIÉTÉ GÉNÉRALE"])
@pytest.mark.parametrize("encoding", ["ISO-8859-1", "windows-1252", "iso-8859-15", "UTF-8"])
def test_names_of_europe_are_read_as_declared(encoding: str, text: str) -> None:
    assert text_of(declared(encoding, text)) == text


@pytest.mark.parametrize("text", ["MÜLLER GMBH", "Größe", "SOCIÉTÉ GÉNÉRALE", "ÄGYPTEN"])
@pytest.mark.parametrize("others", [(), ("gb18030",)])
def test_what_fits_several_encodings_but_not_the_declared_one_is_told(others: tuple[str, ...], text: str) -> None:
    for content in (text.encode("latin-1"), text.encode("cp1252")):
        root, (problem,) = parse_document(declared("UTF-8", content), others)
        assert root is None
        assert (problem.reason, "not UTF-8" in problem.english) == ("ENCODING_MISMATCH", True)


@pytest.mark.parametrize("header", [b"", b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="UTF-8"?>'])
def test_chinese_under_the_header_of_utf_8_is_read_where_senders_write_it(header: bytes) -> None:
    content = header + TEXT.encode("gb18030")
    assert text_of(content, "gb18030") == "许昌"
    root, problems = parse_document(content)
    assert (root, [problem.reason for problem in problems]) == (None, ["ENCODING_MISMATCH"])


def test_utf_8_that_cant_be_what_is_declared_is_read() -> None:
    # Nine bytes of UTF-8 are no pairs.
    assert text_of(declared("GBK", "制品厂".encode())) == "制品厂"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE a><a/>", "DTD_NOT_ALLOWED"),
        (b"<?xml version='1.0'?>\n<!-- c --><?pi x?>\n<!DOCTYPE a SYSTEM 'x'><a/>", "DTD_NOT_ALLOWED"),
        (b"\xff\xfe" + "<!DOCTYPE a><a/>".encode("utf-16-le"), "DTD_NOT_ALLOWED"),
        (b"<!-- \xff\xff --><!DOCTYPE a><a/>", "ENCODING_MISMATCH"),
        (b"<a>&undeclared;</a>", "XML_MALFORMED"),
        (b"<a><b></a>", "XML_MALFORMED"),
        (b"", "XML_MALFORMED"),
        (b"<a/>trailing", "XML_MALFORMED"),
        (b"<a>\x00</a>", "XML_MALFORMED"),
        (b"<?xml version='1.0' encoding='KOI8-R'?><a>\xe9</a>", "ENCODING_UNSUPPORTED"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\x93x\x94</a>", "ENCODING_MISMATCH"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>MÜLLER</a>".encode(), "ENCODING_AMBIGUOUS"),
        ("<?xml version='1.0' encoding='windows-1252'?><a>许昌</a>".encode(), "ENCODING_AMBIGUOUS"),
        ("<?xml version='1.0' encoding='gb2312'?><a>许昌</a>".encode(), "ENCODING_AMBIGUOUS"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a>河南</a>".encode("gbk"), "ENCODING_AMBIGUOUS"),
        ("<?xml version='1.0' encoding='windows-1252'?><a>河南</a>".encode("gbk"), "ENCODING_AMBIGUOUS"),
        (b"<a>" * 5000 + b"</a>" * 5000, "XML_MALFORMED"),
    ],
)
def test_what_is_refused(content: bytes, reason: str) -> None:
    root, problems = parse_document(content)
    assert root is None
    assert [problem.reason for problem in problems] == [reason]
    assert problems[0].english
    assert problems[0].chinese


def test_a_doctype_in_text_is_no_dtd() -> None:
    root, problems = parse_document(b"<a><![CDATA[<!DOCTYPE a>]]></a>")
    assert problems == []
    assert root is not None
    assert root.text == "<!DOCTYPE a>"


def test_a_long_prolog_is_read_at_once() -> None:
    root, _ = parse_document(b"<!---->" * 50_000 + b"<a/>")
    assert root is not None


def test_comments_do_not_cut_text() -> None:
    root, _ = parse_document(b"<a>1<!-- x -->2</a>")
    assert root is not None
    assert Reader(root, "a").own_text() == "12"


def test_the_reader_reports_with_paths() -> None:
    root = Reader(etree.fromstring("<r><l><v>1</v></l><l><v> </v></l><w/></r>"), "r")
    assert [line.required("v") for line in root.children("l")] == ["1", ""]
    assert root.text("w") == root.text("nothing/here") == ""
    assert [(problem.path, problem.reason) for problem in root.problems] == [("r/l[2]/v", "MISSING_ELEMENT")]


def test_a_header_in_text_is_text() -> None:
    root, _ = parse_document(b"<a><![CDATA[<?xml version='1.0'?>]]></a>")
    assert root is not None
    assert root.text == "<?xml version='1.0'?>"
