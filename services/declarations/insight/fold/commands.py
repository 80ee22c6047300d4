"""The sweep that follows the service's own log: effect and cursor in one transaction, each event exactly once.

What is counted of a declaration is its row as it is now; an event only says that it came or changed. So
it doesn't matter that the row may be further on than the log was read: a later event finds no difference.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import database, inbox
from chassis.clock import business_date
from chassis.command import Transaction
from services.declarations.insight import terms
from services.declarations.insight.findings import model as checks
from services.declarations.insight.findings import store as findings
from services.declarations.insight.findings.model import Finding
from services.declarations.insight.fold import model, store
from services.declarations.insight.fold.model import UNCOUNTED, Contribution, Delta, Row
from services.declarations.insight.fold.store import Batch
from services.declarations.insight.norms.model import Norm, Price, bucket_of, is_due, quartiles

Declaration = declarations_pb2.Declaration
LOCK = "insight/fold"


def follow(transaction: Transaction) -> bool:
    """Counts what the log says next. Whether there is more."""
    connection = transaction.connection
    if not database.try_lock(connection, LOCK):
        return False
    _, position = inbox.cursor(connection, store.SOURCE)
    batch = store.next_batch(connection, position)
    if batch is None:
        return False
    if batch.declared or batch.changes:
        _fold(connection, batch, transaction.now_us)
    inbox.advance(connection, store.SOURCE, batch.epoch, batch.through_position)
    return batch.is_full


@dataclass(frozen=True, slots=True)
class Counting:
    """What a batch counts: how much the totals move, which declarations are to be checked, what is kept."""

    delta: Delta
    fresh: Sequence[tuple[Row, Declaration, Contribution]]
    kept: Mapping[str, Contribution]


def _fold(connection: sa.Connection, batch: Batch, now_us: int) -> None:
    on = business_date(now_us)
    rows = store.rows(connection, {*batch.declared, *(change.number for change in batch.changes)})
    counting = _count(connection, batch, rows)
    store.add(connection, counting.delta, batch.through_position)
    store.keep_counted(connection, counting.kept)
    norms = _norms(connection, counting.delta, on, now_us)
    found = _findings(counting.fresh, norms, terms.deviation_factor(on))
    stale = [change.number for change in batch.changes if change.is_amendment or change.status in UNCOUNTED]
    findings.replace(connection, stale, found, now_us)
    store.add_facts(connection, _facts(batch, rows), now_us, terms.portrait_interval_us(on))


def _count(connection: sa.Connection, batch: Batch, rows: Sequence[Row]) -> Counting:
    """Counts new declarations, and of changed ones the difference to what was counted before."""
    declared = set(batch.declared)
    changed = [row.id for row in rows if row.id not in declared]
    before = store.counted_of(connection, changed) if changed else {}
    amended = [row.id for row in rows if row.version > 1 and row.id not in declared and row.id not in before]
    first = store.first_bodies(connection, amended) if amended else {}
    delta, kept, fresh = Delta(), {}, []
    for row in rows:
        is_plain = row.version == 1 and row.status not in UNCOUNTED
        if row.id not in declared:
            if is_plain and row.id not in before:
                # Counted as it is when it came.
                continue
            delta.add(before.get(row.id) or _first(row, first.get(row.id)), -1)
        message = Declaration.FromString(row.body)
        now = model.contribution(row, message)
        delta.add(now)
        fresh.append((row, message, now))
        if not is_plain or row.id in before:
            kept[row.id] = now
    return Counting(delta, fresh, kept)


def _first(row: Row, first_body: bytes | None) -> Contribution:
    """What a declaration added when it came."""
    came = store.as_declared(row, first_body)
    return model.contribution(came, Declaration.FromString(came.body))


def _facts(batch: Batch, rows: Iterable[Row]) -> dict[str, list[int]]:
    """Amendments and holds by enterprise, of all whose declarations came or changed."""
    facts = {row.enterprise: [0, 0] for row in rows}
    for change in batch.changes:
        fact = facts.setdefault(change.enterprise, [0, 0])
        fact[0] += change.is_amendment
        fact[1] += not change.is_amendment and change.status == "HELD"
    return facts


def _norms(connection: sa.Connection, delta: Delta, on: datetime.date, now_us: int) -> dict[str, Norm]:
    """The norms that the batch touches, with what it adds; published anew where enough was added."""
    moved = delta.norms()
    norms = store.norms(connection, moved)
    for key, (code, unit, currency, count) in moved.items():
        known = norms.get(key) or Norm(code, unit, currency, 0, 0, 0, 0, 0, 0, 0)
        norms[key] = replace(known, observations=known.observations + count)
    store.save_norms(connection, list(norms.values()))
    least, growth = terms.observations_least(on), terms.publish_growth(on)
    due = [one for one in norms.values() if is_due(one.observations, one.published_observations, least, growth)]
    if due:
        published = _published(connection, due, now_us)
        store.save_norms(connection, list(published.values()))
        norms |= published
    return norms


def _published(connection: sa.Connection, due: Sequence[Norm], now_us: int) -> dict[str, Norm]:
    """The norms as the counts now give them."""
    distribution = store.price_distribution(connection, due)
    published = {}
    for norm in due:
        lower, median, upper = quartiles(distribution[norm.id])
        published[norm.id] = replace(
            norm,
            published_observations=norm.observations,
            lower=lower,
            median=median,
            upper=upper,
            version=norm.version + 1,
            publish_us=now_us,
        )
    return published


def _findings(
    fresh: Iterable[tuple[Row, Declaration, Contribution]], norms: Mapping[str, Norm], factor: int
) -> list[Finding]:
    """What looks unusual in declarations that came or were amended."""
    usual: Usual = {}
    found: list[Finding] = []
    for row, message, counted in fresh:
        if not counted.is_plain:
            continue
        if not all(_is_usual(price, usual, norms, factor) for price in counted.prices):
            found += checks.of_prices(row, message, norms, factor)
        found += checks.of_route(row)
        found += checks.of_party(row, message)
    return found


# Between which buckets a commodity's prices surely are usual; None where no norm says so.
Usual = dict[tuple[str, str, str], tuple[int, int] | None]


def _is_usual(price: Price, usual: Usual, norms: Mapping[str, Norm], factor: int) -> bool:
    """Whether a price lies surely within its norm's bounds, by its bucket; each commodity's bounds are found once."""
    code, unit, currency, bucket = price
    commodity = (code, unit, currency)
    if commodity not in usual:
        within = checks.limits(code, unit, currency, norms, factor)
        usual[commodity] = (bucket_of(within.lowest), bucket_of(within.highest)) if within else None
    buckets = usual[commodity]
    return buckets is None or buckets[0] < bucket < buckets[1]
