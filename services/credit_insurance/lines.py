"""Lines of credit in the ledger, book `exposure`: what an undertaking leaves, by whom it is used.

A policy's maximum liability and a buyer limit are each a line: credits are the amount undertaken,
debits and holds what shipments use. What the buyer pays goes back to the line, so that it revolves.
"""

from collections.abc import Mapping

from chassis import ids
from chassis.money import Money
from ledger.model import Account, Limit, Transfer
from ledger.store import NewAccount, account_id

BOOK = "exposure"


def line_id(undertaking: str) -> str:
    """The line of a policy or buyer limit (its resource name)."""
    return account_id("credit_insurance", undertaking, "line")


def _source_id(undertaking: str) -> str:
    return account_id("credit_insurance", undertaking, "source")


def line_accounts(undertaking: str, currency: str) -> list[NewAccount]:
    """The line, and the contra account without limit that it is filled from."""
    bound = Limit.DEBITS_MUST_NOT_EXCEED_CREDITS
    return [
        NewAccount(line_id(undertaking), BOOK, currency, bound, f"line {undertaking}"),
        NewAccount(_source_id(undertaking), BOOK, currency, Limit.NONE, f"source {undertaking}"),
    ]


def available(accounts: Mapping[str, Account], undertaking: str) -> Money | None:
    """Returns what an undertaking's line has left, of the accounts read; None before it has a line."""
    line = accounts.get(line_id(undertaking))
    return Money(line.currency, line.available_to_debit) if line else None


def opening(undertaking: str, amount: Money) -> Transfer:
    """Books what was undertaken."""
    return Transfer(
        ids.derived(undertaking, "open"),
        _source_id(undertaking),
        line_id(undertaking),
        amount.minor_units,
        code="undertaking",
        reference=undertaking,
    )
