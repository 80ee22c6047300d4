"""Opening accounts, and giving them the numbers by which the world knows them."""

from aval.settlement.v1 import settlement_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound
from ledger import store as ledger
from services.settlement import errors
from services.settlement.account import model, rpc, store
from services.settlement.account.model import Account


def open_(transaction: Transaction, request: settlement_pb2.OpenAccountRequest) -> settlement_pb2.Account:
    """The calling bank opens an account for an owner, or gets the one that stands; numbers it where it has none.

    Raises InvalidFields, AccountNumberTaken, AccountNumbered.
    """
    bank, asked = transaction.caller.tenant, request.account
    kind = rpc.kind_of(asked)
    iban, account_number = model.compact(asked.iban), model.compact(asked.account_number)
    problems = model.problems(bank, asked.owner, asked.currency_code, kind)
    if problems := problems + model.number_problems(iban, account_number):
        raise InvalidFields(problems)
    account = store.ensure(transaction, bank, asked.owner, asked.currency_code, kind)
    for given, stands in ((iban, account.iban), (account_number, account.account_number)):
        if given and stands and given != stands:
            raise errors.AccountNumbered(account=account.name, number=stands)
    numbers = (iban or account.iban, account_number or account.account_number)
    return _answer(transaction, store.number(transaction, account, *numbers))


def assign_numbers(
    transaction: Transaction, request: settlement_pb2.AssignAccountNumbersRequest
) -> settlement_pb2.Account:
    """The bank says what the world calls an account from now on. NotFound, InvalidFields, AccountNumberTaken."""
    account = store.find(transaction.connection, request.name)
    if account is None or account.bank != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    iban, account_number = model.compact(request.iban), model.compact(request.account_number)
    if problems := model.number_problems(iban, account_number, prefix=""):
        raise InvalidFields(problems)
    return _answer(transaction, store.number(transaction, account, iban, account_number))


def _answer(transaction: Transaction, account: Account) -> settlement_pb2.Account:
    return rpc.to_proto(account, ledger.accounts(transaction.connection, [account.id])[account.id])
