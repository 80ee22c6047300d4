"""Encumbrances on declared value: pure rules and the ledger transfers they come to.

The accounts of one declaration, in its currency, book `declared value`:

    VALUE + shortfall = margin + free + reserved + financed + settled + returned     (invariant I1)

A reservation is a hold from free to financed, so `reserved` is what free has pending. Insurance has
accounts of its own beside these, book `insured value` (I2).
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal

from chassis import ids
from chassis.money import Money, allocate
from ledger.model import Account, Kind, Limit, Transfer
from ledger.store import NewAccount, account_id

BOOK = "declared value"
INSURED_BOOK = "insured value"


class AssetClass(enum.StrEnum):
    """What is encumbered; names of the proto's enum."""

    RECEIVABLE = "RECEIVABLE"
    INSURANCE = "INSURANCE"


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
    EXPIRE = "expire"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.RESERVED, Verb.CONFIRM): State.CONFIRMED,
    (State.RESERVED, Verb.RELEASE): State.RELEASED,
    (State.RESERVED, Verb.EXPIRE): State.EXPIRED,
    (State.CONFIRMED, Verb.RELEASE): State.RELEASED,
}
STANDING = (State.RESERVED, State.CONFIRMED)


class Part(enum.StrEnum):
    """The accounts of a declaration's value."""

    DECLARED = "declared"
    MARGIN = "margin"
    FREE = "free"
    FINANCED = "financed"
    SETTLED = "settled"
    RETURNED = "returned"
    SHORTFALL = "shortfall"
    INSURABLE_SOURCE = "insurable source"
    INSURABLE = "insurable"
    INSURED = "insured"


# The contra accounts stand on the other side and have no limit of their own.
CONTRA = {Part.DECLARED, Part.SHORTFALL, Part.INSURABLE_SOURCE}
INSURANCE_PARTS = {Part.INSURABLE_SOURCE, Part.INSURABLE, Part.INSURED}
# Where an asset class takes from and where it takes to.
SIDES: Mapping[AssetClass, tuple[Part, Part]] = {
    AssetClass.RECEIVABLE: (Part.FREE, Part.FINANCED),
    AssetClass.INSURANCE: (Part.INSURABLE, Part.INSURED),
}


@dataclass(frozen=True, slots=True)
class Item:
    """A part of one declaration's value, and how much of it the buyer has settled."""

    declaration: str
    amount: Money
    settled: Money

    @property
    def outstanding(self) -> Money:
        """What the buyer hasn't paid yet."""
        return self.amount - self.settled


@dataclass(frozen=True, slots=True)
class Encumbrance:
    """What an institution holds on declared value. `id` is its holder's; a tombstone has no items."""

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

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"encumbrances/{self.id}"


@dataclass(frozen=True, slots=True)
class Value:
    """A declared value by what stands on it, all in one currency."""

    margin: Money
    free: Money
    reserved: Money
    financed: Money
    settled: Money
    returned: Money
    shortfall: Money
    insured: Money

    def parts(self) -> dict[str, Money]:
        """By name."""
        return {name: getattr(self, name) for name in self.__slots__}


def margin_of(value: Money, advance_cap: Decimal) -> Money:
    """The part that is never financed: rounded up, so that the cap is never exceeded by rounding."""
    return value.times(1 - advance_cap, ROUND_UP)


def unencumbered(value: Money, advance_cap: Decimal) -> Value:
    """The value of a declaration on which nothing has ever stood."""
    margin, zero = margin_of(value, advance_cap), value.zero()
    return Value(margin, value - margin, zero, zero, zero, zero, zero, zero)


def part_id(declaration: str, part: Part) -> str:
    """The ledger account of a part."""
    return account_id("declarations", declaration, part.value)


def value_of(accounts: Mapping[str, Account], declaration: str, currency: str) -> Value:
    """The value as the ledger has it."""

    def account(part: Part) -> Account:
        return accounts[part_id(declaration, part)]

    def money(units: int) -> Money:
        return Money(currency, units)

    free = account(Part.FREE)
    return Value(
        margin=money(account(Part.MARGIN).balance),
        free=money(free.available_to_debit),
        reserved=money(free.debits_pending),
        financed=money(account(Part.FINANCED).balance),
        settled=money(account(Part.SETTLED).balance),
        returned=money(account(Part.RETURNED).balance),
        shortfall=money(-account(Part.SHORTFALL).balance),
        insured=money(account(Part.INSURED).balance + account(Part.INSURABLE).debits_pending),
    )


def opening_accounts(declaration: str, currency: str) -> list[NewAccount]:
    """The accounts of a declaration's value."""
    return [
        NewAccount(
            part_id(declaration, part),
            INSURED_BOOK if part in INSURANCE_PARTS else BOOK,
            currency,
            Limit.NONE if part in CONTRA else Limit.DEBITS_MUST_NOT_EXCEED_CREDITS,
            f"{part.value} {declaration}",
        )
        for part in Part
    ]


def opening_transfers(declaration: str, value: Money, advance_cap: Decimal) -> list[Transfer]:
    """Books the declared value; the same again is known already."""
    margin = margin_of(value, advance_cap)
    openings = (
        (Part.DECLARED, Part.MARGIN, margin),
        (Part.DECLARED, Part.FREE, value - margin),
        (Part.INSURABLE_SOURCE, Part.INSURABLE, value),
    )
    return [
        _transfer(ids.derived(declaration, "open", to.value), declaration, source, to, amount, "declared")
        for source, to, amount in openings
        if amount
    ]


def _transfer(identifier: str, declaration: str, source: Part, to: Part, amount: Money, code: str) -> Transfer:
    return Transfer(
        identifier,
        part_id(declaration, source),
        part_id(declaration, to),
        amount.minor_units,
        code=code,
        reference=f"declarations/{declaration}",
    )


def hold_id(encumbrance: str, declaration: str) -> str:
    """The hold of one item."""
    return ids.derived(encumbrance, declaration, "hold")


def _chained(chain: Sequence[Transfer]) -> list[Transfer]:
    """All or nothing."""
    return [replace(transfer, linked=True) for transfer in chain[:-1]] + list(chain[-1:])


def reserve_transfers(encumbrance: Encumbrance, now_us: int) -> list[Transfer]:
    """A hold for each item, all or nothing, until the encumbrance expires."""
    source, to = SIDES[encumbrance.asset_class]
    return _chained(
        [
            replace(
                _transfer(hold_id(encumbrance.id, i.declaration), i.declaration, source, to, i.amount, "reserve"),
                kind=Kind.PENDING,
                timeout_us=encumbrance.expire_us - now_us,
            )
            for i in encumbrance.items
        ]
    )


def _closing(encumbrance: Encumbrance, kind: Kind, code: str, amounts: Mapping[str, Money]) -> list[Transfer]:
    """Ends each item's hold."""
    return _chained(
        [
            Transfer(
                ids.derived(encumbrance.id, i.declaration, code),
                amount=amounts[i.declaration].minor_units if i.declaration in amounts else 0,
                kind=kind,
                pending_id=hold_id(encumbrance.id, i.declaration),
                code=code,
                reference=encumbrance.name,
            )
            for i in encumbrance.items
        ]
    )


def confirm_transfers(encumbrance: Encumbrance, amounts: Mapping[str, Money]) -> list[Transfer]:
    """Posts the holds; an item that isn't confirmed at all is voided."""
    confirmed = [item for item in encumbrance.items if amounts[item.declaration]]
    dropped = [item for item in encumbrance.items if not amounts[item.declaration]]
    posts = _closing(replace(encumbrance, items=tuple(confirmed)), Kind.POST, "confirm", amounts)
    return [*posts, *_closing(replace(encumbrance, items=tuple(dropped)), Kind.VOID, "drop", {})]


def release_transfers(encumbrance: Encumbrance) -> list[Transfer]:
    """Gives back what isn't settled: voids the holds, or moves the finance back."""
    if encumbrance.state is State.RESERVED:
        return _closing(encumbrance, Kind.VOID, "release", {})
    source, to = SIDES[encumbrance.asset_class]
    return [
        _transfer(
            ids.derived(encumbrance.id, i.declaration, "release"), i.declaration, to, source, i.outstanding, "release"
        )
        for i in encumbrance.items
        if i.outstanding
    ]


def expire_transfers(encumbrance: Encumbrance) -> list[Transfer]:
    """Ends the holds whose time is over."""
    return _closing(encumbrance, Kind.EXPIRE, "expire", {})


def barring(
    standing: Iterable[Encumbrance], holder: str, asset_class: AssetClass, pari_passu: bool
) -> list[Encumbrance]:
    """Those of other holders on the same class of asset that bar a new one (I6): all but pari passu."""
    return [
        one
        for one in standing
        if one.asset_class is asset_class
        and one.holder != holder
        and one.state in STANDING
        and any(item.outstanding for item in one.items)
        and not (one.pari_passu and pari_passu)
    ]


def available_to(holder: str, value: Value, standing: Iterable[Encumbrance]) -> Money:
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
    """How a payment is applied to a declaration's value (I1): financed first, then free, then margin."""

    financed: Money
    free: Money
    margin: Money
    excess: Money
    settled: tuple[Settled, ...]


def apply_proceeds(declaration: str, value: Value, standing: Iterable[Encumbrance], amount: Money) -> Application:
    """Splits what the buyer paid. Reservations don't count: they have to be given back first."""
    left, taken = amount, []
    for part in (value.financed, value.free, value.margin):
        taken.append(min(left, part))
        left -= taken[-1]
    confirmed = [one for one in standing if one.state is State.CONFIRMED and one.asset_class is AssetClass.RECEIVABLE]
    shares = _shares(declaration, confirmed, taken[0])
    return Application(taken[0], taken[1], taken[2], left, tuple(shares))


def _shares(declaration: str, confirmed: Sequence[Encumbrance], amount: Money) -> list[Settled]:
    """Who gets what of it: those who rank equally pro rata, otherwise the oldest first."""
    outstanding = [item_of(one, declaration).outstanding for one in confirmed]
    if confirmed and amount and all(one.pari_passu for one in confirmed):
        parts = allocate(amount, [share.minor_units for share in outstanding])
        return [Settled(one, part) for one, part in zip(confirmed, parts, strict=True) if part]
    shares = []
    by_age = sorted(zip(confirmed, outstanding, strict=True), key=lambda pair: (pair[0].create_us, pair[0].id))
    for one, owed in by_age:
        part = min(amount, owed)
        amount -= part
        if part:
            shares.append(Settled(one, part))
    return shares


def item_of(encumbrance: Encumbrance, declaration: str) -> Item:
    """The item on one declaration."""
    return next(item for item in encumbrance.items if item.declaration == declaration)


def settle_item(settled: Settled, declaration: str) -> Encumbrance:
    """The encumbrance after a payment settled a part of one item."""
    items = tuple(
        replace(item, settled=item.settled + settled.amount) if item.declaration == declaration else item
        for item in settled.encumbrance.items
    )
    return replace(settled.encumbrance, items=items)


def proceeds_transfers(declaration: str, payment: str, application: Application) -> list[Transfer]:
    """Moves what the buyer paid to settled."""
    sources = (
        (Part.FINANCED, application.financed),
        (Part.FREE, application.free),
        (Part.MARGIN, application.margin),
    )
    return _chained(
        [
            _transfer(
                ids.derived(declaration, payment, part.value), declaration, part, Part.SETTLED, amount, "proceeds"
            )
            for part, amount in sources
            if amount
        ]
    )
