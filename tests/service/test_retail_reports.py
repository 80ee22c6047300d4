"""Summaries in parts and by time, their results, returns of lists, and reports, on both databases."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from aval.declarations.v1 import insight_pb2, retail_list_pb2, retail_pb2

from chassis import migrations
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations.intake.formats import ceb
from services.declarations.intake.takers.retail import TAKERS
from services.declarations.service import SERVICE
from services.declarations.views import lists as views_lists
from services.declarations.window.retail.flows.order import reads as order_reads
from services.declarations.window.retail.flows.order import rpc as order_rpc
from services.declarations.window.retail.report import reads as report_reads
from tests.service.insight_world import number as declaration_number
from tests.service.retail_lists_world import (
    EXPORTER,
    MERCHANT,
    NOW_US,
    RetailRegister,
    list_number,
    name_of,
)
from tests.service.test_list_statistics import asked, declared
from tests.service.test_retail_summary import get, reasons, released, summary_row
from tests.support import Stores
from tests.unit.test_ceb import FIXTURES

BANK = Caller("banks/YUHECNB0/system", "banks/YUHECNB0", frozenset({"BANK_SYSTEM"}))
SECOND_US = 1_000_000
SUM, UNIFIED = "S20261130000000001", "I20261201000000001"


@pytest.fixture
def register(store: Stores) -> RetailRegister:
    """A register on a fresh store, on each dialect in turn."""
    return RetailRegister(store("declarations", SERVICE.migrations))


def part_row(part: int, count: int, lists: list[int], seconds: int = 0, **fields: Any) -> retail_pb2.RetailSummary:
    """A part of summary 1."""
    row = summary_row(1, lists, send_us=NOW_US + seconds * SECOND_US, **fields)
    row.part_number, row.part_count = part, count
    return row


def by_time(seconds: int = 0, lists: tuple[int, ...] = ()) -> retail_pb2.RetailSummary:
    """Summary 1, of a month."""
    row = summary_row(1, lists, send_us=NOW_US + seconds * SECOND_US)
    row.start_time.FromMicroseconds(NOW_US - 30 * 86_400 * SECOND_US)
    row.end_time.FromMicroseconds(NOW_US)
    return row


def numbered(status: str = "120") -> retail_pb2.RetailReport:
    """The receipt (CEB 702) that gives summary 1 customs' number."""
    return report("CEB702", status, enterprise_number="SUM000001", merchant_code=MERCHANT, summary_number=SUM)


def report(name: str, status: str, seconds: int = 60, **fields: Any) -> retail_pb2.RetailReport:
    """An answer of customs."""
    found = retail_pb2.RetailReport(format=name, status_code=status, **fields)
    found.notice_time.FromMicroseconds(NOW_US + seconds * SECOND_US)
    return found


def result(lists: tuple[int, ...], declaration: str = "", seconds: int = 120, **fields: Any) -> Any:
    """A result of summary 1."""
    found = retail_pb2.RetailSummaryResult(
        summary_number=SUM, unified_number=UNIFIED, declaration_number=declaration, merchant_code=MERCHANT
    )
    found.process_time.FromMicroseconds(NOW_US + seconds * SECOND_US)
    found.list_numbers.extend(list_number(number) for number in lists)
    for name, value in fields.items():
        setattr(found, name, value)
    return found


def applied(number: int, is_return: bool, seconds: int = 0, **fields: Any) -> retail_pb2.RetailCancellation:
    """An application to cancel or return a list."""
    found = retail_pb2.RetailCancellation(is_return=is_return, list_number=list_number(number))
    found.envelope.change = fields.get("change", retail_pb2.NEW)
    found.envelope.send_time.FromMicroseconds(NOW_US + seconds * SECOND_US)
    found.pre_number = fields.get("pre_number", "")
    return found


def read_list(register: RetailRegister, number: int) -> retail_pb2.RetailList:
    """A list as its exporter reads it."""
    with register.database.read() as connection:
        request = retail_list_pb2.GetRetailListRequest(name=f"retailLists/{name_of(number)}")
        return views_lists.get(Reading(connection, EXPORTER, NOW_US), request)


def standing(register: RetailRegister) -> Any:
    """All that the order of arrival must not change: the summary with its lists, and where each list went."""
    found = get(register, 1)
    lists = [read_list(register, number) for number in (1, 2, 3)]
    return (
        found.value.minor_units,
        sorted(found.list_numbers),
        found.summary_number,
        list(found.declaration_numbers),
        reasons(found),
        [(parcel_list.status, parcel_list.summary, list(parcel_list.declaration_numbers)) for parcel_list in lists],
    )


def test_parts_of_a_summary_join_in_any_order_and_however_often(store: Stores) -> None:
    sent = [part_row(1, 2, [1, 2]), part_row(2, 2, [3], 60)]
    ends = []
    for number, order in enumerate(([0, 1], [1, 0], [0, 1, 0, 1], [1, 1, 0])):
        register = RetailRegister(store(f"declarations_{number}", SERVICE.migrations))
        released(register, 1, 2, 3)
        outcomes = [register.summaries(sent[index])[0] for index in order]
        assert sorted(outcomes)[:2] == ["ACCEPTED", "ACCEPTED"]
        assert set(outcomes[2:]) <= {"DUPLICATE", "ACCEPTED"}
        ends.append(standing(register))
        assert register.violations() == []
    assert ends[0][:2] == (300_00, [list_number(count) for count in (1, 2, 3)])
    assert all(end == ends[0] for end in ends)


def test_a_part_that_is_missing_is_told_and_one_in_the_same_batch_joins(register: RetailRegister) -> None:
    released(register, 1, 2, 3)
    register.summaries(part_row(2, 3, [2], 60))
    found = get(register, 1)
    assert (found.value.minor_units, reasons(found)) == (100_00, ["PARTS_MISSING"])
    assert register.summaries(part_row(3, 3, [3], 90), part_row(1, 3, [1])) == ["ACCEPTED", "ACCEPTED"]
    assert (get(register, 1).value.minor_units, reasons(get(register, 1))) == (300_00, [])


def test_a_part_is_changed_by_itself_and_a_whole_takes_the_place_of_all(register: RetailRegister) -> None:
    released(register, 1, 2, 3, 4)
    register.summaries(part_row(1, 2, [1, 2]), part_row(2, 2, [3], 60))
    # Another content of a part under its number is refused, a change of it replaces it.
    other = part_row(2, 2, [4], 120)
    assert register.summaries(other) == ["SUMMARY_KNOWN_WITH_OTHER_CONTENT"]
    other.envelope.change = retail_pb2.MODIFY
    assert register.summaries(other) == ["ACCEPTED"]
    assert list(get(register, 1).list_numbers) == [list_number(number) for number in (1, 2, 4)]
    assert register.summaries(part_row(1, 1, [1], 180, change=retail_pb2.MODIFY)) == ["ACCEPTED"]
    assert list(get(register, 1).list_numbers) == [list_number(1)]
    assert register.summaries(part_row(1, 1, [1], 240, change=retail_pb2.DELETE)) == ["ACCEPTED"]
    assert get(register, 1).value.minor_units == 0
    assert register.violations() == []


def test_a_summary_by_time_passes_its_lists_over_and_has_those_that_customs_names(store: Stores) -> None:
    sent = [
        ("summaries", by_time(lists=(3,))),
        ("reports", numbered()),
        ("results", result((1, 2))),
        ("results", result((), declaration_number(1), 240)),
    ]
    ends = []
    for number, order in enumerate(itertools.permutations(range(len(sent)))):
        register = RetailRegister(store(f"declarations_{number}", SERVICE.migrations))
        released(register, 1, 2, 3)
        for index in (*order, *order[:2]):
            kind, row = sent[index]
            getattr(register, kind)(row)
        ends.append(standing(register))
        assert register.violations() == []
    assert ends[0][:4] == (200_00, [list_number(1), list_number(2)], SUM, [declaration_number(1)])
    assert all(end == ends[0] for end in ends)


def test_a_summary_by_time_waits_for_what_customs_says(register: RetailRegister) -> None:
    released(register, 1)
    assert register.summaries(by_time()) == ["ACCEPTED"]
    assert reasons(get(register, 1)) == ["RESULTS_MISSING"]
    register.results(result((1, 1, 1)))
    # Whose summary that is, its receipt says.
    assert reasons(get(register, 1)) == ["RESULTS_MISSING"]
    assert register.reports(numbered(), numbered()) == ["ACCEPTED", "DUPLICATE"]
    found = get(register, 1)
    assert (found.value.minor_units, reasons(found), [retail_report.format for retail_report in found.reports]) == (
        100_00,
        [],
        ["CEB702"],
    )
    # The unified number, until customs has given the declaration its own.
    assert list(found.declaration_numbers) == list(read_list(register, 1).declaration_numbers) == [UNIFIED]
    assert found.declaration_number == ""
    register.results(result((), declaration_number(1), 240))
    assert get(register, 1).declaration_number == declaration_number(1)
    assert list(read_list(register, 1).declaration_numbers) == [declaration_number(1)]


def test_a_list_backs_one_summary_whatever_customs_names(register: RetailRegister) -> None:
    released(register, 1, 2)
    register.summaries(summary_row(2, [1]), by_time())
    register.reports(numbered())
    register.results(result((1, 2)))
    assert list(get(register, 1).list_numbers) == [list_number(2)]
    assert register.violations() == []


@pytest.mark.parametrize("is_declared_first", [True, False])
def test_a_list_counts_in_the_declaration_that_customs_put_it_into(
    register: RetailRegister, is_declared_first: bool
) -> None:
    released(register, 1, 2, 3)
    register.summaries(summary_row(1, [1, 2]))
    steps: list[Callable[[], Any]] = [
        lambda: declared(register, 1, trade_mode="9610"),
        lambda: register.results(result((1, 2), declaration_number(1))),
    ]
    for step in steps if is_declared_first else reversed(steps):
        assert asked(register)[insight_pb2.LIST] == (0, 3, 300_00)
        step()
    assert asked(register) == {insight_pb2.DECLARATION: (1, 0, 200_00), insight_pb2.LIST: (0, 1, 100_00)}


@pytest.mark.parametrize(
    ("is_return", "answer", "granted"),
    [(True, "CEB214", "800"), (False, "CEB606", "399"), (True, "CEB626", "399"), (False, "CEB624", "399")],
)
def test_an_application_takes_the_value_unless_customs_refuses_it(
    register: RetailRegister, is_return: bool, answer: str, granted: str
) -> None:
    ended = retail_pb2.RetailList.RETURNED if is_return else retail_pb2.RetailList.CANCELLED
    released(register, 1, 2)
    register.summaries(summary_row(1, [1, 2]))
    assert register.cancellations(applied(1, is_return, pre_number="B20260301000000009")) == ["ACCEPTED"]
    found = read_list(register, 1)
    # The application's own number isn't the list's.
    assert (found.status, found.pre_number, get(register, 1).value.minor_units) == (ended, "", 100_00)
    said = {"list_number": list_number(1), "merchant_code": MERCHANT}
    assert register.reports(report(answer, "120", 30, **said)) == ["ACCEPTED"]
    assert read_list(register, 1).status == ended
    assert register.reports(report(answer, "100", 60, **said)) == ["ACCEPTED"]
    assert read_list(register, 1).status == retail_pb2.RetailList.CLOSED
    assert get(register, 1).value.minor_units == 200_00
    assert register.reports(report(answer, granted, 90, **said)) == ["ACCEPTED"]
    found = read_list(register, 1)
    assert (found.status, get(register, 1).value.minor_units) == (ended, 100_00)
    assert [retail_report.status_code for retail_report in found.reports] == [granted, "100", "120"]
    assert register.violations() == []


def test_an_application_that_is_deleted_counts_for_nothing(register: RetailRegister) -> None:
    released(register, 1)
    register.cancellations(applied(1, True), applied(1, True, 60, change=retail_pb2.DELETE))
    assert read_list(register, 1).status == retail_pb2.RetailList.CLOSED


def test_what_is_said_of_a_return_ends_alike_in_any_order_and_before_the_list_comes(store: Stores) -> None:
    said = {"list_number": list_number(1), "merchant_code": MERCHANT}
    sent = [
        ("cancellations", applied(1, True)),
        ("reports", report("CEB214", "100", 60, **said)),
        ("cancellations", applied(1, True, 90, change=retail_pb2.MODIFY)),
        ("reports", report("CEB214", "120", 120, **said)),
    ]
    chance, ends = random.Random(7), []
    for number in range(6):
        register = RetailRegister(store(f"declarations_{number}", SERVICE.migrations))
        order = [*sent, *chance.sample(sent, 2), None]
        chance.shuffle(order)
        for pair in order:
            if pair is None:
                released(register, 1)
            else:
                getattr(register, pair[0])(pair[1])
        ends.append(read_list(register, 1).status)
        assert register.violations() == []
    assert set(ends) == {retail_pb2.RetailList.RETURNED}


def test_an_order_shows_what_was_said_of_it_its_waybills_and_its_payments(register: RetailRegister) -> None:
    def rows(name: str) -> list[Any]:
        return [parsed.row for parsed in ceb.parse((FIXTURES / f"{name}.xml").read_bytes())]

    order = rows("good_303")[0]
    for kind, name in (("order", "good_303"), ("waybill", "good_505"), ("payment", "good_403")):
        register.run(TAKERS[kind], [(name, rows(name)[0])])
    sent = [rows(f"good_{number}")[0] for number in ("304", "404", "506", "513", "412", "900")]
    assert register.reports(*sent) == ["ACCEPTED"] * len(sent)
    assert register.reports(*reversed(sent)) == ["DUPLICATE"] * len(sent)
    with register.database.read() as connection:
        request = retail_pb2.GetRetailOrderRequest(name=f"retailOrders/{order_rpc.identify(order)}")
        found = order_reads.get(Reading(connection, EXPORTER, NOW_US), request)
        told_to_bank = report_reads.told(Reading(connection, BANK, NOW_US), [found.name])
    assert sorted(retail_report.format for retail_report in found.reports) == ["CEB304", "CEB404", "CEB506", "CEB513"]
    # Customs' words may name persons.
    assert next(retail_report.note for retail_report in found.reports if retail_report.format == "CEB304") == "海关入库"
    assert [(retail_report.format, retail_report.note) for retail_report in told_to_bank] == [("CEB304", "")]


def test_a_summary_that_stood_before_parts_becomes_its_one_part(register: RetailRegister) -> None:
    released(register, 1, 2, 3)
    register.summaries(summary_row(1, [1, 2]), summary_row(2, [3]))
    register.summaries(summary_row(2, [3], change=retail_pb2.DELETE, send_us=NOW_US + 1))
    script = ScriptDirectory.from_config(migrations.configuration(SERVICE.migrations))
    (make_parts,) = [
        walk_revision.module._make_parts
        for walk_revision in script.walk_revisions()
        if hasattr(walk_revision.module, "_make_parts")
    ]
    with register.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM retail_summary_parts")
        make_parts(connection)
    before = get(register, 1)
    assert register.summaries(summary_row(1, [1, 2])) == ["DUPLICATE"]
    assert register.summaries(summary_row(2, [3])) == ["DUPLICATE"]
    assert get(register, 1) == before
    assert register.summaries(summary_row(1, [2], change=retail_pb2.MODIFY, send_us=NOW_US + 1)) == ["ACCEPTED"]
    assert list(get(register, 1).list_numbers) == [list_number(2)]
    assert register.violations() == []
