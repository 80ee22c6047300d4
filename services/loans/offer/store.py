"""Offers as rows: the only SQL of this room."""

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.rows import Rows, as_seen
from chassis.states import after
from services.loans.offer import rpc
from services.loans.offer.model import OPEN, TRANSITIONS, Offer, Verb
from services.loans.tables import offers

# Events name nobody's people. The exporter joins when it is offered.
OFFERS = Rows(table=offers, record=Offer, prefix="offers/", views=as_seen(rpc.to_proto), joins_later=True)
IS_OPEN = offers.c.state.in_([state.value for state in OPEN])


def due(connection: sa.Connection, now_us: int, limit: int) -> list[Offer]:
    """Returns open offers whose time is over, the oldest first."""
    query = sa.select(offers).where(IS_OPEN, offers.c.expire_us <= now_us)
    return records.many(connection, query.order_by(offers.c.expire_us).limit(limit), Offer)


def decline_open(transaction: Transaction, application: str) -> None:
    """Declines the open offers of an application."""
    query = sa.select(offers).where(IS_OPEN, offers.c.application == application).order_by(offers.c.id)
    for offer in records.many(transaction.connection, query, Offer):
        OFFERS.save(transaction, after(TRANSITIONS, offer, Verb.DECLINE), "offer.declined")
