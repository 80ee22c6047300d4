"""Registers expected rebates for the window, and revises them."""

from dataclasses import replace

from aval.declarations.v1 import rebate_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.states import check_etag
from services.declarations.assets import errors as assets_errors
from services.declarations.assets.rebate import model, rpc, store
from services.declarations.assets.rebate.assets import as_asset
from services.declarations.assets.rebate.model import Rebate
from services.declarations.customs import checks as customs_checks
from services.declarations.register.protocol import revaluing

REVISED = "REVISED"
ONE_OF = Problem(
    "rebate",
    "DECLARATION_OR_PERIOD",
    "Name either the declaration or the tax period that the rebate is expected for.",
    "请填写退税对应的报关单或所属期，二者只能填一项。",
)
NEGATIVE = Problem("amount", "AMOUNT_NEGATIVE", "Expect nothing, or a positive amount.", "预计退税额不得小于零。")
CURRENCY_DIFFERS = Problem(
    "amount", "CURRENCY_DIFFERS", "Revise it in the currency that it was registered in.", "修改金额须与原币种一致。"
)


def create(transaction: Transaction, request: rebate_pb2.CreateRebateRequest) -> rebate_pb2.Rebate:
    """Registers an expected rebate. The same again gives the one that stands.

    Raises RebateKnownOtherwise, InvalidFields.
    """
    rebate = _from_request(request.rebate, transaction.now_us)
    standing = store.load(transaction.connection, [rebate.id]).get(rebate.id)
    if standing is None:
        store.add(transaction, rebate)
    elif standing.amount != rebate.amount:
        raise assets_errors.RebateKnownOtherwise(rebate=standing.name)
    return rpc.to_proto(standing or rebate)


def _from_request(message: rebate_pb2.Rebate, now_us: int) -> Rebate:
    amount = money.from_proto(message.amount)
    problems = [ONE_OF] if bool(message.declaration) == bool(message.period) else []
    problems += customs_checks.amount_problems("rebate.amount", amount.minor_units)
    if problems:
        raise InvalidFields(problems)
    identifier = model.identifier(message.enterprise, message.declaration, message.period)
    return Rebate(identifier, message.enterprise, message.declaration, message.period, amount, now_us, 1)


def revise(transaction: Transaction, request: rebate_pb2.ReviseRebateRequest) -> rebate_pb2.Rebate:
    """Changes the expected amount; finance on a rebate that shrinks falls short. Raises NotFound, InvalidFields."""
    identifier, amount = request.name.removeprefix("rebates/"), money.from_proto(request.amount)
    rebate = store.load(transaction.connection, [identifier]).get(identifier)
    if rebate is None:
        raise NotFound(resource=request.name)
    check_etag(request.etag, rebate)
    problems = [CURRENCY_DIFFERS] if amount.currency != rebate.amount.currency else []
    problems += [NEGATIVE] if amount.minor_units < 0 else []
    problems += customs_checks.size_problems("amount", amount.minor_units, customs_checks.VALUE_MOST)
    if problems:
        raise InvalidFields(problems)
    revised = store.save(transaction, replace(rebate, amount=amount))
    revaluing.revalue(transaction, as_asset(revised), amount, REVISED)
    return rpc.to_proto(revised)
