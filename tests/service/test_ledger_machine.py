"""The pure model and both stores against a naive ledger, over many histories of batches, retries and time."""

import datetime
import pathlib
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chassis.database import Database
from chassis.testing import PostgreSQL
from ledger import model, tables
from ledger import store as ledger_store
from ledger.model import LARGEST, LEAVES_FLAG, Account, Kind, Limit, State, Transfer
from tests.service.naive_ledger import NaiveLedger, Place
from tests.support import NOW_US, apply, migrate, open_accounts, uid, violations

PLACES = {
    "world": Place("books", "CNY"),
    "purse": Place("books", "CNY", "debits"),
    "chest": Place("books", "CNY", "debits"),
    "debt": Place("books", "CNY", "credits"),
    "dollars": Place("books", "USD"),
    "dollar purse": Place("books", "USD", "debits"),
    "elsewhere": Place("other", "CNY"),
}
LIMITS = {
    "": Limit.NONE,
    "debits": Limit.DEBITS_MUST_NOT_EXCEED_CREDITS,
    "credits": Limit.CREDITS_MUST_NOT_EXCEED_DEBITS,
}
ACCOUNTS = {uid(name): place for name, place in PLACES.items()}
IDS = [uid("transfer", number) for number in range(400)]
sides = st.sampled_from([*(uid(name) for name in ("world", "purse", "chest", "debt") * 4), *ACCOUNTS, uid("nobody")])
amounts = st.one_of(st.integers(1, 60), st.sampled_from([0, -1, LARGEST, LARGEST + 1]))
# Free text with what arrays, JSON and the chain's text might trip over.
texts = st.sampled_from(["", "x", 'a "b" \\ {c},', "NULL", "许昌 ✓", "1 2 3\n4", "'"])
usually: st.SearchStrategy[bool] = st.integers(0, 9).map(bool)


class LedgerMachine(RuleBasedStateMachine):
    """Sends the same batches everywhere and compares every answer."""

    databases: tuple[Database, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.now_us = NOW_US
        self.date = datetime.date(2026, 12, 1)
        self.naive = NaiveLedger(ACCOUNTS)
        self.state = State({key: Account(key, p.book, p.currency, LIMITS[p.limited]) for key, p in ACCOUNTS.items()})
        self.state.booking_date = self.date
        self.sent: list[list[Transfer]] = []
        self.used = 0
        for database in self.databases:
            _empty(database)

    def _everywhere(self, batch: list[Transfer]) -> list[str]:
        expected = self.naive.apply(batch, self.now_us)
        assert [result.value for result in model.apply(self.state, batch, self.now_us).results] == expected
        for database in self.databases:
            results = apply(database, *batch, now_us=self.now_us, date=self.date)
            assert results == expected, database.dialect
        self.sent.append(batch)
        return expected

    def _fresh_id(self) -> str:
        self.used += 1
        return IDS[self.used]

    def _draw(self, data: st.DataObject) -> Transfer:
        kind = data.draw(st.sampled_from([*Kind, *(Kind.POSTED, Kind.PENDING, Kind.UNFREEZE) * 3]))
        is_new = not self.used or data.draw(usually)
        transfer = Transfer(
            self._fresh_id() if is_new else data.draw(st.sampled_from(IDS[1 : self.used + 1])),
            kind=kind,
            linked=not data.draw(st.integers(0, 3)),
            code=data.draw(texts),
            reference=data.draw(texts),
            value_date=data.draw(st.sampled_from([None, None, datetime.date(2026, 11, 30)])),
            user_data=data.draw(st.sampled_from([0, 0, 1, 2**128 - 1])),
        )
        if kind in (Kind.POSTED, Kind.PENDING):
            debit, credit, timeout_us = data.draw(sides), data.draw(sides), data.draw(st.sampled_from([0, 5, 50]))
            amount = data.draw(amounts)
            return replace(transfer, debit_account=debit, credit_account=credit, amount=amount, timeout_us=timeout_us)
        if kind in LEAVES_FLAG:
            debit, is_odd = data.draw(sides), not data.draw(usually)
            odd: dict[str, Any] = {"credit_account": data.draw(sides), "amount": data.draw(amounts)} if is_odd else {}
            return replace(transfer, debit_account=debit, **odd)
        wanted = (Kind.POSTED, Kind.POST) if kind is Kind.REVERSAL else (Kind.PENDING,)
        likely = [t.id for t, _ in self.naive.standing if t.kind in wanted]
        is_likely: bool = data.draw(usually)
        pool = likely if likely and is_likely else IDS[: self.used + 1]
        amount = data.draw(st.one_of(st.just(0), amounts))
        debit = data.draw(sides) if not data.draw(usually) else ""
        return replace(transfer, pending_id=data.draw(st.sampled_from(pool)), amount=amount, debit_account=debit)

    @rule(amount=st.integers(1, 100), name=st.sampled_from(["purse", "chest"]))
    def fund(self, amount: int, name: str) -> None:
        """Money comes in, so that limits aren't all there is to see."""
        self._everywhere([Transfer(self._fresh_id(), uid("world"), uid(name), amount)])

    @rule(data=st.data())
    def single(self, data: st.DataObject) -> None:
        """One transfer, sometimes left open."""
        self._everywhere([self._draw(data)])

    @rule(data=st.data(), count=st.integers(2, 6))
    def batch(self, data: st.DataObject, count: int) -> None:
        """Several, with chains among them."""
        self._everywhere([self._draw(data) for _ in range(count)])

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """An earlier batch once more: what stood exists, what was refused for good stays refused."""
        if self.sent:
            batch = data.draw(st.sampled_from(self.sent))
            standing = {t.id for t, _ in self.naive.standing}
            for transfer, result in zip(batch, self._everywhere(batch), strict=True):
                assert result != "OK" or transfer.id not in standing

    @rule(data=st.data())
    def retry_changed(self, data: st.DataObject) -> None:
        """The id of a transfer that stands, with other content."""
        if self.naive.standing:
            known, _ = data.draw(st.sampled_from(self.naive.standing))
            changes: list[dict[str, Any]] = [
                {"amount": known.amount + 1},
                {"reference": known.reference + "!"},
                {"timeout_us": 7},
                {"value_date": datetime.date(2025, 1, 1)},
                {"user_data": known.user_data ^ 2},
            ]
            changed = replace(known, **data.draw(st.sampled_from(changes)))
            assert self._everywhere([changed]) == ["EXISTS_WITH_DIFFERENT_CONTENT"]

    @rule(microseconds=st.sampled_from([1, 4, 5, 50]))
    def wait(self, microseconds: int) -> None:
        """Time goes on."""
        self.now_us += microseconds

    @rule()
    def close_day(self) -> None:
        """The business date goes on: a transfer without a value date is the same on any date."""
        self.date += datetime.timedelta(days=1)
        self.state.booking_date = self.date

    @rule()
    def expire(self) -> None:
        """The sweep ends all holds whose time is over, the same ones everywhere."""
        found = []
        for database in self.databases:
            with database.read() as connection:
                found.append(
                    {transfer.id: transfer for transfer in ledger_store.expired_holds(connection, self.now_us)}
                )
        assert all(each == found[0] for each in found)
        if found and found[0]:
            assert set(self._everywhere(list(found[0].values()))) == {"OK"}

    @invariant()
    def sums_agree(self) -> None:
        """Conservation, limits and the totals of the naive ledger."""
        totals = {}
        for key, place in ACCOUNTS.items():
            (debits, credits), (held_debits, held_credits) = self.naive.booked(key), self.naive.held(key)
            totals[key] = (held_debits, debits, held_credits, credits)
            assert place.limited != "debits" or debits + held_debits <= credits
            assert place.limited != "credits" or credits + held_credits <= debits
        for book, currency in {(place.book, place.currency) for place in ACCOUNTS.values()}:
            inside = [totals[key] for key, p in ACCOUNTS.items() if (p.book, p.currency) == (book, currency)]
            assert sum(each[1] for each in inside) == sum(each[3] for each in inside)
            assert sum(each[0] for each in inside) == sum(each[2] for each in inside)
        flags = {key: self.naive.flag(key) for key in ACCOUNTS}
        assert _totals(self.state.accounts) == totals
        assert _flags(self.state.accounts) == flags
        for database in self.databases:
            with database.read() as connection:
                stored = ledger_store.accounts(connection, ACCOUNTS)
            assert (_totals(stored), _flags(stored)) == (totals, flags)

    def teardown(self) -> None:
        """Proves the books from the rows alone, at the end of each history."""
        for database in self.databases:
            assert violations(database) == []
            with database.read() as connection:
                count = connection.scalar(sa.select(sa.func.count()).select_from(tables.transfers))
            assert count == len(self.naive.standing)


def _totals(accounts: dict[str, Account]) -> dict[str, tuple[int, int, int, int]]:
    return {
        key: (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted) for key, a in accounts.items()
    }


def _flags(accounts: dict[str, Account]) -> dict[str, int]:
    return {key: account.flags for key, account in accounts.items()}


def _empty(database: Database) -> None:
    with database.write() as connection:
        for table in tables.metadata.sorted_tables:
            connection.execute(sa.delete(table))
        ledger_store.initialise(connection)
    for name, place in PLACES.items():
        open_accounts(database, name, limit=LIMITS[place.limited], currency=place.currency, book=place.book)


MODERATE = settings(stateful_step_count=25, max_examples=50, suppress_health_check=list(HealthCheck), deadline=None)


def test_both_stores_agree_with_the_naive_ledger(
    postgresql_server: PostgreSQL, tmp_path: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    """L1, L4: SQLite and PostgreSQL give the balances and the verdicts of a ledger of plain Python."""
    addresses = (f"sqlite:///{tmp_path}", postgresql_server.new_database())
    databases = tuple(Database(url, "books") for url in addresses)
    for database in databases:
        migrate(database, [ledger_store.MIGRATIONS])
        request.addfinalizer(database.close)
    machine = type("StoresMachine", (LedgerMachine,), {"databases": databases})
    run_state_machine_as_test(machine, settings=MODERATE)


def test_the_model_agrees_with_the_naive_ledger() -> None:
    """L1, L4: the model gives the balances and the verdicts of a ledger of plain Python."""
    many = settings(MODERATE, max_examples=150, stateful_step_count=40)
    run_state_machine_as_test(LedgerMachine, settings=many)
