"""Accounts on the wire, balances in the owner's favour."""

from aval.settlement.v1 import settlement_pb2

from chassis import wire
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
    return wire.fill(
        settlement_pb2.Account, account, currency_code=account.currency, posted=posted, available=available
    )
