"""Where a goods declaration stands by the window's receipts, and what finance may do with it.

Receipts come more than once and out of order. They count by notice time, then by severity. A receipt
moves the declaration when its severity is above the present status's resistance: progress only goes
forward, an inspection or a rejection stops anything that isn't closed, a suspension or a deletion
stops even that, and a deletion is final. Both numbers are columns of data/receipt_codes.csv and
data/statuses.csv.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from chassis.errors import Problem
from services.declarations.code_tables import Row, code_table

# What no receipt speaks of has at least been declared: it has a customs number.
STATUS_WITHOUT_RECEIPTS = "DECLARED"

# What a status does to value that is encumbered (column `value` of data/statuses.csv); else nothing.
VOIDS = "VOIDS"
FREEZES = "FREEZES"

_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000
# Notices carry the time of Beijing (UTC+8), and so do the tables' dates.
_BEIJING_US = 8 * 3_600_000_000
_DIRECTION_DIGIT = 8
_IMPORT = "1"


def receipt_row(channel_code: str, notice_time_us: int) -> Row | None:
    """The table's row of a channel code at a time (microseconds since 1970 UTC); None: unknown code."""
    on = _EPOCH + timedelta(days=(notice_time_us + _BEIJING_US) // _DAY_US)
    return code_table("receipt_codes").row(channel_code, on)


def status_after(receipts: Iterable[tuple[str, int]]) -> str:
    """The status (a name of Declaration.Status) after receipts (channel code, notice time in microseconds).

    The same for any order and repetition. Unknown codes are kept by the intake and move nothing.
    """
    status = ""
    for _, severity, _, row in _ordered(receipts):
        if severity > _resistance(status):
            status = row["status"]
    return status or STATUS_WITHOUT_RECEIPTS


def _ordered(receipts: Iterable[tuple[str, int]]) -> list[tuple[int, int, str, Row]]:
    """(notice time, severity, code, row) of the known receipts in the order they count.

    Repetitions stand next to each other, and a code that counts twice in a row counts once.
    """
    known = ((code, time_us, receipt_row(code, time_us)) for code, time_us in receipts)
    ranked = [(time_us, int(row["severity"]), code, row) for code, time_us, row in known if row]
    return sorted(ranked, key=lambda receipt: receipt[:3])


def _resistance(status: str) -> int:
    row = code_table("statuses").row(status, date.max)
    return int(row["resistance"]) if row else -1


def eligibility(
    status: str,
    *,
    declaration_number: str,
    trade_mode: str,
    transport_mode: str,
    on: date = date.max,
) -> tuple[str, list[Problem]]:
    """What finance may do (a name of Eligibility.Verdict), and every reason that holds it back.

    on picks the rows of the code tables: the export date; date.max means the rows now open.
    """
    row = code_table("statuses").row(status, on) or _UNKNOWN_STATUS
    hindrances = [
        *_of_direction(declaration_number),
        *_of_trade_mode(trade_mode, on),
        *_of_transport_mode(transport_mode, on),
    ]
    return "NOT_ELIGIBLE" if hindrances else row["verdict"], [*_of_status(row), *hindrances]


def effect_on_value(status: str) -> str:
    """VOIDS: what was declared counts no more. FREEZES: nothing new may stand on it meanwhile. Else empty."""
    row = code_table("statuses").row(status, date.max)
    return row["value"] if row else ""


_UNKNOWN_STATUS: Row = {
    "verdict": "NOT_ELIGIBLE",
    "reason": "STATUS_UNKNOWN",
    "english": "The declaration's status isn't known; wait for a receipt.",
    "chinese": "报关单状态未知；请等待回执。",
}


def _of_status(row: Row) -> list[Problem]:
    return [Problem("status", row["reason"], row["english"], row["chinese"])] if row["reason"] else []


def _of_direction(declaration_number: str) -> list[Problem]:
    if declaration_number[_DIRECTION_DIGIT : _DIRECTION_DIGIT + 1] != _IMPORT:
        return []
    return [
        Problem(
            "declaration_number",
            "IMPORT_DECLARATION",
            "This is an import declaration; only exports leave a receivable to finance.",
            "此为进口报关单；仅出口报关单可形成应收账款用于融资。",
        )
    ]


def _of_trade_mode(trade_mode: str, on: date) -> list[Problem]:
    row = code_table("trade_modes").row(trade_mode, on)
    if row and row["financeable"] == "YES":
        return []
    return [
        Problem(
            "trade_mode",
            "TRADE_MODE_NOT_FINANCEABLE",
            f"Trade mode {trade_mode} is no sale that a buyer abroad pays for; finance another declaration.",
            f"监管方式 {trade_mode} 不形成境外买方付款的应收账款；请选择其他报关单融资。",
        )
    ]


def _of_transport_mode(transport_mode: str, on: date) -> list[Problem]:
    row = code_table("transport_modes").row(transport_mode, on)
    if row and row["leaves_country"] == "YES":
        return []
    return [
        Problem(
            "transport_mode",
            "TRANSPORT_MODE_DOMESTIC",
            f"Transport mode {transport_mode} doesn't take the goods abroad; finance another declaration.",
            f"运输方式 {transport_mode} 货物未实际离境；请选择其他报关单融资。",
        )
    ]
