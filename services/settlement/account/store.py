"""The accounts' rows: the only SQL of this room."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from ledger import store as ledger
from services.settlement.account import model, rpc
from services.settlement.account.model import Account, Kind
from services.settlement.tables import accounts


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Account]:
    """The accounts with these ids, those that are open."""
    query = sa.select(accounts).where(accounts.c.id.in_(set(identifiers)))
    return {found.id: found for found in records.many(connection, query, Account)}


def find(connection: sa.Connection, name: str) -> Account | None:
    """The account of a resource name."""
    identifier = name.removeprefix("accounts/").lower()
    return load(connection, [identifier]).get(identifier)


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
    ledger.open_accounts(transaction.connection, [model.ledger_account(account)])
    tell(transaction, "account.opened", account)
    return account


def own(transaction: Transaction, bank: str, currency: str, kind: Kind) -> Account:
    """A bank's own account, opened now if it isn't yet."""
    return ensure(transaction, bank, bank, currency, kind)


def of_party(tenant: str) -> Any:
    """A query of the accounts that a tenant owns or keeps."""
    return sa.select(accounts).where(sa.or_(accounts.c.owner == tenant, accounts.c.bank == tenant))


def tell(transaction: Transaction, event: str, account: Account) -> None:
    """Tells owner and bank, with the balances as they are now."""
    balances = ledger.accounts(transaction.connection, [account.id])
    payload = rpc.to_proto(account, balances[account.id])
    transaction.append(event, account.name, payload, (account.owner, account.bank))
