"""Pools as assets: worth their base and what was paid to those who finance them."""

import datetime
from collections.abc import Iterable

import sqlalchemy as sa

from chassis.errors import Problem
from chassis.money import Money
from services.declarations.assets.pool import store
from services.declarations.assets.pool.model import Pool, State
from services.declarations.register.asset import FINAL, Asset
from services.declarations.register.kind import Kind
from services.declarations.register.value import store as value_store

NOT_ELIGIBLE = "NOT_ELIGIBLE"
EMPTY = Problem(
    "pool",
    "POOL_HAS_NO_BASE",
    "The pool's lists give no borrowing base now; GetPool says why.",
    "该资产池目前没有可融资基数；原因见资产池详情。",
)


CLOSED = Problem(
    "pool",
    "POOL_CLOSED",
    "The enterprise has closed the pool; finance another one.",
    "该资产池已由企业关闭；请选择其他资产池。",
)


def load(connection: sa.Connection, names: Iterable[str], _on: datetime.date) -> dict[str, Asset]:
    """Returns the pools with these names as assets, by name."""
    pools = store.load(connection, (name.removeprefix("pools/") for name in names))
    settled = {
        name: value.settled for name, value in value_store.booked(connection, [p.name for p in pools.values()]).items()
    }
    return {pool.name: as_asset(pool, settled.get(pool.name, pool.base.zero())) for pool in pools.values()}


def as_asset(pool: Pool, settled: Money) -> Asset:
    """Returns a pool as an asset; `settled` is the settled part of its booked value so far."""
    why = CLOSED if pool.state is State.CLOSED else EMPTY
    verdict, reasons = (FINAL, ()) if pool.base else (NOT_ELIGIBLE, (why,))
    return Asset(pool.name, pool.enterprise, pool.base + settled, verdict, reasons, holder=pool.beneficiary)


# Buyers pay a list's full price, which is more than the list adds to the base: the surplus is no excess.
KIND = Kind(load=load, keeps_excess=False)
