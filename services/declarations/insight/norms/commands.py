"""The sweeps that seed the counts from reference records, and that publish norms, some at a time."""

from collections.abc import Iterable, Mapping

from chassis import database, inbox
from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from services.declarations.customs.units import KILOGRAM
from services.declarations.insight import terms as insight_terms
from services.declarations.insight.norms import store
from services.declarations.insight.norms.model import (
    LEVELS,
    Commodity,
    Counts,
    Norm,
    bucket_of,
    is_due,
    levels,
    norm_id,
    seller_bit,
    unit_price,
)

LOCK = "insight/norms"
COUNTS_LOCK = "insight/fold"
AT_ONCE = 2_000
# How far the reference records were counted: the last one's id and time of arrival.
REFERENCES = "insight/references"
# By then what was submitted is committed, or isn't.
ARRIVAL_US = 60 * MICROSECONDS


def seed(transaction: Transaction) -> bool:
    """Counts the value per kilogram of the next reference records. Whether there may be more.

    Under the six digits of their codes that all countries share; the others are national.
    """
    connection = transaction.connection
    # The counts are those that the log's follower changes too.
    database.lock(connection, [COUNTS_LOCK])
    last_id, last_us = inbox.cursor(connection, REFERENCES)
    found = store.references(connection, last_us, last_id, transaction.now_us - ARRIVAL_US, AT_ONCE)
    if not found:
        return False
    observed: dict[Commodity, list[tuple[int, int]]] = {}
    sellers: dict[Commodity, int] = {}
    for code, currency, minor_units, kilograms, _, name in found:
        price = unit_price(minor_units, f"{kilograms:f}")
        if price is not None and len(code) >= LEVELS[-1]:
            commodity = (code[: LEVELS[-1]], KILOGRAM, currency)
            observed.setdefault(commodity, []).append((bucket_of(price), 1))
            # Public already, and of many sellers.
            sellers[commodity] = sellers.get(commodity, 0) | seller_bit(name)
    store.observe(connection, observed, sellers)
    *_, last_us, last_id = found[-1]
    inbox.advance(connection, REFERENCES, last_id, last_us)
    return len(found) == AT_ONCE


def publish(transaction: Transaction) -> bool:
    """Looks at the next commodities once it is time, and publishes the norms of which much more was seen."""
    connection, now_us = transaction.connection, transaction.now_us
    if not database.try_lock(connection, LOCK):
        return False
    on = transaction.business_date
    code, run_us = store.progress(connection)
    if not code and now_us < run_us + insight_terms.norm_interval_us(on):
        return False
    found = store.after(connection, code, AT_ONCE)
    seen = _by_level(found)
    known = store.norms(connection, seen)
    least, percent = insight_terms.observations_least(on), insight_terms.publish_percent(on)
    sellers = insight_terms.sellers_least(on)
    fresh = [
        _published(key, counts, known.get(key), now_us)
        for key, counts in seen.items()
        if counts.sellers.bit_count() >= sellers
    ]
    due = [norm for norm in fresh if is_due(norm.observations, _before(known, norm), least, percent)]
    store.publish(connection, due)
    is_more = len(found) >= AT_ONCE
    store.proceed(connection, found[-1][0][0] if is_more else "", now_us)
    return is_more


def _by_level(found: Iterable[tuple[Commodity, Counts]]) -> dict[str, Counts]:
    """The counts of each code of 10, 8 and 6 digits."""
    seen: dict[str, Counts] = {}
    for (code, unit, currency), counts in found:
        for level in levels(code):
            seen.setdefault(norm_id(level, unit, currency), Counts()).add_all(counts)
    return seen


def _before(known: Mapping[str, Norm], fresh: Norm) -> int:
    return known[fresh.id].observations if fresh.id in known else 0


def _published(key: str, counts: Counts, before: Norm | None, now_us: int) -> Norm:
    """The norm as the counts now give it."""
    code, unit, currency = key.split("/")
    total = counts.total
    lower, median, upper = counts.quartiles() if total > 0 else (0, 0, 0)
    version = before.version + 1 if before else 1
    return Norm(key, code, unit, currency, total, lower, median, upper, version, now_us)
