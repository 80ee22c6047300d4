"""Bills as rows: the only SQL of this room."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import Conflict
from services.declarations.schema import metadata
from services.declarations.window.bill.model import Bill, State
from trade.calendars import Deadline
from trade.deadlines import store as deadlines_store
from trade.deadlines.model import Kept
from trade.tables import deadlines

# Bills, as their payments leave them.
bills = records.table("bills", Bill, metadata)


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Bill]:
    """Returns the bills with these ids, those that exist."""
    wanted = list(identifiers)
    if not wanted:
        return {}
    query = sa.select(bills).where(bulk.among(connection, bills.c.id, wanted))
    return {bill.id: bill for bill in records.many(connection, query, Bill)}


def add(connection: sa.Connection, added: Sequence[Bill]) -> None:
    """Adds new bills."""
    records.insert(connection, bills, *added)


def save(connection: sa.Connection, changed: Sequence[Bill]) -> None:
    """Saves bills that their issuers changed. Raises Conflict if one changed meanwhile."""
    if not changed:
        return
    values: dict[str, Any] = {
        column.name: sa.bindparam(f"new_{column.name}") for column in bills.c if column.name != "id"
    }
    values["revision"] = bills.c.revision + 1
    statement = sa.update(bills).where(bills.c.id == sa.bindparam("key"), bills.c.revision == sa.bindparam("known"))
    rows = [
        {
            "key": bill.id,
            "known": bill.revision,
            **{f"new_{name}": value for name, value in records.to_row(bill).items()},
        }
        for bill in changed
    ]
    for row in rows:
        del row["new_id"], row["new_revision"]
    if connection.execute(statement.values(values), rows).rowcount != len(rows):
        raise Conflict("bills")


# The field of a bill that is a deadline, and the states in which it means something still.
DUE_DATE = "due_date"
DUE = (State.OPEN, State.PAYING)


def keep_deadlines(connection: sa.Connection, due: Mapping[str, Deadline | None]) -> None:
    """Keeps the deadlines of bills by their names; a bill whose due date is stated has none any more."""
    kept = [Kept(resource=name, field=DUE_DATE, deadline=deadline) for name, deadline in due.items() if deadline]
    deadlines_store.put(connection, kept)
    deadlines_store.drop(connection, DUE_DATE, [name for name, deadline in due.items() if deadline is None])


# Whether a bill has a payment and a transfer, by its state.
HAS: Mapping[State, tuple[bool, bool]] = {
    State.OPEN: (False, False),
    State.PAYING: (True, False),
    State.PAID: (True, True),
    State.CANCELLED: (False, False),
}


def _is_set(column: Any, is_set: bool) -> Any:
    return column != "" if is_set else column == ""


def violations(connection: sa.Connection) -> list[str]:
    """Lists bills whose state and payment, or whose due date and deadline, say different things."""
    return [*_of_payments(connection), *_of_deadlines(connection)]


def _of_deadlines(connection: sa.Connection) -> Iterator[str]:
    """Yields bills that are due on another day than their deadline, or provisional where it isn't."""
    this = sa.and_(deadlines.c.resource == sa.literal("records/").concat(bills.c.id), deadlines.c.field == DUE_DATE)
    differs = sa.or_(deadlines.c.date != bills.c.due_date, deadlines.c.is_provisional != bills.c.is_due_provisional)
    query = sa.select(bills.c.id, bills.c.due_date, deadlines.c.date).join(deadlines, this)
    for row in connection.execute(query.where(differs, bills.c.state.in_([state.value for state in DUE]))):
        yield f"DT2: records/{row.id} is due on {row.due_date}, its deadline is {row.date}, or one is provisional"


def _of_payments(connection: sa.Connection) -> list[str]:
    """Lists bills whose state and payment say different things."""
    right = [
        sa.and_(
            bills.c.state == state.value,
            _is_set(bills.c.payment, claimed),
            _is_set(bills.c.transfer, paid),
            (bills.c.late_fee_minor_units.is_(None) & bills.c.claim_date.is_(None)) != claimed,
        )
        for state, (claimed, paid) in HAS.items()
    ]
    query = sa.select(bills.c.id, bills.c.state).where(~sa.or_(*right))
    return [f"records/{row.id}: the bill is {row.state} with another payment" for row in connection.execute(query)]
