"""Declaring shipments for cover, and freeing their exposure as the buyer pays."""

from collections.abc import Iterator, Sequence

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, Problem
from services.credit_insurance import errors, premium_rates
from services.credit_insurance.buyer_limit.model import BuyerLimit
from services.credit_insurance.buyer_limit.store import BUYER_LIMITS
from services.credit_insurance.covered_shipment import effects, exposure, rpc, rules, store
from services.credit_insurance.covered_shipment.model import CoveredShipment, State
from services.credit_insurance.covered_shipment.store import COVERED_SHIPMENTS
from services.credit_insurance.covered_shipment.terms import Terms, declared
from services.credit_insurance.policy.model import Policy
from services.credit_insurance.policy.store import POLICIES
from services.credit_insurance.premium_rates import PremiumRate
from trade import checks
from trade.derivations import store as derivation_store
from trade.derivations.store import Entry

LIVING = tuple(state for state in State if state is not State.REFUSED)


def create(
    transaction: Transaction, request: credit_insurance_pb2.CreateCoveredShipmentRequest
) -> credit_insurance_pb2.CoveredShipment:
    """Declares a shipment for cover and holds its exposure at once; the rest follows by itself.

    Raises NotFound, InvalidFields, PremiumRateMissing, PolicyNotInForce, LimitNotInForce, ShipmentDeclaredAlready,
    LimitExceeded.
    """
    message = request.covered_shipment
    limit = BUYER_LIMITS.own(transaction.connection, message.buyer_limit, enterprise=transaction.caller.tenant)
    if problems := list(_problems(message, limit)):
        raise InvalidFields(problems)
    policy = POLICIES.load(transaction.connection, limit.policy)
    assert policy is not None, f"{limit.name} has no policy"
    identifier, terms = transaction.ids.resource("covered-shipment"), rpc.terms(message)
    rate = _rate(terms, limit, policy)
    shipment = declared(identifier, terms, limit, policy, rate, transaction.now_us)
    _check_premium(shipment)
    _check_in_force(shipment, limit, policy)
    _check_new(transaction, shipment)
    held, covered = effects.hold_exposure(transaction, shipment)
    if not covered.money:
        raise errors.LimitExceeded(available=covered.money.major(), currency=covered.money.currency)
    premium = rules.premium(shipment.name, terms, policy.name, rate)
    entries = [Entry(shipment.name, "premium", premium), Entry(shipment.name, "covered_amount", covered)]
    derivation_store.put(transaction, rules.RULES, entries, are_first=True)
    added = COVERED_SHIPMENTS.add(transaction, held, "covered_shipment.declared")
    return COVERED_SHIPMENTS.view(transaction.connection, added)


def _problems(message: credit_insurance_pb2.CoveredShipment, limit: BuyerLimit) -> Iterator[Problem]:
    path = "covered_shipment"
    yield from checks.amount(f"{path}.invoice_amount", message.invoice_amount, limit.requested_amount.currency)
    days = (f"{path}.shipment_date", message.shipment_date, f"{path}.due_date", message.due_date)
    period_problems = list(checks.period(*days))
    yield from period_problems
    if not period_problems and rpc.terms(message).term_days > limit.payment_term_days:
        yield Problem(
            f"{path}.due_date",
            "PAYMENT_TERM_TOO_LONG",
            f"The limit covers terms of payment of at most {limit.payment_term_days} days from shipment.",
            f"限额承保的账期最长为出运后 {limit.payment_term_days} 天。",
        )


def _rate(terms: Terms, limit: BuyerLimit, policy: Policy) -> PremiumRate:
    """Returns the policy's own rate, or the table's as effective on the shipment date. Raises PremiumRateMissing."""
    if policy.premium_rate is not None:
        return PremiumRate(policy.premium_rate, policy.name)
    ratio = policy.insured_ratio
    rate = premium_rates.table_rate(limit.buyer_country, terms.term_days, ratio, terms.shipment_date)
    if rate is None:
        raise errors.PremiumRateMissing(term_days=terms.term_days, insured_ratio=ratio)
    return rate


def _check_premium(shipment: CoveredShipment) -> None:
    """Raises InvalidFields where the premium is less than half a minor unit."""
    if not shipment.premium:
        problem = Problem(
            "covered_shipment.invoice_amount",
            "PREMIUM_ROUNDS_TO_NOTHING",
            "The premium rounds to nothing; declare a larger invoice.",
            "保费四舍五入后为零；请申报更大的发票金额。",
        )
        raise InvalidFields([problem])


def _check_in_force(shipment: CoveredShipment, limit: BuyerLimit, policy: Policy) -> None:
    """Raises PolicyNotInForce, LimitNotInForce: both count on the shipment date."""
    on = shipment.shipment_date
    if not policy.in_force(on):
        raise errors.PolicyNotInForce(policy=policy.name, date=on)
    if not limit.in_force(on):
        raise errors.LimitNotInForce(buyer_limit=limit.name, date=on)


def _check_new(transaction: Transaction, shipment: CoveredShipment) -> None:
    """Raises ShipmentDeclaredAlready: an exporter's declaration is covered once, unless its cover was refused.

    Shipments of other exporters don't count: the register tells whose the declaration is.
    """
    for other in store.of_declaration(transaction.connection, shipment.declaration, *LIVING):
        if other.enterprise == shipment.enterprise:
            raise errors.ShipmentDeclaredAlready(declaration=other.declaration, covered_shipment=other.name)


def release_exposure(
    transaction: Transaction, request: credit_insurance_pb2.ReleaseExposureRequest
) -> credit_insurance_pb2.ReleaseExposureResponse:
    """Frees as much exposure as the buyer has paid, once for each payment and declaration.

    The amount is in the declaration's currency. A payment that is told before cover is in force counts when it comes
    into force. Raises InvalidFields where it is of another currency: it isn't taken as told, and can be told again.
    """
    connection = transaction.connection
    if response_before := store.payment_response(connection, request.declaration, request.payment):
        return credit_insurance_pb2.ReleaseExposureResponse.FromString(response_before)
    covered = store.of_declaration(connection, request.declaration, State.COVERED)
    if problems := list(_payment_problems(request, covered)):
        raise InvalidFields(problems)
    payment = rpc.payment(request)
    store.add_payment(connection, payment)
    released = [exposure.follow_payments(transaction, shipment, payment.payment) for shipment in covered]
    nothing = money.from_proto(request.amount).zero()
    response = credit_insurance_pb2.ReleaseExposureResponse(released=money.to_proto(next(iter(released), nothing)))
    store.answer_payment(connection, payment, response.SerializeToString())
    return response


def _payment_problems(
    request: credit_insurance_pb2.ReleaseExposureRequest, covered: Sequence[CoveredShipment]
) -> Iterator[Problem]:
    """Yields the problems of an amount: it is positive, in the currency in which the register holds the cover."""
    yield from checks.amount("amount", request.amount)
    for shipment in covered:
        assert shipment.insured_value is not None, f"{shipment.name} has no insured value"
        currency = shipment.insured_value.currency
        yield from checks.in_currency("amount.currency_code", request.amount.currency_code, currency, checks.COVER)
