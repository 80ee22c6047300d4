"""Checks of amounts and days: each names the path, the reason and what to do, all at once."""

import pytest
from aval.type.v1 import money_pb2
from google.type import date_pb2, decimal_pb2

from trade import checks


def amounts(code: str, minor_units: int, currency: str = "") -> list[tuple[str, str]]:
    message = money_pb2.Money(currency_code=code, minor_units=minor_units)
    return [(problem.path, problem.reason) for problem in checks.amount("fee", message, currency)]


def day(text: str) -> date_pb2.Date:
    year, month, number = text.split("-")
    return date_pb2.Date(year=int(year), month=int(month), day=int(number))


def test_an_amount_is_positive_known_and_of_its_subjects_currency() -> None:
    assert amounts("USD", 1) == amounts("USD", 1, "USD") == []
    assert amounts("USD", 0) == [("fee.minor_units", "AMOUNT_NOT_POSITIVE")]
    assert amounts("EUR", 1, "USD") == [("fee.currency_code", "CURRENCY_DIFFERS")]
    assert amounts("XTS", -1, "USD") == [
        ("fee.currency_code", "CURRENCY_UNKNOWN"),
        ("fee.minor_units", "AMOUNT_NOT_POSITIVE"),
    ]
    assert amounts("", 1, "USD") == [("fee.currency_code", "CURRENCY_UNKNOWN")]


@pytest.mark.parametrize("subject", [checks.ACCOUNT, checks.APPLICATION, checks.COVER, checks.POLICY])
def test_a_currency_that_differs_names_the_subject(subject: checks.Subject) -> None:
    problem = checks.currency_differs("amount", "USD", subject)
    assert problem.text("en") == f"The {subject.english} is in USD; give the amount in that currency."
    assert problem.text("zh-CN").startswith(f"{subject.chinese}币种为 USD")


@pytest.mark.parametrize("text", ["2026-02-29", "2026-13-01", "2026-00-01", "0-1-1"])
def test_what_no_calendar_has_is_no_day(text: str) -> None:
    assert [problem.reason for problem in checks.day("date", day(text))] == ["DATE_INVALID"]
    assert checks.date_or_none(day(text)) is None


def test_a_period_may_be_one_day_and_never_ends_before_it_begins() -> None:
    first, last = day("2026-11-30"), day("2026-12-01")
    assert list(checks.period("start", first, "end", first)) == list(checks.period("start", first, "end", last)) == []
    assert [(p.path, p.reason) for p in checks.period("start", last, "end", first)] == [("end", "PERIOD_INVERTED")]
    both = checks.period("start", day("2026-02-30"), "end", day("2026-02-31"))
    assert [(problem.path, problem.reason) for problem in both] == [("start", "DATE_INVALID"), ("end", "DATE_INVALID")]


@pytest.mark.parametrize(
    ("text", "is_one"), [("0.90", True), ("1", True), ("0.00000001", True), ("0", False), ("1.01", False),
                         ("9e-1", False), ("0.000000001", False), (".5", False), ("NaN", False), ("-0.5", False)],
)  # fmt: skip
def test_a_fraction_is_above_nothing_and_at_most_the_whole(text: str, is_one: bool) -> None:
    assert (list(checks.fraction("rate", decimal_pb2.Decimal(value=text))) == []) == is_one
