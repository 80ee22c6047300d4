"""A payment out: the exporter prepares it and its money is held; the bank sends it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from chassis import ids
from chassis.clock import business_date
from chassis.money import Money
from ledger.model import Kind as TransferKind
from ledger.model import Transfer
from services.settlement.messages.pacs008 import CreditTransfer


class State(enum.StrEnum):
    """Where it stands; names of the proto's enum."""

    PENDING_APPROVAL = "PENDING_APPROVAL"
    SENT = "SENT"


class Verb(enum.StrEnum):
    """What can be done to it."""

    SEND = "send"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {(State.PENDING_APPROVAL, Verb.SEND): State.SENT}


@dataclass(frozen=True, slots=True)
class OutgoingPayment:
    """A payment out of an exporter's account."""

    id: str
    bank: str
    enterprise: str
    debit_account: str
    amount: Money
    creditor_name: str
    creditor_account: str
    creditor_agent_bic: str
    creditor_town: str
    creditor_country: str
    remittance_information: str
    uetr: str
    state: State
    message: bytes
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"outgoingPayments/{self.id}"


def hold_transfer(payment: OutgoingPayment, nostro: str) -> Transfer:
    """Holds the money until the bank decides."""
    return Transfer(
        ids.derived(payment.name, "hold"),
        payment.debit_account,
        nostro,
        payment.amount.minor_units,
        TransferKind.PENDING,
        code="hold",
        reference=payment.name,
    )


def send_transfer(payment: OutgoingPayment) -> Transfer:
    """The held money leaves the bank."""
    return Transfer(
        ids.derived(payment.name, "send"),
        kind=TransferKind.POST,
        pending_id=ids.derived(payment.name, "hold"),
        code="send",
        reference=payment.name,
    )


def credit_transfer(payment: OutgoingPayment, now_us: int) -> CreditTransfer:
    """The pacs.008's content. References have at most 35 characters: bare letters of the id."""
    letters = payment.id.partition("-")[2]
    return CreditTransfer(
        message_id=letters,
        uetr=payment.uetr,
        end_to_end_id=letters,
        currency_code=payment.amount.currency,
        minor_units=payment.amount.minor_units,
        settlement_date=business_date(now_us),
        debtor_name=payment.enterprise.removeprefix("enterprises/"),
        debtor_agent_bic=payment.bank.removeprefix("banks/"),
        creditor_name=payment.creditor_name,
        creditor_account=payment.creditor_account,
        creditor_agent_bic=payment.creditor_agent_bic,
        creditor_town=payment.creditor_town,
        creditor_country=payment.creditor_country,
        remittance_information=payment.remittance_information,
    )
