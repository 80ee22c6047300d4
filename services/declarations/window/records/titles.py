"""Finds who controls an electronic bill of lading: its platform's control events in order of their time. Pure.

The same for any order of arrival and any repetition. An event that can't follow what was before it, or that isn't
the holder's to make, moves nothing and is told.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from aval.declarations.v1 import records_pb2

from chassis.errors import Problem


class State(enum.StrEnum):
    """The state of the title; names of the proto's enum."""

    UNISSUED = "UNISSUED"
    HELD = "HELD"
    SURRENDERED = "SURRENDERED"
    ACCOMPLISHED = "ACCOMPLISHED"
    PAPER = "PAPER"


class Verb(enum.StrEnum):
    """The act of a control event; names of the proto's enum."""

    ISSUE = "ISSUE"
    TRANSFER = "TRANSFER"
    SURRENDER = "SURRENDER"
    ACCOMPLISH = "ACCOMPLISH"
    CONVERT_TO_PAPER = "CONVERT_TO_PAPER"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.UNISSUED, Verb.ISSUE): State.HELD,
    (State.HELD, Verb.TRANSFER): State.HELD,
    (State.HELD, Verb.SURRENDER): State.SURRENDERED,
    (State.HELD, Verb.CONVERT_TO_PAPER): State.PAPER,
    (State.SURRENDERED, Verb.ACCOMPLISH): State.ACCOMPLISHED,
}
# Only who has control may do these.
HOLDERS_OWN = (Verb.TRANSFER, Verb.SURRENDER, Verb.CONVERT_TO_PAPER)


@dataclass(frozen=True, slots=True)
class Title:
    """The title's state and the party that controls it; `holder` is empty where nobody does."""

    platform: str
    bill_number: str
    state: State
    holder: str
    disregarded: tuple[Problem, ...]


def title_of(events: Iterable[records_pb2.Record]) -> Title | None:
    """Returns the title after all its events; None without events. Tells events of another platform than the first."""
    ordered = sorted(
        events, key=lambda record: (record.notice_time.ToMicroseconds(), record.title_control.event_number)
    )
    if not ordered:
        return None
    first = ordered[0].title_control
    title = Title(first.platform, first.bill_number, State.UNISSUED, "", ())
    for event in ordered:
        title = _after(title, event.title_control)
    return title


def _after(title: Title, event: records_pb2.TitleControl) -> Title:
    verb = Verb(records_pb2.TitleControl.Verb.Name(event.verb))
    following = TRANSITIONS.get((title.state, verb))
    is_own = verb not in HOLDERS_OWN or event.from_holder == title.holder
    if following is None or not is_own or event.platform != title.platform:
        return replace(title, disregarded=(*title.disregarded, _disregarded(title, event, verb)))
    return replace(title, state=following, holder=event.holder if following is State.HELD else "")


def _disregarded(title: Title, event: records_pb2.TitleControl, verb: Verb) -> Problem:
    author = event.from_holder or event.platform
    return Problem(
        event.event_number,
        "TITLE_EVENT_DISREGARDED",
        f"{verb.value} by {author} can't follow: the title is {title.state.value}, with {title.holder or 'nobody'}.",
        f"{author} 的 {verb.value} 不成立：提单状态为 {title.state.value}，控制方为 {title.holder or '无'}。",
    )
