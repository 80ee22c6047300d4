"""Lists in the totals: each parcel counts once, whatever came of it, its summary and the declaration of that."""

import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, insight_pb2, retail_pb2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chassis import testing
from chassis.database import Database
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.insight.counting import model as counting_model
from services.declarations.insight.counting.store import enterprise_totals, statistics_cells
from services.declarations.insight.fold import commands as fold_commands
from services.declarations.insight.fold import store as fold_store
from services.declarations.insight.lists import model as lists_model
from services.declarations.insight.portrait import commands as portrait_commands
from services.declarations.insight.portrait.store import risk_portraits
from services.declarations.intake.takers import lists as takers_lists
from services.declarations.service import SERVICE
from services.declarations.window.declaration.store import declarations
from services.declarations.window.retail.list.store import retail_lists
from services.declarations.window.retail.summary.store import retail_summaries, retail_summary_lists
from tests.service import test_retail_merchants
from tests.service.insight_world import REGULATOR, goods, number, row
from tests.service.retail_lists_world import (
    ENTERPRISE,
    EXPORTER,
    MERCHANT,
    NOW_US,
    RetailRegister,
    cny,
    list_number,
    list_row,
    receipt_row,
)
from tests.service.test_retail_summary import summary_row
from tests.support import begin, ring, seeded_random

MINUTE_US = 60_000_000
MOSTLY = st.sampled_from([True, True, True, False])
LISTS, SUMMARIES, DECLARATIONS = range(1, 6), range(1, 3), range(1, 3)
CODES = ("1", "100", "120", "399", "500", "700", "800", "899", "-1")
CHANGES = (retail_pb2.NEW, retail_pb2.MODIFY, retail_pb2.DELETE)
Query = insight_pb2.QueryStatisticsRequest


def registered(database: Database) -> RetailRegister:
    """A register on a fresh store."""
    begin(database, SERVICE.migrations, seeded_random(7), SERVICE.prepare)
    return RetailRegister(database)


def follow(register: RetailRegister) -> bool:
    """One step of what is derived; whether there is more."""
    return bool(register.run(lambda transaction, _none: fold_commands.follow(transaction), "log"))


def settle(register: RetailRegister) -> None:
    """Everything that the log says."""
    while follow(register):
        pass


def rows_of(register: RetailRegister, table: Any) -> Sequence[Any]:
    """A table's rows."""
    with register.database.read() as connection:
        return connection.execute(sa.select(table)).all()


def stored(register: RetailRegister) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Totals and cells as they are stored, without those that are nothing."""
    totals = {tuple(entry[:9]): tuple(entry[9:]) for entry in rows_of(register, enterprise_totals) if any(entry[9:])}
    return totals, {
        tuple(entry[:7]): tuple(entry[7:9]) for entry in rows_of(register, statistics_cells) if any(entry[7:9])
    }


def summarised(register: RetailRegister) -> set[str]:
    """The lists that a declaration which counts sums up, by plain loops over the rows."""
    declared = {
        one.id
        for one in rows_of(register, declarations)
        if one.trade_mode == "9610" and one.status not in ("DRAFT", "REJECTED", "DELETED")
    }
    became = {one.id: one for one in rows_of(register, retail_summaries) if one.declaration in declared}
    claims = {one.list_number: one.summary for one in rows_of(register, retail_summary_lists) if not one.is_dropped}
    found = set()
    for entry in rows_of(register, retail_lists):
        summary = became.get(claims.get(entry.list_number, ""))
        said = (entry.merchant_code, entry.value_currency, entry.trade_mode, entry.direction)
        if summary is not None and said == (summary.merchant_code, summary.value_currency, "9610", "EXPORT"):
            found.add(entry.id)
    return found


def counted_anew(register: RetailRegister) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The totals from the rows as they are, all at once."""
    delta = counting_model.Delta()
    for entry in rows_of(
        register, sa.select(*(declarations.c[name] for name in counting_model.Row._fields)).subquery()
    ):
        delta.add(
            counting_model.contribution(counting_model.Row(*entry), declarations_pb2.Declaration.FromString(entry.body))
        )
    within = summarised(register)
    for entry in rows_of(
        register, sa.select(*(retail_lists.c[name] for name in lists_model.ListRow._fields)).subquery()
    ):
        delta.add(lists_model.contribution(lists_model.ListRow(*entry), entry.id in within))
    totals = {key: tuple(value) for key, value in delta.totals.items()}
    return totals, {key: tuple(value) for key, value in delta.cells().items()}


class Following(RuleBasedStateMachine):
    """Lists, receipts, returns, summaries, their declarations and sweeps in any order."""

    register: RetailRegister
    fresh: Iterator[RetailRegister]

    def __init__(self) -> None:
        super().__init__()
        self.register = next(type(self).fresh)
        self.minutes = 0
        self.declared: set[int] = set()

    def later_us(self) -> int:
        self.minutes += 1
        return NOW_US + self.minutes * MINUTE_US

    @initialize(declares=MOSTLY, numbers=MOSTLY, counts=MOSTLY)
    def begin(self, declares: bool, numbers: bool, counts: bool) -> None:
        """Most begin with lists under way, a summary of them, and often its declaration."""
        self.register.lists(*(list_row(count) for count in LISTS[:-1]))
        if numbers:
            self.register.receipts(*(receipt_row(count, "120", self.later_us()) for count in LISTS[:-1]))
        self.summarise(1, {1, 2, 3}, 1, retail_pb2.NEW)
        if declares:
            self.declare(1, "9610", 5)
        if counts:
            settle(self.register)

    @rule(
        which=st.sampled_from(LISTS),
        change=st.sampled_from([*CHANGES, retail_pb2.NEW, retail_pb2.MODIFY]),
        value=st.integers(1, 10**6),
        mode=st.sampled_from(["9610", "9610", "1210", "1239"]),
        is_numbered=st.booleans(),
        country=st.sampled_from(["USA", "DEU", ""]),
        month=st.sampled_from([0, 9, 11]),
    )
    def send(self, which: int, change: Any, value: int, mode: str, is_numbered: bool, country: str, month: int) -> None:
        sent = list_row(which, value, trade_mode=mode, country=country, change=change, send_us=self.later_us())
        sent.direction = retail_pb2.IMPORT if which == LISTS[-1] else retail_pb2.EXPORT
        sent.list_number = list_number(which) if is_numbered else ""
        if month:
            sent.trade_date.year, sent.trade_date.month, sent.trade_date.day = 2026, month, 3
        self.register.lists(sent)

    @rule(which=st.lists(st.sampled_from(LISTS), min_size=1, max_size=3), code=st.sampled_from(CODES))
    def receive(self, which: list[int], code: str) -> None:
        self.register.receipts(*(receipt_row(count, code, self.later_us()) for count in which))

    @rule(which=st.sampled_from(LISTS), is_return=st.booleans())
    def take_back(self, which: int, is_return: bool) -> None:
        asked = retail_pb2.RetailCancellation(list_number=list_number(which), is_return=is_return)
        asked.envelope.send_time.FromMicroseconds(self.later_us())
        self.register.take(takers_lists.take_cancellations, [asked])

    @rule(
        which=st.sampled_from(SUMMARIES),
        of=st.sets(st.sampled_from(LISTS[:-2]), min_size=1),
        became=st.sampled_from([0, *DECLARATIONS]),
        change=st.sampled_from([retail_pb2.NEW, retail_pb2.MODIFY, retail_pb2.MODIFY, retail_pb2.DELETE]),
    )
    def summarise(self, which: int, of: set[int], became: int, change: Any) -> None:
        summary = summary_row(which, sorted(of), change=change, send_us=self.later_us())
        summary.declaration_number = number(became) if became else ""
        self.register.summaries(summary)

    @rule(which=st.sampled_from(DECLARATIONS), mode=st.sampled_from(["9610", "0110"]), cents=st.integers(1, 99))
    def declare(self, which: int, mode: str, cents: int) -> None:
        declared = row(which, goods(cents=cents), trade_mode=mode)
        if which in self.declared:
            declared.amend_time.FromMicroseconds(self.later_us())
        self.declared.add(which)
        request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[declared])
        self.register.call("BatchCreateDeclarations", request)

    @precondition(lambda self: self.declared)
    @rule(data=st.data(), code=st.sampled_from(["L", "P", "R", "E", "D"]))
    def tell(self, data: Any, code: str) -> None:
        request = declarations_pb2.BatchCreateReceiptsRequest()
        which = data.draw(st.sampled_from(sorted(self.declared)))
        receipt = request.receipts.add(declaration_number=number(which), channel_code=code)
        receipt.notice_time.FromMicroseconds(self.later_us())
        self.register.call("BatchCreateReceipts", request)

    @rule(weight=st.sampled_from([1, 2, 10_000]))
    def follow(self, weight: int) -> None:
        before, fold_store.WEIGHT_MOST = fold_store.WEIGHT_MOST, dict.fromkeys(fold_store.WEIGHT_MOST, weight)
        try:
            follow(self.register)
        finally:
            fold_store.WEIGHT_MOST = before

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        totals, cells = stored(self.register)
        assert all(count >= 0 for count, _ in [*totals.values(), *cells.values()])

    def teardown(self) -> None:
        settle(self.register)
        assert stored(self.register) == counted_anew(self.register)
        once = stored(self.register)
        with self.register.database.write() as connection:
            fold_store.reset(connection)
        settle(self.register)
        assert stored(self.register) == once
        self.register.database.close()


def copies(template: pathlib.Path) -> Iterator[RetailRegister]:
    """Fresh registers on copies of an empty store, which is migrated once."""
    registered(Database(f"sqlite:///{template}", "declarations", ring())).database.close()
    for index in range(10_000):
        folder = template.with_name(str(index))
        shutil.copytree(template, folder)
        yield RetailRegister(Database(f"sqlite:///{folder}", "declarations", ring()))


def test_any_order_and_batching_ends_as_if_counted_at_once_on_sqlite() -> None:
    """S1: totals of lists and the declarations they went into don't depend on order or batches."""
    with tempfile.TemporaryDirectory() as folder:
        machine = type("OnSqlite", (Following,), {"fresh": copies(pathlib.Path(folder) / "empty")})
        run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=8, deadline=None))


def test_any_order_and_batching_ends_as_if_counted_at_once_on_postgresql(postgresql_server: testing.PostgreSQL) -> None:
    """S1: totals of lists and the declarations they went into don't depend on order or batches."""
    addresses = (postgresql_server.new_database() for _ in range(10_000))
    fresh = (registered(Database(address, "declarations", ring())) for address in addresses)
    machine = type("OnPostgresql", (Following,), {"fresh": fresh})
    run_state_machine_as_test(machine, settings=settings(max_examples=4, stateful_step_count=8, deadline=None))


@pytest.fixture
def register(database_url: str) -> Iterator[RetailRegister]:
    database = Database(database_url, "declarations", ring())
    yield registered(database)
    database.close()


def asked(register: RetailRegister, caller: Caller = REGULATOR, **fields: Any) -> dict[int, tuple[int, int, int]]:
    """Declarations, lists and value of 2026 by how the documents count."""
    settle(register)
    request = Query(from_month="2026-01", to_month="2026-12", group_by=[Query.DOCUMENT], **fields)
    found = read(register, "QueryStatistics", request, caller).rows
    return {entry.document: (entry.declarations, entry.lists, entry.value.minor_units) for entry in found}


def read(register: RetailRegister, method: str, request: Any, caller: Caller) -> Any:
    """The answer of a reading method."""
    with register.database.read() as connection:
        return SERVICE.reads[method](Reading(connection, caller, register.now_us), request)


ALL = [
    insight_pb2.DECLARATION,
    insight_pb2.LIST,
    insight_pb2.SUMMARISED_LIST,
    insight_pb2.BONDED_SALE_LIST,
    insight_pb2.AREA_ENTRY,
]


def released(register: RetailRegister, *numbers: int, **fields: Any) -> None:
    """Lists that left."""
    register.lists(*(list_row(count, 100_00, list_number=list_number(count), **fields) for count in numbers))
    register.receipts(*(receipt_row(count, "899", enterprise_number="") for count in numbers))


def declared(register: RetailRegister, index: int, at_us: int = 0, **fields: Any) -> None:
    """A declaration in CNY, of what two lists are worth; an amendment if it has a time."""
    declaration = row(index, goods(quantity="2", cents=100_00), **fields)
    if at_us:
        declaration.amend_time.FromMicroseconds(at_us)
    declaration.declared_value.CopyFrom(cny(200_00))
    declaration.lines[0].total.CopyFrom(cny(200_00))
    request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[declaration])
    (verdict,) = register.call("BatchCreateDeclarations", request).verdicts
    assert verdict.outcome == verdict.ACCEPTED, verdict


def told(register: RetailRegister, index: int, code: str) -> None:
    """A receipt of a declaration."""
    request = declarations_pb2.BatchCreateReceiptsRequest()
    request.receipts.add(declaration_number=number(index), channel_code=code).notice_time.FromMicroseconds(NOW_US)
    register.call("BatchCreateReceipts", request)


def test_a_summarised_list_counts_in_its_declaration_and_again_by_itself_once_that_is_deleted(
    register: RetailRegister,
) -> None:
    released(register, 1, 2, 3)
    assert asked(register) == {insight_pb2.LIST: (0, 3, 300_00)}
    summary = summary_row(1, [1, 2], 200_00)
    summary.declaration_number = number(1)
    register.summaries(summary)
    # The summary alone moves nothing: its declaration isn't there yet.
    assert asked(register) == {insight_pb2.LIST: (0, 3, 300_00)}
    declared(register, 1, trade_mode="9610")
    once = {insight_pb2.DECLARATION: (1, 0, 200_00), insight_pb2.LIST: (0, 1, 100_00)}
    assert asked(register) == once
    assert asked(register, EXPORTER) == once
    assert asked(register, documents=ALL)[insight_pb2.SUMMARISED_LIST] == (0, 2, 200_00)
    told(register, 1, "D")
    assert asked(register) == {insight_pb2.DECLARATION: (0, 0, 0), insight_pb2.LIST: (0, 3, 300_00)}
    assert stored(register) == counted_anew(register)


def test_lists_count_by_themselves_once_their_declaration_is_amended_to_another_mode(register: RetailRegister) -> None:
    released(register, 1, 2)
    summary = summary_row(1, [1, 2])
    summary.declaration_number = number(1)
    register.summaries(summary)
    declared(register, 1, trade_mode="9610")
    assert asked(register) == {insight_pb2.DECLARATION: (1, 0, 200_00)}
    declared(register, 1, trade_mode="0110", at_us=NOW_US)
    assert asked(register)[insight_pb2.LIST] == (0, 2, 200_00)
    # A list that its summary drops counts by itself too.
    declared(register, 1, trade_mode="9610", at_us=NOW_US + 1)
    summary = summary_row(1, [1], change=retail_pb2.MODIFY, send_us=NOW_US + 1)
    summary.declaration_number = number(1)
    register.summaries(summary)
    assert asked(register)[insight_pb2.LIST] == (0, 1, 100_00)


def test_a_list_that_comes_back_counts_no_more(register: RetailRegister) -> None:
    released(register, 1, 2)
    register.receipts(receipt_row(1, "700", NOW_US))
    assert asked(register)[insight_pb2.LIST] == (0, 1, 100_00)
    register.lists(list_row(2, 55_00, list_number=list_number(2), change=retail_pb2.MODIFY, send_us=NOW_US))
    assert asked(register)[insight_pb2.LIST] == (0, 1, 55_00)


def test_bonded_goods_count_where_they_cross_the_border(register: RetailRegister) -> None:
    """Stock by the declaration by which it came, exported parcels by their lists."""
    bonded = list_row(1, 100_00, trade_mode="1210", list_number=list_number(1))
    bonded.direction = retail_pb2.IMPORT
    register.lists(bonded, list_row(2, 100_00, trade_mode="1210", list_number=list_number(2)))
    register.receipts(*(receipt_row(count, "899", enterprise_number="") for count in (1, 2)))
    declared(register, 1, trade_mode="1210", direction=1)
    declared(register, 2, trade_mode="1210")
    assert asked(register) == {insight_pb2.DECLARATION: (1, 0, 200_00), insight_pb2.LIST: (0, 1, 100_00)}
    everything = asked(register, documents=ALL)
    assert everything[insight_pb2.BONDED_SALE_LIST] == (0, 1, 100_00)
    assert everything[insight_pb2.AREA_ENTRY] == (1, 0, 200_00)


def test_lists_grow_against_the_year_before(register: RetailRegister) -> None:
    released(register, 1)
    before = [list_row(count, 50_00, list_number=list_number(count)) for count in (2, 3)]
    for parcel_list in before:
        parcel_list.trade_date.year, parcel_list.trade_date.month, parcel_list.trade_date.day = 2025, 11, 2
    register.lists(*before)
    register.receipts(*(receipt_row(count, "800", enterprise_number="") for count in (2, 3)))
    settle(register)
    request = Query(from_month="2026-11", to_month="2026-11", group_by=[Query.MONTH, Query.CHAPTER])
    (found,) = read(register, "QueryStatistics", request, EXPORTER).rows
    assert (found.month, found.chapter, found.lists, found.lists_before) == ("2026-11", "67", 1, 2)
    assert (found.lists_growth.value, found.value_growth.value) == ("-0.5000", "0.0000")


def test_the_feed_tells_how_each_cell_counts(register: RetailRegister) -> None:
    released(register, 1)
    settle(register)
    request = insight_pb2.QueryStatisticsChangesRequest()
    (cell,) = read(register, "QueryStatisticsChanges", request, REGULATOR).cells
    assert (cell.document, cell.lists, cell.declarations) == (insight_pb2.LIST, 1, 0)
    assert (cell.trade_mode, cell.month) == ("9610", "2026-11")


def test_a_portrait_is_of_declarations_alone(register: RetailRegister) -> None:
    released(register, 1, 2, 3)
    declared(register, 1, trade_mode="0110", enterprise=ENTERPRISE)
    settle(register)
    register.run(lambda transaction, _none: portrait_commands.assess(transaction), "due")
    (portrait,) = rows_of(register, risk_portraits)
    assert '"declarations":1' in portrait.inputs
    assert MERCHANT in portrait.enterprise


def test_lists_of_a_merchant_that_is_registered_later_become_its_own(register: RetailRegister) -> None:
    code = "4110960123"
    released(register, 1, 2, merchant_code=code)
    assert asked(register, EXPORTER) == {}
    test_retail_merchants.registered(register, test_retail_merchants.enterprise_row(code))
    test_retail_merchants.adopted(register)
    assert asked(register, EXPORTER) == asked(register) == {insight_pb2.LIST: (0, 2, 200_00)}
    assert stored(register) == counted_anew(register)
