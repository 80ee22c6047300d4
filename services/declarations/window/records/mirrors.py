"""A foreign import declaration beside an export declaration: proof that the buyer really imported. Pure.

What both sides say is compared, each with its weight and tolerance of data/mirror_terms.csv; the score is the
weight of what agrees out of a hundredth of what could be compared. An import before the exit or too long after it,
or into another country, is none of this sale.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aval.declarations.v1 import declarations_pb2, records_pb2

from chassis.errors import Problem
from services.declarations.customs.checks import decimal_or_none
from services.declarations.customs.code_tables import Row, code_table
from trade.checks import date_or_none

HARMONISED_DIGITS = 6
# Below half of all weights too little can be compared to say that it is the same sale.
LEAST_COMPARED = 50
Export = declarations_pb2.Declaration
Mirror = records_pb2.MirrorDeclaration


@dataclass(frozen=True, slots=True)
class Match:
    """How well a mirror fits: MATCHED, POSSIBLE or UNMATCHED, a score of 0 to 100, and why."""

    verdict: str
    score: int
    reasons: tuple[Problem, ...]


def match(export: Export, mirror: Mirror, today: datetime.date) -> Match:
    """How well a foreign import declaration fits an export declaration."""
    terms = {row["code"]: row for code in COMPARISONS if (row := code_table("mirror_terms").row(code, today))}
    agreeing, compared, reasons = 0, 0, []
    for code, row in terms.items():
        agrees = COMPARISONS[code](export, mirror, Decimal(row["tolerance"] or "0"))
        if agrees is None:
            continue
        compared += int(row["weight"])
        agreeing += int(row["weight"]) if agrees else 0
        reasons.append(_reason(code, row, agrees))
    contradictions = list(_contradictions(export, mirror, today))
    score = 0 if contradictions or not compared else agreeing * 100 // compared
    return Match(_verdict(score, compared, today), score, (*contradictions, *reasons))


def _verdict(score: int, compared: int, today: datetime.date) -> str:
    terms = code_table("terms")
    if score < int(terms.value("mirror_possible_score", today)):
        return "UNMATCHED"
    is_matched = score >= int(terms.value("mirror_matched_score", today)) and compared >= LEAST_COMPARED
    return "MATCHED" if is_matched else "POSSIBLE"


def _reason(code: str, row: Row, agrees: bool) -> Problem:
    state = "AGREES" if agrees else "DIFFERS"
    english = f"The {row['english']} {'agrees' if agrees else 'differs'} between export and import."
    chinese = f"出口与进口报关单的{row['chinese']}{'一致' if agrees else '不一致'}。"
    return Problem(code, f"MIRROR_{code.upper()}_{state}", english, chinese)


def _contradictions(export: Export, mirror: Mirror, today: datetime.date) -> Iterator[Problem]:
    left, came = date_or_none(export.export_date), date_or_none(mirror.accept_date)
    most = int(code_table("terms").value("mirror_days_max", today))
    if left and came and not left <= came <= left + datetime.timedelta(days=most):
        yield Problem(
            "accept_date",
            "MIRROR_DATE_IMPOSSIBLE",
            f"The import of {came} is before the exit of {left} or more than {most} days after it.",
            f"进口日期 {came} 早于出口日期 {left} 或晚于其后 {most} 天。",
        )
    if export.destination_country and export.destination_country != mirror.country:
        yield Problem(
            "country",
            "MIRROR_COUNTRY_DIFFERS",
            f"The goods went to {export.destination_country}, the import is of {mirror.country}.",
            f"货物运抵国为 {export.destination_country}，进口国为 {mirror.country}。",
        )


def _same_text(name: str, other: str) -> bool | None:
    pair = name.strip().upper(), other.strip().upper()
    return pair[0] == pair[1] if all(pair) else None


def _goods(export: Export, mirror: Mirror, _tolerance: Decimal) -> bool | None:
    """Whether what was imported is among what was exported, by the six digits that are the world's."""
    exported = {line.commodity_code[:HARMONISED_DIGITS] for line in export.lines}
    imported = {line.commodity_code[:HARMONISED_DIGITS] for line in mirror.lines}
    return imported <= exported if exported and imported else None


def _sum(values: Iterable[Any]) -> Decimal | None:
    """The sum of decimals; None unless all of them are told."""
    numbers = [decimal_or_none(value.value) for value in values]
    return (
        None
        if not numbers or None in numbers
        else sum((number for number in numbers if number is not None), Decimal(0))
    )


def _close(exported: Decimal | None, imported: Decimal | None, tolerance: Decimal) -> bool | None:
    """Whether the import is the export within the tolerance; None where one isn't told."""
    if not exported or not imported:
        return None
    return abs(exported - imported) <= exported * tolerance


def _weight(export: Export, mirror: Mirror, tolerance: Decimal) -> bool | None:
    exported = decimal_or_none(export.net_weight_kilograms.value)
    return _close(exported, _sum(line.net_weight_kilograms for line in mirror.lines), tolerance)


def _quantity(export: Export, mirror: Mirror, tolerance: Decimal) -> bool | None:
    exported = _sum(line.quantity for line in export.lines)
    return _close(exported, _sum(line.quantity for line in mirror.lines), tolerance)


def _value(export: Export, mirror: Mirror, tolerance: Decimal) -> bool | None:
    """Only in the same currency: the terms of sale alone may differ by freight and insurance."""
    exported, imported = export.declared_value, mirror.invoice_amount
    if exported.currency_code != imported.currency_code:
        return None
    return _close(Decimal(exported.minor_units), Decimal(imported.minor_units), tolerance)


COMPARISONS: Mapping[str, Callable[[Export, Mirror, Decimal], bool | None]] = {
    "transport_document": lambda export, mirror, _: _same_text(export.bill_number, mirror.bill_number),
    "invoice": lambda export, mirror, _: _same_text(export.invoice_number, mirror.invoice_number),
    "goods": _goods,
    "weight": _weight,
    "quantity": _quantity,
    "value": _value,
}
