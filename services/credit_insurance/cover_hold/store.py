"""The cover holds' rows: the only SQL of this room."""

from collections.abc import Iterable

import sqlalchemy as sa

from chassis import bulk, records
from chassis.rows import Rows, alike
from services.credit_insurance.cover_hold import rpc
from services.credit_insurance.cover_hold.model import CoverHold
from services.credit_insurance.tables import cover_holds

COVER_HOLDS = Rows(
    table=cover_holds, record=CoverHold, prefix="coverHolds/", views=alike(rpc.to_proto), is_listed=False
)


def of_shipments(connection: sa.Connection, shipments: Iterable[str]) -> list[CoverHold]:
    """Returns the holds on these shipments' cover; `shipments` are resource names."""
    query = sa.select(cover_holds).where(bulk.among(connection, cover_holds.c.covered_shipment, shipments))
    return records.many(connection, query, CoverHold)
