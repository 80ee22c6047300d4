"""Opens the envelopes around a document, and reports their problems.

- DxpMsg, the data exchange platform's message of a terminal node (customs' message specification 202205, chapter 4 and
  terminal.xsd), and DxpMsgSv, that of a transport node around it (chapter 5). The document is base64 in Data. The
  signature isn't verified.
- SWImportMessage, the single window's import file: the document is an element in SWImpData, or base64.
- JSON with texts that are XML in base64, wherever they stand; also JSON Lines, each with such a text.

An envelope may hold another. Each is smaller than its holder, so that the limit of a message bounds them all.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lxml import etree

from chassis import strict_json, xml
from chassis.errors import Problem
from chassis.xml import Reader
from services.declarations.intake.formats.parsed import too_many

DXP = "http://www.chinaport.gov.cn/dxp"
# A transport message, a terminal message, a window's file and one more.
DEPTH_MAX = 4
PAYLOADS_MAX = 1_000
_JSON_DEPTH_MAX = 6
RECEIVERS_MAX = 5
# Element of TransInfo: the most characters that it has (terminal.xsd).
_TEXTS = {"CopMsgId": 255, "SenderId": 16}
_RECEIVER_MAX, _TYPE_MAX = 16, 30
# Types by which the exchange platform names a document's root; all others are by agreement of sender and receiver.
_TYPE_OF_ROOT = re.compile(r"CEB[0-9]{3}Message", re.ASCII)
# XML in base64 begins so: "<" in six bits, or the byte order mark of UTF-8.
_BASE64_OF_XML = re.compile(r"(?:P[A-P]|77u/)[A-Za-z0-9+/=\s]{18,}", re.ASCII)
_MAY_HOLD_XML = re.compile(rb'"(?:P[A-P]|77u/)[A-Za-z0-9+/]{10}', re.ASCII)
_UNCOMPRESSED = ("", "0")


@dataclass(frozen=True, slots=True)
class Payload:
    """A document and the path of the element or field it stands in, empty without an envelope; or the problems."""

    path: str
    content: bytes
    problems: Sequence[Problem] = ()


def unpacked(content: bytes) -> Sequence[Payload]:
    """Returns the documents in the envelopes around them, in order; the content itself where there is no envelope.

    The base64 of a CEB604Message in a DxpMsg gives its bytes, with the path DxpMsg/Data.
    """
    return list(_unpacked(Payload("", content), 0))


def is_envelope(content: bytes) -> bool:
    """Tells whether the content is an envelope around a document, sound or not."""
    return _opened(content) is not None


def _unpacked(outer: Payload, depth: int) -> Iterator[Payload]:
    """Opens envelopes within envelopes until there is none, or until they are too many."""
    opened = None if outer.problems else _opened(outer.content)
    if opened is None:
        yield outer
    elif depth == DEPTH_MAX:
        yield replace(outer, problems=[_nested(outer.path)])
    else:
        for inner in opened:
            yield from _unpacked(_inside(outer.path, inner), depth + 1)


def _inside(path: str, inner: Payload) -> Payload:
    problems = [at(path, problem) for problem in inner.problems]
    return Payload(joined(path, inner.path), inner.content, problems)


def joined(path: str, inner: str) -> str:
    """Returns the path of an element below another, either of which may be empty: DxpMsg and Data give DxpMsg/Data."""
    return f"{path}/{inner}" if path and inner else path or inner


def at(path: str, problem: Problem) -> Problem:
    """Returns the problem with its path from the outermost envelope on."""
    return replace(problem, path=joined(path, problem.path))


def _opened(content: bytes) -> Sequence[Payload] | None:
    """Returns the payloads of the outermost envelope; None where the content is none."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _of_json(content) if _MAY_HOLD_XML.search(content) else None
    root, _ = xml.root_of(content)
    opener = _OPENERS.get(root) if root else None
    if opener is None:
        return None
    element, problems = xml.parse_document(content)
    if element is None:
        return [Payload("", b"", problems)]
    xml.drop_namespace(element, DXP)
    return [opener(Reader(element, xml.local_name(element)))]


def _of_json(content: bytes) -> Sequence[Payload] | None:
    """Returns the documents in a JSON value's texts; None where no text is one, or the content is no JSON."""
    try:
        value = _json_value(content.decode("utf-8-sig"))
    except ValueError:
        return None
    payloads = [Payload(path, document) for path, text in _texts(value, "", 0) if (document := _xml_or_none(text))]
    return [Payload("", b"", problems)] if (problems := too_many(len(payloads), PAYLOADS_MAX)) else payloads or None


def _json_value(text: str) -> Any:
    """Reads a JSON value, or a list of those of all lines. Raises ValueError, also where a line holds no document."""
    try:
        return strict_json.loads(text)
    except ValueError:
        values = [strict_json.loads(line) for line in text.split("\n") if line.strip()]
    if not all(any(_xml_or_none(text_of_line) for _, text_of_line in _texts(value, "", 0)) for value in values):
        raise ValueError("a line without a document")
    return values


def _texts(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yields (path, text) of every text in a JSON value, such as ("messages[0].data", "PD94…")."""
    if isinstance(value, str):
        yield path, value
    elif depth == _JSON_DEPTH_MAX:
        return
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(inner, f"{path}.{name}" if path else name, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{index}]", depth + 1)


def _xml_or_none(text: str) -> bytes | None:
    """Returns the XML that a text is the base64 of; None where it is anything else."""
    document = decoded_or_none(text) if _BASE64_OF_XML.fullmatch(text) else None
    return document if document and document.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else None


def decoded_or_none(text: str) -> bytes | None:
    """Decodes base64, passing over blanks (xs:base64Binary): "PGE+ PC9hPg==" gives <a></a>; None for other texts."""
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _transport_message(root: Reader) -> Payload:
    """Opens DxpMsgSv: a terminal node's message with the route it took."""
    inner = root.find("DxpMsg")
    if inner is None:
        root.required("DxpMsg")
        return Payload("", b"", root.problems)
    return _terminal_message(inner)


def _terminal_message(root: Reader) -> Payload:
    """Opens DxpMsg: checks its header by tables 4-2 and 4-3, and decodes the document in Data."""
    _check_version(root)
    _check_header(root)
    data = list(root.children("Data"))
    if len(data) != 1:
        root.report("Data", "ENVELOPE_DATA_COUNT", *_one_document(len(data)))
        return Payload("", b"", root.problems)
    return _decoded(root, "Data", data[0], root.text("TransInfo/MsgType"))


def _check_version(root: Reader) -> None:
    if root.attribute("ver") != "1.0":
        root.report("@ver", "ENVELOPE_VERSION_UNKNOWN", "Write version 1.0 in ver.", "版本 ver 须为 1.0。")


def _check_header(root: Reader) -> None:
    for name, most in _TEXTS.items():
        _check_length(root, f"TransInfo/{name}", root.required(f"TransInfo/{name}"), most)
    _check_length(root, "TransInfo/MsgType", root.text("TransInfo/MsgType"), _TYPE_MAX)
    _check_receivers(root)
    _check_time(root, "TransInfo/CreatTime", root.required("TransInfo/CreatTime"))


def _check_receivers(root: Reader) -> None:
    holder = root.find("TransInfo/ReceiverIds")
    receivers = [reader.own_text() for reader in holder.children("ReceiverId")] if holder else []
    if not 1 <= len(receivers) <= RECEIVERS_MAX or not all(receivers):
        root.report(
            "TransInfo/ReceiverIds",
            "ENVELOPE_RECEIVERS",
            f"Name 1 to {RECEIVERS_MAX} receivers.",
            f"接收方 ReceiverId 须为 1 至 {RECEIVERS_MAX} 个。",
        )
    for receiver in receivers:
        _check_length(root, "TransInfo/ReceiverIds", receiver, _RECEIVER_MAX)


def _check_length(root: Reader, path: str, text: str, most: int) -> None:
    if len(text) > most:
        english, chinese = f"The value is too long; at most {most} characters.", f"该值过长；最多 {most} 个字符。"
        root.report(path, "TOO_LONG", english, chinese)


def _check_time(root: Reader, path: str, text: str) -> None:
    """Reports a text that is no xs:dateTime; an absent one is reported already."""
    try:
        datetime.fromisoformat(text or "2026-01-01T00:00:00")
    except ValueError:
        english, chinese = (
            f"{text} is no time; write yyyy-mm-ddThh:mm:ss.",
            f"{text} 不是 yyyy-mm-ddThh:mm:ss 形式的时间。",
        )
        root.report(path, "TIME_INVALID", english, chinese)


def _one_document(count: int) -> tuple[str, str]:
    return f"The envelope holds {count} documents; send one in each.", f"信封含有 {count} 份报文；每个信封须恰有一份。"


def _decoded(root: Reader, name: str, data: Reader, kind: str) -> Payload:
    """Decodes the document of a base64 element, whose root must be the one that the envelope's type names."""
    document = decoded_or_none(data.own_text())
    if document is None:
        root.report(
            name,
            "BASE64_INVALID",
            f"{name} is empty or no base64; encode the document's bytes in base64.",
            f"{name} 为空或不是 base64；请将报文字节以 base64 编码。",
        )
    elif _TYPE_OF_ROOT.fullmatch(kind) and (root_name := xml.root_of(document)[0]) and root_name[1] != kind:
        root.report(
            "TransInfo/MsgType",
            "ENVELOPE_TYPE_DIFFERS",
            f"MsgType is {kind}, but the document is {root_name[1]}; correct one of them.",
            f"MsgType 为 {kind}，报文实际为 {root_name[1]}；请更正其一。",
        )
    return Payload(joined(root.path, name), document or b"", root.problems)


def _platform_response(root: Reader) -> Payload:
    """Refuses DxpRep, by which the exchange platform tells a sender of a message's fate; it carries no document."""
    root.report(
        "",
        "TRANSPORT_RESPONSE",
        "The exchange platform only says what became of a message; discard it and send the documents themselves.",
        "该报文仅为数据交换平台的传输响应；请放弃该报文，并发送单证本身。",
    )
    return Payload("", b"", root.problems)


def _window_file(root: Reader) -> Payload:
    """Opens SWImportMessage: the document in SWImpData, as an element or in base64."""
    if root.text("SWImpHead/Compress") not in _UNCOMPRESSED:
        root.report(
            "SWImpHead/Compress", "ENVELOPE_COMPRESSED", "Send the document uncompressed.", "请发送未压缩的报文。"
        )
        return Payload("", b"", root.problems)
    root.required("SWImpHead/CopMsgId")
    data = root.find("SWImpData")
    inner = list(data.element.iterchildren(etree.Element)) if data else []
    if data is None or len(inner) > 1:
        root.report("SWImpData", "ENVELOPE_DATA_COUNT", *_one_document(len(inner)))
        return Payload("", b"", root.problems)
    if not inner:
        return _decoded(root, "SWImpData", data, "")
    return Payload(data.path, etree.tostring(inner[0], encoding="UTF-8", with_tail=False), root.problems)


def _nested(path: str) -> Problem:
    english = f"Envelopes stand in envelopes more than {DEPTH_MAX} deep; send the document in one."
    return Problem(path, "ENVELOPE_NESTED", english, f"信封嵌套超过 {DEPTH_MAX} 层；请只用一层信封发送。")


# By namespace and root element.
_OPENERS: Mapping[tuple[str, str], Callable[[Reader], Payload]] = {
    **{(namespace, "DxpMsg"): _terminal_message for namespace in ("", DXP)},
    **{(namespace, "DxpMsgSv"): _transport_message for namespace in ("", DXP)},
    **{(namespace, "DxpRep"): _platform_response for namespace in ("", DXP)},
    ("", "SWImportMessage"): _window_file,
    ("", "ImportMessage"): _window_file,
}
