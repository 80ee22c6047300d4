"""Bills on the wire: their records, with how far they are paid."""

from aval.declarations.v1 import records_pb2

from chassis.rpc import date
from services.declarations.bill.model import Bill
from services.declarations.records import rpc
from services.declarations.records.model import Record


def to_proto(record: Record, bill: Bill) -> records_pb2.Record:
    """The record of a bill."""
    message = rpc.to_proto(record)
    message.bill.MergeFrom(
        records_pb2.Bill(
            due_date=date(bill.due_date),
            due_rule=bill.due_rule,
            state=bill.state.value,
            payment=bill.payment,
            transfer=bill.transfer,
        )
    )
    return message
