"""Assigns permits to declarations as they come, and takes them back as these are amended, rejected or deleted.

Whatever takes or gives back does so under one lock of its enterprise, and no permit is ever assigned more than it has.
An assignment stays until its declaration gives it back or the permit no longer bears it: a confirmation relies on
assignments that are its own, so it needs no lock. A use that finds no room waits, and is served in order once there is.
"""

import datetime
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis import database
from chassis.command import Transaction
from services.declarations.customs import receipts
from services.declarations.window.eligibility import permits, store
from services.declarations.window.eligibility.model import Declared, DeclaredGoods, Goods, PermitUse
from services.declarations.window.records import rpc as records_rpc
from services.declarations.window.records import store as records_store
from services.declarations.window.records.model import Record
from services.declarations.window.records.store import record_versions
from trade.checks import date_or_none


class PermitDraw(NamedTuple):
    """One declaration's demand: its number, the day of exit where it is known, its goods; `before`: its uses so far."""

    enterprise: str
    declaration: str
    day: datetime.date | None
    goods: Sequence[Goods]
    before: Sequence[PermitUse] = ()


def declared(transaction: Transaction, arrived: Sequence[DeclaredGoods], status: Callable[[str], str]) -> None:
    """Takes permits for new declarations of controlled goods; one that receipts had voided before takes nothing."""
    _take(transaction, [_draw(declared_goods) for declared_goods in arrived if not _is_void(status(declared_goods.id))])


def _draw(content: DeclaredGoods, before: Sequence[PermitUse] = ()) -> PermitDraw:
    return PermitDraw(content.enterprise, content.id, content.declared_on, content.controlled, before)


def amended(transaction: Transaction, before: Declared, content: DeclaredGoods) -> None:
    """Gives back what a declaration took; it keeps its permits where nothing grows and it leaves on the same day."""
    old = _draw_of(before)
    if _is_void(before.status) or (old.goods, old.day) == (content.controlled, content.declared_on):
        return
    # The declaration first: a command that changes it by receipts holds its name already.
    database.lock(transaction.connection, [before.name])
    _lock(transaction, [before.enterprise])
    uses = store.permit_uses_of(transaction.connection, [before.id]).get(before.id, [])
    keeps = old.day == content.declared_on and not permits.grows(old.goods, content.controlled)
    _take(transaction, [_draw(content, uses if keeps else ())], uses)


def moved(transaction: Transaction, changed: Iterable[tuple[Declared, Declared]]) -> None:
    """Follows receipts: declarations that became void give back, those that come back wait like any other."""
    crossed = [(before, after) for before, after in changed if _is_void(before.status) != _is_void(after.status)]
    voided = [after.id for _, after in crossed if _is_void(after.status)]
    by_number = store.permit_uses_of(transaction.connection, voided) if voided else {}
    back = [_draw_of(after) for _, after in crossed if not _is_void(after.status)]
    _take(transaction, back, list(itertools.chain(*by_number.values())))


def _is_void(status: str) -> bool:
    return receipts.effect_on_value(status) == receipts.VOIDS


def _draw_of(declaration: Declared) -> PermitDraw:
    body = declarations_pb2.Declaration.FromString(declaration.body)
    day = date_or_none(body.export_date) if body.HasField("export_date") else None
    return PermitDraw(declaration.enterprise, declaration.id, day, permits.controlled(body))


def follow(transaction: Transaction, changed: Sequence[tuple[Record, records_pb2.Permit]]) -> None:
    """Follows permits that came or changed: uses that can't keep theirs wait, and waiting uses are served."""
    names = {record.record for record, _ in changed}
    holders = {record.enterprise for record, _ in changed}
    _lock(transaction, holders)
    assigned = store.permits_taken(transaction.connection, names)
    if former := {use.enterprise for use in assigned} - holders:
        _lock(transaction, former)
    by_holder, today = held(transaction.connection, holders), transaction.business_date
    taken: permits.Taken = {}
    lost = [use for use in assigned if not _keeps(use, by_holder.get(use.enterprise, {}), taken, today)]
    _serve(transaction, lost, [replace(use, position=0, permit="") for use in lost], holders | former)


def _keeps(use: PermitUse, theirs: permits.Held, taken: permits.Taken, today: datetime.date) -> bool:
    name = f"records/{use.permit}"
    permit = theirs.get(name)
    if permit is None or not permits.may_keep(permit, use.permit_kind, use.goods, use.day or today):
        return False
    return permits.take(permit, name, use.goods, taken)


def held(connection: sa.Connection, enterprises: Iterable[str], at_us: int | None = None) -> Mapping[str, permits.Held]:
    """Returns the permits of each of these enterprises, by name."""
    rows = records_store.about(connection, "permit", record_versions.c.enterprise, enterprises, at_us)
    return permits.by_holder(map(records_rpc.to_proto, rows))


def taken(connection: sa.Connection, by_holder: Mapping[str, permits.Held], at_us: int | None = None) -> permits.Taken:
    """Returns what is taken of those of these permits that have a quantity."""
    limited = {
        name: permit for theirs in by_holder.values() for name, permit in theirs.items() if permit.HasField("quantity")
    }
    quantities: permits.Taken = {}
    identifiers = [name.removeprefix("records/") for name in limited]
    for use in store.permits_taken(connection, identifiers, at_us) if limited else ():
        permits.take(limited[f"records/{use.permit}"], f"records/{use.permit}", use.goods, quantities)
    return quantities


def _take(transaction: Transaction, wanted: Iterable[PermitDraw], given_back: Sequence[PermitUse] = ()) -> None:
    """Ends what is given back, then assigns permits: first to the uses that waited for it, then to what is wanted."""
    draws = [draw for draw in wanted if draw.goods]
    enterprises = {draw.enterprise for draw in draws} | {use.enterprise for use in given_back}
    if not enterprises:
        return
    _lock(transaction, enterprises)
    today = transaction.business_date
    uses = [use for draw in draws for use in _uses(draw, today)]
    _serve(transaction, given_back, uses, {use.enterprise for use in given_back})


def _uses(draw: PermitDraw, today: datetime.date) -> Iterator[PermitUse]:
    """Yields a use for each line and kind of permit, with the permit it had; without number and, where new, place."""
    had: dict[tuple[str, str], list[PermitUse]] = {}
    for use in draw.before:
        had.setdefault((use.permit_kind, use.commodity_code), []).append(use)
    for goods in draw.goods:
        for kind in permits.kinds_of(goods.commodity_code, draw.day or today):
            wanted = PermitUse(
                enterprise=draw.enterprise,
                position=0,
                place=0,
                declaration=draw.declaration,
                permit_kind=kind,
                line=goods.line,
                commodity_code=goods.commodity_code,
                quantity=goods.quantity,
                unit=goods.unit,
                day=draw.day,
                permit="",
                since_us=0,
                until_us=0,
            )
            before = had.get((kind, goods.commodity_code))
            yield _succeeding(before.pop(0), wanted) if before else wanted


def _succeeding(before: PermitUse, after: PermitUse) -> PermitUse:
    return replace(after, place=before.place, permit=before.permit)


def _serve(
    transaction: Transaction, ended: Sequence[PermitUse], arrived: Sequence[PermitUse], freed: Iterable[str]
) -> None:
    """Writes uses with the permits that have room for them; in `freed` enterprises also the waiting uses."""
    connection, today = transaction.connection, transaction.business_date
    store.end_permit_uses(connection, ended, transaction.now_us)
    waiting = store.waiting_uses(connection, freed) if freed else []
    by_holder = held(connection, {use.enterprise for use in [*arrived, *waiting]})
    counted = taken(connection, by_holder)
    keeping = [_kept(use, by_holder, counted) for use in arrived]
    in_order = sorted([*waiting, *keeping], key=lambda use: (use.place == 0, use.place))
    served = [_assigned(use, by_holder.get(use.enterprise, {}), counted, use.day or today) for use in in_order]
    assigned = {(use.enterprise, use.position) for use in served if use.permit}
    store.end_permit_uses(
        connection, [use for use in waiting if (use.enterprise, use.position) in assigned], transaction.now_us
    )
    _add(transaction, [use for use in served if use.permit or not use.position])


def _kept(use: PermitUse, by_holder: Mapping[str, permits.Held], counted: permits.Taken) -> PermitUse:
    """Returns a use with the permit it had, if that still bears it: before others are served."""
    name = f"records/{use.permit}"
    permit = by_holder.get(use.enterprise, {}).get(name)
    return use if permit and permits.take(permit, name, use.goods, counted) else replace(use, permit="")


def _assigned(use: PermitUse, theirs: permits.Held, counted: permits.Taken, on: datetime.date) -> PermitUse:
    """Returns a use with the permit it has, or with one that has room for it."""
    if use.permit:
        return use
    return replace(use, permit=permits.assign(use, theirs, counted, on).removeprefix("records/"))


def _add(transaction: Transaction, uses: Sequence[PermitUse]) -> None:
    """Numbers uses and adds them; a use without a place gets the last."""
    if not uses:
        return
    last = store.last_positions(transaction.connection, {use.enterprise for use in uses})
    numbered = []
    for use in uses:
        position = last[use.enterprise] = last.get(use.enterprise, 0) + 1
        numbered.append(
            replace(use, position=position, place=use.place or position, since_us=transaction.now_us, until_us=0)
        )
    store.add_permit_uses(transaction.connection, numbered)


def _lock(transaction: Transaction, enterprises: Iterable[str]) -> None:
    database.lock(transaction.connection, [f"permits/{enterprise}" for enterprise in enterprises])


def violations(connection: sa.Connection) -> list[str]:
    """Lists permits that are assigned more than they have, or to goods that they aren't for."""
    uses = store.all_assigned_uses(connection)
    by_name = {
        record.name: record for record in records_store.newest(connection, {use.permit for use in uses}).values()
    }
    counted: permits.Taken = {}
    wrong = {
        f"records/{use.permit}: doesn't bear what declarations/{use.declaration} takes of it"
        for use in uses
        if not _bears(by_name.get(f"records/{use.permit}"), use, counted)
    }
    return sorted(wrong)


def _bears(record: Record | None, use: PermitUse, counted: permits.Taken) -> bool:
    """Tells whether a use stands on a permit as `follow` would leave it; without a day it may have expired since."""
    if record is None:
        return False
    on = use.day or date_or_none(record.message.permit.valid_to)
    return on is not None and _keeps(use, {record.name: records_rpc.to_proto(record).permit}, counted, on)
