"""Code systems kept apart and mapped by data: ISO alpha, the old customs numerics, the statistics' codes.

A country is alpha-3 everywhere inside, a currency ISO 4217 alpha, a unit the customs code of three digits. Every other
system is a table under data/; the same digits mean different things in different systems.
"""

from collections.abc import Callable, Mapping
from datetime import date

from chassis.currencies import minor_digits
from services.declarations.customs.code_tables import code_table

Translate = Callable[[str, date], str | None]


def _by_table(name: str, column: str = "value") -> Translate:
    def translate(code: str, on: date) -> str | None:
        row = code_table(name).row(code, on)
        return row[column] if row else None

    return translate


def _own(name: str) -> Translate:
    """Returns a translation that checks a code of the inside's own system and leaves it as it is."""
    return lambda code, on: code if code_table(name).row(code, on) else None


def _currency(code: str, _on: date) -> str | None:
    return code if minor_digits(code) is not None else None


# By name: translates a code of the system to the inside's code, None where there is no such code.
CODE_SYSTEMS: Mapping[str, Translate] = {
    "country.iso_alpha_3": _own("countries"),
    "country.iso_alpha_2": _by_table("countries_alpha_2", "iso"),
    "country.customs_numeric": _by_table("customs_countries", "iso"),
    "country.statistics": _by_table("statistics_countries", "iso"),
    "currency.iso_alpha": _currency,
    "currency.customs_numeric": _by_table("customs_currencies", "iso"),
    "unit.customs": _own("units"),
    "unit.statistics": _by_table("statistics_units"),
}
