"""The buyer limits' rows: the only SQL of this room."""

from collections.abc import Sequence

import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import records
from chassis.command import Transaction
from chassis.participants import Participation, join, tenants
from ledger import store as ledger
from services.credit_insurance import lines
from services.credit_insurance.buyer_limit import rpc
from services.credit_insurance.buyer_limit.model import BuyerLimit
from services.credit_insurance.tables import buyer_limits

BUYER_LIMITS = Participation("buyerLimits", buyer_limits, BuyerLimit)


def load(connection: sa.Connection, name: str) -> BuyerLimit | None:
    """A limit by its resource name."""
    return records.one(connection, buyer_limits, BuyerLimit, buyer_limits.c.id == name.removeprefix("buyerLimits/"))


def views(connection: sa.Connection, limits: Sequence[BuyerLimit]) -> list[credit_insurance_pb2.BuyerLimit]:
    """The wire forms, with what the ledger says is available."""
    accounts = ledger.accounts(connection, [lines.line_id(limit.name) for limit in limits])
    return [rpc.to_proto(limit, accounts) for limit in limits]


def view(connection: sa.Connection, name: str) -> credit_insurance_pb2.BuyerLimit:
    """Returns the wire form of a limit that is known, as it stands."""
    limit = load(connection, name)
    assert limit is not None, f"{name} is gone"
    (message,) = views(connection, [limit])
    return message


def add(transaction: Transaction, limit: BuyerLimit) -> credit_insurance_pb2.BuyerLimit:
    """A new limit, with its event."""
    records.insert(transaction.connection, buyer_limits, limit)
    join(transaction.connection, limit.name, limit.participants)
    return _tell(transaction, limit, "buyer_limit.requested")


def save(transaction: Transaction, limit: BuyerLimit, event: str) -> credit_insurance_pb2.BuyerLimit:
    """A changed limit, with its event."""
    return _tell(transaction, records.update(transaction.connection, buyer_limits, limit), event)


def _tell(transaction: Transaction, limit: BuyerLimit, event: str) -> credit_insurance_pb2.BuyerLimit:
    (message,) = views(transaction.connection, [limit])
    transaction.append(event, limit.name, message, tenants(limit))
    return message
