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
from ledger import model as ledger_model
from services.settlement.account import model as account_model
from services.settlement.account.model import Account, Kind
from services.settlement.incoming_payment import division, model, plan, reactions, rpc
from services.settlement.incoming_payment.division import Part
from services.settlement.incoming_payment.model import TRANSITIONS, IncomingPayment, State, Verb
from services.settlement.messages.declaration_numbers import declaration_numbers

BANK, OTHER, EXPORTER = "banks/LMHFCNB0", "banks/YUHECNB0", "enterprises/91410100MAAVAL0017"
NUMBER = "460120260000000017"
DECLARATION = f"declarations/{NUMBER}"
SECOND, THIRD = "declarations/460120260000000025", "declarations/460120260000000033"
MATCH, APPLY, RELEASE = (f"{verb} {DECLARATION}" for verb in ("match", "apply", "release"))

PAIRS = """
RECEIVED   match MATCHED   park UNMATCHED
UNMATCHED  name RECEIVED  prepare UNMATCHED  reject UNMATCHED  credit CREDITED  return RETURNED
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
        creditor_account=account_model.identifier(BANK, EXPORTER, "USD", Kind.CURRENT),
        enterprise=EXPORTER,
        remittance_information="",
        remittance_documents=(),
        parts=(Part(DECLARATION),),
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


def encumbrance(loan: str) -> str:
    return f"encumbrances/{loan.removeprefix('loans/')}"


def applied(*loans: tuple[str, str, int], asset: str = DECLARATION) -> declarations_pb2.ApplyProceedsResponse:
    settled = [
        declarations_pb2.SettledEncumbrance(
            encumbrance=encumbrance(loan),
            reference=loan,
            holder=bank,
            amount=proto(units),
            settled_total=proto(units),
            asset=asset,
        )
        for loan, bank, units in loans
    ]
    return declarations_pb2.ApplyProceedsResponse(settled_encumbrances=settled, enterprise=EXPORTER)


def repayment(amount: int, interest: int, unsecured: int = 0) -> loans_pb2.Repayment:
    return loans_pb2.Repayment(
        amount=proto(amount),
        interest=proto(interest),
        principal=proto(amount - interest),
        unsecured=proto(unsecured),
    )


def restored_of(units: int) -> declarations_pb2.RestoreEncumbranceResponse:
    return declarations_pb2.RestoreEncumbranceResponse(restored=proto(units))


def receivable(enterprise: str = EXPORTER, currency: str = "USD", unpaid: int = 1000) -> declarations_pb2.Receivable:
    return declarations_pb2.Receivable(
        enterprise=enterprise, unpaid=money_pb2.Money(currency_code=currency, minor_units=unpaid)
    )


def on(found: IncomingPayment, step: str, outcome: Any) -> IncomingPayment:
    return reactions.after(found, step, outcome)[-1]


def in_state(state: State) -> IncomingPayment:
    """A payment with one loan, as it comes to each state."""
    made = payment()
    matched = on(made, MATCH, receivable())
    collecting = on(matched, APPLY, applied(("loans/a", BANK, 600)))
    swept = on(collecting, "collect encumbrances/a", repayment(610, 10))
    confirmed = on(swept, "confirm encumbrances/a", loans_pb2.Repayment())
    return {
        State.RECEIVED: made,
        State.UNMATCHED: on(made, MATCH, Refused()),
        State.MATCHED: matched,
        State.APPLIED: collecting,
        State.COLLECTING: dataclasses.replace(collecting, state=State.COLLECTING),
        State.SWEPT: swept,
        State.CONFIRMED: confirmed,
        State.COMPLETED: on(confirmed, RELEASE, credit_insurance_pb2.ReleaseExposureResponse()),
        State.CREDITED: dataclasses.replace(made, state=State.CREDITED),
        State.RETURNED: dataclasses.replace(made, state=State.RETURNED),
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
    owed = {state: call for state in State if (call := plan.owed(in_state(state)))}
    assert {state: (call.step, call.service, call.method, call.tenant) for state, call in owed.items()} == {
        State.RECEIVED: (MATCH, "declarations", "GetReceivable", BANK),
        State.MATCHED: (APPLY, "declarations", "ApplyProceeds", plan.TENANT),
        State.APPLIED: ("collect encumbrances/a", "loans", "CreateRepayment", BANK),
        State.COLLECTING: ("collect encumbrances/a", "loans", "CreateRepayment", BANK),
        State.SWEPT: ("confirm encumbrances/a", "loans", "ConfirmRepayment", BANK),
        State.CONFIRMED: (RELEASE, "credit_insurance", "ReleaseExposure", plan.TENANT),
    }


STEP_OF = {
    State.RECEIVED: MATCH,
    State.MATCHED: APPLY,
    State.APPLIED: "collect encumbrances/a",
    State.COLLECTING: "collect encumbrances/a",
    State.SWEPT: "confirm encumbrances/a",
    State.CONFIRMED: RELEASE,
}
ANSWERS = {
    MATCH: receivable(),
    APPLY: applied(),
    "collect encumbrances/a": repayment(1, 0),
    RELEASE: credit_insurance_pb2.ReleaseExposureResponse(),
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
    ],
)
def test_refusals(state: State, refusal: DomainError, path: list[str]) -> None:
    passed = reactions.after(in_state(state), STEP_OF[state], refusal)
    assert [each_payment.state for each_payment in passed] == path
    last = passed[-1]
    noted = last.reason or last.collections[0].refusal
    assert noted == refusal.reason
    if state in (State.APPLIED, State.COLLECTING) and last.state is not State.UNMATCHED:
        assert last.remainder == usd(1000), "a loan that owes nothing leaves all to the exporter"


def test_exposure_that_cannot_be_released_now_is_asked_again() -> None:
    with pytest.raises(Refused):
        reactions.after(in_state(State.CONFIRMED), RELEASE, Refused())


def test_a_payment_without_finance_goes_straight_on() -> None:
    passed = reactions.after(in_state(State.MATCHED), APPLY, applied())
    assert [each_payment.state for each_payment in passed] == ["APPLIED", "SWEPT", "CONFIRMED"]
    assert passed[-1].remainder == usd(1000)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (receivable(enterprise="enterprises/91410100MAAVAL0025"), "DECLARATION_NOT_FOUND"),
        (receivable(currency="EUR"), "CURRENCY_DIFFERS"),
    ],
)
def test_a_declaration_that_is_not_the_payments(found: declarations_pb2.Receivable, reason: str) -> None:
    parked = on(payment(), MATCH, found)
    assert (parked.state, parked.reason, parked.parts) == (State.UNMATCHED, reason, ())


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([f"Payment for customs declaration {NUMBER}"], (DECLARATION,)),
        (["", f"Nr.{NUMBER}/2", NUMBER], (DECLARATION,)),
        (["invoice 17"], ()),
        ([f"1{NUMBER}"], ()),
        (["460199260000000017"], ()),
        ([f"{NUMBER} 460120260000000025"], (DECLARATION, SECOND)),
        ([f"460120260000000025, {NUMBER}", NUMBER], (SECOND, DECLARATION)),
    ],
)
def test_finding_the_declarations(texts: list[str], expected: tuple[str, ...]) -> None:
    assert tuple(f"declarations/{number}" for number in declaration_numbers(texts)) == expected


def test_a_lender_takes_interest_on_top_but_nothing_that_was_settled_of_another() -> None:
    made = on(in_state(State.MATCHED), APPLY, applied(("loans/a", BANK, 300), ("loans/b", OTHER, 400)))
    assert model.collectable(made, made.collections[0]) == usd(600)
    made = on(made, "collect encumbrances/a", repayment(310, 10))
    assert model.collectable(made, made.collections[1]) == usd(690)
    with pytest.raises(AssertionError):
        reactions.after(made, "collect encumbrances/b", repayment(691, 0))


def test_a_parked_collection_goes_on_with_the_same_declaration() -> None:
    made = on(in_state(State.MATCHED), APPLY, applied(("loans/a", BANK, 300), ("loans/b", OTHER, 400)))
    made = on(made, "collect encumbrances/a", repayment(310, 10))
    parked = on(made, "collect encumbrances/b", WrongState(resource="loans/b", state="DISBURSING"))
    assert (parked.is_applied, parked.declarations, parked.collected) == (True, (DECLARATION,), usd(310))
    again = renamed(parked, DECLARATION)
    call = plan.owed(again)
    assert call is not None
    assert call.step == "collect encumbrances/b"
    assert len(again.collections) == 2


def renamed(made: IncomingPayment, *declarations: str) -> IncomingPayment:
    """The payment once a person has named its declarations."""
    state = moved(TRANSITIONS, made, Verb.NAME)
    return reactions.onward(dataclasses.replace(made, state=state, parts=model.named(made, declarations)))[-1]


def test_a_payment_for_two_declarations_repays_both_lenders() -> None:
    """10,000 each of two declarations, 8,000 lent on each by two banks."""
    made = payment(amount=usd(2_000_000), parts=(Part(DECLARATION), Part(SECOND)))
    made = on(made, MATCH, receivable(unpaid=1_000_000))
    made = on(made, f"match {SECOND}", receivable(unpaid=1_000_000))
    assert [part.amount for part in made.parts] == [usd(1_000_000), usd(1_000_000)]
    made = on(made, APPLY, applied(("loans/a", BANK, 800_000)))
    made = on(made, f"apply {SECOND}", applied(("loans/b", OTHER, 800_000), asset=SECOND))
    assert [model.collectable(made, collection) for collection in made.collections] == [usd(1_000_000), usd(1_000_000)]
    made = on(made, "collect encumbrances/a", repayment(800_100, 100))
    made = on(made, "collect encumbrances/b", repayment(800_200, 200))
    assert (made.state, made.remainder) == (State.SWEPT, usd(399_700))


def test_a_lender_for_whom_nothing_is_left_is_not_asked() -> None:
    """An encumbrance that is settled in full waits for its holder's release; another's takes the whole payment."""
    made = on(in_state(State.MATCHED), APPLY, applied(("loans/a", BANK, 0), ("loans/b", OTHER, 1000)))
    call = plan.owed(made)
    assert call is not None
    assert call.step == "collect encumbrances/b"
    assert on(made, call.step, repayment(1000, 10)).state is State.SWEPT
    left = on(made, call.step, repayment(900, 10))
    call = plan.owed(left)
    assert call is not None
    assert (call.step, call.request.amount) == ("collect encumbrances/a", proto(100))


def test_one_lender_takes_no_interest_of_anothers_declaration() -> None:
    made = payment(amount=usd(2_000), parts=(Part(DECLARATION), Part(SECOND)))
    made = on(made, MATCH, receivable(unpaid=1_000))
    made = on(made, f"match {SECOND}", receivable(unpaid=1_000))
    made = on(made, APPLY, applied(("loans/a", BANK, 900)))
    made = on(made, f"apply {SECOND}", applied(("loans/b", OTHER, 100), asset=SECOND))
    assert model.collectable(made, made.collections[0]) == usd(1_000)


def test_a_loan_over_both_declarations_is_one_collection() -> None:
    made = payment(amount=usd(2_000), parts=(Part(DECLARATION), Part(SECOND)))
    made = on(made, MATCH, receivable(unpaid=1_000))
    made = on(made, f"match {SECOND}", receivable(unpaid=1_000))
    made = on(made, APPLY, applied(("loans/a", BANK, 800)))
    second = applied(("loans/a", BANK, 700), asset=SECOND)
    second.settled_encumbrances[0].settled_total.minor_units = 1_500
    (collection,) = on(made, f"apply {SECOND}", second).collections
    assert (collection.settled, collection.settled_total) == (usd(1_500), usd(1_500))


@pytest.mark.parametrize(
    ("amount", "owed", "parts"),
    [
        (200, (100, 100), (100, 100)),
        (90, (100, 50), (60, 30)),
        (170, (100, 50), (100, 70)),
        (1, (100, 100, 100), (1, 0, 0)),
        (50, (0, 100), (0, 50)),
        (50, (0, 0), (0, 50)),
        (7, (5,), (7,)),
    ],
)
def test_a_payment_is_divided_by_what_each_owes(amount: int, owed: tuple[int, ...], parts: tuple[int, ...]) -> None:
    assert division.divided(usd(amount), list(map(usd, owed))) == list(map(usd, parts))


@given(st.integers(1, 10**12), st.lists(st.integers(0, 10**12), min_size=1, max_size=8))
def test_a_division_loses_nothing_and_gives_nobody_more_than_it_is_owed_before_all_have_it(
    amount: int, owed: list[int]
) -> None:
    parts = [part.minor_units for part in division.divided(usd(amount), list(map(usd, owed)))]
    assert sum(parts) == amount
    assert all(part >= 0 for part in parts)
    if amount <= sum(owed):
        assert all(part <= debt for part, debt in zip(parts, owed, strict=True))
    else:
        assert all(part >= debt for part, debt in zip(parts, owed, strict=True))


def test_what_interest_took_is_put_back_before_the_money_moves() -> None:
    made = on(in_state(State.MATCHED), APPLY, applied(("loans/a", BANK, 400)))
    made = on(made, "collect encumbrances/a", repayment(400, 10, unsecured=10))
    call = plan.owed(made)
    assert call is not None
    assert (call.step, call.tenant, call.request.amount) == ("restore encumbrances/a", BANK, proto(10))
    assert list(call.request.assets) == [DECLARATION]
    assert on(made, "restore encumbrances/a", Refused()).collections[0].refusal == "REFUSED"


@pytest.mark.parametrize(("answer", "restored"), [(restored_of(10), 10), (restored_of(4), 4), (Refused(), 0)])
def test_the_lender_hears_how_much_was_put_back(answer: Any, restored: int) -> None:
    """The restoration is answered before the payment is swept, and no repayment is confirmed before that."""
    made = on(in_state(State.MATCHED), APPLY, applied(("loans/a", BANK, 400)))
    made = on(made, "collect encumbrances/a", repayment(400, 10, unsecured=10))
    assert made.state is State.COLLECTING
    swept = on(made, "restore encumbrances/a", answer)
    call = plan.owed(swept)
    assert swept.state is State.SWEPT
    assert call is not None
    assert (call.step, call.request.restored) == ("confirm encumbrances/a", proto(restored))


def test_the_lender_hears_that_nothing_was_to_be_put_back() -> None:
    call = plan.owed(in_state(State.SWEPT))
    assert call is not None
    assert call.request.restored == proto(0)


def test_a_bank_sees_of_anothers_loan_an_opaque_reference_alone() -> None:
    made = on(in_state(State.MATCHED), APPLY, applied(("loans/a", BANK, 300), ("loans/b", OTHER, 400)))
    made = on(on(made, "collect encumbrances/a", repayment(310, 10)), "collect encumbrances/b", repayment(400, 0))
    for reader, loans in ((EXPORTER, ["loans/a", "loans/b"]), (BANK, ["loans/a", ""]), (OTHER, ["", "loans/b"])):
        shown = rpc.to_proto(made, reader).collections
        assert [collection.loan for collection in shown] == loans
        assert [bool(collection.bank) for collection in shown] == [bool(loan) for loan in loans]
        assert [bool(collection.repayment) for collection in shown] == [bool(loan) for loan in loans]
        assert len({collection.reference for collection in shown}) == 2
        assert not any("loans" in collection.reference or "banks" in collection.reference for collection in shown)


class World:
    """The other services as Hypothesis draws them, and a ledger that books what the states say."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        made = [
            Account(
                id=account_model.identifier(bank, owner, "USD", kind),
                bank=bank,
                owner=owner,
                currency="USD",
                kind=kind,
                create_us=0,
            )
            for bank, owner, kind in [
                *((bank, bank, kind) for bank in (BANK, OTHER) for kind in account_model.OWN),
                (BANK, EXPORTER, Kind.CURRENT),
                (BANK, OTHER, Kind.CURRENT),
            ]
        ]
        opened = [account_model.ledger_account(account) for account in made]
        self.state = ledger_model.State(
            {
                new_account.id: ledger_model.Account(new_account.id, new_account.book, "USD", new_account.limit)
                for new_account in opened
            }
        )

    def post(self, *batch: ledger_model.Transfer) -> None:
        changes = ledger_model.apply(self.state, batch, 0)
        assert all(result is ledger_model.Result.OK for result in changes.results), changes.results

    def balance(self, bank: str, kind: Kind, owner: str = "") -> int:
        return self.state.accounts[account_model.identifier(bank, owner or bank, "USD", kind)].balance

    def answer(self, made: IncomingPayment, step: str) -> Any:
        refusals = [Refused(), NotFound(resource="x"), WrongState(resource="x", state="DISBURSING")]
        verb, _, about = step.partition(" ")
        # What is refused behind the point of no return is asked again.
        if verb != "release" and self.data.draw(st.integers(0, 4)) == 0:
            return self.data.draw(st.sampled_from(refusals))
        return getattr(self, verb)(made, about)

    def match(self, made: IncomingPayment, _declaration: str) -> Any:
        return receivable(unpaid=self.data.draw(st.integers(0, 2 * made.amount.minor_units)))

    def apply(self, made: IncomingPayment, declaration: str) -> Any:
        """Some of few encumbrances, which may stand on several of the declarations."""
        (part,) = (each_part for each_part in made.parts if each_part.declaration == declaration)
        assert part.amount is not None
        left, loans = part.amount.minor_units, []
        for number in self.data.draw(st.sets(st.integers(0, 3))):
            settled = self.data.draw(st.integers(0, left))
            left -= settled
            loans.append((f"loans/{number}", BANK if number % 2 else OTHER, settled))
        return applied(*loans, asset=declaration)

    def collect(self, made: IncomingPayment, encumbrance: str) -> Any:
        collection = model.collection_of(made, encumbrance)
        most = model.collectable(made, collection)
        assert most >= collection.settled, "a lender is sure of what was settled of its encumbrance"
        amount = self.data.draw(st.integers(0, most.minor_units))
        unsecured = self.data.draw(st.integers(0, amount))
        return repayment(amount, self.data.draw(st.integers(0, amount)), unsecured)

    def restore(self, _made: IncomingPayment, _encumbrance: str) -> Any:
        return restored_of(self.data.draw(st.integers(0, 10**6)))

    def confirm(self, _made: IncomingPayment, _loan: str) -> Any:
        return loans_pb2.Repayment()

    def release(self, _made: IncomingPayment, _loan: str) -> Any:
        return credit_insurance_pb2.ReleaseExposureResponse()


@given(st.data())
def test_no_unit_is_lost_on_any_way(data: st.DataObject) -> None:
    world, made = World(data), payment(amount=usd(data.draw(st.integers(1, 10**6))))
    named = (DECLARATION, SECOND, THIRD)[: data.draw(st.integers(1, 3))]
    made = dataclasses.replace(made, parts=tuple(map(Part, named)))
    world.post(model.receive_transfer(made))
    namings = 3
    while True:
        call = plan.owed(made)
        if call is None and made.state is State.UNMATCHED and namings:
            namings -= 1
            made = renamed(made, *named)
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
    shares = {
        bank: [collection for collection in made.collections if collection.bank == bank and collection.amount]
        for bank in (BANK, OTHER)
    }
    for bank, mine in shares.items():
        assert world.balance(bank, Kind.LENDING) == sum(collection.principal.minor_units for collection in mine)
        assert world.balance(bank, Kind.INCOME) == sum(
            collection.interest.minor_units for collection in mine if collection.interest
        )
    abroad = sum(collection.amount.minor_units for collection in shares[OTHER] if collection.amount)
    assert world.balance(BANK, Kind.CURRENT, OTHER) == -world.balance(OTHER, Kind.NOSTRO) == abroad
    assert -world.balance(BANK, Kind.NOSTRO) == made.amount.minor_units
