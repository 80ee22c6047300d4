"""The platform's business date: a row that the clock at its place or a command moves on, and that never goes back.

A date *follows the clock* unless a command has moved it ahead, until the clock has caught up, or *holds* it. A batch of
commands reads the row under a shared lock, whoever moves it takes the exclusive one: nothing is committed under a date
that was left before the commit.

A date that is left is *closed* once the jobs of its end are done (chassis.jobs). Until then its close is under way.
"""

import datetime
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from chassis import clock, tables
from chassis.codetables import code_table
from chassis.errors import BusinessDateAhead

# All places share one date today; the key leaves room for more.
PLACE = "platform"
DAY = datetime.timedelta(days=1)

_EXCLUSIVE = "LOCK TABLE business_dates IN EXCLUSIVE MODE"
# Each batch reads the row, so by the driver itself.
_ROW = "SELECT date, closed_date, is_held FROM business_dates WHERE place = 'platform'"
# Two statements in one round trip: the second sees what was committed while the first waited.
_SHARED = f"LOCK TABLE business_dates IN ROW SHARE MODE; {_ROW}"


class DateNotAhead(ValueError):
    """A business date is left once: the date to open lies before the present one."""


class Behind(Exception):
    """The row is behind the clock that it follows: it has to be moved before anything counts on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessDate:
    """A place's business date: the last date that is closed whole, and whether a command holds the date."""

    date: datetime.date
    closed_date: datetime.date
    is_held: bool = False

    @property
    def is_closing(self) -> bool:
        """Whether a date was left whose jobs aren't all done."""
        return self.closed_date < self.date - DAY

    def at(self, now_us: int) -> datetime.date:
        """Returns the date at a time: a held one stands still, any other one follows the clock."""
        return self.date if self.is_held else max(self.date, day(now_us))


def day(now_us: int) -> datetime.date:
    """Returns the day of the clock at the place (places.csv): 16:00 UTC on 1 March is 2 March where it is UTC+8."""
    minutes = int(code_table("chassis", "places").value(PLACE, clock.day(now_us, datetime.UTC)))
    return clock.day(now_us, datetime.timezone(datetime.timedelta(minutes=minutes)))


def load(connection: sa.Connection) -> BusinessDate | None:
    """Returns the row; None in a store that no command has come to yet."""
    rows = tables.business_dates
    query = sa.select(rows.c.date, rows.c.closed_date, rows.c.is_held).where(rows.c.place == PLACE)
    row = connection.execute(query).first()
    return None if row is None else _from_row(*row)


def present(connection: sa.Connection, now_us: int) -> datetime.date:
    """Returns the business date at a time, as a read sees it: the row's, or the clock's where that is ahead of it."""
    row = load(connection)
    return day(now_us) if row is None else row.at(now_us)


def of_batch(connection: sa.Connection, now_us: int) -> datetime.date:
    """Returns the date of a batch that begins at a time. Until its commit nobody moves the row. Raises Behind."""
    raw: Any = connection.connection.driver_connection
    values = raw.execute(_ROW).fetchone() if connection.dialect.name == "sqlite" else _values_shared(raw)
    row = None if values is None else _from_row(*values)
    if row is None or row.at(now_us) != row.date:
        raise Behind
    return row.date


def _values_shared(raw: Any) -> tuple[str, str, bool] | None:
    cursor = raw.cursor().execute(_SHARED, prepare=False)
    cursor.nextset()
    values: tuple[str, str, bool] | None = cursor.fetchone()
    return values


def agreed(here: datetime.date, callers: datetime.date | None) -> datetime.date:
    """Returns the date on which a call counts: the callee's own, or the next day where its caller is there already.

    On 30 November a call of that day, or of any day before, counts on the 30th; one of 1 December, whose caller has
    closed the 30th while the callee is about to, on the 1st. Raises BusinessDateAhead for one of 2 December.
    """
    if callers is None or callers <= here:
        return here
    if callers - here > DAY:
        raise BusinessDateAhead(date=callers, here=here)
    return callers


def follow(connection: sa.Connection, now_us: int) -> BusinessDate:
    """Moves the row to the clock's day, unless it is held or ahead; without a row that is its first date."""
    row, today = _load_exclusive(connection), day(now_us)
    if row is None:
        return _save(connection, BusinessDate(date=today, closed_date=today - DAY))
    return row if row.at(now_us) == row.date else _save(connection, replace(row, date=today))


def advance(connection: sa.Connection, until: datetime.date, now_us: int) -> BusinessDate:
    """Leaves every date before `until`, which is the business date from now on. Raises DateNotAhead."""
    row = follow(connection, now_us)
    if until < row.date:
        raise DateNotAhead(f"{until} lies before the business date, {row.date}")
    return _save(connection, replace(row, date=until, is_held=until < day(now_us)))


def hold(connection: sa.Connection, date: datetime.date) -> BusinessDate:
    """Holds the business date at a day, earlier ones included: for a store that is about to be filled."""
    _load_exclusive(connection)
    return _save(connection, BusinessDate(date=date, closed_date=date - DAY, is_held=True))


def mark_closed(connection: sa.Connection, date: datetime.date) -> None:
    """Writes down that a date is closed whole: its jobs are done, and those of all dates before it."""
    rows = tables.business_dates
    this = sa.and_(rows.c.place == PLACE, rows.c.closed_date < date.isoformat())
    connection.execute(sa.update(rows).where(this).values(closed_date=date.isoformat()))


def violations(connection: sa.Connection) -> list[str]:
    """Returns what is wrong with the row: a date is closed only after it was left."""
    row = load(connection)
    if row is None or row.closed_date < row.date:
        return []
    return [f"business date: {row.closed_date} is closed, but the business date is {row.date}"]


def _load_exclusive(connection: sa.Connection) -> BusinessDate | None:
    """Loads the row under the exclusive lock; SQLite's writer is alone anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_EXCLUSIVE)
    return load(connection)


def _from_row(date: str, closed_date: str, is_held: bool) -> BusinessDate:
    day_of = datetime.date.fromisoformat
    return BusinessDate(date=day_of(date), closed_date=day_of(closed_date), is_held=is_held)


def _save(connection: sa.Connection, row: BusinessDate) -> BusinessDate:
    rows = tables.business_dates
    values = {"date": row.date.isoformat(), "closed_date": row.closed_date.isoformat(), "is_held": row.is_held}
    if connection.execute(sa.update(rows).where(rows.c.place == PLACE).values(**values)).rowcount == 0:
        connection.execute(sa.insert(rows).values(place=PLACE, **values))
    return row
