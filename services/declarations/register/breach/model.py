"""Breaches: shortfalls of an asset's value (I7), and how they come to an end."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chassis.money import Money, allocate
from services.declarations.register.asset import AssetClass


class State(enum.StrEnum):
    """The states of a breach; names of the proto's enum."""

    OPEN = "OPEN"
    CURED = "CURED"
    RESOLVED = "RESOLVED"


class Verb(enum.StrEnum):
    """The ways in which a share of a breach ends, and in the end the breach."""

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
    """A shortfall that an amendment, a deletion or a return left; the shares add up to the amount."""

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
        """Returns its resource name."""
        return f"breaches/{self.id}"

    def share_of(self, holder: str) -> Share | None:
        """Returns a holder's share, None where it has none."""
        return next((share for share in self.shares if share.holder == holder), None)


def shared(amount: Money, outstanding: Mapping[str, Money]) -> tuple[Share, ...]:
    """Shares an amount among holders by how much each still holds with value behind it.

    For example 100.00 among holders of 30.00 and 10.00: 75.00 and 25.00.
    """
    weights = [held.minor_units for held in outstanding.values()]
    parts = allocate(amount, weights)
    return tuple(Share(holder, part, part) for holder, part in zip(outstanding, parts, strict=True) if part)


def _changed(share: Share, left: Money) -> Share:
    """Returns the share with so much of it left. An earlier proposal is void."""
    return replace(share, open=left, kind="", note="", maker="", revision=share.revision + 1)


def _lessened(breach: Breach, parts: Mapping[str, Money], verb: Verb) -> Breach:
    """Returns the breach with parts of its holders' open shares ended."""
    shares = tuple(
        _changed(share, share.open - parts[share.holder]) if share.holder in parts else share for share in breach.shares
    )
    left = sum((share.open for share in shares), breach.amount.zero())
    state = breach.state if left else TRANSITIONS[breach.state, verb]
    return replace(breach, shares=shares, open_amount=left, state=state)


def cured(breaches: Sequence[Breach], amount: Money, holder: str = "") -> list[Breach]:
    """Returns the breaches of one asset and class that an amount changes: the oldest first, all sharers alike.

    With a holder, its own shares first: it gave back what it held. For example 50.00 on an older breach of 40.00 and a
    newer of 30.00: the older is cured, 20.00 of the newer stay open.
    """
    before = {breach.id: breach for breach in sorted(breaches, key=lambda breach: (breach.create_us, breach.id))}
    after = dict(before)
    for own in (True, False) if holder else (False,):
        for key, breach in after.items():
            parts = _parts(breach, amount, holder if own else "")
            if parts:
                after[key] = _lessened(breach, parts, Verb.CURE)
                amount -= breach.open_amount - after[key].open_amount
    return [breach for key, breach in after.items() if breach != before[key]]


def _parts(breach: Breach, amount: Money, holder: str) -> dict[str, Money]:
    """Returns by holder how much of its open share an amount ends, or of one holder's share alone."""
    sharers = [share for share in breach.shares if share.open and holder in ("", share.holder)]
    part = min(amount, sum((share.open for share in sharers), amount.zero()))
    if not part:
        return {}
    parts = allocate(part, [share.open.minor_units for share in sharers])
    return {share.holder: ended for share, ended in zip(sharers, parts, strict=True) if ended}


def proposed(breach: Breach, holder: str, kind: str, note: str, maker: str) -> Breach:
    """Returns the breach with a holder's proposal to end its share."""
    shares = tuple(
        replace(share, kind=kind, note=note, maker=maker, revision=share.revision + 1)
        if share.holder == holder
        else share
        for share in breach.shares
    )
    return replace(breach, shares=shares)


def resolved(breach: Breach, share: Share) -> Breach:
    """Returns the breach after a holder gave up its share."""
    return _lessened(breach, {share.holder: share.open}, Verb.RESOLVE)
