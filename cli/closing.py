"""`aval date close` with its progress: each day service by service, verified where it is asked for."""

import datetime
import time
from typing import Any, Protocol

import click

from cli import dates, verification


class Progress(Protocol):
    """A listener that is told of progress while dates are closed."""

    def service(self, date: datetime.date, service: str) -> None:
        """Hears that a service has closed all dates before a day."""

    def day(self, seconds: float, violations: int | None) -> None:
        """Hears that all services have, and the number of violations where they were looked for."""


class Silent:
    """Tells nothing."""

    def service(self, date: datetime.date, service: str) -> None:
        """Tells nothing."""

    def day(self, seconds: float, violations: int | None) -> None:
        """Tells nothing."""


class Meter:
    """A line for each day, written as it goes: "2026-12-01 settlement loans credit_insurance declarations 0.1 s"."""

    def __init__(self) -> None:
        self._date: datetime.date | None = None

    def service(self, date: datetime.date, service: str) -> None:
        """Writes the day once, then each service."""
        text = f" {service}" if date == self._date else f"{date} {service}"
        self._date = date
        click.echo(text, nl=False)

    def day(self, seconds: float, violations: int | None) -> None:
        """Writes the end of the line."""
        verdict = "" if violations is None else ", all hold" if violations == 0 else f", {violations} violations"
        click.echo(f" {seconds:.1f} s{verdict}")


def close(database: str, until: datetime.date, meter: Progress, is_whole: bool | None = None) -> dict[str, Any]:
    """Closes every date before `until` and returns the report. Raises business_date.DateNotAhead.

    `is_whole`: verified after each day, as verification.verify takes it; None: not verified. The first violation stops.
    """
    started = day_started = time.monotonic()
    days: list[dict[str, Any]] = []
    violations: list[str] = []
    for date in dates.closed_days(database, until, meter.service):
        violations = [] if is_whole is None else verification.verify(database, is_whole)["violations"]
        seconds, day_started = time.monotonic() - day_started, time.monotonic()
        meter.day(seconds, None if is_whole is None else len(violations))
        days.append({"date": date.isoformat(), "seconds": round(seconds, 3)})
        if violations:
            break
    report = dates.report(database)
    total = round(time.monotonic() - started, 3)
    return {**report, "ok": not violations, "days": days, "seconds": total, "violations": violations}


def lines(report: dict[str, Any]) -> list[str]:
    """Returns a report for a person: the date that is open, and what is wrong."""
    return [*dates.lines(report), *report["violations"]]
