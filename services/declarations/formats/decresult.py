"""DEC_DATA and DEC_RESULT, the window's receipt of one goods declaration, into a Receipt; and what is none.

Elements as working software of the window's clients reads them: CUS_CIQ_NO (the unified number), ENTRY_ID (the
customs number, once there is one), NOTICE_DATE, CHANNEL, NOTE. The reference tables' times are Beijing's,
and so is a notice time without an offset.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

from aval.declarations.v1 import declarations_pb2

from chassis.errors import Problem
from chassis.xml import Reader, local_name, parse_document
from services.declarations.formats.parsed import MISDECLARED, Parsed

DATA = "DEC_DATA"
RESULT = "DEC_RESULT"
RESPONSE = "DecImportResponse"
# ResponseCode of a file that was read.
_TAKEN = "0"
NAMESPACES = ("", "http://www.chinaport.gov.cn/dec")
BEIJING = timezone(timedelta(hours=8))
_COMPACT = re.compile(r"[0-9]{14}", re.ASCII)
_COMPACT_FORM = "%Y%m%d%H%M%S"


def parse(content: bytes) -> Sequence[Parsed]:
    """The receipts of one document, each with all its problems."""
    element, problems = parse_document(content, MISDECLARED)
    if element is None:
        return [Parsed("", None, problems)]
    root = Reader(element, local_name(element))
    if root.path == RESULT:
        return [_parsed("", root)]
    found = list(root.children(RESULT))
    if len(found) == 1:
        return [_parsed("", found[0])]
    root.required(RESULT)
    return [_parsed(str(number), one) for number, one in enumerate(found, 1)] or [Parsed("", None, root.problems)]


def parse_response(content: bytes) -> Sequence[Parsed]:
    """DecImportResponse, by which the window tells a client that it read its file, or why not.

    It has no channel and no notice time, so it is no receipt: it moves no declaration. It is refused as what it is,
    with the window's own words where the file wasn't taken.
    """
    element, problems = parse_document(content, MISDECLARED)
    if element is None:
        return [Parsed("", None, problems)]
    own = Reader(element, RESPONSE)
    code, told = own.text("ResponseCode"), own.text("ErrorMessage")
    problem = NO_RECEIPT if code == _TAKEN else _not_taken(code, told)
    return [Parsed("", None, [problem])]


NO_RECEIPT = Problem(
    RESPONSE,
    "NO_CUSTOMS_RECEIPT",
    "The window only says that it read the client's file; nothing is to be mended. Discard it and send customs' "
    "receipts (DEC_DATA), which name a channel and a time.",
    "该报文仅表示单一窗口已导入客户端文件，无需更正；请放弃该报文，并发送含通道代码和时间的海关回执（DEC_DATA）。",
)


def _not_taken(code: str, told: str) -> Problem:
    return Problem(
        f"{RESPONSE}/ResponseCode",
        "WINDOW_DID_NOT_TAKE_IT",
        f"The window didn't take the client's file (code {code}): {told} Correct the declaration and declare it again.",
        f"单一窗口未接收客户端文件（代码 {code}）：{told} 请更正报关单后重新申报。",
    )


def _parsed(document_id: str, result: Reader) -> Parsed:
    own = Reader(result.element, result.path)
    receipt = declarations_pb2.Receipt(
        declaration_number=own.text("ENTRY_ID"),
        unified_number=own.text("CUS_CIQ_NO"),
        channel_code=own.required("CHANNEL"),
        note=own.text("NOTE"),
    )
    _set_notice_time(own, receipt)
    return Parsed(document_id, None if own.problems else receipt, own.problems)


def _set_notice_time(own: Reader, receipt: declarations_pb2.Receipt) -> None:
    text = own.required("NOTICE_DATE")
    notice = notice_time(text)
    if notice:
        receipt.notice_time.FromDatetime(notice)
    elif text:
        own.problems.append(time_invalid(f"{own.path}/NOTICE_DATE", text))


def notice_time(text: str) -> datetime | None:
    """yyyyMMddHHmmss or ISO 8601, Beijing time where it says no other, in UTC; None where it is no time."""
    try:
        found = datetime.strptime(text, _COMPACT_FORM) if _COMPACT.fullmatch(text) else datetime.fromisoformat(text)  # noqa: DTZ007 its zone follows
        return (found if found.tzinfo else found.replace(tzinfo=BEIJING)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def time_invalid(path: str, text: str) -> Problem:
    """The problem of a text that is no time."""
    return Problem(
        path,
        "TIME_INVALID",
        f"{text} is no time; write yyyyMMddHHmmss or 2026-11-02T08:30:00+08:00.",
        f"{text} 不是有效时间；请按 yyyyMMddHHmmss 或 2026-11-02T08:30:00+08:00 填写。",
    )
