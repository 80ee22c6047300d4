"""What users of other ledgers complain about, one test for each complaint, on both databases."""

import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.database import Database
from chassis.errors import RequestIdReused
from chassis.money import LARGEST
from chassis.writer import run_batch
from ledger import store as ledger
from ledger import tables
from ledger.model import Kind, Limit, Transfer
from tests.service.test_writer import NOTE, notes
from tests.support import NOW_US, Stores, apply, balances, explained, open_accounts, submission, uid, violations

WORLD, PURSE, LOAN = uid("world"), uid("purse"), uid("loan")


@pytest.fixture
def database(store: Stores) -> Database:
    """A ledger with money in a purse that must not be overdrawn."""
    opened = store("books", [ledger.MIGRATIONS])
    open_accounts(opened, "world", "loan")
    open_accounts(opened, "purse", limit=Limit.DEBITS_MUST_NOT_EXCEED_CREDITS)
    assert apply(opened, Transfer(uid("fund"), WORLD, PURSE, 100)) == ["OK"]
    return opened


def test_holds_count_in_availability_and_a_rejected_hold_never_posts(database: Database) -> None:
    """Complaint 1: holds not counted in availability; rejected holds later committed."""
    held, rejected = (Transfer(uid(name), PURSE, WORLD, 70, Kind.PENDING) for name in ("held", "rejected"))
    assert apply(database, held, rejected) == ["OK", "EXCEEDS_CREDITS"]
    assert apply(database, Transfer(uid("spend"), PURSE, WORLD, 31)) == ["EXCEEDS_CREDITS"]
    assert apply(database, Transfer(uid("commit"), kind=Kind.POST, pending_id=rejected.id)) == ["PENDING_NOT_FOUND"]
    assert apply(database, Transfer(uid("free"), kind=Kind.VOID, pending_id=held.id)) == ["OK"]
    # Now there is money enough, yet what was rejected stays rejected.
    assert apply(database, rejected) == ["EXCEEDS_CREDITS"]
    for name, ended in (("commit", rejected), ("late", held)):
        assert apply(database, Transfer(uid(name), kind=Kind.POST, pending_id=ended.id))[0].startswith("PENDING_")
    assert balances(database, PURSE) == (0, 0, 0, 100)
    assert violations(database) == []


def test_reversal_works_after_full_repayment_and_out_of_order(database: Database) -> None:
    """Complaint 2: reversal after full repayment, reversal out of order."""
    loan = [Transfer(uid("pay out"), LOAN, WORLD, 90), Transfer(uid("part"), WORLD, LOAN, 40)]
    assert apply(database, *loan, Transfer(uid("rest"), WORLD, LOAN, 50)) == ["OK"] * 3
    assert balances(database, LOAN) == (0, 90, 0, 90)
    reversals = [Transfer(uid("undo", name), kind=Kind.REVERSAL, pending_id=uid(name)) for name in ("part", "rest")]
    assert apply(database, reversals[0]) == ["OK"]
    assert apply(database, reversals[1]) == ["OK"]
    assert balances(database, LOAN) == (0, 180, 0, 90)
    again = Transfer(uid("undo twice"), kind=Kind.REVERSAL, pending_id=uid("part"))
    assert apply(database, again, *reversals) == ["ALREADY_REVERSED", "EXISTS", "EXISTS"]
    assert violations(database) == []


def test_the_legs_of_an_exchange_end_in_one_state(database: Database) -> None:
    """Complaint 5: the FX leg and the leg that depends on it end in different states."""
    open_accounts(database, "dollars", "dollar position", currency="USD")
    open_accounts(database, "position")

    def legs(name: str, yuan: int) -> list[Transfer]:
        sold = Transfer(uid(name, "sold"), uid("dollars"), uid("dollar position"), 10, linked=True)
        return [sold, Transfer(uid(name, "bought"), PURSE, uid("position"), yuan)]

    assert apply(database, *legs("dear", 101)) == ["LINKED_TRANSFER_FAILED", "EXCEEDS_CREDITS"]
    assert balances(database, uid("dollars")) == balances(database, uid("dollar position")) == (0, 0, 0, 0)
    assert apply(database, *legs("dear", 101)) == ["LINKED_TRANSFER_FAILED", "EXCEEDS_CREDITS"]
    assert apply(database, *legs("fair", 71)) == ["OK", "OK"]
    assert apply(database, *legs("fair", 71)) == ["EXISTS", "EXISTS"]
    assert balances(database, uid("dollars"))[1] == 10
    assert violations(database) == []


def test_idempotency_hashes_its_input(database: Database) -> None:
    """Complaint 8: idempotency not documented or not hashing inputs."""
    with database.write() as connection:
        notes.create(connection)
    first, other = submission(NOTE, "a", "r1"), submission(NOTE, "b", "r1")
    run_batch(database, [first])
    assert isinstance(run_batch(database, [other])[other], RequestIdReused)
    known = Transfer(uid("t"), WORLD, PURSE, 5, code="fee", reference="x")
    assert apply(database, known, known) == ["OK", "EXISTS"]
    changed = [Transfer(uid("t"), WORLD, PURSE, 6, code="fee", reference="x")]
    changed += [Transfer(uid("t"), WORLD, PURSE, 5, code="fee", reference="y")]
    assert apply(database, *changed) == ["EXISTS_WITH_DIFFERENT_CONTENT"] * 2


def test_amounts_of_more_than_seven_digits_are_exact_up_to_int64(database: Database) -> None:
    """Complaint 9: float money, numbers of more than seven digits."""
    open_accounts(database, "a", "b")
    amounts = [12_345_678_901, 9_007_199_254_740_993, LARGEST - 12_345_678_901 - 9_007_199_254_740_993]
    batch = [Transfer(uid("large", n), uid("a"), uid("b"), amount) for n, amount in enumerate(amounts)]
    assert apply(database, *batch) == ["OK"] * 3
    assert balances(database, uid("b")) == (0, 0, 0, LARGEST)
    assert apply(database, Transfer(uid("over"), uid("a"), uid("b"), 1)) == ["BALANCE_OVERFLOWS"]
    with database.read() as connection:
        found = ledger.lines(connection, uid("b"), 0, 3)
    assert [line.transfer.amount for line in reversed(found)] == amounts
    assert violations(database) == []


def test_lines_of_an_account_are_found_by_index_among_many(database: Database) -> None:
    """Complaint 14: slow point-in-time and metadata queries."""
    rows = 100_000
    number = "SELECT n FROM generate_series(10, :n) AS g(n)"
    if database.dialect == "sqlite":
        number = "WITH RECURSIVE g(n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM g WHERE n < :n) SELECT n FROM g"
    made = {"postgresql": "md5(n::text)::uuid", "sqlite": "'id ' || n"}[database.dialect]
    kind = {"postgresql": "uuid", "sqlite": "text"}[database.dialect]
    columns = ", ".join(column.name for column in tables.transfers.columns)
    fill = f"""INSERT INTO ledger_transfers ({columns}) SELECT n, {made}, CAST(:other AS {kind}),
      CAST(CASE n % 1000 WHEN 0 THEN :wanted ELSE :world END AS {kind}), 1, 'posted', '', 0, '', '', 0, 0, :now,
      NULL, NULL, '0'
      FROM ({number}) AS numbers"""
    with database.write() as connection:
        values = {"other": uid("other"), "wanted": LOAN, "world": WORLD, "n": rows, "now": NOW_US}
        assert connection.execute(sa.text(fill), values).rowcount == rows - 9
        connection.exec_driver_sql("ANALYZE ledger_transfers")
    with database.read() as connection:
        assert len(ledger.lines(connection, LOAN, 50_000, 20)) == 20
        for side in ("debit", "credit"):
            assert f"ledger_transfers_{side}" in _plan(connection, ledger.lines_query(LOAN, side, 50_000, 20))
    with database.write() as connection:
        known = sa.select(tables.transfers).where(tables.transfers.c.id == str(uuid.uuid4()))
        assert "ledger_transfers_id" in _plan(connection, known)


def _plan(connection: sa.Connection, query: sa.Select[Any]) -> str:
    """The database's plan of a query; it must not scan the table."""
    plan = "\n".join(explained(connection, query))
    assert "Seq Scan" not in plan
    assert "SCAN" not in plan
    return plan
