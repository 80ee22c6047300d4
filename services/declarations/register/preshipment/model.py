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


class Kind(enum.StrEnum):
    """What documents it; names of the proto's enum."""

    ORDER = "ORDER"
    LETTER_OF_CREDIT = "LETTER_OF_CREDIT"


@dataclass(frozen=True, slots=True)
class PreShipment:
    """An order or a letter of credit of one contract; `contract` is its number without what people write apart."""

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
        """Its resource name."""
        return f"preShipments/{self.id}"


@dataclass(frozen=True, slots=True)
class Link:
    """A declaration (its name) shipped under an order or credit (its name): what of it counts, and what is netted.

    `shipped` is in the declaration's currency, `netted` in the order's. Where these differ the link keeps a rate, in
    units of the declaration's currency for one of the order's, and a haircut; without them it doesn't count.
    The hold on the declaration's value is numbered: a hold can't change, so a new one takes its place.
    """

    declaration: str
    pre_shipment: str
    shipped: Money
    netted: Money
    hold_number: int
    exchange_rate: Decimal | None = None
    haircut: Decimal | None = None

    @property
    def held(self) -> Money:
        """What is held on the declaration, in its currency: the netted amount as a claim in another currency."""
        if self.exchange_rate is None or self.haircut is None:
            return self.netted
        return in_currency(self.netted, self.shipped.currency, self.exchange_rate, self.haircut)

    def bears(self, free: Money) -> Money:
        """The most that may be netted, in the order's currency, for the hold to be within free value."""
        if self.exchange_rate is None or self.haircut is None:
            return free
        most = _major(free) / Fraction(self.exchange_rate) / Fraction(1 + self.haircut)
        currency = self.netted.currency
        return Money(currency, min(floor(most * _in_one(currency)), LARGEST))

    def shipped_in(self, currency: str) -> int:
        """What is shipped in the order's currency, in its minor units."""
        if self.exchange_rate is None:
            return self.shipped.minor_units
        return ceil(_major(self.shipped) / Fraction(self.exchange_rate) * _in_one(currency))

    def rated(self, currency: str, rate: Decimal, haircut: Decimal) -> "Link":
        """Of an order in another currency, at a rate that it keeps."""
        return replace(self, netted=Money(currency, 0), exchange_rate=rate, haircut=haircut)

    @property
    def hold_id(self) -> str:
        """The ledger's hold of the netted amount."""
        return ids.derived(self.declaration, self.pre_shipment, "netted", self.hold_number)


def _major(amount: Money) -> Fraction:
    return Fraction(amount.minor_units, _in_one(amount.currency))


def _in_one(currency: str) -> int:
    """Minor units in a major one."""
    return int(10 ** exponent(currency))


def identifier(enterprise: str, contract: str) -> str:
    """One order or credit of a contract, however often it is registered."""
    return ids.derived("preShipment", enterprise, contract)


def name_of(enterprise: str, contract: str) -> str:
    """Returns the name of the order or credit of a normalised contract number, registered or not."""
    return f"preShipments/{identifier(enterprise, contract)}"


def counting(links: Sequence[Link], order: PreShipment) -> list[Link]:
    """Those of the links that are of the order, and of its currency or at a rate to it."""
    currency = order.amount.currency
    return [link for link in links if link.pre_shipment == order.name and link.netted.currency == currency]


def shipped(amount: Money, links: Sequence[Link]) -> Money:
    """What is shipped of an order's amount."""
    return Money(amount.currency, min(sum(link.shipped_in(amount.currency) for link in links), amount.minor_units))


def remaining(amount: Money, links: Sequence[Link]) -> Money:
    """What is still to be shipped."""
    return amount - shipped(amount, links)


def to_net(value: Value, left: Money, cap: Decimal) -> Money:
    """What stands on the order beyond the cap of what remains to be shipped."""
    return max(value.financed + value.reserved - (left - margin_of(left, cap)), left.zero())


def spread(amount: Money, most: Mapping[str, Money]) -> dict[str, Money]:
    """An amount over declarations in order, each as far as it bears it."""
    parts = {}
    for declaration, bearable in most.items():
        parts[declaration] = min(amount, bearable)
        amount -= parts[declaration]
    return parts


def rolled_items(link: Link, parts: Mapping[str, Money], amount: Money) -> dict[str, Item]:
    """What the parts are on the declaration, by encumbrance: they come to the amount, in its currency."""
    amounts = allocate(amount, [each.minor_units for each in parts.values()])
    shares = dict(zip(parts, amounts, strict=True))
    if link.exchange_rate is None:
        return {name: Item(link.declaration, share, share.zero()) for name, share in shares.items()}
    return {
        name: Item(link.declaration, share, share.zero(), parts[name], link.exchange_rate, link.haircut)
        for name, share in shares.items()
    }


def backed(encumbrances: Sequence[Encumbrance], asset: str, unbacked: Mapping[str, Money]) -> dict[str, Money]:
    """What of each confirmed encumbrance on an order has value behind it, the oldest first.

    `unbacked` is what each holder finances there without: its open shares of breaches.
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
    """How much of each confirmed encumbrance on an order moves: pro rata among holders, else the oldest first.

    What has no value behind it stays: it is the holder's share of the order's breach.
    """
    owed = backed(encumbrances, asset, unbacked)
    if len({encumbrance.holder for encumbrance in encumbrances}) > 1:
        parts = allocate(amount, [each.minor_units for each in owed.values()])
        return dict(zip(owed, parts, strict=True))
    return spread(amount, owed)
