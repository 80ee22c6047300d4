"""Permits of controlled goods: which goods need one, whether it is there and in force, and what is left of it. Pure.

Which HS codes need which kind is data/licensed_goods.csv: all are permits of exports. A permit must be in force on
the day of exit; that it was revoked or suspended since counts too. Its quantity is for all declarations together: each
line takes from one permit, of several that have room the one that expires first, and keeps what it has.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis.errors import Problem
from chassis.rpc import to_date
from services.declarations.customs import direction
from services.declarations.customs.checks import decimal_or_none
from services.declarations.customs.code_tables import Row, code_table
from services.declarations.customs.units import counting_unit
from services.declarations.window.eligibility.model import Goods, PermitUse
from trade.checks import date_or_none

PREFIX_DIGITS = (10, 9, 8, 7, 6, 5, 4, 3, 2)
Held = Mapping[str, records_pb2.Permit]
IN_FORCE, USED_UP = records_pb2.Permit.IN_FORCE, records_pb2.Permit.USED_UP
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Need:
    """One line of goods that needs a permit of a kind."""

    goods_name: str
    goods: Goods
    permit_kind: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was needed, the permits (records/{id}) that were relied on, and what is missing."""

    needs: Sequence[Need]
    relied_on: Sequence[str]
    problems: Sequence[Problem]


# What is taken of permits by their names, in counting_unit.
Taken = dict[str, Decimal]
# What a declaration's lines have: the record's id by line and kind, empty where none has room.
Assigned = Mapping[tuple[int, str], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A declaration, and the day on which its permits must be in force."""

    declaration: declarations_pb2.Declaration
    on: datetime.date


def controlled(declaration: declarations_pb2.Declaration) -> tuple[Goods, ...]:
    """The goods of an export that need a permit on some day: what its uses are made of."""
    if direction.is_import(declaration.declaration_number):
        return ()
    return tuple(
        _goods(index, line) for index, line in enumerate(declaration.lines) if _is_controlled(line.commodity_code)
    )


def _goods(index: int, line: declarations_pb2.DeclarationLine) -> Goods:
    return Goods(index, line.commodity_code, decimal_or_none(line.quantity.value) or _NOTHING, line.unit)


@lru_cache(maxsize=65536)
def _is_controlled(commodity_code: str) -> bool:
    return any(commodity_code[:digits] in code_table("licensed_goods").periods for digits in PREFIX_DIGITS)


def grows(before: Iterable[Goods], after: Iterable[Goods]) -> bool:
    """Whether goods take more of anything than they did."""
    taken = _sums(before)
    return any(quantity > taken.get(key, _NOTHING) for key, quantity in _sums(after).items())


def _sums(goods: Iterable[Goods]) -> dict[tuple[str, str], Decimal]:
    sums: dict[tuple[str, str], Decimal] = {}
    for item in goods:
        unit, power = counting_unit(item.unit)
        key = (item.commodity_code, unit)
        sums[key] = sums.get(key, _NOTHING) + item.quantity.scaleb(power)
    return sums


def needs(declaration: declarations_pb2.Declaration, on: datetime.date) -> list[Need]:
    """The lines that need a permit, and of which kind."""
    return [
        Need(declaration.lines[goods.line].goods_name, goods, kind)
        for goods in controlled(declaration)
        for kind in kinds_of(goods.commodity_code, on)
    ]


@lru_cache(maxsize=65536)
def kinds_of(commodity_code: str, on: datetime.date) -> Sequence[str]:
    """The kinds that goods need: by the longest prefix that the table has."""
    table = code_table("licensed_goods")
    rows = (table.row(commodity_code[:digits], on) for digits in PREFIX_DIGITS)
    row: Row | None = next((row for row in rows if row), None)
    return row["permit_kinds"].split() if row else ()


def day_of(declaration: declarations_pb2.Declaration, today: datetime.date) -> datetime.date:
    """The day on which permits must be in force: that of exit, or today where it isn't known."""
    return date_or_none(declaration.export_date) or today


def verdict(asked: Asked, permits: Held, assigned: Assigned, taken: Mapping[str, Decimal]) -> Verdict:
    """Of the holder's permits by name, whether they cover the goods on a day.

    A line has the permit it was assigned; one that was assigned none, now or for that day, would take of what is left.
    """
    wanted = needs(asked.declaration, asked.on)
    counted = dict(taken)
    relied_on: list[str] = []
    problems: list[Problem] = []
    for need in wanted:
        found, problem = _cover(need, permits, asked.on, assigned, counted)
        if found:
            relied_on.append(found)
        if problem:
            problems.append(problem)
    return Verdict(wanted, list(dict.fromkeys(relied_on)), problems)


def _cover(
    need: Need, permits: Held, on: datetime.date, assigned: Assigned, taken: Taken
) -> tuple[str, Problem | None]:
    """The permit that covers a line, or why none does: the reason that is easiest to mend."""
    if own := _own(need, permits, on, assigned):
        return own, None
    found, reasons = _first(need.permit_kind, need.goods, permits, on, taken)
    if found:
        return found, None
    reason, name = min(reasons, key=lambda pair: REASONS.index(pair[0])) if reasons else ("PERMIT_MISSING", "")
    return "", _problem(need, reason, on, permits.get(name), taken.get(name, _NOTHING))


def are_settled(asked: Asked, permits: Held, assigned: Assigned) -> bool:
    """Whether each line that needs a permit has its own: then what others take says nothing about it."""
    return all(_own(need, permits, asked.on, assigned) for need in needs(asked.declaration, asked.on))


def _own(need: Need, permits: Held, on: datetime.date, assigned: Assigned) -> str:
    """The permit that a line was assigned and may keep; empty where there is none."""
    name = f"records/{assigned.get((need.goods.line, need.permit_kind), '')}"
    permit = permits.get(name)
    return name if permit and may_keep(permit, need.permit_kind, need.goods, on) else ""


def may_keep(permit: records_pb2.Permit, kind: str, goods: Goods, on: datetime.date) -> bool:
    """Whether who has it may keep it: it may be used up by now, by this one among others."""
    is_open = permit.status in (IN_FORCE, USED_UP)
    return is_open and _is_for(permit, kind, goods) and not _of_day(permit, on)


def assign(use: PermitUse, permits: Held, taken: Taken, on: datetime.date) -> str:
    """The name of the permit that has room for a use, which is counted as taken; empty where none has."""
    return _first(use.permit_kind, use.goods, permits, on, taken)[0]


def take(permit: records_pb2.Permit, name: str, goods: Goods, taken: Taken) -> bool:
    """Counts what goods take of a permit, if it has room for them."""
    return not _over_quantity(name, permit, goods, taken)


def _first(
    kind: str, goods: Goods, permits: Held, on: datetime.date, taken: Taken
) -> tuple[str, list[tuple[str, str]]]:
    """The first permit that has room, which is counted as taken; else each reason and the permit it is about."""
    reasons: list[tuple[str, str]] = []
    for name, permit in permits.items():
        if not _is_for(permit, kind, goods):
            continue
        reason = _hindrance(permit, on) or _over_quantity(name, permit, goods, taken)
        if not reason:
            return name, []
        reasons.append((reason, name))
    return "", reasons


def _is_for(permit: records_pb2.Permit, kind: str, goods: Goods) -> bool:
    fits = any(goods.commodity_code.startswith(code) for code in permit.commodity_codes)
    return fits and permit.permit_kind == kind


def _hindrance(permit: records_pb2.Permit, on: datetime.date) -> str:
    return "PERMIT_NOT_IN_FORCE" if permit.status != IN_FORCE else _of_day(permit, on)


def _of_day(permit: records_pb2.Permit, on: datetime.date) -> str:
    tests = (
        (to_date(permit.valid_from) <= on, "PERMIT_NOT_YET_VALID"),
        (on <= to_date(permit.valid_to), "PERMIT_EXPIRED"),
    )
    return next((reason for is_right, reason in tests if not is_right), "")


def _over_quantity(name: str, permit: records_pb2.Permit, goods: Goods, taken: Taken) -> str:
    """Whether goods take more than is left of the permit; where they don't, they are counted as taken.

    Quantities are counted in counting_unit: units of mass in kilograms, any other by itself.
    """
    if not permit.HasField("quantity"):
        return ""
    limit, unit = _limit(permit)
    counted_in, power = counting_unit(goods.unit)
    if counted_in != unit:
        return "PERMIT_UNIT_DIFFERS"
    total = taken.get(name, _NOTHING) + goods.quantity.scaleb(power)
    if total > limit:
        return "PERMIT_QUANTITY_EXCEEDED"
    taken[name] = total
    return ""


def _limit(permit: records_pb2.Permit) -> tuple[Decimal, str]:
    """The permit's quantity and the unit it is counted in."""
    unit, power = counting_unit(permit.unit)
    return Decimal(permit.quantity.value).scaleb(power), unit


# From what is easiest to mend: reason, English and Chinese.
_TEXTS: Mapping[str, tuple[str, str]] = {
    "PERMIT_QUANTITY_EXCEEDED": (
        "{asked} of {goods} ({code}) exceeds what is left of {kind} {number}: {left} of {limit} {unit}, after what"
        " other declarations take of it; get one for the rest.",
        "{goods}（{code}）申报 {asked}，超过{kind} {number} 的剩余数量：扣除其他报关单用量后，"
        "{limit}{unit}中剩余 {left}；请就超出部分申领许可。",
    ),
    "PERMIT_UNIT_DIFFERS": (
        "{kind} {number} for {goods} ({code}) counts in {unit}, the declaration in another unit: what it takes can't be"
        " told; declare the quantity in the permit's unit.",
        "{goods}（{code}）的{kind} {number} 以{unit}计量，与报关单计量单位不同，无法核减数量；请按许可证单位申报数量。",
    ),
    "PERMIT_NOT_YET_VALID": (
        "The {kind} for {goods} ({code}) begins after {day}; it must be in force then.",
        "{goods}（{code}）的{kind}在 {day} 尚未生效。",
    ),
    "PERMIT_EXPIRED": (
        "The {kind} for {goods} ({code}) had expired on {day}; it must be in force then.",
        "{goods}（{code}）的{kind}在 {day} 已过期。",
    ),
    "PERMIT_NOT_IN_FORCE": (
        "The {kind} for {goods} ({code}) is suspended, revoked or used up; ask its authority.",
        "{goods}（{code}）的{kind}已中止、撤销或用完；请联系发证机关。",
    ),
    "PERMIT_MISSING": (
        "{goods} ({code}) needs a permit: {kind}; apply for it and let the authority pass it on.",
        "{goods}（{code}）须有{kind}；请申领并由发证机关传送。",
    ),
}
REASONS = list(_TEXTS)


def _problem(need: Need, reason: str, on: datetime.date, permit: records_pb2.Permit | None, taken: Decimal) -> Problem:
    row = code_table("permit_kinds").row(need.permit_kind, on)
    kinds = (row["english"], row["chinese"]) if row else (need.permit_kind, need.permit_kind)
    said = {"goods": need.goods_name, "code": need.goods.commodity_code, "day": on.isoformat()}
    if permit is not None:
        said |= _quantities(permit, need.goods, taken)
    units = _unit_names(permit.unit, on) if permit is not None else ("", "")
    texts = [
        text.format(kind=kind, unit=unit, **said) for text, kind, unit in zip(_TEXTS[reason], kinds, units, strict=True)
    ]
    return Problem(f"lines[{need.goods.line}].commodity_code", reason, *texts)


def _quantities(permit: records_pb2.Permit, goods: Goods, taken: Decimal) -> dict[str, str]:
    """The permit's number, and what was asked for, is left and is permitted, in the permit's unit."""
    _, power = counting_unit(permit.unit)
    asked = goods.quantity.scaleb(counting_unit(goods.unit)[1] - power)
    limit = Decimal(permit.quantity.value or 0)
    quantities = {"asked": asked, "left": limit - taken.scaleb(-power), "limit": limit}
    return {"number": permit.permit_number} | {name: f"{_plain(value):f}" for name, value in quantities.items()}


def _plain(quantity: Decimal) -> Decimal:
    """Without zeros at the end of its fraction."""
    return quantity.quantize(Decimal(1)) if quantity == quantity.to_integral_value() else quantity.normalize()


def _unit_names(unit: str, on: datetime.date) -> tuple[str, str]:
    """English and Chinese; customs' table of units has no English but for units of mass."""
    row, mass = code_table("units").row(unit, on), code_table("mass_units").row(unit, on)
    return mass["english"].lower() if mass else f"unit {unit}", row["chinese"] if row else unit


def by_holder(records: Iterable[records_pb2.Record]) -> Mapping[str, Held]:
    """Permits by their holders and names, the one that expires first first."""
    found: dict[str, dict[str, records_pb2.Permit]] = {}
    for record in sorted(records, key=lambda each_record: (to_date(each_record.permit.valid_to), each_record.name)):
        found.setdefault(record.enterprise, {})[record.name] = record.permit
    return found
