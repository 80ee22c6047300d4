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
# By then a submitted record is committed, or isn't.
ARRIVAL_US = 60 * MICROSECONDS


def seed(transaction: Transaction) -> bool:
    """Counts the value per kilogram of the next reference records. Returns whether there may be more.

    Records count under the six digits of their codes that all countries share; the others are national.
    """
    connection = transaction.connection
    # The counts are those that the log's follower changes too.
    database.lock(connection, [COUNTS_LOCK])
    last_id, last_us = inbox.cursor(connection, REFERENCES)
    references = store.references(connection, last_us, last_id, transaction.now_us - ARRIVAL_US, AT_ONCE)
    if not references:
        return False
    observed: dict[Commodity, list[tuple[int, int]]] = {}
    sellers: dict[Commodity, int] = {}
    for code, currency, minor_units, kilograms, _, name in references:
        price = unit_price(minor_units, f"{kilograms:f}")
        if price is not None and len(code) >= LEVELS[-1]:
            commodity = (code[: LEVELS[-1]], KILOGRAM, currency)
            observed.setdefault(commodity, []).append((bucket_of(price), 1))
            # Public already, and of many sellers.
            sellers[commodity] = sellers.get(commodity, 0) | seller_bit(name)
    store.observe(connection, observed, sellers)
    *_, last_us, last_id = references[-1]
    inbox.advance(connection, REFERENCES, last_id, last_us)
    return len(references) == AT_ONCE


def publish(transaction: Transaction) -> bool:
    """Looks at the next commodities once it is time and publishes much changed norms. Returns whether more wait."""
    connection, now_us = transaction.connection, transaction.now_us
    if not database.try_lock(connection, LOCK):
        return False
    on = transaction.business_date
    code, run_us = store.progress(connection)
    if not code and now_us < run_us + insight_terms.norm_interval_us(on):
        return False
    commodities = store.after(connection, code, AT_ONCE)
    by_key = _by_level(commodities)
    standing = store.norms(connection, by_key)
    least, percent = insight_terms.observations_least(on), insight_terms.publish_percent(on)
    sellers = insight_terms.sellers_least(on)
    computed = [
        _published(key, counts, standing.get(key), now_us)
        for key, counts in by_key.items()
        if counts.sellers.bit_count() >= sellers
    ]
    due = [norm for norm in computed if is_due(norm.observations, _before(standing, norm), least, percent)]
    store.publish(connection, due)
    is_more = len(commodities) >= AT_ONCE
    store.proceed(connection, commodities[-1][0][0] if is_more else "", now_us)
    return is_more


def _by_level(commodities: Iterable[tuple[Commodity, Counts]]) -> dict[str, Counts]:
    """Returns the counts of each code of 10, 8 and 6 digits."""
    by_key: dict[str, Counts] = {}
    for (code, unit, currency), counts in commodities:
        for level in levels(code):
            by_key.setdefault(norm_id(level, unit, currency), Counts()).add_all(counts)
    return by_key


def _before(standing: Mapping[str, Norm], computed: Norm) -> int:
    return standing[computed.id].observations if computed.id in standing else 0


def _published(key: str, counts: Counts, before: Norm | None, now_us: int) -> Norm:
    """Returns the norm as the counts give it now."""
    code, unit, currency = key.split("/")
    total = counts.total
    lower, median, upper = counts.quartiles() if total > 0 else (0, 0, 0)
    version = before.version + 1 if before else 1
    return Norm(
        id=key,
        commodity_code=code,
        unit=unit,
        currency=currency,
        observations=total,
        lower=lower,
        median=median,
        upper=upper,
        version=version,
        publish_us=now_us,
    )
