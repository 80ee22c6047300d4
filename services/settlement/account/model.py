"""Accounts that banks keep: what each kind is for, who may own it, which side of the books it stands on."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from chassis.errors import Problem
from chassis.money import is_currency
from ledger.model import Limit
from ledger.store import NewAccount, account_id

BOOK = "money"


class Kind(enum.StrEnum):
    """What an account is for; names of the proto's enum."""

    CURRENT = "CURRENT"
    LENDING = "LENDING"
    NOSTRO = "NOSTRO"
    SUSPENSE = "SUSPENSE"
    PREMIUM = "PREMIUM"
    INCOME = "INCOME"


# Other people's money, which never goes below zero. What a bank lends is its own money.
LIMITED = {Kind.CURRENT, Kind.SUSPENSE, Kind.PREMIUM}
# A bank's assets: a debit is in its favour. On all others a credit is in the owner's.
ASSETS = {Kind.NOSTRO, Kind.LENDING}
# A bank opens these for itself only.
OWN = {Kind.LENDING, Kind.NOSTRO, Kind.SUSPENSE, Kind.INCOME}
OWNERS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CURRENT: ("enterprises/", "banks/", "insurers/", "treasuries/"),
    Kind.PREMIUM: ("insurers/",),
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account of one owner at one bank in one currency, one of each kind. `id` is also the ledger account's."""

    id: str
    bank: str
    owner: str
    currency: str
    kind: Kind
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"accounts/{self.id}"


def identifier(bank: str, owner: str, currency: str, kind: Kind) -> str:
    """The id of the one account that these name."""
    return account_id("settlement", bank, owner, currency, kind.value)


def own(bank: str, currency: str, kind: Kind) -> str:
    """The id of a bank's own account."""
    return identifier(bank, bank, currency, kind)


def ledger_account(account: Account) -> NewAccount:
    """The account as the ledger opens it."""
    limit = Limit.DEBITS_MUST_NOT_EXCEED_CREDITS if account.kind in LIMITED else Limit.NONE
    reference = f"{account.kind.value.lower()} {account.owner} {account.currency} at {account.bank}"
    return NewAccount(account.id, BOOK, account.currency, limit, reference)


def problems(bank: str, owner: str, currency: str, kind: Kind) -> list[Problem]:
    """What is wrong with an account that a bank wants to open."""
    found = []
    if not is_currency(currency):
        found.append(
            Problem(
                "account.currency_code",
                "CURRENCY_UNKNOWN",
                f"{currency} is no currency; use its ISO 4217 code.",
                f"{currency} 不是有效币种，请使用 ISO 4217 代码。",
            )
        )
    if owner != bank if kind in OWN else not owner.startswith(OWNERS[kind]):
        found.append(
            Problem(
                "account.owner",
                "OWNER_DOESNT_FIT",
                f"{owner} can't own an account of kind {kind.value} at this bank.",
                f"{owner} 不能在本行持有 {kind.value} 类账户。",
            )
        )
    return found
