"""Derives a goods declaration's status from the window's receipts, and what finance may do with it.

Receipts come more than once and out of order. They count by notice time, then by severity. A receipt moves the
declaration when its severity is above the present status's resistance: progress only goes forward, an inspection or a
rejection stops anything that isn't closed, a suspension or a deletion stops even that, and a deletion is final. Both
numbers are columns of data/receipt_codes.csv and data/statuses.csv.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import lru_cache

from chassis.errors import Problem
from services.declarations.customs import direction, modes
from services.declarations.customs.code_tables import Row, code_table
from services.declarations.customs.receipt_machine import ReceiptMachine

# A declaration without receipts has at least been declared: it has a customs number.
STATUS_WITHOUT_RECEIPTS = "DECLARED"
MACHINE = ReceiptMachine("receipt_codes", "statuses", STATUS_WITHOUT_RECEIPTS)

# The effect of a status on encumbered value (column `value` of data/statuses.csv); else nothing.
VOIDS = "VOIDS"
FREEZES = "FREEZES"


def receipt_row(channel_code: str, notice_time_us: int) -> Row | None:
    """Returns the table's row of a channel code at a time (microseconds since 1970 UTC), None for an unknown code."""
    return MACHINE.row(channel_code, notice_time_us)


def status_after(receipts: Iterable[tuple[str, int]]) -> str:
    """Returns the status (a name of Declaration.Status) after receipts (channel code, notice time in microseconds)."""
    return MACHINE.status_after(receipts)


def eligibility(
    status: str,
    *,
    declaration_number: str,
    trade_mode: str,
    transport_mode: str,
    on: date = date.max,
) -> tuple[str, list[Problem]]:
    """Returns the verdict on finance (a name of Eligibility.Verdict), and every reason that holds it back.

    on picks the rows of the code tables: the export date; date.max means the rows now open.
    """
    verdict, reasons = _eligibility(status, direction.is_import(declaration_number), trade_mode, transport_mode, on)
    return verdict, list(reasons)


# Declarations have few combinations of these, and a page asks twice for each.
@lru_cache(maxsize=4096)
def _eligibility(
    status: str, is_import: bool, trade_mode: str, transport_mode: str, on: date
) -> tuple[str, Sequence[Problem]]:
    row = code_table("statuses").row(status, on) or _UNKNOWN_STATUS
    hindrances = [
        *(_OF_IMPORTS if is_import else ()),
        *_of_trade_mode(trade_mode, is_import, on),
        *_of_transport_mode(transport_mode, on),
    ]
    return "NOT_ELIGIBLE" if hindrances else row["verdict"], (*_of_status(row), *hindrances)


def void_statuses() -> list[str]:
    """Returns the statuses in which a declaration counts no more."""
    return [row["code"] for row in code_table("statuses").rows() if row["value"] == VOIDS]


def effect_on_value(status: str) -> str:
    """Returns VOIDS where the declared value counts no more, FREEZES where nothing new may stand on it, else ""."""
    row = code_table("statuses").row(status, date.max)
    return row["value"] if row else ""


_OF_IMPORTS = (
    Problem(
        "declaration_number",
        "IMPORT_DECLARATION",
        "This is an import declaration; only exports leave a receivable to finance.",
        "此为进口报关单；仅出口报关单可形成应收账款用于融资。",
    ),
)
_UNKNOWN_STATUS: Row = {
    "verdict": "NOT_ELIGIBLE",
    "reason": "STATUS_UNKNOWN",
    "english": "The declaration's status isn't known; wait for a receipt.",
    "chinese": "报关单状态未知；请等待回执。",
}


def _of_status(row: Row) -> list[Problem]:
    return [Problem("status", row["reason"], row["english"], row["chinese"])] if row["reason"] else []


def _of_trade_mode(trade_mode: str, is_import: bool, on: date) -> list[Problem]:
    if mode := modes.mode(trade_mode, "IMPORT" if is_import else "EXPORT", on):
        return mode.declaration_hindrances
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
