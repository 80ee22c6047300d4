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
# Value that was taken from these parts isn't to be financed when it comes back.
EXCESS_OF: Mapping[Part, Part] = {Part.SETTLED: Part.EXCESS, Part.RETURNED: Part.RETURNED_EXCESS}
# The parts from which an asset class takes, to which it takes, and to which it falls short.
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
    # The part that came back of a value that was taken away since.
    returned_excess: Money

    @property
    def declared(self) -> Money:
        """Returns VALUE: the sum of its parts less what they fall short of."""
        held = self.margin + self.free + self.reserved + self.financed
        return held + self.settled + self.returned - self.shortfall

    @property
    def unpaid(self) -> Money:
        """Returns how much a buyer still owes: VALUE less what was paid and what came back, at least zero."""
        return max(self.declared - self.settled - self.returned, self.margin.zero())

    @property
    def insured_backed(self) -> Money:
        """Returns the insured amount that has value behind it."""
        return self.insured - self.insured_shortfall

    @property
    def backed(self) -> Money:
        """Returns the finance that has value behind it."""
        return self.financed - self.shortfall

    def parts(self) -> dict[str, Money]:
        """Returns the parts by name, as the wire has them."""
        return {name: getattr(self, name) for name in self.__slots__ if name not in ("insurable", "returned_excess")}

    def margin_due(self, cap: Decimal) -> Money:
        """Returns how much of the value the cap keeps from being financed: at most what is still to be paid."""
        return max(min(margin_of(self.declared, cap), self.unpaid), self.margin.zero())


class Move(NamedTuple):
    """An amount from one part of an asset's value to another."""

    source: Part
    to: Part
    amount: Money


def margin_of(value: Money, cap: Decimal) -> Money:
    """Returns the margin of a value: rounded up, so that the cap is never exceeded by rounding.

    For example 100.01 at a cap of 0.9 keeps 10.01.
    """
    return value.times(1 - cap, ROUND_UP)


def unencumbered(value: Money, cap: Decimal) -> Value:
    """Returns the value of an asset on which nothing has ever stood.

    For example 100.00 at a cap of 0.8: margin 20.00, free 80.00, insurable 100.00.
    """
    margin, zero = margin_of(value, cap), value.zero()
    return Value(
        margin=margin,
        free=value - margin,
        reserved=zero,
        financed=zero,
        settled=zero,
        returned=zero,
        shortfall=zero,
        insured=zero,
        insurable=value,
        insured_shortfall=zero,
        excess=zero,
        returned_excess=zero,
    )


@lru_cache(maxsize=1 << 16)
def part_id(asset: str, part: Part) -> str:
    """Returns the ledger account of a part, by the asset's name."""
    return account_id(*asset.split("/"), part.value)


def value_of(accounts: Mapping[str, Account], asset: str) -> Value:
    """Returns the value that the ledger's accounts come to."""
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
    """Returns the accounts of an asset's value."""
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
    """Returns the transfers that book the value. Their ids are derived, so that the same again does nothing."""
    margin = margin_of(value, cap)
    openings = (
        Move(Part.DECLARED, Part.MARGIN, margin),
        Move(Part.DECLARED, Part.FREE, value - margin),
        Move(Part.INSURABLE_SOURCE, Part.INSURABLE, value),
    )
    return [transfer(opening_id(asset, move.to), asset, move, "declared") for move in openings if move.amount]


def opening_id(asset: str, part: Part) -> str:
    """Returns the transfer that books a part of an asset's value first."""
    return ids.derived(asset, "open", part.value)


def transfer(identifier: str, asset: str, move: Move, code: str, reference: str = "") -> Transfer:
    """Returns a move as a ledger transfer; its reference is the asset unless another is given."""
    return Transfer(
        identifier,
        part_id(asset, move.source),
        part_id(asset, move.to),
        move.amount.minor_units,
        code=code,
        reference=reference or asset,
    )


def _taken(amount: Money, sources: Mapping[Part, tuple[Money, Part]]) -> tuple[list[Move], Money]:
    """Takes an amount from parts in order, each as far as it goes. Returns the moves and what is left to take."""
    moves = []
    for source, (most, to) in sources.items():
        part = min(amount, most)
        amount -= part
        if part:
            moves.append(Move(source, to, part))
    return moves, amount


def lowered(value: Value, to: Money) -> list[Move]:
    """Returns the moves that bring VALUE down (I7): from free, then margin; then finance falls short of value.

    What the buyer has paid beyond the new value is excess, and so is what came back: once there is value again, it is
    neither to be paid nor there (`raised`). For example 100.00 with 30.00 free, 20.00 margin and 50.00 financed,
    brought down to 40.00: 30.00 from free, 20.00 from margin, 10.00 falls short.
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
    """Returns how much the moves take from these parts."""
    return sum((move.amount for move in moves if move.source in sources), value.settled.zero())


def taken_back(value: Value, amount: Money) -> list[Move]:
    """Returns the moves for goods that came back: like `lowered`, but the value is returned.

    A part that was paid is refunded.
    """
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
    """Yields the moves that take an amount from the insurable value; beyond that, cover falls short."""
    free = min(amount, value.insurable)
    if free:
        yield Move(Part.INSURABLE, Part.INSURABLE_SOURCE, free)
    if amount > free:
        yield Move(Part.INSURED_SHORTFALL, Part.INSURABLE_SOURCE, amount - free)


def raised(value: Value, to: Money, cap: Decimal) -> list[Move]:
    """Returns the moves that bring VALUE up, what was taken last first.

    What came back or was paid comes first, so that it is never lent on; then the shortfall, the margin by the cap, and
    free. For example 40.00 with 50.00 financed, raised to 100.00 at a cap of 0.8: 10.00 ends the shortfall, 20.00 is
    margin, 30.00 is free.
    """
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
    """Returns the moves that give back confirmed value: first to the shortfall, the rest is free again.

    For example 30.00 of finance with a shortfall of 10.00: 10.00 ends the shortfall, 20.00 is free.
    """
    free, held, short = SIDES[asset_class]
    falls_short = value.shortfall if asset_class is AssetClass.RECEIVABLE else value.insured_shortfall
    cured = min(amount, falls_short)
    moves = (Move(held, short, cured), Move(held, free, amount - cured))
    return [move for move in moves if move.amount]


def refinanced(value: Value, amount: Money) -> list[Move]:
    """Returns the moves by which value that nobody holds bears finance again: from free, then from margin.

    For example 60.00 with 50.00 free and 20.00 margin: 50.00 from free, 10.00 from margin.
    """
    moves, left = _taken(amount, {Part.FREE: (value.free, Part.FINANCED), Part.MARGIN: (value.margin, Part.FINANCED)})
    assert not left, "no more than is free or margin bears finance again"
    return moves


def margin_restored(value: Value, cap: Decimal) -> list[Move]:
    """Returns the move between free and margin that makes the margin what the cap asks, as far as both go.

    For example 5.00 margin where 20.00 are due and 10.00 free: 10.00 from free to margin.
    """
    missing = min(value.margin_due(cap) - value.margin, value.free)
    if missing > missing.zero():
        return [Move(Part.FREE, Part.MARGIN, missing)]
    return [Move(Part.MARGIN, Part.FREE, missing.zero() - missing)] if missing else []


def must_give_way(value: Value, less: Money, declared: Money, returned: Money, cap: Decimal) -> bool:
    """Returns whether reservations are in the way of a loss: what they leave is less than the margin that is due then.

    For example 10.00 free, 20.00 margin and 70.00 reserved: a loss of 30.00 leaves nothing, and of 70.00 at a cap of
    0.8 a margin of 14.00 is due.
    """
    unpaid = max(declared - value.settled - returned, less.zero())
    due = min(margin_of(declared, cap), unpaid)
    return bool(value.reserved) and value.free + value.margin - less < due


def short_of(value: Value, asset_class: AssetClass) -> Money:
    """Returns the shortfall of a class."""
    return value.shortfall if asset_class is AssetClass.RECEIVABLE else value.insured_shortfall
