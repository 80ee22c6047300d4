"""The days of a year by which interest of a currency is counted, from data/day_count_bases.csv."""

from datetime import date

from chassis.codetables import code_table


def day_count_basis(currency: str, on: date) -> int:
    """Returns the days of a year for interest in a currency: 365 for GBP, 360 for USD."""
    bases = code_table("trade", "day_count_bases")
    row = bases.row(currency, on) or bases.row("default", on)
    assert row is not None, "the table has no default"
    return int(row["value"])
