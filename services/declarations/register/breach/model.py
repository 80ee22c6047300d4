"""Breaches: what stands on an asset without value behind it (I7), and how it comes to an end."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chassis.money import Money, allocate
from services.declarations.register.asset import AssetClass


class State(enum.StrEnum):
    """Where a breach stands; names of the proto's enum."""

    OPEN = "OPEN"
    CURED = "CURED"
    RESOLVED = "RESOLVED"


class Verb(enum.StrEnum):
    """What ends a part of it, and in the end all."""

    CURE = "cure"
    RESOLVE = "resolve"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.OPEN, Verb.CURE): State.CURED,
    (State.OPEN, Verb.RESOLVE): State.RESOLVED,
}


@dataclass(frozen=True, slots=True)
class Share:
    """A holder's part of a breach, how much of it is open, and its proposal to end it, if a checker must see it.

    It has a revision of its own: what others do with theirs doesn't concern its checker.
    """

    holder: str
    amount: Money
    open: Money
    kind: str = ""
    note: str = ""
    maker: str = ""
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Breach:
    """What an amendment, a deletion or a return left without value; the shares add up to the amount."""

    id: str
    asset: str
    enterprise: str
    asset_class: AssetClass
    amount: Money
    open_amount: Money
    cause: str
    state: State
    shares: tuple[Share, ...]
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"breaches/{self.id}"

    def share_of(self, holder: str) -> Share | None:
        """A holder's share."""
        return next((share for share in self.shares if share.holder == holder), None)


def shared(amount: Money, outstanding: Mapping[str, Money]) -> tuple[Share, ...]:
    """An amount shared among holders by what each still holds with value behind it."""
    weights = [held.minor_units for held in outstanding.values()]
    parts = allocate(amount, weights)
    return tuple(Share(holder, part, part) for holder, part in zip(outstanding, parts, strict=True) if part)


def _changed(share: Share, left: Money) -> Share:
    """The share with so much of it left; what was proposed of it before is void."""
    return replace(share, open=left, kind="", note="", maker="", revision=share.revision + 1)


def _lessened(breach: Breach, parts: Mapping[str, Money], verb: Verb) -> Breach:
    """The breach with parts of its holders' open shares ended."""
    shares = tuple(
        _changed(share, share.open - parts[share.holder]) if share.holder in parts else share for share in breach.shares
    )
    left = sum((share.open for share in shares), breach.amount.zero())
    state = breach.state if left else TRANSITIONS[breach.state, verb]
    return replace(breach, shares=shares, open_amount=left, state=state)


def cured(breaches: Sequence[Breach], amount: Money, holder: str = "") -> list[Breach]:
    """The breaches of one asset and class that an amount changes: the oldest first, all sharers alike.

    With a holder, its own shares first: it gave back what it held.
    """
    known = {
        breach.id: breach
        for breach in sorted(breaches, key=lambda each_breach: (each_breach.create_us, each_breach.id))
    }
    after = dict(known)
    for own in (True, False) if holder else (False,):
        for key, breach in after.items():
            parts = _parts(breach, amount, holder if own else "")
            if parts:
                after[key] = _lessened(breach, parts, Verb.CURE)
                amount -= breach.open_amount - after[key].open_amount
    return [breach for key, breach in after.items() if breach != known[key]]


def _parts(breach: Breach, amount: Money, holder: str) -> dict[str, Money]:
    """What an amount ends of each holder's share, or of one holder's alone."""
    sharers = [share for share in breach.shares if share.open and holder in ("", share.holder)]
    part = min(amount, sum((share.open for share in sharers), amount.zero()))
    if not part:
        return {}
    parts = allocate(part, [share.open.minor_units for share in sharers])
    return {share.holder: each for share, each in zip(sharers, parts, strict=True) if each}


def proposed(breach: Breach, holder: str, kind: str, note: str, maker: str) -> Breach:
    """The breach with a holder's proposal to end its share."""
    shares = tuple(
        replace(share, kind=kind, note=note, maker=maker, revision=share.revision + 1)
        if share.holder == holder
        else share
        for share in breach.shares
    )
    return replace(breach, shares=shares)


def resolved(breach: Breach, share: Share) -> Breach:
    """The breach after a holder gave up its share."""
    return _lessened(breach, {share.holder: share.open}, Verb.RESOLVE)
