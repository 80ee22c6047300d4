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


class State(enum.StrEnum):
    """Where an encumbrance stands; names of the proto's enum."""

    RESERVED = "RESERVED"
    CONFIRMED = "CONFIRMED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class Verb(enum.StrEnum):
    """What can be done to it."""

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

    What was asked for in another currency is kept with the rate (units of the asset's currency for
    one of the claim's) and the haircut that it was converted with.
    """

    asset: str
    amount: Money
    settled: Money
    claimed: Money | None = None
    exchange_rate: Decimal | None = None
    haircut: Decimal | None = None

    @property
    def outstanding(self) -> Money:
        """What the buyer hasn't paid yet."""
        return self.amount - self.settled

    @property
    def asked(self) -> Money:
        """What the holder asked for, in the currency it named."""
        return self.claimed or self.amount


@dataclass(frozen=True, slots=True)
class Reduced:
    """How much less of an asset."""

    asset: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Reduction:
    """A reduction that its maker prepared and a checker has still to approve."""

    items: tuple[Reduced, ...]
    reason: str
    maker: str


@dataclass(frozen=True, slots=True)
class Encumbrance:
    """What an institution holds on value. `id` is its holder's; a tombstone has no items."""

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
        """Its resource name."""
        return f"encumbrances/{self.id}"

    @property
    def assets(self) -> tuple[str, ...]:
        """The assets of its items."""
        return tuple(item.asset for item in self.items)

    @property
    def age(self) -> tuple[int, int]:
        """Sorts the oldest first."""
        return self.create_us, self.fencing_number


@dataclass(frozen=True, slots=True)
class Standing:
    """Who holds something of an asset, of which class, and whether it ranks equally with others."""

    asset_class: AssetClass
    holder: str
    pari_passu: bool


def in_currency(claim: Money, currency: str, rate: Decimal, haircut: Decimal) -> Money:
    """What a claim takes of a value in another currency: rounded up, so that it never takes less than it is worth.

    What is beyond any amount is the largest one, which no value has.
    """
    major = EXACT.multiply(EXACT.multiply(claim.major(), rate), 1 + haircut)
    try:
        return rounded(major, currency, ROUND_UP)
    except OverflowError:
        return Money(currency, LARGEST)


def converted(item: Item, currency: str, rate: Decimal, haircut: Decimal) -> Item:
    """The item in the asset's currency."""
    amount = in_currency(item.amount, currency, rate, haircut)
    return Item(item.asset, amount, amount.zero(), item.amount, rate, haircut)


@lru_cache(maxsize=1 << 14)
def hold_id(encumbrance: str, asset: str) -> str:
    """The hold of one item."""
    return ids.derived(encumbrance, asset, "hold")


def reserve_transfers(encumbrance: Encumbrance, now_us: int) -> list[Transfer]:
    """A hold for each item, all or nothing, until the encumbrance expires."""
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
    """Ends each item's hold."""
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
    """Posts the holds; an item that isn't confirmed at all is voided."""
    confirmed = [item for item in encumbrance.items if amounts[item.asset]]
    dropped = [item for item in encumbrance.items if not amounts[item.asset]]
    posts = _closing(replace(encumbrance, items=tuple(confirmed)), Kind.POST, "confirm", amounts)
    return [*posts, *_closing(replace(encumbrance, items=tuple(dropped)), Kind.VOID, "drop", {})]


def void_transfers(encumbrance: Encumbrance) -> list[Transfer]:
    """Ends the holds of a reservation that is given back."""
    return _closing(encumbrance, Kind.VOID, "release", {})


def expire_transfers(encumbrance: Encumbrance) -> list[Transfer]:
    """Ends the holds whose time is over."""
    return _closing(encumbrance, Kind.EXPIRE, "expire", {})


def barring(standing: Iterable[Standing], holder: str, asset_class: AssetClass, pari_passu: bool) -> list[Standing]:
    """Those of other holders on the same class of asset that bar a new one (I6): all but pari passu."""
    return [
        each_standing
        for each_standing in standing
        if each_standing.asset_class is asset_class
        and each_standing.holder != holder
        and not (each_standing.pari_passu and pari_passu)
    ]


def is_barred(encumbrance: Encumbrance, standing: Iterable[Standing]) -> bool:
    """Whether another holder bars an encumbrance from an asset (I6)."""
    return bool(barring(standing, encumbrance.holder, encumbrance.asset_class, encumbrance.pari_passu))


def available_to(holder: str, value: Value, standing: Iterable[Standing]) -> Money:
    """What a financier could reserve now, ranking equally with others where they allow it."""
    is_barred = barring(standing, holder, AssetClass.RECEIVABLE, pari_passu=True)
    return value.free.zero() if is_barred else value.free


@dataclass(frozen=True, slots=True)
class Settled:
    """What a payment settled of one encumbrance."""

    encumbrance: Encumbrance
    amount: Money


@dataclass(frozen=True, slots=True)
class Application:
    """How a payment is applied to an asset's value (I1): financed first, then free, then margin.

    `cured` is finance without value behind it, which the rest repays; what is left is excess (I5).
    """

    financed: Money
    free: Money
    margin: Money
    cured: Money
    excess: Money
    settled: tuple[Settled, ...]
    cured_by_holder: Mapping[str, Money]

    @property
    def within_value(self) -> Money:
        """What of the payment the buyer owed."""
        return self.financed + self.free + self.margin

    def moves(self) -> list[Move]:
        """What it moves."""
        moves = (
            Move(Part.FINANCED, Part.SETTLED, self.financed),
            Move(Part.FREE, Part.SETTLED, self.free),
            Move(Part.MARGIN, Part.SETTLED, self.margin),
            Move(Part.FINANCED, Part.SHORTFALL, self.cured),
        )
        return [move for move in moves if move.amount]

    def with_unreleased(self, unreleased: Iterable[Encumbrance]) -> list[Settled]:
        """What was settled, and nothing of the encumbrances that wait for their holders' release, the oldest first."""
        settled = {each_settled.encumbrance.id: each_settled for each_settled in self.settled}
        waiting = {encumbrance.id: Settled(encumbrance, self.financed.zero()) for encumbrance in unreleased}
        return sorted((waiting | settled).values(), key=lambda each_settled: each_settled.encumbrance.age)

    def beyond_value(self) -> list[Move]:
        """What was paid beyond the value is excess (I5): if the value is raised, it was paid for already."""
        beyond = self.cured + self.excess
        return [Move(Part.EXCESS_SOURCE, Part.EXCESS, beyond)] if beyond else []


def apply_proceeds(
    asset: str, value: Value, standing: Iterable[Encumbrance], amount: Money, unbacked: Mapping[str, Money]
) -> Application:
    """Splits what the buyer paid. Reservations don't count: they have to be given back first.

    `unbacked` is what each holder finances without value behind it: its open shares of breaches.
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
        Settled(each_encumbrance, parts[each_encumbrance.id] + cured[each_encumbrance.id])
        for each_encumbrance in confirmed
        if parts[each_encumbrance.id] or cured[each_encumbrance.id]
    )
    return Application(taken[0], taken[1], taken[2], taken[3], left, tuple(settled), by_holder)


@dataclass(frozen=True, slots=True)
class CoverSettled:
    """What a payment takes of the insured and of the insurable value: neither can be lost any more (I2)."""

    insured: Money
    insurable: Money
    settled: tuple[Settled, ...]

    def moves(self) -> list[Move]:
        """What it moves."""
        moves = (
            Move(Part.INSURED, Part.INSURABLE_SOURCE, self.insured),
            Move(Part.INSURABLE, Part.INSURABLE_SOURCE, self.insurable),
        )
        return [move for move in moves if move.amount]


def settle_cover(
    asset: str, standing: Iterable[Encumbrance], paid: Money, unbacked: Mapping[str, Money]
) -> CoverSettled:
    """Takes a payment from what is insured first, as the insurer frees its exposure by it, then from what is insurable.

    Of 100 with 60 insured, 80 paid: 60 of cover and 20 of what is insurable. Cover without value behind it
    (`unbacked`, by holder) isn't settled, and reserved cover has given way where it must.
    """
    confirmed = _confirmed(standing, AssetClass.INSURANCE)
    backed = _backed(confirmed, asset, without_value(confirmed, asset, unbacked))
    insured = min(paid, sum(backed.values(), paid.zero()))
    parts = _split(insured, confirmed, backed)
    settled = tuple(Settled(encumbrance, parts[encumbrance.id]) for encumbrance in confirmed if parts[encumbrance.id])
    return CoverSettled(insured, paid - insured, settled)


def gives_way(value: Value, reserved: Sequence[Encumbrance], asset: str, paid: Money) -> bool:
    """Whether reserved cover is in the way of a payment: the rest of what is owed is less than what is paid."""
    waiting = sum((item_of(encumbrance, asset).outstanding for encumbrance in reserved), paid.zero())
    return bool(reserved) and value.insurable + value.insured_backed - waiting < paid


def _confirmed(standing: Iterable[Encumbrance], asset_class: AssetClass) -> list[Encumbrance]:
    """Those of a class that are confirmed, the oldest first."""
    found = (
        encumbrance
        for encumbrance in standing
        if encumbrance.state is State.CONFIRMED and encumbrance.asset_class is asset_class
    )
    return sorted(found, key=lambda encumbrance: encumbrance.age)


def _backed(confirmed: Iterable[Encumbrance], asset: str, without: Mapping[str, Money]) -> dict[str, Money]:
    """What of each encumbrance has value behind it."""
    return {
        encumbrance.id: item_of(encumbrance, asset).outstanding - without[encumbrance.id] for encumbrance in confirmed
    }


def without_value(oldest_first: Sequence[Encumbrance], asset: str, unbacked: Mapping[str, Money]) -> dict[str, Money]:
    """How much of each encumbrance has no value behind it: of a holder's the newest first."""
    left, found = dict(unbacked), {}
    for encumbrance in reversed(oldest_first):
        outstanding = item_of(encumbrance, asset).outstanding
        found[encumbrance.id] = min(left.get(encumbrance.holder, outstanding.zero()), outstanding)
        if encumbrance.holder in left:
            left[encumbrance.holder] -= found[encumbrance.id]
    return found


def _split(amount: Money, oldest_first: Sequence[Encumbrance], most: Mapping[str, Money]) -> dict[str, Money]:
    if not amount:
        return dict.fromkeys(most, amount)
    if all(each_encumbrance.pari_passu for each_encumbrance in oldest_first):
        weights = [most[each_encumbrance.id].minor_units for each_encumbrance in oldest_first]
        return dict(
            zip((each_encumbrance.id for each_encumbrance in oldest_first), allocate(amount, weights), strict=True)
        )
    parts = {}
    for encumbrance in oldest_first:
        parts[encumbrance.id] = min(amount, most[encumbrance.id])
        amount -= parts[encumbrance.id]
    return parts


def item_of(encumbrance: Encumbrance, asset: str) -> Item:
    """The item on one asset."""
    return next(item for item in encumbrance.items if item.asset == asset)


def joined(item: Item, other: Item) -> Item:
    """Two items on one asset as one. What was claimed at several rates is no one claim any more."""
    amount, settled = item.amount + other.amount, item.settled + other.settled
    if item.claimed and other.claimed and (item.exchange_rate, item.haircut) == (other.exchange_rate, other.haircut):
        return replace(item, amount=amount, settled=settled, claimed=item.claimed + other.claimed)
    return Item(item.asset, amount, settled)


def with_item(encumbrance: Encumbrance, changed: Item) -> Encumbrance:
    """The encumbrance with its item on one asset changed."""
    items = tuple(changed if item.asset == changed.asset else item for item in encumbrance.items)
    return replace(encumbrance, items=items)


def settle_item(settled: Settled, asset: str) -> Encumbrance:
    """The encumbrance after a payment settled a part of one item."""
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
    """The encumbrance with less of some assets."""
    items = (
        replace(item, amount=item.amount - amounts[item.asset]) if item.asset in amounts else item
        for item in encumbrance.items
    )
    return replace(encumbrance, items=tuple(items), reduction=None)


def stands(encumbrance: Encumbrance, item: Item) -> bool:
    """Whether the item still takes of the asset's value, and so bars others."""
    return encumbrance.state in STANDING and bool(item.outstanding)


def newest_first(encumbrances: Iterable[Encumbrance], states: Collection[State]) -> list[Encumbrance]:
    """Those in one of the states, in the order in which they give way."""
    return sorted(
        (encumbrance for encumbrance in encumbrances if encumbrance.state in states),
        key=lambda encumbrance: encumbrance.age,
        reverse=True,
    )
