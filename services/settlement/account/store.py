"""The accounts' rows: the only SQL of this room."""

import dataclasses
import uuid
from collections.abc import Iterable

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.participants import Participation, join, tenants
from ledger import store as ledger
from services.settlement import errors
from services.settlement.account import model, rpc
from services.settlement.account.model import Account, Kind
from services.settlement.tables import accounts

ACCOUNTS = Participation("accounts", accounts, Account)


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Account]:
    """The accounts with these ids, those that are open."""
    query = sa.select(accounts).where(accounts.c.id.in_(set(identifiers)))
    return {found.id: found for found in records.many(connection, query, Account)}


def find(connection: sa.Connection, name: str) -> Account | None:
    """The account of a resource name."""
    identifier = name.removeprefix("accounts/").lower()
    return load(connection, [identifier]).get(identifier)


def of_number(connection: sa.Connection, bank: str, number: str) -> Account | None:
    """A bank's account by what the world calls it: its IBAN, the bank's own number, or its id, short or long.

    Blanks, hyphens and the letters' case make no difference.
    """
    wanted = model.compact(number)
    named = sa.or_(accounts.c.iban == wanted, accounts.c.account_number == wanted)
    known = records.one(connection, accounts, Account, accounts.c.bank == bank, named) if wanted else None
    return known or _of_id(connection, bank, number)


def _of_id(connection: sa.Connection, bank: str, number: str) -> Account | None:
    try:
        identifier = str(uuid.UUID(number.removeprefix("accounts/")))
    except ValueError:
        return None
    account = load(connection, [identifier]).get(identifier)
    return account if account and account.bank == bank else None


def number(transaction: Transaction, account: Account, iban: str, account_number: str) -> Account:
    """The account with other numbers, told; unchanged where it has them. AccountNumberTaken."""
    numbered = dataclasses.replace(account, iban=iban, account_number=account_number)
    if numbered == account:
        return account
    for taken in filter(None, (iban, account_number)):
        other = of_number(transaction.connection, account.bank, taken)
        if other and other.id != account.id:
            raise errors.AccountNumberTaken(number=taken)
    values = {"iban": iban, "account_number": account_number}
    transaction.connection.execute(sa.update(accounts).where(accounts.c.id == account.id).values(values))
    tell(transaction, "account.numbered", numbered)
    return numbered


def current_of(connection: sa.Connection, owner: str, currency: str) -> list[Account]:
    """An owner's current accounts in a currency, oldest first."""
    rows = accounts
    query = sa.select(rows).where(rows.c.owner == owner, rows.c.currency == currency, rows.c.kind == Kind.CURRENT.value)
    return records.many(connection, query.order_by(rows.c.create_us, rows.c.id), Account)


def of_kind(connection: sa.Connection, kind: Kind) -> list[Account]:
    """All accounts of a kind."""
    return records.many(connection, sa.select(accounts).where(accounts.c.kind == kind.value), Account)


def ensure(transaction: Transaction, bank: str, owner: str, currency: str, kind: Kind) -> Account:
    """The account, opened now if it isn't yet."""
    identifier = model.identifier(bank, owner, currency, kind)
    if known := load(transaction.connection, [identifier]).get(identifier):
        return known
    account = Account(identifier, bank, owner, currency, kind, transaction.now_us)
    records.insert(transaction.connection, accounts, account)
    join(transaction.connection, account.name, account.participants)
    ledger.open_accounts(transaction.connection, [model.ledger_account(account)])
    tell(transaction, "account.opened", account)
    return account


def own(transaction: Transaction, bank: str, currency: str, kind: Kind) -> Account:
    """A bank's own account, opened now if it isn't yet."""
    return ensure(transaction, bank, bank, currency, kind)


def tell(transaction: Transaction, event: str, account: Account) -> None:
    """Tells owner and bank, with the balances as they are now."""
    balances = ledger.accounts(transaction.connection, [account.id])
    payload = rpc.to_proto(account, balances[account.id])
    transaction.append(event, account.name, payload, tenants(account))
