"""Derives a document's status from its receipts, for documents of any kind: two code tables and one rule.

Receipts come more than once and out of order. They count by notice time, then by severity. A receipt moves the document
when its severity is above the present status's resistance. Both numbers are columns of the tables, so that each kind of
document has its own life and none has code of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from services.declarations.customs.code_tables import Row, code_table

_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000
# Notices carry the time of Beijing (UTC+8), and so do the tables' dates.
_BEIJING_US = 8 * 3_600_000_000


def notice_date(notice_time_us: int) -> date:
    """Returns the day in Beijing of a notice (microseconds since 1970 UTC).

    A notice of 16:00 UTC is of the next day there.
    """
    return _EPOCH + timedelta(days=(notice_time_us + _BEIJING_US) // _DAY_US)


@dataclass(frozen=True, slots=True)
class ReceiptMachine:
    """The life of one kind of document: its tables' names, and the status that no receipt is needed for."""

    codes: str
    statuses: str
    initial: str

    def row(self, code: str, notice_time_us: int) -> Row | None:
        """Returns the table's row of a code at a time, None for an unknown code. Negative codes share one row."""
        return code_table(self.codes).row("-" if code.startswith("-") else code, notice_date(notice_time_us))

    def status_after(self, receipts: Iterable[tuple[str, int]]) -> str:
        """Returns the status after receipts (code, notice time in microseconds).

        It is the same for any order and repetition. Unknown codes, and those without a status, move nothing.
        """
        status = ""
        for _, severity, _, row in self._ordered(receipts):
            if severity > self._resistance(status):
                status = row["status"]
        return status or self.initial

    def _ordered(self, receipts: Iterable[tuple[str, int]]) -> list[tuple[int, int, str, Row]]:
        """Returns (notice time, severity, code, row) of the receipts with a known code in the order they count.

        Repetitions stand next to each other, and a code that counts twice in a row counts once.
        """
        receipts_with_rows = ((code, time_us, self.row(code, time_us)) for code, time_us in receipts)
        ranked = [
            (time_us, int(row["severity"]), code, row)
            for code, time_us, row in receipts_with_rows
            if row and row["status"]
        ]
        return sorted(ranked, key=lambda receipt: receipt[:3])

    def _resistance(self, status: str) -> int:
        row = code_table(self.statuses).row(status, date.max)
        return int(row["resistance"]) if row else -1
