"""The rules of a pool's base, and how it comes about. What each list counts for is summed in the pool's totals."""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal

from chassis.money import Money
from services.declarations.assets.pool import model
from services.declarations.assets.pool.model import Excess, Pool, Totals
from services.declarations.customs.code_tables import Row, code_table
from trade.derivations import rules
from trade.derivations.model import Derivation
from trade.derivations.rules import DIFFERENCE, Leaf, Parameter, Rule, derived, table

FIELD = "base"
TERMS = "declarations/pool_terms"


def _base(eligible: Money, excess: tuple[Money, ...], advance_rate: Decimal, lists: int, minimum_lists: int) -> Money:
    counted = eligible - sum(excess, start=eligible.zero())
    return counted.zero() if lists < minimum_lists else max(counted, counted.zero()).times(advance_rate, ROUND_DOWN)


LIMIT = Rule(
    name="pool.limit",
    function=lambda eligible, rate: eligible.times(rate, ROUND_DOWN),
    source="The most that one country or platform may come to",
    parameters=(Parameter("eligible", "合格金额"), Parameter("rate", "比例")),
    english="{rate:%} of {eligible}",
    chinese="{eligible} 的 {rate:%}",
    formula="{eligible} x {rate:%}",
    mode="DOWN",
)
BASE = Rule(
    name="pool.base",
    function=_base,
    source="What is eligible, less what is beyond a limit, at the advance rate; nothing of too few lists",
    parameters=(
        Parameter("eligible", "合格金额"),
        Parameter("excess", "超限金额", is_list=True),
        Parameter("advance_rate", "预付率"),
        Parameter("lists", "清单数"),
        Parameter("minimum_lists", "最低清单数"),
    ),
    english="{eligible} of {lists} lists (at least {minimum_lists}), less {excess}, at {advance_rate:%}",
    chinese="{lists} 份清单（至少 {minimum_lists} 份）合格 {eligible}，扣除 {excess}，预付率 {advance_rate:%}",
    mode="DOWN",
)

POOL = table(LIMIT, BASE)


def base(pool: Pool, totals: Totals) -> Derivation:
    """Returns how a pool's base comes about of its totals, by the terms of the base's day.

    1000 eligible, 200 of them excess, at an advance rate of 0.8: 640.
    """
    eligible = _eligible(pool, totals)
    lists = totals.eligible_lists(model.terms(pool.base_on))
    return derived(
        BASE,
        eligible=eligible,
        excess=list(_excesses(pool, totals, eligible)),
        advance_rate=_term(pool, "advance_rate"),
        lists=rules.field(lists, pool.name, "derivation.standings.lists"),
        minimum_lists=_count(pool, "minimum_lists"),
    )


def _eligible(pool: Pool, totals: Totals) -> Derivation:
    """Returns the sum of what the lists count for, by how they stand."""
    standings = [
        rules.field(Money(pool.currency, total.term_minor_units), pool.name, f"derivation.standings[{code}].eligible")
        for code, total in totals.of(model.STANDING).items()
        if total.term_minor_units
    ]
    return rules.summed(standings, pool.currency)


def _excesses(pool: Pool, totals: Totals, eligible: Derivation) -> Iterator[Derivation]:
    for excess in model.excesses(totals, pool, model.terms(pool.base_on)):
        limit = derived(LIMIT, eligible=eligible, rate=_term(pool, f"concentration_{excess.dimension}"))
        yield derived(DIFFERENCE, minuend=_of_code(pool, excess), subtrahend=limit)


def _of_code(pool: Pool, excess: Excess) -> Leaf:
    path = f"derivation.concentrations[{excess.dimension} {excess.code}].eligible"
    return rules.field(Money(pool.currency, excess.eligible), pool.name, path)


def _term(pool: Pool, code: str) -> Leaf:
    row = _row(pool, code)
    return rules.row(Decimal(row["value"]), TERMS, row)


def _count(pool: Pool, code: str) -> Leaf:
    row = _row(pool, code)
    return rules.row(int(row["value"]), TERMS, row)


def _row(pool: Pool, code: str) -> Row:
    row = code_table("pool_terms").row(code, pool.base_on)
    assert row is not None, f"{code} on {pool.base_on}"
    return row
