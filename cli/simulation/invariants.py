"""The invariants by number (docs/invariants.md), checked from the rows at every commit, and across services at rest."""

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import eventlog, jobs, parked, records, tables, tasks
from chassis.money import Money
from cli import agreement, breaches
from cli.simulation.network import Network
from cli.simulation.node import Node
from ledger.tables import transfers
from services.credit_insurance.covered_shipment import model as covered_shipment_model
from services.credit_insurance.covered_shipment import store as covered_shipment_store
from services.declarations.kinds import KINDS
from services.declarations.register import proof as register_proof
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance, State
from services.declarations.register.encumbrance.store import encumbered, proceeds
from services.declarations.register.value import store as value_store
from services.declarations.register.value.model import Value
from services.loans.loan.model import Loan
from services.loans.tables import loans as loan_rows
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.incoming_payment.model import State as PaymentState
from services.settlement.tables import incoming_payments

Violations = Iterator[tuple[str, str]]
ASSETS = ("declarations/", "pools/", "preShipments/", "rebates/")


class Register:
    """Checks the assets that each commit touched, by the events it appended."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._position = 0

    def check(self) -> list[tuple[str, str]]:
        """Returns the invariant and detail of each violation since the last commit."""
        node = self._network.nodes["declarations"]
        with node.store.read() as connection:
            touched = sorted(self._touched(connection))
            found = [_parted(detail) for detail in register_proof.of_assets(KINDS, connection, touched)]
            for name, value in value_store.booked(connection, touched).items():
                found += list(_paid(name, value, _excess(connection, name)))
        return found

    def _touched(self, connection: sa.Connection) -> set[str]:
        rows = tables.events
        query = sa.select(rows.c.position, rows.c.resource).where(rows.c.position > self._position)
        names = set()
        for position, resource in connection.execute(query):
            self._position = max(self._position, position)
            names.add(resource)
        held = {name.removeprefix("encumbrances/") for name in names if name.startswith("encumbrances/")}
        query = sa.select(encumbered.c.asset).where(encumbered.c.encumbrance.in_(held))
        assets = {name for name in names if name.startswith(ASSETS)}
        return assets | set(connection.execute(query).scalars())


def _parted(detail: str) -> tuple[str, str]:
    invariant, _, rest = detail.partition(": ")
    return invariant, rest


def _excess(connection: sa.Connection, name: str) -> int:
    """Returns what buyers paid beyond the declared value, in minor units."""
    query = sa.select(proceeds.c.response).where(proceeds.c.asset == name)
    applied = map(declarations_pb2.ApplyProceedsResponse.FromString, connection.execute(query).scalars())
    return sum(apply_proceeds_response.excess.minor_units for apply_proceeds_response in applied)


def _paid(name: str, value: Value, excess: int) -> Violations:
    """Yields a violation where a fully paid asset is still financed or reserved beyond its breach."""
    held = value.financed + value.reserved - value.shortfall
    is_paid = value.declared <= value.settled + value.returned
    if excess and held and is_paid:
        yield "R3", f"{name}: {excess} was excess while {held} was held"


def of_service(node: Node) -> Violations:
    """Yields the violations of ledger, chain, events, tasks and the service's own rules, from its rows alone."""
    with node.store.read() as connection:
        for detail in eventlog.violations(connection):
            yield "E1", detail
        for detail in tasks.violations(connection, node.service.sagas):
            yield "T1", detail
        for detail in jobs.violations(connection, node.service.jobs):
            yield "J1", detail
        for detail in parked.violations(connection):
            yield "E2", detail
        for waiting in parked.every(connection):
            yield "E2", f"{waiting.resource} waits: {waiting.type} failed, {waiting.failure}"
        for detail in node.service.violations(connection):
            yield "L1", detail


def _loans(network: Network) -> list[Loan]:
    with network.nodes["loans"].store.read() as connection:
        return records.many(connection, sa.select(loan_rows), Loan)


def loans_by_state(network: Network) -> dict[str, int]:
    """Returns the number of loans in each state."""
    return dict(Counter(loan.state.value for loan in _loans(network)))


def under_way(network: Network) -> Violations:
    """Yields where services disagree, at any step: what is under way between them is left out."""
    stores = {name: node.store for name, node in network.nodes.items()}
    for detail in agreement.violations(stores, network.clock.now_us()):
        yield "X6", detail
    for detail in breaches.violations(stores):
        yield "X9", detail


def at_rest(network: Network) -> Violations:
    """Yields the violations across services, once nothing is under way."""
    loans = _loans(network)
    with network.nodes["declarations"].store.read() as connection:
        held = encumbrance_store.load(connection, [loan.encumbrance_id for loan in loans])
    paid_out = _disbursed(network)
    yield from under_way(network)
    for loan in loans:
        yield from _loan(loan, held.get(loan.encumbrance_id), paid_out)
    yield from _payments(network)
    yield from _covers(network)


def _payments(network: Network) -> Violations:
    """Yields the payments that count for a declaration and came to rest before they were completed."""
    with network.nodes["settlement"].store.read() as connection:
        query = sa.select(incoming_payments).where(incoming_payments.c.state != PaymentState.COMPLETED.value)
        payments = records.many(connection, query, IncomingPayment)
    for payment in payments:
        if payment.is_applied:
            yield "X4", f"{payment.name} came to rest as {payment.state.value}: {payment.reason}"


def _covers(network: Network) -> Violations:
    """Yields where exposure isn't what the register holds as insured and nobody paid.

    Cover that no insured value backs may be paid for. Every payment that the register counts was told to the insurer.
    """
    with network.nodes["credit_insurance"].store.read() as connection:
        every = [shipment for page in covered_shipment_store.pages(connection) for shipment in page]
        shipments = [shipment for shipment in every if shipment.state is covered_shipment_model.State.COVERED]
        told = {shipment.name: _told(connection, shipment) for shipment in shipments}
    with network.nodes["declarations"].store.read() as connection:
        held = encumbrance_store.load(connection, [shipment.encumbrance_id for shipment in shipments])
        booked = value_store.booked(connection, [shipment.declaration for shipment in shipments])
        paid = {
            shipment.name: encumbrance_store.paid(connection, shipment.declaration, _currency(shipment))
            for shipment in shipments
        }
    for shipment in shipments:
        if told[shipment.name] != paid[shipment.name]:
            yield "X8", f"{shipment.name} was told of {told[shipment.name]}, the register counts {paid[shipment.name]}"
        (item,) = held[shipment.encumbrance_id].items
        most, unbacked = item.outstanding, _unbacked(shipment, booked[shipment.declaration])
        least, owed = (
            max(most - unbacked, most.zero()),
            covered_shipment_model.owed_after(shipment, told[shipment.name]),
        )
        if (
            not covered_shipment_model.owed_of(shipment, least)
            <= owed
            <= covered_shipment_model.owed_of(shipment, most)
        ):
            yield "X8", f"{shipment.name} is exposed by {owed}, the register holds {most}"


def _unbacked(shipment: covered_shipment_model.CoveredShipment, value: Value) -> Money:
    """Returns the part of a cover that no insured value backs: its shortfall, and value that was declared later.

    Later value cures the shortfall first, but the insurer never insured it.
    """
    assert shipment.insured_value is not None
    return value.insured_shortfall + max(value.declared - shipment.insured_value, value.declared.zero())


def _told(connection: sa.Connection, shipment: covered_shipment_model.CoveredShipment) -> Money:
    """Returns what buyers were said to have paid of a shipment's declaration, in the currency of its insured value."""
    amount, _ = covered_shipment_model.told(
        covered_shipment_store.payments(connection, shipment.declaration), _currency(shipment)
    )
    return amount


def _currency(shipment: covered_shipment_model.CoveredShipment) -> str:
    assert shipment.insured_value is not None
    return shipment.insured_value.currency


def _disbursed(network: Network) -> set[str]:
    """Returns the loans that settlement paid out, by its ledger."""
    with network.nodes["settlement"].store.read() as connection:
        query = sa.select(transfers.c.reference).where(transfers.c.code == "disburse")
        return {str(reference) for reference in connection.execute(query).scalars()}


LENT = {"ACTIVE", "REPAID", "CLOSED"}


def _loan(loan: Loan, encumbrance: Encumbrance | None, paid_out: set[str]) -> Violations:
    name, state = loan.name, loan.state.value
    if (state in LENT) != (name in paid_out):
        yield "X1", f"{name} is {state}, paid out: {name in paid_out}"
    if state == "ACTIVE" and (encumbrance is None or encumbrance.state is not State.CONFIRMED):
        yield "X2", f"{name} is ACTIVE, its encumbrance {encumbrance.state if encumbrance else None}"
    if state in ("CANCELLED", "CLOSED") and encumbrance and encumbrance.state in encumbrance_model.STANDING:
        yield "X3", f"{name} is {state}, its encumbrance {encumbrance.state}"
    if state not in {*LENT, "CANCELLED", "AGREED"}:
        yield "X4", f"{name} came to rest as {state}"
