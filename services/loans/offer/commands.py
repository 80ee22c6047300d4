"""Preparing, approving, returning, accepting and expiring offers."""

from aval.loans.v1 import loans_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound
from chassis.states import after, check_etag
from services.loans import errors
from services.loans.application import model as application_model
from services.loans.application.model import Application
from services.loans.application.store import APPLICATIONS
from services.loans.breach import store as breach_store
from services.loans.loan import agreement
from services.loans.loan import rpc as loan_rpc
from services.loans.loan.rules import RULES
from services.loans.loan.store import LOANS
from services.loans.offer import model, rpc, store
from services.loans.offer.model import TRANSITIONS, Offer, Verb
from services.loans.offer.store import OFFERS
from trade import approval
from trade.derivations import store as derivation_store

EXPIRE_AT_ONCE = 200


def create(transaction: Transaction, request: loans_pb2.CreateOfferRequest) -> loans_pb2.Offer:
    """Prepares an offer, by a bank's maker, for an application that the bank was asked.

    Raises NotFound, WrongState, InvalidFields.
    """
    tenant, now_us = transaction.caller.tenant, transaction.now_us
    application = APPLICATIONS.find(transaction.connection, request.offer.application, tenant)
    if tenant not in application.banks:
        raise NotFound(resource=request.offer.application)
    _moved(application, application_model.Verb.OFFER)
    terms = rpc.terms(request.offer)
    if problems := model.problems(terms, application, now_us, transaction.business_date):
        raise InvalidFields(problems)
    identifier = transaction.ids.resource("offer")
    costs = model.costs_of(f"offers/{identifier}", terms, transaction.business_date)
    offer = model.prepared(
        application,
        terms,
        costs,
        identifier=identifier,
        bank=tenant,
        maker=transaction.caller.principal,
        now_us=now_us,
    )
    derivation_store.put(transaction, RULES, costs.entries(offer.name), are_first=True)
    return rpc.to_proto(OFFERS.add(transaction, offer, "offer.prepared"), tenant)


def _moved(application: Application, verb: application_model.Verb) -> Application:
    """Returns the application after an offer's verb. Raises WrongState."""
    return after(application_model.TRANSITIONS, application, verb)


def _check_time(transaction: Transaction, offer: Offer) -> None:
    """Raises OfferExpired where an offer's time is over, though no sweep has ended it yet."""
    if offer.expire_us <= transaction.now_us:
        raise errors.OfferExpired(offer=offer.name)


def approve(transaction: Transaction, request: loans_pb2.ApproveOfferRequest) -> loans_pb2.Offer:
    """Approves an offer as it was prepared, by another of the bank's people. Raises NotFound, OfferExpired and as
    `approved`.
    """
    caller = transaction.caller
    offer = OFFERS.own(transaction.connection, request.name, bank=caller.tenant)
    offered = approval.approved(TRANSITIONS, offer, Verb.APPROVE, etag=request.etag, checker=caller.principal)
    _check_time(transaction, offer)
    application = APPLICATIONS.find(transaction.connection, offer.application, offer.bank)
    _moved(application, application_model.Verb.OFFER)
    return rpc.to_proto(OFFERS.save(transaction, offered, "offer.offered"), offer.bank)


def return_(transaction: Transaction, request: loans_pb2.ReturnOfferRequest) -> loans_pb2.Offer:
    """Returns an offer to its maker, by a checker, with a note. Raises NotFound, EtagMismatch, WrongState."""
    offer = OFFERS.own(transaction.connection, request.name, bank=transaction.caller.tenant)
    check_etag(request.etag, offer)
    returned = after(TRANSITIONS, offer, Verb.RETURN, note=request.note)
    return rpc.to_proto(OFFERS.save(transaction, returned, "offer.returned"), offer.bank)


def accept(transaction: Transaction, request: loans_pb2.AcceptOfferRequest) -> loans_pb2.Loan:
    """Accepts an offer for its exporter, declines all others, and agrees a loan.

    Raises NotFound, EtagMismatch, WrongState, OfferExpired.
    """
    connection, tenant = transaction.connection, transaction.caller.tenant
    offer = OFFERS.find(connection, request.name, tenant)
    if offer.enterprise != tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, offer)
    accepted = after(TRANSITIONS, offer, Verb.ACCEPT)
    _check_time(transaction, offer)
    application = APPLICATIONS.find(connection, offer.application, tenant)
    breach_store.check_none(connection, application.declarations)
    APPLICATIONS.save(transaction, _moved(application, application_model.Verb.ACCEPT), "application.accepted")
    OFFERS.save(transaction, accepted, "offer.accepted")
    store.decline_open(transaction, application.name)
    return _agree(transaction, application, offer)


def _agree(transaction: Transaction, application: Application, offer: Offer) -> loans_pb2.Loan:
    """Adds the loan of an accepted offer, its contract sealed."""
    identifier, now_us = transaction.ids.resource("loan"), transaction.now_us
    contract = agreement.contract(
        application, offer, loan=f"loans/{identifier}", principal=transaction.caller.principal, now_us=now_us
    )
    seal = transaction.seal(contract)
    loan = agreement.agreed(application, offer, identifier=identifier, contract=contract, seal=seal, now_us=now_us)
    return loan_rpc.to_proto(LOANS.add(transaction, loan, "loan.agreed"))


def expire(transaction: Transaction) -> bool:
    """Ends offers whose time is over, a batch at a time; returns whether more may be due."""
    due = store.due(transaction.connection, transaction.now_us, EXPIRE_AT_ONCE)
    for offer in due:
        OFFERS.save(transaction, after(TRANSITIONS, offer, Verb.EXPIRE), "offer.expired")
    return len(due) == EXPIRE_AT_ONCE
