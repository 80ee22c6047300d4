"""XML from strangers: a parser that fetches and expands nothing, and a reader that gathers problems.

The encoding that a document declares is believed first (XML 1.0, 4.3.3: without a declaration it is UTF-8). A text
that doesn't fit what it declares is read otherwise only where no other reading is likely; what fits several is told.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from chassis.errors import Problem

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
# How a document of two-byte units begins that has no byte order mark (XML 1.0, appendix F).
_BEGINNINGS = ((b"<\x00", "utf-16-le"), (b"\x00<", "utf-16-be"))
# By the name in the header: the codec, and how it is told. Whoever writes GBK or GB2312 may use all of GB18030.
_CODECS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("utf-8", "utf8"), ("utf-8", "UTF-8")),
    **dict.fromkeys(("gb18030", "gbk", "gb2312", "cp936", "x-gbk"), ("gb18030", "GB18030")),
    **dict.fromkeys(("us-ascii", "ascii"), ("ascii", "US-ASCII")),
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1"), ("iso-8859-1", "ISO-8859-1")),
    "iso-8859-15": ("iso-8859-15", "ISO-8859-15"),
    **dict.fromkeys(("windows-1252", "cp1252"), ("cp1252", "windows-1252")),
    # A header that can be read byte by byte isn't in it: what is ASCII throughout has one reading all the same.
    "utf-16": ("", "UTF-16"),
}
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
# By codec, bytes that make it unlikely that a text is in it by mistake, where it was declared to be in another.
_SIGNS: Mapping[str, re.Pattern[bytes]] = {
    "utf-8": _NOT_ASCII,
    # Two characters in a row: what Latin letters are taken for stands alone, MÜLLER is read as M躄LER.
    "gb18030": re.compile(rb"[\x81-\xfe]{4}"),
}
_SINGLE_BYTES = ("iso-8859-1", "iso-8859-15")
# By the codec declared, what makes another as likely: among two-byte characters a character of three bytes; where
# every byte is a letter, the other's own signs.
_AS_LIKELY: Mapping[str, Mapping[str, re.Pattern[bytes]]] = {
    "gb18030": {"utf-8": re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")},
    **dict.fromkeys((*_SINGLE_BYTES, "cp1252"), _SIGNS),
}
# Control characters, which nobody writes: such a text is in windows-1252.
_CONTROLS = re.compile(rb"[\x80-\x9f]")
# Matched at the beginning only: searched for, white space alone would take the square of its length.
_HEADER = re.compile(r"\s*+<\?xml\s[^>]*+(?<=\?)>")
_HEADER_ENCODING = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)")
# Atomic, so that a long prolog can't make the match backtrack.
_DOCTYPE = re.compile(r"(?>\s+|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)

DTD_NOT_ALLOWED = Problem(
    "",
    "DTD_NOT_ALLOWED",
    "The document has a DTD; remove the DOCTYPE and write entities out.",
    "报文含有 DTD；请删除 DOCTYPE 并将实体展开后重新发送。",
)
ENCODING_UNSUPPORTED = Problem(
    "",
    "ENCODING_UNSUPPORTED",
    "The document is in an encoding that is not taken; send it in UTF-8.",
    "报文的字符编码不受支持；请以 UTF-8 编码重新发送。",
)


def malformed(detail: str) -> Problem:
    """Returns the problem of a document that is not well-formed; detail is the parser's own."""
    return Problem(
        "",
        "XML_MALFORMED",
        f"The document is not well-formed XML; correct it and send it again ({detail}).",
        f"报文不是格式良好的 XML；请更正后重新发送（{detail}）。",
    )


def wrong_namespace(path: str, found: str, expected: str) -> Problem:
    """Returns the problem of a root that belongs to another format."""
    return Problem(
        path,
        "WRONG_NAMESPACE",
        f"The root element is {found or 'in no namespace'}; send {expected}.",
        f"根元素为 {found or '（无命名空间）'}；应为 {expected}。",
    )


def _misdeclared(name: str, position: int) -> Problem:
    return Problem(
        "",
        "ENCODING_MISMATCH",
        f"The document says that it is in {name}, and it is not {name} at byte {position}; send it in UTF-8.",
        f"报文声明为 {name} 编码，但第 {position} 字节不符合 {name}；请以 UTF-8 编码重新发送。",
    )


def _ambiguous(name: str, other: str) -> Problem:
    return Problem(
        "",
        "ENCODING_AMBIGUOUS",
        f"The document says that it is in {name}, and it can be read as {other} too; correct its header.",
        f"报文声明为 {name} 编码，但也可按 {other} 读取；请更正报文头中的编码声明。",
    )


def _declared(content: bytes) -> tuple[str, tuple[str, str] | None]:
    """Returns the byte order mark as text, and the codec that the document declares with its name; None: unsupported.

    `<?xml version="1.0" encoding="GBK"?>` declares the codec gb18030, named GB18030.
    """
    for mark, codec in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return mark.decode("latin-1"), (codec, codec.upper())
    for beginning, codec in _BEGINNINGS:
        if content.startswith(beginning):
            return "", (codec, codec.upper())
    header = _HEADER_ENCODING.match(content)
    return "", _CODECS.get(header[1].decode("ascii").lower() if header else "utf-8")


def _decoded(content: bytes, others: Sequence[str]) -> tuple[str | None, list[Problem]]:
    """Returns the text, or the one problem that kept it from being read.

    `<?xml version="1.0" encoding="GBK"?>` with the bytes D0AC C3B1 is 鞋帽, though they are UTF-8 too.
    """
    mark, declared = _declared(content)
    if declared is None:
        return None, [ENCODING_UNSUPPORTED]
    (codec, name), body = declared, content[len(mark) :]
    text, position = _read(body, codec)
    other = _as_likely(body, codec) if text is not None else ""
    if other:
        return None, [_ambiguous(name, other)]
    control = _CONTROLS.search(body) if codec in _SINGLE_BYTES else None
    if text is not None and not control:
        return text, []
    likely = (_read(body, other)[0] for other in ("utf-8", *others) if _SIGNS[other].search(body))
    text = next((other for other in likely if other is not None), None)
    return (text, []) if text is not None else (None, [_misdeclared(name, control.start() if control else position)])


def _as_likely(body: bytes, codec: str) -> str:
    """Returns the name of another encoding that a text fits as well as the declared codec; empty where there is none.

    The bytes BAD3C4CF are 河南 in GB18030, and four letters in ISO-8859-1.
    """
    signs = _AS_LIKELY.get(codec, {})
    fits = (other for other, sign in signs.items() if sign.search(body) and _read(body, other)[0] is not None)
    return next(fits, "").upper()


def _read(content: bytes, codec: str) -> tuple[str | None, int]:
    """Returns the text, and 0; None and the place of the first byte that doesn't fit the codec."""
    try:
        return (content.decode(codec or "ascii"), 0)
    except UnicodeDecodeError as error:
        return None, error.start


# Nothing is fetched, nothing expanded, nothing grows without bound.
_SAFELY: Mapping[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "dtd_validation": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}


def parse_document(content: bytes, others: Sequence[str] = ()) -> tuple[etree._Element | None, list[Problem]]:
    """Returns the root element of a document, or the one problem that kept it from being read.

    `others`: codecs that senders of this kind of document use under another's name.
    """
    text, problems = _decoded(content, others)
    body, problems = (None, problems) if text is None else _body(text)
    return (None, problems) if body is None else _parsed(body)


def _body(text: str) -> tuple[str | None, list[Problem]]:
    """Returns the text without header, or the one problem that kept it from being read."""
    text = text.lstrip("\ufeff")
    header = _HEADER.match(text)
    body = (text[header.end() :] if header else text).strip()
    if _DOCTYPE.match(body):
        return None, [DTD_NOT_ALLOWED]
    return body, []


def _parsed(body: str) -> tuple[etree._Element | None, list[Problem]]:
    try:
        return etree.fromstring(body.encode("utf-8"), etree.XMLParser(**_SAFELY)), []
    except (etree.XMLSyntaxError, UnicodeEncodeError) as error:
        return None, [malformed(str(error))]


def root_of(content: bytes) -> tuple[tuple[str, str] | None, list[Problem]]:
    """Returns namespace and local name of the root, read no further than its start; or the problem that hid them.

    Whether the rest fits its encoding is for the reader of the format to say.
    """
    mark, declared = _declared(content)
    if declared is None:
        return None, [ENCODING_UNSUPPORTED]
    body, problems = _body(content[len(mark) :].decode(declared[0] or "utf-8", "replace"))
    if body is None:
        return None, problems
    try:
        _, element = next(iter(etree.iterparse(io.BytesIO(body.encode("utf-8")), ("start",), **_SAFELY)))
        return (namespace(element), local_name(element)), []
    # ValueError also for a prefix that isn't declared, which is no name of an element.
    except (etree.XMLSyntaxError, ValueError, StopIteration) as error:
        return None, [malformed(str(error))]


def local_name(element: etree._Element) -> str:
    """Returns the element's name without its namespace."""
    return etree.QName(element).localname


def namespace(element: etree._Element) -> str:
    """Returns the element's namespace, empty where it has none."""
    return etree.QName(element).namespace or ""


def drop_namespace(root: etree._Element, own: str) -> None:
    """Leaves the elements of one namespace by their local names, beside those that their sender put in none."""
    prefix = f"{{{own}}}"
    for element in root.iter(f"{prefix}*"):
        element.tag = element.tag.removeprefix(prefix)


def drop_namespaces(root: etree._Element, beginning: str) -> None:
    """Leaves the elements of all namespaces that begin so by their local names."""
    for element in root.iter("*"):
        if namespace(element).startswith(beginning):
            element.tag = local_name(element)


@dataclass(frozen=True, slots=True)
class Reader:
    """An element, its path from the root, and the list that all readers of the document report to.

    Names are local names in the element's own namespace. An empty element counts as absent.
    """

    element: etree._Element
    path: str
    problems: list[Problem] = field(default_factory=list)

    def children(self, name: str) -> Iterator["Reader"]:
        """Yields the children of that name in order, their paths numbered from 1."""
        for number, element in enumerate(self._elements(name), start=1):
            yield Reader(element, f"{self.path}/{name}[{number}]", self.problems)

    def find(self, names: str) -> "Reader | None":
        """Returns the first descendant along names, parted by slashes; None where one is missing."""
        reader = self
        for name in names.split("/"):
            element = next(reader._elements(name), None)
            if element is None:
                return None
            reader = Reader(element, f"{reader.path}/{name}", self.problems)
        return reader

    def descendants(self, name: str) -> Iterator["Reader"]:
        """Yields all elements of that name below this one, in the document's order."""
        for element in self.element.iterchildren():
            reader = Reader(element, f"{self.path}/{local_name(element)}", self.problems)
            if local_name(element) == name:
                yield reader
            yield from reader.descendants(name)

    def text(self, names: str) -> str:
        """Returns the text along names, without surrounding blanks; empty where it is absent."""
        reader = self.find(names)
        return "" if reader is None else reader.own_text()

    def own_text(self) -> str:
        """Returns this element's own text, without surrounding blanks."""
        return (self.element.text or "").strip()

    def required(self, names: str) -> str:
        """Returns the text along names; reports it where it is absent."""
        text = self.text(names)
        if not text:
            self.report(
                names,
                "MISSING_ELEMENT",
                f"{names} is missing or empty; it is required.",
                f"缺少 {names} 或其为空；该元素必填。",
            )
        return text

    def report(self, names: str, reason: str, english: str, chinese: str) -> None:
        """Adds a problem of the element along names, or of this one where names is empty."""
        path = f"{self.path}/{names}" if names else self.path
        self.problems.append(Problem(path, reason, english, chinese))

    def attribute(self, name: str) -> str:
        """Returns the attribute's value, without surrounding blanks; empty where it is absent."""
        return str(self.element.get(name, "")).strip()

    def _elements(self, name: str) -> Iterator[etree._Element]:
        return self.element.iterchildren(f"{{{namespace(self.element)}}}{name}")


def put(parent: etree._Element, names: str, text: str = "", **attributes: str) -> etree._Element:
    """Writes an element along names below parent, in the parent's namespace, and returns it.

    Elements on the way are reused, the last one written of each name; the last of names is always new.
    """
    *way, leaf = (f"{{{namespace(parent)}}}{name}" for name in names.split("/"))
    for tag in way:
        reusable = len(parent) > 0 and parent[-1].tag == tag
        parent = parent[-1] if reusable else etree.SubElement(parent, tag)
    element = etree.SubElement(parent, leaf, attributes)
    element.text = text or None
    return element


def document(root: etree._Element) -> bytes:
    """Returns the document in UTF-8 with its header."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
