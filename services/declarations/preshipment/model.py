"""Orders and letters of credit before shipment, and how what is financed on them is netted out (I3).

What is shipped under an order is the same value twice: as a part of the order and as a declaration. So

    booked value of the order = what remains to be shipped + netted
    netted = what is financed or reserved on the order beyond the cap of what remains

and the netted amount is held on the declarations, as reserved value of theirs, until it is rolled onto
them or given back: order and declarations together never carry more than their caps.
"""

import enum
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from chassis import ids
from chassis.money import Money, allocate
from services.declarations.encumbrance.model import Encumbrance, item_of, without_value
from services.declarations.value.model import Value, margin_of


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

    The hold on the declaration's value is numbered: a hold can't change, so a new one takes its place.
    """

    declaration: str
    pre_shipment: str
    shipped: Money
    netted: Money
    hold_number: int

    @property
    def hold_id(self) -> str:
        """The ledger's hold of the netted amount."""
        return ids.derived(self.declaration, self.pre_shipment, "netted", self.hold_number)


def normalised(contract_number: str) -> str:
    """A contract number by its letters and digits alone, full-width ones as the usual ones; perhaps nothing is left."""
    usual = unicodedata.normalize("NFKC", contract_number).upper()
    return "".join(letter for letter in usual if letter.isalnum())


def identifier(enterprise: str, contract: str) -> str:
    """One order or credit of a contract, however often it is registered."""
    return ids.derived("preShipment", enterprise, contract)


def counting(links: Sequence[Link], order: PreShipment) -> list[Link]:
    """Those of the links that are of the order, and of its currency."""
    currency = order.amount.currency
    return [one for one in links if one.pre_shipment == order.name and one.shipped.currency == currency]


def remaining(amount: Money, links: Sequence[Link]) -> Money:
    """What is still to be shipped."""
    return max(amount - sum((link.shipped for link in links), amount.zero()), amount.zero())


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


def backed(encumbrances: Sequence[Encumbrance], asset: str, unbacked: Mapping[str, Money]) -> dict[str, Money]:
    """What of each confirmed encumbrance on an order has value behind it, the oldest first.

    `unbacked` is what each holder finances there without: its open shares of breaches.
    """
    oldest_first = sorted(encumbrances, key=lambda one: one.age)
    without = without_value(oldest_first, asset, unbacked)
    return {one.id: item_of(one, asset).outstanding - without[one.id] for one in oldest_first}


def rolled_parts(
    encumbrances: Sequence[Encumbrance], asset: str, amount: Money, unbacked: Mapping[str, Money]
) -> dict[str, Money]:
    """How much of each confirmed encumbrance on an order moves: pro rata among holders, else the oldest first.

    What has no value behind it stays: it is the holder's share of the order's breach.
    """
    owed = backed(encumbrances, asset, unbacked)
    if len({one.holder for one in encumbrances}) > 1:
        parts = allocate(amount, [each.minor_units for each in owed.values()])
        return dict(zip(owed, parts, strict=True))
    return spread(amount, owed)
