"""Takes waybills."""

from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis.command import Transaction
from services.declarations.window.retail import identity
from services.declarations.window.retail.flows import documents
from services.declarations.window.retail.flows.documents import Arrival, Kind, Rows
from services.declarations.window.retail.flows.matching import store as matching_store
from services.declarations.window.retail.flows.model import Waybill
from services.declarations.window.retail.flows.tables import retail_waybills


def take(transaction: Transaction, rows: Rows) -> Sequence[declarations_pb2.IntakeVerdict]:
    """Takes waybills; the orders they carry are matched anew."""
    taken = documents.take(transaction, KIND, rows)
    named = {waybill.order_number for waybill in taken.touched() if waybill.order_number}
    linked = matching_store.order_numbers(transaction.connection, [waybill.id for waybill in taken.changed])
    matching_store.refresh(transaction, named | linked)
    return taken.verdicts


def identify(row: retail_pb2.RetailWaybill) -> str:
    """Returns the id of a waybill."""
    return identity.waybill_id(row.carrier_code, row.waybill_number)


def to_record(arrival: Arrival) -> Waybill:
    """Returns the record of an arriving version."""
    row, version = arrival.row, arrival.version
    return Waybill(
        id=arrival.id,
        direction=retail_pb2.Direction.Name(row.direction),
        carrier_code=row.carrier_code,
        waybill_number=row.waybill_number,
        order_number=row.order_number,
        send_us=version.send_us,
        change=version.change,
        digest=version.digest,
        body=arrival.body,
        create_us=arrival.now_us,
        revision=1,
    )


KIND = Kind("retailWaybills", retail_waybills, Waybill, identify, to_record)
