"""The terms by which is judged: data/insight_terms.csv as effective on a day."""

from datetime import date

from chassis.clock import MICROSECONDS
from services.declarations.customs.code_tables import code_table


def term(name: str, on: date) -> str:
    """One term's value."""
    return code_table("insight_terms").value(name, on)


def observations_least(on: date) -> int:
    """How many prices make a norm."""
    return int(term("price_observations_least", on))


def sellers_least(on: date) -> int:
    """Of how many sellers the prices of a norm must be, so that it tells none of their prices to the others."""
    return int(term("price_sellers_least", on))


def norm_interval_us(on: date) -> int:
    """How long after a look at all norms the next one begins, in microseconds."""
    return int(term("norm_seconds", on)) * MICROSECONDS


def publish_percent(on: date) -> int:
    """How many percent of what was seen at the last time make a norm be published anew."""
    return int(term("price_publish_percent", on))


def deviation_factor(on: date) -> int:
    """How far beyond the quartiles a price is unusual."""
    return int(term("price_deviation_factor", on))


def portrait_interval_us(on: date) -> int:
    """How old a portrait gets before it is computed anew, in microseconds."""
    return int(term("portrait_seconds", on)) * MICROSECONDS
