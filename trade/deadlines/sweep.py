"""Computes deadlines anew once a newer version of their calendar is in force, a step at a time.

A day that has passed isn't moved, unless it was provisional: nobody had published it. What a step did is committed with
it: after any death the next step goes on with the rest, and nothing moves twice.
"""

from collections.abc import Callable, Mapping, Sequence

from chassis import database
from chassis.command import Transaction
from trade.dated_tables import reads
from trade.deadlines import store
from trade.deadlines.model import Kept, Move

# Deadlines of a step: some milliseconds in the writer.
AT_ONCE = 50
LOCK = "deadlines"

# Moves the dates of a noun's resources and tells of each; returns the names of those that follow their deadlines still.
Mover = Callable[[Transaction, Sequence[Move]], set[str]]


def sweeping(movers: Mapping[str, Mover]) -> Callable[[Transaction], bool]:
    """Returns the sweep of a service, by what moves the resources of each noun; it says whether more may be due."""

    def sweep(transaction: Transaction) -> bool:
        # One process of the service is enough.
        if not database.try_lock(transaction.connection, LOCK):
            return False
        due = store.outdated(transaction.connection, AT_ONCE)
        passed = [kept for kept in due if _has_passed(kept, transaction)]
        store.rest(transaction.connection, passed)
        _follow(transaction, movers, [_moved(transaction, kept) for kept in due if kept not in passed])
        return len(due) == AT_ONCE

    return sweep


def _has_passed(kept: Kept, transaction: Transaction) -> bool:
    return kept.deadline.date < transaction.business_date and not kept.deadline.is_provisional


def _moved(transaction: Transaction, kept: Kept) -> Move:
    """Returns a deadline before and after, by the calendars that are in force."""
    names = [edition.name for edition in kept.deadline.calendars]
    return Move(kept, kept.again({name: reads.calendar(transaction.connection, name) for name in names}))


def _follow(transaction: Transaction, movers: Mapping[str, Mover], moves: Sequence[Move]) -> None:
    """Moves resources noun by noun; a resource that has come to its end keeps the deadline that it had."""
    following: set[str] = set()
    for noun in sorted({move.before.noun for move in moves}):
        following |= movers[noun](transaction, [move for move in moves if move.before.noun == noun])
    store.put(transaction.connection, [move.after for move in moves if move.after.resource in following])
    store.rest(transaction.connection, [move.before for move in moves if move.before.resource not in following])
