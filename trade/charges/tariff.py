"""Tariffs: rows of a dated table that say what is charged for an event or for each period that is begun."""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from chassis import money
from chassis.errors import Problem
from chassis.money import Money


class Earned(enum.StrEnum):
    """When a charge is earned: AT_ONCE by its event, or BY_DAYS over its term: a reversal gives the rest back."""

    AT_ONCE = "AT_ONCE"
    BY_DAYS = "BY_DAYS"


class Bearer(enum.StrEnum):
    """The party that bears charges: OUR the ordering one, BEN the beneficiary, SHA each its own bank's."""

    OUR = "OUR"
    SHA = "SHA"
    BEN = "BEN"
    CONTRACT = "CONTRACT"


class Tier(NamedTuple):
    """A rate on the part of an amount that lies beyond `beyond`, up to the next tier; `beyond` in minor units."""

    beyond: int
    rate: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """A row of a tariff: flat amount plus rates by tiers, once or for each period of so many months, within bounds.

    `months` 0 charges once for the event. `least` and `most` bound the whole charge; None bounds nothing.
    """

    code: str
    flat: Money
    tiers: Sequence[Tier]
    months: int
    least: Money | None
    most: Money | None
    bearer: Bearer
    earned: Earned
    source: str

    @property
    def currency(self) -> str:
        """Returns the currency in which it charges."""
        return self.flat.currency


Row = Mapping[str, str]


def read(row: Row) -> Tariff:
    """Returns the tariff of a row without problems.

    The tiers "0:0.0015 1000000:0.001" are 0.15 % of the first million major units and 0.1 % of the rest.
    """
    currency = row["currency"]
    return Tariff(
        code=row["code"],
        flat=_amount(row["flat"] or "0", currency),
        tiers=[_tier(text, currency) for text in row["tiers"].split()],
        months=int(row["months"] or "0"),
        least=_amount(row["least"], currency) if row["least"] else None,
        most=_amount(row["most"], currency) if row["most"] else None,
        bearer=Bearer(row["bearer"]),
        earned=Earned(row["earned"]),
        source=row["source"],
    )


def _amount(text: str, currency: str) -> Money:
    """Returns major units as money. Raises ValueError for more decimals than the currency has."""
    exact = Decimal(text)
    amount = money.rounded(exact, currency)
    if amount.major() != exact or exact < 0:
        raise ValueError(f"{text} isn't an amount of {currency}")
    return amount


def _tier(text: str, currency: str) -> Tier:
    beyond, rate = text.split(":")
    return Tier(_amount(beyond, currency).minor_units, Decimal(rate))


def problems(row: Row, path: str) -> list[Problem]:
    """Returns all that is wrong with a row of a tariff, so that nobody is charged by a row that can't be read."""
    if not money.is_currency(row["currency"]):
        return [_problem(f"{path}.currency", "a currency that money is paid in", "现行货币")]
    unread = [_problem(f"{path}.{field}", *expected) for field, expected in _FIELDS.items() if not _reads(row, field)]
    return unread or _disorder(read(row), path)


def _reads(row: Row, field: str) -> bool:
    """Returns whether a field can be read by itself."""
    try:
        _READERS[field](row[field], row["currency"])
    except (ValueError, InvalidOperation):
        return False
    return True


def _disorder(tariff: Tariff, path: str) -> list[Problem]:
    """Returns what fields that can be read say against each other."""
    beyond, least, most = [tier.beyond for tier in tariff.tiers], tariff.least, tariff.most
    tests = (
        (beyond[:1] in ([], [0]) and beyond == sorted(set(beyond)), "tiers", "tiers that begin at 0 and rise",
         "自 0 起递增的分档"),
        (all(tier.rate >= 0 for tier in tariff.tiers), "tiers", "rates of 0 or more", "不小于 0 的费率"),
        (least is None or most is None or least <= most, "most", "no less than `least`", "不小于 least"),
        (tariff.tiers or tariff.flat, "flat", "an amount or tiers", "金额或分档"),
        (tariff.earned is Earned.AT_ONCE or tariff.months, "earned", "AT_ONCE where there is no period",
         "无期间者须为 AT_ONCE"),
    )  # fmt: skip
    return [
        _problem(f"{path}.{field}", english, chinese) for is_right, field, english, chinese in tests if not is_right
    ]


def _problem(path: str, english: str, chinese: str) -> Problem:
    return Problem(path, "TARIFF_INVALID", f"Give {english}.", f"请填写{chinese}。")


def _whole(text: str, _currency: str) -> int:
    count = int(text or "0")
    if count < 0:
        raise ValueError(text)
    return count


_OPTIONAL_AMOUNT = ("an amount in major units, or nothing", "主币单位金额或留空")
_FIELDS: Mapping[str, tuple[str, str]] = {
    "flat": _OPTIONAL_AMOUNT,
    "tiers": ("tiers like 0:0.0015 1000000:0.001", "形如 0:0.0015 1000000:0.001 的分档"),
    "months": ("whole months, or nothing", "整月数或留空"),
    "least": _OPTIONAL_AMOUNT,
    "most": _OPTIONAL_AMOUNT,
    "bearer": ("one of OUR, SHA, BEN, CONTRACT", "OUR、SHA、BEN 或 CONTRACT"),
    "earned": ("AT_ONCE or BY_DAYS", "AT_ONCE 或 BY_DAYS"),
}
_READERS: Mapping[str, Callable[[str, str], object]] = {
    "flat": lambda text, currency: _amount(text or "0", currency),
    "tiers": lambda text, currency: [_tier(each, currency) for each in text.split()],
    "months": _whole,
    "least": lambda text, currency: _amount(text or "0", currency),
    "most": lambda text, currency: _amount(text or "0", currency),
    "bearer": lambda text, _currency: Bearer(text),
    "earned": lambda text, _currency: Earned(text),
}
