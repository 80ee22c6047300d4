"""The life of a list by what is said of it: the whole table, any order and repetition, reasons in both languages."""

from itertools import pairwise, product

import pytest
from aval.declarations.v1 import retail_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.declarations.customs.code_tables import code_table
from services.declarations.window.retail.list.model import MACHINE, is_known_code, reasons, standing

NOW = 1_780_000_000_000_000
EXPECTED = {
    "DRAFT": "1 2 3",
    "FAILED": "4 -1 -301005",
    "REJECTED": "100",
    "STORED": "120",
    "IN_REVIEW": "300",
    "ACCEPTED": "399",
    "HELD": "500 501 502 503 599",
    "RETURNED": "700 RETURN",
    "RELEASED": "800",
    "CLOSED": "899",
    "CANCELLED": "CANCEL DELETE",
}
STATUS_OF = {code: status for status, codes in EXPECTED.items() for code in codes.split()}
CODES = sorted(STATUS_OF)
SILENT = ["DEPART", "LOAD", "CANCEL_VOID", "RETURN_VOID"]
PROGRESS = ["STORED", "IN_REVIEW", "ACCEPTED", "RELEASED", "CLOSED"]
FACTS = st.lists(st.tuples(st.sampled_from([*CODES, *SILENT, "??"]), st.integers(NOW, NOW + 4)), max_size=12)


def expected_after(before: str, code: str) -> str:
    """The rule in words, written anew: where a status and then a code lead."""
    after = STATUS_OF[code]
    # What has ended stays ended; only taking back counts above coming back.
    if before == "CANCELLED" or after == "CANCELLED":
        return "CANCELLED"
    if before == "RETURNED" or after == "RETURNED":
        return "RETURNED"
    # A parcel that has left isn't held or rejected any more.
    if before == "CLOSED":
        return before
    if after in {"HELD", "REJECTED"}:
        return after
    # What was never stored, or was rejected, begins anew with anything.
    if before in {"DRAFT", "FAILED", "REJECTED"}:
        return after
    if after in {"DRAFT", "FAILED"}:
        return before
    # Only a release lifts a hold; else it goes forward alone.
    if before == "HELD":
        return after if after in {"RELEASED", "CLOSED"} else before
    return after if PROGRESS.index(after) > PROGRESS.index(before) else before


def test_the_table_has_every_code() -> None:
    known = {row["code"]: row["status"] for row in code_table("list_receipt_codes").rows()}
    assert known.pop("-") == "FAILED"
    assert known == {code: status for code, status in STATUS_OF.items() if not code.startswith("-")} | dict.fromkeys(
        SILENT, ""
    )


def test_the_statuses_are_the_contracts() -> None:
    names = set(retail_pb2.RetailList.Status.keys()) - {"STATUS_UNSPECIFIED"}
    assert {row["code"] for row in code_table("list_statuses").rows()} == names == set(EXPECTED)


@pytest.mark.parametrize("code", CODES)
def test_one_notice(code: str) -> None:
    assert MACHINE.status_after([(code, NOW)]) == STATUS_OF[code]
    assert is_known_code(code, NOW)


@pytest.mark.parametrize(("first", "code"), list(product(CODES, CODES)))
def test_every_status_and_code(first: str, code: str) -> None:
    assert MACHINE.status_after([(first, NOW), (code, NOW + 1)]) == expected_after(STATUS_OF[first], code)


@pytest.mark.parametrize("code", CODES)
def test_departures_and_unknown_codes_move_nothing(code: str) -> None:
    assert (
        MACHINE.status_after([(code, NOW), ("DEPART", NOW + 1), ("LOAD", NOW + 2), ("??", NOW + 3)]) == STATUS_OF[code]
    )
    assert not is_known_code("??", NOW)


@given(FACTS, st.data())
def test_order_and_repetition_do_not_matter(facts: list[tuple[str, int]], data: st.DataObject) -> None:
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=6) if facts else st.just([]))
    assert MACHINE.status_after(data.draw(st.permutations(repeated))) == MACHINE.status_after(facts)


@given(FACTS)
def test_a_return_takes_the_value_whatever_came_before(facts: list[tuple[str, int]]) -> None:
    assert MACHINE.status_after([*facts, ("700", NOW + 2)]) in {"RETURNED", "CANCELLED"}


def test_an_ordinary_life() -> None:
    life = [(code, NOW + hour) for hour, code in enumerate(["1", "2", "3", "120", "300", "399", "500", "800", "899"])]
    reached = [MACHINE.status_after(life[:count]) for count in range(10)]
    assert reached == ["DRAFT"] * 4 + ["STORED", "IN_REVIEW", "ACCEPTED", "HELD", "RELEASED", "CLOSED"]


@pytest.mark.parametrize("status", list(EXPECTED))
def test_reasons_are_in_both_languages(status: str) -> None:
    found = reasons(status)
    assert (found == []) is (status == "CLOSED")
    assert all(problem.english and problem.chinese for problem in found)


def test_periods_of_a_code_do_not_overlap() -> None:
    for name in ("list_receipt_codes", "list_statuses", "retail_modes", "pool_terms", "pool_standings"):
        for periods in code_table(name).periods.values():
            assert all(period.last < other.first for period, other in pairwise(periods))


@pytest.mark.parametrize(("code", "void"), [("CANCEL", "CANCEL_VOID"), ("RETURN", "RETURN_VOID")])
def test_an_application_that_was_refused_or_withdrawn_counts_for_nothing(code: str, void: str) -> None:
    released, applied, refused = ("800", NOW), (code, NOW + 1), (void, NOW + 2)
    assert MACHINE.status_after(standing([released, applied])) == STATUS_OF[code]
    assert MACHINE.status_after(standing([refused, applied, released])) == "RELEASED"
    # Applied for again, or granted after all.
    assert MACHINE.status_after(standing([refused, applied, released, (code, NOW + 3)])) == STATUS_OF[code]
    # What is refused at the very moment was applied for before.
    assert MACHINE.status_after(standing([released, applied, (void, NOW + 1)])) == "RELEASED"
    # The refusal of the one says nothing of the other.
    other = "CANCEL_VOID" if code == "RETURN" else "RETURN_VOID"
    assert MACHINE.status_after(standing([released, applied, (other, NOW + 2)])) == STATUS_OF[code]


@given(FACTS, st.data())
def test_what_stands_is_the_same_in_any_order(facts: list[tuple[str, int]], data: st.DataObject) -> None:
    repeated = facts + data.draw(st.lists(st.sampled_from(facts), max_size=6) if facts else st.just([]))
    assert set(standing(data.draw(st.permutations(repeated)))) == set(standing(facts))
