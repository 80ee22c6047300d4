"""The events of the register's log that loans react to: a breach stops what isn't paid out, and is shown.

No money moves because of one.
"""

from aval.events.v1 import events_pb2

from chassis.command import Transaction
from chassis.inbox import Reactions
from services.loans.breach import store
from services.loans.loan import saga as loan_saga
from trade import breach


def follow(transaction: Transaction, event: events_pb2.Event) -> None:
    """Takes a breach that was opened, changed or ended: the whole of it, or a holder's share."""
    told = breach.from_event(event)
    if not told.holder:
        store.note(transaction.connection, told)
    loan_saga.follow_breach(transaction, told)


REACTIONS: Reactions = dict.fromkeys(breach.EVENTS, follow)
