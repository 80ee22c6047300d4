"""Opening accounts."""

from aval.settlement.v1 import settlement_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields
from ledger import store as ledger
from services.settlement.account import model, rpc, store


def open_(transaction: Transaction, request: settlement_pb2.OpenAccountRequest) -> settlement_pb2.Account:
    """The calling bank opens an account for an owner, or gets the one that stands."""
    bank, asked = transaction.caller.tenant, request.account
    kind = rpc.kind_of(asked)
    if problems := model.problems(bank, asked.owner, asked.currency_code, kind):
        raise InvalidFields(problems)
    account = store.ensure(transaction, bank, asked.owner, asked.currency_code, kind)
    return rpc.to_proto(account, ledger.accounts(transaction.connection, [account.id])[account.id])
