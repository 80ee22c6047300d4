"""The kinds of dated tables by their names: how a file is checked, and which days passed a version changes. Pure."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from chassis import currencies
from chassis.errors import Problem
from trade import calendars
from trade.calendars import Calendar
from trade.dated_tables import changes, shapes
from trade.dated_tables.files import File
from trade.dated_tables.shapes import Shape

# Names of calendars begin with this.
CALENDARS = "calendars/"

Changes = Sequence[tuple[str, datetime.date]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of table.

    `problems` gives all that is wrong with a file of a name; `past_changes` what a file changes, against the content of
    before, on days before a date: a code each, with the first such day.
    """

    problems: Callable[[str, File], list[Problem]]
    past_changes: Callable[[str, File, File, datetime.date], Changes]


def kind_of(name: str) -> Kind | None:
    """Returns the kind of a table: of exchange_rates, or of any calendar, as calendars/CN.working. None without any."""
    return CALENDAR if name.startswith(CALENDARS) else KINDS.get(name)


def _by_code(shape: Shape) -> Kind:
    """Returns the kind of tables of a shape."""
    return Kind(problems=partial(_problems, shape), past_changes=partial(_past_changes, shape))


def _problems(shape: Shape, name: str, file: File) -> list[Problem]:
    return shapes.problems(name, shape, file)


def _past_changes(shape: Shape, _name: str, before: File, after: File, today: datetime.date) -> Changes:
    return changes.past_changes(shape, shapes.lines(before), shapes.lines(after), today)


def _calendar_problems(name: str, file: File) -> list[Problem]:
    if file.problems:
        return list(file.problems)
    return calendars.problems(name.removeprefix(CALENDARS), file.content.decode())


def _calendar_changes(name: str, before: File, after: File, today: datetime.date) -> Changes:
    old, new = (_calendar(name, file) for file in (before, after))
    return changes.of_calendar(old, new, today)


def _calendar(name: str, file: File) -> Calendar:
    return calendars.read(name.removeprefix(CALENDARS), 0, file.content.decode())


def is_currency(text: str) -> bool:
    """Whether a text is a currency that is or was paid in: CNY, and HRK, is; XXX isn't."""
    return currencies.kept_digits(text) is not None


CALENDAR = Kind(problems=_calendar_problems, past_changes=_calendar_changes)
_EXCHANGE_RATES = Shape(
    columns=("value", "source"),
    cells={
        "code": (is_currency, "currency of ISO 4217"),
        "value": (shapes.is_positive, "number above zero"),
    },
    checks=(shapes.overlaps, shapes.holes),
)

KINDS: Mapping[str, Kind] = {
    "exchange_rates": _by_code(_EXCHANGE_RATES),
}
NAMES = (*KINDS, f"{CALENDARS}PLACE.PURPOSE")
