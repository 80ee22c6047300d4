"""Netting across currencies: no rounding and no rate lets more be claimed than there is value."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money, exponent
from services.declarations.register.preshipment.model import Link, remaining, rolled_items, shipped
from trade.reference_rates import RateOrigin, ReferenceRate

CURRENCIES = ("USD", "CNY", "JPY", "IDR", "BHD")
AMOUNTS = st.integers(0, 10**11)
ORIGIN = RateOrigin("ECB", date(2026, 10, 30), 31, is_stale=True)


@st.composite
def links(draw: st.DrawFn) -> Link:
    """A declaration in one currency under an order in another, or in the same."""
    own, order = draw(st.sampled_from(CURRENCIES)), draw(st.sampled_from(CURRENCIES))
    made = Link("declarations/1", "preShipments/1", Money(own, draw(AMOUNTS)), Money(own, 0), 0)
    if own == order:
        return made
    rate, haircut = draw(st.integers(10**6, 10**15)), draw(st.integers(0, 50))
    reference = ReferenceRate(order, made.shipped.currency, Decimal(rate).scaleb(-10), ORIGIN)
    return made.rated(reference, Decimal(haircut).scaleb(-2))


def major(amount: Money) -> Fraction:
    """Major units."""
    return Fraction(amount.minor_units, 10 ** exponent(amount.currency))


def netted(link: Link, units: int) -> Link:
    """The link with so much netted, in minor units of the order's currency."""
    return Link(
        link.declaration, link.pre_shipment, link.shipped, Money(link.netted.currency, units), link.hold_number,
        link.exchange_rate, link.haircut,
    )  # fmt: skip


@given(links(), AMOUNTS)
def test_what_a_declaration_bears_is_the_most_that_its_value_covers(link: Link, units: int) -> None:
    """One more wouldn't be covered."""
    free = Money(link.shipped.currency, units)
    most = link.bears(free).minor_units
    assert netted(link, most).held <= free
    assert netted(link, most + 1).held > free


@given(links(), AMOUNTS)
def test_what_is_held_is_worth_what_is_netted(link: Link, units: int) -> None:
    """By the rate and the haircut, exactly, and at most one minor unit more."""
    each_link = netted(link, units)
    due = (
        major(each_link.netted)
        * Fraction(each_link.exchange_rate or 1)
        * Fraction(1 + (each_link.haircut or Decimal(0)))
    )
    more = (major(each_link.held) - due) * 10 ** exponent(each_link.held.currency)
    assert 0 <= more < 1
    assert each_link.bears(each_link.held) >= each_link.netted


@given(links(), st.integers(1, 10**13))
def test_what_is_shipped_remains_no_more(link: Link, units: int) -> None:
    """The rest of the order and what is shipped, at its rate, never come to more than the order and a minor unit."""
    amount = Money(link.netted.currency, units)
    left, gone = remaining(amount, [link]), major(link.shipped) / Fraction(link.exchange_rate or 1)
    assert left + shipped(amount, [link]) == amount
    assert major(left) <= max(major(amount) - gone, Fraction(0))


@given(links(), st.lists(st.integers(1, 10**9), min_size=1, max_size=5), AMOUNTS)
def test_a_roll_is_on_the_declaration_what_was_held_for_it(link: Link, parts: list[int], units: int) -> None:
    """However many holders share it."""
    amount, order = Money(link.shipped.currency, units), link.netted.currency
    items = rolled_items(link, {str(index): Money(order, part) for index, part in enumerate(parts)}, amount)
    assert sum(item.amount.minor_units for item in items.values()) == units
    assert {item.exchange_rate for item in items.values()} == {link.exchange_rate}
    assert {item.rate_origin for item in items.values()} == {link.rate_origin}
