"""The register's terms as effective on a day: caps and times, from data/terms.csv."""

from datetime import date
from decimal import Decimal

from services.declarations.code_tables import code_table


def advance_cap(on: date) -> Decimal:
    """The largest part of a declared value that may be financed."""
    return Decimal(code_table("terms").value("advance_cap", on))


def reserve_seconds(asked: int, on: date) -> int:
    """How long a reservation holds: as asked (0: the default), at most the longest."""
    terms = code_table("terms")
    longest = int(terms.value("reserve_seconds_max", on))
    return min(asked or int(terms.value("reserve_seconds", on)), longest)
