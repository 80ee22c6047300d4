"""Taking payments."""

from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis import money
from chassis.command import Transaction
from services.declarations.window.retail import identity
from services.declarations.window.retail.flows import documents
from services.declarations.window.retail.flows.documents import Arrival, Kind, Rows
from services.declarations.window.retail.flows.matching import store as matching_store
from services.declarations.window.retail.flows.model import Payment
from services.declarations.window.retail.flows.tables import retail_payments


def take(transaction: Transaction, rows: Rows) -> Sequence[declarations_pb2.IntakeVerdict]:
    """Payments; the orders they pay are matched anew."""
    taken = documents.take(transaction, KIND, rows)
    matching_store.refresh(transaction, {payment.order_number for payment in taken.touched()})
    return taken.verdicts


def identify(row: retail_pb2.RetailPayment) -> str:
    """The id of a payment."""
    numbers = (row.payment_company_code, row.transaction_number)
    if all(numbers):
        return identity.payment_id(*numbers)
    return identity.order_payment_id(row.platform_code, row.order_number, *numbers)


def to_record(arrival: Arrival) -> Payment:
    """The record of an arriving version."""
    row, version = arrival.row, arrival.version
    return Payment(
        arrival.id,
        retail_pb2.Direction.Name(row.direction),
        row.payment_company_code,
        row.transaction_number,
        row.order_number,
        row.platform_code,
        money.from_proto(row.amount),
        row.pay_time.ToMicroseconds() if row.HasField("pay_time") else version.send_us,
        version.send_us,
        version.change,
        version.digest,
        arrival.body,
        arrival.now_us,
        1,
    )


KIND = Kind("retailPayments", retail_payments, Payment, identify, to_record)
