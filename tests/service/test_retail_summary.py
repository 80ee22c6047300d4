"""Summaries: a list backs one, ever; everything that doesn't fit is said at once."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from aval.declarations.v1 import retail_list_pb2, retail_pb2

from chassis.service import Reading
from services.declarations.intake.takers import summaries as takers_summaries
from services.declarations.service import SERVICE
from services.declarations.window.retail.identity import summary_id
from services.declarations.window.retail.summary import reads as summary_reads
from services.declarations.window.retail.summary import store as summary_store
from tests.service.retail_lists_world import (
    ENTERPRISE,
    EXPORTER,
    MERCHANT,
    NOW_US,
    RIVAL,
    RetailRegister,
    cny,
    list_number,
    list_row,
    outcome,
    receipt_row,
)
from tests.support import Stores


@pytest.fixture
def register(store: Stores) -> RetailRegister:
    """A register on a fresh store, on each dialect in turn."""
    return RetailRegister(store("declarations", SERVICE.migrations))


def summary_row(number: int, lists: Sequence[int], total: int | None = None, **fields: Any) -> retail_pb2.RetailSummary:
    """A summary of lists."""
    row = retail_pb2.RetailSummary(
        enterprise_number=f"SUM{number:06}",
        customs_office="4612",
        merchant_code=fields.get("merchant", MERCHANT),
        list_numbers=[list_number(count) for count in lists],
    )
    row.envelope.change = fields.get("change", retail_pb2.NEW)
    row.envelope.send_time.FromMicroseconds(fields.get("send_us", NOW_US))
    if total is not None:
        row.total.CopyFrom(cny(total))
    return row


def get(register: RetailRegister, number: int, merchant: str = MERCHANT) -> retail_pb2.RetailSummary:
    """A summary as the exporter reads it."""
    name = f"retailSummaries/{summary_id(merchant, f'SUM{number:06}')}"
    with register.database.read() as connection:
        reading = Reading(connection, EXPORTER, NOW_US)
        return summary_reads.get(reading, retail_list_pb2.GetRetailSummaryRequest(name=name))


def released(register: RetailRegister, *numbers: int, value: int = 100_00, **fields: Any) -> None:
    """Lists that left the country."""
    register.lists(*(list_row(number, value, list_number=list_number(number), **fields) for number in numbers))
    register.receipts(*(receipt_row(number, "899", enterprise_number="") for number in numbers))


def reasons(summary: retail_pb2.RetailSummary) -> list[str]:
    """Its differences."""
    return [problem.reason for problem in summary.differences]


def test_reconciled(register: RetailRegister) -> None:
    released(register, 1, 2, 3)
    row = summary_row(1, [1, 2, 3], 300_00)
    assert register.summaries(row, row) == ["ACCEPTED", "DUPLICATE"]
    found = get(register, 1)
    assert (found.value.minor_units, found.enterprise, reasons(found)) == (300_00, ENTERPRISE, [])
    assert list(found.list_numbers) == [list_number(number) for number in (1, 2, 3)]
    assert register.violations() == []


def test_what_may_still_come_is_a_difference(register: RetailRegister) -> None:
    released(register, 1)
    register.lists(list_row(2, list_number=list_number(2)))
    assert register.summaries(summary_row(1, [1, 2, 3], 300_00)) == ["ACCEPTED"]
    assert reasons(get(register, 1)) == ["LIST_NOT_RELEASED", "LIST_UNKNOWN", "TOTAL_DIFFERS"]
    register.receipts(receipt_row(2, "800"))
    released(register, 3)
    found = get(register, 1)
    assert (found.value.minor_units, reasons(found)) == (300_00, [])
    assert register.violations() == []


def test_a_summary_may_come_before_any_of_its_lists(register: RetailRegister) -> None:
    assert register.summaries(summary_row(1, [1, 2])) == ["ACCEPTED"]
    released(register, 1, 2)
    assert get(register, 1).value == cny(200_00)
    assert register.violations() == []


def test_a_return_reduces_it(register: RetailRegister) -> None:
    released(register, 1, 2)
    register.summaries(summary_row(1, [1, 2], 200_00))
    register.receipts(receipt_row(2, "700", NOW_US))
    found = get(register, 1)
    assert (found.value.minor_units, reasons(found)) == (100_00, ["LIST_NOT_RELEASED", "TOTAL_DIFFERS"])
    register.lists(list_row(1, 70_00, list_number=list_number(1), send_us=NOW_US, change=retail_pb2.MODIFY))
    assert get(register, 1).value.minor_units == 70_00
    assert register.violations() == []


def test_everything_that_can_never_fit_refuses_it_whole(register: RetailRegister) -> None:
    released(register, 1, 2)
    released(register, 3, merchant_code=RIVAL)
    released(register, 4, trade_mode="1210")
    assert register.summaries(summary_row(1, [1])) == ["ACCEPTED"]
    row = summary_row(2, [1, 2, 3, 4])
    verdict = register.run(takers_summaries.take, [("row", row)])[0]
    assert [(problem.path, problem.reason) for problem in verdict.problems] == [
        ("list_numbers[0]", "LIST_SUMMED_ALREADY"),
        ("list_numbers[2]", "LIST_OF_ANOTHER_MERCHANT"),
        ("list_numbers[3]", "LIST_MODE_DIFFERS"),
    ]
    # Nothing of it was kept: the sound list backs another.
    assert register.summaries(summary_row(3, [2])) == ["ACCEPTED"]


def test_of_two_in_one_batch_the_first_has_the_list(register: RetailRegister) -> None:
    released(register, 1, 2)
    assert register.summaries(summary_row(1, [1, 2]), summary_row(2, [2])) == ["ACCEPTED", "LIST_SUMMED_ALREADY"]


def test_changes_add_and_drop_but_never_free(register: RetailRegister) -> None:
    released(register, 1, 2, 3)
    register.summaries(summary_row(1, [1, 2]))
    changed = summary_row(1, [2, 3], send_us=NOW_US + 1, change=retail_pb2.MODIFY)
    assert register.summaries(changed, changed) == ["ACCEPTED", "DUPLICATE"]
    assert register.summaries(summary_row(1, [1, 2])) == ["DUPLICATE"]
    assert list(get(register, 1).list_numbers) == [list_number(2), list_number(3)]
    assert register.summaries(summary_row(2, [1])) == ["LIST_SUMMED_ALREADY"]
    deleted = summary_row(1, [2, 3], send_us=NOW_US + 2, change=retail_pb2.DELETE)
    assert register.summaries(deleted) == ["ACCEPTED"]
    assert get(register, 1).value.minor_units == 0
    assert register.summaries(summary_row(2, [3])) == ["LIST_SUMMED_ALREADY"]
    assert register.violations() == []


def test_two_summaries_race_for_the_same_lists(register: RetailRegister, store: Stores) -> None:
    """S3: two processes claim the same list at the same moment: one has it."""
    rounds = 12
    released(register, *range(rounds * 2))
    other = RetailRegister(store("declarations", SERVICE.migrations))
    start = threading.Barrier(2, timeout=20)
    outcomes: dict[str, list[str]] = {"one": [], "other": []}

    def claim(name: str, own: RetailRegister, first: int) -> None:
        for number in range(rounds):
            start.wait()
            verdicts = own.run(
                takers_summaries.take, [("row", summary_row(first + number, [number * 2, number * 2 + 1]))]
            )
            outcomes[name].append(outcome(verdicts[0]))

    threads = [threading.Thread(target=claim, args=pair) for pair in (("one", register, 100), ("other", other, 200))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pairs = zip(outcomes["one"], outcomes["other"], strict=True)
    assert all(sorted(pair) == ["ACCEPTED", "LIST_SUMMED_ALREADY"] for pair in pairs), outcomes
    assert register.violations() == []


def test_ten_thousand_lists_in_one_summary(register: RetailRegister) -> None:
    count = 10_000
    for first in range(0, count, 5000):
        released(register, *range(first, first + 5000), value=123_45)
    assert register.summaries(summary_row(1, range(count), count * 123_45)) == ["ACCEPTED"]
    found = get(register, 1)
    assert (found.value.minor_units, len(found.list_numbers), reasons(found)) == (count * 123_45, count, [])


def test_the_proof_finds_a_wrong_value(register: RetailRegister) -> None:
    """S3: a summary whose value isn't the sum of its lists is named."""
    released(register, 1)
    register.summaries(summary_row(1, [1]))
    with register.database.write() as connection:
        summary = next(iter(summary_store.load(connection, [summary_id(MERCHANT, "SUM000001")]).values()))
        connection.exec_driver_sql("UPDATE retail_summaries SET value_minor_units = value_minor_units + 1")
    assert register.violations() == [f"summaries: {summary.id} has 10001, its lists give 10000"]
