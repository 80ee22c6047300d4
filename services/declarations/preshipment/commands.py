"""Registering orders and credits, linking declarations to them, rolling finance onto declarations."""

from aval.declarations.v1 import pre_shipment_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.states import check_etag
from services.declarations import errors
from services.declarations.consent import access
from services.declarations.consent.access import Seen
from services.declarations.consent.model import Purpose
from services.declarations.declaration import assets as declarations
from services.declarations.declaration import model as declaration_model
from services.declarations.declaration import store as declaration_store
from services.declarations.preshipment import model, netting, rpc, store
from services.declarations.preshipment.model import Link, PreShipment, counting
from services.declarations.value import freezing
from services.declarations.value import store as values

NO_ENTERPRISE = Problem("pre_shipment.enterprise", "ENTERPRISE_MISSING", "Name the exporter.", "请填写出口企业。")
NOT_POSITIVE = Problem("pre_shipment.amount", "AMOUNT_NOT_POSITIVE", "Give a positive amount.", "金额须为正数。")
NO_CONTRACT = Problem(
    "pre_shipment.contract_number",
    "CONTRACT_NUMBER_INVALID",
    "Give the contract's number, with a letter or a digit in it; declarations shipped under it are found by that.",
    "请填写含字母或数字的合同号；据此查找其项下报关单。",
)
NO_SUCH_DAY = Problem("pre_shipment.expire_date", "DATE_INVALID", "Give a calendar day.", "请填写有效日期。")


def create(
    transaction: Transaction, request: pre_shipment_pb2.CreatePreShipmentRequest
) -> pre_shipment_pb2.PreShipment:
    """One of a contract; the same again is known, other content is refused."""
    fresh = _from_request(transaction, request.pre_shipment)
    _let_see(transaction, fresh.enterprise, "CreatePreShipment", fresh.name)
    known = store.load(transaction.connection, [fresh.id]).get(fresh.id)
    if known is None:
        store.add(transaction, fresh)
    elif known.body != fresh.body:
        raise errors.PreShipmentKnownOtherwise(pre_shipment=known.name)
    return _answer(transaction, known or fresh)


def _from_request(transaction: Transaction, message: pre_shipment_pb2.PreShipment) -> PreShipment:
    caller = transaction.caller
    own = caller.tenant if caller.tenant.startswith("enterprises/") else ""
    enterprise = message.enterprise or own
    if own and enterprise != own:
        raise NotFound(resource=enterprise)
    checks = [
        (not enterprise, NO_ENTERPRISE),
        (message.amount.minor_units <= 0, NOT_POSITIVE),
        (not model.normalised(message.contract_number), NO_CONTRACT),
    ]
    if problems := [problem for is_wrong, problem in checks if is_wrong]:
        raise InvalidFields(problems)
    try:
        return rpc.from_proto(message, enterprise, caller.tenant, transaction.now_us)
    except ValueError:
        raise InvalidFields([NO_SUCH_DAY]) from None


def _let_see(transaction: Transaction, enterprise: str, method: str, name: str) -> None:
    """An institution's look needs consent to financing and is written down. ConsentMissing.

    An empty enterprise is that of what doesn't exist.
    """
    if access.is_institution(transaction.caller):
        consent = access.granted(transaction, [enterprise], Purpose.FINANCING).get(enterprise)
        if consent is None:
            raise errors.ConsentMissing
        access.note([(transaction, [Seen(enterprise, consent, method, [name], Purpose.FINANCING)])])


def _known(transaction: Transaction, method: str, name: str, etag: str) -> PreShipment:
    """One that the caller may see. ConsentMissing, NotFound."""
    identifier, caller = name.removeprefix("preShipments/"), transaction.caller
    found = store.load(transaction.connection, [identifier]).get(identifier)
    _let_see(transaction, found.enterprise if found else "", method, name)
    if found is None or not (access.is_institution(caller) or access.sees_all(caller, found.enterprise)):
        raise NotFound(resource=name)
    check_etag(etag, found)
    return found


def link(transaction: Transaction, request: pre_shipment_pb2.LinkPreShipmentRequest) -> pre_shipment_pb2.PreShipment:
    """A declaration is shipped under it."""
    order = _known(transaction, "LinkPreShipment", request.name, request.etag)
    number = request.declaration.removeprefix("declarations/")
    declaration = declaration_store.load(transaction.connection, [number]).get(number)
    if declaration is None or declaration.enterprise != order.enterprise:
        raise errors.DeclarationNotFound(declaration=request.declaration)
    known = store.links_of(transaction.connection, [declaration.name]).get(declaration.name)
    if known and known.pre_shipment != order.name and _order_of(transaction, known):
        raise errors.PreShipmentLinkedOtherwise(declaration=declaration.name)
    if declaration.value.currency != order.amount.currency:
        raise errors.CurrencyOfPreShipmentDiffers(declaration=declaration.name, currency=order.amount.currency)
    if not known or known.pre_shipment != order.name:
        netting.link(transaction, order, declaration)
        store.tell(transaction, order, "preShipment.shipped")
    return _answer(transaction, order)


def _order_of(transaction: Transaction, link: Link) -> PreShipment | None:
    """The order or credit of a link, if it is registered."""
    identifier = link.pre_shipment.removeprefix("preShipments/")
    return store.load(transaction.connection, [identifier]).get(identifier)


def roll(transaction: Transaction, request: pre_shipment_pb2.RollPreShipmentRequest) -> pre_shipment_pb2.PreShipment:
    """All that is netted out of declarations stands on them from now, or nothing does."""
    order = _known(transaction, "RollPreShipment", request.name, request.etag)
    links = [one for one in counting(store.links(transaction.connection, [order.name]), order) if one.netted]
    _check_final(transaction, links)
    if not netting.roll(transaction, order, links):
        raise errors.NothingToRoll(pre_shipment=order.name)
    store.tell(transaction, order, "preShipment.rolled")
    return _answer(transaction, order)


def _check_final(transaction: Transaction, links: list[Link]) -> None:
    """Finance may stand on every one of the declarations."""
    names = [link.declaration for link in links]
    frozen = values.frozen(transaction.connection, names)
    for asset in declarations.load(transaction.connection, names, transaction.now_us).values():
        if asset.verdict != declaration_model.FINAL or asset.name in frozen:
            reasons = [*asset.reasons, *freezing.reasons(frozen.get(asset.name, ()))]
            explanation = " ".join(reason.text(transaction.caller.language) for reason in reasons)
            raise errors.ValueNotEligible(reasons, declaration=asset.name, explanation=explanation, status=asset.status)


def _answer(transaction: Transaction, order: PreShipment) -> pre_shipment_pb2.PreShipment:
    links = counting(store.links(transaction.connection, [order.name]), order)
    return rpc.to_proto(order, links, transaction.caller.tenant)
