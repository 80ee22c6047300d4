"""Accounts on the wire, balances in the owner's favour."""

from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.money import Money
from ledger.model import Account as LedgerAccount
from services.settlement.account.model import ASSETS, Account, Kind

KindProto = settlement_pb2.Account.Kind


def kind_of(message: settlement_pb2.Account) -> Kind:
    """The kind a request names."""
    return Kind(KindProto.Name(message.kind))


def to_proto(account: Account, balances: LedgerAccount) -> settlement_pb2.Account:
    """The wire form."""
    is_asset = account.kind in ASSETS
    posted = -balances.balance if is_asset else balances.balance
    available = balances.available_to_credit if is_asset else balances.available_to_debit
    message = settlement_pb2.Account(
        name=account.name,
        owner=account.owner,
        bank=account.bank,
        currency_code=account.currency,
        kind=account.kind.value,
        iban=account.iban,
        account_number=account.account_number,
        posted=money.to_proto(Money(account.currency, posted)),
        available=money.to_proto(Money(account.currency, available)),
    )
    message.create_time.FromMicroseconds(account.create_us)
    return message
