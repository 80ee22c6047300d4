"""Lists and their notices as rows, always a batch at a time: the only SQL of this room."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import retail_pb2

from chassis import bulk, database, records
from chassis.command import Transaction
from chassis.records import TEXT, Conflict
from services.declarations.schema import metadata, orphans_index
from services.declarations.window.retail.list.model import Fact, Notice, RetailList

# Keyed by what never changes; the numbers that customs and the window give are unique once given.
retail_lists = records.table(
    "retail_lists",
    RetailList,
    metadata,
    *(
        sa.Index("retail_lists_list_number", "list_number", unique=True),
        sa.Index("retail_lists_pre_number", "pre_number", unique=True),
        sa.Index("retail_lists_enterprise_number", "enterprise_number"),
        sa.Index("retail_lists_order", "order_number", "platform_code"),
        sa.Index("retail_lists_waybill", "waybill"),
        sa.Index("retail_lists_enterprise", "enterprise", "id"),
        sa.Index("retail_lists_status", "enterprise", "status", "id"),
        orphans_index("retail_lists"),
    ),
)

# All facts that were stated of each list.
retail_notices = sa.Table(
    "retail_notices",
    metadata,
    sa.Column("list", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# The notices of lists that aren't stored yet, or not by that number: few, and gone once they are.
retail_waiting = sa.Table(
    "retail_waiting",
    metadata,
    sa.Column("key", TEXT, primary_key=True),
    sa.Column("list_number", TEXT, nullable=False),
    sa.Column("pre_number", TEXT, nullable=False),
    sa.Column("merchant_code", TEXT, nullable=False),
    sa.Column("enterprise_number", TEXT, nullable=False),
    sa.Column("waybill", TEXT, nullable=False),
    sa.Column("notice_us", sa.BigInteger, nullable=False),
    sa.Column("code", TEXT, nullable=False),
    sa.Column("note", TEXT, nullable=False),
    sa.Index("retail_waiting_list_number", "list_number"),
    sa.Index("retail_waiting_pre_number", "pre_number"),
    sa.Index("retail_waiting_enterprise_number", "enterprise_number"),
    sa.Index("retail_waiting_waybill", "waybill"),
)


# How finely merchants are kept apart: enough for parallel writers, few enough to lock all of them.
LOCKS = 256
ALL_LOCKS = frozenset(f"retailLists/{shard}" for shard in range(LOCKS))
KEY = ("id", "revision")
MOVING = ("status", "release_us", "departure_us")
CHANGING = tuple(name for name in retail_lists.columns.keys() if name not in ("id", "revision", "create_us"))  # noqa: SIM118
# The event of lists that came or count otherwise now; it names many lists (AIP-159).
CHANGED = "retail_lists.changed"
ALL = "retailLists/-"


def tell(transaction: Transaction, changed: Iterable[RetailList]) -> None:
    """Appends one event for all these lists, for the rows derived from them and for the window."""
    if named := [retail_list.name for retail_list in changed]:
        transaction.append(CHANGED, ALL, retail_pb2.RetailListsChanged(lists=named), ())


def names(merchant_codes: Iterable[str]) -> set[str]:
    """Returns the locks of a command on lists of these merchants, so that it misses no waiting notice.

    A list and its summary are of one merchant. A document that names no merchant may be of any.
    """
    codes = set(merchant_codes)
    return set(ALL_LOCKS) if "" in codes else {f"retailLists/{zlib.crc32(code.encode()) % LOCKS}" for code in codes}


def lock(transaction: Transaction, merchant_codes: Iterable[str]) -> None:
    """Waits for other processes that change lists or summaries of these merchants; an empty code stands for any."""
    database.lock(transaction.connection, sorted(names(merchant_codes)))


def matching(*conditions: Any) -> Any:
    """Returns a query of the lists that keep the conditions."""
    return sa.select(retail_lists).where(*conditions)


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, RetailList]:
    """Returns the lists with these ids, those that exist, by id."""
    return _by(connection, retail_lists.c.id, identifiers)


def with_numbers(connection: sa.Connection, column: str, numbers: Iterable[str]) -> dict[str, RetailList]:
    """Returns the lists, by id, with one of these numbers in a column."""
    return _by(connection, retail_lists.c[column], numbers)


def _by(connection: sa.Connection, column: sa.ColumnElement[Any], values: Iterable[str]) -> dict[str, RetailList]:
    wanted = {value for value in values if value}
    if not wanted:
        return {}
    lists = records.many(connection, sa.select(retail_lists).where(bulk.among(connection, column, wanted)), RetailList)
    return {retail_list.id: retail_list for retail_list in lists}


def facts_of(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, set[Fact]]:
    """Returns the facts of each list."""
    wanted = set(identifiers)
    facts: dict[str, set[Fact]] = {identifier: set() for identifier in wanted}
    rows = retail_notices
    if wanted:
        query = sa.select(rows.c.list, rows.c.code, rows.c.notice_us).where(bulk.among(connection, rows.c.list, wanted))
        for row in connection.execute(query):
            facts[row.list].add((row.code, row.notice_us))
    return facts


def add(connection: sa.Connection, added: Sequence[RetailList]) -> None:
    """Adds new lists."""
    rows = [records.to_row(retail_list) for retail_list in added]
    bulk.insert(connection, retail_lists, [list(row.values()) for row in rows])


def save(connection: sa.Connection, changed: Sequence[tuple[RetailList, RetailList]]) -> None:
    """Saves lists as they were and are now, one revision up. Raises Conflict if another writer was faster."""
    moved = [after for before, after in changed if _is_only_moved(before, after)]
    other = [records.to_row(after) for before, after in changed if not _is_only_moved(before, after)]
    written = bulk.update(
        connection, retail_lists, MOVING, [(*_moving(retail_list), *_key(retail_list)) for retail_list in moved], KEY
    )
    rows = [[row[name] for name in (*CHANGING, *KEY)] for row in other]
    written += bulk.update(connection, retail_lists, CHANGING, rows, KEY)
    if written != len(changed):
        raise Conflict(retail_lists.name)


_moving = attrgetter(*MOVING)
_key = attrgetter(*KEY)


def _is_only_moved(before: RetailList, after: RetailList) -> bool:
    """Tells whether only columns without unique indexes changed: the usual, and cheaper to write."""
    content_before = (before.list_number, before.pre_number, before.digest, before.send_us)
    return content_before == (after.list_number, after.pre_number, after.digest, after.send_us)


def add_notices(connection: sa.Connection, notes: Mapping[tuple[str, Fact], str]) -> None:
    """Adds new notices by list and fact, with their notes."""
    rows = [(identifier, notice_us, code, note) for (identifier, (code, notice_us)), note in notes.items()]
    bulk.insert(connection, retail_notices, rows)


def is_waited(connection: sa.Connection) -> bool:
    """Tells whether any notice waits for its list."""
    return connection.execute(sa.select(retail_waiting.c.key).limit(1)).first() is not None


def waiting(connection: sa.Connection, numbers: Mapping[str, Iterable[str]]) -> list[Notice]:
    """Returns the waiting notices that name one of these numbers, by column."""
    wanted = {column: {value for value in values if value} for column, values in numbers.items()}
    meant = [bulk.among(connection, retail_waiting.c[column], values) for column, values in wanted.items() if values]
    if not meant:
        return []
    columns = [column for column in retail_waiting.columns if column.name != "key"]
    rows = connection.execute(sa.select(*columns).where(sa.or_(*meant))).mappings()
    return [Notice(**row) for row in rows]


def waiting_keys(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """Returns the keys of those notices that wait already."""
    query = sa.select(retail_waiting.c.key).where(bulk.among(connection, retail_waiting.c.key, set(keys)))
    return set(connection.execute(query).scalars())


def keep_waiting(connection: sa.Connection, notices: Iterable[Notice]) -> None:
    """Keeps notices whose list isn't stored."""
    names = [column.name for column in retail_waiting.columns]
    bulk.insert(connection, retail_waiting, [[getattr(notice, name) for name in names] for notice in notices])


def end_waiting(connection: sa.Connection, notices: Sequence[Notice]) -> None:
    """Deletes waiting notices whose list came."""
    if notices:
        keys = [notice.key for notice in notices]
        connection.execute(sa.delete(retail_waiting).where(bulk.among(connection, retail_waiting.c.key, keys)))
