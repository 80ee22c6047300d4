"""Two processes write lists, what is said of them and payments at once: nothing is lost, or counted twice."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, pool_pb2, retail_pb2

from chassis.database import Database
from chassis.errors import DomainError
from chassis.records import Conflict
from chassis.testing import PostgreSQL
from services.declarations.assets.pool import commands as pool_commands
from services.declarations.assets.pool.store import pool_members
from services.declarations.intake.takers import lists as takers_lists
from services.declarations.service import SERVICE
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.store import retail_waiting
from services.declarations.window.retail.summary.store import retail_summary_lists
from tests.service.retail_lists_world import (
    DAY_US,
    EXPORTER,
    MERCHANT,
    NOW_US,
    RIVAL,
    WINDOW,
    RetailRegister,
    cny,
    list_number,
    list_row,
    name_of,
    outcome,
    receipt_row,
)
from tests.service.test_retail_lists import departure
from tests.service.test_retail_pool import BANK, consent, finance
from tests.service.test_retail_summary import summary_row
from tests.support import Stores, migrate, ring

COUNT = 120
PATIENCE_SECONDS = 30


@pytest.fixture
def registers(store: Stores) -> Sequence[RetailRegister]:
    """One store, two processes."""
    return [RetailRegister(store("declarations", SERVICE.migrations)) for _ in range(2)]


def documents(number: int, first: bool) -> list[retail_pb2.RetailDocument]:
    """Returns the documents of one list; which of two summaries claims it differs by the process."""
    pair = [number - number % 2, number - number % 2 + 1]
    summary = summary_row((1000 if first else 2000) + number // 2, pair)
    return [
        retail_pb2.RetailDocument(list=list_row(number, 100_00 + number)),
        retail_pb2.RetailDocument(receipt=receipt_row(number, "120", NOW_US - 3 * DAY_US, merchant_code=MERCHANT)),
        retail_pb2.RetailDocument(receipt=receipt_row(number, "800", NOW_US - 2 * DAY_US, merchant_code=MERCHANT)),
        retail_pb2.RetailDocument(receipt=receipt_row(number, "899", enterprise_number="")),
        retail_pb2.RetailDocument(departure=departure(list_number(number))),
        retail_pb2.RetailDocument(summary=summary),
    ]


def batches(seed: int) -> list[declarations_pb2.BatchCreateRetailDocumentsRequest]:
    """All documents in an order and cut of their own."""
    chance = random.Random(seed)
    rows = [row for number in range(COUNT) for row in documents(number, seed == 0)]
    chance.shuffle(rows)
    cuts = []
    while rows:
        size = chance.randrange(10, 60)
        cuts.append(declarations_pb2.BatchCreateRetailDocumentsRequest(documents=rows[:size]))
        rows = rows[size:]
    return cuts


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Runs works at the same time; what each answered. Raises what one raised."""
    start = threading.Barrier(len(works), timeout=PATIENCE_SECONDS)
    answers: list[Any] = [None] * len(works)

    def run(index: int, work: Callable[[], Any]) -> None:
        start.wait()
        try:
            answers[index] = work()
        except Exception as error:
            answers[index] = error

    threads = [threading.Thread(target=run, args=work) for work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), "one waits for ever"
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def rows_of(database: Database, table: sa.Table, *columns: str) -> list[Any]:
    """Columns of all rows, sorted."""
    query = sa.select(*(table.c[name] for name in columns)).order_by(*columns)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_two_writers_of_one_merchant_end_where_one_would(registers: Sequence[RetailRegister], store: Stores) -> None:
    """Every list is released, left, in one summary and in the pool, whoever brought what and when; nothing waits."""
    retail_register, other = registers
    pool = retail_register.pool()

    def send(register: RetailRegister, seed: int) -> set[str]:
        answers = [register.call("BatchCreateRetailDocuments", batch) for batch in batches(seed)]
        return {outcome(verdict) for answer in answers for verdict in answer.verdicts}

    told = at_once(lambda: send(retail_register, 0), lambda: send(other, 1))
    assert set().union(*told) <= {"ACCEPTED", "DUPLICATE", "LIST_SUMMED_ALREADY"}
    assert retail_register.violations() == []
    assert rows_of(retail_register.database, retail_waiting, "key") == []
    with retail_register.database.read() as connection:
        found = list_store.load(connection, map(name_of, range(COUNT)))
    assert {(parcel_list.status, parcel_list.departure_us) for parcel_list in found.values()} == {("CLOSED", NOW_US)}
    claimed = rows_of(retail_register.database, retail_summary_lists, "list_number", "is_dropped")
    assert claimed == [(list_number(number), False) for number in range(COUNT)]
    assert {standing for (standing,) in rows_of(retail_register.database, pool_members, "standing")} == {"SUMMARISED"}
    eligible = sum(100_00 + number for number in range(COUNT))
    assert retail_register.get_pool(pool).derivation.eligible == cny(eligible)


def test_payments_and_returns_of_one_pool_at_once(registers: Sequence[RetailRegister]) -> None:
    """Each payment is counted, each return is, and the base is what the members give."""
    retail_register, other = registers
    pool = retail_register.pool()
    retail_register.lists(*(list_row(number, list_number=list_number(number)) for number in range(COUNT)))
    retail_register.receipts(*(receipt_row(number, "899", enterprise_number="") for number in range(COUNT)))
    steps = [range(first, first + 10) for first in range(0, COUNT, 10)]

    def pay() -> None:
        for step in steps:
            receipts = [pool_pb2.PoolReceipt(list_number=list_number(number), amount=cny(40_00)) for number in step]
            request = pool_pb2.ApplyPoolSettlementRequest(pool=pool, payment=f"payment-{step}", receipts=receipts)
            retail_register.call("ApplyPoolSettlement", request, WINDOW)

    def send_back() -> None:
        for step in steps:
            rows = [receipt_row(number, "700", NOW_US, merchant_code=MERCHANT) for number in step if number % 2]
            documents = [retail_pb2.RetailDocument(receipt=row) for row in rows]
            request = declarations_pb2.BatchCreateRetailDocumentsRequest(documents=documents)
            other.call("BatchCreateRetailDocuments", request)

    at_once(pay, send_back)
    assert retail_register.violations() == []
    members = rows_of(retail_register.database, pool_members, "paid_minor_units", "standing")
    assert sorted(members) == [(40_00, "CLOSED")] * (COUNT // 2) + [(40_00, "RETURNED")] * (COUNT // 2)
    assert retail_register.get_pool(pool).settled == cny(40_00 * COUNT)


@pytest.fixture
def two_databases(postgresql_server: PostgreSQL) -> Any:
    """Two processes on PostgreSQL, whose writers may be at work at once."""
    url = postgresql_server.new_database()
    opened = [Database(url, "declarations", ring()) for _ in range(2)]
    migrate(opened[0], SERVICE.migrations)
    yield opened
    for database in opened:
        database.close()


def test_lists_of_another_merchant_wait_for_nobody(two_databases: Sequence[Database]) -> None:
    """While one process is in the middle of a merchant's batch another finishes with another merchant's.

    What names no merchant waits, and finds the list then.
    """
    retail_register, other = (RetailRegister(database) for database in two_databases)
    own, rival = (list_row(number, list_number=list_number(number)) for number in (1, 2))
    rival.merchant_code = RIVAL
    assert not list_store.names([MERCHANT]) & list_store.names([RIVAL])
    nobodys = receipt_row(1, "899", enterprise_number="")

    with two_databases[0].write() as connection:
        takers_lists.take(retail_register.transaction(connection), [("row", own)])
        assert other.lists(rival) == ["ACCEPTED"]
        waiting = threading.Thread(target=other.receipts, args=[nobodys])
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(PATIENCE_SECONDS)
    assert not waiting.is_alive()
    assert retail_register.list(1).status == "CLOSED"


def test_lists_that_come_while_their_pool_is_made_join_it(two_databases: Sequence[Database]) -> None:
    """Whoever brings them knows of no pool yet; whoever gathers waits until they are there."""
    retail_register, other = (RetailRegister(database) for database in two_databases)
    row = list_row(1, list_number=list_number(1))
    with two_databases[0].write() as connection:
        takers_lists.take(retail_register.transaction(connection), [("row", row)])
        takers_lists.take_receipts(retail_register.transaction(connection), [("receipt", receipt_row(1, "899"))])
        making = threading.Thread(target=other.pool)
        making.start()
        making.join(0.2)
    making.join(PATIENCE_SECONDS)
    assert not making.is_alive()
    assert rows_of(retail_register.database, pool_members, "id") == [(name_of(1),)]


def test_nothing_is_reserved_on_a_pool_that_is_being_closed(two_databases: Sequence[Database]) -> None:
    """Whoever reserves meanwhile waits, and is refused."""
    retail_register, other = (RetailRegister(database) for database in two_databases)
    pool = retail_register.pool()
    retail_register.lists(*(list_row(number, list_number=list_number(number)) for number in range(COUNT)))
    retail_register.receipts(*(receipt_row(number, "899", enterprise_number="") for number in range(COUNT)))
    consent(retail_register, BANK)
    refused: list[DomainError] = []

    def reserve() -> None:
        try:
            finance(other, pool, 1_00)
        except DomainError as refusal:
            refused.append(refusal)

    reserving = threading.Thread(target=reserve)
    with two_databases[0].write() as connection:
        pool_commands.close(retail_register.transaction(connection, EXPORTER), pool_pb2.ClosePoolRequest(name=pool))
        reserving.start()
        reserving.join(0.2)
        assert reserving.is_alive()
    reserving.join(PATIENCE_SECONDS)
    assert [refusal.reason for refusal in refused] == ["VALUE_NOT_ELIGIBLE"]
    assert retail_register.violations() == []


def test_who_was_slower_begins_anew(registers: Sequence[RetailRegister]) -> None:
    """The revision is what proves it: a list that changed meanwhile isn't written over."""
    retail_register, other = registers
    retail_register.lists(list_row(1))
    before = retail_register.list(1)
    other.receipts(receipt_row(1, "899"))
    with retail_register.database.write() as connection, pytest.raises(Conflict):
        list_store.save(connection, [(before, before.numbered("", "PRE1"))])
