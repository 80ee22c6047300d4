"""Preparing, approving, returning, accepting and expiring offers."""

import dataclasses

from aval.loans.v1 import loans_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, SamePerson
from chassis.states import check_etag, moved
from services.loans import errors
from services.loans.application import model as application_model
from services.loans.application import store as applications
from services.loans.application.model import Application
from services.loans.breach import store as breach_store
from services.loans.loan import agreement
from services.loans.loan import rpc as loan_rpc
from services.loans.loan import store as loans
from services.loans.offer import model, rpc, store
from services.loans.offer.model import TRANSITIONS, Offer, Verb

EXPIRE_AT_ONCE = 200
APPLICATIONS = application_model.TRANSITIONS


def create(transaction: Transaction, request: loans_pb2.CreateOfferRequest) -> loans_pb2.Offer:
    """A bank's maker answers an application that its bank was asked."""
    tenant, now_us = transaction.caller.tenant, transaction.now_us
    application = applications.find(transaction.connection, request.offer.application, tenant)
    if tenant not in application.banks:
        raise NotFound(resource=request.offer.application)
    moved(APPLICATIONS, application, application_model.Verb.OFFER)
    terms = rpc.terms(request.offer)
    if found := model.problems(terms, application, now_us, transaction.business_date):
        raise InvalidFields(found)
    offer = model.prepared(
        application,
        terms,
        identifier=transaction.ids.resource("offer"),
        bank=tenant,
        maker=transaction.caller.principal,
        now_us=now_us,
        on=transaction.business_date,
    )
    store.add(transaction, offer)
    return rpc.to_proto(offer, tenant)


def _bank_offer(transaction: Transaction, name: str, etag: str) -> Offer:
    """An offer of the calling bank. NotFound for anyone else's, EtagMismatch."""
    offer = store.find(transaction.connection, name, transaction.caller.tenant)
    if offer.bank != transaction.caller.tenant:
        raise NotFound(resource=name)
    check_etag(etag, offer)
    return offer


def _check_time(transaction: Transaction, offer: Offer) -> None:
    if offer.expire_us <= transaction.now_us:
        raise errors.OfferExpired(offer=offer.name)


def approve(transaction: Transaction, request: loans_pb2.ApproveOfferRequest) -> loans_pb2.Offer:
    """Another of the bank's people approves what was prepared; nothing of it has changed since."""
    offer = _bank_offer(transaction, request.name, request.etag)
    state, checker = moved(TRANSITIONS, offer, Verb.APPROVE), transaction.caller.principal
    if checker == offer.maker:
        raise SamePerson
    _check_time(transaction, offer)
    application = applications.find(transaction.connection, offer.application, offer.bank)
    moved(APPLICATIONS, application, application_model.Verb.OFFER)
    offered = dataclasses.replace(offer, state=state, checker=checker)
    return rpc.to_proto(store.save(transaction, offered, "offer.offered"), offer.bank)


def return_(transaction: Transaction, request: loans_pb2.ReturnOfferRequest) -> loans_pb2.Offer:
    """The checker returns it to its maker, with a note."""
    offer = _bank_offer(transaction, request.name, request.etag)
    returned = dataclasses.replace(offer, state=moved(TRANSITIONS, offer, Verb.RETURN), note=request.note)
    return rpc.to_proto(store.save(transaction, returned, "offer.returned"), offer.bank)


def accept(transaction: Transaction, request: loans_pb2.AcceptOfferRequest) -> loans_pb2.Loan:
    """The exporter accepts: this offer, no other, and a loan is agreed."""
    connection, tenant = transaction.connection, transaction.caller.tenant
    offer = store.find(connection, request.name, tenant)
    if offer.enterprise != tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, offer)
    state = moved(TRANSITIONS, offer, Verb.ACCEPT)
    _check_time(transaction, offer)
    application = applications.find(connection, offer.application, tenant)
    accepted = moved(APPLICATIONS, application, application_model.Verb.ACCEPT)
    breach_store.check_none(connection, application.declarations)
    applications.save(transaction, dataclasses.replace(application, state=accepted), "application.accepted")
    store.save(transaction, dataclasses.replace(offer, state=state), "offer.accepted")
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
    loans.add(transaction, loan, "loan.agreed")
    return loan_rpc.to_proto(loan)


def expire(transaction: Transaction) -> bool:
    """Ends offers whose time is over, a batch at a time."""
    due = store.due(transaction.connection, transaction.now_us, EXPIRE_AT_ONCE)
    for offer in due:
        state = moved(TRANSITIONS, offer, Verb.EXPIRE)
        store.save(transaction, dataclasses.replace(offer, state=state), "offer.expired")
    return len(due) == EXPIRE_AT_ONCE
