"""Declarations by `aval sandbox declaration`: rows that intake takes, with fresh numbers and the wanted amount."""

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import sandbox
from cli.demo import story, world
from services.declarations.customs.checks import check

DATE = datetime.date(2026, 9, 21)
NUMBER = "460120260123456789"
EXPORTERS = [entry["id"] for entry in world.world()["exporters"]]


@pytest.mark.parametrize("identifier", EXPORTERS)
def test_every_exporters_declaration_keeps_the_rules(identifier: str) -> None:
    exporter = world.exporter(identifier)
    wanted = sandbox.goods(login=exporter["people"][0]["login"])
    row = sandbox.row_of(wanted, NUMBER, DATE)
    assert check(row) == []
    assert (row.enterprise, row.declaration_number) == (world.tenant_of(exporter), NUMBER)
    policy = next(entry for entry in world.world()["policies"] if entry["exporter"] == identifier)
    assert row.buyer_name in {world.buyer(name)["name"] for name in policy["buyers"]}
    assert row.declared_value.currency_code == policy["currency"]


@given(st.integers(min_value=1, max_value=10**13))
def test_every_amount_is_declared_as_it_is(minor_units: int) -> None:
    amount = f"{Decimal(minor_units).scaleb(-2):.2f}"
    row = sandbox.row_of(sandbox.goods(amount=amount), NUMBER, DATE)
    assert row.declared_value.minor_units == minor_units
    assert check(row) == []


def test_two_declarations_share_no_document() -> None:
    declaration, other = (sandbox.row_of(sandbox.goods(), number, DATE) for number in (NUMBER, NUMBER[:-1] + "0"))
    for field in ("unified_number", "contract_number", "invoice_number", "bill_number"):
        assert getattr(declaration, field) != getattr(other, field), field


def test_the_default_is_the_storys_exporter() -> None:
    assert sandbox.goods().exporter["id"] == story.EXPORTER
    tenant = world.tenant_of(world.exporter(EXPORTERS[1]))
    assert sandbox.goods(enterprise=tenant).exporter["id"] == EXPORTERS[1]


def test_financing_plays_steps_of_the_story_in_its_order() -> None:
    told = [name for name, _ in story.STEPS]
    for state in sandbox.FINANCING:
        steps = sandbox.steps_until(state)
        assert steps == [name for name in told if name in steps]
    assert sandbox.steps_until("COVERED") == ["consent", "cover"]
    assert sandbox.steps_until("ACTIVE")[-1] == "drawdown"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"login": "nobody"}, "no exporter nobody"),
        ({"login": "operator.qiao"}, "no exporter operator.qiao"),
        ({"enterprise": "enterprises/X"}, "no exporter enterprises/X"),
        ({"buyer": "nobody"}, "no buyer nobody"),
        ({"amount": "0"}, "no positive amount"),
        ({"amount": "-5"}, "no positive amount"),
        ({"amount": "1.005"}, "no positive amount"),
        ({"amount": "1.5", "currency": "JPY"}, "no positive amount in JPY"),
        ({"currency": "XXQ"}, "no positive amount in XXQ"),
    ],
)
def test_what_the_demo_does_not_have_is_refused_plainly(options: dict[str, str], text: str) -> None:
    with pytest.raises(sandbox.CannotDeclare, match=text):
        sandbox.goods(**options)
