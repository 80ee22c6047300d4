"""What other services order: a loan paid out, a premium collected. Each once, whatever the request's id."""

from aval.settlement.v1 import settlement_pb2

from chassis import ids, money
from chassis.command import Transaction
from chassis.errors import InvalidFields, Problem
from chassis.money import Money
from ledger import store as ledger
from ledger.model import Result, Transfer, chained
from services.settlement import errors
from services.settlement.account import store as accounts
from services.settlement.account.model import Account, Kind


def _check(**amounts: Money) -> None:
    """Amounts of one known currency, none negative, the first positive. InvalidFields."""
    problems = [problem for path, amount in amounts.items() for problem in _problems(path, amount, amounts["amount"])]
    if problems:
        raise InvalidFields(problems)


def _problems(path: str, amount: Money, first: Money) -> list[Problem]:
    found = []
    if amount.currency != first.currency or not money.is_currency(amount.currency):
        english, chinese = "Use one known currency throughout.", "请统一使用同一有效币种。"
        found.append(Problem(path, "CURRENCY_DIFFERS", english, chinese))
    if amount.minor_units < (1 if path == "amount" else 0):
        found.append(Problem(path, "AMOUNT_NOT_POSITIVE", "Give a positive amount.", "金额须为正数。"))
    return found


def disburse(transaction: Transaction, request: settlement_pb2.DisburseRequest) -> settlement_pb2.DisburseResponse:
    """The whole principal leaves the lending account: the amount to the borrower, the fee to the bank's income."""
    amount, fee = money.from_proto(request.amount), money.from_proto(request.fee)
    _check(amount=amount, fee=fee)
    lending = accounts.own(transaction, request.bank, amount.currency, Kind.LENDING)
    income = accounts.own(transaction, request.bank, amount.currency, Kind.INCOME)
    current = accounts.ensure(transaction, request.bank, request.enterprise, amount.currency, Kind.CURRENT)
    parts = [("disburse", current, amount), ("fee", income, fee)]
    transfers = [
        Transfer(
            ids.derived(request.loan, code),
            lending.id,
            account.id,
            part.minor_units,
            code=code,
            reference=request.loan,
        )
        for code, account, part in parts
        if part
    ]
    _post_once(transaction, chained(transfers), current)
    return settlement_pb2.DisburseResponse(transfer=f"transfers/{transfers[0].id}")


def _post_once(transaction: Transaction, transfers: list[Transfer], credited: Account) -> None:
    """Posts, and tells the credited account's owner unless it was done before."""
    is_known = bool(ledger.stored(transaction.connection, [transfers[0].id]))
    ledger.post(transaction, *transfers)
    if not is_known:
        accounts.tell(transaction, "account.credited", credited)


def collect_premium(
    transaction: Transaction, request: settlement_pb2.CollectPremiumRequest
) -> settlement_pb2.CollectPremiumResponse:
    """From the oldest of the enterprise's accounts that has enough, to the insurer's account at the same bank."""
    amount, identifier = money.from_proto(request.amount), ids.derived(request.covered_shipment, "premium")
    _check(amount=amount)
    response = settlement_pb2.CollectPremiumResponse(transfer=f"transfers/{identifier}")
    if known := ledger.stored(transaction.connection, [identifier]).get(identifier):
        if known.transfer.amount != amount.minor_units:
            result = Result.EXISTS_WITH_DIFFERENT_CONTENT
            raise ledger.LedgerRefused(result=result.value, reference=request.covered_shipment)
        return response
    payer = _payer(transaction, request.enterprise, amount)
    premium = accounts.ensure(transaction, payer.bank, request.insurer, amount.currency, Kind.PREMIUM)
    transfer = Transfer(
        identifier, payer.id, premium.id, amount.minor_units, code="premium", reference=request.covered_shipment
    )
    ledger.post(transaction, transfer)
    accounts.tell(transaction, "account.credited", premium)
    return response


def _payer(transaction: Transaction, enterprise: str, amount: Money) -> Account:
    """The account that pays. AccountMissing, InsufficientFunds."""
    candidates = accounts.current_of(transaction.connection, enterprise, amount.currency)
    if not candidates:
        raise errors.AccountMissing(owner=enterprise, currency=amount.currency)
    balances = ledger.accounts(transaction.connection, [account.id for account in candidates])
    for account in candidates:
        if balances[account.id].available_to_debit >= amount.minor_units:
            return account
    raise errors.InsufficientFunds(account=candidates[0].name)
