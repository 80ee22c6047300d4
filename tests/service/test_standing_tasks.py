"""Calls owed before tasks had branches and times are carried over: the same calls under the same ids."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import tables, tasks
from chassis.database import Database
from chassis.ids import derived
from chassis.tasks import Task
from tests.support import NOW_US, migrate, migrate_to, ring

BEFORE = ("chassis_0004",)


def row(number: int, **changes: Any) -> Mapping[str, Any]:
    """A task as it was stored."""
    made = {"resource": f"loans/{number}", "saga": "loan", "step": "value declarations/1", "round": number}
    made |= {"service": "declarations", "method": "GetDeclaration", "request": b"\x0a\x03", "tenant": "banks/X"}
    made |= {"caller": "{}", "traceparent": "00-1", "due_us": NOW_US + number, "attempts": 0, "parked": None}
    return made | changes


ROWS = [row(1), row(2, attempts=7), row(3, attempts=1000, parked="declarations can't be reached")]


@pytest.fixture
def store(database_url: str) -> Iterator[Database]:
    """A store as the release before left it."""
    database = Database(database_url, "books", ring())
    migrate_to(database, [], BEFORE)
    with database.write() as connection:
        before = sa.Table("tasks", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(before), ROWS)
    yield database
    database.close()


def test_what_is_owed_is_carried_over(store: Database) -> None:
    migrate(store)
    with store.read() as connection:
        query = sa.select(tables.tasks).order_by(tables.tasks.c.resource)
        carried = [Task(**row) for row in connection.execute(query).mappings()]
        due = tasks.due(connection, NOW_US + 3)
    assert carried == [Task(**row, since_us=row["due_us"]) for row in ROWS]
    assert [task.request_id for task in carried] == [
        derived(row["resource"], "value declarations/1", row["round"]) for row in ROWS
    ]
    assert due == carried[:2]
