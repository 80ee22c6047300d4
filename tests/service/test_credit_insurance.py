"""The credit insurance service on real stores: decisions, exposure under both lines, cover, the saga's outcomes."""

import datetime
import itertools
import uuid
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2 as pb
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2
from aval.type.v1 import derivation_pb2
from google.protobuf.message import Message
from google.rpc import status_pb2
from google.type import date_pb2, decimal_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import business_date, eventlog, migrations, rpc, tasks, testing, verification
from chassis.business_date import DAY
from chassis.clock import ManualClock
from chassis.errors import DomainError, NotFound
from chassis.identity import Caller
from chassis.ids import system_random
from chassis.jobs import Closing
from chassis.money import Money, to_proto
from chassis.service import Reading
from chassis.status import RemoteError
from services.credit_insurance.covered_shipment.model import State
from services.credit_insurance.errors import CoverHeld, CoverMissing, LimitExceeded
from services.credit_insurance.explaining import EXPLAINING
from services.credit_insurance.service import SERVICE
from services.declarations.privacy.errors import ConsentMissing
from services.declarations.register.errors import ValueNotEligible, ValuePaid
from tests import derivation_walk
from tests.service.credit_insurance_world import (
    BANK,
    CHECKER,
    ENTERPRISE,
    EXPORTER,
    INSURER,
    LENDER,
    MAKER,
    OTHER_BANK,
    OTHER_EXPORTER,
    OTHER_LENDER,
    OTHER_MAKER,
    SETTLEMENT,
    World,
    decision,
    hold_request,
    limit_request,
    number,
    policy_request,
    refusal,
    shipment_request,
    usd,
)

Answer = Callable[[tasks.Task], Message]
OTHER_ENTERPRISE = "enterprises/91410105MAXY002277"


def answered(
    enterprise: str = ENTERPRISE, paid: int = 0, rate: Fraction = Fraction(1), currency: str = "USD"
) -> Answer:
    """The register's answer to a reservation and to its confirmation: so many of its minor units for one of ours."""

    def answer(task: tasks.Task) -> Message:
        request = tasks.request_of(task)
        message = declarations_pb2.Encumbrance(enterprise=enterprise)
        if task.step == "reserve value":
            message.CopyFrom(request.encumbrance)
            message.enterprise = enterprise
            (item,) = message.items
            if currency != item.amount.currency_code:
                item.claimed.CopyFrom(item.amount)
                item.amount.CopyFrom(to_proto(Money(currency, ceil(item.amount.minor_units * rate))))
        elif task.step == "confirm value":
            message.items.extend(request.items)
            message.items[0].paid.CopyFrom(to_proto(Money(currency, paid)))
        return message

    return answer


RESERVED = CONFIRMED = answered()
FOREIGN = answered(OTHER_ENTERPRISE)
COLLECTED = settlement_pb2.CollectPremiumResponse(transfer="transfers/1")
# The responses that bring a shipment to each state.
ROAD: dict[State, list[Any]] = {
    State.DECLARED: [],
    State.VALUE_RESERVED: [RESERVED],
    State.VALUE_MARKED: [RESERVED, CONFIRMED],
    State.COVERED: [RESERVED, CONFIRMED, COLLECTED],
    State.CANCELLING: [ConsentMissing()],
    State.REFUSED: [ConsentMissing(), CONFIRMED],
}
numbers = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One store for the module: each test has a policy, limits and declarations of its own."""
    if request.param == "sqlite":
        yield World()
        return
    with testing.postgresql({"fsync": "off"}) as server:
        world = World(server.new_database())
        yield world
        world.store.close()


def declared(world: World, invoice: int = 100_000, limit: int = 500_000, state: State = State.DECLARED) -> Any:
    """A shipment in a state, under a policy and a limit of its own."""
    name = world.limit(world.policy(), limit)
    shipment = world.call("CreateCoveredShipment", shipment_request(name, number(next(numbers)), invoice), EXPORTER)
    bring(world, shipment.name, state)
    return world.shipment(shipment.name)


def road_of(answer: Answer) -> list[Any]:
    """The responses that bring a declared shipment into force, the register's by this answer."""
    return [answer, answer, COLLECTED]


def bring(world: World, shipment: str, state: State) -> None:
    """A declared shipment to a state."""
    for outcome in ROAD[state]:
        world.settle(shipment, outcome)


def pay(world: World, declaration: str, amount: int, payment: str = "") -> int:
    """The buyer pays; what was freed."""
    request = pb.ReleaseExposureRequest(
        declaration=declaration, payment=payment or f"incomingPayments/{uuid.uuid4().hex}", amount=usd(amount)
    )
    return int(world.call("ReleaseExposure", request, SETTLEMENT).released.minor_units)


def state_of(message: Any) -> State:
    """The state of a shipment on the wire."""
    return State(pb.CoveredShipment.State.Name(message.state))


# Policies


def test_a_policy_needs_another_person(world: World) -> None:
    prepared = world.call("CreatePolicy", policy_request(), MAKER)
    assert (prepared.state, prepared.insurer, prepared.maker) == (1, INSURER, MAKER.principal)
    approve = pb.ApprovePolicyRequest(name=prepared.name, etag=prepared.etag)
    assert refusal(world, "ApprovePolicy", approve, MAKER).reason == "SAME_PERSON"
    stranger = pb.ApprovePolicyRequest(name=prepared.name)
    assert refusal(world, "ApprovePolicy", stranger, OTHER_MAKER).reason == "NOT_FOUND"
    stale = pb.ApprovePolicyRequest(name=prepared.name, etag="7")
    assert refusal(world, "ApprovePolicy", stale, CHECKER).reason == "ETAG_MISMATCH"
    approved = world.call("ApprovePolicy", pb.ApprovePolicyRequest(name=prepared.name, etag=prepared.etag), CHECKER)
    assert (approved.state, approved.checker) == (pb.Policy.IN_FORCE, CHECKER.principal)
    again = refusal(world, "ApprovePolicy", pb.ApprovePolicyRequest(name=prepared.name), CHECKER)
    assert again.reason == "WRONG_STATE"
    both = {INSURER, ENTERPRISE}
    assert world.events(prepared.name) == [("policy.prepared", both), ("policy.in_force", both)]


def test_all_that_is_wrong_with_a_policy_is_said_at_once(world: World) -> None:
    request = pb.CreatePolicyRequest(
        policy=pb.Policy(
            enterprise=ENTERPRISE,
            insured_ratio=decimal_pb2.Decimal(value="1.1"),
            maximum_liability=to_proto(Money("USD", 0)),
            start_date=date_pb2.Date(year=2026, month=2, day=30),
            end_date=date_pb2.Date(year=2026, month=2),
            premium_rate=decimal_pb2.Decimal(value="-0.1"),
        )
    )
    request.policy.maximum_liability.currency_code = "XXQ"
    found = {(problem.path, problem.reason) for problem in refusal(world, "CreatePolicy", request, MAKER).problems}
    assert found == {
        ("policy.insured_ratio", "FRACTION_INVALID"),
        ("policy.maximum_liability.currency_code", "CURRENCY_UNKNOWN"),
        ("policy.maximum_liability.minor_units", "AMOUNT_NOT_POSITIVE"),
        ("policy.start_date", "DATE_INVALID"),
        ("policy.end_date", "DATE_INVALID"),
        ("policy.premium_rate", "FRACTION_INVALID"),
    }


def test_a_policy_beyond_the_rate_table_needs_a_rate(world: World) -> None:
    ratio = decimal_pb2.Decimal(value="0.99")
    without = refusal(world, "CreatePolicy", policy_request(rate="", insured_ratio=ratio), MAKER)
    assert [problem.reason for problem in without.problems] == ["PREMIUM_RATE_MISSING"]
    assert (
        world.call("CreatePolicy", policy_request(rate="0.01", insured_ratio=ratio), MAKER).premium_rate.value == "0.01"
    )


# Buyer limits


def test_a_limit_is_proposed_by_one_and_approved_by_another(world: World) -> None:
    policy = world.policy()
    asked = world.call("RequestBuyerLimit", limit_request(policy, 900), EXPORTER)
    proposed = world.call("DecideBuyerLimit", decision(asked.name, 700), MAKER)
    assert (proposed.state, proposed.amount, proposed.requested_amount) == (2, usd(700), usd(900))
    assert not proposed.HasField("available")
    approve = pb.ApproveBuyerLimitRequest(name=asked.name, etag=proposed.etag)
    assert refusal(world, "ApproveBuyerLimit", approve, MAKER).reason == "SAME_PERSON"
    seen_before = pb.ApproveBuyerLimitRequest(name=asked.name, etag=asked.etag)
    assert refusal(world, "ApproveBuyerLimit", seen_before, CHECKER).reason == "ETAG_MISMATCH"
    approve = pb.ApproveBuyerLimitRequest(name=asked.name, etag=proposed.etag)
    approved = world.call("ApproveBuyerLimit", approve, CHECKER)
    assert (approved.state, approved.available, approved.amount) == (3, usd(700), usd(700))
    types = [kind for kind, tenants in world.events(asked.name) if tenants == {INSURER, ENTERPRISE}]
    assert types == ["buyer_limit.requested", "buyer_limit.proposed", "buyer_limit.in_force"]


def test_a_refusal_is_a_proposal_too(world: World) -> None:
    asked = world.call("RequestBuyerLimit", limit_request(world.policy(), 900), EXPORTER)
    proposed = world.call("DecideBuyerLimit", decision(asked.name, 700, refuse=True), MAKER)
    assert (proposed.state, proposed.refuse, proposed.HasField("amount")) == (2, True, False)
    assert (
        refusal(world, "ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=asked.name), MAKER).reason == "SAME_PERSON"
    )
    refused = world.call("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=asked.name), CHECKER)
    assert refused.state == pb.BuyerLimit.REFUSED
    request = shipment_request(asked.name, number(next(numbers)), 1000)
    assert refusal(world, "CreateCoveredShipment", request, EXPORTER).reason == "LIMIT_NOT_IN_FORCE"


def _limit_in(world: World, state: str) -> str:
    name = str(world.call("RequestBuyerLimit", limit_request(world.policy(), 900), EXPORTER).name)
    if state != "REQUESTED":
        world.call("DecideBuyerLimit", decision(name, 700, refuse=state == "REFUSED"), MAKER)
    if state in ("IN_FORCE", "REFUSED"):
        world.call("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=name), CHECKER)
    return name


@pytest.mark.parametrize("state", ["REQUESTED", "PENDING_APPROVAL", "IN_FORCE", "REFUSED"])
@pytest.mark.parametrize(
    ("method", "legal"), [("DecideBuyerLimit", "REQUESTED"), ("ApproveBuyerLimit", "PENDING_APPROVAL")]
)
def test_every_decision_in_every_state_of_a_limit(world: World, state: str, method: str, legal: str) -> None:
    name = _limit_in(world, state)
    assert (
        pb.BuyerLimit.State.Name(world.read("GetBuyerLimit", pb.GetBuyerLimitRequest(name=name), MAKER).state) == state
    )
    request = decision(name, 700) if method == "DecideBuyerLimit" else pb.ApproveBuyerLimitRequest(name=name)
    if state == legal:
        assert world.call(method, request, CHECKER).etag == ("2" if state == "REQUESTED" else "3")
    else:
        assert refusal(world, method, request, CHECKER).reason == "WRONG_STATE"


def test_limits_of_others_dont_exist(world: World) -> None:
    policy = world.policy()
    assert refusal(world, "RequestBuyerLimit", limit_request(policy, 900), OTHER_EXPORTER).reason == "NOT_FOUND"
    limit = world.limit(policy, 900)
    assert refusal(world, "DecideBuyerLimit", decision(limit, 1), OTHER_MAKER).reason == "NOT_FOUND"
    request = shipment_request(limit, number(next(numbers)), 1000)
    assert refusal(world, "CreateCoveredShipment", request, OTHER_EXPORTER).reason == "NOT_FOUND"


def test_a_limit_needs_a_policy_in_force_and_its_currency(world: World) -> None:
    pending = world.call("CreatePolicy", policy_request(), MAKER).name
    assert refusal(world, "RequestBuyerLimit", limit_request(pending, 900), EXPORTER).reason == "POLICY_NOT_IN_FORCE"
    ended = policy_request()
    ended.policy.end_date.CopyFrom(date_pb2.Date(year=2026, month=11, day=22))
    name = world.call("CreatePolicy", ended, MAKER).name
    world.call("ApprovePolicy", pb.ApprovePolicyRequest(name=name), CHECKER)
    assert refusal(world, "RequestBuyerLimit", limit_request(name, 900), EXPORTER).reason == "POLICY_NOT_IN_FORCE"
    request = limit_request(world.policy(), 0)
    request.amount.currency_code = "EUR"
    found = [problem.reason for problem in refusal(world, "RequestBuyerLimit", request, EXPORTER).problems]
    assert found == ["CURRENCY_DIFFERS", "AMOUNT_NOT_POSITIVE"]


# Shipments


def test_golden_shipments(world: World) -> None:
    """350,000 of invoices at 0.65 % under a limit of 300,000: the premium is the invoices', the cover the limit's."""
    limit = world.limit(world.policy(), 30_000_000)
    shipments = [
        world.call("CreateCoveredShipment", shipment_request(limit, number(next(numbers)), invoice), EXPORTER)
        for invoice in (12_000_000, 15_000_000, 8_000_000)
    ]
    assert [shipment.premium.minor_units for shipment in shipments] == [78_000, 97_500, 52_000]
    assert [shipment.covered_amount.minor_units for shipment in shipments] == [12_000_000, 15_000_000, 3_000_000]
    assert [shipment.exposure.minor_units for shipment in shipments] == [12_000_000, 15_000_000, 3_000_000]
    assert world.available(limit) == 0
    request = shipment_request(limit, number(next(numbers)), 1000)
    error = refusal(world, "CreateCoveredShipment", request, EXPORTER)
    assert (error.reason, error.metadata["available"], error.metadata["currency"]) == ("LIMIT_EXCEEDED", "0.00", "USD")
    # The buyer pays the first: the limit revolves.
    bring(world, shipments[0].name, State.COVERED)
    assert pay(world, shipments[0].declaration, 12_000_000) == 12_000_000
    assert world.available(limit) == 12_000_000
    world.call("CreateCoveredShipment", request, EXPORTER)


def test_the_policys_maximum_binds_across_its_limits(world: World) -> None:
    policy = world.policy(maximum=150_000)
    name, other = world.limit(policy, 100_000), world.limit(policy, 100_000)
    first = world.call("CreateCoveredShipment", shipment_request(name, number(next(numbers)), 100_000), EXPORTER)
    second = world.call("CreateCoveredShipment", shipment_request(other, number(next(numbers)), 100_000), EXPORTER)
    assert [first.covered_amount, second.covered_amount] == [usd(100_000), usd(50_000)]
    third = shipment_request(other, number(next(numbers)), 100_000)
    assert refusal(world, "CreateCoveredShipment", third, EXPORTER).reason == "LIMIT_EXCEEDED"
    assert world.available(other) == 50_000


@pytest.mark.parametrize(
    ("country", "rate", "source"),
    [
        ("USA", "0.0097", "premium_rates STANDARD/3/0.90 2020-01-01"),
        ("NGA", "0.0162", "premium_rates VERY_HIGH/3/0.90 2020-01-01"),
    ],
)
def test_premium_by_the_rate_table(world: World, country: str, rate: str, source: str) -> None:
    limit = world.limit(world.policy(rate=""), 10_000_000, country)
    shipment = world.call("CreateCoveredShipment", shipment_request(limit, number(next(numbers)), 1_000_000), EXPORTER)
    assert (shipment.premium_rate.value, shipment.premium_rate_source) == (rate, source)
    assert shipment.premium.minor_units == int(rate.removeprefix("0.")) * 100


def test_premium_by_the_policy_says_so(world: World) -> None:
    policy = world.policy()
    limit = world.limit(policy, 10_000_000)
    shipment = world.call("CreateCoveredShipment", shipment_request(limit, number(next(numbers)), 1_000_000), EXPORTER)
    assert (shipment.premium_rate.value, shipment.premium_rate_source) == ("0.0065", policy)


def _day(year: int, month: int, day: int) -> date_pb2.Date:
    return date_pb2.Date(year=year, month=month, day=day)


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"invoice_amount": usd(0)}, ["AMOUNT_NOT_POSITIVE"]),
        ({"invoice_amount": usd(1)}, ["PREMIUM_ROUNDS_TO_NOTHING"]),
        ({"invoice_amount": to_proto(Money("EUR", 5))}, ["CURRENCY_DIFFERS"]),
        ({"due_date": _day(2027, 2, 1)}, ["PAYMENT_TERM_TOO_LONG"]),
        ({"due_date": _day(2026, 11, 1)}, ["PERIOD_INVERTED"]),
        ({"shipment_date": _day(2026, 2, 30)}, ["DATE_INVALID"]),
        (
            {
                "invoice_amount": to_proto(Money("EUR", -5)),
                "shipment_date": _day(2026, 2, 30),
                "due_date": _day(2026, 13, 1),
            },
            ["CURRENCY_DIFFERS", "AMOUNT_NOT_POSITIVE", "DATE_INVALID", "DATE_INVALID"],
        ),
    ],
)
def test_all_that_is_wrong_with_a_shipment_is_said_at_once(
    world: World, fields: dict[str, Any], reasons: list[str]
) -> None:
    limit = world.limit(world.policy(), 500_000)
    request = shipment_request(limit, number(next(numbers)), 1000, **fields)
    found = [problem.reason for problem in refusal(world, "CreateCoveredShipment", request, EXPORTER).problems]
    assert found == reasons
    assert world.available(limit) == 500_000


@pytest.mark.parametrize(
    ("shipped", "due", "reason"),
    [
        (_day(2025, 12, 31), _day(2026, 1, 31), "POLICY_NOT_IN_FORCE"),
        (_day(2028, 1, 1), _day(2028, 1, 31), "POLICY_NOT_IN_FORCE"),
        (_day(2026, 5, 31), _day(2026, 6, 30), "LIMIT_NOT_IN_FORCE"),
        (_day(2026, 9, 1), _day(2026, 9, 30), "LIMIT_NOT_IN_FORCE"),
    ],
)
def test_what_counts_is_the_shipment_date(world: World, shipped: Any, due: Any, reason: str) -> None:
    """The policy's year is 2026 to 2027, the limit's June to August 2026; today is later and doesn't matter."""
    limit = world.call("RequestBuyerLimit", limit_request(world.policy(), 500_000), EXPORTER).name
    proposal = decision(limit, 500_000)
    proposal.start_date.CopyFrom(_day(2026, 6, 1))
    proposal.end_date.CopyFrom(_day(2026, 8, 31))
    world.call("DecideBuyerLimit", proposal, MAKER)
    world.call("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=limit), CHECKER)
    request = shipment_request(limit, number(next(numbers)), 1000, shipment_date=shipped, due_date=due)
    assert refusal(world, "CreateCoveredShipment", request, EXPORTER).reason == reason
    for day in (_day(2026, 6, 1), _day(2026, 8, 31)):
        inside = shipment_request(limit, number(next(numbers)), 1000, shipment_date=day, due_date=day)
        assert world.call("CreateCoveredShipment", inside, EXPORTER).covered_amount == usd(1000)


@pytest.mark.parametrize("state", [*ROAD, State.PAID])
def test_a_declaration_is_covered_once_unless_it_was_refused(world: World, state: State) -> None:
    shipment = declared(world, state=State.COVERED if state is State.PAID else state)
    if state is State.PAID:
        pay(world, shipment.declaration, 100_000)
    request = shipment_request(shipment.buyer_limit, shipment.declaration, 1000)
    if state is State.REFUSED:
        assert world.call("CreateCoveredShipment", request, EXPORTER).covered_amount == usd(1000)
    else:
        error = refusal(world, "CreateCoveredShipment", request, EXPORTER)
        assert (error.reason, error.metadata["covered_shipment"]) == ("SHIPMENT_DECLARED_ALREADY", shipment.name)


# The saga: every state with every outcome

INSUFFICIENT = RemoteError(status_pb2.Status(code=grpc.StatusCode.FAILED_PRECONDITION.value[0], message="too little"))
OUTCOMES: list[tuple[State, Message | DomainError | Answer, State, str, int]] = [
    (State.DECLARED, RESERVED, State.VALUE_RESERVED, "", 100_000),
    (State.DECLARED, FOREIGN, State.CANCELLING, "DECLARATION_NOT_FOUND", 100_000),
    (State.DECLARED, ConsentMissing(), State.CANCELLING, "CONSENT_MISSING", 100_000),
    (State.VALUE_RESERVED, CONFIRMED, State.VALUE_MARKED, "", 100_000),
    (State.VALUE_RESERVED, ValueNotEligible(), State.CANCELLING, "VALUE_NOT_ELIGIBLE", 100_000),
    (State.VALUE_MARKED, COLLECTED, State.COVERED, "", 100_000),
    (State.VALUE_MARKED, INSUFFICIENT, State.CANCELLING, "FAILED_PRECONDITION", 100_000),
    (State.CANCELLING, CONFIRMED, State.REFUSED, "CONSENT_MISSING", 0),
    (State.CANCELLING, NotFound(), State.REFUSED, "CONSENT_MISSING", 0),
]


@pytest.mark.parametrize(("state", "outcome", "after", "reason", "exposure"), OUTCOMES)
def test_every_outcome_in_every_state(
    world: World, state: State, outcome: Message | DomainError | Answer, after: State, reason: str, exposure: int
) -> None:
    shipment = declared(world, state=state)
    assert state_of(shipment) is state
    world.settle(shipment.name, outcome)
    now = world.shipment(shipment.name)
    assert (state_of(now), now.refusal_reason, now.exposure) == (after, reason, usd(exposure))
    assert world.available(shipment.buyer_limit) == 500_000 - exposure
    assert world.violations() == []


@pytest.mark.parametrize("state", [State.DECLARED, State.VALUE_RESERVED, State.VALUE_MARKED, State.CANCELLING])
def test_an_unknown_outcome_changes_nothing(world: World, state: State) -> None:
    shipment = declared(world, state=state)
    before = world.task(shipment.name)
    world.settle(shipment.name, RemoteError(status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0])))
    world.now_us += 60_000_000
    after = world.task(shipment.name)
    assert world.shipment(shipment.name) == shipment
    assert before is not None
    assert after is not None
    assert (after.request_id, after.request, after.attempts) == (before.request_id, before.request, 1)


@pytest.mark.parametrize("state", [State.COVERED, State.REFUSED])
def test_what_is_finished_owes_nothing(world: World, state: State) -> None:
    assert world.task(declared(world, state=state).name) is None


def test_events_go_to_insurer_and_enterprise(world: World) -> None:
    shipment = declared(world, state=State.COVERED)
    pay(world, shipment.declaration, 1)
    pay(world, shipment.declaration, 100_000)
    events = world.events(shipment.name)
    assert all(tenants == {INSURER, ENTERPRISE} for _, tenants in events)
    words = "declared value_reserved value_marked covered exposure_released paid"
    assert [kind for kind, _ in events] == [f"covered_shipment.{word}" for word in words.split()]


# Payments


def test_a_payment_frees_exposure_once(world: World) -> None:
    shipment = declared(world, state=State.COVERED)
    assert pay(world, shipment.declaration, 30_000, "incomingPayments/a") == 30_000
    assert pay(world, shipment.declaration, 30_000, "incomingPayments/a") == 30_000
    assert world.available(shipment.buyer_limit) == 430_000
    assert world.shipment(shipment.name).exposure == usd(70_000)
    assert pay(world, shipment.declaration, 90_000, "incomingPayments/b") == 70_000
    paid = world.shipment(shipment.name)
    assert (state_of(paid), paid.exposure) == (State.PAID, usd(0))
    assert pay(world, shipment.declaration, 5, "incomingPayments/c") == 0
    assert world.available(shipment.buyer_limit) == 500_000
    assert world.violations() == []


@pytest.mark.parametrize("outcome", [CONFIRMED, NotFound()])
def test_what_is_paid_is_no_longer_marked_as_insured(world: World, outcome: Answer | DomainError) -> None:
    shipment = declared(world, state=State.COVERED)
    pay(world, shipment.declaration, 100_000)
    world.settle(shipment.name, outcome)
    assert state_of(world.shipment(shipment.name)) is State.CLOSED
    assert world.task(shipment.name) is None
    assert world.violations() == []


@pytest.mark.parametrize("state", [state for state in ROAD if state is not State.COVERED])
def test_where_nothing_is_covered_nothing_is_freed(world: World, state: State) -> None:
    shipment = declared(world, state=state)
    assert pay(world, shipment.declaration, 100_000) == 0
    assert world.shipment(shipment.name) == shipment


def test_a_payment_in_another_currency_than_the_declarations_is_refused_and_can_be_told_again(world: World) -> None:
    shipment = declared(world, state=State.COVERED)
    request = pb.ReleaseExposureRequest(
        declaration=shipment.declaration, payment="incomingPayments/x", amount=to_proto(Money("EUR", 5))
    )
    assert refusal(world, "ReleaseExposure", request, SETTLEMENT).problems[0].reason == "CURRENCY_DIFFERS"
    assert pay(world, shipment.declaration, 5, "incomingPayments/x") == 5


def owed_call(world: World, shipment: str) -> Any:
    """The request of the call that a shipment owes."""
    task = world.task(shipment)
    assert task is not None
    return tasks.request_of(task)


def covered_in(world: World, currency: str, rate: Fraction, invoice: int = 100_000, paid: int = 0) -> Any:
    """A shipment of a declaration in another currency, covered at a rate; so much of it was paid before."""
    shipment = declared(world, invoice)
    answer = answered(rate=rate, currency=currency, paid=paid)
    for outcome in road_of(answer):
        world.settle(shipment.name, outcome)
    return world.shipment(shipment.name)


def pay_in(world: World, declaration: str, currency: str, amount: int) -> int:
    """The buyer pays in the declaration's currency; what was freed, in cents."""
    payment = f"incomingPayments/{uuid.uuid4().hex}"
    paid = to_proto(Money(currency, amount))
    request = pb.ReleaseExposureRequest(declaration=declaration, payment=payment, amount=paid)
    return int(world.call("ReleaseExposure", request, SETTLEMENT).released.minor_units)


@pytest.mark.parametrize(
    ("currency", "rate", "payments", "freed"),
    [
        ("EUR", Fraction(9, 10), [45_000, 45_000], [50_000, 50_000]),
        ("EUR", Fraction(9, 10), [30_000, 30_000, 30_000], [33_333, 33_333, 33_334]),
        ("EUR", Fraction(9, 10), [500_000], [100_000]),
        ("JPY", Fraction(3, 2), [1, 149_999], [0, 100_000]),
        ("JPY", Fraction(1, 7), [1, 14_000, 285], [6, 97_999, 1_995]),
        ("KWD", Fraction(31, 10), [309_999, 1], [99_999, 1]),
    ],
)
def test_exposure_is_freed_in_the_currency_that_it_was_taken_in(
    world: World, currency: str, rate: Fraction, payments: list[int], freed: list[int]
) -> None:
    """A policy in dollars, a declaration in another currency of 0, 2 or 3 decimals: full payment frees all of it."""
    shipment = covered_in(world, currency, rate)
    assert [pay_in(world, shipment.declaration, currency, amount) for amount in payments] == freed
    paid = world.shipment(shipment.name)
    assert (state_of(paid), paid.exposure) == (State.PAID, usd(0))
    assert world.available(shipment.buyer_limit) == 500_000
    world.settle(shipment.name, CONFIRMED)
    assert world.violations() == []


def test_what_is_covered_of_an_invoice_is_confirmed_of_what_was_reserved_for_it(world: World) -> None:
    """USD 1,000.00 reserved as EUR 900.00, USD 300.00 covered: EUR 270.00 confirmed, and freed by that much."""
    shipment = declared(world, invoice=100_000, limit=30_000)
    reserve = owed_call(world, shipment.name)
    assert reserve.encumbrance.items[0].amount == usd(100_000)
    answer = answered(rate=Fraction(9, 10), currency="EUR")
    world.settle(shipment.name, answer)
    confirm = owed_call(world, shipment.name)
    assert confirm.items[0].amount == to_proto(Money("EUR", 27_000))
    world.settle(shipment.name, answer)
    world.settle(shipment.name, COLLECTED)
    assert pay_in(world, shipment.declaration, "EUR", 26_999) == 29_998
    assert pay_in(world, shipment.declaration, "EUR", 1) == 2
    assert world.violations() == []


@pytest.mark.parametrize("told_in", [State.DECLARED, State.VALUE_RESERVED, State.VALUE_MARKED])
def test_a_payment_told_before_cover_is_in_force_counts_then(world: World, told_in: State) -> None:
    """The register applied it after the cover was confirmed; it was told earlier than the premium was collected."""
    shipment = declared(world, state=told_in)
    assert pay(world, shipment.declaration, 60_000) == 0
    for outcome in ROAD[State.COVERED][len(ROAD[told_in]) :]:
        world.settle(shipment.name, outcome)
    covered = world.shipment(shipment.name)
    assert (state_of(covered), covered.exposure) == (State.COVERED, usd(40_000))
    assert pay(world, shipment.declaration, 40_000) == 40_000
    assert world.violations() == []


def test_cover_of_what_was_paid_meanwhile_is_over_as_it_begins(world: World) -> None:
    shipment = declared(world, state=State.VALUE_MARKED)
    pay(world, shipment.declaration, 100_000)
    world.settle(shipment.name, COLLECTED)
    paid = world.shipment(shipment.name)
    assert (state_of(paid), paid.exposure) == (State.PAID, usd(0))
    assert world.task(shipment.name).step == "release value"  # type: ignore[union-attr]
    assert world.violations() == []


@pytest.mark.parametrize("is_told_late", [True, False])
def test_a_payment_before_the_cover_frees_nothing_of_it_whenever_it_is_told(world: World, is_told_late: bool) -> None:
    """40,000 of 140,000 were paid, the register covered the other 100,000: the next payment frees, that one doesn't."""
    shipment = declared(world)
    payment = f"incomingPayments/{uuid.uuid4().hex}"
    if not is_told_late:
        assert pay(world, shipment.declaration, 40_000, payment) == 0
    for outcome in road_of(answered(paid=40_000)):
        world.settle(shipment.name, outcome)
    assert pay(world, shipment.declaration, 40_000, payment) == 0
    assert world.shipment(shipment.name).exposure == usd(100_000)
    assert pay(world, shipment.declaration, 30_000) == 30_000
    assert pay(world, shipment.declaration, 70_000) == 70_000
    assert world.violations() == []


def test_cover_beyond_what_is_owed_is_refused_and_may_be_declared_again(world: World) -> None:
    shipment = declared(world)
    world.settle(shipment.name, ValuePaid(declaration=shipment.declaration, available="200.00", currency="USD"))
    world.settle(shipment.name, CONFIRMED)
    refused = world.shipment(shipment.name)
    assert (state_of(refused), refused.refusal_reason, refused.exposure) == (State.REFUSED, "VALUE_PAID", usd(0))
    again = shipment_request(shipment.buyer_limit, shipment.declaration, 20_000)
    declared_again = world.call("CreateCoveredShipment", again, EXPORTER)
    assert declared_again.premium == usd(130)
    bring(world, declared_again.name, State.COVERED)
    assert world.violations() == []


# Looks at the register

DAY_US = 86_400_000_000


def held(amount: Money, settled: int) -> Answer:
    """The register's word on what it holds for us."""

    def answer(task: tasks.Task) -> Message:
        assert task.method == "GetEncumbrance"
        message = declarations_pb2.Encumbrance(name=tasks.request_of(task).name, state="CONFIRMED")
        message.items.add(amount=to_proto(amount), settled=to_proto(Money(amount.currency, settled)))
        return message

    return answer


@pytest.fixture
def fresh(database_url: str) -> Iterator[World]:
    """A store whose days pass: proved at the end."""
    made = World(database_url)
    yield made
    assert made.violations() == []
    made.store.close()


def test_cover_in_force_is_looked_at_once_a_day(fresh: World) -> None:
    shipment = declared(fresh, state=State.COVERED)
    fresh.sweep()
    assert fresh.task(shipment.name) is None
    for _ in range(2):
        fresh.now_us += DAY_US
        fresh.sweep()
        task = fresh.task(shipment.name)
        assert task is not None
        assert (task.step, task.tenant) == ("look at value", INSURER)
        fresh.settle(shipment.name, held(Money("USD", 100_000), 0))
        fresh.sweep()
        assert fresh.task(shipment.name) is None
    assert fresh.shipment(shipment.name).exposure == usd(100_000)


@pytest.mark.parametrize(
    ("amount", "settled", "owed"), [(100_000, 100_000, 0), (60_000, 0, 60_000), (60_000, 60_000, 0)]
)
def test_what_the_register_no_longer_holds_is_no_exposure(fresh: World, amount: int, settled: int, owed: int) -> None:
    """A payment that was never told, value given up after goods came back, and both."""
    shipment = declared(fresh, state=State.COVERED)
    fresh.now_us += DAY_US
    fresh.sweep()
    fresh.settle(shipment.name, held(Money("USD", amount), settled))
    found = fresh.shipment(shipment.name)
    assert (state_of(found) is State.PAID, found.exposure) == (not owed, usd(owed))
    assert fresh.available(shipment.buyer_limit) == 500_000 - owed


def test_a_payment_that_a_look_saw_first_counts_once(fresh: World) -> None:
    shipment = declared(fresh, state=State.COVERED)
    fresh.now_us += DAY_US
    fresh.sweep()
    fresh.settle(shipment.name, held(Money("USD", 100_000), 30_000))
    assert fresh.shipment(shipment.name).exposure == usd(70_000)
    assert pay(fresh, shipment.declaration, 30_000) == 0
    assert pay(fresh, shipment.declaration, 70_000) == 70_000


def test_a_look_that_is_refused_stays_owed(fresh: World) -> None:
    shipment = declared(fresh, state=State.COVERED)
    fresh.now_us += DAY_US
    fresh.sweep()
    with pytest.raises(NotFound):
        fresh.settle(shipment.name, NotFound(resource="encumbrances/x"))
    assert fresh.task(shipment.name) is not None
    pay(fresh, shipment.declaration, 100_000)
    assert fresh.task(shipment.name).step == "release value"  # type: ignore[union-attr]


def test_cover_of_before_in_another_currency_learns_its_value_and_what_was_paid(fresh: World) -> None:
    """Kept in the policy's currency, so that no payment freed it: the register tells the currency and what is paid."""
    shipment = covered_in(fresh, "EUR", Fraction(9, 10))
    with fresh.store.write() as connection:
        before = "UPDATE covered_shipments SET insured_value_currency = 'USD', insured_value_minor_units = 100000, "
        before += "paid_before_currency = 'USD', looked_date = NULL"
        assert connection.execute(sa.text(before)).rowcount == 1
    fresh.sweep()
    fresh.settle(shipment.name, held(Money("EUR", 90_000), 45_000))
    assert fresh.shipment(shipment.name).exposure == usd(50_000)
    assert pay_in(fresh, shipment.declaration, "EUR", 45_000) == 0
    fresh.now_us += DAY_US
    fresh.sweep()
    fresh.settle(shipment.name, held(Money("EUR", 90_000), 90_000))
    assert state_of(fresh.shipment(shipment.name)) is State.PAID


# Cover holds


@pytest.mark.parametrize("state", [state for state in ROAD if state is not State.COVERED])
def test_cover_is_missing_until_it_is_in_force(world: World, state: State) -> None:
    shipment = declared(world, state=state)
    assert refusal(world, "HoldCover", hold_request(shipment.declaration, 1), LENDER).reason == "COVER_MISSING"


def test_a_hold_takes_exactly_what_was_asked_of_the_insured_amount(world: World) -> None:
    """90 % of 100,001 cents is 90,000.9: 90,001 can be held, by whomever."""
    shipment = declared(world, invoice=100_001, state=State.COVERED)
    declaration = shipment.declaration
    held = world.call("HoldCover", hold_request(declaration, 60_000), LENDER)
    assert (held.state, held.amount, held.insured_ratio.value) == (pb.CoverHold.HELD, usd(60_000), "0.90")
    assert (held.bank, held.covered_shipment, held.declaration) == (BANK, shipment.name, declaration)
    too_much = hold_request(declaration, 30_002, bank=OTHER_BANK)
    error = refusal(world, "HoldCover", too_much, OTHER_LENDER)
    assert (error.reason, error.metadata["available"]) == ("COVER_HELD", "300.01")
    world.call("HoldCover", hold_request(declaration, 30_001, bank=OTHER_BANK), OTHER_LENDER)
    assert refusal(world, "HoldCover", hold_request(declaration, 1), LENDER).metadata["available"] == "0.00"
    assert world.events(held.name) == [("cover_hold.held", {INSURER, ENTERPRISE})]
    assert world.violations() == []


def test_the_same_hold_again_is_the_same_and_another_is_refused(world: World) -> None:
    declaration = declared(world, state=State.COVERED).declaration
    request = hold_request(declaration, 500)
    held = world.call("HoldCover", request, LENDER)
    again = hold_request(declaration, 500, request.cover_hold_id)
    assert world.call("HoldCover", again, LENDER) == held
    other = hold_request(declaration, 501, request.cover_hold_id)
    assert refusal(world, "HoldCover", other, LENDER).reason == "COVER_HOLD_ID_TAKEN"
    world.call("HoldCover", hold_request(declaration, 89_500), LENDER)


def test_release_gives_back_once_and_refuses_a_late_hold(world: World) -> None:
    declaration = declared(world, state=State.COVERED).declaration
    request = hold_request(declaration, 90_000)
    hold = request.cover_hold_id
    world.call("HoldCover", request, LENDER)
    stranger = pb.ReleaseCoverRequest(cover_hold_id=hold)
    assert refusal(world, "ReleaseCover", stranger, OTHER_LENDER).reason == "NOT_FOUND"
    for _ in range(2):
        released = world.call("ReleaseCover", pb.ReleaseCoverRequest(cover_hold_id=hold), LENDER)
        assert released.state == pb.CoverHold.RELEASED
    late = hold_request(declaration, 90_000, hold)
    assert refusal(world, "HoldCover", late, LENDER).reason == "COVER_RELEASED"
    world.call("HoldCover", hold_request(declaration, 90_000), LENDER)


def test_an_unknown_release_leaves_a_tombstone(world: World) -> None:
    declaration = declared(world, state=State.COVERED).declaration
    hold = str(uuid.uuid4())
    assert world.call("ReleaseCover", pb.ReleaseCoverRequest(cover_hold_id=hold), LENDER).state == pb.CoverHold.RELEASED
    assert refusal(world, "HoldCover", hold_request(declaration, 1, hold), LENDER).reason == "COVER_RELEASED"


def test_a_lender_holds_for_itself(world: World) -> None:
    declaration = declared(world, state=State.COVERED).declaration
    request = hold_request(declaration, 0, bank=OTHER_BANK)
    found = [problem.reason for problem in refusal(world, "HoldCover", request, LENDER).problems]
    assert found == ["AMOUNT_NOT_POSITIVE", "BANK_DIFFERS"]


def test_what_the_buyer_paid_cant_be_held_again(world: World) -> None:
    """60,000 of 90,000 insured is held; the buyer pays half; then what is given back is insured no more."""
    declaration = declared(world, state=State.COVERED).declaration
    request = hold_request(declaration, 60_000)
    world.call("HoldCover", request, LENDER)
    pay(world, declaration, 50_000)
    assert refusal(world, "HoldCover", hold_request(declaration, 1), LENDER).metadata["available"] == "0.00"
    assert world.violations() == []
    world.call("ReleaseCover", pb.ReleaseCoverRequest(cover_hold_id=request.cover_hold_id), LENDER)
    assert refusal(world, "HoldCover", hold_request(declaration, 45_001), LENDER).metadata["available"] == "450.00"
    last = hold_request(declaration, 45_000)
    world.call("HoldCover", last, LENDER)
    pay(world, declaration, 50_000)
    world.call("ReleaseCover", pb.ReleaseCoverRequest(cover_hold_id=last.cover_hold_id), LENDER)
    assert refusal(world, "HoldCover", hold_request(declaration, 1), LENDER).reason == "COVER_MISSING"
    assert world.violations() == []


# Reads


@pytest.mark.parametrize(
    ("noun", "method", "message"),
    [
        ("policy", "GetPolicy", pb.GetPolicyRequest),
        ("buyer_limit", "GetBuyerLimit", pb.GetBuyerLimitRequest),
        ("name", "GetCoveredShipment", pb.GetCoveredShipmentRequest),
    ],
)
def test_only_the_parties_read(world: World, noun: str, method: str, message: Any) -> None:
    shipment = declared(world)
    limit = world.read("GetBuyerLimit", pb.GetBuyerLimitRequest(name=shipment.buyer_limit), EXPORTER)
    name = limit.policy if noun == "policy" else getattr(shipment, noun)
    for caller in (EXPORTER, MAKER, CHECKER):
        assert world.read(method, message(name=name), caller).name == name
    for caller in (OTHER_EXPORTER, OTHER_MAKER):
        with pytest.raises(NotFound):
            world.read(method, message(name=name), caller)


@pytest.mark.parametrize(
    ("method", "message", "field"),
    [
        ("ListPolicies", pb.ListPoliciesRequest, "policies"),
        ("ListBuyerLimits", pb.ListBuyerLimitsRequest, "buyer_limits"),
        ("ListCoveredShipments", pb.ListCoveredShipmentsRequest, "covered_shipments"),
    ],
)
def test_pages_hold_the_callers_own_newest_first(world: World, method: str, message: Any, field: str) -> None:
    for _ in range(3):
        declared(world)
        world.now_us += 1_000_000
    names: list[str] = []
    request = message(page_size=2)
    while True:
        page = world.read(method, request, EXPORTER)
        names += [entry.name for entry in getattr(page, field)]
        assert len(getattr(page, field)) <= 2
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert len(names) >= 3
    assert names == sorted(set(names), reverse=True)
    whole = world.read(method, message(page_size=500), MAKER)
    assert [entry.name for entry in getattr(whole, field)] == names
    assert not getattr(world.read(method, message(), OTHER_EXPORTER), field)


# Laws


actions = st.lists(
    st.tuples(
        st.sampled_from(
            ["declare", "declare", "advance", "advance", "advance", "refuse", "pay", "pay", "hold", "give back"]
        ),
        st.integers(0, 30),
        st.integers(200, 150_000),
    ),
    max_size=40,
)


class Market:
    """One policy of 200,000 over two limits of 120,000, and everything that happens under them."""

    def __init__(self, world: World) -> None:
        self.world = world
        policy = world.policy(maximum=200_000)
        self.limits = [world.limit(policy, 120_000) for _ in range(2)]
        self.shipments: list[Any] = []
        self.holds: list[str] = []

    def do(self, action: str, index: int, amount: int) -> None:
        """One action; a refusal is an answer too."""
        if action == "declare":
            request = shipment_request(self.limits[index % 2], number(next(numbers)), amount)
            if shipment := self._perhaps("CreateCoveredShipment", request, EXPORTER):
                self.shipments.append(shipment)
        elif action == "give back":
            for hold in self.holds[index : index + 1]:
                self.world.call("ReleaseCover", pb.ReleaseCoverRequest(cover_hold_id=hold), LENDER)
        elif self.shipments:
            self._on_shipment(action, self.shipments[index % len(self.shipments)], amount)

    def _on_shipment(self, action: str, shipment: Any, amount: int) -> None:
        if action == "pay":
            pay(self.world, shipment.declaration, amount)
        elif action == "hold":
            request = hold_request(shipment.declaration, amount)
            if self._perhaps("HoldCover", request, LENDER):
                self.holds.append(request.cover_hold_id)
        elif task := self.world.task(shipment.name):
            done = {"reserve value": RESERVED, "confirm value": CONFIRMED, "collect premium": COLLECTED}
            outcome: Any = ConsentMissing() if action == "refuse" else done.get(task.step, CONFIRMED)
            self.world.settle(shipment.name, outcome)

    def _perhaps(self, method: str, request: Any, caller: Caller) -> Any:
        """The answer, or None where too little is left."""
        try:
            return self.world.call(method, request, caller)
        except (LimitExceeded, CoverHeld, CoverMissing):
            return None

    def check(self) -> None:
        """Exposure stays within each limit and the policy's maximum, and is what the limits say is used."""
        used = dict.fromkeys(self.limits, 0)
        for shipment in self.shipments:
            used[shipment.buyer_limit] += self.world.shipment(shipment.name).exposure.minor_units
        assert all(0 <= amount <= 120_000 for amount in used.values()), used
        assert sum(used.values()) <= 200_000, used
        assert used == {limit: 120_000 - self.world.available(limit) for limit in self.limits}

    def finish(self) -> None:
        """Everything is covered or refused, paid, and given back."""
        for shipment in self.shipments:
            while self.world.task(shipment.name):
                self._on_shipment("advance", shipment, 0)
            pay(self.world, shipment.declaration, 150_000)
        for hold in self.holds:
            self.world.call("ReleaseCover", pb.ReleaseCoverRequest(cover_hold_id=hold), LENDER)


@pytest.fixture(scope="module")
def embedded() -> World:
    return World()


@settings(max_examples=40, deadline=None)
@given(actions)
def test_exposure_never_exceeds_any_line_and_all_comes_back(embedded: World, work: list[tuple[str, int, int]]) -> None:
    market = Market(embedded)
    for action in work:
        market.do(*action)
        market.check()
    assert embedded.violations() == []
    market.finish()
    market.check()
    assert [embedded.available(limit) for limit in market.limits] == [120_000, 120_000]
    assert embedded.violations() == []


# Verification


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE covered_shipments SET state = 'REFUSED' WHERE id = :shipment", "is REFUSED, its exposure"),
        ("UPDATE covered_shipments SET state = 'DECLARED' WHERE id = :shipment", "is DECLARED, its exposure"),
        (
            "UPDATE covered_shipments SET insured_ratio = '0.80' WHERE id = :shipment",
            "56000 is insured, the ledger has 63000",
        ),
        (
            "UPDATE cover_holds SET amount_minor_units = 7 WHERE covered_shipment = :name",
            "lenders hold 7, the ledger has 500",
        ),
        (
            "UPDATE cover_holds SET state = 'RELEASED' WHERE covered_shipment = :name",
            "lenders hold 0, the ledger has 500",
        ),
        ("UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE reference = 'limit ' || :name", "uses"),
        (
            "UPDATE covered_shipments SET paid_before_minor_units = 10000 WHERE id = :shipment",
            "80000 is owed under cover, its exposure is 70000",
        ),
        (
            "UPDATE covered_shipments SET insured_value_minor_units = 200000 WHERE id = :shipment",
            "85000 is owed under cover, its exposure is 70000",
        ),
        (
            "UPDATE covered_shipments SET insured_value_currency = NULL, insured_value_minor_units = NULL "
            "WHERE id = :shipment",
            "is COVERED without an insured value",
        ),
        ("DELETE FROM exposure_payments WHERE payment = 'incomingPayments/told'", "100000 is owed under cover"),
        (
            "UPDATE exposure_payments SET amount_minor_units = 100000 WHERE payment = 'incomingPayments/told'",
            "0 is owed under cover, its exposure is 70000",
        ),
        (
            "UPDATE exposure_payments SET amount_currency = 'EUR' WHERE payment = 'incomingPayments/told'",
            "incomingPayments/told is of another currency than its cover, and frees nothing",
        ),
    ],
)
def test_verification_finds_what_was_changed_by_hand(database_url: str, statement: str, says: str) -> None:
    """C1, C2, C3: each fault in what is used of the lines, held by lenders or owed under cover is named."""
    world = World(database_url)
    shipment = declared(world, state=State.COVERED)
    world.call("HoldCover", hold_request(shipment.declaration, 500), LENDER)
    pay(world, shipment.declaration, 30_000, "incomingPayments/told")
    assert world.violations() == []
    with world.store.write() as connection:
        identifier = shipment.name.removeprefix("coveredShipments/")
        names = {"shipment": identifier, "name": shipment.name}
        wanted = {name: value for name, value in names.items() if f":{name}" in statement}
        assert connection.execute(sa.text(statement), wanted).rowcount == 1
    assert any(says in text for text in world.violations())
    world.store.close()


def _without_participants(connection: sa.Connection) -> None:
    """Takes the store back to before participants had rows: lists walked indexes of their own."""
    assert connection.execute(sa.text("DELETE FROM participants")).rowcount > 0
    for table, column in itertools.product(
        ("policies", "buyer_limits", "covered_shipments"), ("insurer", "enterprise")
    ):
        connection.execute(sa.text(f"CREATE INDEX {table}_{column} ON {table} ({column}, id)"))


def test_a_store_of_before_is_carried_over(database_url: str) -> None:
    """Payments freed what was paid of a cover in the policy's currency; from now the same go on."""
    world = World(database_url)
    open_one, paid, waiting = (declared(world, state=State.COVERED) for _ in range(3))
    fresh = declared(world, state=State.DECLARED)
    pay(world, open_one.declaration, 30_000)
    pay(world, paid.declaration, 100_000)
    pay(world, fresh.declaration, 40_000)
    columns = {
        "covered_shipments": ["insured_value_currency", "insured_value_minor_units"],
        "exposure_payments": ["amount_currency", "amount_minor_units"],
    }
    columns["covered_shipments"] += [
        "paid_before_currency",
        "paid_before_minor_units",
        "look_date",
        "looked_date",
        "breaches",
    ]
    columns["covered_shipments"] += ["owed_when_looked_currency", "owed_when_looked_minor_units"]
    with world.store.write() as connection:
        for table, names in columns.items():
            for name in names:
                connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {name}"))
        for index in ("policies_end", "buyer_limits_end"):
            connection.execute(sa.text(f"DROP INDEX {index}"))
        back = "UPDATE alembic_version SET version_num = 'credit_insurance_0001' WHERE version_num LIKE 'credit_ins%'"
        assert connection.execute(sa.text(back)).rowcount == 1
        _without_participants(connection)
    migrations.upgrade(world.store, SERVICE.migrations, system_random, SERVICE.prepare)
    assert world.violations() == []
    assert pay(world, open_one.declaration, 70_000) == 70_000
    assert pay(world, waiting.declaration, 99_999) == 99_999
    for outcome in road_of(answered(paid=40_000)):
        world.settle(fresh.name, outcome)
    assert pay(world, fresh.declaration, 100_000) == 100_000
    assert world.violations() == []
    world.store.close()


# The end of periods


def close_until(world: World, date: datetime.date) -> None:
    """Closes the dates before a day, with their jobs."""
    closing = Closing("credit_insurance", SERVICE.jobs, world.store, ManualClock(world.now_us), system_random)
    closing.advance(date)
    closing.run()


def ends_on(date: datetime.date, enterprise: str = ENTERPRISE) -> pb.CreatePolicyRequest:
    """A policy with a last day."""
    request = policy_request(enterprise=enterprise)
    request.policy.end_date.CopyFrom(rpc.date(date))
    return request


@pytest.fixture
def ending(database_url: str) -> Iterator[World]:
    """A store of its own, since its dates are closed."""
    world = World(database_url)
    yield world
    world.store.close()


def test_policies_and_limits_end_with_the_close_of_their_last_day(ending: World) -> None:
    today = business_date.day(ending.now_us)
    names = []
    for request in (ends_on(today), ends_on(today, OTHER_ENTERPRISE), ends_on(today + DAY)):
        names.append(ending.call("CreatePolicy", request, MAKER).name)
        ending.call("ApprovePolicy", pb.ApprovePolicyRequest(name=names[-1]), CHECKER)
    limit = ending.call("RequestBuyerLimit", limit_request(names[0], 500_000), EXPORTER).name
    ending.call("DecideBuyerLimit", decision(limit, 500_000, end_date=today), MAKER)
    ending.call("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=limit), CHECKER)
    close_until(ending, today + DAY)

    states = [ending.read("GetPolicy", pb.GetPolicyRequest(name=name), MAKER).state for name in names]
    assert states == [pb.Policy.ENDED, pb.Policy.ENDED, pb.Policy.IN_FORCE]
    assert ending.read("GetBuyerLimit", pb.GetBuyerLimitRequest(name=limit), MAKER).state == pb.BuyerLimit.ENDED
    assert ending.events("policies/-") == [("policies.ended", {INSURER, ENTERPRISE, OTHER_ENTERPRISE})]
    assert ending.events("buyerLimits/-") == [("buyer_limits.ended", {INSURER, ENTERPRISE})]
    with ending.store.read() as connection:
        assert verification.violations(SERVICE, connection) == []
    # A shipment of a day on which they were in force may still be declared.
    assert ending.call("CreateCoveredShipment", shipment_request(limit, number(1), 100_000), EXPORTER).name


def test_each_party_is_told_of_its_own_end_alone(ending: World) -> None:
    today = business_date.day(ending.now_us)
    names = {}
    for enterprise in (ENTERPRISE, OTHER_ENTERPRISE):
        names[enterprise] = ending.call("CreatePolicy", ends_on(today, enterprise), MAKER).name
        ending.call("ApprovePolicy", pb.ApprovePolicyRequest(name=names[enterprise]), CHECKER)
    close_until(ending, today + DAY)

    def told(caller: Caller) -> list[str]:
        with ending.store.read() as connection:
            events = eventlog.read(connection, "", 0, caller.tenant, "policies/-").events
            (event,) = SERVICE.visible(Reading(connection, caller, ending.now_us), events)
        message = pb.UndertakingsEnded.FromString(event.payload.value)
        assert rpc.to_date(message.end_date) == today
        return [undertaking.name for undertaking in message.undertakings]

    assert sorted(told(MAKER)) == sorted(names.values())
    assert told(EXPORTER) == [names[ENTERPRISE]]
    assert told(OTHER_EXPORTER) == [names[OTHER_ENTERPRISE]]


def test_what_is_approved_after_its_period_ends_at_once(ending: World) -> None:
    today = business_date.day(ending.now_us)
    policy = ending.call("CreatePolicy", ends_on(today), MAKER).name
    ending.call("ApprovePolicy", pb.ApprovePolicyRequest(name=policy), CHECKER)
    limit = ending.call("RequestBuyerLimit", limit_request(policy, 500_000), EXPORTER).name
    ending.call("DecideBuyerLimit", decision(limit, 500_000, end_date=today), MAKER)
    late = ending.call("CreatePolicy", ends_on(today), MAKER).name
    close_until(ending, today + DAY)
    approved = ending.call("ApprovePolicy", pb.ApprovePolicyRequest(name=late), CHECKER)
    assert (approved.state, approved.etag) == (pb.Policy.ENDED, "3")
    assert (
        ending.call("ApproveBuyerLimit", pb.ApproveBuyerLimitRequest(name=limit), CHECKER).state == pb.BuyerLimit.ENDED
    )
    assert [kind for kind, _ in ending.events("policies/-")] == ["policies.ended"] * 2
    with ending.store.read() as connection:
        assert verification.violations(SERVICE, connection) == []


def explained(world: World, name: str, caller: Caller = EXPORTER) -> dict[str, Any]:
    """How the fields of a shipment came about, by field."""
    answer = world.read("Explain", derivation_pb2.ExplainRequest(name=name), caller)
    return {explanation.field: explanation for explanation in answer.explanations}


@pytest.mark.parametrize("rate", ["0.0065", ""])
def test_premium_and_cover_are_explained(world: World, rate: str) -> None:
    """DV1: the premium of the policy's own rate or of a row with its date, and what is covered and insured of it."""
    limit = world.limit(world.policy(rate=rate), 80_000)
    shipment = world.call("CreateCoveredShipment", shipment_request(limit, number(next(numbers)), 100_000), EXPORTER)
    bring(world, shipment.name, State.COVERED)
    told = explained(world, shipment.name)
    assert [*told] == ["covered_amount", "insured_amount", "insured_value", "premium"]
    assert told["premium"].derivation.result.money == shipment.premium
    (used,) = [argument for argument in told["premium"].derivation.inputs if argument.name == "rate"]
    if rate:
        assert used.field.field == "premium_rate"
    else:
        assert (used.row.table, used.row.code) == ("credit_insurance/premium_rates", "STANDARD/3/0.90")
        assert (used.row.effective_from.year, used.row.column) == (2020, "value")
    assert told["covered_amount"].derivation.result.money == usd(80_000)
    assert told["insured_amount"].derivation.result.money == usd(72_000)
    assert [*explained(world, shipment.name, MAKER)] == [*told]
    for stranger in (OTHER_EXPORTER, OTHER_MAKER):
        with pytest.raises(NotFound):
            explained(world, shipment.name, stranger)
    assert world.violations() == []
    with world.store.read() as connection:
        assert f"{shipment.name} premium" in derivation_walk.walk(connection, EXPLAINING)
    with world.store.write() as connection:
        savepoint = connection.begin_nested()
        place = derivation_walk.plant(connection, shipment.name, "premium")
        assert any(text.startswith(place) for text in EXPLAINING.violations(connection))
        savepoint.rollback()
