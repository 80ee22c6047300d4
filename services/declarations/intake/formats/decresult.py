"""Reads DEC_DATA and DEC_RESULT, the window's receipt of a goods declaration, into a Receipt; DecImportResponse, too.

Elements are named as working software of the window's clients reads them: CUS_CIQ_NO or, in older clients, SEQ_NO (the
unified number), ENTRY_ID (the customs number, once there is one), NOTICE_DATE, CHANNEL, NOTE. The reference tables'
times are Beijing's, and so is a notice time without an offset.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone

from aval.declarations.v1 import declarations_pb2

from chassis.errors import Problem
from chassis.xml import Reader, drop_namespace, local_name, parse_document
from services.declarations.intake.formats.parsed import MISDECLARED, Parsed, too_many
from services.declarations.intake.formats.row_problems import field_problems, report_at_elements

DATA = "DEC_DATA"
RESULT = "DEC_RESULT"
RESPONSE = "DecImportResponse"
# ResponseCode of a file that was read.
_TAKEN = "0"
NAMESPACE = "http://www.chinaport.gov.cn/dec"
NAMESPACES = ("", NAMESPACE)
UNIFIED_NUMBER = ("CUS_CIQ_NO", "SEQ_NO")
# A longer note is cut: a receipt counts by its channel and its time.
NOTE_MOST = 4096
BEIJING = timezone(timedelta(hours=8))
_COMPACT = re.compile(r"[0-9]{14}", re.ASCII)
_COMPACT_FORM = "%Y%m%d%H%M%S"


def parse(content: bytes) -> Sequence[Parsed]:
    """Reads the receipts of a document, each with all its problems."""
    element, problems = parse_document(content, MISDECLARED)
    if element is None:
        return [Parsed("", None, problems)]
    drop_namespace(element, NAMESPACE)
    root = Reader(element, local_name(element))
    if root.path == RESULT:
        return [_parsed("", root)]
    results = list(root.children(RESULT))
    if problems := too_many(len(results)):
        return [Parsed("", None, problems)]
    if len(results) == 1:
        return [_parsed("", results[0])]
    root.required(RESULT)
    return [_parsed(str(number), reader) for number, reader in enumerate(results, 1)] or [
        Parsed("", None, root.problems)
    ]


def parse_response(content: bytes) -> Sequence[Parsed]:
    """Reads DecImportResponse, by which the window tells a client that it took its file, or why not.

    It has no channel and no notice time, so it moves no declaration: it ties the client's number to the unified one.
    Where the file wasn't taken it is refused with the window's own words.
    """
    element, problems = parse_document(content, MISDECLARED)
    if element is None:
        return [Parsed("", None, problems)]
    drop_namespace(element, NAMESPACE)
    own = Reader(element, RESPONSE)
    code, words = own.text("ResponseCode"), own.text("ErrorMessage")
    if code != _TAKEN:
        return [Parsed("", None, [_not_taken(code, words)])]
    numbers = {field: own.required(name) for field, name in _NUMBERS.items()}
    response = declarations_pb2.ImportResponse(**numbers)
    report_at_elements(own, field_problems(response), lambda path: f"{RESPONSE}/{_NUMBERS.get(path, path)}")
    return [Parsed("", None if own.problems else response, own.problems)]


_NUMBERS: Mapping[str, str] = {"client_number": "ClientSeqNo", "unified_number": "SeqNo"}


def _not_taken(code: str, text: str) -> Problem:
    return Problem(
        f"{RESPONSE}/ResponseCode",
        "WINDOW_DID_NOT_TAKE_IT",
        f"The window didn't take the client's file (code {code}): {text} Correct the declaration and declare it again.",
        f"单一窗口未接收客户端文件（代码 {code}）：{text} 请更正报关单后重新申报。",
    )


def _parsed(document_id: str, result: Reader) -> Parsed:
    own = Reader(result.element, result.path)
    receipt = declarations_pb2.Receipt(
        declaration_number=own.text("ENTRY_ID"),
        unified_number=next(filter(None, map(own.text, UNIFIED_NUMBER)), ""),
        channel_code=own.required("CHANNEL"),
        note=own.text("NOTE")[:NOTE_MOST],
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
    """Reads yyyyMMddHHmmss or ISO 8601, Beijing time where it says no other, in UTC; None where it is no time.

    20260301102030 and 2026-03-01T10:20:30+08:00 are both 02:20:30 UTC.
    """
    try:
        moment = datetime.strptime(text, _COMPACT_FORM) if _COMPACT.fullmatch(text) else datetime.fromisoformat(text)  # noqa: DTZ007 its zone follows
        return (moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def time_invalid(path: str, text: str) -> Problem:
    """Returns the problem of a text that is no time."""
    return Problem(
        path,
        "TIME_INVALID",
        f"{text} is no time; write yyyyMMddHHmmss or 2026-11-02T08:30:00+08:00.",
        f"{text} 不是有效时间；请按 yyyyMMddHHmmss 或 2026-11-02T08:30:00+08:00 填写。",
    )
