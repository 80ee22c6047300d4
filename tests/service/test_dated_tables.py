"""Dated tables in a store, on both databases: which version a transaction reads, and at what cost."""

import datetime
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from chassis import migrations
from chassis.database import Database
from services.loans.service import SERVICE
from tests.support import seeded_random
from trade.dated_tables import packaged, reads
from trade.dated_tables import store as dated_tables_store
from trade.dated_tables.model import Table
from trade.dated_tables.reads import TableUnfit
from trade.dated_tables.store import EditionConflict
from trade.tables import dated_tables

CALENDAR = "calendars/CN.working"
RATES = "code,value,effective_from,effective_to,source\nUSD,{},2020-01-01,,a notice\n"


@pytest.fixture
def loans(database_url: str) -> Iterator[Database]:
    """A service's store as it begins."""
    store = Database(database_url, SERVICE.name)
    migrations.upgrade(store, SERVICE.migrations, seeded_random(1), SERVICE.prepare)
    yield store
    store.close()


def test_a_batch_asks_its_store_once_for_each_table(loans: Database) -> None:
    with loans.read() as connection:
        told: list[str] = []
        sa.event.listen(connection, "before_cursor_execute", lambda *arguments: told.append(arguments[2]))
        for _ in range(100):
            reads.dated_table(connection, "exchange_rates")
        assert len([statement for statement in told if "trade_dated_tables" in statement]) in (1, 2)
        told.clear()
        reads.in_force(connection, CALENDAR)
        assert len(told) == 1
        with pytest.raises(reads.TableUnfit, match="tides is missing"):
            reads.in_force(connection, "tides")


def test_a_version_that_another_load_made_meanwhile_is_told(loans: Database) -> None:
    table = next(packaged.tables())
    with loans.write() as connection:
        assert dated_tables_store.add(connection, table, 0) is False
        other = type(table)(name=table.name, version=table.version, source="", content=b"other")
        with pytest.raises(EditionConflict):
            dated_tables_store.add(connection, other, 0)


def test_preparing_a_store_again_leaves_what_is_newer(loans: Database) -> None:
    later = Table(name="exchange_rates", version=2, source="a notice", content=RATES.format("1.2").encode())
    with loans.write() as connection:
        dated_tables_store.add(connection, later, 0)
        # As where a release packages a table of which others were loaded before.
        this = dated_tables.c.name == "exchange_rates", dated_tables.c.version == 1
        connection.execute(sa.delete(dated_tables).where(*this))
        before = dated_tables_store.editions(connection)
        packaged.prepare(connection)
        assert dated_tables_store.editions(connection) == before
    with loans.read() as connection:
        assert reads.dated_table(connection, "exchange_rates").value("USD", datetime.date(2026, 1, 1)) == "1.2"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"code", "holds other rows than were loaded"), (b"code,value\nUSD,1\n", "holds other rows")],
)
def test_rows_that_were_not_loaded_are_not_read(loans: Database, content: bytes, expected: str) -> None:
    """DT1: whoever tampers with a table stops what rests on it."""
    later = Table(name="exchange_rates", version=2, source="", content=RATES.format("1.3").encode())
    with loans.write() as connection:
        dated_tables_store.add(connection, later, 0)
        this = dated_tables.c.name == "exchange_rates", dated_tables.c.version == 2
        connection.execute(sa.update(dated_tables).where(*this).values(content=content))
    with loans.read() as connection, pytest.raises(TableUnfit, match=expected):
        reads.dated_table(connection, "exchange_rates")
