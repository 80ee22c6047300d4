"""Permits of controlled goods: which goods need one, and whether it is there and in force. Pure, over protos.

Which HS codes need which kind is data/licensed_goods.csv. A permit must be in force on the day of exit; that it
was revoked or suspended since counts too.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis.errors import Problem
from chassis.rpc import to_date
from services.declarations.checks import date_or_none, decimal_or_none
from services.declarations.code_tables import Row, code_table

PREFIX_DIGITS = (10, 9, 8, 7, 6, 5, 4, 3, 2)
Held = Mapping[str, records_pb2.Permit]
IN_FORCE = records_pb2.Permit.IN_FORCE


@dataclass(frozen=True, slots=True)
class Need:
    """One line of goods that needs a permit of a kind."""

    index: int
    line: declarations_pb2.DeclarationLine
    permit_kind: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was needed, the permits (records/{id}) that were relied on, and what is missing."""

    needs: Sequence[Need]
    relied_on: Sequence[str]
    problems: Sequence[Problem]


def needs(declaration: declarations_pb2.Declaration, on: datetime.date) -> list[Need]:
    """The lines that need a permit, and of which kind."""
    return [
        Need(index, line, kind)
        for index, line in enumerate(declaration.lines)
        for kind in _kinds(line.commodity_code, on)
    ]


def _kinds(commodity_code: str, on: datetime.date) -> list[str]:
    """The kinds that goods need: by the longest prefix that the table has."""
    table = code_table("licensed_goods")
    rows = (table.row(commodity_code[:digits], on) for digits in PREFIX_DIGITS)
    row: Row | None = next((row for row in rows if row), None)
    return row["permit_kinds"].split() if row else []


def day_of(declaration: declarations_pb2.Declaration, today: datetime.date) -> datetime.date:
    """The day on which permits must be in force: that of exit, or today where it isn't known."""
    return date_or_none(declaration.export_date) or today


def verdict(declaration: declarations_pb2.Declaration, permits: Held, on: datetime.date) -> Verdict:
    """Of the holder's permits by name, whether they cover the goods on a day."""
    wanted = needs(declaration, on)
    covered: dict[str, Decimal] = {}
    relied_on: list[str] = []
    problems: list[Problem] = []
    for need in wanted:
        found, problem = _cover(need, permits, on, covered)
        if found:
            relied_on.append(found)
        if problem:
            problems.append(problem)
    return Verdict(wanted, list(dict.fromkeys(relied_on)), problems)


def _cover(need: Need, permits: Held, on: datetime.date, covered: dict[str, Decimal]) -> tuple[str, Problem | None]:
    """The permit that covers a line, or why none does: the reason that is easiest to mend."""
    reasons: list[str] = []
    for name, permit in permits.items():
        if not _is_for(permit, need):
            continue
        reason = _hindrance(permit, on) or _over_quantity(name, permit, need, covered)
        if not reason:
            return name, None
        reasons.append(reason)
    worst = min(reasons, key=REASONS.index) if reasons else "PERMIT_MISSING"
    return "", _problem(need, worst, on)


def _is_for(permit: records_pb2.Permit, need: Need) -> bool:
    fits = any(need.line.commodity_code.startswith(code) for code in permit.commodity_codes)
    return fits and permit.permit_kind == need.permit_kind


def _hindrance(permit: records_pb2.Permit, on: datetime.date) -> str:
    tests = (
        (permit.status == IN_FORCE, "PERMIT_NOT_IN_FORCE"),
        (to_date(permit.valid_from) <= on, "PERMIT_NOT_YET_VALID"),
        (on <= to_date(permit.valid_to), "PERMIT_EXPIRED"),
    )
    return next((reason for is_right, reason in tests if not is_right), "")


def _over_quantity(name: str, permit: records_pb2.Permit, need: Need, covered: dict[str, Decimal]) -> str:
    """Whether the declaration takes more than the permit gives, counted where both are in the same unit."""
    if not permit.HasField("quantity") or permit.unit != need.line.unit:
        return ""
    total = covered.get(name, Decimal(0)) + (decimal_or_none(need.line.quantity.value) or Decimal(0))
    if total > Decimal(permit.quantity.value):
        return "PERMIT_QUANTITY_EXCEEDED"
    covered[name] = total
    return ""


# From what is easiest to mend: reason, English and Chinese.
_TEXTS: Mapping[str, tuple[str, str]] = {
    "PERMIT_QUANTITY_EXCEEDED": (
        "{goods} ({code}) exceeds the quantity of its {kind}; get one for the rest.",
        "{goods}（{code}）超过{kind}的数量；请就超出部分申领许可。",
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


def _problem(need: Need, reason: str, on: datetime.date) -> Problem:
    row = code_table("permit_kinds").row(need.permit_kind, on)
    kinds = (row["english"], row["chinese"]) if row else (need.permit_kind, need.permit_kind)
    texts = [
        text.format(goods=need.line.goods_name, code=need.line.commodity_code, kind=kind, day=on.isoformat())
        for text, kind in zip(_TEXTS[reason], kinds, strict=True)
    ]
    return Problem(f"lines[{need.index}].commodity_code", reason, *texts)


def by_holder(records: Iterable[records_pb2.Record]) -> Mapping[str, Held]:
    """Permits by their holders and names."""
    found: dict[str, dict[str, records_pb2.Permit]] = {}
    for record in records:
        found.setdefault(record.enterprise, {})[record.name] = record.permit
    return found
