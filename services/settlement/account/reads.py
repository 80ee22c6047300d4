"""Reading accounts: their owner and the bank that keeps them do, nobody else."""

from aval.settlement.v1 import settlement_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from services.settlement.account import store
from services.settlement.account.model import Account


def visible(reading: Reading, name: str) -> Account:
    """Returns the account, if the caller may know of it. Raises NotFound."""
    account = store.find(reading.connection, name)
    if account is None or reading.caller.tenant not in tenants(account):
        raise NotFound(resource=name)
    return account


def get(reading: Reading, request: settlement_pb2.GetAccountRequest) -> settlement_pb2.Account:
    """Returns an account with its balances, its name in letters of either case. Raises NotFound."""
    return store.ACCOUNTS.view(reading.connection, visible(reading, request.name))
