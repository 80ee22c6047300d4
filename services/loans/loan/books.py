"""A loan's accounts in the ledger, the transfers that open it, and where its row and they disagree. Pure."""

import enum
from collections.abc import Mapping

from chassis import ids
from ledger.model import Account, Limit, Transfer
from ledger.store import NewAccount, account_id
from services.loans.loan.model import BOOK, DISBURSED, FINISHED, Loan, State, released_of_all


class Part(enum.StrEnum):
    """A loan's accounts: what the borrower owes, and what it has paid for owing it."""

    OUTSTANDING = "outstanding"
    INTEREST = "interest"


# What is outstanding is owed to us: repayments and their holds never exceed it.
LIMITS: Mapping[Part, Limit] = {
    Part.OUTSTANDING: Limit.CREDITS_MUST_NOT_EXCEED_DEBITS,
    Part.INTEREST: Limit.NONE,
}


def part_id(loan: str, part: Part) -> str:
    """Returns the ledger account of a part; `loan` is its resource name."""
    return account_id("loans", loan, part.value)


def funds_id(bank: str, currency: str) -> str:
    """Returns the contra account of a bank's money in a currency, without limit."""
    return account_id("loans", bank, currency, "funds")


def opening_accounts(loan: Loan) -> list[NewAccount]:
    """Returns the loan's accounts and its bank's."""
    currency = loan.principal.currency
    funds = NewAccount(funds_id(loan.bank, currency), BOOK, currency, Limit.NONE, f"funds {loan.bank}")
    parts = [
        NewAccount(part_id(loan.name, part), BOOK, currency, limit, f"{part.value} {loan.name}")
        for part, limit in LIMITS.items()
    ]
    return [funds, *parts]


def disbursement(loan: Loan) -> Transfer:
    """Returns the transfer that books the principal as outstanding, from the day on which interest runs."""
    return Transfer(
        ids.derived(loan.name, "disbursement"),
        part_id(loan.name, Part.OUTSTANDING),
        funds_id(loan.bank, loan.principal.currency),
        loan.principal.minor_units,
        code="disbursement",
        reference=loan.name,
        value_date=loan.start_date,
    )


def disagreements(loan: Loan, accounts: Mapping[str, Account]) -> list[str]:
    """Returns where a loan's row and its accounts say different things."""
    outstanding = accounts.get(part_id(loan.name, Part.OUTSTANDING))
    interest = accounts.get(part_id(loan.name, Part.INTEREST))
    booked = (-outstanding.balance if outstanding else 0, interest.balance if interest else 0)
    stated = (loan.outstanding.minor_units, loan.interest_paid.minor_units)
    is_owed = loan.state is State.ACTIVE
    checks = (
        (booked != stated, f"states outstanding and interest {stated}, its accounts have {booked}"),
        ((outstanding is not None) != (loan.state in DISBURSED), "is disbursed in its state or its accounts only"),
        (bool(loan.outstanding) and not is_owed, "has principal outstanding in a state that owes none"),
        (loan.state in FINISHED and loan != released_of_all(loan), "is finished and still holds value or cover"),
    )
    return [f"loans: {loan.name} ({loan.state.value}) {text}" for is_wrong, text in checks if is_wrong]
