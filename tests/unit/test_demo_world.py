"""The demo's world: whole, consistent, and with numbers that pass their checks."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stdnum import lei

from chassis.currencies import to_minor_units
from services.declarations.customs.code_tables import code_table
from trade.identifiers import is_bic, is_social_credit_code

WORLD = Path(__file__).parents[2] / "cli" / "demo" / "world"


@pytest.fixture(scope="module")
def world() -> dict[str, Any]:
    return tomllib.loads((WORLD / "world.toml").read_text(encoding="utf-8"))


def institutions(world: dict[str, Any]) -> list[dict[str, Any]]:
    single = [world["window"], world["operator"], world["regulator"]]
    return [*single, *world["banks"], *world["insurers"], *world["exporters"]]


def test_numbers_pass_their_checks(world: dict[str, Any]) -> None:
    assert all(is_social_credit_code(exporter["social_credit_code"]) for exporter in world["exporters"])
    assert all(lei.is_valid(insurer["lei"]) for insurer in world["insurers"])
    bics = [bank["bic"] for bank in world["banks"]] + [buyer["bank_bic"] for buyer in world["buyers"]]
    assert all(is_bic(bic) and bic[7] == "0" for bic in bics)
    assert all(bank["bic"][4:6] == "CN" for bank in world["banks"])


def test_every_role_is_there_once_for_each_institution(world: dict[str, Any]) -> None:
    roles = [sorted(person["role"] for person in institution["people"]) for institution in institutions(world)]
    banks = [["BANK_CHECKER", "BANK_MAKER", "BANK_SYSTEM"]] * 2
    insurers = [["INSURER_CHECKER", "INSURER_MAKER"]]
    assert roles == [["WINDOW"], ["OPERATOR"], ["REGULATOR"], *banks, *insurers, *([["EXPORTER"]] * 3)]


def test_logins_are_unique(world: dict[str, Any]) -> None:
    logins = [person["login"] for institution in institutions(world) for person in institution["people"]]
    assert len(logins) == len(set(logins)) == 14


def test_references_lead_somewhere(world: dict[str, Any]) -> None:
    buyers = {buyer["id"] for buyer in world["buyers"]}
    banks = {bank["bic"] for bank in world["banks"]}
    assert len(buyers) == 4
    for exporter in world["exporters"]:
        assert set(exporter["buyers"]) <= buyers
        assert {account["bank"] for account in exporter["accounts"]} <= banks
        template = (WORLD / exporter["declaration_template"]).read_text(encoding="utf-8")
        assert exporter["social_credit_code"] in template
        assert exporter["name_chinese"] in template
        assert any(buyer["name"] in template for buyer in world["buyers"] if buyer["id"] in exporter["buyers"])


def test_accounts_and_buyers(world: dict[str, Any]) -> None:
    accounts = [account for exporter in world["exporters"] for account in exporter["accounts"]]
    assert len({account["number"] for account in accounts}) == len(accounts)
    assert all(to_minor_units(Decimal(account["balance"]), account["currency"]) for account in accounts)
    countries = code_table("countries").periods
    assert all(buyer["country"] in countries for buyer in world["buyers"])
