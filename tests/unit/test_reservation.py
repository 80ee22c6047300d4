"""Reservations under the caller's id, as pure rules."""

import enum
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.errors import DomainError, NotFound
from trade.reservation import Reservations


class State(enum.StrEnum):
    """Where a hold stands."""

    HELD = "HELD"
    RELEASED = "RELEASED"


class HoldReleased(DomainError):
    """{hold} was released."""


class HoldIdTaken(DomainError):
    """{hold} stands with other content."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A hold of an amount for a loan; a tombstone has neither."""

    name: str = "holds/1"
    bank: str = "banks/A"
    loan: str = ""
    amount: int | None = None
    state: State = State.HELD


HOLDS = Reservations(noun="hold", given_back=State.RELEASED, over=HoldReleased, taken=HoldIdTaken)
HELD = Hold(loan="loans/1", amount=5)
RELEASED = Hold(loan="loans/1", amount=5, state=State.RELEASED)
TOMBSTONE = Hold(state=State.RELEASED)
SAME: dict[str, Any] = {"loan": "loans/1", "amount": 5}


def test_the_same_again_is_the_one_that_stands() -> None:
    assert HOLDS.same(HELD, "banks/A", **SAME) is HELD


@pytest.mark.parametrize("standing", [RELEASED, TOMBSTONE])
def test_what_was_given_back_does_not_come_again(standing: Hold) -> None:
    with pytest.raises(HoldReleased, match="holds/1 was released"):
        HOLDS.same(standing, "banks/A", **SAME)


@pytest.mark.parametrize("other", [{"amount": 6}, {"loan": "loans/2"}])
def test_other_content_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(HoldIdTaken, match="holds/1 stands with other content"):
        HOLDS.same(HELD, "banks/A", **(SAME | other))


@pytest.mark.parametrize("standing", [HELD, RELEASED, TOMBSTONE])
def test_another_holder_learns_no_more_than_that_the_id_is_taken(standing: Hold) -> None:
    with pytest.raises(HoldIdTaken):
        HOLDS.same(standing, "banks/B", **SAME)
    with pytest.raises(NotFound):
        HOLDS.is_given_back(standing, "banks/B")


def test_nothing_is_given_back_twice() -> None:
    assert [HOLDS.is_given_back(hold, "banks/A") for hold in (HELD, RELEASED, TOMBSTONE)] == [False, True, True]
