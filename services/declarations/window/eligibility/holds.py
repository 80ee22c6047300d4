"""Inspections, quality holds and recalls: the ones that stand on a declaration, and the parties that are told."""

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
    connection: sa.Connection, by_number: Mapping[str, Declared], at_us: int | None = None
) -> dict[str, list[Problem]]:
    """Returns why nothing may be financed on these declarations, by number; only those under a hold are in it.

    One query whatever their number.
    """
    owners = {declared.enterprise for declared in by_number.values()}
    problems: dict[str, list[Problem]] = {}
    for record in records_store.over(connection, "hold", by_number, owners, at_us):
        message = record.message
        if message.hold.state == PLACED:
            for number in _touched(record, message.hold, by_number):
                problems.setdefault(number, []).append(reason(message))
    return problems


def _touched(record: Record, hold: records_pb2.Hold, by_number: Mapping[str, Declared]) -> list[str]:
    """Returns the numbers of the declarations that a hold covers: its own, or its enterprise's with such goods."""
    if record.declaration:
        return [record.declaration]
    return [
        number
        for number, declaration in by_number.items()
        if declaration.enterprise == record.enterprise and _has_goods(declaration, hold.commodity_code)
    ]


def _has_goods(declaration: Declared, prefix: str) -> bool:
    if not prefix:
        return True
    lines = declarations_pb2.Declaration.FromString(declaration.body).lines
    return any(line.commodity_code.startswith(prefix) for line in lines)


def reason(message: records_pb2.Record) -> Problem:
    """Returns the reason that a hold gives to whoever asks for finance."""
    hold = message.hold
    on = day_in_china(message.notice_time.ToMicroseconds())
    row = code_table("hold_kinds").row(records_pb2.Hold.Kind.Name(hold.kind), on)
    assert row is not None
    words = {"authority": hold.authority, "number": hold.hold_number}
    return Problem("status", row["reason"], row["english"].format(**words), row["chinese"].format(**words))


def tell(transaction: Transaction, changed: Sequence[tuple[Record, records_pb2.Hold]]) -> None:
    """Tells the enterprise, and every holder of value that the hold is about, that it was placed or lifted."""
    declared = {f"declarations/{record.declaration}" for record, _ in changed if record.declaration}
    on_declarations = encumbrance_store.holders_of(transaction.connection, declared) if declared else {}
    owners = {record.enterprise for record, _ in changed if not record.declaration}
    holders = encumbrance_store.holders(transaction.connection, owners) if owners else {}
    for record, hold in changed:
        standing = on_declarations.get(f"declarations/{record.declaration}", ())
        parties = [
            record.enterprise,
            *sorted(encumbrance.holder for encumbrance in standing),
            *holders.get(record.enterprise, ()),
        ]
        records_store.tell(transaction, "hold.placed" if hold.state == PLACED else "hold.lifted", record, parties)
