"""Declaring shipments for cover, and freeing their exposure as the buyer pays."""

from collections.abc import Iterator, Sequence

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from services.credit_insurance import checks, errors, premium_rates
from services.credit_insurance.buyer_limit import store as limits
from services.credit_insurance.buyer_limit.model import BuyerLimit
from services.credit_insurance.covered_shipment import effects, exposure, rpc, store
from services.credit_insurance.covered_shipment.model import CoveredShipment, ExposurePayment, State
from services.credit_insurance.covered_shipment.terms import Terms, declared
from services.credit_insurance.policy import store as policies
from services.credit_insurance.policy.model import Policy
from services.credit_insurance.premium_rates import PremiumRate

LIVING = tuple(state for state in State if state is not State.REFUSED)


def create(
    transaction: Transaction, request: credit_insurance_pb2.CreateCoveredShipmentRequest
) -> credit_insurance_pb2.CoveredShipment:
    """The exporter declares a shipment; exposure is held at once, the rest follows by itself."""
    message = request.covered_shipment
    limit = limits.load(transaction.connection, message.buyer_limit)
    if limit is None or limit.enterprise != transaction.caller.tenant:
        raise NotFound(resource=message.buyer_limit)
    if problems := list(_problems(message, limit)):
        raise InvalidFields(problems)
    policy = policies.load(transaction.connection, limit.policy)
    assert policy is not None, f"{limit.name} has no policy"
    identifier, terms = transaction.ids.resource("covered-shipment"), rpc.terms(message)
    rate = _rate(terms, limit, policy)
    shipment = declared(identifier, terms, limit, policy, rate, transaction.now_us)
    _check_premium(shipment)
    _check_in_force(shipment, limit, policy)
    _check_new(transaction, shipment)
    held, covered = effects.hold_exposure(transaction, shipment)
    if not covered:
        raise errors.LimitExceeded(available=covered.major(), currency=covered.currency)
    return store.add(transaction, held)


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
    """A premium is money: at least one minor unit."""
    if not shipment.premium:
        problem = Problem(
            "covered_shipment.invoice_amount",
            "PREMIUM_ROUNDS_TO_NOTHING",
            "The premium rounds to nothing; declare a larger invoice.",
            "保费四舍五入后为零；请申报更大的发票金额。",
        )
        raise InvalidFields([problem])


def _check_in_force(shipment: CoveredShipment, limit: BuyerLimit, policy: Policy) -> None:
    """Both count on the shipment date."""
    on = shipment.shipment_date
    if not policy.in_force(on):
        raise errors.PolicyNotInForce(policy=policy.name, date=on)
    if not limit.in_force(on):
        raise errors.LimitNotInForce(buyer_limit=limit.name, date=on)


def _check_new(transaction: Transaction, shipment: CoveredShipment) -> None:
    """An exporter's declaration is covered once; a refused shipment may be declared again.

    What others name as theirs doesn't count: the register tells whose the declaration is.
    """
    for known in store.of_declaration(transaction.connection, shipment.declaration, *LIVING):
        if known.enterprise == shipment.enterprise:
            raise errors.ShipmentDeclaredAlready(declaration=known.declaration, covered_shipment=known.name)


def release_exposure(
    transaction: Transaction, request: credit_insurance_pb2.ReleaseExposureRequest
) -> credit_insurance_pb2.ReleaseExposureResponse:
    """The buyer has paid: frees as much exposure, once for each payment and declaration.

    The amount is in the declaration's currency. What is told before cover is in force counts when it comes into force.
    InvalidFields where it is of another currency: the payment isn't taken as told then, so it can be told again.
    """
    connection = transaction.connection
    if known := store.payment_response(connection, request.declaration, request.payment):
        return credit_insurance_pb2.ReleaseExposureResponse.FromString(known)
    covered = store.of_declaration(connection, request.declaration, State.COVERED)
    if problems := list(_payment_problems(request, covered)):
        raise InvalidFields(problems)
    payment = ExposurePayment(request.declaration, request.payment, money.from_proto(request.amount), b"")
    store.add_payment(connection, payment)
    released = [exposure.follow_payments(transaction, shipment, payment.payment) for shipment in covered]
    nothing = money.from_proto(request.amount).zero()
    response = credit_insurance_pb2.ReleaseExposureResponse(released=money.to_proto(next(iter(released), nothing)))
    store.answer_payment(connection, payment, response.SerializeToString())
    return response


def _payment_problems(
    request: credit_insurance_pb2.ReleaseExposureRequest, covered: Sequence[CoveredShipment]
) -> Iterator[Problem]:
    """A positive amount, in the currency in which the register holds the declaration's cover."""
    yield from checks.amount("amount", request.amount)
    for shipment in covered:
        assert shipment.insured_value is not None, f"{shipment.name} has no insured value"
        currency = shipment.insured_value.currency
        if request.amount.currency_code != currency:
            yield Problem(
                "amount.currency_code",
                "CURRENCY_DIFFERS",
                f"The declaration's cover is held in {currency}; say what was paid in that currency.",
                f"该报关单的承保金额以 {currency} 计；请以该币种填写付款金额。",
            )
