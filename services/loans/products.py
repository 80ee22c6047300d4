"""Products and conventions as effective on a day, from data/*.csv."""

import enum
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial

from chassis import codetables, money
from chassis.money import Money

code_table = partial(codetables.code_table, "services.loans")

INSURED_RECEIVABLE = "insured_receivable"


class Component(enum.StrEnum):
    """The parts of a debt that a repayment pays; names in the waterfall column."""

    INTEREST = "INTEREST"
    PRINCIPAL = "PRINCIPAL"


@dataclass(frozen=True, slots=True)
class Product:
    """The rules of one product on a day; rates are parts of one, for example 0.90.

    `maturity_rule` gives the last day of its loans from the first one and the tenor, on a calendar.
    """

    code: str
    advance_rate: Decimal
    annual_rate_max: Decimal
    tenor_days_max: int
    maturity_rule: str
    maturity_calendar: str
    waterfall: tuple[Component, ...]


def product(code: str, on: date) -> Product:
    """A product's rules. KeyError where it isn't offered on the day."""
    row = code_table("products").row(code, on)
    if row is None:
        raise KeyError(f"{code} on {on}")
    return Product(
        code,
        Decimal(row["advance_rate"]),
        Decimal(row["annual_rate_max"]),
        int(row["tenor_days_max"]),
        row["maturity_rule"],
        row["maturity_calendar"],
        tuple(map(Component, row["waterfall"].split())),
    )


def amount_cap(code: str, currency: str, on: date) -> Money | None:
    """The most that one application may ask for; None where the currency isn't lent."""
    row = code_table("amount_caps").row(f"{code}/{currency}", on)
    return None if row is None else money.rounded(Decimal(row["value"]), currency)
