"""Accounts on the wire, balances in the owner's favour."""

from aval.settlement.v1 import settlement_pb2

from chassis import money
from ledger.model import Account as LedgerAccount
from services.settlement.account import model
from services.settlement.account.model import Account, Kind

KindProto = settlement_pb2.Account.Kind


def kind_of(message: settlement_pb2.Account) -> Kind:
    """Returns the kind that a request names."""
    return Kind(KindProto.Name(message.kind))


def to_proto(account: Account, balances: LedgerAccount) -> settlement_pb2.Account:
    """Returns the wire form."""
    posted, available = model.in_owners_favour(account, balances)
    message = settlement_pb2.Account(
        name=account.name,
        owner=account.owner,
        bank=account.bank,
        currency_code=account.currency,
        kind=account.kind.value,
        iban=account.iban,
        account_number=account.account_number,
        posted=money.to_proto(posted),
        available=money.to_proto(available),
    )
    message.create_time.FromMicroseconds(account.create_us)
    return message
