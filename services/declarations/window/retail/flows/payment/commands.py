"""Takes payments."""

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
    """Takes payments; the orders they pay are matched anew."""
    taken = documents.take(transaction, KIND, rows)
    matching_store.refresh(transaction, {payment.order_number for payment in taken.touched()})
    return taken.verdicts


def identify(row: retail_pb2.RetailPayment) -> str:
    """Returns the id of a payment."""
    numbers = (row.payment_company_code, row.transaction_number)
    if all(numbers):
        return identity.payment_id(*numbers)
    return identity.order_payment_id(row.platform_code, row.order_number, *numbers)


def to_record(arrival: Arrival) -> Payment:
    """Returns the record of an arriving version."""
    row, version = arrival.row, arrival.version
    return Payment(
        id=arrival.id,
        direction=retail_pb2.Direction.Name(row.direction),
        payment_company_code=row.payment_company_code,
        transaction_number=row.transaction_number,
        order_number=row.order_number,
        platform_code=row.platform_code,
        amount=money.from_proto(row.amount),
        pay_us=row.pay_time.ToMicroseconds() if row.HasField("pay_time") else version.send_us,
        send_us=version.send_us,
        change=version.change,
        digest=version.digest,
        body=arrival.body,
        create_us=arrival.now_us,
        revision=1,
    )


KIND = Kind("retailPayments", retail_payments, Payment, identify, to_record)
