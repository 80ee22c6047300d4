"""The register's terms as effective on a day: caps and times, from data/terms.csv."""

from datetime import date
from decimal import Decimal

from services.declarations.customs.code_tables import Row, code_table


def advance_cap(kind: str, on: date) -> Decimal:
    """Returns the largest part of an asset's value that may be financed, by the kind of asset."""
    return Decimal(advance_cap_row(kind, on)["value"])


def advance_cap_row(kind: str, on: date) -> Row:
    """Returns the row of terms.csv with the cap of a kind of asset. Raises KeyError where there is none."""
    row = code_table("terms").row(f"advance_cap_{kind}", on)
    if row is None:
        raise KeyError(f"advance_cap_{kind} on {on}")
    return row


def currency_haircut(on: date) -> Decimal:
    """Returns the part that is added to an amount converted from another currency, since rates move."""
    return Decimal(code_table("terms").value("currency_haircut", on))


def reserve_seconds(requested_seconds: int, on: date) -> int:
    """Returns how long a reservation holds: as asked (0: the default), at most the longest."""
    terms = code_table("terms")
    longest = int(terms.value("reserve_seconds_max", on))
    return min(requested_seconds or int(terms.value("reserve_seconds", on)), longest)


def pre_shipment_days_max(on: date) -> int:
    """Returns for how many days from its registration an order or credit may run."""
    return int(code_table("terms").value("pre_shipment_days_max", on))
