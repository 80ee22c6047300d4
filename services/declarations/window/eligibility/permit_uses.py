"""What declarations take of permits: assigned as they come, given back as they are amended, rejected or deleted.

Whatever takes or gives back does so under one lock of its enterprise, and no permit is ever assigned more than it has.
An assignment stays until its declaration gives it back or the permit no longer bears it: what a confirmation relied on
is its own, so a confirmation needs no lock. Who finds no room waits, and is served in order once there is some.
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


class Taking(NamedTuple):
    """What one declaration takes: its number, the day of exit if it is known, its goods; `before`: what it took."""

    enterprise: str
    declaration: str
    day: datetime.date | None
    goods: Sequence[Goods]
    before: Sequence[PermitUse] = ()


def declared(transaction: Transaction, fresh: Sequence[DeclaredGoods], status: Callable[[str], str]) -> None:
    """New declarations of controlled goods; one that receipts had made void before it came takes nothing."""
    _take(transaction, [_taking(declared_goods) for declared_goods in fresh if not _is_void(status(declared_goods.id))])


def _taking(content: DeclaredGoods, before: Sequence[PermitUse] = ()) -> Taking:
    return Taking(content.enterprise, content.id, content.declared_on, content.controlled, before)


def amended(transaction: Transaction, before: Declared, content: DeclaredGoods) -> None:
    """What it took is given back; it keeps its permits where it takes no more of anything and leaves the same day."""
    old = _taking_of(before)
    if _is_void(before.status) or (old.goods, old.day) == (content.controlled, content.declared_on):
        return
    # The declaration first: who changes it by receipts has its name already.
    database.lock(transaction.connection, [before.name])
    _lock(transaction, [before.enterprise])
    uses = store.permit_uses_of(transaction.connection, [before.id]).get(before.id, [])
    keeps = old.day == content.declared_on and not permits.grows(old.goods, content.controlled)
    _take(transaction, [_taking(content, uses if keeps else ())], uses)


def moved(transaction: Transaction, changed: Iterable[tuple[Declared, Declared]]) -> None:
    """Receipts moved declarations: what became void gives back, what comes back waits like any other."""
    crossed = [(before, after) for before, after in changed if _is_void(before.status) != _is_void(after.status)]
    voided = [after.id for _, after in crossed if _is_void(after.status)]
    by_number = store.permit_uses_of(transaction.connection, voided) if voided else {}
    back = [_taking_of(after) for _, after in crossed if not _is_void(after.status)]
    _take(transaction, back, list(itertools.chain(*by_number.values())))


def _is_void(status: str) -> bool:
    return receipts.effect_on_value(status) == receipts.VOIDS


def _taking_of(declaration: Declared) -> Taking:
    body = declarations_pb2.Declaration.FromString(declaration.body)
    day = date_or_none(body.export_date) if body.HasField("export_date") else None
    return Taking(declaration.enterprise, declaration.id, day, permits.controlled(body))


def follow(transaction: Transaction, changed: Sequence[tuple[Record, records_pb2.Permit]]) -> None:
    """Permits came or changed: who can't keep one any more waits, and who waited is served."""
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
    """The permits of each of these enterprises, by name."""
    found = records_store.about(connection, "permit", record_versions.c.enterprise, enterprises, at_us)
    return permits.by_holder(map(records_rpc.to_proto, found))


def taken(connection: sa.Connection, by_holder: Mapping[str, permits.Held], at_us: int | None = None) -> permits.Taken:
    """What is taken of those of these permits that have a quantity."""
    limited = {
        name: permit for theirs in by_holder.values() for name, permit in theirs.items() if permit.HasField("quantity")
    }
    found: permits.Taken = {}
    identifiers = [name.removeprefix("records/") for name in limited]
    for use in store.permits_taken(connection, identifiers, at_us) if limited else ():
        permits.take(limited[f"records/{use.permit}"], f"records/{use.permit}", use.goods, found)
    return found


def _take(transaction: Transaction, wanted: Iterable[Taking], given_back: Sequence[PermitUse] = ()) -> None:
    """Ends what is given back, and assigns permits to those who waited for it and to what is wanted, in this order."""
    takings = [taking for taking in wanted if taking.goods]
    enterprises = {taking.enterprise for taking in takings} | {use.enterprise for use in given_back}
    if not enterprises:
        return
    _lock(transaction, enterprises)
    today = transaction.business_date
    fresh = [use for taking in takings for use in _uses(taking, today)]
    _serve(transaction, given_back, fresh, {use.enterprise for use in given_back})


def _uses(taking: Taking, today: datetime.date) -> Iterator[PermitUse]:
    """A use for each line and kind of permit, with what it had; neither numbered nor, where it is new, placed yet."""
    had: dict[tuple[str, str], list[PermitUse]] = {}
    for use in taking.before:
        had.setdefault((use.permit_kind, use.commodity_code), []).append(use)
    for goods in taking.goods:
        for kind in permits.kinds_of(goods.commodity_code, taking.day or today):
            fresh = PermitUse(taking.enterprise, 0, 0, taking.declaration, kind, *goods, taking.day, "", 0, 0)
            before = had.get((kind, goods.commodity_code))
            yield _succeeding(before.pop(0), fresh) if before else fresh


def _succeeding(before: PermitUse, fresh: PermitUse) -> PermitUse:
    return replace(fresh, place=before.place, permit=before.permit)


def _serve(
    transaction: Transaction, ended: Sequence[PermitUse], fresh: Sequence[PermitUse], freed: Iterable[str]
) -> None:
    """Writes uses with the permits that have room for them; in `freed` enterprises also of those who wait."""
    connection, today = transaction.connection, transaction.business_date
    store.end_permit_uses(connection, ended, transaction.now_us)
    waiting = store.waiting_uses(connection, freed) if freed else []
    by_holder = held(connection, {use.enterprise for use in [*fresh, *waiting]})
    counted = taken(connection, by_holder)
    keeping = [_kept(use, by_holder, counted) for use in fresh]
    in_order = sorted([*waiting, *keeping], key=lambda use: (use.place == 0, use.place))
    served = [_assigned(use, by_holder.get(use.enterprise, {}), counted, use.day or today) for use in in_order]
    found = {(use.enterprise, use.position) for use in served if use.permit}
    store.end_permit_uses(
        connection, [use for use in waiting if (use.enterprise, use.position) in found], transaction.now_us
    )
    _add(transaction, [use for use in served if use.permit or not use.position])


def _kept(use: PermitUse, by_holder: Mapping[str, permits.Held], counted: permits.Taken) -> PermitUse:
    """A use with what it had, if that still bears it: before others are served."""
    name = f"records/{use.permit}"
    permit = by_holder.get(use.enterprise, {}).get(name)
    return use if permit and permits.take(permit, name, use.goods, counted) else replace(use, permit="")


def _assigned(use: PermitUse, theirs: permits.Held, counted: permits.Taken, on: datetime.date) -> PermitUse:
    """A use with what it has, or with a permit that has room for it."""
    if use.permit:
        return use
    return replace(use, permit=permits.assign(use, theirs, counted, on).removeprefix("records/"))


def _add(transaction: Transaction, uses: Sequence[PermitUse]) -> None:
    """Numbers uses; one that has no place yet gets the last."""
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
    """Permits that are assigned more than they have, or to what they aren't for; permits of void declarations."""
    uses = store.all_assigned_uses(connection)
    known = {record.name: record for record in records_store.newest(connection, {use.permit for use in uses}).values()}
    counted: permits.Taken = {}
    wrong = {
        f"records/{use.permit}: doesn't bear what declarations/{use.declaration} takes of it"
        for use in uses
        if not _bears(known.get(f"records/{use.permit}"), use, counted)
    }
    return sorted(wrong)


def _bears(record: Record | None, use: PermitUse, counted: permits.Taken) -> bool:
    """Whether a use stands on a permit as `follow` would leave it; without a day it may have expired since."""
    if record is None:
        return False
    on = use.day or date_or_none(record.message.permit.valid_to)
    return on is not None and _keeps(use, {record.name: records_rpc.to_proto(record).permit}, counted, on)
