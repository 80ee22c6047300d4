"""Calendars by place and purpose: which days are open, and for which years that is published. Pure."""

import datetime
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Purpose(enum.StrEnum):
    """The use of a calendar."""

    # Days on which offices work.
    WORKING = "WORKING"
    # Days on which a bank is open to its customers, up to its cut-off.
    BANKING = "BANKING"
    # Days on which a payment system settles.
    PAYMENT_SYSTEM = "PAYMENT_SYSTEM"
    # Days on which currencies are traded.
    FOREIGN_EXCHANGE = "FOREIGN_EXCHANGE"


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether a day is open; provisional where nobody has published the day's year, and weekends alone count."""

    is_open: bool
    is_provisional: bool


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """A version of a calendar."""

    name: str
    version: int

    @property
    def table(self) -> str:
        """The dated table that holds it: calendars/CN.working."""
        return f"calendars/{self.name}"


@dataclass(frozen=True, slots=True)
class Period:
    """The days from the first to the last, both included."""

    first: datetime.date
    last: datetime.date

    def holds(self, day: datetime.date) -> bool:
        """Returns whether a day lies in the period: 2026-10-07 in 2026-10-01 to 2026-10-07."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class CutOff:
    """The time of day, in the calendar's zone, after which something counts on the next open day."""

    period: Period
    time: datetime.time


class Days(Protocol):
    """Days that are open or not: a calendar, or several at once."""

    @property
    def versions(self) -> tuple[CalendarVersion, ...]:
        """The calendars that are asked, each in its version."""
        ...

    def on(self, day: datetime.date) -> Opening:
        """Returns whether a day is open, and whether that is provisional."""
        ...

    def local(self, time_us: int) -> datetime.datetime:
        """Returns an instant in the place's time. Raises LookupError where the calendar has no zone."""
        ...

    def cut_off(self, day: datetime.date) -> datetime.time:
        """Returns the time of day up to which something counts on a day. Raises LookupError where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days of a place for a purpose, in a version; its name is `CN.working` or `CN.banking.make_up_days`.

    `worked` days are open though they lie on a weekend; `weekend` has periods for each day of the week that is off.
    """

    name: str
    place: str
    purpose: Purpose
    version: int
    years: frozenset[int]
    weekend: Mapping[int, tuple[Period, ...]]
    off: frozenset[datetime.date]
    worked: frozenset[datetime.date]
    zone: datetime.tzinfo | None = None
    cut_offs: tuple[CutOff, ...] = ()

    @property
    def versions(self) -> tuple[CalendarVersion, ...]:
        """The calendar itself."""
        return (CalendarVersion(self.name, self.version),)

    def is_open(self, day: datetime.date) -> bool:
        """Returns whether a day is open: in CN.working 2026-10-10, a Saturday made up for National Day, is."""
        return day in self.worked or not (day in self.off or self.is_weekend(day))

    def is_weekend(self, day: datetime.date) -> bool:
        """Returns whether a day is on the weekend of its time: Saturday 2026-10-10 is, worked or not."""
        return any(period.holds(day) for period in self.weekend.get(day.weekday(), ()))

    def is_published(self, day: datetime.date) -> bool:
        """Returns whether somebody has published a day's year: in CN.working 2026-12-31 is, 2027-01-01 isn't."""
        return day.year in self.years

    def on(self, day: datetime.date) -> Opening:
        """Returns whether a day is open: in CN.working Monday 2027-02-08 is, provisionally."""
        return Opening(self.is_open(day), not self.is_published(day))

    def local(self, time_us: int) -> datetime.datetime:
        """Returns an instant in the place's time: 09:20 UTC is 17:20 in China. Raises LookupError without a zone."""
        if self.zone is None:
            raise LookupError(f"{self.name} has no zone")
        return datetime.datetime.fromtimestamp(time_us // 1_000_000, self.zone)

    def cut_off(self, day: datetime.date) -> datetime.time:
        """Returns the time up to which something counts on a day: 17:00. Raises LookupError where there is none."""
        for cut_off in self.cut_offs:
            if cut_off.period.holds(day):
                return cut_off.time
        raise LookupError(f"{self.name} has no cut-off on {day}")


@dataclass(frozen=True, slots=True)
class Joint:
    """Several calendars at once: a day is open where all are. USD against CNY is traded on days of both places."""

    calendars: tuple[Calendar, ...]

    @property
    def versions(self) -> tuple[CalendarVersion, ...]:
        """The calendars, in their order."""
        return tuple(version for calendar in self.calendars for version in calendar.versions)

    def on(self, day: datetime.date) -> Opening:
        """Returns whether a day is open in all calendars.

        Where a published one is closed, that is certain: Monday 2027-07-05 is a holiday of the Federal Reserve,
        whatever China publishes.
        """
        openings = [calendar.on(day) for calendar in self.calendars]
        if any(not opening.is_open and not opening.is_provisional for opening in openings):
            return Opening(False, False)
        return Opening(
            all(opening.is_open for opening in openings), any(opening.is_provisional for opening in openings)
        )

    def local(self, time_us: int) -> datetime.datetime:  # noqa: ARG002
        """Raises LookupError: several places have no time of their own."""
        raise LookupError("several calendars have no zone")

    def cut_off(self, day: datetime.date) -> datetime.time:
        """Raises LookupError: several places have no cut-off of their own."""
        raise LookupError(f"several calendars have no cut-off on {day}")
