"""Readers that the ISO 20022 messages share: amounts, dates, agents, accounts, references and remittances.

Readers report to the message's list of problems and give None or an empty text for what they reported.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice

from lxml import etree
from stdnum import iban

from chassis.currencies import minor_digits, to_major_units, to_minor_units
from chassis.errors import Problem
from chassis.xml import Reader, local_name, namespace, parse_document, put, wrong_namespace
from services.settlement.messages import schema
from trade.identifiers import is_bic, is_iban

REMITTANCE_LINE_LENGTH_MAX = 140
TEXT_LENGTH_MAX = 35
# The longest examples of CBPR+ have some 1,500; what is told of a place grows with the square of its neighbours.
ELEMENTS_MAX = 5_000

# UUID version 4 in lower case, as the messages' UUIDv4Identifier has it.
_UETR = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}")
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,5})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_OUR_ACCOUNT = re.compile(r"(?:accounts/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.ASCII | re.IGNORECASE)


def is_uetr(text: str) -> bool:
    """Whether it is a unique end-to-end transaction reference: a UUID version 4 in lower case."""
    return _UETR.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Opened:
    """A message taken out of its envelope. message: for example pacs.008.001.08; header: AppHdr, where it has one."""

    message: str
    document: Reader
    body: Reader
    header: Reader | None


def open_message(content: bytes, messages: Collection[str], body: str) -> tuple[Opened | None, list[Problem]]:
    """A message, bare or in an envelope of any name; or why there is none.

    messages: those that are taken, for example pacs.008.001.08; body: the element below Document. An envelope
    holds one Document and at most one AppHdr: BusMsgEnvlp, RequestPayload, FedNowIncoming and others.
    """
    root, problems = parse_document(content)
    if root is None:
        return None, problems
    top = Reader(root, local_name(root))
    if sum(1 for _ in islice(root.iter(), ELEMENTS_MAX + 1)) > ELEMENTS_MAX:
        return None, [_too_large(top.path)]
    documents = [top] if top.path == "Document" else list(top.descendants("Document"))
    message = namespace(documents[0].element).removeprefix(schema.NAMESPACE) if documents else ""
    if message not in messages:
        tag = str(documents[0].element.tag) if documents else str(root.tag)
        return None, [_wrong_message(top.path, tag, messages)]
    if len(documents) > 1:
        return None, [_several_documents(top.path, len(documents))]
    document = Reader(documents[0].element, documents[0].path, top.problems)
    reader = document.find(body)
    if reader is None:
        document.required(body)
        return None, document.problems
    header = None if document.element is root else next(top.descendants("AppHdr"), None)
    return Opened(message, document, reader, header), document.problems


def _wrong_message(path: str, tag: str, messages: Collection[str]) -> Problem:
    *others, last = messages
    taken = f"{', '.join(others)} or {last}" if others else last
    return wrong_namespace(path, tag, f"a Document of {taken}")


def _too_large(path: str) -> Problem:
    return Problem(
        path,
        "ELEMENTS_TOO_MANY",
        f"The message has more than {ELEMENTS_MAX} elements; send each transaction in a message of its own.",
        f"报文超过 {ELEMENTS_MAX} 个元素；请逐笔交易分别发送。",
    )


def _several_documents(path: str, count: int) -> Problem:
    return Problem(
        path,
        "DOCUMENTS_SEVERAL",
        f"The envelope holds {count} documents; send each in an envelope of its own.",
        f"信封内含 {count} 份报文；请逐份发送。",
    )


def new_message(message: str, body: str) -> tuple[etree._Element, etree._Element]:
    """(root, body) of a new message."""
    root = etree.fromstring(f'<Document xmlns="{schema.NAMESPACE}{message}"/>')
    return root, put(root, body)


def read_text(reader: Reader, names: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """A required text, with its greatest length in characters."""
    text = reader.required(names)
    if len(text) > length_max:
        english = f"{names} has {len(text)} characters; at most {length_max} are allowed."
        reader.report(names, "TOO_LONG", english, f"{names} 有 {len(text)} 个字符；最多 {length_max} 个。")
    return text


def read_amount(reader: Reader, names: str) -> tuple[str, int]:
    """(currency, minor units) of a required amount; 0 minor units where it can't be read (reported)."""
    text = reader.required(names)
    element = reader.find(names)
    currency_code = element.attribute("Ccy") if element else ""
    if not text:
        return currency_code, 0
    if minor_digits(currency_code) is None:
        _report_currency(reader, names, currency_code)
        return currency_code, 0
    return currency_code, _read_minor_units(reader, names, text, currency_code)


def _read_minor_units(reader: Reader, names: str, text: str, currency_code: str) -> int:
    minor_units = to_minor_units(Decimal(text), currency_code) if _AMOUNT.fullmatch(text) else None
    if not minor_units:
        digits = minor_digits(currency_code)
        reader.report(
            names,
            "AMOUNT_INVALID",
            f"{text} is no positive amount in {currency_code} with at most {digits} decimals.",
            f"{text} 不是有效的 {currency_code} 正金额；最多 {digits} 位小数。",
        )
    return minor_units or 0


def _report_currency(reader: Reader, names: str, currency_code: str) -> None:
    reader.report(
        names,
        "CURRENCY_UNKNOWN",
        f"{currency_code or 'Nothing'} is no currency; write the ISO 4217 code into Ccy, for example USD.",
        f"{currency_code or '空值'} 不是有效币种；请在 Ccy 填写 ISO 4217 字母代码，如 USD。",
    )


def read_date(reader: Reader, names: str) -> date | None:
    """A day; None where it is absent, or none (reported)."""
    text = reader.text(names)
    day = _day(text)
    if text and day is None:
        english, chinese = (
            f"{text} is no day in the form YYYY-MM-DD.",
            f"{text} 不是 YYYY-MM-DD 形式的有效日期。",
        )
        reader.report(names, "DATE_INVALID", english, chinese)
    return day


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def read_uetr(reader: Reader, names: str) -> str:
    """A UETR; empty where there is none, as in SEPA or a version before pacs.008.001.08."""
    text = reader.text(names)
    if text and not is_uetr(text):
        reader.report(
            names,
            "UETR_INVALID",
            f"{text} is no UETR; write a UUID version 4 in lower case, unchanged through the chain.",
            f"{text} 不是有效的 UETR；须为小写的第 4 版 UUID，且全程不变。",
        )
    return text


def read_bic(reader: Reader, *choices: str) -> str:
    """A BIC at the first of the choices that is there; empty where none is.

    choices: for example FinInstnId/BICFI and FinInstnId/BIC, as versions before pacs.008.001.03 write it.
    """
    names = next((choice for choice in choices if reader.text(choice)), choices[0])
    text = reader.text(names)
    if text and not is_bic(text):
        reader.report(
            names,
            "BIC_INVALID",
            f"{text} is no BIC; write the 8 or 11 characters that ISO 9362 gives the institution.",
            f"{text} 不是有效的 BIC；须为 ISO 9362 规定的 8 位或 11 位代码。",
        )
    return text


def read_account(reader: Reader, names: str) -> str:
    """The required account along names: its IBAN, or its other number, one of ours in its short form.

    "DE89370400440532013000" is an IBAN; "6200411000010001" a bank's own number; "accounts/" and the 36
    characters of one of our ids become its 32 digits.
    """
    text = reader.text(f"{names}/Id/IBAN")
    if not text:
        return short_account(reader.required(f"{names}/Id/Othr/Id"))
    if not iban.is_valid(text):
        reader.report(
            f"{names}/Id/IBAN",
            "IBAN_INVALID",
            f"{text} is no IBAN: its check digits or its country's form don't fit.",
            f"{text} 不是有效的 IBAN：校验位或所属国家的格式不符。",
        )
    return text


def short_account(account: str) -> str:
    """One of our accounts in the 32 digits that Max34Text has room for; any other number unchanged.

    "accounts/0f8fad5b-d9cb-469f-a165-70867728950e" becomes "0f8fad5bd9cb469fa16570867728950e".
    """
    matched = _OUR_ACCOUNT.fullmatch(account)
    return matched[1].replace("-", "").lower() if matched else account


def shorten_accounts(document: Reader) -> None:
    """Brings the ids of our accounts into their short form, which alone the schema has room for."""
    for account in document.descendants("CdtrAcct"):
        number = account.find("Id/Othr/Id")
        if number is not None:
            number.element.text = short_account(number.own_text()) or None


def put_account(parent: etree._Element, names: str, account: str) -> None:
    """Writes an account as an IBAN where it is one, and as another number otherwise, ours in its short form."""
    account = short_account(account)
    kind = "IBAN" if is_iban(account) else "Othr/Id"
    put(parent, f"{names}/Id/{kind}", account)


def put_amount(parent: etree._Element, names: str, currency_code: str, minor_units: int) -> None:
    """Writes an amount with all the decimals of its currency."""
    put(parent, names, f"{to_major_units(minor_units, currency_code):f}", Ccy=currency_code)


def read_remittance(reader: Reader, names: str = "RmtInf") -> tuple[str, tuple[str, ...]]:
    """(unstructured lines joined by line feeds, numbers of the referred documents)."""
    remittance = reader.find(names)
    if remittance is None:
        return "", ()
    lines = [line.own_text() for line in remittance.children("Ustrd")]
    documents = (document for child in remittance.children("Strd") for document in child.children("RfrdDocInf"))
    numbers = (document.text("Nb") for document in documents)
    return "\n".join(line for line in lines if line), tuple(number for number in numbers if number)


def put_remittance(parent: etree._Element, information: str, documents: Sequence[str]) -> None:
    """Writes remittance information: each line that isn't blank unstructured, each document's number structured."""
    for line in filter(str.strip, information.splitlines()):
        if len(line) > REMITTANCE_LINE_LENGTH_MAX:
            raise ValueError(f"a line of remittance information has at most {REMITTANCE_LINE_LENGTH_MAX} characters")
        put(parent, "RmtInf/Ustrd", line)
    for number in documents:
        structured = put(parent, "RmtInf/Strd")
        put(structured, "RfrdDocInf/Tp/CdOrPrtry/Cd", "CINV")
        put(structured, "RfrdDocInf/Nb", number)


def timestamp(time: datetime) -> str:
    """ISO 8601 with the offset; a time without one is a bug."""
    if time.tzinfo is None:
        raise ValueError("a message's time needs its offset")
    return time.isoformat(timespec="seconds")
