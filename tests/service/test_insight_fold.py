"""Totals follow the log: whatever happened in whatever batches, they are those of the rows that there are."""

import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chassis import database, testing
from chassis.database import Database
from cli import rebuilding
from services.declarations.customs.checks import VALUE_MOST
from services.declarations.insight.counting import model as counting_model
from services.declarations.insight.counting.store import enterprise_facts, enterprise_totals, statistics_cells
from services.declarations.insight.findings.store import trade_findings
from services.declarations.insight.fold import commands as fold_commands
from services.declarations.insight.fold import store as fold_store
from services.declarations.insight.norms.model import Counts
from services.declarations.insight.norms.store import price_counts
from services.declarations.window.declaration.store import declarations
from tests.service.insight_world import ENTERPRISES, Register, goods, number, row
from tests.support import ring

CODES = ("L", "P", "R", "C", "E", "D", "H", "G")


def stored(register: Register) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    """Totals, cells and prices as they are stored, without those that are nothing."""
    totals = {
        tuple(entry[:9]): tuple(entry[9:]) for entry in register.rows(sa.select(enterprise_totals)) if any(entry[9:])
    }
    cells = {
        tuple(entry[:7]): tuple(entry[7:9]) for entry in register.rows(sa.select(statistics_cells)) if any(entry[7:9])
    }
    prices = {}
    for code, unit, currency, first, content, _ in register.rows(sa.select(price_counts)):
        for place, count in enumerate(Counts(first, content).values):
            if count:
                prices[code, unit, currency, first + place] = count
    return totals, cells, prices


def counted_anew(register: Register) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    """The same from the declarations as they are, all at once."""
    delta = counting_model.Delta()
    with register.store.read() as connection:
        numbers = connection.execute(sa.select(declarations.c.id)).scalars().all()
        for row in fold_store.rows(connection, numbers):
            delta.add(counting_model.contribution(row, declarations_pb2.Declaration.FromString(row.body)))
    totals = {key: tuple(value) for key, value in delta.totals.items()}
    return totals, {key: tuple(value) for key, value in delta.cells().items()}, delta.prices


class Following(RuleBasedStateMachine):
    """Declarations, amendments, receipts and sweeps in any order."""

    register: Register
    fresh: Iterator[Register]

    def __init__(self) -> None:
        super().__init__()
        self.register = next(type(self).fresh)
        self.known: dict[int, int] = {}

    @rule(
        count=st.integers(1, 4),
        code=st.sampled_from(["6704200000", "8541100000"]),
        country=st.sampled_from(["USA", "DEU"]),
        cents=st.integers(1, 10**6),
        mode=st.sampled_from(["0110", "9710", "1210"]),
        early=st.sampled_from(["", *CODES]),
    )
    def declare(self, count: int, code: str, country: str, cents: int, mode: str, early: str) -> None:
        rows = []
        for _ in range(count):
            index = len(self.known) + 1
            self.known[index] = index % 2
            lines = [goods(code, cents=cents), goods("6704200000", "3")]
            rows.append(
                row(index, *lines, destination_country=country, trade_mode=mode, enterprise=ENTERPRISES[index % 2])
            )
        if early:
            self.register.receive((rows[0].declaration_number, early))
        self.register.declare(*rows)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), cents=st.integers(1, 10**6), month=st.integers(1, 12))
    def amend(self, data: Any, cents: int, month: int) -> None:
        index = data.draw(st.sampled_from(sorted(self.known)))
        changed = row(
            index,
            goods("8541100000", cents=cents),
            day=f"2026-{month:02}-07",
            enterprise=ENTERPRISES[index % 2],
            buyer_name="Other",
        )
        self.register.amend(changed)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), code=st.sampled_from(CODES))
    def receive(self, data: Any, code: str) -> None:
        index = data.draw(st.sampled_from(sorted(self.known)))
        self.register.receive((number(index), code))

    @rule(weight=st.sampled_from([1, 2, 10_000]))
    def follow(self, weight: int) -> None:
        before, fold_store.WEIGHT_MOST = fold_store.WEIGHT_MOST, dict.fromkeys(fold_store.WEIGHT_MOST, weight)
        try:
            self.register.sweep(fold_commands.follow)
        finally:
            fold_store.WEIGHT_MOST = before

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        totals, cells, _ = stored(self.register)
        assert all(count >= 0 for count, _ in [*totals.values(), *cells.values()])

    def teardown(self) -> None:
        while self.register.sweep(fold_commands.follow):
            pass
        assert stored(self.register) == counted_anew(self.register)
        self.register.store.close()


def registers(addresses: Iterator[str]) -> Iterator[Register]:
    """Fresh ones."""
    for address in addresses:
        yield Register(Database(address, "declarations", ring()))


def test_any_order_and_batching_ends_as_if_counted_at_once_on_sqlite() -> None:
    """S1: totals of declarations, amendments and receipts don't depend on order or batches."""
    with tempfile.TemporaryDirectory() as folder:
        addresses = (f"sqlite:///{pathlib.Path(folder) / str(index)}" for index in range(10_000))
        machine = type("OnSqlite", (Following,), {"fresh": registers(addresses)})
        run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=12, deadline=None))


def test_any_order_and_batching_ends_as_if_counted_at_once_on_postgresql(postgresql_server: testing.PostgreSQL) -> None:
    """S1: totals of declarations, amendments and receipts don't depend on order or batches."""
    addresses = (postgresql_server.new_database() for _ in range(10_000))
    machine = type("OnPostgresql", (Following,), {"fresh": registers(addresses)})
    run_state_machine_as_test(machine, settings=settings(max_examples=6, stateful_step_count=12, deadline=None))


@pytest.fixture
def register(database_url: str) -> Iterator[Register]:
    database = Database(database_url, "declarations", ring())
    yield Register(database)
    database.close()


def test_many_at_once_are_counted_by_copy(register: Register) -> None:
    register.declare(*(row(index, goods(f"67042{index:05}", cents=index)) for index in range(1, 101)))
    register.declare(*(row(index, enterprise=ENTERPRISES[1]) for index in range(101, 201)))
    register.settle()
    assert stored(register) == counted_anew(register)
    register.amend(row(7, goods(cents=3)))
    register.receive((number(8), "D"), (number(9), "E"), (number(10), "P"))
    register.settle()
    assert stored(register) == counted_anew(register)
    assert sum(count for count, _ in stored(register)[1].values()) == 198


def test_the_log_is_followed_from_where_it_was_left(register: Register) -> None:
    register.declare(row(1))
    register.settle()
    once = stored(register)
    register.settle()
    assert stored(register) == once


def test_what_is_derived_can_be_counted_anew(register: Register, database_url: str) -> None:
    register.declare(*(row(index, transport_mode="3") for index in range(1, 41)))
    register.receive((number(1), "D"), (number(2), "C"))
    register.amend(row(3, goods(cents=5)))
    register.settle()
    found = [sa.select(table) for table in (enterprise_facts, trade_findings)]
    once = stored(register), [register.rows(query) for query in found]
    positions: list[int] = []
    report = rebuilding.rebuild(database_url, positions.append)
    assert (report["ok"], report["declarations"]) == (True, 39)
    register.settle()
    assert stored(register) == once[0]
    facts, findings = ([tuple(entry)[:3] for entry in register.rows(query)] for query in found)
    assert sorted(facts) == sorted(tuple(entry)[:3] for entry in once[1][0])
    assert sorted(findings) == sorted(tuple(entry)[:3] for entry in once[1][1])


def test_hostile_texts_stop_nothing(register: Register) -> None:
    units = ("a/b", "\x01", "'", "", "%s", "１２３")
    register.declare(*(row(index, goods(unit=unit)) for index, unit in enumerate(units)))
    register.declare(row(9, buyer_name="\x01\u202e';--%s\n", enterprise_name="\x01", transport_mode="3"))
    register.declare(row(10, buyer_name="\x01Ä\x01", enterprise_name="ä", transport_mode="\x01"[:0]))
    register.settle()
    assert stored(register) == counted_anew(register)
    assert sum(count for count, _ in stored(register)[1].values()) == len(units) + 2
    found = {entry.code for entry in register.rows(sa.select(trade_findings))}
    assert found == {"ROUTE_IMPLAUSIBLE", "PARTY_IS_ENTERPRISE"}


def test_an_implausible_value_overflows_no_total(register: Register) -> None:
    most = VALUE_MOST
    register.declare(*(row(index, goods(quantity="1", cents=most)) for index in (1, 2)), row(3, goods(cents=1)))
    register.settle()
    assert list(stored(register)[1].values()) == [(3, 10)]
    assert [entry.code for entry in register.rows(sa.select(trade_findings))] == ["VALUE_IMPLAUSIBLE"] * 2


def test_two_processes_never_count_the_same(postgresql_server: testing.PostgreSQL) -> None:
    register = Register(Database(postgresql_server.new_database(), "declarations", ring()))
    register.declare(row(1))
    with register.store.write() as connection:
        assert database.try_lock(connection, fold_commands.LOCK)
        # The other one is at it.
        assert register.sweep(fold_commands.follow) is False
        assert stored(register)[0] == {}
    register.settle()
    assert stored(register) == counted_anew(register)
    register.store.close()


def test_inspections_and_amendments_are_facts_of_the_enterprise(register: Register) -> None:
    register.declare(row(1), row(2))
    register.receive((number(1), "C"))
    register.amend(row(2, goods(cents=5)))
    register.settle()
    facts = {entry.enterprise: (entry.amendments, entry.holds) for entry in register.rows(sa.select(enterprise_facts))}
    assert facts == {ENTERPRISES[0]: (1, 1)}
