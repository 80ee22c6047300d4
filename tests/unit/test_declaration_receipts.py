"""The receipt states: the whole table, any order and repetition, and eligibility with its reasons."""

from datetime import date
from itertools import pairwise, permutations, product

import pytest
from aval.declarations.v1 import declarations_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Problem
from services.declarations.customs.code_tables import code_table
from services.declarations.customs.receipts import STATUS_WITHOUT_RECEIPTS, eligibility, receipt_row, status_after

NOW = 1_780_000_000_000_000
EXPECTED = {
    "DRAFT": "S0 F1 Y Z",
    "DECLARED": "7",
    "RECEIVED": "L",
    "ACCEPTED": "G J W",
    "HELD": "C S SpC",
    "DUTY_DUE": "T",
    "RELEASED_WITH_GUARANTEE": "B K",
    "RELEASED": "F I P",
    "CLOSED": "R",
    "REJECTED": "E SpE",
    "DELETED": "D A c",
    "SUSPENDED": "H M N X",
}
STATUS_OF = {code: status for status, codes in EXPECTED.items() for code in codes.split()}
PROGRESS = [
    "DRAFT",
    "DECLARED",
    "RECEIVED",
    "ACCEPTED",
    "DUTY_DUE",
    "RELEASED_WITH_GUARANTEE",
    "RELEASED",
    "CLOSED",
]
RESTARTS = {"REJECTED", "SUSPENDED"}
CODES = sorted(STATUS_OF)
RECEIPTS = st.lists(st.tuples(st.sampled_from([*CODES, "??"]), st.integers(NOW, NOW + 4)), max_size=12)


def judged(
    status: str,
    on: date = date.max,
    declaration_number: str = "462020260000000118",
    trade_mode: str = "0110",
    transport_mode: str = "5",
) -> tuple[str, list[Problem]]:
    """The eligibility of an ordinary export but for what is given."""
    return eligibility(
        status,
        declaration_number=declaration_number,
        trade_mode=trade_mode,
        transport_mode=transport_mode,
        on=on,
    )


def expected_after(first: str, second: str) -> str:
    """The rule in words, written anew: where first, then second leads."""
    before, after = STATUS_OF[first], STATUS_OF[second]
    overrides = after in {"DELETED", "SUSPENDED"}
    interrupts = after in {"HELD", "REJECTED"} or second in {"Y", "Z"}
    if before == "DELETED" or (before == "CLOSED" and not overrides):
        return before
    if overrides or interrupts:
        return after
    if before in RESTARTS:
        return after if after != "DRAFT" else before
    reached = PROGRESS.index("ACCEPTED") if before == "HELD" else PROGRESS.index(before)
    return after if PROGRESS.index(after) > reached else before


def test_the_table_has_every_code_of_the_domain() -> None:
    assert {row["code"]: row["status"] for row in code_table("receipt_codes").rows()} == STATUS_OF


def test_the_statuses_are_the_contracts() -> None:
    names = set(declarations_pb2.Declaration.Status.keys()) - {"STATUS_UNSPECIFIED"}
    assert {row["code"] for row in code_table("statuses").rows()} == names


@pytest.mark.parametrize("code", CODES)
def test_one_receipt(code: str) -> None:
    assert status_after([(code, NOW)]) == STATUS_OF[code]


@pytest.mark.parametrize(("first", "second"), list(product(CODES, CODES)))
def test_every_pair_of_receipts(first: str, second: str) -> None:
    assert status_after([(first, NOW), (second, NOW + 1)]) == expected_after(first, second)


def test_no_receipt_and_unknown_receipts() -> None:
    assert status_after([]) == STATUS_WITHOUT_RECEIPTS
    assert status_after([("??", NOW)]) == STATUS_WITHOUT_RECEIPTS
    assert receipt_row("??", NOW) is None


@given(RECEIPTS, st.data())
def test_order_and_repetition_do_not_matter(receipts: list[tuple[str, int]], data: st.DataObject) -> None:
    repeated = receipts + data.draw(st.lists(st.sampled_from(receipts), max_size=6) if receipts else st.just([]))
    shuffled = data.draw(st.permutations(repeated))
    assert status_after(shuffled) == status_after(receipts)


@given(RECEIPTS, st.integers(NOW, NOW + 4))
def test_a_deletion_is_final(receipts: list[tuple[str, int]], deleted_us: int) -> None:
    assert status_after([*receipts, ("D", deleted_us)]) == "DELETED"


@given(RECEIPTS)
def test_a_suspension_stands_against_earlier_receipts(receipts: list[tuple[str, int]]) -> None:
    assert status_after([*receipts, ("H", NOW + 5)]) in {"SUSPENDED", "DELETED"}


@pytest.mark.parametrize("codes", list(permutations(["P", "C", "R"])))
def test_receipts_of_one_moment_count_by_severity(codes: tuple[str, ...]) -> None:
    assert status_after([(code, NOW) for code in codes]) == "CLOSED"
    assert status_after([(code, NOW) for code in codes if code != "R"]) == "HELD"


def test_a_later_release_lifts_a_hold() -> None:
    life = [
        ("7", NOW),
        ("L", NOW + 1),
        ("C", NOW + 2),
        ("P", NOW + 3),
        ("S", NOW + 4),
        ("P", NOW + 5),
        ("R", NOW + 6),
    ]
    statuses = [status_after(life[:count]) for count in range(1, 8)]
    assert statuses == ["DECLARED", "RECEIVED", "HELD", "RELEASED", "HELD", "RELEASED", "CLOSED"]


@pytest.mark.parametrize("status", list(EXPECTED))
def test_verdicts(status: str) -> None:
    expected = {"RELEASED": "CONDITIONAL", "CLOSED": "FINAL"}.get(status, "NOT_ELIGIBLE")
    verdict, reasons = judged(status)
    assert verdict == expected
    assert verdict in declarations_pb2.Eligibility.Verdict.keys()  # noqa: SIM118
    assert (reasons == []) is (verdict == "FINAL")
    assert all(problem.english and problem.chinese for problem in reasons)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"declaration_number": "462020261000000118"}, "IMPORT_DECLARATION"),
        *(
            ({"trade_mode": mode}, "TRADE_MODE_NOT_FINANCEABLE")
            for mode in ["1300", "2600", "3010", "3339", "4561", "5000", "5361", "0001"]
        ),
        *(
            ({"transport_mode": mode}, "TRANSPORT_MODE_DOMESTIC")
            for mode in ["0", "1", "7", "8", "H", "W", "X", "Y", "Z", ""]
        ),
    ],
)
def test_what_is_no_financeable_export(change: dict[str, str], reason: str) -> None:
    verdict, reasons = judged("CLOSED", date.max, **change)
    assert (verdict, [problem.reason for problem in reasons]) == ("NOT_ELIGIBLE", [reason])


def test_all_reasons_come_at_once() -> None:
    _, reasons = eligibility("HELD", declaration_number="462020261000000118", trade_mode="3010", transport_mode="7")
    assert len(reasons) == 4


@pytest.mark.parametrize("mode", ["0110", "0615", "1039", "9710"])
def test_sales_abroad_are_financeable(mode: str) -> None:
    assert judged("CLOSED", trade_mode=mode) == ("FINAL", [])


def test_rows_count_between_their_dates() -> None:
    assert code_table("trade_modes").row("9710", date(2020, 6, 30)) is None
    assert code_table("trade_modes").row("9710", date(2020, 7, 1)) is not None
    verdict, _ = judged("CLOSED", date(2020, 6, 30), trade_mode="9710")
    assert verdict == "NOT_ELIGIBLE"
    # 2018-07-31 16:00 UTC is the first of August in Beijing.
    assert receipt_row("R", 1_533_052_800_000_000) is not None
    assert receipt_row("R", 1_533_052_799_999_999) is None


@pytest.mark.parametrize(
    "name", ["countries", "trade_modes", "transport_modes", "transaction_modes", "receipt_codes", "statuses"]
)
def test_the_periods_of_a_code_do_not_overlap(name: str) -> None:
    for periods in code_table(name).periods.values():
        ordered = sorted(periods, key=lambda period: period.first)
        assert all(period.first <= period.last for period in ordered)
        assert all(period.last < two.first for period, two in pairwise(ordered))
