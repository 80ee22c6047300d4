"""Rules of deadlines: the days on which nobody works are leaves, so that no calendar is needed to compute anew."""

import datetime
from collections.abc import Callable, Iterator

from trade.derivations.model import Derivation, RowOrigin
from trade.derivations.rules import Argument, Leaf, Parameter, Rule, derived, table

DAY = datetime.timedelta(days=1)
IsWorking = Callable[[datetime.date], bool]


def _later(day: datetime.date, count: int) -> datetime.date:
    return day + count * DAY


def _following(day: datetime.date, closed_day: tuple[datetime.date, ...]) -> datetime.date:
    while day in closed_day:
        day += DAY
    return day


def _first_of_next_month(day: datetime.date) -> datetime.date:
    return (day.replace(day=1) + 32 * DAY).replace(day=1)


def _working_day_of_next_month(day: datetime.date, number: int, closed_day: tuple[datetime.date, ...]) -> datetime.date:
    last = _first_of_next_month(day) - DAY
    for _ in range(number):
        last = _following(last + DAY, closed_day)
    return last


CLOSED_DAY = Parameter("closed_day", "非工作日", is_list=True)
LATER = Rule(
    name="deadline.later",
    function=_later,
    source="Calendar days",
    parameters=(Parameter("day", "起算日"), Parameter("count", "天数")),
    english="{count} days after {day}",
    chinese="{day} 后 {count} 天",
)
FOLLOWING = Rule(
    name="deadline.following",
    function=_following,
    source="A last day on which nobody works moves to the next working day",
    parameters=(Parameter("day", "末日"), CLOSED_DAY),
    english="{day}, moved beyond {closed_day}",
    chinese="{day}，遇非工作日顺延：{closed_day}",
)
WORKING_DAY_OF_NEXT_MONTH = Rule(
    name="deadline.working_day_of_next_month",
    function=_working_day_of_next_month,
    source="Working days of the month after",
    parameters=(Parameter("day", "起算日"), Parameter("number", "第几个工作日"), CLOSED_DAY),
    english="Working day {number} of the month after {day}; nobody works on {closed_day}",
    chinese="{day} 次月第 {number} 个工作日；非工作日：{closed_day}",
)

DEADLINES = table(LATER, FOLLOWING, WORKING_DAY_OF_NEXT_MONTH)


def following(day: Derivation, is_working: IsWorking, calendar: RowOrigin) -> Derivation:
    """Returns a day moved to the next working day: Saturday 2026-11-28 to Monday 2026-11-30."""
    assert isinstance(day.result, datetime.date)
    closed = _closed(day.result, is_working, calendar)
    return derived(FOLLOWING, day=day, closed_day=list(closed))


def _closed(day: datetime.date, is_working: IsWorking, calendar: RowOrigin) -> Iterator[Leaf]:
    """Yields the days from a day on until the next working day, on which nobody works."""
    while not is_working(day):
        yield Leaf(day, calendar)
        day += DAY


def working_day_of_next_month(
    day: Leaf, number: Argument, count: int, is_working: IsWorking, calendar: RowOrigin
) -> Derivation:
    """Returns the working day with this number in the month after a day's, with the days that don't count."""
    assert isinstance(day.value, datetime.date)
    closed, last = [], _first_of_next_month(day.value) - DAY
    for _ in range(count):
        passed = list(_closed(last + DAY, is_working, calendar))
        closed += passed
        last += (len(passed) + 1) * DAY
    return derived(WORKING_DAY_OF_NEXT_MONTH, day=day, number=number, closed_day=closed)
