"""Inspections, quality holds and recalls: what stands on a declaration, and who is told."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.customs.code_tables import code_table
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.window.eligibility.model import Declared
from services.declarations.window.records import store as records_store
from services.declarations.window.records.model import Record
from trade.calendars import day_in_china

PLACED = records_pb2.Hold.PLACED


def standing_on(
    connection: sa.Connection, known: Mapping[str, Declared], at_us: int | None = None
) -> dict[str, list[Problem]]:
    """Says why nothing may be financed on these declarations, by number; only those under a hold are in it.

    One query whatever their number.
    """
    owners = {declared.enterprise for declared in known.values()}
    found: dict[str, list[Problem]] = {}
    for record in records_store.over(connection, "hold", known, owners, at_us):
        message = record.message
        if message.hold.state == PLACED:
            for number in _touched(record, message.hold, known):
                found.setdefault(number, []).append(reason(message))
    return found


def _touched(record: Record, hold: records_pb2.Hold, known: Mapping[str, Declared]) -> list[str]:
    """The declarations that a hold is about: its own, or its enterprise's with such goods."""
    if record.declaration:
        return [record.declaration]
    return [
        number
        for number, declaration in known.items()
        if declaration.enterprise == record.enterprise and _has_goods(declaration, hold.commodity_code)
    ]


def _has_goods(declaration: Declared, prefix: str) -> bool:
    if not prefix:
        return True
    lines = declarations_pb2.Declaration.FromString(declaration.body).lines
    return any(line.commodity_code.startswith(prefix) for line in lines)


def reason(message: records_pb2.Record) -> Problem:
    """What a hold says to whoever asks for finance."""
    hold = message.hold
    on = day_in_china(message.notice_time.ToMicroseconds())
    row = code_table("hold_kinds").row(records_pb2.Hold.Kind.Name(hold.kind), on)
    assert row is not None
    said = {"authority": hold.authority, "number": hold.hold_number}
    return Problem("status", row["reason"], row["english"].format(**said), row["chinese"].format(**said))


def tell(transaction: Transaction, changed: Sequence[tuple[Record, records_pb2.Hold]]) -> None:
    """The enterprise, and all who hold value that the hold is about, learn of it."""
    declared = {f"declarations/{record.declaration}" for record, _ in changed if record.declaration}
    on_declarations = encumbrance_store.holders_of(transaction.connection, declared) if declared else {}
    owners = {record.enterprise for record, _ in changed if not record.declaration}
    holders = encumbrance_store.holders(transaction.connection, owners) if owners else {}
    for record, hold in changed:
        standing = on_declarations.get(f"declarations/{record.declaration}", ())
        parties = [
            record.enterprise,
            *sorted(each_standing.holder for each_standing in standing),
            *holders.get(record.enterprise, ()),
        ]
        records_store.tell(transaction, "hold.placed" if hold.state == PLACED else "hold.lifted", record, parties)
