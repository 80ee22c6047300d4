"""Covered shipments: pure rules, states, and the ledger transfers they come to.

The exposure of a shipment is what the buyer still owes of its covered amount. The buyer pays in the declaration's
currency, cover is in the policy's: each payment frees in the proportion in which the register took the cover, whatever
rates are by then, and the last one frees the rest. Exposure counts against two
lines at once, in the policy's currency, book `exposure`: the buyer limit's (account `exposure`) and
the policy's maximum liability (account `liability`).
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from chassis import ids
from chassis.money import Money, total
from chassis.participants import Participant
from ledger.model import Account, Kind, Limit, Transfer, chained
from ledger.store import NewAccount, account_id
from services.credit_insurance.lines import BOOK, line_id
from trade import breach
from trade.breach import Breach, StandingBreach
from trade.roles import Role


class State(enum.StrEnum):
    """Where it stands; names of the proto's enum."""

    DECLARED = "DECLARED"
    VALUE_RESERVED = "VALUE_RESERVED"
    VALUE_MARKED = "VALUE_MARKED"
    COVERED = "COVERED"
    PAID = "PAID"
    CLOSED = "CLOSED"
    CANCELLING = "CANCELLING"
    REFUSED = "REFUSED"


class Verb(enum.StrEnum):
    """A step of its way."""

    VALUE_RESERVED = "value reserved"
    VALUE_CONFIRMED = "value confirmed"
    PREMIUM_COLLECTED = "premium collected"
    CANCEL = "cancel"
    VALUE_RELEASED = "value released"
    PAID_OFF = "paid off"


# The point of no return is the premium's collection: the value is marked before it.
TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.DECLARED, Verb.VALUE_RESERVED): State.VALUE_RESERVED,
    (State.VALUE_RESERVED, Verb.VALUE_CONFIRMED): State.VALUE_MARKED,
    (State.VALUE_MARKED, Verb.PREMIUM_COLLECTED): State.COVERED,
    (State.DECLARED, Verb.CANCEL): State.CANCELLING,
    (State.VALUE_RESERVED, Verb.CANCEL): State.CANCELLING,
    (State.VALUE_MARKED, Verb.CANCEL): State.CANCELLING,
    (State.CANCELLING, Verb.VALUE_RELEASED): State.REFUSED,
    (State.COVERED, Verb.PAID_OFF): State.PAID,
    (State.PAID, Verb.VALUE_RELEASED): State.CLOSED,
}
# The register may count the value as insured: a breach is shown.
SHOWING = (State.VALUE_RESERVED, State.VALUE_MARKED, State.COVERED)
# Exposure is held, not yet booked.
RESERVING = (State.DECLARED, State.VALUE_RESERVED, State.VALUE_MARKED, State.CANCELLING)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredShipment:
    """Names of resources are whole; amounts are in the policy's currency, but for the last two.

    `insured_value` is what the register holds for the covered amount, in the declaration's currency, and `paid_before`
    what buyers had paid of the declaration when that was confirmed; None until the register has said so.

    Cover in force is compared with the register every day: `look_date` is the day whose look is owed, `looked_date`
    that of the last one, and `owed_when_looked` what it found, in the policy's currency.
    """

    id: str
    buyer_limit: str
    policy: str
    declaration: str
    insurer: str
    enterprise: str
    invoice_amount: Money
    shipment_date: date
    due_date: date
    covered_amount: Money
    premium: Money
    premium_rate: Decimal
    premium_rate_source: str
    insured_ratio: Decimal
    state: State = State.DECLARED
    refusal_reason: str = ""
    revision: int = 1
    create_us: int
    insured_value: Money | None = None
    paid_before: Money | None = None
    look_date: date | None = None
    looked_date: date | None = None
    owed_when_looked: Money | None = None
    # The breaches that stand on its declaration.
    breaches: tuple[StandingBreach, ...] = ()

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"coveredShipments/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.insurer, Role.INSURER), Participant(self.enterprise, Role.ENTERPRISE)

    @property
    def encumbrance_id(self) -> str:
        """Our id of its encumbrance at the register, known without having an answer."""
        return ids.derived(self.name, "insured value")

    def insured(self, exposure: Money) -> Money:
        """The insured part of an exposure, rounded half up to the minor unit."""
        return exposure.times(self.insured_ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposurePayment:
    """A payment for a declaration that settlement told of, once, whether there was cover or not; with the answer.

    One that was told before amounts were kept has none.
    """

    declaration: str
    payment: str
    amount: Money | None
    response: bytes = b""


def told(payments: Iterable[ExposurePayment], currency: str) -> tuple[Money, bool]:
    """Returns what payments come to in a currency, and whether each has its amount, of whatever currency."""
    amounts = [payment.amount for payment in payments]
    counted = [amount for amount in amounts if amount is not None and amount.currency == currency]
    return total(counted, currency), None not in amounts


def insured_part(reserved: Money, asked: Money, covered: Money) -> Money:
    """Returns what of the value reserved for an amount stands for the covered part of it, rounded up.

    Of EUR 460.01 reserved for USD 500.00, with USD 300.00 covered: EUR 276.01.
    """
    return Money(reserved.currency, -(-reserved.minor_units * covered.minor_units // asked.minor_units))


def owed_after(shipment: CoveredShipment, told: Money) -> Money:
    """Returns the exposure once buyers have paid so much of the declaration in all, in its currency.

    No more than the register had outstanding at the last look. In proportion, rounded up, so that the last payment
    frees the rest exactly: USD 100.00 covered as EUR 90.00 is
    USD 66.67 after EUR 30.00, USD 33.34 after EUR 60.00, nothing after EUR 90.00. The whole before the register has
    confirmed the cover.
    """
    insured, before = shipment.insured_value, shipment.paid_before
    if insured is None or before is None:
        return shipment.covered_amount
    owed = owed_of(shipment, insured - min(max(told - before, insured.zero()), insured))
    return owed if shipment.owed_when_looked is None else min(owed, shipment.owed_when_looked)


def owed_of(shipment: CoveredShipment, outstanding: Money) -> Money:
    """Returns the exposure where so much of the insured value is outstanding, rounded up."""
    covered, insured = shipment.covered_amount, shipment.insured_value
    assert insured is not None, f"{shipment.name} has no insured value"
    return Money(covered.currency, -(-covered.minor_units * outstanding.minor_units // insured.minor_units))


def with_look(shipment: CoveredShipment, held: Money, settled: Money) -> CoveredShipment:
    """Returns the shipment after a look: so much the register holds for it, so much of that is settled.

    Cover taken before amounts were kept in the declaration's currency learns its insured value by that.
    """
    if shipment.insured_value is None or shipment.insured_value.currency != held.currency:
        shipment = replace(shipment, insured_value=held, paid_before=held.zero())
    return replace(shipment, owed_when_looked=owed_of(shipment, held - settled))


def with_breach(shipment: CoveredShipment, told: Breach) -> CoveredShipment:
    """Returns the shipment with what was told of a breach: its insurer's share of cover without value, or that finance
    stands without value, whose amount is the lenders' own.
    """
    is_cover = told.asset_class == breach.INSURANCE
    if told.holder != (shipment.insurer if is_cover else ""):
        return shipment
    amount, is_shown = told.open_amount if is_cover else None, shipment.state in SHOWING
    return replace(shipment, breaches=breach.noted(shipment.breaches, told, amount, is_shown=is_shown))


def premium(invoice: Money, rate: Decimal) -> Money:
    """invoice x rate, rounded half up to the minor unit."""
    return invoice.times(rate)


def covered_amount(invoice: Money, *lines: Account) -> Money:
    """The invoice, as far as every line has something left; zero where one has nothing."""
    left = min(line.available_to_debit for line in lines)
    return min(invoice, Money(invoice.currency, max(left, 0)))


def with_covered_amount(shipment: CoveredShipment, amount: Money) -> CoveredShipment:
    """The shipment as far as it can be covered. The premium stays that of the whole invoice."""
    return replace(shipment, covered_amount=amount)


def lines_of(shipment: CoveredShipment) -> list[str]:
    """The lines it uses: the buyer limit's and the policy's."""
    return [line for _, line, _ in _uses(shipment)]


def exposure_id(shipment: str) -> str:
    """Returns the account of what a shipment (its resource name) uses of its buyer limit."""
    return account_id("credit_insurance", shipment, "exposure")


def liability_id(shipment: str) -> str:
    """Returns the account of what it uses of its policy's maximum liability."""
    return account_id("credit_insurance", shipment, "liability")


def _uses(shipment: CoveredShipment) -> Sequence[tuple[str, str, str]]:
    """A word for each line that it uses, the line, and the account of its use."""
    return (
        ("limit", line_id(shipment.buyer_limit), exposure_id(shipment.name)),
        ("policy", line_id(shipment.policy), liability_id(shipment.name)),
    )


def exposure_of(account: Account) -> Money:
    """Returns what is held or booked on an account of use."""
    return Money(account.currency, account.balance + account.credits_pending)


def exposure_accounts(shipment: CoveredShipment) -> list[NewAccount]:
    """The accounts of its use."""
    currency, bound = shipment.invoice_amount.currency, Limit.DEBITS_MUST_NOT_EXCEED_CREDITS
    return [
        NewAccount(account, BOOK, currency, bound, f"{word} {shipment.name}") for word, _, account in _uses(shipment)
    ]


def hold_transfers(shipment: CoveredShipment) -> list[Transfer]:
    """Holds the covered amount under both lines, both or none, without end."""
    return chained(
        [
            Transfer(
                ids.derived(shipment.name, word, "hold"),
                line,
                account,
                shipment.covered_amount.minor_units,
                Kind.PENDING,
                code="exposure",
                reference=shipment.name,
            )
            for word, line, account in _uses(shipment)
        ]
    )


def closing_transfers(shipment: CoveredShipment, kind: Kind) -> list[Transfer]:
    """Posts or voids both holds."""
    return chained(
        [
            Transfer(
                ids.derived(shipment.name, word, kind.value),
                kind=kind,
                pending_id=ids.derived(shipment.name, word, "hold"),
                code=f"exposure {kind.value}",
                reference=shipment.name,
            )
            for word, _, _ in _uses(shipment)
        ]
    )


def payment_transfers(shipment: CoveredShipment, payment: str, amount: Money) -> list[Transfer]:
    """Gives what the buyer paid back to both lines."""
    return chained(
        [
            Transfer(
                ids.derived(shipment.name, word, "payment", payment),
                account,
                line,
                amount.minor_units,
                code="payment",
                reference=payment,
            )
            for word, line, account in _uses(shipment)
        ]
    )
