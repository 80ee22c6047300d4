"""Registers orders and credits, links declarations to them, and rolls finance onto declarations."""

import datetime
from collections.abc import Iterator

from aval.declarations.v1 import pre_shipment_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.states import check_etag
from services.declarations.customs import checks as customs_checks
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent.access import PendingDisclosure
from services.declarations.privacy.consent.model import Purpose
from services.declarations.register import asset as register_asset
from services.declarations.register import errors as register_errors
from services.declarations.register import terms as register_terms
from services.declarations.register.kind import Kinds, load_asset, load_assets
from services.declarations.register.preshipment import netting, rpc, store
from services.declarations.register.preshipment.model import Link, PreShipment, counting
from services.declarations.register.value import store as value_store
from services.declarations.register.value.eligibility import check_eligible
from trade import checks as trade_checks
from trade import names as trade_names

NO_ENTERPRISE = Problem("pre_shipment.enterprise", "ENTERPRISE_MISSING", "Name the exporter.", "请填写出口企业。")
NO_CONTRACT = Problem(
    "pre_shipment.contract_number",
    "CONTRACT_NUMBER_INVALID",
    "Give the contract's number, with a letter or a digit in it; declarations shipped under it are found by that.",
    "请填写含字母或数字的合同号；据此查找其项下报关单。",
)
EXPIRE_DATE = "pre_shipment.expire_date"


def create(
    transaction: Transaction, request: pre_shipment_pb2.CreatePreShipmentRequest
) -> pre_shipment_pb2.PreShipment:
    """Registers an order or credit, one for each contract. The same again gives the one that stands.

    Raises PreShipmentKnownOtherwise for other content, InvalidFields, ConsentMissing.
    """
    order = _from_request(transaction, request.pre_shipment)
    _let_see(transaction, order.enterprise, "CreatePreShipment", order.name)
    standing = store.load(transaction.connection, [order.id]).get(order.id)
    if standing is None:
        if problems := list(_period_problems(order, transaction.business_date)):
            raise InvalidFields(problems)
        store.add(transaction, order)
        netting.rate_links(transaction, order)
    elif standing.body != order.body:
        raise register_errors.PreShipmentKnownOtherwise(pre_shipment=standing.name)
    return _answer(transaction, standing or order)


def _from_request(transaction: Transaction, message: pre_shipment_pb2.PreShipment) -> PreShipment:
    caller = transaction.caller
    own = caller.tenant if caller.tenant.startswith("enterprises/") else ""
    enterprise = message.enterprise or own
    if own and enterprise != own:
        raise NotFound(resource=enterprise)
    wrong = (
        (not enterprise, NO_ENTERPRISE),
        (not trade_names.letters_and_digits(message.contract_number), NO_CONTRACT),
        (trade_checks.date_or_none(message.expire_date) is None, trade_checks.no_such_day(EXPIRE_DATE)),
    )
    problems = [problem for is_wrong, problem in wrong if is_wrong]
    problems += customs_checks.amount_problems("pre_shipment.amount", message.amount.minor_units)
    if problems:
        raise InvalidFields(problems)
    return rpc.from_proto(message, enterprise, caller.tenant, transaction.now_us)


def _period_problems(order: PreShipment, today: datetime.date) -> Iterator[Problem]:
    """Yields the problems of the period of a new registration: it is over, or too long."""
    last = today + datetime.timedelta(days=register_terms.pre_shipment_days_max(today))
    if order.expire_date < today:
        english = f"It expired before {today}; nothing can be financed on it."
        yield Problem(EXPIRE_DATE, "EXPIRE_DATE_PAST", english, f"已于 {today} 之前到期，无法融资。")
    if order.expire_date > last:
        english = f"Give a day until {last}."
        yield Problem(EXPIRE_DATE, "EXPIRE_DATE_TOO_LATE", english, f"到期日不得晚于 {last}。")


def _let_see(transaction: Transaction, enterprise: str, method: str, name: str) -> None:
    """Checks an institution's consent to financing and records the disclosure. Raises ConsentMissing.

    `enterprise` is empty where the resource doesn't exist: it is refused like one without consent.
    """
    if access.is_institution(transaction.caller):
        consent = access.granted(transaction, [enterprise], Purpose.FINANCING).get(enterprise)
        if consent is None:
            raise privacy_errors.ConsentMissing
        access.note([(transaction, [PendingDisclosure(enterprise, consent, method, [name], Purpose.FINANCING)])])


def _known(transaction: Transaction, method: str, name: str, etag: str) -> PreShipment:
    """Returns an order or credit that the caller may see. Raises ConsentMissing, NotFound, EtagMismatch."""
    identifier, caller = name.removeprefix("preShipments/"), transaction.caller
    order = store.load(transaction.connection, [identifier]).get(identifier)
    _let_see(transaction, order.enterprise if order else "", method, name)
    if order is None or not (access.is_institution(caller) or access.sees_all(caller, order.enterprise)):
        raise NotFound(resource=name)
    check_etag(etag, order)
    return order


def link(
    kinds: Kinds, transaction: Transaction, request: pre_shipment_pb2.LinkPreShipmentRequest
) -> pre_shipment_pb2.PreShipment:
    """Ships a declaration under the order or credit. Returns the order."""
    order = _known(transaction, "LinkPreShipment", request.name, request.etag)
    declaration = load_asset(kinds, transaction.connection, request.declaration, transaction.business_date)
    if declaration.enterprise != order.enterprise:
        raise privacy_errors.DeclarationNotFound(declaration=request.declaration)
    standing_link = store.links_of(transaction.connection, [declaration.name]).get(declaration.name)
    if standing_link and standing_link.pre_shipment != order.name and _order_of(transaction, standing_link):
        raise register_errors.PreShipmentLinkedOtherwise(declaration=declaration.name)
    if not standing_link or not counting([standing_link], order):
        if not netting.link(transaction, order, declaration):
            raise register_errors.CurrencyOfPreShipmentDiffers(
                declaration=declaration.name, currency=order.amount.currency
            )
        store.tell(transaction, order, "preShipment.shipped")
    return _answer(transaction, order)


def _order_of(transaction: Transaction, link: Link) -> PreShipment | None:
    """Returns the order or credit of a link, None where it isn't registered."""
    identifier = link.pre_shipment.removeprefix("preShipments/")
    return store.load(transaction.connection, [identifier]).get(identifier)


def roll(
    kinds: Kinds, transaction: Transaction, request: pre_shipment_pb2.RollPreShipmentRequest
) -> pre_shipment_pb2.PreShipment:
    """Moves all that is netted out of declarations onto them, or nothing. Returns the order."""
    order = _known(transaction, "RollPreShipment", request.name, request.etag)
    links = [link for link in counting(store.links(transaction.connection, [order.name]), order) if link.netted]
    _check_final(kinds, transaction, links)
    if not netting.roll(transaction, order, links):
        raise register_errors.NothingToRoll(pre_shipment=order.name)
    store.tell(transaction, order, "preShipment.rolled")
    return _answer(transaction, order)


def _check_final(kinds: Kinds, transaction: Transaction, links: list[Link]) -> None:
    """Checks that finance may stand on every one of the declarations. Raises ValueNotEligible."""
    names = [link.declaration for link in links]
    frozen = value_store.frozen(transaction.connection, names)
    assets = load_assets(kinds, transaction.connection, names, transaction.business_date)
    check_eligible(transaction, assets.values(), frozen, needs=(register_asset.FINAL,))


def _answer(transaction: Transaction, order: PreShipment) -> pre_shipment_pb2.PreShipment:
    links = counting(store.links(transaction.connection, [order.name]), order)
    return rpc.to_proto(order, links, transaction.caller.tenant)
