"""Which format a document is in: its root element and namespace say so, and the table names the parser."""

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
    """The rows of a document, taken out of its envelopes, or everything that is wrong with it."""
    read = [_read(payload, document.format) for payload in envelopes.unpacked(document.content)]
    names = {each_read.format for each_read in read}
    return Read(names.pop() if len(names) == 1 else "", [part for each_read in read for part in each_read.parts])


def _read(payload: Payload, meant: str) -> Read:
    """The rows of one document; paths of problems begin at its outermost envelope."""
    if payload.problems:
        return Read("", [Parsed("", None, payload.problems)])
    read = _read_bare(payload.content, meant)
    return Read(read.format, [_at(payload.path, part) for part in read.parts]) if payload.path else read


def _at(path: str, part: Parsed) -> Parsed:
    return replace(part, problems=[envelopes.at(path, problem) for problem in part.problems])


def _read_bare(content: bytes, meant: str) -> Read:
    found, problems = recognised(content)
    if found is None:
        return Read("", [Parsed("", None, problems)])
    if meant and meant != found.name:
        return Read(found.name, [Parsed("", None, [_other_format(meant, found.name)])])
    if found is JSON_LINES and (problems := too_many(content.count(b"\n"), ROWS_MAX)):
        return Read(found.name, [Parsed("", None, problems)])
    parts = told(found.parse(content))
    return Read(found.name, parts or [Parsed("", None, [NO_DOCUMENT])])


def recognised(content: bytes) -> tuple[Format | None, Sequence[Problem]]:
    """The format of the bytes; None and why, where it is none of ours or can't be read."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return JSON_LINES, []
    root, problems = xml.root_of(content)
    if root is None:
        return None, problems
    found = PARSERS.get(root) or _of_family(*root)
    return found, [] if found else [_unknown_format(*root)]


def _of_family(namespace: str, root: str) -> Format | None:
    families = (
        each_format for (space, name), each_format in FAMILIES.items() if name == root and namespace.startswith(space)
    )
    return next(families, None)


def _unknown_format(namespace: str, root: str) -> Problem:
    meant = next((space for space, name in (*PARSERS, *FAMILIES) if name == root), None)
    if meant is not None:
        return xml.wrong_namespace(root, f"{{{namespace}}}{root}", f"{{{meant}}}{root}")
    names = ", ".join(sorted({each_format.name for each_format in (*PARSERS.values(), *FAMILIES.values())}))
    return Problem(
        root,
        "FORMAT_UNKNOWN",
        f"{{{namespace}}}{root} is no format that is taken; send one of {names}.",
        f"不接收 {{{namespace}}}{root} 格式的报文；请发送 {names} 之一。",
    )


def _other_format(meant: str, found: str) -> Problem:
    return Problem(
        "",
        "FORMAT_MISMATCH",
        f"The document was sent as {meant} but is {found}; correct one of them.",
        f"报文声明为 {meant}，实际为 {found}；请更正其一。",
    )


NO_DOCUMENT = Problem(
    "",
    "MESSAGE_EMPTY",
    "The message carries no document; send at least one.",
    "报文中没有任何单证；请至少发送一份。",
)
