"""Orders and letters of credit before shipment, and how what is financed on them is netted out (I3).

What is shipped under an order is the same value twice: as a part of the order and as a declaration. So

    booked value of the order = what remains to be shipped + netted
    netted = what is financed or reserved on the order beyond the cap of what remains

and the netted amount is held on the declarations, as reserved value of theirs, until it is rolled onto
them or given back: order and declarations together never carry more than their caps.

A declaration of another currency keeps the rate and the haircut of the day it was linked. What it ships
of the order and what is held on it are rounded up, what it can bear is rounded down: no rounding and no
rate lets more be claimed than there is value.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from chassis import ids
from chassis.money import LARGEST, Money, allocate, exponent
from services.declarations.register.encumbrance.model import Encumbrance, Item, in_currency, item_of, without_value
from services.declarations.register.value.model import Value, margin_of
from trade.reference_rates import RateOrigin, ReferenceRate


class Kind(enum.StrEnum):
    """The documents of an order; names of the proto's enum."""

    ORDER = "ORDER"
    LETTER_OF_CREDIT = "LETTER_OF_CREDIT"


@dataclass(frozen=True, slots=True)
class PreShipment:
    """An order or a letter of credit of one contract; `contract` is its normalised number."""

    id: str
    enterprise: str
    kind: Kind
    contract: str
    amount: Money
    expire_date: date
    body: bytes
    registrant: str
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Returns its resource name."""
        return f"preShipments/{self.id}"


@dataclass(frozen=True, slots=True)
class Link:
    """A declaration (its name) shipped under an order or credit (its name), with its shipped and its netted amount.

    `shipped` is in the declaration's currency, `netted` in the order's. Where these differ the link keeps a rate, in
    units of the declaration's currency for one of the order's, and a haircut; without them it doesn't count. The
    hold on the declaration's value is numbered: a hold can't change, so a new one takes its place.
    """

    declaration: str
    pre_shipment: str
    shipped: Money
    netted: Money
    hold_number: int
    exchange_rate: Decimal | None = None
    haircut: Decimal | None = None
    rate_origin: RateOrigin | None = None

    @property
    def held(self) -> Money:
        """Returns the amount held on the declaration, in its currency: the netted amount as a converted claim."""
        if self.exchange_rate is None or self.haircut is None:
            return self.netted
        return in_currency(self.netted, self.shipped.currency, self.exchange_rate, self.haircut)

    def bears(self, free: Money) -> Money:
        """Returns the most that may be netted, in the order's currency, for the hold to be within free value.

        For example CNY 710.00 free at 7.1 with a haircut of 0.02 bears USD 98.03.
        """
        if self.exchange_rate is None or self.haircut is None:
            return free
        most = _major(free) / Fraction(self.exchange_rate) / Fraction(1 + self.haircut)
        currency = self.netted.currency
        return Money(currency, min(floor(most * _in_one(currency)), LARGEST))

    def shipped_in(self, currency: str) -> int:
        """Returns the shipped amount in the order's currency, in its minor units, rounded up.

        For example CNY 710.01 at 7.1 ships 10001 cents.
        """
        if self.exchange_rate is None:
            return self.shipped.minor_units
        return ceil(_major(self.shipped) / Fraction(self.exchange_rate) * _in_one(currency))

    def rated(self, reference: ReferenceRate, haircut: Decimal) -> "Link":
        """Returns the link to an order in another currency, at a rate from that currency, which it keeps."""
        netted = Money(reference.base, 0)
        return replace(self, netted=netted, exchange_rate=reference.rate, haircut=haircut, rate_origin=reference.origin)

    @property
    def hold_id(self) -> str:
        """Returns the id of the ledger's hold of the netted amount."""
        return ids.derived(self.declaration, self.pre_shipment, "netted", self.hold_number)


def _major(amount: Money) -> Fraction:
    return Fraction(amount.minor_units, _in_one(amount.currency))


def _in_one(currency: str) -> int:
    """Returns the number of minor units in a major one: 100 for USD, 1 for JPY."""
    return int(10 ** exponent(currency))


def identifier(enterprise: str, contract: str) -> str:
    """Returns the id of the order or credit of a contract, the same however often it is registered."""
    return ids.derived("preShipment", enterprise, contract)


def name_of(enterprise: str, contract: str) -> str:
    """Returns the name of the order or credit of a normalised contract number, registered or not."""
    return f"preShipments/{identifier(enterprise, contract)}"


def counting(links: Sequence[Link], order: PreShipment) -> list[Link]:
    """Returns the links that are of the order, and of its currency or at a rate to it."""
    currency = order.amount.currency
    return [link for link in links if link.pre_shipment == order.name and link.netted.currency == currency]


def shipped(amount: Money, links: Sequence[Link]) -> Money:
    """Returns how much of an order's amount is shipped."""
    return Money(amount.currency, min(sum(link.shipped_in(amount.currency) for link in links), amount.minor_units))


def remaining(amount: Money, links: Sequence[Link]) -> Money:
    """Returns how much of an order's amount is still to be shipped."""
    return amount - shipped(amount, links)


def to_net(value: Value, left: Money, cap: Decimal) -> Money:
    """Returns how much stands on the order beyond the cap of what remains to be shipped.

    For example 90.00 financed with 50.00 left at a cap of 0.8: 50.00.
    """
    return max(value.financed + value.reserved - (left - margin_of(left, cap)), left.zero())


def spread(amount: Money, most: Mapping[str, Money]) -> dict[str, Money]:
    """Spreads an amount over declarations in order, each as far as it bears it.

    For example 70.00 over 50.00 and 40.00: 50.00 and 20.00.
    """
    parts = {}
    for declaration, bearable in most.items():
        parts[declaration] = min(amount, bearable)
        amount -= parts[declaration]
    return parts


def rolled_items(link: Link, parts: Mapping[str, Money], amount: Money) -> dict[str, Item]:
    """Returns the items of the parts on the declaration, by encumbrance: they come to the amount, in its currency."""
    amounts = allocate(amount, [part.minor_units for part in parts.values()])
    shares = dict(zip(parts, amounts, strict=True))
    if link.exchange_rate is None:
        return {name: Item(link.declaration, share, share.zero()) for name, share in shares.items()}
    return {
        name: Item(
            link.declaration, share, share.zero(), parts[name], link.exchange_rate, link.haircut, link.rate_origin
        )
        for name, share in shares.items()
    }


def backed(encumbrances: Sequence[Encumbrance], asset: str, unbacked: Mapping[str, Money]) -> dict[str, Money]:
    """Returns by encumbrance on an order the confirmed amount that has value behind it, the oldest first.

    `unbacked` is how much each holder finances there without value: its open shares of breaches.
    """
    oldest_first = sorted(encumbrances, key=lambda encumbrance: encumbrance.age)
    without = without_value(oldest_first, asset, unbacked)
    return {
        encumbrance.id: item_of(encumbrance, asset).outstanding - without[encumbrance.id]
        for encumbrance in oldest_first
    }


def rolled_parts(
    encumbrances: Sequence[Encumbrance], asset: str, amount: Money, unbacked: Mapping[str, Money]
) -> dict[str, Money]:
    """Returns by encumbrance how much of it moves off an order: pro rata among holders, else the oldest first.

    An amount without value behind it stays: it is the holder's share of the order's breach.
    """
    owed = backed(encumbrances, asset, unbacked)
    if len({encumbrance.holder for encumbrance in encumbrances}) > 1:
        parts = allocate(amount, [outstanding.minor_units for outstanding in owed.values()])
        return dict(zip(owed, parts, strict=True))
    return spread(amount, owed)
