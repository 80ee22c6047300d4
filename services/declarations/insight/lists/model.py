"""What a list adds to the totals. Pure.

A parcel counts once. Its list counts by itself, unless the declaration does that its summary became, or the
declaration by which bonded stock entered (data/retail_modes.csv). Those lists are kept apart, not left out.
"""

from typing import NamedTuple

from aval.declarations.v1 import retail_pb2

from services.declarations.customs import modes
from services.declarations.customs.direction import DIGITS
from services.declarations.insight.counting.model import VALUE_MOST, Contribution
from services.declarations.window.declaration.rpc import main_commodity
from services.declarations.window.retail.list.model import in_statistics
from trade.calendars import day_in_china
from trade.checks import date_or_none

LIST, SUMMARISED_LIST, UNCOUNTED_LIST = "LIST", "SUMMARISED_LIST", "UNCOUNTED_LIST"


class ListRow(NamedTuple):
    """The columns of a list that count."""

    id: str
    enterprise: str
    direction: str
    trade_mode: str
    country: str
    value_currency: str
    value_minor_units: int
    status: str
    body: bytes
    create_us: int


def contribution(row: ListRow, is_summarised: bool) -> Contribution:
    """What a list adds as it is; whether a declaration that counts sums it up. Consumers are no buyers here."""
    message = retail_pb2.RetailList.FromString(row.body)
    on = (date_or_none(message.trade_date) if message.HasField("trade_date") else None) or day_in_china(row.create_us)
    key = (
        row.enterprise,
        on.isoformat()[:7],
        DIGITS[row.direction],
        row.trade_mode,
        row.country,
        main_commodity(message.lines)[:2],
        row.value_currency,
        _outcome(row, is_summarised, modes.mode(row.trade_mode, row.direction, on)),
        "",
    )
    return Contribution(key, row.value_minor_units if row.value_minor_units <= VALUE_MOST else 0, ())


def _outcome(row: ListRow, is_summarised: bool, mode: modes.Mode | None) -> str:
    if not in_statistics(row.status):
        return UNCOUNTED_LIST
    if is_summarised:
        return SUMMARISED_LIST
    return mode.row["list_counts_as"] if mode else LIST
