"""The invariants by number (docs/invariants.md), checked from the rows at every commit, and across services at rest."""

from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import eventlog, records, tables, tasks
from chassis.clock import business_date
from chassis.money import Money
from cli.simulation.network import Network, Node
from ledger import store as ledger
from ledger.tables import transfers
from services.declarations import terms
from services.declarations.declaration import store as declarations
from services.declarations.declaration.model import Declaration
from services.declarations.encumbrance import model
from services.declarations.encumbrance import store as encumbrances
from services.declarations.encumbrance.model import AssetClass, Encumbrance, State, Value
from services.declarations.tables import encumbered, proceeds
from services.loans.loan.model import Loan
from services.loans.tables import loans as loan_rows

Found = Iterator[tuple[str, str]]


class Register:
    """Checks the declarations that each commit touched, by the events it appended."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._position = 0

    def check(self) -> list[tuple[str, str]]:
        """Invariant and detail of each violation since the last commit."""
        node = self._network.nodes["declarations"]
        with node.store.read() as connection:
            touched = self._touched(connection)
            found = []
            for declaration in declarations.load(connection, touched).values():
                found += list(self._declaration(connection, declaration))
        return found

    def _touched(self, connection: sa.Connection) -> set[str]:
        rows = tables.events
        query = sa.select(rows.c.position, rows.c.resource).where(rows.c.position > self._position)
        names = set()
        for position, resource in connection.execute(query):
            self._position = max(self._position, position)
            names.add(resource)
        numbers = {name.removeprefix("declarations/") for name in names if name.startswith("declarations/")}
        held = {name.removeprefix("encumbrances/") for name in names if name.startswith("encumbrances/")}
        query = sa.select(encumbered.c.declaration).where(encumbered.c.encumbrance.in_(held))
        return numbers | set(connection.execute(query).scalars())

    def _declaration(self, connection: sa.Connection, declaration: Declaration) -> Found:
        accounts = ledger.accounts(connection, [model.part_id(declaration.id, part) for part in model.Part])
        if not accounts:
            return
        value = model.value_of(accounts, declaration.id, declaration.value.currency)
        standing = encumbrances.standing_on(connection, [declaration.id]).get(declaration.id, [])
        cap = terms.advance_cap(business_date(self._network.clock.now_us()))
        for invariant, holds, detail in (
            *_sums(declaration, value),
            *_held(declaration, value, standing),
            *_exclusive(declaration, standing),
            *_paid(value, _excess(connection, declaration)),
            ("cap", value.financed + value.reserved <= declaration.value.times(cap), f"{value}"),
        ):
            if not holds:
                yield invariant, f"{declaration.name}: {detail}"


Check = tuple[str, bool, str]


def _sums(declaration: Declaration, value: Value) -> Iterator[Check]:
    parts = (value.margin, value.free, value.reserved, value.financed, value.settled, value.returned)
    whole = sum(part.minor_units for part in parts)
    declared = declaration.value.minor_units + value.shortfall.minor_units
    yield "I1", whole == declared, f"the parts are {whole}, the value {declared}"
    yield "I1", all(part.minor_units >= 0 for part in parts), f"a part is negative: {value}"
    yield "I2", value.insured <= declaration.value - value.returned, f"insured {value.insured}"


def _held(declaration: Declaration, value: Value, standing: list[Encumbrance]) -> Iterator[Check]:
    """What the register's rows say is held is what its ledger holds."""

    def total(state: State, asset_class: AssetClass) -> Money:
        held = [one for one in standing if one.state is state and one.asset_class is asset_class]
        amounts = [model.item_of(one, declaration.id).outstanding for one in held]
        return sum(amounts, start=declaration.value.zero())

    financed, reserved = total(State.CONFIRMED, AssetClass.RECEIVABLE), total(State.RESERVED, AssetClass.RECEIVABLE)
    yield "R1", financed == value.financed, f"rows finance {financed}, the ledger {value.financed}"
    yield "R2", reserved == value.reserved, f"rows reserve {reserved}, the ledger {value.reserved}"


def _excess(connection: sa.Connection, declaration: Declaration) -> int:
    """What buyers paid beyond the declared value, minor units."""
    query = sa.select(proceeds.c.response).where(proceeds.c.declaration == declaration.id)
    applied = map(declarations_pb2.ApplyProceedsResponse.FromString, connection.execute(query).scalars())
    return sum(one.excess.minor_units for one in applied)


def _paid(value: Value, excess: int) -> Iterator[Check]:
    """What the buyer has paid for is neither financed nor reserved any more."""
    held = value.financed + value.reserved
    yield "R3", not (excess and held), f"{excess} was excess while {held} was held"


def _exclusive(declaration: Declaration, standing: list[Encumbrance]) -> Iterator[Check]:
    for asset_class in AssetClass:
        held = [
            one for one in standing if one.asset_class is asset_class and model.item_of(one, declaration.id).outstanding
        ]
        holders = {one.holder for one in held}
        yield "I6", len(holders) <= 1 or all(one.pari_passu for one in held), f"held by {sorted(holders)}"


def of_service(node: Node) -> Found:
    """Ledger, chain, events, tasks and the service's own rules, from its rows alone."""
    with node.store.read() as connection:
        for detail in eventlog.violations(connection):
            yield "E1", detail
        for detail in tasks.violations(connection, node.service.sagas):
            yield "T1", detail
        for detail in node.service.violations(connection):
            yield "L1", detail


def _loans(network: Network) -> list[Loan]:
    with network.nodes["loans"].store.read() as connection:
        return records.many(connection, sa.select(loan_rows), Loan)


def loans_by_state(network: Network) -> dict[str, int]:
    """How many loans stand where."""
    return dict(Counter(loan.state.value for loan in _loans(network)))


def at_rest(network: Network) -> Found:
    """Across services, once nothing is under way."""
    loans = _loans(network)
    with network.nodes["declarations"].store.read() as connection:
        held = encumbrances.load(connection, [loan.encumbrance_id for loan in loans])
    paid_out = _disbursed(network)
    for loan in loans:
        yield from _loan(loan, held.get(loan.encumbrance_id), paid_out)


def _disbursed(network: Network) -> set[str]:
    """The loans that settlement paid out, by its ledger."""
    with network.nodes["settlement"].store.read() as connection:
        query = sa.select(transfers.c.reference).where(transfers.c.code == "disburse")
        return {str(reference) for reference in connection.execute(query).scalars()}


LENT = {"ACTIVE", "REPAID", "CLOSED"}


def _loan(loan: Loan, encumbrance: Encumbrance | None, paid_out: set[str]) -> Found:
    name, state = loan.name, loan.state.value
    if (state in LENT) != (name in paid_out):
        yield "X1", f"{name} is {state}, paid out: {name in paid_out}"
    if state == "ACTIVE" and (encumbrance is None or encumbrance.state is not State.CONFIRMED):
        yield "X2", f"{name} is ACTIVE, its encumbrance {encumbrance.state if encumbrance else None}"
    if state in ("CANCELLED", "CLOSED") and encumbrance and encumbrance.state in model.STANDING:
        yield "X3", f"{name} is {state}, its encumbrance {encumbrance.state}"
    if state not in {*LENT, "CANCELLED", "AGREED"}:
        yield "X4", f"{name} came to rest as {state}"
