"""The state machines of loans as tables, and the drawdown for every state and outcome."""

import enum
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.settlement.v1 import settlement_pb2
from google.protobuf.empty_pb2 import Empty

from chassis import money, tasks
from chassis.errors import DomainError, WrongState
from chassis.money import Money
from chassis.states import moved
from services.loans.application import model as application_model
from services.loans.loan import model as loan_model
from services.loans.loan import plan, reactions
from services.loans.loan.model import Item, Loan, State
from services.loans.offer import model as offer_model
from services.loans.repayment import model as repayment_model
from tests.unit.test_loan_interest import loan as active_loan

TODAY = date(2026, 3, 1)
FIRST, SECOND = "declarations/464120260000000001", "declarations/464120260000000002"
MACHINES: list[tuple[Any, Any]] = [
    (application_model, loans_pb2.Application.State),
    (offer_model, loans_pb2.Offer.State),
    (loan_model, loans_pb2.Loan.State),
    (repayment_model, loans_pb2.Repayment.State),
]


class Refused(DomainError):
    """Refused for a reason."""

    reason = "VALUE_ENCUMBERED"


@dataclass(frozen=True)
class Resource:
    """Anything in a state."""

    state: enum.StrEnum
    name: str = "things/1"
    revision: int = 1


@pytest.mark.parametrize(("room", "proto"), MACHINES)
def test_states_are_those_of_the_contract(room: Any, proto: Any) -> None:
    assert {state.value for state in room.State} | {"STATE_UNSPECIFIED"} == set(proto.keys())


@pytest.mark.parametrize(("room", "_proto"), MACHINES)
def test_every_pair_moves_by_the_table_or_is_refused(room: Any, _proto: Any) -> None:
    for state, verb in itertools.product(room.State, room.Verb):
        if (state, verb) in room.TRANSITIONS:
            assert moved(room.TRANSITIONS, Resource(state), verb) is room.TRANSITIONS[state, verb]
        else:
            with pytest.raises(WrongState):
                moved(room.TRANSITIONS, Resource(state), verb)


FINAL: Mapping[Any, set[str]] = {
    application_model: {"ACCEPTED", "WITHDRAWN"},
    offer_model: {"RETURNED", "ACCEPTED", "DECLINED", "EXPIRED"},
    loan_model: {"CLOSED", "CANCELLED"},
    repayment_model: {"POSTED", "CANCELLED"},
}


@pytest.mark.parametrize("room", FINAL)
def test_what_is_over_stays_over_and_nothing_else_is_stuck(room: Any) -> None:
    leaving = {state.value for state, _ in room.TRANSITIONS}
    assert {state.value for state in room.State} - leaving == FINAL[room]


def test_after_the_disbursement_there_is_no_way_to_cancel() -> None:
    reached, frontier = set(), {State.ACTIVE}
    while frontier:
        reached |= frontier
        frontier = {after for (before, _), after in loan_model.TRANSITIONS.items() if before in frontier} - reached
    assert reached == {State.ACTIVE, State.REPAID, State.CLOSED}


def usd(units: int) -> Money:
    return Money("USD", units)


def at(state: State) -> Loan:
    """A loan on two declarations in a state, holding what it holds there."""
    has_value = state in (State.HOLDING_COVER, State.CONFIRMING, State.DISBURSING, State.CANCELLING, State.ACTIVE)
    has_value = has_value or state is State.REPAID
    has_cover = has_value and state is not State.HOLDING_COVER
    items = tuple(
        Item(declaration, usd(60_000_00), usd(50_000_00), usd(40_000_00), is_covered=has_cover)
        for declaration in (FIRST, SECOND)
    )
    return replace(active_loan(usd(80_000_00)), state=state, items=items, is_encumbered=has_value)


# What each state owes first, and where its refusal leads.
OWED: Mapping[State, tuple[str, str, str] | None] = {
    State.AGREED: None,
    State.RESERVING: ("reserve", "declarations", "ReserveEncumbrance"),
    State.HOLDING_COVER: (f"cover {FIRST}", "credit_insurance", "HoldCover"),
    State.CONFIRMING: ("confirm", "declarations", "ConfirmEncumbrance"),
    State.DISBURSING: ("disburse", "settlement", "Disburse"),
    State.ACTIVE: None,
    State.REPAID: (f"uncover {FIRST}", "credit_insurance", "ReleaseCover"),
    State.CLOSED: None,
    State.CANCELLING: (f"uncover {FIRST}", "credit_insurance", "ReleaseCover"),
    State.CANCELLED: None,
}
REFUSED: Mapping[State, State | None] = {
    State.RESERVING: State.CANCELLED,
    State.HOLDING_COVER: State.CANCELLING,
    State.CONFIRMING: State.CANCELLING,
    State.DISBURSING: State.CANCELLING,
    State.REPAID: None,
    State.CANCELLING: None,
}


def test_the_tables_of_these_tests_are_whole() -> None:
    assert set(OWED) == set(State)
    assert set(REFUSED) == {state for state, call in OWED.items() if call} == set(plan.PLANS)


@pytest.mark.parametrize("state", State)
def test_each_state_owes_its_call(state: State) -> None:
    call = plan.owed(at(state))
    assert (call and (call.step, call.service, call.method)) == OWED[state]
    assert call is None or call.tenant == at(state).bank


@pytest.mark.parametrize("state", REFUSED)
def test_each_refusal_is_compensated_or_tried_again(state: State) -> None:
    before = at(state)
    call = plan.owed(before)
    assert call
    following = REFUSED[state]
    if following is None:
        with pytest.raises(Refused):
            reactions.after(before, call.step, Refused(), TODAY)
        return
    after = reactions.after(before, call.step, Refused(), TODAY)
    assert (after.state, after.cancellation_reason) == (following, "VALUE_ENCUMBERED")


def answer(call: tasks.Call, **changes: Any) -> Any:
    """Returns the other side's answer to a call."""
    if call.method == "Disburse":
        return settlement_pb2.DisburseResponse()
    if call.method != "GetDeclaration":
        return Empty()
    available = declarations_pb2.DeclaredValue(available=money.to_proto(usd(50_000_00)))
    fields = {"enterprise": "enterprises/1", "declared_value": money.to_proto(usd(60_000_00)), "value": available}
    return declarations_pb2.Declaration(**{**fields, **changes})


def followed(loan: Loan) -> tuple[Loan, list[str]]:
    """The loan after every call it owes was answered, and the steps."""
    steps = []
    while call := plan.owed(loan):
        steps.append(call.step)
        loan = reactions.after(loan, call.step, answer(call), TODAY)
    return loan, steps


def fresh() -> Loan:
    """A loan that was just signed."""
    return replace(at(State.RESERVING), items=(Item(FIRST), Item(SECOND)))


def test_a_drawdown_takes_its_steps_in_order() -> None:
    loan, steps = followed(fresh())
    taken = [f"value {FIRST}", f"value {SECOND}", "reserve", f"cover {FIRST}", f"cover {SECOND}"]
    assert steps == [*taken, "confirm", "disburse"]
    assert (loan.state, loan.outstanding, loan.start_date) == (State.ACTIVE, loan.principal, TODAY)
    assert loan.maturity_date == TODAY + timedelta(days=90)


@pytest.mark.parametrize("refused", range(7))
def test_whatever_is_refused_all_that_was_taken_is_given_back(refused: int) -> None:
    loan = fresh()
    for _ in range(refused):
        call = plan.owed(loan)
        assert call
        loan = reactions.after(loan, call.step, answer(call), TODAY)
    call = plan.owed(loan)
    assert call
    held = [item.declaration for item in loan.items if item.is_covered]
    loan, steps = followed(reactions.after(loan, call.step, Refused(), TODAY))
    assert steps == [*(f"uncover {declaration}" for declaration in held), *(["release"] if refused > 2 else [])]
    assert (loan.state, loan.cancellation_reason) == (State.CANCELLED, "VALUE_ENCUMBERED")
    assert loan == loan_model.released_of_all(loan)


def test_a_repaid_loan_gives_back_cover_and_value() -> None:
    loan, steps = followed(at(State.REPAID))
    assert (loan.state, steps) == (State.CLOSED, [f"uncover {FIRST}", f"uncover {SECOND}", "release"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"enterprise": "enterprises/2"}, "CONSENT_MISSING"),
        ({"declared_value": money.to_proto(Money("EUR", 60_000_00))}, "CURRENCY_DIFFERS"),
        ({"declared_value": money.to_proto(usd(20_000_00))}, "AMOUNT_ABOVE_CAP"),
    ],
)
def test_a_value_that_does_not_fit_ends_the_drawdown(changes: dict[str, Any], reason: str) -> None:
    loan = fresh()
    while loan.state is State.RESERVING and (call := plan.owed(loan)):
        assert call.step != "reserve"
        loan = reactions.after(loan, call.step, answer(call, **changes), TODAY)
    assert (loan.state, loan.cancellation_reason) == (State.CANCELLED, reason)


def test_the_principal_is_allocated_by_what_is_available() -> None:
    items = (
        Item(FIRST, usd(9), usd(90_000_00)),
        Item(SECOND, usd(9), usd(30_000_00)),
        Item("declarations/3", usd(9), usd(0)),
    )
    spread = loan_model.allocated(replace(fresh(), items=items))
    assert spread.encumbered_items == [(FIRST, usd(60_000_00)), (SECOND, usd(20_000_00))]


def test_where_nothing_is_available_the_register_is_asked_all_the_same() -> None:
    spread = loan_model.allocated(replace(fresh(), items=(Item(FIRST, usd(9), usd(0)),)))
    assert spread.encumbered_items == [(FIRST, spread.principal)]
