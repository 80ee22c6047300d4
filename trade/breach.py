"""Breaches as the register tells them to other services, and those that stand on a resource. Pure."""

from dataclasses import dataclass

from aval.declarations.v1 import value_pb2
from aval.events.v1 import events_pb2
from aval.type.v1 import breach_pb2

from chassis import money, wire
from chassis.money import Money

# The events of the register's log that tell of a breach, each with the breach as it was right after.
EVENTS = ("encumbrance.breached", "breach.cured", "breach.resolved")
RECEIVABLE, INSURANCE = "RECEIVABLE", "INSURANCE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A breach as its event tells it: to a holder its share; to the enterprise, with an empty `holder`, the whole."""

    name: str
    asset: str
    asset_class: str
    enterprise: str
    holder: str
    open_amount: Money
    is_open: bool
    create_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingBreach:
    """A breach that stands on a resource's asset; `open_amount` is the share of the resource's institution, if any."""

    breach: str
    asset: str
    asset_class: str
    open_amount: Money | None


def from_event(event: events_pb2.Event) -> Breach:
    """Returns the breach that an event of EVENTS tells of."""
    message = value_pb2.Breach()
    event.payload.Unpack(message)
    return Breach(
        name=message.name,
        asset=message.asset,
        asset_class=message.asset_class,
        enterprise=message.enterprise,
        holder=message.holder,
        open_amount=money.from_proto(message.open_amount),
        is_open=message.state == value_pb2.Breach.OPEN,
        create_us=message.create_time.ToMicroseconds(),
    )


def noted(
    standing: tuple[StandingBreach, ...], breach: Breach, open_amount: Money | None, *, is_shown: bool
) -> tuple[StandingBreach, ...]:
    """Returns the standing breaches after a breach was told: in its place or at the end while it stands, else gone.

    A share of nothing doesn't stand: of USD 300.00 in breach, USD 100.00 is cured and leaves USD 200.00, then USD
    200.00 is cured and leaves no breach. A new breach comes in only where breaches are shown.
    """
    names = [other.breach for other in standing]
    if not breach.is_open or (open_amount is not None and not open_amount):
        return tuple(other for other in standing if other.breach != breach.name)
    following = StandingBreach(
        breach=breach.name, asset=breach.asset, asset_class=breach.asset_class, open_amount=open_amount
    )
    if breach.name in names:
        return tuple(following if other.breach == breach.name else other for other in standing)
    return (*standing, following) if is_shown else standing


def is_ended(before: tuple[StandingBreach, ...], after: tuple[StandingBreach, ...]) -> bool:
    """Returns whether a breach that stood before stands no more: of two breaches one is left."""
    return len(after) < len(before)


def to_proto(standing: StandingBreach) -> breach_pb2.StandingBreach:
    """Returns the wire form."""
    return wire.fill(breach_pb2.StandingBreach, standing)
