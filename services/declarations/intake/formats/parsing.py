"""Recognises a document's format by its root element and namespace, and reads it with the table's parser."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from aval.declarations.v1 import declarations_pb2

from chassis import xml
from chassis.errors import Problem
from services.declarations.intake.formats import ceb, decmessage, decresult, envelopes, json_lines, wco
from services.declarations.intake.formats.envelopes import Payload
from services.declarations.intake.formats.parsed import ROWS_MAX, Parsed, told, too_many

Parse = Callable[[bytes], Sequence[Parsed]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format by its short name, and its parser."""

    name: str
    parse: Parse


def _dec_message(content: bytes) -> Sequence[Parsed]:
    return [Parsed("", *decmessage.parse(content))]


def _ceb(message: str) -> Format:
    return Format(message.removesuffix("Message"), ceb.parse)


DEC_MESSAGE = Format("DecMessage", _dec_message)
RECEIPT = Format("DEC_RESULT", decresult.parse)
RESPONSE = Format("DEC_RESPONSE", decresult.parse_response)
WCO = Format("WCO", wco.parse)
JSON_LINES = Format("JSONL", json_lines.parse)
# By namespace and root element.
PARSERS: Mapping[tuple[str, str], Format] = {
    **{(namespace, decmessage.ROOT): DEC_MESSAGE for namespace in decmessage.NAMESPACES},
    **{(namespace, root): RECEIPT for namespace in decresult.NAMESPACES for root in (decresult.DATA, decresult.RESULT)},
    **{(namespace, decresult.RESPONSE): RESPONSE for namespace in decresult.NAMESPACES},
    **{(namespace, message): _ceb(message) for namespace in (ceb.NAMESPACE, "") for message in ceb.MESSAGES},
    **{(namespace, root): WCO for namespace in (wco.EXAMPLE_NAMESPACE, "") for root in wco.ROOTS},
}
# Formats of many versions: by the beginning of the namespace, and the root element.
FAMILIES: Mapping[tuple[str, str], Format] = {(wco.NAMESPACE, root): WCO for root in wco.ROOTS}


@dataclass(frozen=True, slots=True)
class Read:
    """A document as it was read: its format's name, empty if it has none of ours, and its parts."""

    format: str
    parts: Sequence[Parsed]


def read(document: declarations_pb2.Document) -> Read:
    """Reads the rows of a document out of its envelopes, or everything that is wrong with it."""
    reads = [_read(payload, document.format) for payload in envelopes.unpacked(document.content)]
    names = {read.format for read in reads}
    return Read(names.pop() if len(names) == 1 else "", [part for read in reads for part in read.parts])


def _read(payload: Payload, meant: str) -> Read:
    """Reads the rows of a bare document; paths of problems begin at its outermost envelope."""
    if payload.problems:
        return Read("", [Parsed("", None, payload.problems)])
    read = _read_bare(payload.content, meant)
    return Read(read.format, [_at(payload.path, part) for part in read.parts]) if payload.path else read


def _at(path: str, part: Parsed) -> Parsed:
    return replace(part, problems=[envelopes.at(path, problem) for problem in part.problems])


def _read_bare(content: bytes, meant: str) -> Read:
    recognised_format, problems = recognised(content)
    if recognised_format is None:
        return Read("", [Parsed("", None, problems)])
    if meant and meant != recognised_format.name:
        return Read(recognised_format.name, [Parsed("", None, [_other_format(meant, recognised_format.name)])])
    if recognised_format is JSON_LINES and (problems := too_many(content.count(b"\n"), ROWS_MAX)):
        return Read(recognised_format.name, [Parsed("", None, problems)])
    parts = told(recognised_format.parse(content))
    return Read(recognised_format.name, parts or [Parsed("", None, [NO_DOCUMENT])])


def recognised(content: bytes) -> tuple[Format | None, Sequence[Problem]]:
    """Returns the format of the bytes; None and the problem where it is none of ours or can't be read."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return JSON_LINES, []
    root, problems = xml.root_of(content)
    if root is None:
        return None, problems
    recognised_format = PARSERS.get(root) or _of_family(*root)
    return recognised_format, [] if recognised_format else [_unknown_format(*root)]


def _of_family(namespace: str, root: str) -> Format | None:
    families = (family for (space, name), family in FAMILIES.items() if name == root and namespace.startswith(space))
    return next(families, None)


def _unknown_format(namespace: str, root: str) -> Problem:
    expected = next((space for space, name in (*PARSERS, *FAMILIES) if name == root), None)
    if expected is not None:
        return xml.wrong_namespace(root, f"{{{namespace}}}{root}", f"{{{expected}}}{root}")
    names = ", ".join(sorted({family.name for family in (*PARSERS.values(), *FAMILIES.values())}))
    return Problem(
        root,
        "FORMAT_UNKNOWN",
        f"{{{namespace}}}{root} is no format that is taken; send one of {names}.",
        f"不接收 {{{namespace}}}{root} 格式的报文；请发送 {names} 之一。",
    )


def _other_format(stated: str, actual: str) -> Problem:
    return Problem(
        "",
        "FORMAT_MISMATCH",
        f"The document was sent as {stated} but is {actual}; correct one of them.",
        f"报文声明为 {stated}，实际为 {actual}；请更正其一。",
    )


NO_DOCUMENT = Problem(
    "",
    "MESSAGE_EMPTY",
    "The message carries no document; send at least one.",
    "报文中没有任何单证；请至少发送一份。",
)
