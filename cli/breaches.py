"""Where loans and covered shipments show other breaches than the register has, as far as its events have arrived.

The platform may run meanwhile: a breach of which an event is still to be taken, or waits, is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from chassis import inbox, parked, records, tables
from chassis.database import Database
from services.credit_insurance.covered_shipment.model import CoveredShipment
from services.credit_insurance.covered_shipment.model import State as ShipmentState
from services.credit_insurance.tables import covered_shipments
from services.declarations.register.breach import model
from services.declarations.register.breach.store import breaches as register_rows
from services.loans.loan.model import Loan
from services.loans.loan.model import State as LoanState
from services.loans.tables import breaches as noted_rows
from services.loans.tables import loans
from trade import breach
from trade.breach import Breach, StandingBreach

REGISTER = "declarations"


@dataclass(frozen=True, slots=True)
class Told:
    """The register's open breaches, and the names of those whose events a follower has yet to take."""

    standing: tuple[model.Breach, ...]
    under_way: frozenset[str]

    def on(self, asset: str) -> Iterator[model.Breach]:
        """Yields the open breaches of an asset whose events were all taken."""
        yield from (each for each in self.standing if each.asset == asset and each.name not in self.under_way)


def violations(opened: Mapping[str, Database]) -> list[str]:
    """Returns where the stores disagree, by service name; none of a service that is missing."""
    found: list[str] = []
    for service, disagreements in DISAGREEMENTS.items():
        if {service, REGISTER} <= opened.keys():
            # The follower is read first: what comes meanwhile is under way.
            with opened[service].read() as follower, opened[REGISTER].read() as register:
                found += disagreements(follower, _told(follower, register))
    return found


def _told(follower: sa.Connection, register: sa.Connection) -> Told:
    _, position = inbox.cursor(follower, REGISTER)
    events = tables.events
    coming = sa.select(events.c.resource).where(events.c.position > position, events.c.type.in_(breach.EVENTS))
    waiting = {each.resource for each in parked.every(follower) if each.source == REGISTER}
    open_ones = sa.select(register_rows).where(register_rows.c.state == model.State.OPEN.value)
    standing = records.many(register, open_ones.order_by(register_rows.c.create_us), model.Breach)
    return Told(tuple(standing), frozenset(waiting | set(register.execute(coming).scalars())))


def _of_loans(connection: sa.Connection, told: Told) -> list[str]:
    return [*_noted(connection, told), *_of_each_loan(connection, told)]


def _noted(connection: sa.Connection, told: Told) -> Iterator[str]:
    """Drawdowns are stopped by exactly the breaches that are open."""
    stated = {each.name: each.open_amount for each in records.many(connection, sa.select(noted_rows), Breach)}
    known = {each.name: each.open_amount for each in told.standing}
    for name in sorted((stated.keys() | known.keys()) - told.under_way):
        if stated.get(name) != known.get(name):
            yield f"loans: {name} is noted with {stated.get(name)}, the register has {known.get(name)}"


def _of_each_loan(connection: sa.Connection, told: Told) -> Iterator[str]:
    for page in records.pages(connection, loans, Loan):
        for loan in page:
            known = {
                each.name: share.open
                for item in loan.items
                for each in told.on(item.declaration)
                if each.asset_class.value == breach.RECEIVABLE and (share := each.share_of(loan.bank)) and share.open
            }
            yield from _shown(loan.name, loan.breaches, known, told, is_shown=loan.state is LoanState.ACTIVE)


def _of_shipments(connection: sa.Connection, told: Told) -> list[str]:
    return [
        fault
        for page in records.pages(connection, covered_shipments, CoveredShipment)
        for shipment in page
        for fault in _of_shipment(shipment, told)
    ]


def _of_shipment(shipment: CoveredShipment, told: Told) -> Iterator[str]:
    known: dict[str, object] = {}
    for each in told.on(shipment.declaration):
        share = each.share_of(shipment.insurer)
        if each.asset_class.value == breach.RECEIVABLE:
            known[each.name] = None
        elif share and share.open:
            known[each.name] = share.open
    is_shown = shipment.state is ShipmentState.COVERED
    yield from _shown(shipment.name, shipment.breaches, known, told, is_shown=is_shown)


def _shown(
    name: str, standing: tuple[StandingBreach, ...], known: Mapping[str, object], told: Told, *, is_shown: bool
) -> Iterator[str]:
    """Each breach that is shown stands so at the register; where they are shown, all that stand are."""
    stated = {each.breach: each.open_amount for each in standing if each.breach not in told.under_way}
    wrong = {each for each, amount in stated.items() if each not in known or known[each] != amount}
    missing = known.keys() - stated.keys() if is_shown else set()
    for each in sorted(wrong | missing):
        shown = stated[each] or "no amount" if each in stated else "nothing"
        yield f"{name} shows {shown} of {each}, the register has {known.get(each, 'no such breach')}"


DISAGREEMENTS = {"loans": _of_loans, "credit_insurance": _of_shipments}
