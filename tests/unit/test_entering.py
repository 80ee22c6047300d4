"""The effect of entering a state comes before its row, once for each state of a path."""

import enum
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from chassis import states
from chassis.command import Transaction


class State(enum.StrEnum):
    """Where a thing stands."""

    NEW = "NEW"
    ON = "ON"
    OVER = "OVER"


@dataclass(frozen=True)
class Thing:
    """A record with a state."""

    state: State
    revision: int = 1
    note: str = ""


class Log:
    """A log of what happened, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def effect(self, _transaction: Transaction, thing: Thing) -> None:
        """An effect."""
        self.lines.append(f"enters {thing.state.value}")

    def save(self, _transaction: Transaction, thing: Thing) -> Thing:
        """As a store saves: one revision up."""
        self.lines.append(f"saves {thing.state.value} {thing.revision}")
        return replace(thing, revision=thing.revision + 1)


NOTHING = cast(Any, None)


def test_each_state_of_a_path_has_its_effect_before_its_row() -> None:
    log = Log()
    path = [Thing(State.NEW, note="named"), Thing(State.ON), Thing(State.OVER)]
    entering = {State.ON: log.effect, State.OVER: log.effect}
    last = states.enter(NOTHING, Thing(State.NEW, revision=7), path, entering, log.save)
    assert log.lines == ["saves NEW 7", "enters ON", "saves ON 8", "enters OVER", "saves OVER 9"]
    assert last == Thing(State.OVER, revision=10)


def test_who_stays_in_a_state_doesnt_enter_it_again() -> None:
    log = Log()
    path = [Thing(State.ON, note="changed")]
    last = states.enter(NOTHING, Thing(State.ON), path, {State.ON: log.effect}, log.save)
    assert log.lines == ["saves ON 1"]
    assert last.note == "changed"


def test_a_state_whose_effect_fails_isnt_saved() -> None:
    log = Log()

    def refuse(_transaction: Transaction, _thing: Thing) -> None:
        raise ValueError("no money")

    with pytest.raises(ValueError, match="no money"):
        states.enter(NOTHING, Thing(State.NEW), [Thing(State.ON)], {State.ON: refuse}, log.save)
    assert log.lines == []
