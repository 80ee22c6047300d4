"""The pure rules of what is derived: prices on their scale, norms, growth, factors, cells of files."""

import datetime
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from aval.declarations.v1 import declarations_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.declarations.customs.code_tables import code_table
from services.declarations.insight.counting.model import Contribution, Delta, from_text, price_of, to_text
from services.declarations.insight.export import model as export_model
from services.declarations.insight.findings.model import Finding, text
from services.declarations.insight.norms.model import (
    PARTS,
    Counts,
    bucket_of,
    in_major_units,
    is_due,
    lowest,
    unit_price,
)
from services.declarations.insight.portrait.model import MEASURES, PRICE_CODES, month_before
from services.declarations.insight.statistics.model import growth, year_after, year_before
from trade import names

ON = datetime.date(2026, 11, 23)
PRICES = st.integers(0, 2**80)


@given(price=PRICES)
def test_a_bucket_holds_its_price_and_is_narrow(price: int) -> None:
    bucket = bucket_of(price)
    low, high = lowest(bucket), lowest(bucket + 1)
    assert low <= price < high
    assert high - low <= max(Fraction(low, PARTS), Fraction(1))


@given(number=PRICES, other=PRICES)
def test_buckets_go_up_with_prices(number: int, other: int) -> None:
    assert number > other or bucket_of(number) <= bucket_of(other)


@given(observed=st.lists(st.tuples(st.integers(0, 500), st.integers(1, 5)), min_size=1), gone=st.data())
def test_counts_are_those_of_the_observations_and_can_be_taken_back(
    observed: list[tuple[int, int]], gone: st.DataObject
) -> None:
    counts, naive = Counts(), Counter[int]()
    for bucket, count in observed:
        counts.add(bucket, count)
        naive[bucket] += count
    taken = gone.draw(st.lists(st.sampled_from(observed), unique=True, max_size=len(observed) - 1))
    for bucket, _ in taken:
        counts.add(bucket, -1)
        naive[bucket] -= 1
    stored = Counts(counts.first, counts.values.tobytes())
    assert {stored.first + place: count for place, count in enumerate(stored.values) if count} == dict(+naive)
    everything = sorted(naive.elements())
    places = [-(-len(everything) * part // 4) - 1 for part in (1, 2, 3)]
    assert list(stored.quartiles()) == [everything[place] for place in places]
    both = Counts()
    both.add_all(stored)
    both.add_all(stored)
    assert both.total == 2 * len(everything)


@pytest.mark.parametrize(
    ("minor_units", "quantity", "power", "price"),
    [
        (1000, "10", 0, 100_000_000),
        (1000, "3", 0, 333_333_333),
        (1, "1000000", 0, 1),
        (100, "2.50", 0, 40_000_000),
        (1000, "1000", -3, 1_000_000_000),
        (1000, "2", 3, 500_000),
        (1000, "1", 9, 1),
        (1000, "0", 0, None),
        (1000, "", 0, None),
        (0, "5", 0, None),
    ],
)
def test_unit_prices(minor_units: int, quantity: str, power: int, price: int | None) -> None:
    assert unit_price(minor_units, quantity, power) == price


@pytest.mark.parametrize(
    ("quantity", "unit", "expected"),
    [("2", "011", ("011", 250_000_000)), ("2000", "036", ("035", 250_000_000)), ("", "011", None)],
)
def test_a_line_of_goods_has_a_price_for_its_counting_unit(
    quantity: str, unit: str, expected: tuple[str, int] | None
) -> None:
    line = declarations_pb2.DeclarationLine(unit=unit)
    line.quantity.value, line.total.minor_units = quantity, 500
    assert price_of(line) == expected


def test_prices_are_told_in_major_units() -> None:
    assert in_major_units(333_333_333, "USD") == Decimal("3.33333333")
    assert in_major_units(100_000_000, "JPY") == Decimal(100)


@pytest.mark.parametrize(
    ("seen", "published", "expected"),
    [
        (29, 0, False),
        (30, 0, True),
        (100, 100, False),
        (124, 100, False),
        (125, 100, True),
        (80, 100, True),
        (81, 100, False),
    ],
)
def test_when_a_norm_is_published_anew(seen: int, published: int, expected: bool) -> None:
    assert is_due(seen, published, 30, 125) is expected


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (150, 100, "0.5000"),
        (1, 3, "-0.6667"),
        (0, 7, "-1.0000"),
        (5, 0, None),
        (2, 3, "-0.3333"),
        (20001, 20000, "0.0001"),
    ],
)
def test_growth(now: int, before: int, expected: str | None) -> None:
    found = growth(now, before)
    assert (None if found is None else str(found)) == expected


def test_months() -> None:
    assert (year_before("2024-02"), year_after("2024-02")) == ("2023-02", "2025-02")
    assert [month_before(ON, months) for months in (0, 10, 11, 23)] == ["2026-11", "2026-01", "2025-12", "2024-12"]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ACME, Inc.", "acme inc"),
        ("ＡＣＭＥ　ＩＮＣ", "Acme-Inc"),
        ("郑州（中国）公司", "郑州(中国)公司"),
        ("  ", "..."),
    ],
)
def test_parties_are_told_apart_by_letters_only(name: str, other: str) -> None:
    assert names.spaced(name) == names.spaced(other)


KEYS = st.tuples(*([st.sampled_from("ab")] * 7), st.sampled_from(["COUNTED", "DELETED"]), st.sampled_from("xy"))
PRICE = st.tuples(st.sampled_from(["6704200000", "6704200001"]), st.just("011"), st.just("USD"), st.integers(0, 9))
CONTRIBUTIONS = st.builds(Contribution, KEYS, st.integers(0, 10**18), st.lists(PRICE, max_size=3).map(tuple))


@given(counted=st.lists(CONTRIBUTIONS), order=st.randoms())
def test_what_was_counted_can_be_taken_back_in_any_order(counted: list[Contribution], order: object) -> None:
    delta, back = Delta(), list(counted)
    order.shuffle(back)  # type: ignore[attr-defined]
    for contribution in counted:
        delta.add(contribution)
    assert sum(count for count, _ in delta.cells().values()) == sum(
        each_contribution.is_plain for each_contribution in counted
    )
    assert sum(n for seen in delta.observations().values() for _, n in seen) == sum(
        len(each_contribution.prices) for each_contribution in counted
    )
    for contribution in back:
        delta.add(from_text(to_text(contribution)), -1)
    assert not any(any(total) for total in delta.totals.values())
    assert not any(delta.prices.values())


def test_every_factor_has_its_row_and_every_row_its_factor() -> None:
    rows = {row["code"]: row for row in code_table("risk_factors").rows()}
    assert list(rows) == list(MEASURES)
    assert sum(int(row["weight"]) for row in rows.values()) == 100
    for row in rows.values():
        bands = [band.split(":") for band in row["bands"].split(";")]
        assert [Decimal(least) for least, _ in bands] == sorted(Decimal(least) for least, _ in bands)
        assert all(0 <= int(percent) <= 100 for _, percent in bands)


def test_every_check_explains_itself_in_both_languages() -> None:
    codes = {row["code"] for row in code_table("trade_checks").rows()}
    assert {*PRICE_CODES} < codes
    for code in codes:
        english, chinese = text(code, AnyFact(), ON)
        assert "?" in english
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


class AnyFact(dict[str, str]):
    """Has every fact."""

    def __missing__(self, key: str) -> str:
        return "?"


def test_a_finding_has_the_same_name_whenever_it_is_found() -> None:
    finding = Finding("enterprises/91411023MAXY00112A", "460120260000000001", 2, "UNIT_PRICE_ABOVE_NORM", {})
    assert finding.id == "460120260000000001-2-unit-price-above-norm"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_what_a_spreadsheet_would_take_for_a_formula_is_text(text: str) -> None:
    assert export_model.safe(text) == f"'{text}"
    assert export_model.safe(f"a{text}") == f"a{text}"


def test_a_declaration_without_goods_is_a_row_too() -> None:
    (row,) = export_model.lines(declarations_pb2.Declaration(declaration_number="460120260000000001"), "DRAFT")
    cells = export_model.cells(row)
    assert (cells["declaration_number"], cells["status"], cells["total"]) == ("460120260000000001", "DRAFT", "")
    assert list(cells) == list(export_model.COLUMNS)
