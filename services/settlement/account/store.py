"""The accounts' rows: the only SQL of this room."""

import dataclasses
import uuid
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2

from chassis import records
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.rows import Rows
from ledger import store as ledger_store
from services.settlement import errors
from services.settlement.account import model, rpc
from services.settlement.account.model import Account, Kind
from services.settlement.tables import accounts


def views(connection: sa.Connection, listed: Sequence[Account], _viewer: str = "") -> list[settlement_pb2.Account]:
    """Returns the wire forms, with the balances as they are now."""
    balances = ledger_store.accounts(connection, [account.id for account in listed])
    return [rpc.to_proto(account, balances[account.id]) for account in listed]


ACCOUNTS = Rows(table=accounts, record=Account, prefix="accounts/", views=views)


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Account]:
    """Returns the open accounts of these ids, by id."""
    query = sa.select(accounts).where(accounts.c.id.in_(set(identifiers)))
    return {account.id: account for account in records.many(connection, query, Account)}


def find(connection: sa.Connection, name: str) -> Account | None:
    """Returns the account of a resource name, in letters of either case; None where there is none."""
    identifier = name.removeprefix("accounts/").lower()
    return load(connection, [identifier]).get(identifier)


def current(transaction: Transaction, name: str) -> Account:
    """Returns the current account of the calling owner. Raises NotFound for any other account."""
    account = find(transaction.connection, name)
    if account is None or account.owner != transaction.caller.tenant or account.kind is not Kind.CURRENT:
        raise NotFound(resource=name)
    return account


def of_number(connection: sa.Connection, bank: str, number: str) -> Account | None:
    """Returns a bank's account by what the world calls it: its IBAN, the bank's own number, or its id, short or long.

    Blanks, hyphens and the letters' case make no difference: "de89 3704…" finds DE893704….
    """
    wanted = model.compact(number)
    named = sa.or_(accounts.c.iban == wanted, accounts.c.account_number == wanted)
    account = records.one(connection, accounts, Account, accounts.c.bank == bank, named) if wanted else None
    return account or _of_id(connection, bank, number)


def _of_id(connection: sa.Connection, bank: str, number: str) -> Account | None:
    try:
        identifier = str(uuid.UUID(number.removeprefix("accounts/")))
    except ValueError:
        return None
    account = load(connection, [identifier]).get(identifier)
    return account if account and account.bank == bank else None


def number(transaction: Transaction, account: Account, iban: str, account_number: str) -> Account:
    """Gives an account other numbers, with its event, unless it has them; returns it. Raises AccountNumberTaken."""
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
    """Returns the current accounts of an owner in a currency, oldest first."""
    rows = accounts
    query = sa.select(rows).where(rows.c.owner == owner, rows.c.currency == currency, rows.c.kind == Kind.CURRENT.value)
    return records.many(connection, query.order_by(rows.c.create_us, rows.c.id), Account)


def of_kind(connection: sa.Connection, kind: Kind) -> list[Account]:
    """Returns all accounts of a kind."""
    return records.many(connection, sa.select(accounts).where(accounts.c.kind == kind.value), Account)


def ensure(transaction: Transaction, bank: str, owner: str, currency: str, kind: Kind) -> Account:
    """Returns the account, which it opens if it isn't open yet."""
    identifier = model.identifier(bank, owner, currency, kind)
    if standing := load(transaction.connection, [identifier]).get(identifier):
        return standing
    account = Account(id=identifier, bank=bank, owner=owner, currency=currency, kind=kind, create_us=transaction.now_us)
    ACCOUNTS.add(transaction, account)
    ledger_store.open_accounts(transaction.connection, [model.ledger_account(account)])
    tell(transaction, "account.opened", account)
    return account


def own(transaction: Transaction, bank: str, currency: str, kind: Kind) -> Account:
    """Returns the account of a bank for itself, which it opens if it isn't open yet."""
    return ensure(transaction, bank, bank, currency, kind)


def tell(transaction: Transaction, event: str, account: Account) -> None:
    """Tells owner and bank of an account, with the balances as they are now."""
    transaction.append(event, account.name, ACCOUNTS.view(transaction.connection, account), tenants(account))
