"""The payment of a bill after each outcome: pure, by the ledger's accounts as they are handed in."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import pytest
from aval.declarations.v1 import records_pb2

from chassis.errors import DomainError, WrongState
from chassis.money import LARGEST, Money, to_proto
from ledger.model import Account, Limit
from services.settlement.account.model import BOOK
from services.settlement.bill_payment import model, plan, reactions
from services.settlement.bill_payment.model import BillPayment, State
from services.settlement.bill_payment.plan import Step

PAYER, PAYEE = "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
BANK, BILL = "banks/LMHFCNB0", "records/1"
CLAIMING = BillPayment(
    id="1", bill=BILL, bank=BANK, enterprise=PAYER, debit_account="payer", currency="CNY", create_us=0
)
PAYEES = model.payee_account(CLAIMING, PAYEE)


class Refused(DomainError):
    """Refused for a reason."""

    reason = "BILL_PAID"


def bill(units: int, late_fee: int = 0) -> records_pb2.Record:
    """The register's answer to a claim."""
    record = records_pb2.Record(name=BILL)
    record.bill.payee = PAYEE
    record.bill.amount.CopyFrom(to_proto(Money("CNY", units)))
    if late_fee:
        record.bill.late_fee.amount.CopyFrom(to_proto(Money("CNY", late_fee)))
    return record


def books(payer: int, payee: int | None = None) -> Mapping[str, Account]:
    """The ledger's accounts with so much on them; the payee's isn't open without an amount."""
    bound = Limit.DEBITS_MUST_NOT_EXCEED_CREDITS
    accounts = {"payer": Account("payer", BOOK, "CNY", bound, credits_posted=payer)}
    if payee is not None:
        accounts[PAYEES] = Account(PAYEES, BOOK, "CNY", bound, credits_posted=payee)
    return accounts


@pytest.mark.parametrize(
    ("units", "accounts", "state", "reason"),
    [
        (200, books(200), State.POSTED, ""),
        (200, books(200, payee=7), State.POSTED, ""),
        (200, books(199), State.RELEASING, "INSUFFICIENT_FUNDS"),
        (200, books(LARGEST, payee=LARGEST - 199), State.RELEASING, "LEDGER_REFUSED"),
        (0, books(200), State.RELEASING, "AMOUNT_UNPAYABLE"),
    ],
)
def test_a_claimed_bill_is_posted_where_the_ledger_can_move_it(
    units: int, accounts: Mapping[str, Account], state: State, reason: str
) -> None:
    before = deepcopy(accounts)
    after = reactions.after(CLAIMING, Step.CLAIM, bill(units), accounts)
    assert (after.state, after.reason) == (state, reason)
    assert accounts == before


def test_a_late_fee_is_paid_with_the_bill() -> None:
    after = reactions.after(CLAIMING, Step.CLAIM, bill(150, 50), books(200))
    assert (after.amount, after.late_fee, after.payee) == (Money("CNY", 200), Money("CNY", 50), PAYEE)
    assert model.pay_transfer(after).credit_account == PAYEES
    assert reactions.after(CLAIMING, Step.CLAIM, bill(150, 51), books(200)).reason == "INSUFFICIENT_FUNDS"


@pytest.mark.parametrize(
    ("state", "step", "after"),
    [
        (State.CLAIMING, Step.CLAIM, State.REFUSED),
        (State.RELEASING, Step.RELEASE, State.REFUSED),
        (State.POSTED, Step.CONFIRM, State.PAID),
    ],
)
def test_each_refusal_ends_the_payment_as_its_state_does(state: State, step: Step, after: State) -> None:
    payment = replace(CLAIMING, state=state)
    call = plan.owed(payment)
    assert call is not None
    assert call.step == step
    assert reactions.after(payment, step, Refused(), books(0)).state is after


def test_an_answer_out_of_turn_changes_nothing() -> None:
    with pytest.raises(WrongState):
        reactions.after(replace(CLAIMING, state=State.POSTED), Step.CLAIM, bill(1), books(1))


def test_the_accounts_needed_are_payer_and_payee() -> None:
    assert reactions.needed(CLAIMING, bill(1)) == ["payer", PAYEES]
    assert reactions.needed(CLAIMING, Refused()) == ["payer"]
    assert set(reactions.EVENTS) == set(State)
