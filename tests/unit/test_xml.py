"""The safe parser: encodings, refusals, and that nothing is fetched or expanded."""

import pytest
from lxml import etree

from chassis.xml import Reader, parse_document

TEXT = "<a xmlns='urn:x'><b>许昌</b></a>"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        b"\xff\xfe" + TEXT.encode("utf-16-le"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("gb18030"),
        b"\xef\xbb\xbf" + TEXT.encode("gb18030"),
        b'<?xml version="1.0" encoding="UTF-8"?>' + TEXT.encode("gb18030"),
        b'<?xml version="1.0" encoding="GBK"?>' + TEXT.encode("gb18030"),
        b'\n <?xml version="1.0" encoding="gb2312"?>\n' + TEXT.encode(),
    ],
)
def test_the_bytes_decide_the_encoding(content: bytes) -> None:
    root, problems = parse_document(content)
    assert problems == []
    assert root is not None
    assert Reader(root, "a").text("b") == "许昌"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE a><a/>", "DTD_NOT_ALLOWED"),
        (b"<?xml version='1.0'?>\n<!-- c --><?pi x?>\n<!DOCTYPE a SYSTEM 'x'><a/>", "DTD_NOT_ALLOWED"),
        (b"\xff\xfe" + "<!DOCTYPE a><a/>".encode("utf-16-le"), "DTD_NOT_ALLOWED"),
        (b"<!-- \xff\xff --><!DOCTYPE a><a/>", "ENCODING_UNSUPPORTED"),
        (b"<a>&undeclared;</a>", "XML_MALFORMED"),
        (b"<a><b></a>", "XML_MALFORMED"),
        (b"", "XML_MALFORMED"),
        (b"<a/>trailing", "XML_MALFORMED"),
        (b"<a>\x00</a>", "XML_MALFORMED"),
        (b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", "ENCODING_UNSUPPORTED"),
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
