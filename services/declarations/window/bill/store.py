"""Bills as rows: the only SQL of this room."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.records import Conflict
from services.declarations.schema import metadata
from services.declarations.window.bill.model import Bill, State

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
