"""Encumbrances on the value of assets: pure rules and the ledger transfers they come to."""

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from functools import lru_cache

from chassis import ids
from chassis.money import EXACT, LARGEST, Money, allocate, rounded, total
from ledger.model import Kind, Transfer, chained
from services.declarations.register.asset import AssetClass
from services.declarations.register.value.model import SIDES, Move, Part, Value, transfer
from trade.reference_rates import RateOrigin, ReferenceRate


class State(enum.StrEnum):
    """The states of an encumbrance; names of the proto's enum."""

    RESERVED = "RESERVED"
    CONFIRMED = "CONFIRMED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class Verb(enum.StrEnum):
    """The verbs that change an encumbrance."""

    CONFIRM = "confirm"
    RELEASE = "release"
    REDUCE = "reduce"
    EXPIRE = "expire"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.RESERVED, Verb.CONFIRM): State.CONFIRMED,
    (State.RESERVED, Verb.RELEASE): State.RELEASED,
    (State.RESERVED, Verb.EXPIRE): State.EXPIRED,
    (State.CONFIRMED, Verb.RELEASE): State.RELEASED,
    (State.CONFIRMED, Verb.REDUCE): State.CONFIRMED,
}
STANDING = (State.RESERVED, State.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Item:
    """A part of one asset's value, in its currency, and how much of it the buyer has settled.

    A claim in another currency is kept with the rate (units of the asset's currency for one of the claim's) and the
    haircut that it was converted with, and the rate's origin.
    """

    asset: str
    amount: Money
    settled: Money
    claimed: Money | None = None
    exchange_rate: Decimal | None = None
    haircut: Decimal | None = None
    rate_origin: RateOrigin | None = None

    @property
    def outstanding(self) -> Money:
        """Returns the amount that the buyer hasn't paid yet."""
        return self.amount - self.settled

    @property
    def requested(self) -> Money:
        """Returns the claim in the currency that the holder named."""
        return self.claimed or self.amount


@dataclass(frozen=True, slots=True)
class ReducedItem:
    """An amount by which an encumbrance on an asset shrinks."""

    asset: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Reduction:
    """A reduction that its maker prepared and a checker has still to approve."""

    items: tuple[ReducedItem, ...]
    reason: str
    maker: str


@dataclass(frozen=True, slots=True)
class Encumbrance:
    """A right of an institution to value. `id` is its holder's; a tombstone has no items."""

    id: str
    holder: str
    enterprise: str
    asset_class: AssetClass
    items: tuple[Item, ...]
    pari_passu: bool
    state: State
    expire_us: int
    reference: str
    fencing_number: int
    create_us: int
    revision: int
    reduction: Reduction | None = None

    @property
    def name(self) -> str:
        """Returns its resource name."""
        return f"encumbrances/{self.id}"

    @property
    def assets(self) -> tuple[str, ...]:
        """Returns the assets of its items."""
        return tuple(item.asset for item in self.items)

    @property
    def age(self) -> tuple[int, int]:
        """Returns its key in the order of age, the oldest first."""
        return self.create_us, self.fencing_number


@dataclass(frozen=True, slots=True)
class Standing:
    """A holder of an asset, by class, and whether it ranks equally with others."""

    asset_class: AssetClass
    holder: str
    pari_passu: bool


def in_currency(claim: Money, currency: str, rate: Decimal, haircut: Decimal) -> Money:
    """Converts a claim into an asset's currency, rounded up, so that it never takes less than it is worth.

    For example USD 100.00 at 7.1 with a haircut of 0.02 is CNY 724.20. An amount beyond any is the largest, which no
    value has.
    """
    major = EXACT.multiply(EXACT.multiply(claim.major(), rate), 1 + haircut)
    try:
        return rounded(major, currency, ROUND_UP)
    except OverflowError:
        return Money(currency, LARGEST)


def converted(item: Item, reference: ReferenceRate, haircut: Decimal) -> Item:
    """Returns the item in the asset's currency, at a rate to it, with its claim, the haircut and the rate's origin."""
    amount = in_currency(item.amount, reference.quote, reference.rate, haircut)
    return Item(item.asset, amount, amount.zero(), item.amount, reference.rate, haircut, reference.origin)


@lru_cache(maxsize=1 << 14)
def hold_id(encumbrance: str, asset: str) -> str:
    """Returns the id of the hold of one item."""
    return ids.derived(encumbrance, asset, "hold")


def reserve_transfers(encumbrance: Encumbrance, now_us: int) -> list[Transfer]:
    """Returns a hold for each item, all or nothing, until the encumbrance expires."""
    source, to, _ = SIDES[encumbrance.asset_class]
    return chained(
        [
            replace(
                transfer(hold_id(encumbrance.id, i.asset), i.asset, Move(source, to, i.amount), "reserve"),
                kind=Kind.PENDING,
                timeout_us=encumbrance.expire_us - now_us,
                reference=encumbrance.name,
            )
            for i in encumbrance.items
        ]
    )


def _closing(encumbrance: Encumbrance, kind: Kind, code: str, amounts: Mapping[str, Money]) -> list[Transfer]:
    """Returns the transfers that end each item's hold."""
    return chained(
        [
            Transfer(
                ids.derived(encumbrance.id, i.asset, code),
                amount=amounts[i.asset].minor_units if i.asset in amounts else 0,
                kind=kind,
                pending_id=hold_id(encumbrance.id, i.asset),
                code=code,
                reference=encumbrance.name,
            )
            for i in encumbrance.items
        ]
    )


def confirm_transfers(encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> list[Transfer]:
    """Returns the transfers that post the holds; an item that isn't confirmed at all is voided."""
    confirmed = [item for item in encumbrance.items if amounts[item.asset]]
    dropped = [item for item in encumbrance.items if not amounts[item.asset]]
    posts = _closing(replace(encumbrance, items=tuple(confirmed)), Kind.POST, "confirm", amounts)
    return [*posts, *_closing(replace(encumbrance, items=tuple(dropped)), Kind.VOID, "drop", {})]


def void_transfers(encumbrance: Encumbrance) -> list[Transfer]:
    """Returns the transfers that end the holds of a reservation that is given back."""
    return _closing(encumbrance, Kind.VOID, "release", {})


def expire_transfers(encumbrance: Encumbrance) -> list[Transfer]:
    """Returns the transfers that end the holds of a reservation in time."""
    return _closing(encumbrance, Kind.EXPIRE, "expire", {})


def barring(standing: Iterable[Standing], holder: str, asset_class: AssetClass, pari_passu: bool) -> list[Standing]:
    """Returns the standings of other holders on the same class that bar a new one (I6): all but pari passu."""
    return [
        other
        for other in standing
        if other.asset_class is asset_class and other.holder != holder and not (other.pari_passu and pari_passu)
    ]


def is_barred(encumbrance: Encumbrance, standing: Iterable[Standing]) -> bool:
    """Returns whether another holder bars an encumbrance from an asset (I6)."""
    return bool(barring(standing, encumbrance.holder, encumbrance.asset_class, encumbrance.pari_passu))


def available_to(holder: str, value: Value, standing: Iterable[Standing]) -> Money:
    """Returns how much a financier could reserve now, ranking equally with others where they allow it."""
    is_barred = barring(standing, holder, AssetClass.RECEIVABLE, pari_passu=True)
    return value.free.zero() if is_barred else value.free


@dataclass(frozen=True, slots=True)
class SettledPart:
    """An encumbrance and the amount that a payment settled of it."""

    encumbrance: Encumbrance
    amount: Money


@dataclass(frozen=True, slots=True)
class Application:
    """The split of a payment over an asset's value (I1): financed first, then free, then margin.

    `cured` is finance without value behind it, which the rest repays; what is left is excess (I5).
    """

    financed: Money
    free: Money
    margin: Money
    cured: Money
    excess: Money
    settled: tuple[SettledPart, ...]
    cured_by_holder: Mapping[str, Money]

    @property
    def within_value(self) -> Money:
        """Returns the part of the payment that the buyer owed."""
        return self.financed + self.free + self.margin

    def moves(self) -> list[Move]:
        """Returns the moves between the parts of the value."""
        moves = (
            Move(Part.FINANCED, Part.SETTLED, self.financed),
            Move(Part.FREE, Part.SETTLED, self.free),
            Move(Part.MARGIN, Part.SETTLED, self.margin),
            Move(Part.FINANCED, Part.SHORTFALL, self.cured),
        )
        return [move for move in moves if move.amount]

    def with_unreleased(self, unreleased: Iterable[Encumbrance]) -> list[SettledPart]:
        """Returns the settled parts, and those of encumbrances that wait for their holders' release, the oldest first.

        Of the latter nothing was settled.
        """
        settled = {part.encumbrance.id: part for part in self.settled}
        waiting = {encumbrance.id: SettledPart(encumbrance, self.financed.zero()) for encumbrance in unreleased}
        return sorted((waiting | settled).values(), key=lambda part: part.encumbrance.age)

    def beyond_value(self) -> list[Move]:
        """Returns the moves that book a payment beyond the value as excess (I5).

        If the value is raised, it was paid for already.
        """
        beyond = self.cured + self.excess
        return [Move(Part.EXCESS_SOURCE, Part.EXCESS, beyond)] if beyond else []


def apply_proceeds(
    asset: str, value: Value, standing: Iterable[Encumbrance], amount: Money, unbacked: Mapping[str, Money]
) -> Application:
    """Splits a buyer's payment over the parts of a value. Reservations don't count: they have to be given back first.

    With 60.00 financed, 20.00 free and 20.00 margin, a payment of 90.00 settles 60.00, 20.00 and 10.00. `unbacked` is
    how much each holder finances without value behind it: its open shares of breaches.
    """
    left, taken = amount, []
    for part in (value.backed, value.free, value.margin, value.shortfall):
        taken.append(min(left, part))
        left -= taken[-1]
    confirmed = _confirmed(standing, AssetClass.RECEIVABLE)
    without = without_value(confirmed, asset, unbacked)
    backed = _backed(confirmed, asset, without)
    parts, cured = _split(taken[0], confirmed, backed), _split(taken[3], confirmed, without)
    by_holder: dict[str, Money] = {}
    for encumbrance in confirmed:
        by_holder[encumbrance.holder] = by_holder.get(encumbrance.holder, amount.zero()) + cured[encumbrance.id]
    settled = (
        SettledPart(encumbrance, parts[encumbrance.id] + cured[encumbrance.id])
        for encumbrance in confirmed
        if parts[encumbrance.id] or cured[encumbrance.id]
    )
    return Application(taken[0], taken[1], taken[2], taken[3], left, tuple(settled), by_holder)


@dataclass(frozen=True, slots=True)
class CoverSettlement:
    """A payment's parts of the insured and of the insurable value: neither can be lost any more (I2)."""

    insured: Money
    insurable: Money
    settled: tuple[SettledPart, ...]

    def moves(self) -> list[Move]:
        """Returns the moves out of the insured and the insurable value."""
        moves = (
            Move(Part.INSURED, Part.INSURABLE_SOURCE, self.insured),
            Move(Part.INSURABLE, Part.INSURABLE_SOURCE, self.insurable),
        )
        return [move for move in moves if move.amount]


def settle_cover(
    asset: str, standing: Iterable[Encumbrance], paid: Money, unbacked: Mapping[str, Money]
) -> CoverSettlement:
    """Takes a payment from the insured value first, as the insurer frees its exposure by it, then from the insurable.

    Of 100 with 60 insured, 80 paid: 60 of cover and 20 of what is insurable. Cover without value behind it
    (`unbacked`, by holder) isn't settled, and reserved cover has given way where it must.
    """
    confirmed = _confirmed(standing, AssetClass.INSURANCE)
    backed = _backed(confirmed, asset, without_value(confirmed, asset, unbacked))
    insured = min(paid, sum(backed.values(), paid.zero()))
    parts = _split(insured, confirmed, backed)
    settled = tuple(
        SettledPart(encumbrance, parts[encumbrance.id]) for encumbrance in confirmed if parts[encumbrance.id]
    )
    return CoverSettlement(insured, paid - insured, settled)


def gives_way(value: Value, reserved: Sequence[Encumbrance], asset: str, paid: Money) -> bool:
    """Returns whether reserved cover is in the way of a payment: the rest of what is owed is less than the payment.

    With 20 insurable and 80 insured, 50 of them reserved, a payment of 50 goes, one of 60 is barred.
    """
    waiting = sum((item_of(encumbrance, asset).outstanding for encumbrance in reserved), paid.zero())
    return bool(reserved) and value.insurable + value.insured_backed - waiting < paid


def _confirmed(standing: Iterable[Encumbrance], asset_class: AssetClass) -> list[Encumbrance]:
    """Returns the confirmed encumbrances of a class, the oldest first."""
    of_class = (
        encumbrance
        for encumbrance in standing
        if encumbrance.state is State.CONFIRMED and encumbrance.asset_class is asset_class
    )
    return sorted(of_class, key=lambda encumbrance: encumbrance.age)


def _backed(confirmed: Iterable[Encumbrance], asset: str, without: Mapping[str, Money]) -> dict[str, Money]:
    """Returns by encumbrance the amount that has value behind it."""
    return {
        encumbrance.id: item_of(encumbrance, asset).outstanding - without[encumbrance.id] for encumbrance in confirmed
    }


def without_value(oldest_first: Sequence[Encumbrance], asset: str, unbacked: Mapping[str, Money]) -> dict[str, Money]:
    """Returns by encumbrance the amount without value behind it: a holder's newest encumbrance lacks it first.

    For example a holder has 30.00, then 50.00, and 60.00 without value: 50.00 of the newer and 10.00 of the older.
    """
    left, lacking = dict(unbacked), {}
    for encumbrance in reversed(oldest_first):
        outstanding = item_of(encumbrance, asset).outstanding
        lacking[encumbrance.id] = min(left.get(encumbrance.holder, outstanding.zero()), outstanding)
        if encumbrance.holder in left:
            left[encumbrance.holder] -= lacking[encumbrance.id]
    return lacking


def _split(amount: Money, oldest_first: Sequence[Encumbrance], most: Mapping[str, Money]) -> dict[str, Money]:
    """Splits an amount over encumbrances: pro rata where all rank equally, else the oldest first.

    Each gets at most its `most`. For example 70.00 over two of 50.00: 35.00 each, or 50.00 and 20.00.
    """
    if not amount:
        return dict.fromkeys(most, amount)
    if all(encumbrance.pari_passu for encumbrance in oldest_first):
        weights = [most[encumbrance.id].minor_units for encumbrance in oldest_first]
        return dict(zip((encumbrance.id for encumbrance in oldest_first), allocate(amount, weights), strict=True))
    parts = {}
    for encumbrance in oldest_first:
        parts[encumbrance.id] = min(amount, most[encumbrance.id])
        amount -= parts[encumbrance.id]
    return parts


def item_of(encumbrance: Encumbrance, asset: str) -> Item:
    """Returns the item on an asset."""
    return next(item for item in encumbrance.items if item.asset == asset)


def joined(item: Item, other: Item) -> Item:
    """Joins two items on one asset. Claims at several rates are no single claim any more."""
    amount, settled = item.amount + other.amount, item.settled + other.settled
    if item.claimed and other.claimed and (item.exchange_rate, item.haircut) == (other.exchange_rate, other.haircut):
        return replace(item, amount=amount, settled=settled, claimed=item.claimed + other.claimed)
    return Item(item.asset, amount, settled)


def with_item(encumbrance: Encumbrance, changed: Item) -> Encumbrance:
    """Returns the encumbrance with its item on one asset changed."""
    items = tuple(changed if item.asset == changed.asset else item for item in encumbrance.items)
    return replace(encumbrance, items=items)


def settle_item(settled: SettledPart, asset: str) -> Encumbrance:
    """Returns the encumbrance after a payment settled a part of one item."""
    item = item_of(settled.encumbrance, asset)
    return with_item(settled.encumbrance, replace(item, settled=item.settled + settled.amount))


def restorable(encumbrance: Encumbrance, asset: str, value: Value, most: Money) -> Money:
    """Returns how much of what was settled on an asset it can bear again: value that nobody holds, up to `most`.

    Settled 400.00, free 50.00 and margin 100.00: of 290.00 at most 150.00.
    """
    settled = next((item.settled for item in encumbrance.items if item.asset == asset), most.zero())
    return min(most, settled, value.free + value.margin)


def restored(encumbrance: Encumbrance, asset: str, amount: Money) -> Encumbrance:
    """Returns the encumbrance with so much less settled on an asset."""
    item = item_of(encumbrance, asset)
    return with_item(encumbrance, replace(item, settled=item.settled - amount))


def settled_total(encumbrance: Encumbrance, currency: str) -> Money:
    """Returns how much of an encumbrance buyers have settled on all its assets of a currency.

    Finance that was rolled from an order onto declarations may stand on assets of several.
    """
    return total([item.settled for item in encumbrance.items if item.settled.currency == currency], currency)


def reduced(encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> Encumbrance:
    """Returns the encumbrance with less of some assets."""
    items = (
        replace(item, amount=item.amount - amounts[item.asset]) if item.asset in amounts else item
        for item in encumbrance.items
    )
    return replace(encumbrance, items=tuple(items), reduction=None)


def stands(encumbrance: Encumbrance, item: Item) -> bool:
    """Returns whether the item still takes of the asset's value, and so bars others."""
    return encumbrance.state in STANDING and bool(item.outstanding)


def newest_first(encumbrances: Iterable[Encumbrance], states: Collection[State]) -> list[Encumbrance]:
    """Returns the encumbrances in some states, in the order in which they give way."""
    return sorted(
        (encumbrance for encumbrance in encumbrances if encumbrance.state in states),
        key=lambda encumbrance: encumbrance.age,
        reverse=True,
    )
