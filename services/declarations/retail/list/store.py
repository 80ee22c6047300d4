"""Lists and their notices as rows, always a batch at a time: the only SQL of this room."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import retail_pb2

from chassis import bulk, database, records
from chassis.command import Transaction
from services.declarations.retail.list.model import Fact, Notice, RetailList
from services.declarations.tables import retail_lists, retail_notices, retail_waiting

# A list, its receipts and the pool that it counts in belong together: who changes any of them goes alone.
LOCK = "retailLists/-"
MOVING = ("status", "release_us", "departure_us")
CHANGING = tuple(name for name in retail_lists.columns.keys() if name not in ("id", "revision", "create_us"))  # noqa: SIM118


# The event of lists that came or count otherwise now; it names many (AIP-159).
CHANGED = "retail_lists.changed"


def tell(transaction: Transaction, changed: Iterable[RetailList]) -> None:
    """One event for all these lists, for what is derived from them and for the window."""
    if names := [one.name for one in changed]:
        transaction.append(CHANGED, LOCK, retail_pb2.RetailListsChanged(lists=names), ())


def lock(transaction: Transaction) -> None:
    """Waits for other processes that change lists."""
    database.lock(transaction.connection, [LOCK])


def load(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, RetailList]:
    """The lists with these ids, those that are known."""
    return _by(connection, retail_lists.c.id, identifiers)


def with_numbers(connection: sa.Connection, column: str, numbers: Iterable[str]) -> dict[str, RetailList]:
    """The lists, by id, with one of these numbers in a column."""
    return _by(connection, retail_lists.c[column], numbers)


def _by(connection: sa.Connection, column: sa.ColumnElement[Any], values: Iterable[str]) -> dict[str, RetailList]:
    wanted = {value for value in values if value}
    if not wanted:
        return {}
    found = records.many(connection, sa.select(retail_lists).where(bulk.among(connection, column, wanted)), RetailList)
    return {one.id: one for one in found}


def facts_of(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, set[Fact]]:
    """What was said of each list."""
    wanted = set(identifiers)
    found: dict[str, set[Fact]] = {one: set() for one in wanted}
    rows = retail_notices
    if wanted:
        query = sa.select(rows.c.list, rows.c.code, rows.c.notice_us).where(bulk.among(connection, rows.c.list, wanted))
        for row in connection.execute(query):
            found[row.list].add((row.code, row.notice_us))
    return found


def add(connection: sa.Connection, fresh: Sequence[RetailList]) -> None:
    """New lists."""
    rows = [records.to_row(one) for one in fresh]
    bulk.insert(connection, retail_lists, [list(row.values()) for row in rows])


def save(connection: sa.Connection, changed: Sequence[tuple[RetailList, RetailList]]) -> None:
    """Lists as they were and are now, one revision up. The batch holds the lock, so nobody was faster."""
    moved = [after for before, after in changed if _is_only_moved(before, after)]
    other = [after for before, after in changed if not _is_only_moved(before, after)]
    bulk.update(connection, retail_lists, MOVING, [(*_moving(one), one.id) for one in moved])
    rows = [records.to_row(one) for one in other]
    bulk.update(connection, retail_lists, CHANGING, [[*(row[name] for name in CHANGING), row["id"]] for row in rows])


_moving = attrgetter(*MOVING)


def _is_only_moved(before: RetailList, after: RetailList) -> bool:
    """Whether only columns without unique indexes changed: the usual, and cheaper to write."""
    said = (before.list_number, before.pre_number, before.digest, before.send_us)
    return said == (after.list_number, after.pre_number, after.digest, after.send_us)


def add_notices(connection: sa.Connection, fresh: Mapping[tuple[str, Fact], str]) -> None:
    """New notices by list and fact, with their notes."""
    rows = [(identifier, notice_us, code, note) for (identifier, (code, notice_us)), note in fresh.items()]
    bulk.insert(connection, retail_notices, rows)


def is_waited(connection: sa.Connection) -> bool:
    """Whether any notice waits for its list."""
    return connection.execute(sa.select(retail_waiting.c.key).limit(1)).first() is not None


def waiting(connection: sa.Connection, numbers: Mapping[str, Iterable[str]]) -> list[Notice]:
    """The waiting notices that name one of these numbers, by column."""
    wanted = {column: {value for value in values if value} for column, values in numbers.items()}
    meant = [bulk.among(connection, retail_waiting.c[column], values) for column, values in wanted.items() if values]
    if not meant:
        return []
    columns = [column for column in retail_waiting.columns if column.name != "key"]
    rows = connection.execute(sa.select(*columns).where(sa.or_(*meant))).mappings()
    return [Notice(**row) for row in rows]


def waiting_keys(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """Which of these notices wait already."""
    query = sa.select(retail_waiting.c.key).where(bulk.among(connection, retail_waiting.c.key, set(keys)))
    return set(connection.execute(query).scalars())


def keep_waiting(connection: sa.Connection, notices: Iterable[Notice]) -> None:
    """Notices whose list isn't known."""
    names = [column.name for column in retail_waiting.columns]
    bulk.insert(connection, retail_waiting, [[getattr(one, name) for name in names] for one in notices])


def end_waiting(connection: sa.Connection, notices: Sequence[Notice]) -> None:
    """Notices whose list came."""
    if notices:
        keys = [one.key for one in notices]
        connection.execute(sa.delete(retail_waiting).where(bulk.among(connection, retail_waiting.c.key, keys)))
