"""Prices, totals and numbers by one rule, whatever document or row they stand in."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, reference_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.declarations.customs.checks import goods_problems, rounding
from services.declarations.intake.formats import ceb
from services.declarations.window.reference.model import check as check_reference

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ceb"


def line(quantity: str, price: str, minor_units: int, currency: str = "USD") -> declarations_pb2.DeclarationLine:
    """A line of goods."""
    made = declarations_pb2.DeclarationLine(line_number=1)
    made.quantity.value, made.unit_price.value = quantity, price
    made.total.currency_code, made.total.minor_units = currency, minor_units
    return made


@pytest.mark.parametrize(
    ("quantity", "price", "minor_units", "currency", "fits"),
    [
        ("3000", "3.3333", 1_000_000, "USD", True),
        ("3000", "3.3333", 1_000_006, "USD", False),
        ("3000.00000", "3.3333", 999_975, "USD", True),
        ("3000", "3.3333", 999_974, "USD", False),
        ("3", "3.33", 1000, "USD", True),
        ("300", "3.3300", 100_000, "USD", False),
        ("7", "0.1429", 100, "USD", True),
        ("12", "8.3", 10000, "USD", True),
        ("12", "8.3", 10100, "USD", False),
        ("3000", "3.3", 10_000, "JPY", True),
        ("1.5E3", "3.3333", 500_000, "USD", True),
        ("3", "3.333", 10_000, "KWD", True),
    ],
)
def test_a_rounded_price(quantity: str, price: str, minor_units: int, currency: str, fits: bool) -> None:
    found = goods_problems(0, line(quantity, price, minor_units, currency), currency)
    assert [problem.reason for problem in found] == ([] if fits else ["TOTAL_MISMATCH"])


def test_rounding_is_half_the_last_digit_of_each() -> None:
    assert rounding(Decimal(3000), Decimal("3.3333")) == Decimal("0.15")
    assert rounding(Decimal(3000), Decimal("3.33330")) == Decimal("0.015")
    assert rounding(Decimal(4), Decimal("1E+1")) == Decimal(2)


def test_a_reference_record_by_the_same_rule() -> None:
    def reasons(minor_units: int) -> list[str]:
        record = reference_pb2.ReferenceRecord(source="tests", key="1")
        record.record_date.year, record.record_date.month, record.record_date.day = 2026, 1, 2
        record.value.currency_code, record.value.minor_units = "USD", minor_units
        record.quantity.value, record.unit_price.value = "3000", "3.3333"
        return [problem.reason for problem in check_reference(record, date(2026, 3, 1))]

    assert reasons(1_000_000) == []
    assert reasons(1_000_100) == ["TOTAL_MISMATCH"]


def with_texts(text: str, **texts: str) -> str:
    """XML with other texts of these elements."""
    for name, value in texts.items():
        text = re.sub(f"(<ceb:{name}>)[^<]*", lambda match, value=value: match[1] + value, text)  # type: ignore[misc]
    return text


def order(*amounts: str, value: str) -> Any:
    """An order of lines of these amounts, as CEB303 writes them."""
    text = (FIXTURES / "good_303.xml").read_text(encoding="utf-8")
    found = re.search(r"<ceb:OrderList>.*?</ceb:OrderList>\s*", text, re.DOTALL)
    assert found
    head, tail = text[: found.start()], text[text.index("</ceb:Order>") :]
    lines = [
        with_texts(found[0], gnum=str(number), qty="1", price=amount, totalPrice=amount)
        for number, amount in enumerate(amounts, 1)
    ]
    (parsed, *_) = ceb.parse("".join([with_texts(head, goodsValue=value), *lines, tail]).encode())
    return parsed


@pytest.mark.parametrize(
    ("amounts", "value", "minor_units"),
    [
        (("37.03701",), "37.03701", 3704),
        (("1.00401", "1.00401", "1.00401"), "3.01203", 301),
        (("0.33500", "0.33500"), "0.67000", 67),
        ((".5", "1.50000000"), "2", 200),
    ],
)
def test_amounts_of_five_decimals_add_up(amounts: tuple[str, ...], value: str, minor_units: int) -> None:
    parsed = order(*amounts, value=value)
    assert parsed.problems == []
    assert parsed.row.goods_value.minor_units == minor_units


def test_a_value_that_rounding_doesnt_explain_is_refused() -> None:
    assert [problem.reason for problem in order("1.00", "1.00", value="2.02").problems] == ["GOODS_VALUE_MISMATCH"]
    assert [problem.reason for problem in order("1.00", value="1.01").problems] == ["GOODS_VALUE_MISMATCH"]


@given(st.lists(st.integers(1000, 10**9), min_size=1, max_size=6))
def test_an_order_of_five_decimals_is_taken_where_they_add_up(amounts: list[int]) -> None:
    """Amounts in 1/100,000, each rounded by itself."""

    def written(amount: int) -> str:
        return f"{amount // 10**5}.{amount % 10**5:05}"

    parsed = order(*map(written, amounts), value=written(sum(amounts)))
    assert parsed.problems == []
    assert parsed.row.goods_value.minor_units == (sum(amounts) + 500) // 1000
