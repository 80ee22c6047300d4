"""A buyer's payment as a state machine: every pair, every outcome, and no unit of money lost on any way."""

import dataclasses
import datetime
import itertools
from typing import Any

import pytest
from aval.credit_insurance.v1 import credit_insurance_pb2
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.type.v1 import money_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import DomainError, NotFound, WrongState
from chassis.money import Money
from chassis.states import moved
from ledger import model as ledger
from services.settlement.account import model as accounts
from services.settlement.account.model import Account, Kind
from services.settlement.incoming_payment import model, reactions
from services.settlement.incoming_payment.model import TRANSITIONS, IncomingPayment, State, Verb

BANK, OTHER, EXPORTER = "banks/LMHFCNB0", "banks/YUHECNB0", "enterprises/91410100MAAVAL0017"
NUMBER = "460120260000000017"
DECLARATION = f"declarations/{NUMBER}"

PAIRS = """
RECEIVED   match MATCHED   park UNMATCHED
UNMATCHED  name RECEIVED
MATCHED    apply APPLIED   park UNMATCHED
APPLIED    collect COLLECTING  park UNMATCHED  sweep SWEPT
COLLECTING collect COLLECTING  park UNMATCHED  sweep SWEPT
SWEPT      confirm CONFIRMED
CONFIRMED  complete COMPLETED
"""


class Refused(DomainError):
    """Refused."""

    reason = "REFUSED"


def expected_pairs() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for line in PAIRS.split("\n"):
        state, *rest = line.split() or [""]
        found |= {(state, verb): after for verb, after in zip(rest[::2], rest[1::2], strict=True)} if rest else {}
    return found


def payment(**changes: Any) -> IncomingPayment:
    made = IncomingPayment(
        id="payment-a",
        bank=BANK,
        uetr="",
        end_to_end_id="",
        amount=usd(1000),
        debtor_name="Buyer",
        creditor_account=accounts.identifier(BANK, EXPORTER, "USD", Kind.CURRENT),
        enterprise=EXPORTER,
        remittance_information="",
        remittance_documents=(),
        declaration=DECLARATION,
        is_applied=False,
        state=State.RECEIVED,
        collections=(),
        remainder=None,
        reason="",
        value_date=datetime.date(2026, 9, 21),
        create_us=1_790_000_000_000_000,
        revision=1,
    )
    return dataclasses.replace(made, **changes)


def usd(units: int) -> Money:
    return Money("USD", units)


def proto(units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="USD", minor_units=units)


def applied(*loans: tuple[str, str, int]) -> declarations_pb2.ApplyProceedsResponse:
    settled = [
        declarations_pb2.SettledEncumbrance(reference=loan, holder=bank, amount=proto(units))
        for loan, bank, units in loans
    ]
    return declarations_pb2.ApplyProceedsResponse(settled_encumbrances=settled, enterprise=EXPORTER)


def repayment(amount: int, interest: int) -> loans_pb2.Repayment:
    return loans_pb2.Repayment(amount=proto(amount), interest=proto(interest), principal=proto(amount - interest))


def declaration(enterprise: str = EXPORTER, currency: str = "USD") -> declarations_pb2.Declaration:
    value = money_pb2.Money(currency_code=currency, minor_units=5)
    return declarations_pb2.Declaration(enterprise=enterprise, declared_value=value)


def on(found: IncomingPayment, step: str, outcome: Any) -> IncomingPayment:
    return reactions.after(found, step, outcome)[-1]


def in_state(state: State) -> IncomingPayment:
    """A payment with one loan, as it comes to each state."""
    made = payment()
    matched = on(made, "match", declaration())
    collecting = on(matched, "apply", applied(("loans/a", BANK, 600)))
    swept = on(collecting, "collect loans/a", repayment(610, 10))
    confirmed = on(swept, "confirm loans/a", loans_pb2.Repayment())
    return {
        State.RECEIVED: made,
        State.UNMATCHED: on(made, "match", Refused()),
        State.MATCHED: matched,
        State.APPLIED: collecting,
        State.COLLECTING: dataclasses.replace(collecting, state=State.COLLECTING),
        State.SWEPT: swept,
        State.CONFIRMED: confirmed,
        State.COMPLETED: on(confirmed, "release", credit_insurance_pb2.ReleaseExposureResponse()),
    }[state]


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(State, Verb)))
def test_every_pair_of_state_and_verb(state: State, verb: Verb) -> None:
    following = expected_pairs().get((state.value, verb.value))
    if following is None:
        with pytest.raises(WrongState):
            moved(TRANSITIONS, payment(state=state), verb)
    else:
        assert moved(TRANSITIONS, payment(state=state), verb) == following


def test_what_each_state_owes() -> None:
    owed = {state: call for state in State if (call := model.plan(in_state(state)))}
    assert {state: (call.step, call.service, call.method, call.tenant) for state, call in owed.items()} == {
        State.RECEIVED: ("match", "declarations", "GetDeclaration", model.TENANT),
        State.MATCHED: ("apply", "declarations", "ApplyProceeds", model.TENANT),
        State.APPLIED: ("collect loans/a", "loans", "CreateRepayment", BANK),
        State.COLLECTING: ("collect loans/a", "loans", "CreateRepayment", BANK),
        State.SWEPT: ("confirm loans/a", "loans", "ConfirmRepayment", BANK),
        State.CONFIRMED: ("release", "credit_insurance", "ReleaseExposure", model.TENANT),
    }


STEP_OF = {
    State.RECEIVED: "match",
    State.MATCHED: "apply",
    State.APPLIED: "collect loans/a",
    State.COLLECTING: "collect loans/a",
    State.SWEPT: "confirm loans/a",
    State.CONFIRMED: "release",
}
ANSWERS = {
    "match": declaration(),
    "apply": applied(),
    "collect loans/a": repayment(1, 0),
    "release": credit_insurance_pb2.ReleaseExposureResponse(),
}
LATE = [(state, step) for state, step in itertools.product(State, ANSWERS) if STEP_OF.get(state) != step]


@pytest.mark.parametrize(("state", "step"), LATE)
def test_an_answer_that_no_state_waits_for_moves_nothing(state: State, step: str) -> None:
    made = in_state(state)
    with pytest.raises((WrongState, AssertionError, StopIteration)):
        reactions.after(made, step, ANSWERS[step])


@pytest.mark.parametrize(
    ("state", "refusal", "path"),
    [
        (State.RECEIVED, Refused(), ["UNMATCHED"]),
        (State.MATCHED, Refused(), ["UNMATCHED"]),
        (State.APPLIED, Refused(), ["UNMATCHED"]),
        (State.COLLECTING, Refused(), ["UNMATCHED"]),
        (State.APPLIED, WrongState(resource="loans/a", state="DISBURSING"), ["UNMATCHED"]),
        (State.APPLIED, WrongState(resource="loans/a", state="CLOSED"), ["COLLECTING", "SWEPT", "CONFIRMED"]),
        (State.COLLECTING, NotFound(resource="loans/a"), ["COLLECTING", "SWEPT", "CONFIRMED"]),
        (State.SWEPT, Refused(), ["SWEPT", "CONFIRMED"]),
        (State.CONFIRMED, Refused(), ["COMPLETED"]),
    ],
)
def test_refusals(state: State, refusal: DomainError, path: list[str]) -> None:
    passed = reactions.after(in_state(state), STEP_OF[state], refusal)
    assert [one.state for one in passed] == path
    last = passed[-1]
    noted = last.reason or last.collections[0].refusal
    assert noted == refusal.reason
    if state in (State.APPLIED, State.COLLECTING) and last.state is not State.UNMATCHED:
        assert last.remainder == usd(1000), "a loan that owes nothing leaves all to the exporter"


def test_a_payment_without_finance_goes_straight_on() -> None:
    passed = reactions.after(in_state(State.MATCHED), "apply", applied())
    assert [one.state for one in passed] == ["APPLIED", "SWEPT", "CONFIRMED"]
    assert passed[-1].remainder == usd(1000)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (declaration(enterprise="enterprises/91410100MAAVAL0025"), "DECLARATION_OF_ANOTHER"),
        (declaration(currency="EUR"), "CURRENCY_DIFFERS"),
    ],
)
def test_a_declaration_that_is_not_the_payments(found: declarations_pb2.Declaration, reason: str) -> None:
    parked = on(payment(), "match", found)
    assert (parked.state, parked.reason, parked.declaration) == (State.UNMATCHED, reason, "")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([f"Payment for customs declaration {NUMBER}"], (DECLARATION, "")),
        (["", f"Nr.{NUMBER}/2", NUMBER], (DECLARATION, "")),
        (["invoice 17"], ("", "DECLARATION_MISSING")),
        ([f"1{NUMBER}"], ("", "DECLARATION_MISSING")),
        (["460199260000000017"], ("", "DECLARATION_MISSING")),
        ([f"{NUMBER} 460120260000000025"], ("", "DECLARATIONS_SEVERAL")),
    ],
)
def test_finding_the_declaration(texts: list[str], expected: tuple[str, str]) -> None:
    assert model.declaration_in(texts) == expected


def test_a_lender_takes_interest_on_top_but_nothing_that_was_settled_of_another() -> None:
    made = on(in_state(State.MATCHED), "apply", applied(("loans/a", BANK, 300), ("loans/b", OTHER, 400)))
    assert model.collectable(made, made.collections[0]) == usd(600)
    made = on(made, "collect loans/a", repayment(310, 10))
    assert model.collectable(made, made.collections[1]) == usd(690)
    with pytest.raises(AssertionError):
        reactions.after(made, "collect loans/b", repayment(691, 0))


def test_a_parked_collection_goes_on_with_the_same_declaration() -> None:
    made = on(in_state(State.MATCHED), "apply", applied(("loans/a", BANK, 300), ("loans/b", OTHER, 400)))
    made = on(made, "collect loans/a", repayment(310, 10))
    parked = on(made, "collect loans/b", WrongState(resource="loans/b", state="DISBURSING"))
    assert (parked.is_applied, parked.declaration, parked.collected) == (True, DECLARATION, usd(310))
    named = dataclasses.replace(parked, state=moved(TRANSITIONS, parked, Verb.NAME))
    again = on(on(named, "match", declaration()), "apply", applied(("loans/a", BANK, 300), ("loans/b", OTHER, 400)))
    call = model.plan(again)
    assert call is not None
    assert call.step == "collect loans/b"
    assert len(again.collections) == 2


class World:
    """The other services as Hypothesis draws them, and a ledger that books what the states say."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        made = [
            Account(accounts.identifier(bank, owner, "USD", kind), bank, owner, "USD", kind, 0)
            for bank, owner, kind in [
                *((bank, bank, kind) for bank in (BANK, OTHER) for kind in accounts.OWN),
                (BANK, EXPORTER, Kind.CURRENT),
                (BANK, OTHER, Kind.CURRENT),
            ]
        ]
        opened = [accounts.ledger_account(account) for account in made]
        self.state = ledger.State({one.id: ledger.Account(one.id, one.book, "USD", one.limit) for one in opened})
        self.loans: list[tuple[str, str, int]] = []

    def post(self, *batch: ledger.Transfer) -> None:
        changes = ledger.apply(self.state, batch, 0)
        assert all(result is ledger.Result.OK for result in changes.results), changes.results

    def balance(self, bank: str, kind: Kind, owner: str = "") -> int:
        return self.state.accounts[accounts.identifier(bank, owner or bank, "USD", kind)].balance

    def answer(self, made: IncomingPayment, step: str) -> Any:
        refusals = [Refused(), NotFound(resource="x"), WrongState(resource="x", state="DISBURSING")]
        if self.data.draw(st.integers(0, 4)) == 0:
            return self.data.draw(st.sampled_from(refusals))
        verb, _, loan = step.partition(" ")
        return getattr(self, verb)(made, loan)

    def match(self, _made: IncomingPayment, _loan: str) -> Any:
        return declaration()

    def apply(self, made: IncomingPayment, _loan: str) -> Any:
        """The same again once it was applied."""
        if not made.is_applied:
            left, self.loans = made.amount.minor_units, []
            for number in range(self.data.draw(st.integers(0, 3))):
                part = self.data.draw(st.integers(0, left))
                left -= part
                if part:
                    self.loans.append((f"loans/{number}", self.data.draw(st.sampled_from([BANK, OTHER])), part))
        return applied(*self.loans)

    def collect(self, made: IncomingPayment, loan: str) -> Any:
        most = model.collectable(made, next(one for one in made.collections if one.loan == loan)).minor_units
        amount = self.data.draw(st.integers(0, most))
        return repayment(amount, self.data.draw(st.integers(0, amount)))

    def confirm(self, _made: IncomingPayment, _loan: str) -> Any:
        return loans_pb2.Repayment()

    def release(self, _made: IncomingPayment, _loan: str) -> Any:
        return credit_insurance_pb2.ReleaseExposureResponse()


@given(st.data())
def test_no_unit_is_lost_on_any_way(data: st.DataObject) -> None:
    world, made = World(data), payment(amount=usd(data.draw(st.integers(1, 10**6))))
    world.post(model.receive_transfer(made))
    namings = 3
    while True:
        call = model.plan(made)
        if call is None and made.state is State.UNMATCHED and namings:
            namings -= 1
            made = dataclasses.replace(made, state=moved(TRANSITIONS, made, Verb.NAME), declaration=DECLARATION)
            continue
        if call is None:
            break
        for following in reactions.after(made, call.step, world.answer(made, call.step)):
            if following.state is State.SWEPT and made.state is not State.SWEPT:
                world.post(*model.sweep_transfers(following))
            made = following
        held = 0 if made.state in model.BEHIND_NO_RETURN else made.amount.minor_units
        assert world.balance(BANK, Kind.SUSPENSE) == held
    assert made.state in (State.COMPLETED, State.UNMATCHED)
    assert_balanced(world, made)


def assert_balanced(world: World, made: IncomingPayment) -> None:
    """Money in is money out: to the exporter, to this bank's books, to the other bank's account here and its books."""
    if made.state is State.UNMATCHED:
        assert world.balance(BANK, Kind.CURRENT, EXPORTER) == 0
        return
    assert made.remainder is not None
    assert world.balance(BANK, Kind.CURRENT, EXPORTER) == made.remainder.minor_units
    shares = {bank: [one for one in made.collections if one.bank == bank] for bank in (BANK, OTHER)}
    for bank, mine in shares.items():
        assert world.balance(bank, Kind.LENDING) == sum(one.principal.minor_units for one in mine)
        assert world.balance(bank, Kind.INCOME) == sum(one.interest.minor_units for one in mine if one.interest)
    abroad = sum(one.amount.minor_units for one in shares[OTHER] if one.amount)
    assert world.balance(BANK, Kind.CURRENT, OTHER) == -world.balance(OTHER, Kind.NOSTRO) == abroad
    assert -world.balance(BANK, Kind.NOSTRO) == made.amount.minor_units
