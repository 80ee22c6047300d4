"""Cover holds: which part of a shipment's insured amount which lender is loss payee for.

The accounts of one shipment, in its currency, book `assignment`: the insured part of its exposure is
`available` or held, a hold being one from available to held. As the buyer pays, what is insured
shrinks; what a lender holds shrinks only when it gives it back.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from chassis import ids
from chassis.money import Money
from chassis.participants import Participant
from ledger.model import Account, Kind, Limit, Transfer
from ledger.store import NewAccount, account_id
from services.credit_insurance.covered_shipment.model import CoveredShipment
from trade.roles import Role

BOOK = "assignment"


class State(enum.StrEnum):
    """Where a hold stands; names of the proto's enum."""

    HELD = "HELD"
    RELEASED = "RELEASED"


class Verb(enum.StrEnum):
    """The things that can be done to it."""

    RELEASE = "release"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {(State.HELD, Verb.RELEASE): State.RELEASED}


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverHold:
    """`id` is the lender's; a tombstone has neither shipment nor amount."""

    id: str
    bank: str
    loan: str = ""
    declaration: str = ""
    covered_shipment: str = ""
    insurer: str = ""
    enterprise: str = ""
    amount: Money | None = None
    insured_ratio: Decimal | None = None
    state: State = State.HELD
    revision: int = 1
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"coverHolds/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that are told of it: the insurer and the exporter; a tombstone has neither."""
        parties = (Participant(self.insurer, Role.INSURER), Participant(self.enterprise, Role.ENTERPRISE))
        return tuple(party for party in parties if party.tenant)


def available_id(shipment: str) -> str:
    """Returns the account of the insured part of a shipment (its resource name) that no lender holds yet."""
    return account_id("credit_insurance", shipment, "insured available")


def held_id(shipment: str) -> str:
    """Returns the account of the part that lenders hold."""
    return account_id("credit_insurance", shipment, "insured held")


def _source_id(shipment: str) -> str:
    return account_id("credit_insurance", shipment, "insured source")


def accounts(shipment: CoveredShipment) -> list[NewAccount]:
    """The accounts of its insured amount."""
    currency, bound = shipment.invoice_amount.currency, Limit.DEBITS_MUST_NOT_EXCEED_CREDITS
    return [
        NewAccount(_source_id(shipment.name), BOOK, currency, Limit.NONE, f"insured source {shipment.name}"),
        NewAccount(available_id(shipment.name), BOOK, currency, bound, f"insured available {shipment.name}"),
        NewAccount(held_id(shipment.name), BOOK, currency, bound, f"insured held {shipment.name}"),
    ]


def opening_id(shipment: str) -> str:
    """Returns the transfer that books the insured amount of a shipment (its resource name)."""
    return ids.derived(shipment, "insured")


def opening_transfers(shipment: CoveredShipment) -> list[Transfer]:
    """Books the insured amount; none where it rounds to nothing."""
    insured = shipment.insured(shipment.covered_amount)
    opening = Transfer(
        opening_id(shipment.name),
        _source_id(shipment.name),
        available_id(shipment.name),
        insured.minor_units,
        code="insured",
        reference=shipment.name,
    )
    return [opening] if insured else []


def retiring_transfer(shipment: CoveredShipment, cause: str, amount: Money) -> Transfer:
    """Takes back what is no longer insured."""
    return Transfer(
        ids.derived(shipment.name, "retire", cause),
        available_id(shipment.name),
        _source_id(shipment.name),
        amount.minor_units,
        code="no longer insured",
        reference=cause,
    )


def no_longer_insured(available: Account, insured: Money) -> Money:
    """Returns the amount to take back so that no more is available or held than is insured, as far as nobody holds it.

    Of 90.00 available, 30.00 of it held, with 50.00 insured: 40.00; with 20.00 insured: 60.00.
    """
    excess = available.balance - insured.minor_units
    return Money(insured.currency, max(0, min(excess, available.available_to_debit)))


def hold_transfer(hold: CoverHold) -> Transfer:
    """Holds the amount, without end."""
    assert hold.amount is not None
    return Transfer(
        ids.derived(hold.name, "hold"),
        available_id(hold.covered_shipment),
        held_id(hold.covered_shipment),
        hold.amount.minor_units,
        Kind.PENDING,
        code="hold cover",
        reference=hold.loan,
    )


def release_transfer(hold: CoverHold) -> Transfer:
    """Gives it back."""
    return Transfer(
        ids.derived(hold.name, "release"),
        kind=Kind.VOID,
        pending_id=ids.derived(hold.name, "hold"),
        code="release cover",
        reference=hold.loan,
    )
