"""Credit notifications: a camt.054 for each customer's account that a payment credited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis import ids
from chassis.clock import MICROSECONDS
from chassis.money import Money
from chassis.participants import Participant
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.messages import camt054
from services.settlement.messages.iso20022 import REMITTANCE_LINE_LENGTH_MAX, is_uetr
from trade.calendars import CHINA
from trade.roles import Role


@dataclass(frozen=True, slots=True)
class Credit:
    """An amount that a payment credited to an account, by which of its transfers."""

    account: str
    amount: Money
    code: str
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notice to an account's owner."""

    id: str
    bank: str
    owner: str
    account: str
    payment: str
    amount: Money
    content: bytes
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"notifications/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.owner, Role.OWNER), Participant(self.bank, Role.BANK)


def content(
    identifier: str, account_number: str, credit: Credit, payment: IncomingPayment, now_us: int, booking_date: date
) -> bytes:
    """The camt.054, of the account by its number in messages.

    Its references have at most 35 characters: bare letters, bare digits of the transfer's id.
    """
    entry = camt054.Entry(
        account=account_number,
        currency_code=credit.amount.currency,
        minor_units=credit.amount.minor_units,
        direction="CRDT",
        booking_date=booking_date,
        reference=ids.derived(payment.name, credit.code, credit.about).replace("-", ""),
        end_to_end_id=payment.end_to_end_id,
        uetr=payment.uetr if is_uetr(payment.uetr) else "",
        remittance_information="\n".join(_lines(payment.remittance_information)),
        remittance_documents=payment.remittance_documents,
    )
    created = datetime.fromtimestamp(now_us // MICROSECONDS, CHINA)
    return camt054.build(identifier.partition("-")[2], created, [entry])


def _lines(text: str) -> Sequence[str]:
    """Lines as long as the message takes them; nothing is cut off."""
    length = REMITTANCE_LINE_LENGTH_MAX
    return [line[start : start + length] for line in text.splitlines() for start in range(0, len(line), length)]
