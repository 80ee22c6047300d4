"""Bills as they are shown: how far they are paid, findings and late fee. Set-based."""

import datetime
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from services.declarations.window.bill import charges, late_fees, rpc
from services.declarations.window.bill.model import Bill
from services.declarations.window.records import rpc as records_rpc
from services.declarations.window.records import store as records_store
from services.declarations.window.records.model import Record


def views(
    connection: sa.Connection, page: Sequence[Record], bills: Mapping[str, Bill], on: datetime.date, language: str
) -> list[records_pb2.Record]:
    """Returns the wire form of records of bills."""
    contents = {record.id: record.message.bill for record in page}
    subjects = {subject for content in contents.values() for subject in charges.subjects(content)}
    published = records_store.with_subjects(connection, "port_tariff", subjects) if subjects else {}
    tariffs = {subject: [records_rpc.to_proto(record) for record in several] for subject, several in published.items()}
    pairs = [(record, bills[record.record]) for record in page]
    fees = late_fees.owed(connection, pairs, on)
    return [
        rpc.to_proto(record, bill, charges.findings(contents[record.id], tariffs), fees.get(bill.id), language)
        for record, bill in pairs
    ]


def view(connection: sa.Connection, record: Record, bill: Bill, on: datetime.date, language: str) -> records_pb2.Record:
    """Returns the wire form of one bill."""
    return views(connection, [record], {bill.id: bill}, on, language)[0]
