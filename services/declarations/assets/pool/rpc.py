"""Pools on the wire, and their base explained."""

from datetime import date

from aval.declarations.v1 import pool_pb2
from aval.type.v1 import money_pb2

from chassis import money
from chassis.errors import Problem
from chassis.money import Money
from chassis.rpc import decimal, problem
from services.declarations.assets.pool import model
from services.declarations.assets.pool.model import Excess, Movement, Pool, Total, Totals
from services.declarations.customs.code_tables import code_table


def to_proto(pool: Pool) -> pool_pb2.Pool:
    """Returns the pool as everyone sees it who may see it at all."""
    message = pool_pb2.Pool(
        name=pool.name,
        enterprise=pool.enterprise,
        display_name=pool.display_name,
        currency_code=pool.currency,
        trade_modes=pool.trade_modes,
        platform_code=pool.platform_code,
        beneficiary=pool.beneficiary,
        base=money.to_proto(pool.base),
        settled=money.to_proto(pool.settled),
        etag=str(pool.revision),
        state=pool.state.value,
    )
    message.create_time.FromMicroseconds(pool.create_us)
    return message


def derivation(pool: Pool, totals: Totals, language: str) -> pool_pb2.BaseDerivation:
    """Returns how the base comes about."""
    on = model.terms(pool.base_on)
    standings = totals.of(model.STANDING)
    gross = sum(total.outstanding_minor_units for code, total in standings.items() if not _has_left(code))
    excesses = model.excesses(totals, pool, on)
    return pool_pb2.BaseDerivation(
        gross=_amount(pool, gross),
        standings=[_standing(pool, code, total, language) for code, total in standings.items() if total.lists],
        eligible=_amount(pool, totals.eligible),
        concentrations=[_concentration(pool, excess) for excess in excesses],
        minimum_lists=on.minimum_lists,
        too_few_lists=totals.eligible_lists(on) < on.minimum_lists,
        advance_rate=decimal(on.advance_rate),
        base=money.to_proto(pool.base),
    )


def _amount(pool: Pool, minor_units: int) -> money_pb2.Money:
    return money.to_proto(Money(pool.currency, minor_units))


def _has_left(standing: str) -> bool:
    row = code_table("pool_standings").row(standing, date.max)
    return bool(row and row["left"] == "YES")


def _standing(pool: Pool, code: str, total: Total, language: str) -> pool_pb2.PoolStanding:
    on = model.terms(pool.base_on)
    message = pool_pb2.PoolStanding(
        standing=code,
        lists=total.lists,
        outstanding=_amount(pool, total.outstanding_minor_units),
        eligibility=decimal(on.eligibility.get(code, model.NOTHING)),
        eligible=_amount(pool, total.term_minor_units),
    )
    row = code_table("pool_standings").row(code, date.max) or code_table("list_statuses").row(code, date.max)
    if row and row["reason"]:
        reason = Problem("standing", row["reason"], row["english"], row["chinese"])
        message.reason.CopyFrom(problem(reason, language))
    return message


def _concentration(pool: Pool, excess: Excess) -> pool_pb2.Concentration:
    return pool_pb2.Concentration(
        dimension=excess.dimension,
        code=excess.code,
        eligible=_amount(pool, excess.eligible),
        limit=_amount(pool, excess.limit),
        excess=_amount(pool, excess.minor_units),
    )


def movement_to_proto(movement: Movement) -> pool_pb2.PoolMovement:
    """Returns a step of the base on the wire."""
    message = pool_pb2.PoolMovement(
        name=f"pools/{movement.pool}/movements/{movement.number}",
        number=movement.number,
        cause=movement.cause,
        lists=movement.lists,
        eligible_change=money.to_proto(Money(movement.base.currency, movement.eligible_change)),
        base=money.to_proto(movement.base),
    )
    message.create_time.FromMicroseconds(movement.create_us)
    return message
