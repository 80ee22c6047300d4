"""Derivations: trees of rules that are computed again from their own leaves, on the wire and for a person."""

import datetime
import inspect
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2
from aval.settlement.v1 import settlement_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import LANGUAGES
from chassis.money import Money
from cli.explaining import EXPLAINING
from services.declarations.window.bill import rules as bill_rules
from tests.derivation_walk import changed, leaf_places
from trade.calendars import packaged
from trade.derivations import deadlines, explaining, interest, rpc, rules, store, text
from trade.derivations.interest import DAYS_BETWEEN, OWED
from trade.derivations.model import CloseOrigin, Derivation, FieldOrigin, Input, RowOrigin, digest
from trade.derivations.recomputing import recompute, row_differences
from trade.derivations.rules import DIFFERENCE, LEAST, TIMES, Leaf, Rule, WrongArguments, derived
from trade.derivations.shared import SHARED

RULES: dict[str, Rule] = {name: rule for told in EXPLAINING.values() for name, rule in told.rules.items()}
START = datetime.date(2026, 11, 2)
USD = "USD"


def usd(minor_units: int) -> Money:
    return Money(USD, minor_units)


def payoff() -> Derivation:
    """Returns the interest of USD 80,000.00 at 4.35 %, of which 30,000.00 were repaid after 30 days of 90."""
    first = rules.field(START, "loans/1", "start_date")
    day = rules.field(START + datetime.timedelta(days=30), "repayments/1", "value_date")
    last = rules.field(START + datetime.timedelta(days=90), "loans/1", "payoff.date")
    principal = rules.field(usd(80_000_00), "loans/1", "principal")
    left = derived(DIFFERENCE, minuend=principal, subtrahend=rules.field(usd(30_000_00), "repayments/1", "principal"))
    stretches = [
        interest.stretch(principal, derived(DAYS_BETWEEN, first=first, last=day)),
        interest.stretch(left, derived(DAYS_BETWEEN, first=day, last=last)),
    ]
    row = {"code": "USD", "value": "ACT_360", "effective_from": "2020-01-01"}
    basis = derived(interest.BASIS, day_count=rules.row("ACT_360", "trade/day_count_bases", row))
    rate = rules.field(Decimal("0.0435"), "loans/1", "annual_rate")
    accrued = interest.accrued(stretches, rate, basis, USD)
    paid = rules.summed([rules.field(usd(290_00), "repayments/1", "interest")], USD)
    return derived(OWED, accrued=accrued, paid=paid)


amounts = st.integers(-(10**12), 10**12).map(usd)
rates = st.decimals("0", "0.24", places=6)
days = st.dates(datetime.date(2000, 1, 1), datetime.date(2060, 12, 31))
origins = st.one_of(
    st.none(),
    st.builds(FieldOrigin, st.text(max_size=8), st.text(max_size=8)),
    st.builds(RowOrigin, table=st.text(max_size=8), code=st.text(max_size=8), version=st.integers(0, 9)),
    st.builds(RowOrigin, table=st.text(max_size=8), column=st.text(max_size=8), effective_from=st.none() | days),
    st.builds(CloseOrigin, st.text(max_size=8), days, st.text(max_size=8)),
)


def leaf(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Leaf]:
    return st.builds(Leaf, values, origins)


def grown(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Derivation]:
    """Returns trees whose rules give amounts, over arguments that are amounts."""
    count = st.builds(lambda first, last: derived(DAYS_BETWEEN, first=first, last=last), leaf(days), leaf(days))
    return st.one_of(
        st.builds(lambda members: rules.summed(members, USD), st.lists(below, max_size=3)),
        st.builds(
            lambda minuend, subtrahend: derived(DIFFERENCE, minuend=minuend, subtrahend=subtrahend), below, below
        ),
        st.builds(lambda members: derived(LEAST, amount=members), st.lists(below, min_size=1, max_size=3)),
        st.builds(lambda amount, rate: derived(TIMES, amount=amount, rate=rate), below, leaf(rates)),
        st.builds(lambda accrued, paid: derived(OWED, accrued=accrued, paid=paid), below, below),
        st.builds(
            lambda principal, counted, rate, basis: interest.accrued(
                [interest.stretch(principal, counted)], rate, basis, USD
            ),
            below,
            count,
            leaf(rates),
            leaf(st.sampled_from([360, 365])),
        ),
    )


trees = st.recursive(leaf(amounts), grown, max_leaves=6).filter(lambda tree: isinstance(tree, Derivation))


@given(trees)
def test_a_tree_gives_its_result_again_of_its_own_leaves(tree: Derivation) -> None:
    """DV1: nothing differs in a tree that rules have given, and the wire keeps all of it."""
    assert recompute(tree, SHARED) == []
    again = rpc.from_proto(rpc.to_proto(tree))
    assert again == tree
    assert recompute(again, SHARED) == []


@given(trees, st.data())
def test_a_changed_leaf_is_found_wherever_it_is(tree: Derivation, data: st.DataObject) -> None:
    """DV1: a leaf that is changed alone is found, even where the result stays the same."""
    places = [*leaf_places(tree)]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    assert recompute(changed(tree, place), SHARED)


def test_every_difference_has_its_path() -> None:
    """DV1: the rate that is changed is told at the rule that used it, and so is each result that follows."""
    tree = payoff()
    assert tree.result == usd(362_50)
    paths = [path for path, _ in tree.leaves()]
    assert "accrued.annual_rate" in paths
    assert "accrued.day_amount[1].days.last" in paths
    index = [argument.name for argument in tree.inputs].index("accrued")
    accrued = tree.inputs[index].origin
    assert isinstance(accrued, Derivation)
    rate = [argument.name for argument in accrued.inputs].index("annual_rate")
    told = [*map(str, recompute(changed(tree, (index, rate)), SHARED))]
    assert told[0] == "accrued: it isn't what was derived: its digest differs"
    # By so little that the interest rounds to the same.
    assert len(told) == 1
    wrong = replace(tree, result=usd(1))
    assert [*map(str, recompute(wrong, SHARED))][-1] == "result: interest.owed gives USD 362.50, not USD 0.01"


@pytest.mark.parametrize(
    "wrong",
    [
        replace(payoff(), rule="interest.unheard_of"),
        replace(payoff(), inputs=payoff().inputs[:1]),
        replace(payoff(), inputs=(*payoff().inputs, payoff().inputs[0])),
        replace(payoff(), inputs=(*payoff().inputs, Input("fee", usd(1)))),
        replace(payoff(), inputs=(Input("accrued", usd(5)), Input("paid", Money("EUR", 5)))),
        replace(payoff(), inputs=(Input("accrued", 5), Input("paid", usd(5)))),
        replace(interest.accrued([], Leaf(Decimal("0.05")), Leaf(360), USD), rounding=None),
    ],
)
def test_what_no_rule_gave_is_told_and_never_raised(wrong: Derivation) -> None:
    assert recompute(wrong, SHARED)
    assert recompute(replace(wrong, digest=digest(wrong)), SHARED)


def test_a_rule_takes_its_own_arguments_alone() -> None:
    with pytest.raises(WrongArguments):
        DIFFERENCE.evaluate([("minuend", usd(1))])
    with pytest.raises(WrongArguments):
        DIFFERENCE.evaluate([("minuend", usd(1)), ("minuend", usd(1)), ("subtrahend", usd(1))])
    with pytest.raises(KeyError):
        derived(DIFFERENCE, minuend=Leaf(usd(1)))
    with pytest.raises(AssertionError):
        derived(DIFFERENCE, minuend=Leaf(usd(1)), subtrahend=Leaf(usd(1)), fee=Leaf(usd(1)))


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_rule_says_its_arguments_in_both_languages(rule: Rule) -> None:
    names = {parameter.name for parameter in rule.parameters}
    assert set(inspect.signature(rule.function).parameters) == names
    assert rules.places(rule.english) == rules.places(rule.chinese) <= names
    assert rules.places(rule.formula) <= names
    assert rule.source
    assert all(parameter.chinese and not parameter.chinese.isascii() for parameter in rule.parameters)


def test_one_name_is_one_rule_in_every_service() -> None:
    for told in EXPLAINING.values():
        assert {name: rule for name, rule in told.rules.items() if RULES[name] is not rule} == {}


def test_a_row_of_a_table_is_what_the_table_has() -> None:
    """DV1: a rate that isn't its row's is told, and so is a row that no table has."""
    assert row_differences(payoff()) == []
    row = {"code": "USD", "value": "ACT_360", "effective_from": "2020-01-01"}
    for day_count, table in (("ACT_365F", "trade/day_count_bases"), ("ACT_360", "trade/unheard_of")):
        basis = derived(interest.BASIS, day_count=rules.row(day_count, table, row))
        (told,) = row_differences(interest.accrued([], Leaf(Decimal("0.05")), basis, USD))
        assert told.path == "basis.day_count"
        assert table in told.text


def test_the_line_can_be_checked_by_a_person() -> None:
    assert text.line(payoff(), SHARED) == (
        "(USD 80,000.00 x 30 + (USD 80,000.00 - USD 30,000.00) x 60) x 4.35 % / 360 - USD 290.00 paid = USD 362.50"
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tree_has_a_line_for_each_rule_and_leaf(language: str) -> None:
    tree = payoff()
    lines = text.lines(tree, SHARED, language)
    assert len(lines) == len([*tree.nodes()]) + len([*tree.leaves()])
    assert lines[0].startswith("USD 362.50")
    said = {
        "en": (
            "  accrued USD 652.50: Interest at 4.35 % a year of 360 days",
            "    annual rate 4.35 % (loans/1: annual_rate)",
        ),
        "zh-CN": (
            "  应计利息 USD 652.50：按年利率 4.35 %、一年 360 天计息",
            "    年利率 4.35 %（loans/1: annual_rate）",
        ),
    }[language]
    for beginning in said:
        assert any(line.startswith(beginning) for line in lines), beginning
    row = {"en": "day count ACT_360 (trade/day_count_bases USD since 2020-01-01)"}.get(language, "自 2020-01-01 起")
    assert any(row in line for line in lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_origins_are_told_in_words(language: str) -> None:
    close = Leaf(usd(5), CloseOrigin("accruals", START, "banks/A"))
    version = Leaf(usd(5), RowOrigin(table="calendars/CN.working", version=3))
    lines = text.lines(rules.summed([close, version], USD), SHARED, language)
    words = {"en": ("close of 2026-11-02: accruals banks/A", "version 3"), "zh-CN": ("2026-11-02 日终：", "第 3 版")}
    assert all(any(word in line for line in lines) for word in words[language])


def test_a_due_date_tells_the_days_on_which_nobody_works() -> None:
    """Issued on 18 September 2026: 15 days lead to 3 October, in the holiday, so to the 8th; as the calendar has it."""
    tree = bill_rules.due_date("records/1", "SINGLE", datetime.date(2026, 9, 18), packaged)
    assert tree.result == datetime.date(2026, 10, 8)
    closed = [leaf.value for path, leaf in tree.leaves() if path.startswith("closed_day")]
    assert closed == [datetime.date(2026, 10, day) for day in range(3, 8)]
    assert recompute(tree, bill_rules.BILL) == row_differences(tree) == []
    consolidated = bill_rules.due_date("records/1", "CONSOLIDATED", datetime.date(2026, 11, 18), packaged)
    assert consolidated.result == datetime.date(2026, 12, 7)
    assert recompute(consolidated, bill_rules.BILL) == []


@given(st.dates(datetime.date(2018, 1, 1), datetime.date(2026, 12, 31)), st.integers(1, 8))
def test_a_working_day_is_found_without_the_calendar(day: datetime.date, number: int) -> None:
    weekends = RowOrigin(table="weekends")
    tree = deadlines.working_day_of_next_month(
        Leaf(day), Leaf(number), number, lambda each: each.weekday() < 5, weekends
    )
    first = (day.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
    worked = [each for each in (first + datetime.timedelta(days=n) for n in range(31)) if each.weekday() < 5]
    assert tree.result == worked[number - 1]
    assert recompute(tree, SHARED) == []


def test_what_is_in_a_field_is_told_with_it() -> None:
    path = "parts[declarations/1].amount"
    assert all(store.is_within(path, field) for field in ("", "parts", path))
    assert not any(store.is_within(path, field) for field in ("part", "parts.amount", "amount"))


def test_a_field_is_told_where_its_message_shows_it() -> None:
    """DV2: what a message doesn't show isn't explained to whoever gets it."""
    message = declarations_pb2.Declaration()
    message.value.available.CopyFrom(declarations_pb2.Declaration().declared_value)
    assert not explaining.is_shown(message, "value.margin")
    message.value.margin.SetInParent()
    assert explaining.is_shown(message, "value.margin")
    assert not explaining.is_shown(message, "value.secret")
    payment = settlement_pb2.IncomingPayment()
    assert not explaining.is_shown(payment, "parts[declarations/1].amount")
    payment.parts.add(declaration="declarations/1")
    assert explaining.is_shown(payment, "parts[declarations/1].amount")
