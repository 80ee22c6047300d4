"""Takes orders."""

from collections.abc import Sequence
from functools import partial

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis.command import Transaction
from services.declarations.window.retail.enterprise import enterprise_of
from services.declarations.window.retail.flows import documents
from services.declarations.window.retail.flows.documents import Kind, Rows
from services.declarations.window.retail.flows.matching import store as matching_store
from services.declarations.window.retail.flows.model import Order, by_enterprise
from services.declarations.window.retail.flows.order import rpc
from services.declarations.window.retail.flows.tables import retail_orders

TAKEN = "retail_orders.taken"
# The resource of an event on many orders (AIP-159).
ALL = "retailOrders/-"


def take(transaction: Transaction, rows: Rows) -> Sequence[declarations_pb2.IntakeVerdict]:
    """Takes orders, matched with the waybills and payments that have come; appends one event an enterprise."""
    enterprises = enterprise_of(transaction.connection, {row.merchant_code for _, row in rows})
    record = partial(rpc.to_record, enterprises=enterprises)
    taken = documents.take(transaction, Kind("retailOrders", retail_orders, Order, rpc.identify, record), rows)
    matching_store.refresh(transaction, {order.order_number for order in taken.changed})
    _tell(transaction, taken.changed)
    return taken.verdicts


def _tell(transaction: Transaction, changed: Sequence[Order]) -> None:
    """Tells each enterprise of its own orders alone."""
    for enterprise, orders in by_enterprise(changed).items():
        payload = retail_pb2.RetailOrdersTaken(enterprise=enterprise, orders=orders)
        transaction.append(TAKEN, ALL, payload, [enterprise])
