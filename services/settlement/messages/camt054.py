"""camt.054.001.08, BankToCustomerDebitCreditNotification: what the bank booked on its customer's accounts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Literal

from lxml import etree

from chassis.errors import Problem
from chassis.xml import Reader, document, put
from services.settlement.messages.iso20022 import (
    new_message,
    open_message,
    put_account,
    put_amount,
    put_remittance,
    read_account,
    read_amount,
    read_date,
    read_remittance,
    read_text,
    read_uetr,
    timestamp,
)

MESSAGE = "camt.054.001.08"
BODY = "BkToCstmrDbtCdtNtfctn"
DIRECTIONS = ("CRDT", "DBIT")

# Family of the bank transaction code by direction: received or issued credit transfer.
_FAMILIES = {"CRDT": "RCDT", "DBIT": "ICDT"}
_DETAILS = "NtryDtls/TxDtls"


@dataclass(frozen=True, slots=True)
class Entry:
    """One booking. minor_units by ISO 4217, always positive: the direction says which way.

    reference: the bank's own for the booking; empty texts are left out of the message.
    """

    account: str
    currency_code: str
    minor_units: int
    direction: Literal["CRDT", "DBIT"]
    booking_date: date
    reference: str
    end_to_end_id: str = ""
    uetr: str = ""
    remittance_information: str = ""
    remittance_documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notification:
    """A message: its id and its entries, those of an account together."""

    message_id: str
    entries: Sequence[Entry]


def build(message_id: str, creation_time: datetime, entries: Iterable[Entry]) -> bytes:
    """The message: one notification for each account, in the order of the accounts' numbers."""
    root, body = new_message(MESSAGE, BODY)
    put(body, "GrpHdr/MsgId", message_id)
    put(body, "GrpHdr/CreDtTm", timestamp(creation_time))
    ordered = sorted(entries, key=lambda entry: entry.account)
    for number, (account, booked) in enumerate(groupby(ordered, key=lambda entry: entry.account), start=1):
        _put_notification(put(body, "Ntfctn"), str(number), account, booked)
    return document(root)


def _put_notification(parent: etree._Element, number: str, account: str, entries: Iterable[Entry]) -> None:
    put(parent, "Id", number)
    put_account(parent, "Acct", account)
    for entry in entries:
        _put_entry(put(parent, "Ntry"), entry)


def _put_entry(parent: etree._Element, entry: Entry) -> None:
    put_amount(parent, "Amt", entry.currency_code, entry.minor_units)
    put(parent, "CdtDbtInd", entry.direction)
    put(parent, "Sts/Cd", "BOOK")
    put(parent, "BookgDt/Dt", entry.booking_date.isoformat())
    put(parent, "AcctSvcrRef", entry.reference)
    put(parent, "BkTxCd/Domn/Cd", "PMNT")
    put(parent, "BkTxCd/Domn/Fmly/Cd", _FAMILIES[entry.direction])
    put(parent, "BkTxCd/Domn/Fmly/SubFmlyCd", "XBCT")
    _put_details(parent, entry)


def _put_details(parent: etree._Element, entry: Entry) -> None:
    details = put(parent, _DETAILS)
    for name, text in (("EndToEndId", entry.end_to_end_id), ("UETR", entry.uetr)):
        if text:
            put(details, f"Refs/{name}", text)
    put_remittance(details, entry.remittance_information, entry.remittance_documents)


def parse(content: bytes) -> tuple[Notification | None, list[Problem]]:
    """The entries of a message, bare or in an envelope; None and all its problems where it has any."""
    opened, problems = open_message(content, [MESSAGE], BODY)
    if opened is None:
        return None, problems
    body = opened.body
    message_id = read_text(body, "GrpHdr/MsgId")
    entries = [_entry(entry, reader) for reader in body.children("Ntfctn") for entry in reader.children("Ntry")]
    return (None if problems else Notification(message_id, entries)), problems


def _entry(reader: Reader, notification: Reader) -> Entry:
    currency_code, minor_units = read_amount(reader, "Amt")
    reader.required("BookgDt/Dt")
    information, documents = read_remittance(reader, f"{_DETAILS}/RmtInf")
    return Entry(
        account=read_account(notification, "Acct"),
        currency_code=currency_code,
        minor_units=minor_units,
        direction=_direction(reader),
        booking_date=read_date(reader, "BookgDt/Dt") or date.min,
        reference=read_text(reader, "AcctSvcrRef"),
        end_to_end_id=reader.text(f"{_DETAILS}/Refs/EndToEndId"),
        uetr=read_uetr(reader, f"{_DETAILS}/Refs/UETR"),
        remittance_information=information,
        remittance_documents=documents,
    )


def _direction(reader: Reader) -> Literal["CRDT", "DBIT"]:
    text = reader.required("CdtDbtInd")
    if text and text not in DIRECTIONS:
        english, chinese = f"{text} is neither CRDT nor DBIT.", f"{text} 不是 CRDT 或 DBIT。"
        reader.report("CdtDbtInd", "DIRECTION_INVALID", english, chinese)
    return "DBIT" if text == "DBIT" else "CRDT"
