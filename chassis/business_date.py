"""The platform's business date: it follows the clock in China, unless a command has moved it.

A row holds what a command set. A *held* date stands still, whatever the clock says; any other date is the earliest that
counts, so that a platform that was moved ahead follows the clock again once the clock has caught up.
"""

import datetime

import sqlalchemy as sa

from chassis import clock, tables

# All places share one date today; the key leaves room for more.
PLACE = "platform"


class DateNotAhead(ValueError):
    """A business date is closed once: the date to open lies before the present one."""


def present(connection: sa.Connection, now_us: int) -> datetime.date:
    """Returns the business date at a time. Without a row: 16:00 UTC on 1 March is 2 March, since China is 8 h ahead."""
    today = clock.business_date(now_us)
    rows = tables.business_dates
    row = connection.execute(sa.select(rows.c.date, rows.c.is_held).where(rows.c.place == PLACE)).first()
    if row is None:
        return today
    moved = datetime.date.fromisoformat(row.date)
    return moved if row.is_held else max(moved, today)


def close(connection: sa.Connection, until: datetime.date, now_us: int) -> datetime.date:
    """Closes every date before `until`, which is the business date from now on. Raises DateNotAhead."""
    before = present(connection, now_us)
    if until < before:
        raise DateNotAhead(f"{until} lies before the business date, {before}")
    return _set(connection, until, is_held=until < clock.business_date(now_us))


def hold(connection: sa.Connection, date: datetime.date) -> datetime.date:
    """Holds the business date at a day, earlier ones included: for a store that is about to be filled."""
    return _set(connection, date, is_held=True)


def _set(connection: sa.Connection, date: datetime.date, is_held: bool) -> datetime.date:
    rows = tables.business_dates
    connection.execute(sa.delete(rows).where(rows.c.place == PLACE))
    connection.execute(sa.insert(rows).values(place=PLACE, date=date.isoformat(), is_held=is_held))
    return date
