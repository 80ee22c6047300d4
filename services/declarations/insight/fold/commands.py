"""The sweep that follows the service's own log: effect and cursor in one transaction, each event exactly once.

A declaration's row is counted as it is now; an event only says that it came or changed. So it doesn't matter that the
row may be further on than the log was read: a later event finds no difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import database, inbox
from chassis.command import Transaction
from services.declarations.insight import terms as insight_terms
from services.declarations.insight.counting import model as counting_model
from services.declarations.insight.counting import store as counting_store
from services.declarations.insight.counting.model import UNCOUNTED, Contribution, Delta, Row
from services.declarations.insight.findings import model as findings_model
from services.declarations.insight.findings import store as findings_store
from services.declarations.insight.findings.model import Finding, Limits
from services.declarations.insight.fold import store
from services.declarations.insight.fold.store import Batch
from services.declarations.insight.lists import model as lists_model
from services.declarations.insight.lists import store as lists_store
from services.declarations.insight.norms import commands as norms_commands
from services.declarations.insight.norms import store as norms_store
from services.declarations.insight.norms.model import Commodity, Price, bucket_of
from services.declarations.window.retail.summary.model import MODE as SUMMARY_MODE

Declaration = declarations_pb2.Declaration
LOCK = norms_commands.COUNTS_LOCK


def follow(transaction: Transaction) -> bool:
    """Counts the next events of the log. Returns whether there are more."""
    connection = transaction.connection
    if not database.try_lock(connection, LOCK):
        return False
    _, position = inbox.cursor(connection, counting_store.SOURCE)
    batch = store.next_batch(connection, position)
    if batch is None:
        return False
    if not batch.is_empty:
        _fold(transaction, batch)
    inbox.advance(connection, counting_store.SOURCE, batch.epoch, batch.through_position)
    return batch.is_full


@dataclass(frozen=True, slots=True)
class Counting:
    """A batch's counts: how much the totals move, the declarations to check, the contributions to keep."""

    delta: Delta
    checked: Sequence[tuple[Row, Declaration, Contribution]]
    kept: Mapping[str, Contribution]


def _fold(transaction: Transaction, batch: Batch) -> None:
    connection, now_us, on = transaction.connection, transaction.now_us, transaction.business_date
    rows = store.rows(connection, {*batch.declared, *(change.number for change in batch.changes)})
    counting = _count(connection, batch, rows)
    counting_store.keep_counted(connection, _count_lists(connection, batch, rows, counting.delta))
    counting_store.add(connection, counting.delta, batch.through_position)
    counting_store.keep_counted(connection, counting.kept)
    norms_store.observe(connection, counting.delta.observations(), counting.delta.sellers)
    findings = _findings(connection, counting, insight_terms.deviation_factor(on))
    stale = [change.number for change in batch.changes if change.is_amendment or change.status in UNCOUNTED]
    findings_store.replace(connection, stale, findings, now_us)
    counting_store.add_facts(connection, _facts(batch, rows), now_us, insight_terms.portrait_interval_us(on))


def _count(connection: sa.Connection, batch: Batch, rows: Sequence[Row]) -> Counting:
    """Counts new declarations, and for changed ones the difference to their earlier count."""
    declared = set(batch.declared)
    changed = [row.id for row in rows if row.id not in declared]
    before = counting_store.counted_of(connection, changed) if changed else {}
    amended = [row.id for row in rows if row.version > 1 and row.id not in declared and row.id not in before]
    first = store.first_bodies(connection, amended) if amended else {}
    delta, kept, checked = Delta(), {}, []
    for row in rows:
        is_plain = row.version == 1 and row.status not in UNCOUNTED
        if row.id not in declared:
            if is_plain and row.id not in before:
                # Counted as it is when it came.
                continue
            delta.add(before.get(row.id) or _first(row, first.get(row.id)), -1)
        message = Declaration.FromString(row.body)
        now = counting_model.contribution(row, message)
        delta.add(now)
        checked.append((row, message, now))
        if not is_plain or row.id in before:
            kept[row.id] = now
    return Counting(delta, checked, kept)


def _count_lists(connection: sa.Connection, batch: Batch, rows: Sequence[Row], delta: Delta) -> dict[str, Contribution]:
    """Counts lists that changed or whose summary's declaration came or changed; returns their contributions."""
    changed = {change.number for change in batch.changes}
    summaries = [row.id for row in rows if row.trade_mode == SUMMARY_MODE or row.id in changed]
    identifiers = {*batch.lists, *lists_store.of_declarations(connection, summaries)}
    if not identifiers:
        return {}
    before, summarised = (
        counting_store.counted_of(connection, identifiers),
        lists_store.summarised(connection, identifiers),
    )
    kept = {}
    for row in lists_store.rows(connection, identifiers):
        now = lists_model.contribution(row, row.id in summarised)
        if now != before.get(row.id):
            kept[row.id] = now
            delta.add(now)
            if row.id in before:
                delta.add(before[row.id], -1)
    return kept


def _first(row: Row, first_body: bytes | None) -> Contribution:
    """Returns a declaration's contribution when it came."""
    came = store.as_declared(row, first_body)
    return counting_model.contribution(came, Declaration.FromString(came.body))


def _facts(batch: Batch, rows: Iterable[Row]) -> dict[str, list[int]]:
    """Returns amendments and holds by enterprise, of all whose declarations came or changed."""
    facts = {row.enterprise: [0, 0] for row in rows}
    for change in batch.changes:
        fact = facts.setdefault(change.enterprise, [0, 0])
        fact[0] += change.is_amendment
        fact[1] += not change.is_amendment and change.status == "HELD"
    return facts


def _findings(connection: sa.Connection, counting: Counting, factor: int) -> list[Finding]:
    """Returns the findings in declarations that came or were amended."""
    unusual = _unusual(connection, counting.delta.prices, factor)
    findings: list[Finding] = []
    for row, message, counted in counting.checked:
        if not counted.is_plain:
            continue
        if not unusual.keys().isdisjoint(counted.prices):
            findings += findings_model.of_prices(row, message, unusual, factor)
        findings += findings_model.of_value(row)
        findings += findings_model.of_route(row)
        findings += findings_model.of_party(row, message)
    return findings


def _unusual(connection: sa.Connection, prices: Iterable[Price], factor: int) -> dict[Price, Limits]:
    """Returns the prices that aren't surely within their norms' bounds, by their buckets, with these bounds."""
    by_commodity: dict[Commodity, list[Price]] = {}
    for price in prices:
        by_commodity.setdefault(price[:3], []).append(price)
    unusual = {}
    for commodity, norm in norms_store.narrowest(connection, by_commodity).items():
        within = findings_model.limits(norm, factor)
        low, high = bucket_of(within.lowest), bucket_of(within.highest)
        unusual.update({price: within for price in by_commodity[commodity] if not low < price[3] < high})
    return unusual
