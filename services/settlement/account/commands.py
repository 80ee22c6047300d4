"""Opening accounts, and giving them the numbers by which the world knows them."""

from aval.settlement.v1 import settlement_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound
from services.settlement import errors
from services.settlement.account import model, rpc, store


def open_(transaction: Transaction, request: settlement_pb2.OpenAccountRequest) -> settlement_pb2.Account:
    """Opens an account of the calling bank for an owner, unless it stands; numbers it where it has no number.

    Raises InvalidFields, AccountNumberTaken, AccountNumbered.
    """
    bank, message = transaction.caller.tenant, request.account
    kind = rpc.kind_of(message)
    iban, account_number = model.compact(message.iban), model.compact(message.account_number)
    problems = model.problems(bank, message.owner, message.currency_code, kind)
    if problems := problems + model.number_problems(iban, account_number):
        raise InvalidFields(problems)
    account = store.ensure(transaction, bank, message.owner, message.currency_code, kind)
    for given, stands in ((iban, account.iban), (account_number, account.account_number)):
        if given and stands and given != stands:
            raise errors.AccountNumbered(account=account.name, number=stands)
    numbers = (iban or account.iban, account_number or account.account_number)
    return store.ACCOUNTS.view(transaction.connection, store.number(transaction, account, *numbers))


def assign_numbers(
    transaction: Transaction, request: settlement_pb2.AssignAccountNumbersRequest
) -> settlement_pb2.Account:
    """Gives an account of the calling bank other numbers. Raises NotFound, InvalidFields, AccountNumberTaken."""
    account = store.find(transaction.connection, request.name)
    if account is None or account.bank != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    iban, account_number = model.compact(request.iban), model.compact(request.account_number)
    if problems := model.number_problems(iban, account_number, prefix=""):
        raise InvalidFields(problems)
    return store.ACCOUNTS.view(transaction.connection, store.number(transaction, account, iban, account_number))
