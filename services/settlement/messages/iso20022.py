"""What the ISO 20022 messages share: amounts, dates, agents, accounts, references and remittances.

Readers report to the message's list of problems and give None or an empty text for what they reported.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from lxml import etree
from stdnum import bic, iban

from chassis.currencies import minor_digits, to_major_units, to_minor_units
from chassis.errors import Problem
from chassis.xml import Reader, local_name, namespace, parse_document, put, wrong_namespace

MESSAGE_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:{message}"
REMITTANCE_LINE_LENGTH_MAX = 140
TEXT_LENGTH_MAX = 35

# UUID version 4 in lower case, as the messages' UUIDv4Identifier has it.
_UETR = re.compile(r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}")
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,5})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def is_bic(text: str) -> bool:
    """Whether it is a business identifier code (ISO 9362): 8 or 11 characters in upper case, a country."""
    return text == bic.compact(text) and bool(bic.is_valid(text))


def is_uetr(text: str) -> bool:
    """Whether it is a unique end-to-end transaction reference: a UUID version 4 in lower case."""
    return _UETR.fullmatch(text) is not None


def open_message(content: bytes, message: str, body: str) -> tuple[Reader | None, list[Problem]]:
    """The reader of a message's body, bare or in an envelope; or why there is none.

    message: for example pacs.008.001.08; body: the element below Document.
    """
    root, problems = parse_document(content)
    if root is None:
        return None, problems
    found = _document(root)
    expected = MESSAGE_NAMESPACE.format(message=message)
    if found is None or namespace(found.element) != expected:
        tag = root.tag if found is None else found.element.tag
        return None, [wrong_namespace(local_name(root), tag, f"{{{expected}}}Document")]
    reader = found.find(body)
    if reader is None:
        found.required(body)
    return reader, found.problems


def _document(root: etree._Element) -> Reader | None:
    """The Document element: the root itself, or the first one inside an envelope."""
    reader = Reader(root, local_name(root))
    return reader if reader.path == "Document" else next(reader.descendants("Document"), None)


def new_message(message: str, body: str) -> tuple[etree._Element, etree._Element]:
    """(root, body) of a new message."""
    name = MESSAGE_NAMESPACE.format(message=message)
    root = etree.fromstring(f'<Document xmlns="{name}"/>')
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
    """A required day; None where it is absent or none (reported)."""
    text = reader.required(names)
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
    """A required UETR."""
    text = reader.required(names)
    if text and not is_uetr(text):
        reader.report(
            names,
            "UETR_INVALID",
            f"{text} is no UETR; write a UUID version 4 in lower case, unchanged through the chain.",
            f"{text} 不是有效的 UETR；须为小写的第 4 版 UUID，且全程不变。",
        )
    return text


def read_bic(reader: Reader, names: str) -> str:
    """The required BIC of the agent along names."""
    path = f"{names}/FinInstnId/BICFI"
    text = reader.required(path)
    if text and not is_bic(text):
        reader.report(
            path,
            "BIC_INVALID",
            f"{text} is no BIC; write the 8 or 11 characters that ISO 9362 gives the institution.",
            f"{text} 不是有效的 BIC；须为 ISO 9362 规定的 8 位或 11 位代码。",
        )
    return text


def read_account(reader: Reader, names: str) -> str:
    """The required account along names: its IBAN or its other number."""
    return reader.text(f"{names}/Id/IBAN") or reader.required(f"{names}/Id/Othr/Id")


def put_account(parent: etree._Element, names: str, account: str) -> None:
    """Writes an account as an IBAN where it is one, and as another number otherwise."""
    kind = "IBAN" if account == iban.compact(account) and iban.is_valid(account) else "Othr/Id"
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
    documents = (document for one in remittance.children("Strd") for document in one.children("RfrdDocInf"))
    numbers = (document.text("Nb") for document in documents)
    return "\n".join(line for line in lines if line), tuple(number for number in numbers if number)


def put_remittance(parent: etree._Element, information: str, documents: Sequence[str]) -> None:
    """Writes remittance information: each line unstructured, each document's number structured."""
    for line in information.splitlines():
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
