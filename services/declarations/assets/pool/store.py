"""Pools, their members, totals and movements as rows: the only SQL of this room."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records
from chassis.command import Transaction
from chassis.records import TEXT
from services.declarations.assets.pool import rpc
from services.declarations.assets.pool.model import (
    COUNTRY,
    PLATFORM,
    STANDING,
    Change,
    Key,
    Member,
    Movement,
    Pool,
    Total,
    Totals,
    base,
    terms,
)
from services.declarations.privacy.consent import store as consent_store
from services.declarations.schema import metadata
from services.declarations.window.retail.list.model import RetailList
from services.declarations.window.retail.list.store import retail_lists

pools = records.table(
    "pools",
    Pool,
    metadata,
    sa.Index("pools_enterprise", "enterprise", "id"),
    sa.Index("pools_gathered", "gathered"),
)

# The key is the list: it joins one pool ever.
pool_members = records.table(
    "pool_members",
    Member,
    metadata,
    sa.Index("pool_members_pool", "pool", "id"),
    sa.Index("pool_members_ageing", "standing", "ages_us"),
)

# The sums over a pool's members from which its base follows, kept up by what changes.
pool_totals = sa.Table(
    "pool_totals",
    metadata,
    sa.Column("pool", TEXT, primary_key=True),
    sa.Column("dimension", TEXT, primary_key=True),
    sa.Column("code", TEXT, primary_key=True),
    sa.Column("lists", sa.BigInteger, nullable=False),
    sa.Column("outstanding_minor_units", sa.BigInteger, nullable=False),
    sa.Column("term_minor_units", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The id holds pool and number.
pool_movements = records.table("pool_movements", Movement, metadata)

# Payments applied to pools: each once.
pool_settlements = sa.Table(
    "pool_settlements",
    metadata,
    sa.Column("pool", TEXT, primary_key=True),
    sa.Column("payment", TEXT, primary_key=True),
    sa.Column("response", records.BYTES, nullable=False),
)

MEMBER_CHANGES = (
    "country", "platform_code", "value_minor_units", "paid_minor_units", "standing", "term_minor_units", "ages_us",
)  # fmt: skip


def matching(*conditions: Any) -> Any:
    """Returns a query of the pools that meet the conditions."""
    return sa.select(pools).where(*conditions)


def movements_of(pool: str) -> Any:
    """Returns a query of a pool's movements, along the key: an id begins with its pool's, and "0" follows "/"."""
    rows = pool_movements
    return sa.select(rows).where(rows.c.id > f"{pool}/", rows.c.id < f"{pool}0")


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Pool]:
    """Returns the pools with these ids, by id, without those that don't exist."""
    query = sa.select(pools).where(bulk.among(connection, pools.c.id, set(identifiers)))
    return {pool.id: pool for pool in records.many(connection, query, Pool)}


def of_enterprises(connection: sa.Connection, enterprises: Iterable[str]) -> dict[str, Pool]:
    """Returns all pools of these enterprises, by id."""
    wanted = {enterprise for enterprise in enterprises if enterprise}
    if not wanted:
        return {}
    query = sa.select(pools).where(bulk.among(connection, pools.c.enterprise, wanted))
    return {pool.id: pool for pool in records.many(connection, query, Pool)}


def members(connection: sa.Connection, lists: Iterable[str]) -> dict[str, Member]:
    """Returns the members that these lists are, by list, without lists in no pool."""
    query = sa.select(pool_members).where(bulk.among(connection, pool_members.c.id, set(lists)))
    return {member.id: member for member in records.many(connection, query, Member)}


def meant_for(institution: str) -> Any:
    """Returns the condition that a pool is an institution's to finance."""
    return pools.c.beneficiary.in_(("", institution))


def pool_of(connection: sa.Connection, lists: Iterable[str], institution: str = "") -> dict[str, str]:
    """Returns the pool that each of these lists has joined, if any; to an institution only pools meant for it."""
    joined = sa.select(pool_members.c.id, pool_members.c.pool)
    query = joined.where(bulk.among(connection, pool_members.c.id, set(lists)))
    if institution:
        query = query.where(pool_members.c.pool.in_(sa.select(pools.c.id).where(meant_for(institution))))
    return {row.id: row.pool for row in connection.execute(query)}


def ever_in(pool: str, institution: str = "") -> Any:
    """Returns a query of the lists that a pool has ever had; none for an institution that it isn't meant for."""
    query = sa.select(pool_members.c.id).where(pool_members.c.pool == pool)
    return query.where(sa.exists().where(pools.c.id == pool, meant_for(institution))) if institution else query


def aging(connection: sa.Connection, now_us: int, standings: Iterable[str], limit: int) -> list[str]:
    """Returns lists that counted until now and are too old."""
    rows = pool_members
    query = sa.select(rows.c.id).where(rows.c.standing.in_(list(standings)), rows.c.ages_us <= now_us)
    return list(connection.execute(query.limit(limit)).scalars())


def gathering(connection: sa.Connection, done: str) -> Pool | None:
    """Returns a pool whose older lists haven't all been looked at, None where there is none."""
    query = sa.select(pools).where(pools.c.gathered < done).order_by(pools.c.id).limit(1)
    return next(iter(records.many(connection, query, Pool)), None)


def lists_after(connection: sa.Connection, enterprise: str, identifier: str, limit: int) -> list[RetailList]:
    """Returns an enterprise's lists that follow an id."""
    rows = retail_lists
    query = sa.select(rows).where(rows.c.enterprise == enterprise, rows.c.id > identifier)
    return records.many(connection, query.order_by(rows.c.id).limit(limit), RetailList)


def save_gathered(connection: sa.Connection, pool: str, gathered: str) -> None:
    """Saves how far the sweep of a pool's older lists has come."""
    connection.execute(sa.update(pools).where(pools.c.id == pool).values(gathered=gathered))


def totals(connection: sa.Connection, wanted: Iterable[str]) -> dict[str, Totals]:
    """Returns the totals of each of these pools."""
    totals_by_pool = {pool: Totals() for pool in wanted}
    query = sa.select(pool_totals).where(pool_totals.c.pool.in_(list(totals_by_pool)))
    for row in connection.execute(query):
        key = (row.dimension, row.code)
        totals_by_pool[row.pool].by[key] = Total(row.lists, row.outstanding_minor_units, row.term_minor_units)
    return totals_by_pool


def save_members(connection: sa.Connection, changes: Sequence[Change]) -> None:
    """Inserts new members, and saves those that changed."""
    new_rows = [records.to_row(after) for before, after in changes if before is None]
    bulk.insert(connection, pool_members, [list(row.values()) for row in new_rows])
    moved = [(*_changing(after), after.id) for before, after in changes if before is not None]
    bulk.update(connection, pool_members, MEMBER_CHANGES, moved)


_changing = attrgetter(*MEMBER_CHANGES)


def save_totals(connection: sa.Connection, pool: str, changed: Totals) -> None:
    """Saves the totals that changed."""
    rows = [_total_row(pool, key, changed.by[key]) for key in sorted(changed.changed)]
    if not rows:
        return
    places = (pool_totals.c.pool, pool_totals.c.dimension, pool_totals.c.code)
    is_meant = sa.and_(*(column == sa.bindparam(f"old_{column.name}") for column in places))
    connection.execute(sa.delete(pool_totals).where(is_meant), [_old(row) for row in rows])
    connection.execute(sa.insert(pool_totals), rows)
    changed.changed.clear()


def _old(row: Mapping[str, Any]) -> dict[str, Any]:
    return {f"old_{name}": row[name] for name in ("pool", "dimension", "code")}


def _total_row(pool: str, key: Key, total: Total) -> dict[str, Any]:
    return {
        "pool": pool,
        "dimension": key[0],
        "code": key[1],
        "lists": total.lists,
        "outstanding_minor_units": total.outstanding_minor_units,
        "term_minor_units": total.term_minor_units,
    }


def add(transaction: Transaction, pool: Pool) -> None:
    """Inserts a new pool, and tells its event."""
    records.insert(transaction.connection, pools, pool)
    _tell(transaction, pool, "pool.created")


def save(transaction: Transaction, pool: Pool, movements: Sequence[Movement], event: str) -> Pool:
    """Saves a pool that moved, with its movements and one event for all of them. Returns the saved pool."""
    saved = records.update(transaction.connection, pools, pool)
    records.insert(transaction.connection, pool_movements, *movements)
    _tell(transaction, saved, event)
    return saved


def _tell(transaction: Transaction, pool: Pool, event: str) -> None:
    """Tells an event to the enterprise and to those institutions that it lets see."""
    institutions = consent_store.institutions(transaction.connection, [pool.enterprise], transaction.now_us)
    seen = [
        institution for institution in institutions.get(pool.enterprise, ()) if pool.beneficiary in ("", institution)
    ]
    transaction.append(event, pool.name, rpc.to_proto(pool), [pool.enterprise, *seen])


def applied(connection: sa.Connection, pool: str, payment: str) -> bytes | None:
    """Returns the response to a payment that was applied before, None where it wasn't."""
    rows = pool_settlements
    query = sa.select(rows.c.response).where(rows.c.pool == pool, rows.c.payment == payment)
    response: bytes | None = connection.execute(query).scalar()
    return response


def add_applied(connection: sa.Connection, pool: str, payment: str, response: bytes) -> None:
    """Remembers that a payment was applied, and its response."""
    connection.execute(sa.insert(pool_settlements).values(pool=pool, payment=payment, response=response))


def lists_paid(
    connection: sa.Connection, pool: str, list_numbers: Iterable[str], orders: Iterable[str]
) -> list[RetailList]:
    """Returns a pool's lists that have one of these numbers or orders."""
    meant = [
        bulk.among(connection, retail_lists.c.list_number, set(list_numbers)),
        bulk.among(connection, retail_lists.c.order_number, set(orders)),
    ]
    lists_by_id: dict[str, RetailList] = {}
    for condition in meant:
        query = sa.select(retail_lists).join(pool_members, pool_members.c.id == retail_lists.c.id)
        query = query.where(pool_members.c.pool == pool, condition)
        lists_by_id |= {retail_list.id: retail_list for retail_list in records.many(connection, query, RetailList)}
    return list(lists_by_id.values())


def violations(connection: sa.Connection) -> list[str]:
    """Proves P1: each pool's totals are its lists' sums, and its base follows from them. Returns the violations."""
    summed = _summed(connection)
    violated = []
    for pool in records.many(connection, sa.select(pools).order_by(pools.c.id), Pool):
        kept = totals(connection, [pool.id])[pool.id]
        added = summed.get(pool.id, Totals())
        violated += [f"pools: {pool.name} keeps {what}" for what in _differences(kept, added)]
        anew = base(added, pool, terms(pool.base_on))
        if pool.base.minor_units != anew:
            violated.append(f"pools: {pool.name} has the base {pool.base.minor_units}, its lists give {anew}")
    return violated


def _summed(connection: sa.Connection) -> dict[str, Totals]:
    """Returns the totals of all pools, added up from their members alone."""
    rows = pool_members
    totals_by_pool: dict[str, Totals] = {}
    eligible = sa.case((rows.c.term_minor_units > 0, rows.c.id))
    dimensions = ((STANDING, rows.c.standing, rows.c.id), (COUNTRY, rows.c.country, eligible))
    for dimension, code, counted in (*dimensions, (PLATFORM, rows.c.platform_code, eligible)):
        for row in connection.execute(_sums(code, counted)):
            total = Total(row.lists, int(row.outstanding or 0), int(row.term or 0))
            if row.lists:
                totals_by_pool.setdefault(row.pool, Totals()).by[dimension, row.code] = total
    return totals_by_pool


def _sums(code: sa.ColumnElement[str], counted: sa.ColumnElement[str]) -> sa.Select[Any]:
    """Returns a query of number, outstanding and eligible value of the counted members, by pool and code."""
    rows = pool_members
    owed = rows.c.value_minor_units - rows.c.paid_minor_units
    outstanding = sa.func.sum(sa.case((sa.and_(owed > 0, counted.is_not(None)), owed), else_=0))
    columns = (rows.c.pool, code.label("code"), sa.func.count(counted).label("lists"))
    sums = (outstanding.label("outstanding"), sa.func.sum(rows.c.term_minor_units).label("term"))
    return sa.select(*columns, *sums).group_by(rows.c.pool, code)


def _differences(kept: Totals, added: Totals) -> Iterator[str]:
    for key in sorted({*kept.by, *added.by}):
        total, other = kept.by.get(key, Total()), added.by.get(key, Total())
        if total != other:
            yield f"{key[0]} {key[1]} {total}, its lists give {other}"
