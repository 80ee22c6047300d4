"""The covered shipments' rows, the calls they owe, and the payments told of: the only SQL of this room."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import records
from chassis.rows import Rows
from ledger import store as ledger_store
from services.credit_insurance.covered_shipment import model, plan, rpc
from services.credit_insurance.covered_shipment.model import CoveredShipment, ExposurePayment, State
from services.credit_insurance.tables import covered_shipments, exposure_payments

Message = credit_insurance_pb2.CoveredShipment


def views(connection: sa.Connection, shipments: Sequence[CoveredShipment], _viewer: str) -> list[Message]:
    """Returns the wire forms, with the exposure that the ledger has."""
    accounts = ledger_store.accounts(connection, [model.exposure_id(shipment.name) for shipment in shipments])
    return [
        rpc.to_proto(shipment, model.exposure_of(accounts[model.exposure_id(shipment.name)])) for shipment in shipments
    ]


COVERED_SHIPMENTS = Rows(
    table=covered_shipments,
    record=CoveredShipment,
    prefix="coveredShipments/",
    views=views,
    noun="covered_shipment",
    plan=plan.owed,
)


def of_declaration(connection: sa.Connection, declaration: str, *states: State) -> list[CoveredShipment]:
    """Returns the shipments of a declaration in some of the states."""
    rows = covered_shipments
    in_states = rows.c.state.in_([state.value for state in states])
    query = sa.select(rows).where(rows.c.declaration == declaration, in_states).order_by(rows.c.id)
    return records.many(connection, query, CoveredShipment)


def to_look_at(connection: sa.Connection, today: date, limit: int) -> list[CoveredShipment]:
    """Returns covers in force that weren't compared with the register today, and aren't being."""
    rows = covered_shipments
    is_old = sa.or_(rows.c.looked_date.is_(None), rows.c.looked_date < today.isoformat())
    query = sa.select(rows).where(rows.c.state == State.COVERED.value, is_old, rows.c.look_date.is_(None))
    return records.many(connection, query.order_by(rows.c.id).limit(limit), CoveredShipment)


def unfinished(connection: sa.Connection) -> Iterable[CoveredShipment]:
    """Returns the shipments that owe a call."""
    owing = covered_shipments.c.state.in_([state.value for state in plan.PLANS])
    return records.many(connection, sa.select(covered_shipments).where(owing), CoveredShipment)


def pages(connection: sa.Connection) -> Iterator[list[CoveredShipment]]:
    """Yields all shipments, a page at a time, for verification."""
    return records.pages(connection, covered_shipments, CoveredShipment)


def payment_response(connection: sa.Connection, declaration: str, payment: str) -> bytes | None:
    """Returns the response to a payment that was told before; None where it wasn't."""
    rows = exposure_payments
    query = sa.select(rows.c.response).where(rows.c.declaration == declaration, rows.c.payment == payment)
    response: bytes | None = connection.execute(query).scalar()
    return response


def add_payment(connection: sa.Connection, payment: ExposurePayment) -> None:
    """Notes that a payment was told."""
    records.insert(connection, exposure_payments, payment)


def answer_payment(connection: sa.Connection, payment: ExposurePayment, response: bytes) -> None:
    """Notes the answer to a payment."""
    rows = exposure_payments
    this = sa.and_(rows.c.declaration == payment.declaration, rows.c.payment == payment.payment)
    connection.execute(sa.update(rows).where(this).values(response=response))


def payments(connection: sa.Connection, declaration: str) -> list[ExposurePayment]:
    """Returns what buyers were said to have paid of a declaration."""
    rows = exposure_payments
    query = sa.select(rows).where(rows.c.declaration == declaration).order_by(rows.c.payment)
    return records.many(connection, query, ExposurePayment)
