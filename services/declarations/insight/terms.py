"""The terms of judgement: data/insight_terms.csv as effective on a day."""

from datetime import date

from chassis.clock import MICROSECONDS
from services.declarations.customs.code_tables import code_table


def term(name: str, on: date) -> str:
    """Returns a term's value."""
    return code_table("insight_terms").value(name, on)


def observations_least(on: date) -> int:
    """Returns the number of prices that make a norm."""
    return int(term("price_observations_least", on))


def sellers_least(on: date) -> int:
    """Returns the number of sellers that a norm needs, so that it tells none of their prices to the others."""
    return int(term("price_sellers_least", on))


def norm_interval_us(on: date) -> int:
    """Returns the time from one look at all norms to the next, in microseconds."""
    return int(term("norm_seconds", on)) * MICROSECONDS


def publish_percent(on: date) -> int:
    """Returns the percentage of the earlier observations at which a norm is published anew."""
    return int(term("price_publish_percent", on))


def deviation_factor(on: date) -> int:
    """Returns the factor beyond the quartiles at which a price is unusual."""
    return int(term("price_deviation_factor", on))


def portrait_interval_us(on: date) -> int:
    """Returns the age at which a portrait is computed anew, in microseconds."""
    return int(term("portrait_seconds", on)) * MICROSECONDS
