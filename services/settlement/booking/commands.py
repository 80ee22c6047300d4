"""Bookings that other services order: a loan paid out, a premium collected. Each once, whatever the request's id."""

import datetime

from aval.settlement.v1 import settlement_pb2

from chassis import ids, money, rpc
from chassis.command import Transaction
from chassis.errors import InvalidFields, Problem
from chassis.money import Money
from ledger import store as ledger_store
from ledger.model import Result, Transfer, chained
from services.settlement import errors
from services.settlement.account import store as account_store
from services.settlement.account.model import Account, Kind
from trade import checks


def _check(**amounts: Money) -> None:
    """Raises InvalidFields unless amounts are of one known currency, none negative, `amount` positive."""
    problems = [problem for path, amount in amounts.items() for problem in _problems(path, amount, amounts["amount"])]
    if problems:
        raise InvalidFields(problems)


def _problems(path: str, amount: Money, first: Money) -> list[Problem]:
    found = []
    if amount.currency != first.currency or not money.is_currency(amount.currency):
        found.append(
            Problem(path, "CURRENCY_DIFFERS", "Use one known currency throughout.", "请统一使用同一有效币种。")
        )
    is_optional_zero = path != "amount" and not amount
    return found if is_optional_zero else [*found, *checks.positive(path, amount.minor_units)]


def disburse(transaction: Transaction, request: settlement_pb2.DisburseRequest) -> settlement_pb2.DisburseResponse:
    """Pays a loan out of the lending account: the amount to the borrower, the fee to the bank's income.

    Raises InvalidFields, LedgerRefused.
    """
    amount, fee = money.from_proto(request.amount), money.from_proto(request.fee)
    _check(amount=amount, fee=fee)
    lending = account_store.own(transaction, request.bank, amount.currency, Kind.LENDING)
    income = account_store.own(transaction, request.bank, amount.currency, Kind.INCOME)
    current = account_store.ensure(transaction, request.bank, request.enterprise, amount.currency, Kind.CURRENT)
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
    response = settlement_pb2.DisburseResponse(transfer=f"transfers/{transfers[0].id}")
    if booking_date := _post_once(transaction, chained(transfers), current):
        response.booking_date.CopyFrom(rpc.date(booking_date))
    return response


def _post_once(transaction: Transaction, transfers: list[Transfer], credited: Account) -> datetime.date | None:
    """Posts transfers, and tells the owner of the credited account unless they stood before.

    Returns the date on which they are booked, None for those of before there were dates.
    """
    first = transfers[0].id
    standing = ledger_store.stored(transaction.connection, [first]).get(first)
    ledger_store.post(transaction, *transfers)
    if standing:
        return standing.transfer.booking_date
    account_store.tell(transaction, "account.credited", credited)
    return transaction.business_date


def collect_premium(
    transaction: Transaction, request: settlement_pb2.CollectPremiumRequest
) -> settlement_pb2.CollectPremiumResponse:
    """Moves a premium from the oldest of the enterprise's accounts that has enough to the insurer's at the same bank.

    Raises InvalidFields, AccountMissing, InsufficientFunds, LedgerRefused.
    """
    amount, identifier = money.from_proto(request.amount), ids.derived(request.covered_shipment, "premium")
    _check(amount=amount)
    response = settlement_pb2.CollectPremiumResponse(transfer=f"transfers/{identifier}")
    if known := ledger_store.stored(transaction.connection, [identifier]).get(identifier):
        if known.transfer.amount != amount.minor_units:
            result = Result.EXISTS_WITH_DIFFERENT_CONTENT
            raise ledger_store.LedgerRefused(result=result.value, reference=request.covered_shipment)
        return response
    payer = _payer(transaction, request.enterprise, amount)
    premium = account_store.ensure(transaction, payer.bank, request.insurer, amount.currency, Kind.PREMIUM)
    transfer = Transfer(
        identifier, payer.id, premium.id, amount.minor_units, code="premium", reference=request.covered_shipment
    )
    ledger_store.post(transaction, transfer)
    account_store.tell(transaction, "account.credited", premium)
    return response


def _payer(transaction: Transaction, enterprise: str, amount: Money) -> Account:
    """Returns the account that pays. Raises AccountMissing, InsufficientFunds."""
    candidates = account_store.current_of(transaction.connection, enterprise, amount.currency)
    if not candidates:
        raise errors.AccountMissing(owner=enterprise, currency=amount.currency)
    balances = ledger_store.accounts(transaction.connection, [account.id for account in candidates])
    for account in candidates:
        if balances[account.id].available_to_debit >= amount.minor_units:
            return account
    raise errors.InsufficientFunds(account=candidates[0].name)
