"""Reading accounts: their owner and the bank that keeps them do, nobody else."""

from aval.settlement.v1 import settlement_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from ledger import store as ledger
from services.settlement.account import rpc, store
from services.settlement.account.model import Account


def visible(reading: Reading, name: str) -> Account:
    """The account, if the caller may know of it. NotFound."""
    account = store.find(reading.connection, name)
    if account is None or reading.caller.tenant not in tenants(account):
        raise NotFound(resource=name)
    return account


def get(reading: Reading, request: settlement_pb2.GetAccountRequest) -> settlement_pb2.Account:
    """One account with its balances."""
    account = visible(reading, request.name)
    return rpc.to_proto(account, ledger.accounts(reading.connection, [account.id])[account.id])


def list_(reading: Reading, request: settlement_pb2.ListAccountsRequest) -> settlement_pb2.ListAccountsResponse:
    """A page of those the caller owns or keeps."""
    page, token = store.ACCOUNTS.page(reading.connection, reading.caller.tenant, request)
    balances = ledger.accounts(reading.connection, [account.id for account in page])
    views = [rpc.to_proto(account, balances[account.id]) for account in page]
    return settlement_pb2.ListAccountsResponse(accounts=views, next_page_token=token)
