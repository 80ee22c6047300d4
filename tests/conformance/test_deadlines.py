"""Dates by rule equal those of a calendar that is written out day by day, and the worked cases' dates."""

import datetime
import itertools
import json
import pathlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from scripts import fill_calendars
from trade import calendars
from trade.calendars import CHINA, Calendar, Deadline

FIRST, LAST = datetime.date(2018, 1, 1), datetime.date(2026, 12, 31)
STARTS = [FIRST + datetime.timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
DAY = datetime.date.fromisoformat


@dataclass(frozen=True)
class WrittenOut:
    """The open days of years around those that are published, in order: found by place in the list, never by rule."""

    opened: Sequence[datetime.date]
    months: Mapping[tuple[int, int], Sequence[datetime.date]]

    def next(self, day: datetime.date, number: int = 1) -> datetime.date:
        """The open day with this number, a first open day counted."""
        return self.opened[bisect_left(self.opened, day) + number - 1]

    def last(self, day: datetime.date) -> datetime.date:
        """The last open day up to a day."""
        return self.opened[bisect_right(self.opened, day) - 1]

    def month(self, year: int, month: int) -> Sequence[datetime.date]:
        """The open days of a month, which may be the 13th."""
        return self.months[year + month // 13, (month - 1) % 12 + 1]


def notices(real_data: pathlib.Path) -> dict[datetime.date, bool]:
    """Whether the days that the State Council named are off, by its notices."""
    folder = real_data / "codelists" / "holidays" / "cn_state_council"
    years = [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("20*.json"))]
    return {DAY(entry["date"]): entry["isOffDay"] for year in years for entry in year["days"]}


def written_out(named: dict[datetime.date, bool], opens_on_weekends: bool) -> WrittenOut:
    """All open days of 2017 to 2028; where no day is made up, weekends are closed whatever is named."""
    days = (datetime.date(2017, 1, 1) + datetime.timedelta(days=number) for number in range(12 * 365))
    opened = [day for day in days if is_open(day, named.get(day), opens_on_weekends)]
    months = itertools.groupby(opened, key=lambda day: (day.year, day.month))
    return WrittenOut(opened, {month: list(days) for month, days in months})


def is_open(day: datetime.date, is_off: bool | None, opens_on_weekends: bool) -> bool:
    """A weekend day is open where it was named as no day off, and the place opens then."""
    if day.isoweekday() > 5:
        return is_off is False and opens_on_weekends
    return not is_off


@pytest.fixture(
    scope="module",
    params=[
        ("CN.working", True),
        ("CN.banking", False),
        ("CN.banking.make_up_days", True),
        ("CN.foreign_exchange", False),
    ],
    ids=lambda param: param[0],
)
def both(request: pytest.FixtureRequest, real_data: pathlib.Path) -> tuple[Calendar, WrittenOut]:
    """A packaged calendar of China, and the same written out from the notices."""
    name, opens_on_weekends = request.param
    return calendars.packaged(name), written_out(notices(real_data), opens_on_weekends)


def kept_in_month(day: datetime.date, wanted: datetime.date, otherwise: datetime.date) -> datetime.date:
    return wanted if wanted.month == day.month else otherwise


def month_of(written: WrittenOut, day: datetime.date, later: int = 0) -> Sequence[datetime.date]:
    return written.month(day.year, day.month + later)


def after(days: int) -> datetime.timedelta:
    return datetime.timedelta(days=days)


# The plain answer of each rule, by what it takes beside the day.
PLAIN: dict[str, tuple[Sequence[int | None], Callable[[WrittenOut, datetime.date, int], datetime.date]]] = {
    "unadjusted": ([None], lambda written, day, _: day),
    "following": ([None], lambda written, day, _: written.next(day)),
    "preceding": ([None], lambda written, day, _: written.last(day)),
    "modified_following": ([None], lambda w, day, _: kept_in_month(day, w.next(day), w.last(day))),
    "modified_preceding": ([None], lambda w, day, _: kept_in_month(day, w.last(day), w.next(day))),
    "end_of_month": ([None], lambda written, day, _: month_of(written, day)[-1]),
    "days_after": ([0, 1, 7, 10, 15, 21, 30, 60, 90], lambda written, day, count: written.next(day + after(count))),
    "working_days_after": ([1, 2, 5, 10, 21], lambda written, day, count: written.next(day + after(1), count)),
    "working_day_of_month": ([1, 3, 5, 14], lambda written, day, count: month_of(written, day)[count - 1]),
    "working_day_of_next_month": ([1, 3, 5, 14], lambda written, day, count: month_of(written, day, 1)[count - 1]),
}
# They take an instant, or other deadlines: each has a test of its own.
OTHERS = {"presentation_day", "earlier_of", "later_of"}


def by_rule(calendar: Calendar, name: str, day: datetime.date, count: int | None) -> Deadline:
    inputs = {"day": day} if count is None else {"day": day, "count": count}
    return calendars.RULES[name].apply(calendar, **inputs)


def test_every_rule_is_compared() -> None:
    assert PLAIN.keys() | OTHERS == calendars.RULES.keys()
    assert all(rule.source for rule in calendars.RULES.values())


@pytest.mark.parametrize("name", PLAIN)
def test_a_rule_equals_the_written_out_calendar_from_every_day(both: tuple[Calendar, WrittenOut], name: str) -> None:
    """CD1: from every day of 2018 to 2026, those before make-up days and those that end in 2027 among them.

    CD2: a date is provisional exactly where it lies beyond the last published year, or isn't looked up.
    """
    calendar, written = both
    counts, plain = PLAIN[name]
    wrong = []
    for day, count in itertools.product(STARTS, counts):
        given = by_rule(calendar, name, day, count)
        expected = plain(written, day, count or 0)
        is_provisional = name != "unadjusted" and not FIRST <= expected <= LAST
        if (given.date, given.is_provisional) != (expected, is_provisional):
            wrong.append((day, count, given.date, expected, given.is_provisional))
    assert wrong == []


@pytest.mark.parametrize("name", ["CN.banking", "CN.banking.make_up_days"])
def test_a_presentation_counts_by_the_cut_off_of_every_day(name: str, real_data: pathlib.Path) -> None:
    """UCP 600 article 33: up to 17:00 of an open day on that day, after it on the next."""
    calendar, written = calendars.packaged(name), written_out(notices(real_data), name.endswith("make_up_days"))
    for day in STARTS[:-1]:
        for hour, minute, days in ((0, 0, 0), (16, 59, 0), (17, 0, 0), (17, 1, 1), (23, 59, 1)):
            received = datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=CHINA)
            counted = calendars.presentation_day(calendar, int(received.timestamp()) * 1_000_000)
            assert counted.date == written.next(day + after(days)), received


def test_the_worked_case_of_usance_and_examination() -> None:
    """Golden S3: a bank in Zhengzhou whose counter closes at 17:00."""
    china = calendars.packaged("CN.working")
    bank, opening = calendars.packaged("CN.banking"), calendars.packaged("CN.banking.make_up_days")
    on_board = DAY("2026-07-03")
    assert calendars.days_after(bank, on_board, 90).date == DAY("2026-10-08")
    assert calendars.days_after(bank, on_board, 60).date == DAY("2026-09-01")
    assert calendars.days_after(bank, DAY("2026-08-24"), 30).date == DAY("2026-09-23")
    received = datetime.datetime(2026, 9, 24, 17, 20, tzinfo=CHINA)
    presented = calendars.presentation_day(bank, int(received.timestamp()) * 1_000_000)
    assert presented.date == DAY("2026-09-28")
    assert calendars.working_days_after(opening, presented.date, 5).date == DAY("2026-10-10")
    assert calendars.working_days_after(bank, presented.date, 5).date == DAY("2026-10-12")
    last = calendars.earlier_of(
        calendars.days_after(bank, DAY("2026-09-05"), 21), calendars.following(bank, DAY("2026-10-20"))
    )
    assert (last.date, last.is_provisional) == (DAY("2026-09-28"), False)
    assert calendars.unadjusted(china, DAY("2026-10-03")).date == DAY("2026-10-03")


def test_the_worked_case_of_ninety_days() -> None:
    """Golden L1: ninety days that end in the National Day week, and a month's end."""
    china = calendars.packaged("CN.working")
    end = DAY("2026-07-03") + after(90)
    dates = {
        name: calendars.RULES[name].apply(china, end).date
        for name in ("unadjusted", "following", "modified_following", "preceding")
    }
    assert dates == {
        "unadjusted": DAY("2026-10-01"),
        "following": DAY("2026-10-08"),
        "modified_following": DAY("2026-10-08"),
        "preceding": DAY("2026-09-30"),
    }
    assert [(date - DAY("2026-07-03")).days for date in dates.values()] == [90, 97, 97, 89]
    month_end = DAY("2026-05-31")
    assert calendars.modified_following(china, month_end).date == DAY("2026-05-29")
    assert calendars.end_of_month(china, DAY("2026-05-03")).date == DAY("2026-05-29")
    assert calendars.following(china, month_end).date == DAY("2026-06-01")


def test_the_worked_case_of_the_duty_guarantee() -> None:
    """Golden C4, its dates: the last day to pay, the insurer's last day, the days late, and both terms of before."""
    china = calendars.packaged("CN.working")
    last = calendars.days_after(china, DAY("2026-09-18"), 15).date
    insurer = calendars.working_days_after(china, DAY("2026-10-12"), 5).date
    assert (last, insurer, (insurer - last).days) == (DAY("2026-10-08"), DAY("2026-10-19"), 11)
    assert calendars.days_after(china, DAY("2022-06-20"), 10).date == DAY("2022-06-30")
    assert calendars.days_after(china, DAY("2022-07-04"), 15).date == DAY("2022-07-19")


def test_the_packaged_calendars_are_what_the_sources_give(real_data: pathlib.Path) -> None:
    """The script, run again over the kept sources, writes what is packaged, to the byte."""
    folder = pathlib.Path(fill_calendars.TARGET)
    written = {
        f"{calendar.name}.{fill_calendars.VERSION}.csv": fill_calendars.text(calendar)
        for calendar in fill_calendars.calendars(real_data / "codelists" / "holidays")
    }
    packaged = {file.name: file.read_text("utf-8") for file in folder.glob(f"*.{fill_calendars.VERSION}.csv")}
    assert written == packaged


def snapshot(real_data: pathlib.Path, name: str) -> Iterator[datetime.date]:
    text = (real_data / "codelists" / "holidays" / "vacanza" / f"{name}.json").read_text("utf-8")
    return map(DAY, json.loads(text))


def test_target_by_its_rule_is_the_kept_list(real_data: pathlib.Path) -> None:
    target = calendars.packaged("EU.payment_system")
    assert {day for day in snapshot(real_data, "XECB") if day.year in target.years} == target.off


# As the Reserve Banks published 2025 to 2027.
OF_FED = """2025-01-01 2025-01-20 2025-02-17 2025-05-26 2025-06-19 2025-07-04 2025-09-01 2025-10-13 2025-11-11
2025-11-27 2025-12-25 2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-09-07 2026-10-12 2026-11-11 2026-11-26
2026-12-25 2027-01-01 2027-01-18 2027-02-15 2027-05-31 2027-07-05 2027-09-06 2027-10-11 2027-11-11 2027-11-25"""


def test_the_federal_reserve_closes_on_its_published_days() -> None:
    """Friday 2026-07-03 is open, Monday 2027-07-05 isn't; Saturdays are closed anyway. Juneteenth counts since 2021."""
    reserve = calendars.packaged("US.payment_system")
    days = (datetime.date(2025, 1, 1) + after(number) for number in range(3 * 365))
    assert {day for day in days if day.isoweekday() < 6 and not reserve.is_open(day)} == set(map(DAY, OF_FED.split()))
    assert reserve.is_open(DAY("2026-07-03"))
    assert reserve.is_open(DAY("2020-06-19"))
    assert not reserve.is_open(DAY("2022-06-20"))
