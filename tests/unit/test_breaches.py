"""A loan and a covered shipment after a breach that the register tells of, without a store."""

from dataclasses import replace

import pytest
from aval.declarations.v1 import value_pb2
from aval.events.v1 import events_pb2

from chassis import money, tasks
from chassis.errors import DomainError
from chassis.money import Money
from services.credit_insurance.covered_shipment import model as covered_shipment_model
from services.credit_insurance.covered_shipment import reactions as covered_shipment_reactions
from services.credit_insurance.covered_shipment.model import State as ShipmentState
from services.loans.loan import model, plan, reactions
from services.loans.loan.model import Loan, State
from tests.unit.test_credit_insurance_rules import SHIPMENT
from tests.unit.test_loan_states import FIRST, TODAY, answer, at, fresh
from trade import breach
from trade.breach import Breach, StandingBreach

BANK, INSURER = "banks/ABCDCNBA", "insurers/PICC"
ENTERPRISE = "enterprises/1"


def told(**changes: object) -> Breach:
    """A bank's share of USD 300.00 in a breach that came about after everything else."""
    share = Breach(
        name="breaches/1",
        asset=FIRST,
        asset_class=breach.RECEIVABLE,
        enterprise=ENTERPRISE,
        holder=BANK,
        open_amount=Money("USD", 300_00),
        is_open=True,
        create_us=10**18,
    )
    return replace(share, **changes)  # type: ignore[arg-type]


WHOLE = told(holder="", open_amount=Money("USD", 900_00))
ENDED = {"is_open": False, "open_amount": Money("USD", 0)}


SHARE = told().open_amount


def standing(amount: Money | None = SHARE, name: str = "breaches/1") -> StandingBreach:
    return StandingBreach(breach=name, asset=FIRST, asset_class=breach.RECEIVABLE, open_amount=amount)


def test_an_event_is_read_as_the_register_told_it() -> None:
    message = value_pb2.Breach(
        name="breaches/1",
        asset=FIRST,
        enterprise=ENTERPRISE,
        asset_class=breach.RECEIVABLE,
        holder=BANK,
        open_amount=money.to_proto(Money("USD", 300_00)),
        state=value_pb2.Breach.OPEN,
    )
    message.create_time.FromMicroseconds(10**15)
    event = events_pb2.Event(type="encumbrance.breached", resource=message.name)
    event.payload.Pack(message)
    assert breach.from_event(event) == told(create_us=10**15)
    message.state = value_pb2.Breach.CURED
    event.payload.Pack(message)
    assert not breach.from_event(event).is_open


def test_a_breach_stands_in_its_place_until_nothing_of_it_is_open() -> None:
    other = standing(name="breaches/0")
    first = breach.noted((other,), told(), told().open_amount, is_shown=True)
    assert first == (other, standing())
    less = Money("USD", 200_00)
    second = breach.noted(first, told(), less, is_shown=False)
    assert second == (other, standing(less))
    for ended, amount in ((told(), less.zero()), (told(**ENDED), less)):
        assert breach.noted(second, ended, amount, is_shown=True) == (other,)
    assert breach.noted((), told(), less, is_shown=False) == ()
    assert breach.is_ended(second, (other,))
    assert not breach.is_ended(first, second)


def steps_after(loan: Loan) -> tuple[Loan, list[str]]:
    """The loan after every call it owes was answered, and the steps."""
    steps = []
    while call := plan.owed(loan):
        steps.append(call.step)
        loan = reactions.after(loan, call.step, answer(call), TODAY)
    return loan, steps


@pytest.mark.parametrize("answered", range(6))
def test_a_drawdown_is_given_up_wherever_it_is_before_its_money_is_ordered(answered: int) -> None:
    """The call under way may have gone through: what it may have taken is given back too."""
    loan = fresh()
    for _ in range(answered):
        call = plan.owed(loan)
        assert call
        loan = reactions.after(loan, call.step, answer(call), TODAY)
    under_way = plan.owed(loan)
    assert isinstance(under_way, tasks.Call)
    stopped = reactions.after_breach(loan, WHOLE)
    assert stopped.cancellation_reason == "DECLARATION_BREACHED"
    taken = {*(item.declaration for item in loan.items if item.is_covered), under_way.step.removeprefix("cover ")}
    ended, steps = steps_after(stopped)
    given_back = [f"uncover {item.declaration}" for item in loan.items if item.declaration in taken]
    assert steps == [*given_back, *(["release"] if answered > 1 else [])]
    assert (ended.state, ended) == (State.CANCELLED, model.released_of_all(ended))
    assert reactions.breach_event(loan, stopped) == ("loan.refused" if steps else "loan.cancelled")


@pytest.mark.parametrize("state", [State.RESERVING, State.HOLDING_COVER, State.CONFIRMING])
def test_an_older_breach_than_the_loan_stops_no_drawdown_and_is_shown(state: State) -> None:
    loan = at(state)
    assert reactions.after_breach(loan, replace(WHOLE, create_us=loan.create_us - 1)) == loan
    shown = replace(loan, breaches=(standing(),))
    assert reactions.after_breach(loan, told(create_us=loan.create_us - 1)) == shown
    assert reactions.after_breach(loan, replace(WHOLE, create_us=loan.create_us)).cancellation_reason


@pytest.mark.parametrize("state", [State.DISBURSING, State.ACTIVE])
def test_once_money_is_ordered_the_banks_share_is_shown_and_nothing_else_changes(state: State) -> None:
    loan = at(state)
    assert reactions.after_breach(loan, WHOLE) == loan
    for foreign in (told(holder="banks/OTHER"), told(asset_class=breach.INSURANCE)):
        assert reactions.after_breach(loan, foreign) == loan
    breached = reactions.after_breach(loan, replace(told(), holder=loan.bank))
    assert breached == replace(loan, breaches=(standing(),))
    assert plan.owed(breached) == plan.owed(loan)
    assert reactions.breach_event(loan, breached) == "loan.breached"
    ended = reactions.after_breach(breached, told(holder=loan.bank, **ENDED))
    assert ended == loan
    assert reactions.breach_event(breached, ended) == "loan.breach_ended"


@pytest.mark.parametrize("state", [state for state in State if state not in model.SHOWING])
def test_a_breach_that_is_shown_ends_in_any_state_and_begins_in_no_other(state: State) -> None:
    loan = at(state)
    share = told(holder=loan.bank, create_us=loan.create_us - 1)
    assert reactions.after_breach(loan, share) == loan
    shown = replace(loan, breaches=(standing(),))
    assert reactions.after_breach(shown, replace(share, is_open=False)) == loan


def test_a_shipment_shows_its_insurers_share_and_of_finance_that_it_is_in_breach() -> None:
    covered = replace(SHIPMENT, state=ShipmentState.COVERED)
    of_insurer = told(asset=covered.declaration, asset_class=breach.INSURANCE, holder=covered.insurer)
    of_finance = told(name="breaches/2", asset=covered.declaration, holder="")
    for foreign in (
        replace(of_insurer, holder=""),
        replace(of_insurer, holder="insurers/X"),
        replace(of_finance, holder=BANK),
    ):
        assert covered_shipment_model.with_breach(covered, foreign) == covered
    first = covered_shipment_model.with_breach(covered, of_insurer)
    both = covered_shipment_model.with_breach(first, of_finance)
    assert [(each.breach, each.open_amount) for each in both.breaches] == [
        ("breaches/1", Money("USD", 300_00)),
        ("breaches/2", None),
    ]
    assert covered_shipment_reactions.breach_event(first, both) == "covered_shipment.breached"
    ended = covered_shipment_model.with_breach(both, replace(of_insurer, is_open=False))
    assert [each.breach for each in ended.breaches] == ["breaches/2"]
    assert covered_shipment_reactions.breach_event(both, ended) == "covered_shipment.breach_ended"


def test_a_refusal_has_the_same_reason_as_a_drawdown_that_was_given_up() -> None:
    from_door = next(each for each in DomainError.__subclasses__() if each.reason == "DECLARATION_BREACHED")
    stopped = reactions.after_breach(at(State.CONFIRMING), WHOLE)
    assert from_door.reason == stopped.cancellation_reason
