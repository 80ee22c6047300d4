"""The sweep that publishes norms: round and round over all commodities, some at a time."""

from collections.abc import Iterable, Mapping

from chassis import database
from chassis.clock import business_date
from chassis.command import Transaction
from services.declarations.insight import terms
from services.declarations.insight.norms import store
from services.declarations.insight.norms.model import Commodity, Counts, Norm, is_due, levels, norm_id

LOCK = "insight/norms"
AT_ONCE = 2_000


def publish(transaction: Transaction) -> bool:
    """Looks at the next commodities once it is time, and publishes the norms of which much more was seen."""
    connection, now_us = transaction.connection, transaction.now_us
    if not database.try_lock(connection, LOCK):
        return False
    on = business_date(now_us)
    code, run_us = store.progress(connection)
    if not code and now_us < run_us + terms.norm_interval_us(on):
        return False
    found = store.after(connection, code, AT_ONCE)
    seen = _by_level(found)
    known = store.norms(connection, seen)
    least, percent = terms.observations_least(on), terms.publish_percent(on)
    fresh = [_published(key, counts, known.get(key), now_us) for key, counts in seen.items()]
    due = [one for one in fresh if is_due(one.observations, _before(known, one), least, percent)]
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
