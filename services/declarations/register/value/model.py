"""The value of an asset, by what stands on it: pure rules and the ledger transfers they come to.

An *asset* is what has a value that may be encumbered: a declaration, a pool of e-commerce lists, an
order or letter of credit before shipment, an expected rebate. The accounts of one asset, in its
currency, book `declared value`:

    VALUE + shortfall = margin + free + reserved + financed + settled + returned     (invariant I1)

A reservation is a hold from free to financed, so `reserved` is what free has pending. Insurance has
accounts of its own beside these, book `insured value`, where

    VALUE − returned − settled + insured shortfall = insurable + insured             (I2)

What the buyer has paid can't be insured, and no longer is: a payment takes from what is insured, then from what is
insurable. There is a shortfall only where finance stands without value: shortfall ≤ financed (I7), and where
there is one, free and margin are used up. What a buyer paid of a value that was taken away is excess (I5).
"""

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

from chassis import ids
from chassis.money import Money
from ledger.model import Account, Limit, Transfer
from ledger.store import NewAccount, account_id
from services.declarations.register.asset import AssetClass

BOOK = "declared value"
INSURED_BOOK = "insured value"


class Part(enum.StrEnum):
    """The accounts of an asset's value."""

    DECLARED = "declared"
    MARGIN = "margin"
    FREE = "free"
    FINANCED = "financed"
    SETTLED = "settled"
    RETURNED = "returned"
    SHORTFALL = "shortfall"
    EXCESS_SOURCE = "excess source"
    EXCESS = "excess"
    RETURNED_EXCESS = "returned excess"
    INSURABLE_SOURCE = "insurable source"
    INSURABLE = "insurable"
    INSURED = "insured"
    INSURED_SHORTFALL = "insured shortfall"


# The contra accounts stand on the other side and have no limit of their own.
CONTRA = {Part.DECLARED, Part.SHORTFALL, Part.EXCESS_SOURCE, Part.INSURABLE_SOURCE, Part.INSURED_SHORTFALL}
INSURANCE_PARTS = {Part.INSURABLE_SOURCE, Part.INSURABLE, Part.INSURED, Part.INSURED_SHORTFALL}
# What was taken of these parts isn't to be financed when the value comes back.
EXCESS_OF: Mapping[Part, Part] = {Part.SETTLED: Part.EXCESS, Part.RETURNED: Part.RETURNED_EXCESS}
# Where an asset class takes from, where it takes to, and what it falls short to.
SIDES: Mapping[AssetClass, tuple[Part, Part, Part]] = {
    AssetClass.RECEIVABLE: (Part.FREE, Part.FINANCED, Part.SHORTFALL),
    AssetClass.INSURANCE: (Part.INSURABLE, Part.INSURED, Part.INSURED_SHORTFALL),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value by what stands on it, all in one currency. `insured` and `reserved` include holds."""

    margin: Money
    free: Money
    reserved: Money
    financed: Money
    settled: Money
    returned: Money
    shortfall: Money
    insured: Money
    insurable: Money
    insured_shortfall: Money
    excess: Money
    # What came back of a value that was taken away since.
    returned_excess: Money

    @property
    def declared(self) -> Money:
        """VALUE: the sum of its parts less what they fall short of."""
        held = self.margin + self.free + self.reserved + self.financed
        return held + self.settled + self.returned - self.shortfall

    @property
    def unpaid(self) -> Money:
        """What a buyer still owes: VALUE less what was paid and what came back; never less than nothing."""
        return max(self.declared - self.settled - self.returned, self.margin.zero())

    @property
    def insured_backed(self) -> Money:
        """The insured amount that has value behind it."""
        return self.insured - self.insured_shortfall

    @property
    def backed(self) -> Money:
        """The finance that has value behind it."""
        return self.financed - self.shortfall

    def parts(self) -> dict[str, Money]:
        """By name, as the wire has them."""
        return {name: getattr(self, name) for name in self.__slots__ if name not in ("insurable", "returned_excess")}

    def margin_due(self, cap: Decimal) -> Money:
        """What the cap keeps of the value from being financed: never more than is still to be paid."""
        return max(min(margin_of(self.declared, cap), self.unpaid), self.margin.zero())


class Move(NamedTuple):
    """An amount from one part of an asset's value to another."""

    source: Part
    to: Part
    amount: Money


def margin_of(value: Money, cap: Decimal) -> Money:
    """The part that is never financed: rounded up, so that the cap is never exceeded by rounding."""
    return value.times(1 - cap, ROUND_UP)


def unencumbered(value: Money, cap: Decimal) -> Value:
    """The value of an asset on which nothing has ever stood."""
    margin, zero = margin_of(value, cap), value.zero()
    return Value(margin, value - margin, zero, zero, zero, zero, zero, zero, value, zero, zero, zero)


@lru_cache(maxsize=1 << 16)
def part_id(asset: str, part: Part) -> str:
    """The ledger account of a part, by the asset's name."""
    return account_id(*asset.split("/"), part.value)


def value_of(accounts: Mapping[str, Account], asset: str) -> Value:
    """The value as the ledger has it."""
    currency = accounts[part_id(asset, Part.FREE)].currency

    def account(part: Part) -> Account:
        return accounts[part_id(asset, part)]

    def money(units: int) -> Money:
        return Money(currency, units)

    free, insurable = account(Part.FREE), account(Part.INSURABLE)
    return Value(
        margin=money(account(Part.MARGIN).balance),
        free=money(free.available_to_debit),
        reserved=money(free.debits_pending),
        financed=money(account(Part.FINANCED).balance),
        settled=money(account(Part.SETTLED).balance),
        returned=money(account(Part.RETURNED).balance),
        shortfall=money(-account(Part.SHORTFALL).balance),
        insured=money(account(Part.INSURED).balance + insurable.debits_pending),
        insurable=money(insurable.available_to_debit),
        insured_shortfall=money(-account(Part.INSURED_SHORTFALL).balance),
        excess=money(account(Part.EXCESS).balance),
        returned_excess=money(account(Part.RETURNED_EXCESS).balance),
    )


def opening_accounts(asset: str, currency: str) -> list[NewAccount]:
    """The accounts of an asset's value."""
    return [
        NewAccount(
            part_id(asset, part),
            INSURED_BOOK if part in INSURANCE_PARTS else BOOK,
            currency,
            Limit.NONE if part in CONTRA else Limit.DEBITS_MUST_NOT_EXCEED_CREDITS,
            f"{part.value} {asset}",
        )
        for part in Part
    ]


def opening_transfers(asset: str, value: Money, cap: Decimal) -> list[Transfer]:
    """Books the value; the same again is known already."""
    margin = margin_of(value, cap)
    openings = (
        Move(Part.DECLARED, Part.MARGIN, margin),
        Move(Part.DECLARED, Part.FREE, value - margin),
        Move(Part.INSURABLE_SOURCE, Part.INSURABLE, value),
    )
    return [
        transfer(ids.derived(asset, "open", move.to.value), asset, move, "declared") for move in openings if move.amount
    ]


def transfer(identifier: str, asset: str, move: Move, code: str, reference: str = "") -> Transfer:
    """A move as a ledger transfer; its reference is the asset unless another is given."""
    return Transfer(
        identifier,
        part_id(asset, move.source),
        part_id(asset, move.to),
        move.amount.minor_units,
        code=code,
        reference=reference or asset,
    )


def _taken(amount: Money, sources: Mapping[Part, tuple[Money, Part]]) -> tuple[list[Move], Money]:
    """Takes an amount from parts in order, each as far as it goes; and what is left to take."""
    moves = []
    for source, (most, to) in sources.items():
        part = min(amount, most)
        amount -= part
        if part:
            moves.append(Move(source, to, part))
    return moves, amount


def lowered(value: Value, to: Money) -> list[Move]:
    """The moves that bring VALUE down (I7): from free, then margin; then finance falls short of value.

    What the buyer has paid beyond the new value is excess, and so is what came back: once there is value again, it is
    neither to be paid nor there (`raised`).
    """
    moves, left = _taken(
        value.declared - to,
        {
            Part.FREE: (value.free, Part.DECLARED),
            Part.MARGIN: (value.margin, Part.DECLARED),
            Part.SHORTFALL: (value.backed, Part.DECLARED),
            Part.SETTLED: (value.settled, Part.DECLARED),
            Part.RETURNED: (value.returned, Part.DECLARED),
        },
    )
    assert not left, "reservations give way before value is lowered"
    beyond = [
        Move(Part.EXCESS_SOURCE, EXCESS_OF[move.source], move.amount) for move in moves if move.source in EXCESS_OF
    ]
    owed_no_more = value.declared - to - _from(value, moves, Part.RETURNED, Part.SETTLED)
    return [*moves, *beyond, *less_insurable(value, owed_no_more)]


def _from(value: Value, moves: Sequence[Move], *sources: Part) -> Money:
    """How much the moves take from these parts."""
    return sum((move.amount for move in moves if move.source in sources), value.settled.zero())


def taken_back(value: Value, amount: Money) -> list[Move]:
    """The moves for goods that came back: like `lowered`, but the value is returned; a paid part is refunded."""
    moves, left = _taken(
        amount,
        {
            Part.FREE: (value.free, Part.RETURNED),
            Part.MARGIN: (value.margin, Part.RETURNED),
            Part.SHORTFALL: (value.backed, Part.RETURNED),
            Part.SETTLED: (value.settled, Part.RETURNED),
        },
    )
    assert not left, "reservations give way before goods are taken back"
    return [*moves, *less_insurable(value, amount - _from(value, moves, Part.SETTLED))]


def less_insurable(value: Value, amount: Money) -> Iterator[Move]:
    free = min(amount, value.insurable)
    if free:
        yield Move(Part.INSURABLE, Part.INSURABLE_SOURCE, free)
    if amount > free:
        yield Move(Part.INSURED_SHORTFALL, Part.INSURABLE_SOURCE, amount - free)


def raised(value: Value, to: Money, cap: Decimal) -> list[Move]:
    """The moves that bring VALUE up, what was taken last first: what came back or was paid already, so that it is never
    lent on; what falls short; margin by the cap; free."""
    more = to - value.declared
    back = min(more, value.returned_excess)
    paid = min(more - back, value.excess)
    cured = min(more - back - paid, value.shortfall)
    left = more - back - paid - cured
    after = replace(
        value,
        shortfall=value.shortfall - cured,
        free=value.free + left,
        settled=value.settled + paid,
        returned=value.returned + back,
    )
    margin = max(min(after.margin_due(cap) - after.margin, left), more.zero())
    owed = more - back - paid
    insured = min(owed, value.insured_shortfall)
    moves = (
        Move(Part.DECLARED, Part.RETURNED, back),
        Move(Part.RETURNED_EXCESS, Part.EXCESS_SOURCE, back),
        Move(Part.DECLARED, Part.SETTLED, paid),
        Move(Part.EXCESS, Part.EXCESS_SOURCE, paid),
        Move(Part.DECLARED, Part.SHORTFALL, cured),
        Move(Part.DECLARED, Part.MARGIN, margin),
        Move(Part.DECLARED, Part.FREE, left - margin),
        Move(Part.INSURABLE_SOURCE, Part.INSURED_SHORTFALL, insured),
        Move(Part.INSURABLE_SOURCE, Part.INSURABLE, owed - insured),
    )
    return [move for move in moves if move.amount]


def given_back(value: Value, asset_class: AssetClass, amount: Money) -> list[Move]:
    """The moves that give back confirmed value: first to what falls short, the rest is free again."""
    free, held, short = SIDES[asset_class]
    falls_short = value.shortfall if asset_class is AssetClass.RECEIVABLE else value.insured_shortfall
    cured = min(amount, falls_short)
    moves = (Move(held, short, cured), Move(held, free, amount - cured))
    return [move for move in moves if move.amount]


def refinanced(value: Value, amount: Money) -> list[Move]:
    """The moves by which value that nobody holds bears finance again: from free, then from margin."""
    moves, left = _taken(amount, {Part.FREE: (value.free, Part.FINANCED), Part.MARGIN: (value.margin, Part.FINANCED)})
    assert not left, "no more than is free or margin bears finance again"
    return moves


def margin_restored(value: Value, cap: Decimal) -> list[Move]:
    """The move between free value and margin that makes the margin what the cap asks, as far as both go."""
    missing = min(value.margin_due(cap) - value.margin, value.free)
    if missing > missing.zero():
        return [Move(Part.FREE, Part.MARGIN, missing)]
    return [Move(Part.MARGIN, Part.FREE, missing.zero() - missing)] if missing else []


def must_give_way(value: Value, less: Money, declared: Money, returned: Money, cap: Decimal) -> bool:
    """Whether reservations are in the way of losing this much: the rest, which they hold, is more than the cap lets."""
    unpaid = max(declared - value.settled - returned, less.zero())
    due = min(margin_of(declared, cap), unpaid)
    return bool(value.reserved) and value.free + value.margin - less < due


def short_of(value: Value, asset_class: AssetClass) -> Money:
    """How much stands on the asset without value."""
    return value.shortfall if asset_class is AssetClass.RECEIVABLE else value.insured_shortfall
