"""Deadlines: dates that rules gave, with all that is needed to compute them anew. Pure."""

import datetime
import functools
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec

from trade.calendars.model import Calendar, CalendarVersion, Days, Joint

Parameters = ParamSpec("Parameters")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A date with the rule, the inputs and the calendars that gave it.

    It is provisional where it rests on a day of a year that its calendar doesn't publish yet.
    """

    date: datetime.date
    rule: str
    # Days, counts and instants by the names of the rule's arguments; `deadlines` of those that take some.
    inputs: Mapping[str, Any]
    calendars: tuple[CalendarVersion, ...]
    is_provisional: bool


class Looking:
    """A calendar that is being looked at; it remembers whether a day was provisional."""

    def __init__(self, days: Days) -> None:
        self.days = days
        self.is_provisional = False

    def is_open(self, day: datetime.date) -> bool:
        """Returns whether a day is open."""
        opening = self.days.on(day)
        self.is_provisional = self.is_provisional or opening.is_provisional
        return opening.is_open


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the table: its name, where it is written, and the function that applies it."""

    name: str
    source: str
    apply: Callable[..., Deadline]


# All rules by their names; rules.py fills it.
RULES: dict[str, Rule] = {}


def rule(
    source: str,
) -> Callable[
    [Callable[Concatenate[Looking, Parameters], datetime.date]], Callable[Concatenate[Days, Parameters], Deadline]
]:
    """Returns a decorator that enters a function in RULES: it takes a calendar then, and returns the deadline."""

    def ruled(
        function: Callable[Concatenate[Looking, Parameters], datetime.date],
    ) -> Callable[Concatenate[Days, Parameters], Deadline]:
        names = list(inspect.signature(function).parameters)[1:]

        @functools.wraps(function)
        def apply(days: Days, /, *arguments: Parameters.args, **named: Parameters.kwargs) -> Deadline:
            looking = Looking(days)
            return Deadline(
                date=function(looking, *arguments, **named),
                rule=function.__name__,
                inputs=dict(zip(names, arguments, strict=False)) | named,
                calendars=days.versions,
                is_provisional=looking.is_provisional,
            )

        RULES[function.__name__] = Rule(function.__name__, source, apply)
        return apply

    return ruled


def again(deadline: Deadline, calendars: Mapping[str, Calendar]) -> Deadline:
    """Returns a deadline computed anew by the calendars of its names. Raises KeyError for a name that isn't there.

    A bill's 2027-02-09 of CN.working 1 becomes 2027-02-18 by a version that publishes a Spring Festival until the 17th.
    """
    inputs = dict(deadline.inputs)
    if "deadlines" in inputs:
        return RULES[deadline.rule].apply(*(again(each, calendars) for each in inputs["deadlines"]))
    chosen = tuple(calendars[version.name] for version in deadline.calendars)
    return RULES[deadline.rule].apply(chosen[0] if len(chosen) == 1 else Joint(chosen), **inputs)


def to_json(deadline: Deadline) -> str:
    """Returns a deadline as text, to be kept beside its date: `{"date": "2026-10-08", "rule": "days_after", …}`."""
    return json.dumps(_plain(deadline))


def from_json(text: str) -> Deadline:
    """Returns the deadline that a text of to_json holds."""
    return _deadline(json.loads(text))


def _plain(deadline: Deadline) -> dict[str, Any]:
    return {
        "date": deadline.date.isoformat(),
        "rule": deadline.rule,
        "inputs": {name: _plain_input(value) for name, value in deadline.inputs.items()},
        "calendars": {version.name: version.version for version in deadline.calendars},
        "is_provisional": deadline.is_provisional,
    }


def _plain_input(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(deadline) for deadline in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _deadline(data: Mapping[str, Any]) -> Deadline:
    return Deadline(
        date=datetime.date.fromisoformat(data["date"]),
        rule=data["rule"],
        inputs={name: _input(value) for name, value in data["inputs"].items()},
        calendars=tuple(CalendarVersion(name, version) for name, version in data["calendars"].items()),
        is_provisional=data["is_provisional"],
    )


def _input(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_deadline(item) for item in value)
    return datetime.date.fromisoformat(value) if isinstance(value, str) else value
