"""The platform's business date: shown, and closed in every service's store in a fixed order."""

import datetime
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from chassis import business_date
from cli import stores

Change = Callable[[sa.Connection], datetime.date]


def show(database: str) -> datetime.date:
    """Returns the business date of a platform's stores: the earliest, where a close was cut off halfway."""
    with stores.opened(database) as opened:
        found = []
        for _service, store in opened:
            with store.read() as connection:
                found.append(business_date.present(connection, _now_us()))
    return min(found)


def close(database: str, until: datetime.date) -> datetime.date:
    """Closes every date before `until`, service by service; again it goes on from where it was cut off.

    Raises business_date.DateNotAhead where a service is past it.
    """
    return _in_all(database, lambda connection: business_date.advance(connection, until, _now_us()).date)


def hold(database: str, date: datetime.date) -> datetime.date:
    """Holds the business date at a day: a demo's story begins in the past, so that it ends today."""
    return _in_all(database, lambda connection: business_date.hold(connection, date).date)


def _in_all(database: str, change: Change) -> datetime.date:
    dates = []
    with stores.opened(database) as opened:
        for _service, store in opened:
            with store.write() as connection:
                dates.append(change(connection))
    return min(dates)


def _now_us() -> int:
    return time.time_ns() // 1000


def report(date: datetime.date) -> dict[str, Any]:
    """The date as the commands print it."""
    return {"ok": True, "date": date.isoformat()}
