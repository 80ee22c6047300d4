"""The sweep that computes portraits that are due, a batch at a time."""

from chassis import database
from chassis.command import Transaction
from services.declarations.insight.counting.store import counted_until
from services.declarations.insight.findings import model as findings_model
from services.declarations.insight.findings import store as findings_store
from services.declarations.insight.fold import commands as fold_commands
from services.declarations.insight.portrait import model, store
from services.declarations.insight.portrait.store import Stored

AT_ONCE = 20


def assess(transaction: Transaction) -> bool:
    """Computes the portraits that are due. Returns whether there may be more."""
    connection = transaction.connection
    # Its rows are those that the log's follower changes too.
    database.lock(connection, [fold_commands.LOCK])
    facts = store.due(connection, transaction.now_us, AT_ONCE)
    if not facts:
        return False
    enterprises = [fact.enterprise for fact in facts]
    totals = store.totals(connection, enterprises)
    circles = [
        finding
        for name in enterprises
        for finding in findings_model.of_circle(name, model.circles(totals.get(name, ())))
    ]
    findings_store.replace_circles(connection, enterprises, circles, transaction.now_us)
    counts = findings_store.counts(connection, enterprises)
    breaches = store.breaches(connection, enterprises)
    on, as_of_us = transaction.business_date, counted_until(connection, transaction.now_us)
    portraits = []
    for fact in facts:
        name = fact.enterprise
        by_kind = counts.get(name, {}), breaches.get(name, {})
        given = model.inputs(totals.get(name, []), fact.amendments, fact.holds, *by_kind, on)
        score = model.assess(given, on).score
        portraits.append(Stored(name, score, on.isoformat(), given, transaction.now_us, as_of_us, 1))
    store.save(connection, portraits)
    return len(facts) == AT_ONCE
