"""Maker and checker, as pure rules."""

import enum
from dataclasses import dataclass

import pytest

from chassis.errors import EtagMismatch, SamePerson, WrongState
from trade import approval


class State(enum.StrEnum):
    """Where a paper stands."""

    DRAFT = "DRAFT"
    PENDING = "PENDING"
    IN_FORCE = "IN_FORCE"


TRANSITIONS = {(State.DRAFT, "prepare"): State.PENDING, (State.PENDING, "approve"): State.IN_FORCE}


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A paper that two persons sign."""

    name: str = "papers/1"
    revision: int = 4
    state: State = State.PENDING
    amount: int = 0
    maker: str = "m"
    checker: str = ""


def test_a_maker_prepares_a_decision() -> None:
    draft = Paper(state=State.DRAFT, maker="", checker="earlier")
    prepared = approval.prepared(TRANSITIONS, draft, "prepare", etag="4", maker="m", amount=5)
    assert prepared == Paper(amount=5, maker="m", checker="")


def test_another_person_approves_what_was_prepared() -> None:
    approved = approval.approved(TRANSITIONS, Paper(amount=5), "approve", etag="4", checker="c")
    assert approved == Paper(state=State.IN_FORCE, amount=5, checker="c")


def test_the_maker_cannot_approve() -> None:
    with pytest.raises(SamePerson):
        approval.approved(TRANSITIONS, Paper(), "approve", etag="", checker="m")


@pytest.mark.parametrize("person", ["m", "c"])
def test_only_what_was_seen_is_approved(person: str) -> None:
    """A checker who saw an earlier revision approves nothing."""
    with pytest.raises(EtagMismatch):
        approval.approved(TRANSITIONS, Paper(), "approve", etag="3", checker=person)
    with pytest.raises(EtagMismatch):
        approval.prepared(TRANSITIONS, Paper(state=State.DRAFT), "prepare", etag="3", maker=person)


@pytest.mark.parametrize("person", ["m", "c"])
def test_nothing_is_decided_twice(person: str) -> None:
    """Whoever it is, the state is told first."""
    with pytest.raises(WrongState):
        approval.approved(TRANSITIONS, Paper(state=State.IN_FORCE), "approve", etag="4", checker=person)
    with pytest.raises(WrongState):
        approval.prepared(TRANSITIONS, Paper(), "prepare", etag="4", maker=person)
