"""Accounts that banks keep: what each kind is for, who may own it, which side of the books it stands on."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from chassis.errors import Problem
from chassis.money import Money, is_currency
from chassis.participants import Participant
from ledger.model import Account as LedgerAccount
from ledger.model import Limit
from ledger.store import NewAccount, account_id
from services.settlement.messages.iso20022 import short_account
from trade.identifiers import is_iban
from trade.roles import Role

BOOK = "money"
_OUR_ID = re.compile(r"[0-9A-F]{32}")


class Kind(enum.StrEnum):
    """The purpose of an account; names of the proto's enum."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of one owner at one bank in one currency, one of each kind. `id` is also the ledger account's.

    iban, account_number: what the world calls it, the second its bank's own; compact, empty where it has none.
    """

    id: str
    bank: str
    owner: str
    currency: str
    kind: Kind
    create_us: int
    iban: str = ""
    account_number: str = ""

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"accounts/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.owner, Role.OWNER), Participant(self.bank, Role.BANK)

    @property
    def number(self) -> str:
        """The number that stands for it in messages: IBAN, the bank's number, or its id in at most 34 characters."""
        return self.iban or self.account_number or short_account(self.id)


def identifier(bank: str, owner: str, currency: str, kind: Kind) -> str:
    """Returns the id of the account that these name."""
    return account_id("settlement", bank, owner, currency, kind.value)


def own(bank: str, currency: str, kind: Kind) -> str:
    """Returns the id of a bank's own account."""
    return identifier(bank, bank, currency, kind)


def compact(number: str) -> str:
    """Returns a number as it is compared: "de89 3704 0044 0532 0130 00" is "DE89370400440532013000"."""
    return re.sub(r"[ -]", "", number).upper()


def number_problems(iban: str, account_number: str, prefix: str = "account.") -> list[Problem]:
    """Returns what is wrong with the numbers, both compact, that a bank gives an account: ISO 13616; Max34Text."""
    tests = (
        (not iban or is_iban(iban), "iban", "IBAN_INVALID",
         f"{iban} is no IBAN: its check digits or its country's form don't fit.",
         f"{iban} 不是有效的 IBAN：校验位或所属国家的格式不符。"),
        (not is_iban(account_number), "account_number", "ACCOUNT_NUMBER_IS_IBAN",
         f"{account_number} is an IBAN; give it as iban.", f"{account_number} 是 IBAN，请填写于 iban。"),
        (not _OUR_ID.fullmatch(account_number), "account_number", "ACCOUNT_NUMBER_RESERVED",
         "32 hexadecimal digits name the platform's own accounts; give the bank's own number.",
         "32 位十六进制数为平台账户编号，请填写本行账号。"),
    )  # fmt: skip
    return [
        Problem(f"{prefix}{field}", reason, english, chinese)
        for is_right, field, reason, english, chinese in tests
        if not is_right
    ]


def in_owners_favour(account: Account, balances: LedgerAccount) -> tuple[Money, Money]:
    """Returns what is booked and what is available, positive where it is in the owner's favour.

    A nostro with debits of 5.00 has 5.00, a current account with credits of 5.00 has 5.00.
    """
    if account.kind in ASSETS:
        return Money(account.currency, -balances.balance), Money(account.currency, balances.available_to_credit)
    return Money(account.currency, balances.balance), Money(account.currency, balances.available_to_debit)


def ledger_account(account: Account) -> NewAccount:
    """Returns the account as the ledger opens it."""
    limit = Limit.DEBITS_MUST_NOT_EXCEED_CREDITS if account.kind in LIMITED else Limit.NONE
    reference = f"{account.kind.value.lower()} {account.owner} {account.currency} at {account.bank}"
    return NewAccount(account.id, BOOK, account.currency, limit, reference)


def problems(bank: str, owner: str, currency: str, kind: Kind) -> list[Problem]:
    """Returns what is wrong with an account that a bank wants to open."""
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
