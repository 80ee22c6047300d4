"""Offers as rows: the only SQL of this room."""

import dataclasses

import sqlalchemy as sa
from aval.loans.v1 import loans_pb2

from chassis import paging, records
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.participants import Participation, join, tenants
from chassis.states import moved
from services.loans.offer import rpc
from services.loans.offer.model import OPEN, TRANSITIONS, Offer, Verb
from services.loans.tables import offers

IS_OPEN = offers.c.state.in_([state.value for state in OPEN])

OFFERS = Participation("offers", offers, Offer)


def find(connection: sa.Connection, name: str, tenant: str) -> Offer:
    """The offer, if the tenant may see it. NotFound otherwise."""
    offer = records.one(connection, offers, Offer, offers.c.id == name.removeprefix("offers/"))
    if offer is None or tenant not in tenants(offer):
        raise NotFound(resource=name)
    return offer


def page(connection: sa.Connection, tenant: str, request: loans_pb2.ListOffersRequest) -> tuple[list[Offer], str]:
    """Returns a page of the offers that a tenant may see, of an application where it is named, and the next token."""
    query = OFFERS.of_tenant(tenant)
    if request.application:
        query = query.where(offers.c.application == request.application)
    return paging.page(connection, query, Offer, request)


def due(connection: sa.Connection, now_us: int, limit: int) -> list[Offer]:
    """Open offers whose time is over."""
    query = sa.select(offers).where(IS_OPEN, offers.c.expire_us <= now_us)
    return records.many(connection, query.order_by(offers.c.expire_us).limit(limit), Offer)


def decline_open(transaction: Transaction, application: str) -> None:
    """Declines what is still open of an application's offers."""
    query = sa.select(offers).where(IS_OPEN, offers.c.application == application).order_by(offers.c.id)
    for offer in records.many(transaction.connection, query, Offer):
        state = moved(TRANSITIONS, offer, Verb.DECLINE)
        save(transaction, dataclasses.replace(offer, state=state), "offer.declined")


def add(transaction: Transaction, offer: Offer) -> None:
    """A new offer, with its event."""
    records.insert(transaction.connection, offers, offer)
    join(transaction.connection, offer.name, offer.participants)
    _tell(transaction, offer, "offer.prepared")


def save(transaction: Transaction, offer: Offer, event: str) -> Offer:
    """A changed offer, with its event."""
    fresh = records.update(transaction.connection, offers, offer)
    # The exporter joins when it is offered.
    join(transaction.connection, fresh.name, fresh.participants)
    _tell(transaction, fresh, event)
    return fresh


def _tell(transaction: Transaction, offer: Offer, event: str) -> None:
    """To those who may see it; nobody's event names its people."""
    transaction.append(event, offer.name, rpc.to_proto(offer), tenants(offer))
