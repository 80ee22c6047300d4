"""The six modes: what settles and rebates, who owes, what finance stands on, and what goods declarations may do."""

from datetime import date
from itertools import product

import pytest

from services.declarations.customs.code_tables import code_table
from services.declarations.customs.modes import mode, modes
from services.declarations.customs.receipts import eligibility

ON = date(2026, 11, 2)
# Mode and direction: counterparty, insurable, unit, reason that holds a goods declaration of it back.
EXPECTED = {
    ("9610", "EXPORT"): ("CONSUMER", "NO", "POOL", "FINANCED_AS_POOL"),
    ("9610", "IMPORT"): ("CONSUMER", "NO", "DUTY", "ONLY_DUTY_FINANCEABLE"),
    ("1210", "EXPORT"): ("CONSUMER", "NO", "POOL", "FINANCED_AS_STOCK"),
    ("1210", "IMPORT"): ("CONSUMER", "NO", "DUTY", "ONLY_DUTY_FINANCEABLE"),
    ("1239", "EXPORT"): ("CONSUMER", "NO", "POOL", "FINANCED_AS_STOCK"),
    ("1239", "IMPORT"): ("CONSUMER", "NO", "DUTY", "ONLY_DUTY_FINANCEABLE"),
    ("9710", "EXPORT"): ("BUSINESS", "YES", "DECLARATION", ""),
    ("9810", "EXPORT"): ("BUSINESS", "YES", "WAREHOUSE_SALE", "INVENTORY_UNTIL_SOLD"),
}


def test_the_table_is_the_domains() -> None:
    found = {
        (m.row["trade_mode"], m.row["direction"]): (
            m.row["counterparty"], m.row["insurable"], m.row["financeable_unit"], m.row["reason"],
        )
        for m in modes(ON)
    }  # fmt: skip
    assert found == EXPECTED


@pytest.mark.parametrize("key", list(EXPECTED))
def test_every_text_is_in_both_languages(key: tuple[str, str]) -> None:
    found = mode(*key, ON)
    assert found is not None
    for name in ("display_name", "settling_document", "value_begins"):
        assert found.row[f"{name}_english"]
        assert found.row[f"{name}_chinese"]
    assert bool(found.row["rebate_document_english"]) == (key[1] == "EXPORT")
    assert bool(found.row["explanation_english"]) == bool(found.row["explanation_chinese"]) == bool(EXPECTED[key][3])


@pytest.mark.parametrize(("key", "status"), list(product(EXPECTED, ["CLOSED", "RELEASED", "HELD"])))
def test_goods_declarations_answer_by_their_mode(key: tuple[str, str], status: str) -> None:
    number = f"46012026{'1' if key[1] == 'IMPORT' else '0'}000000118"
    verdict, found = eligibility(status, declaration_number=number, trade_mode=key[0], transport_mode="5", on=ON)
    reason = EXPECTED[key][3]
    reasons = [problem.reason for problem in found]
    expected = {"CLOSED": "FINAL", "RELEASED": "CONDITIONAL", "HELD": "NOT_ELIGIBLE"}[status]
    assert verdict == ("NOT_ELIGIBLE" if reason else expected)
    assert (reason in reasons) is bool(reason)


def test_modes_count_from_their_day() -> None:
    assert mode("9810", "EXPORT", date(2020, 6, 30)) is None
    assert mode("9810", "EXPORT", date(2020, 7, 1)) is not None
    assert mode("0110", "EXPORT", ON) is None


def test_modes_of_lists_are_the_windows() -> None:
    known = {row["code"] for row in code_table("trade_modes").rows()}
    assert {trade_mode for trade_mode, _ in EXPECTED} <= known
