"""Export-tax rebates: what an enterprise may still expect."""

from collections.abc import Iterable

import sqlalchemy as sa
from aval.declarations.v1 import records_pb2

from chassis import money
from chassis.money import Money
from services.declarations.records import store
from services.declarations.tables import beside

EXPECTED = (records_pb2.RebateStatus.APPLIED, records_pb2.RebateStatus.ACCEPTED)


def expected_rebate(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, Money]:
    """What is expected for each of these declarations, in yuan; only those with a rebate that is neither paid nor
    refused are in it. Several applications for one declaration add up."""
    found: dict[str, Money] = {}
    for record in store.about(connection, "rebate_status", beside.c.declaration, numbers):
        rebate = record.message.rebate_status
        if rebate.state in EXPECTED:
            amount = money.from_proto(rebate.expected_amount)
            found[record.declaration] = found.get(record.declaration, amount.zero()) + amount
    return found
