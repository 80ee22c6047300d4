"""A payment out: the exporter prepares it and its money is held; the bank sends it, or the money comes back.

It comes back when the exporter withdraws, when the bank rejects, or by itself when nobody decided in time.
"""

import datetime
import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree
from stdnum import numdb

from chassis import ids
from chassis.clock import MICROSECONDS
from chassis.codetables import code_table
from chassis.errors import Problem
from chassis.money import Money
from chassis.participants import Participant
from ledger.model import Kind as TransferKind
from ledger.model import Transfer
from services.settlement.messages import pacs008, schema
from services.settlement.messages.pacs008 import CreditTransfer
from trade import checks
from trade.calendars import CHINA
from trade.identifiers import is_bic, is_country, is_iban
from trade.roles import Role

DAY_US = 86_400 * MICROSECONDS
CHARACTERS_LISTED_MAX = 10
# What correspondent banking takes in names, addresses and remittances: CBPR+, the extended set of FIN X.
_CORRESPONDENT = re.compile(r"""[0-9A-Za-z /?:().,'+!#$%&*=^_`{|}~";<>@\[\\\]-]""")
# XML 1.0, section 2.2, without control characters: nothing else stands in any message.
_ANY = re.compile("[\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class State(enum.StrEnum):
    """Where it stands; names of the proto's enum."""

    PENDING_APPROVAL = "PENDING_APPROVAL"
    SENT = "SENT"
    WITHDRAWN = "WITHDRAWN"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class Verb(enum.StrEnum):
    """The things that can be done to it."""

    SEND = "send"
    WITHDRAW = "withdraw"
    REJECT = "reject"
    EXPIRE = "expire"


TRANSITIONS: Mapping[tuple[State, Verb], State] = {
    (State.PENDING_APPROVAL, Verb.SEND): State.SENT,
    (State.PENDING_APPROVAL, Verb.WITHDRAW): State.WITHDRAWN,
    (State.PENDING_APPROVAL, Verb.REJECT): State.REJECTED,
    (State.PENDING_APPROVAL, Verb.EXPIRE): State.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingPayment:
    """A payment out of an exporter's account.

    expire_us: when it ends by itself, if nobody has decided; reason: why the bank rejected it.
    """

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
    state: State = State.PENDING_APPROVAL
    message: bytes = b""
    create_us: int
    revision: int = 1
    expire_us: int
    reason: str = ""

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"outgoingPayments/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The tenants that take part, and as what."""
        return Participant(self.enterprise, Role.ENTERPRISE), Participant(self.bank, Role.BANK)

    @property
    def hold_id(self) -> str:
        """The ledger's hold of its money."""
        return ids.derived(self.name, "hold")


def expire_us(bank: str, now_us: int, business_date: datetime.date) -> int:
    """When a payment of a bank that is prepared now ends by itself: after its days, or those of all banks.

    7 days without a row of its own: data/outgoing_payment_terms.csv.
    """
    terms = code_table("services.settlement", "outgoing_payment_terms")
    row = terms.row(bank, business_date)
    days = int(row["value"] if row else terms.value("default", business_date))
    return now_us + days * DAY_US


def problems(payment: OutgoingPayment, currency: str, business_date: datetime.date) -> list[Problem]:
    """Returns everything that keeps a payment from being sent on a business date, out of an account in a currency.

    Sources: ISO 9362, ISO 13616, ISO 3166; ISO 20022 pacs.008.001.08 for forms and lengths;
    CBPR+ for characters, unless a payment in CNY stays in China, where CNAPS takes Chinese.
    """
    amount, account = payment.amount, payment.creditor_account
    amount_problems = [
        *checks.in_currency("payment.amount", amount.currency, currency, checks.ACCOUNT),
        *checks.positive("payment.amount", amount.minor_units),
    ]
    tests = (
        (is_bic(payment.creditor_agent_bic), "creditor_agent_bic", "BIC_INVALID",
         "Give the BIC that ISO 9362 gives the creditor's bank.", "请填写收款行的有效 BIC。"),
        (is_country(payment.creditor_country), "creditor_country", "COUNTRY_UNKNOWN",
         f"{payment.creditor_country} is no ISO 3166 alpha-2 code.",
         f"{payment.creditor_country} 不是有效的两位国家代码。"),
        (is_iban(account) or not _looks_like_iban(account), "creditor_account", "IBAN_INVALID",
         f"{account} is no IBAN: its check digits or its country's form don't fit.",
         f"{account} 不是有效的 IBAN：校验位或所属国家的格式不符。"),
    )  # fmt: skip
    found = [
        Problem(f"payment.{field}", reason, english, chinese)
        for is_right, field, reason, english, chinese in tests
        if not is_right
    ]
    return amount_problems + found + _text_problems(payment) or _schema_problems(payment, business_date)


def _looks_like_iban(account: str) -> bool:
    """Whether it begins as the IBANs of a country do: DE89…, not 6200… nor US12…, where there are none."""
    begins = numdb.get("iban").info(account)[0]
    return re.fullmatch(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}", account) is not None and "bban" in begins[1]


def _texts(payment: OutgoingPayment) -> Mapping[str, str]:
    names = ("creditor_name", "creditor_account", "creditor_town", "remittance_information")
    return {name: getattr(payment, name) for name in names}


def _text_problems(payment: OutgoingPayment) -> list[Problem]:
    """Texts that are blank, or that have characters that no message takes, or that this one doesn't."""
    allowed = _ANY if _stays_in_china(payment) else _CORRESPONDENT
    found = []
    for name, text in _texts(payment).items():
        lines = text.splitlines() if name == "remittance_information" else [text]
        if strange := sorted({character for line in lines for character in line if not allowed.fullmatch(character)}):
            found.append(_characters(name, strange))
        if text and not text.strip():
            found.append(Problem(f"payment.{name}", "TEXT_BLANK", "Give a text that isn't blank.", "不能为空白。"))
    return found


def _stays_in_china(payment: OutgoingPayment) -> bool:
    return payment.amount.currency == "CNY" and payment.creditor_agent_bic[4:6] == "CN"


def _characters(name: str, strange: Sequence[str]) -> Problem:
    listed = ", ".join(f"U+{ord(character):04X}" for character in strange[:CHARACTERS_LISTED_MAX])
    return Problem(
        f"payment.{name}",
        "CHARACTERS_NOT_TAKEN",
        f"The payment message doesn't take {listed}; write Latin letters, digits and usual signs instead.",
        f"支付报文不支持字符 {listed}；请改用拉丁字母、数字和常用符号。",
    )


def _schema_problems(payment: OutgoingPayment, business_date: datetime.date) -> list[Problem]:
    """Whatever else the schema has against the message that approval would send."""
    root = etree.fromstring(message(payment, payment.create_us, business_date))
    return schema.problems(root, "payment.message", [pacs008.MESSAGE])


def message(payment: OutgoingPayment, now_us: int, business_date: datetime.date) -> bytes:
    """The pacs.008, made now, its time that of China; settled on the business date."""
    made = datetime.datetime.fromtimestamp(now_us // MICROSECONDS, CHINA)
    return pacs008.build(credit_transfer(payment, business_date), made)


def hold_transfer(payment: OutgoingPayment, nostro: str) -> Transfer:
    """Holds the money until the bank decides."""
    return Transfer(
        payment.hold_id,
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
        pending_id=payment.hold_id,
        code="send",
        reference=payment.name,
    )


def return_transfer(payment: OutgoingPayment) -> Transfer:
    """The held money is the exporter's again."""
    return Transfer(
        ids.derived(payment.name, "return"),
        kind=TransferKind.VOID,
        pending_id=payment.hold_id,
        code="return",
        reference=payment.name,
    )


def credit_transfer(payment: OutgoingPayment, settlement_date: datetime.date) -> CreditTransfer:
    """The pacs.008's content. References have at most 35 characters: bare letters of the id."""
    letters = payment.id.partition("-")[2]
    return CreditTransfer(
        message_id=letters,
        uetr=payment.uetr,
        end_to_end_id=letters,
        currency_code=payment.amount.currency,
        minor_units=payment.amount.minor_units,
        settlement_date=settlement_date,
        debtor_name=payment.enterprise.removeprefix("enterprises/"),
        debtor_agent_bic=payment.bank.removeprefix("banks/"),
        creditor_name=payment.creditor_name,
        creditor_account=payment.creditor_account,
        creditor_agent_bic=payment.creditor_agent_bic,
        creditor_town=payment.creditor_town,
        creditor_country=payment.creditor_country,
        remittance_information=payment.remittance_information,
    )
