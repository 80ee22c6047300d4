"""The covered shipments' rows, and their exposure in the ledger. Saving one records what it owes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import sqlalchemy as sa
from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import records
from chassis.command import Transaction
from chassis.money import Money, total
from chassis.tasks import Outcome, Saga, follow
from ledger import store as ledger
from services.credit_insurance.covered_shipment import model, rpc
from services.credit_insurance.covered_shipment.model import CoveredShipment, ExposurePayment, State
from services.credit_insurance.covered_shipment.saga import OWED, plan
from services.credit_insurance.tables import covered_shipments, exposure_payments

NOUN = "covered_shipment"


def load(connection: sa.Connection, name: str) -> CoveredShipment | None:
    """A shipment by its resource name."""
    identifier = name.removeprefix("coveredShipments/")
    return records.one(connection, covered_shipments, CoveredShipment, covered_shipments.c.id == identifier)


def of_declaration(connection: sa.Connection, declaration: str, *states: State) -> list[CoveredShipment]:
    """The shipments of a declaration in some of the states."""
    rows = covered_shipments
    in_states = rows.c.state.in_([state.value for state in states])
    query = sa.select(rows).where(rows.c.declaration == declaration, in_states).order_by(rows.c.id)
    return records.many(connection, query, CoveredShipment)


def views(
    connection: sa.Connection, shipments: Sequence[CoveredShipment]
) -> list[credit_insurance_pb2.CoveredShipment]:
    """The wire forms, with the exposure that the ledger has."""
    accounts = ledger.accounts(connection, [model.exposure_id(shipment.name) for shipment in shipments])
    return [
        rpc.to_proto(shipment, model.exposure_of(accounts[model.exposure_id(shipment.name)])) for shipment in shipments
    ]


def add(transaction: Transaction, shipment: CoveredShipment) -> credit_insurance_pb2.CoveredShipment:
    """A new shipment, with its event."""
    records.insert(transaction.connection, covered_shipments, shipment)
    return _tell(transaction, shipment, "covered_shipment.declared")


def save(transaction: Transaction, shipment: CoveredShipment, event: str) -> CoveredShipment:
    """A changed shipment, with its event."""
    saved = records.update(transaction.connection, covered_shipments, shipment)
    _tell(transaction, saved, event)
    return saved


def keep(transaction: Transaction, shipment: CoveredShipment) -> CoveredShipment:
    """A shipment of which only what it owes has changed: nobody is told."""
    saved = records.update(transaction.connection, covered_shipments, shipment)
    follow(transaction, NOUN, plan, saved)
    return saved


def to_look_at(connection: sa.Connection, today: date, limit: int) -> list[CoveredShipment]:
    """Covers in force that weren't compared with the register today, and aren't being."""
    rows = covered_shipments
    is_old = sa.or_(rows.c.looked_date.is_(None), rows.c.looked_date < today.isoformat())
    query = sa.select(rows).where(rows.c.state == State.COVERED.value, is_old, rows.c.look_date.is_(None))
    return records.many(connection, query.order_by(rows.c.id).limit(limit), CoveredShipment)


def _tell(transaction: Transaction, shipment: CoveredShipment, event: str) -> credit_insurance_pb2.CoveredShipment:
    follow(transaction, NOUN, plan, shipment)
    (message,) = views(transaction.connection, [shipment])
    transaction.append(event, shipment.name, message, shipment.parties)
    return message


def hold_exposure(transaction: Transaction, asked: CoveredShipment) -> tuple[CoveredShipment, Money]:
    """Holds as much of the invoice as both lines have left; the shipment with it, and that amount.

    Nothing is held where nothing is left.
    """
    ledger.open_accounts(transaction.connection, model.exposure_accounts(asked))
    sitting = ledger.Sitting(transaction, model.hold_transfers(asked))
    lines = [sitting.account(line) for line in model.lines_of(asked)]
    covered = model.covered_amount(asked.invoice_amount, *lines)
    shipment = model.with_covered_amount(asked, covered)
    if covered:
        results = sitting.attempt(model.hold_transfers(shipment))
        assert all(result.stands for result in results), results
        sitting.write()
    return shipment, covered


def unfinished(connection: sa.Connection) -> Iterable[CoveredShipment]:
    """All that owe a call."""
    owing = covered_shipments.c.state.in_([state.value for state in OWED])
    return records.many(connection, sa.select(covered_shipments).where(owing), CoveredShipment)


def pages(connection: sa.Connection) -> Iterator[list[CoveredShipment]]:
    """All, for verification, a page at a time."""
    return records.pages(connection, covered_shipments, CoveredShipment)


def payment_response(connection: sa.Connection, declaration: str, payment: str) -> bytes | None:
    """The response to a payment that was told before."""
    rows = exposure_payments
    query = sa.select(rows.c.response).where(rows.c.declaration == declaration, rows.c.payment == payment)
    response: bytes | None = connection.execute(query).scalar()
    return response


def add_payment(connection: sa.Connection, payment: ExposurePayment) -> None:
    """Remembers that a payment was told."""
    records.insert(connection, exposure_payments, payment)


def answer_payment(connection: sa.Connection, payment: ExposurePayment, response: bytes) -> None:
    """Remembers what the answer was."""
    rows = exposure_payments
    this = sa.and_(rows.c.declaration == payment.declaration, rows.c.payment == payment.payment)
    connection.execute(sa.update(rows).where(this).values(response=response))


def told(connection: sa.Connection, declaration: str, currency: str) -> tuple[Money, bool]:
    """What buyers were said to have paid of a declaration in a currency, and whether each payment has its amount."""
    rows = exposure_payments
    query = sa.select(rows.c.amount_currency, rows.c.amount_minor_units).where(rows.c.declaration == declaration)
    paid = list(connection.execute(query))
    amounts = [Money(*row) for row in paid if row.amount_currency == currency]
    return total(amounts, currency), all(row.amount_currency is not None for row in paid)


def told_otherwise(connection: sa.Connection, declaration: str, currency: str) -> list[str]:
    """The payments of a declaration that were told in another currency, for verification."""
    rows = exposure_payments
    query = sa.select(rows.c.payment).where(rows.c.declaration == declaration, rows.c.amount_currency != currency)
    return list(connection.execute(query.order_by(rows.c.payment)).scalars())


def _react(transaction: Transaction, shipment: CoveredShipment, step: str, outcome: Outcome) -> None:
    """Reactions save through this store, so they are found only when one is due."""
    from services.credit_insurance.covered_shipment.reactions import react

    react(transaction, shipment, step, outcome)


SAGA = Saga(NOUN, load, plan, _react, unfinished)
