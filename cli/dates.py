"""The platform's business date: shown, and closed day by day in every service's store in a fixed order."""

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from chassis import business_date
from chassis.business_date import DAY, BusinessDate, DateNotAhead
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.ids import system_random
from chassis.jobs import Closing
from cli import stores

# A service closes before those that it calls: its calls count on its date at both ends. The register calls nobody.
ORDER = ("settlement", "loans", "credit_insurance", "declarations")

# Told of each service that has closed all dates before a day.
Told = Callable[[datetime.date, str], None]
Opened = list[tuple[str, Database, Closing]]


def _nothing(_date: datetime.date, _service: str) -> None:
    """Tells nobody."""


def standing(database: str) -> dict[str, BusinessDate]:
    """Returns each service's date by name, in the order in which they close; services without a store aren't in it."""
    with stores.opened(database) as opened:
        return standing_of([(service, store) for service, store, _ in _in_order(opened)])


def standing_of(held: Iterable[tuple[str, Database]]) -> dict[str, BusinessDate]:
    """Returns the date of each of these services by name."""
    return {service: _standing(store) for service, store in held}


def show(database: str) -> datetime.date:
    """Returns the platform's business date: the earliest of its services', where a close is under way."""
    return min(row.date for row in standing(database).values())


def close(database: str, until: datetime.date, told: Told = _nothing) -> datetime.date:
    """Closes every date before `until`, a day in all services before the next day.

    After any death the same again goes on from there. Raises DateNotAhead where a service is past `until`.
    """
    for _ in closed_days(database, until, told):
        pass
    return until


def closed_days(database: str, until: datetime.date, told: Told = _nothing) -> Iterator[datetime.date]:
    """Closes as `close` does; yields each day that is opened, once all services have closed what was before."""
    with stores.opened(database) as opened:
        ordered = _in_order(opened)
        dates = [_follow(store) for _, store, _ in ordered]
        if until < max(dates):
            raise DateNotAhead(f"{until} lies before the business date, {max(dates)}")
        for date in _days(min(dates), until):
            for service, store, closing in ordered:
                _close(store, closing, date)
                told(date, service)
            yield date


def _close(store: Database, closing: Closing, date: datetime.date) -> None:
    """Closes a service's dates before a day, be it that their close was begun and cut off."""
    if _standing(store).date < date:
        closing.advance(date)
    if _standing(store).is_closing:
        closing.run()


def _days(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    """Yields the days from `first` to `last`. Some services may not have closed up to `first`, which is open."""
    return (first + number * DAY for number in range((last - first).days + 1))


def hold(database: str, date: datetime.date) -> datetime.date:
    """Holds the business date at a day: a demo's story begins in the past, so that it ends today."""
    with stores.opened(database) as opened:
        for _, store, _ in _in_order(opened):
            with store.write() as connection:
                business_date.hold(connection, date)
    return date


def report(database: str) -> dict[str, Any]:
    """Returns the date as the commands print it: the platform's, whether a close is under way, and each service's."""
    rows = standing(database)
    services = {
        name: {"date": row.date.isoformat(), "closed_date": row.closed_date.isoformat(), "is_held": row.is_held}
        for name, row in rows.items()
    }
    dates = {row.date for row in rows.values()}
    is_closing = len(dates) > 1 or any(row.is_closing for row in rows.values())
    return {"ok": True, "date": min(dates).isoformat(), "is_closing": is_closing, "services": services}


def lines(told: dict[str, Any]) -> list[str]:
    """Returns a report for a person: the date alone, or where each service stands while a close is under way.

    "settlement 2026-12-01, closed up to 2026-11-30"
    """
    if not told["is_closing"]:
        return [told["date"]]
    services = told["services"].items()
    under_way = [f"  {name} {row['date']}, closed up to {row['closed_date']}" for name, row in services]
    return [f"{told['date']}; a close is under way, `aval date close` goes on with it:", *under_way]


def day_of(text: str, present: datetime.date) -> datetime.date:
    """Returns the day that a text means: 2026-12-01, or +60d, which is 60 days after the present. Raises ValueError."""
    if text.startswith("+") and text.endswith("d"):
        return present + int(text[1:-1]) * DAY
    return datetime.date.fromisoformat(text)


def _in_order(opened: stores.Opened) -> Opened:
    """Returns the services that have a store, in the order in which they close."""
    clock = SystemClock()
    ordered = sorted(opened, key=lambda pair: ORDER.index(pair[0].name))
    return [
        (service.name, store, Closing(service.name, service.jobs, store, clock, system_random))
        for service, store in ordered
        if _has_dates(store)
    ]


def _has_dates(store: Database) -> bool:
    with store.read() as connection:
        return sa.inspect(connection).has_table("business_dates")


def _standing(store: Database) -> BusinessDate:
    """Returns a store's row, or what it will be once it follows the clock."""
    now_us = SystemClock().now_us()
    with store.read() as connection:
        row = business_date.load(connection)
    if row is None:
        today = business_date.day(now_us)
        return BusinessDate(date=today, closed_date=today - DAY)
    return replace(row, date=row.at(now_us))


def _follow(store: Database) -> datetime.date:
    with store.write() as connection:
        return business_date.follow(connection, SystemClock().now_us()).date
