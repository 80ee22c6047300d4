"""pacs.008.001.08, FIToFICustomerCreditTransfer: what a buyer's bank sends for the exporter's account.

Rules: the ISO 20022 schema for forms and lengths; CBPR+ for one transaction to a message, and from
November 2026 for addresses, which need at least TwnNm and Ctry.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

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
    read_bic,
    read_date,
    read_remittance,
    read_text,
    read_uetr,
    timestamp,
)

MESSAGE = "pacs.008.001.08"
BODY = "FIToFICstmrCdtTrf"
NAME_LENGTH_MAX = 140

_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """One customer credit transfer. minor_units by ISO 4217; countries ISO 3166 alpha-2, empty if unknown.

    remittance_information: the unstructured lines, joined by line feeds; remittance_documents: numbers of
    the documents it refers to.
    """

    message_id: str
    uetr: str
    end_to_end_id: str
    currency_code: str
    minor_units: int
    settlement_date: date
    debtor_name: str
    debtor_agent_bic: str
    creditor_name: str
    creditor_account: str
    creditor_agent_bic: str
    debtor_town: str = ""
    debtor_country: str = ""
    creditor_town: str = ""
    creditor_country: str = ""
    remittance_information: str = ""
    remittance_documents: tuple[str, ...] = ()


def parse(content: bytes) -> tuple[CreditTransfer | None, list[Problem]]:
    """The transfer of a message, bare or in an envelope; None and all its problems where it has any."""
    body, problems = open_message(content, MESSAGE, BODY)
    if body is None:
        return None, problems
    transfer = _read(body)
    return (None if problems else transfer), problems


def _read(body: Reader) -> CreditTransfer | None:
    message_id = read_text(body, "GrpHdr/MsgId")
    transactions = list(body.children("CdtTrfTxInf"))
    if len(transactions) != 1:
        _report_count(body, len(transactions))
    found = [_transaction(transaction) for transaction in transactions]
    return replace(found[0], message_id=message_id) if found and found[0] else None


def _report_count(body: Reader, count: int) -> None:
    body.report(
        "CdtTrfTxInf",
        "TRANSACTION_COUNT",
        f"The message has {count} transactions; send exactly one in each message.",
        f"报文含 {count} 笔交易；每份报文须且仅须一笔。",
    )


def _transaction(reader: Reader) -> CreditTransfer | None:
    """The transfer, its message_id still empty; None where its settlement date can't be read (reported)."""
    _check_addresses(reader)
    end_to_end_id = read_text(reader, "PmtId/EndToEndId")
    uetr = read_uetr(reader, "PmtId/UETR")
    currency_code, minor_units = read_amount(reader, "IntrBkSttlmAmt")
    settlement_date = read_date(reader, "IntrBkSttlmDt")
    information, documents = read_remittance(reader)
    transfer = CreditTransfer(
        message_id="",
        uetr=uetr,
        end_to_end_id=end_to_end_id,
        currency_code=currency_code,
        minor_units=minor_units,
        settlement_date=settlement_date or date.min,
        debtor_name=read_text(reader, "Dbtr/Nm", NAME_LENGTH_MAX),
        debtor_agent_bic=read_bic(reader, "DbtrAgt"),
        creditor_agent_bic=read_bic(reader, "CdtrAgt"),
        creditor_name=read_text(reader, "Cdtr/Nm", NAME_LENGTH_MAX),
        creditor_account=read_account(reader, "CdtrAcct"),
        debtor_town=reader.text("Dbtr/PstlAdr/TwnNm"),
        debtor_country=reader.text("Dbtr/PstlAdr/Ctry"),
        creditor_town=reader.text("Cdtr/PstlAdr/TwnNm"),
        creditor_country=reader.text("Cdtr/PstlAdr/Ctry"),
        remittance_information=information,
        remittance_documents=documents,
    )
    return transfer if settlement_date else None


def _check_addresses(transaction: Reader) -> None:
    """Every postal address of every party and agent names its town and its country."""
    for address in transaction.descendants("PstlAdr"):
        country = address.text("Ctry")
        if not (address.text("TwnNm") and country):
            address.report(
                "",
                "ADDRESS_UNSTRUCTURED",
                "The address is unstructured; give at least TwnNm and Ctry in their own elements.",
                "地址为非结构化；请至少以独立元素填写 TwnNm 和 Ctry。",
            )
        elif not _COUNTRY.fullmatch(country):
            english, chinese = (
                f"{country} is no ISO 3166 alpha-2 code.",
                f"{country} 不是有效的两位国家代码。",
            )
            address.report("Ctry", "COUNTRY_UNKNOWN", english, chinese)


def build(transfer: CreditTransfer, creation_time: datetime | None = None) -> bytes:
    """The message of a transfer, its addresses structured; by default created as its settlement day began."""
    for town, country in _addresses(transfer):
        if bool(town) != bool(country):
            raise ValueError("an address needs both town and country")
    root, body = new_message(MESSAGE, BODY)
    created = creation_time or datetime.combine(transfer.settlement_date, time.min, UTC)
    put(body, "GrpHdr/MsgId", transfer.message_id)
    put(body, "GrpHdr/CreDtTm", timestamp(created))
    put(body, "GrpHdr/NbOfTxs", "1")
    put(body, "GrpHdr/SttlmInf/SttlmMtd", "INDA")
    _put_transaction(put(body, "CdtTrfTxInf"), transfer)
    return document(root)


def _addresses(transfer: CreditTransfer) -> tuple[tuple[str, str], ...]:
    """(town, country) of debtor and creditor."""
    debtor = (transfer.debtor_town, transfer.debtor_country)
    return debtor, (transfer.creditor_town, transfer.creditor_country)


def _put_transaction(parent: etree._Element, transfer: CreditTransfer) -> None:
    put(parent, "PmtId/EndToEndId", transfer.end_to_end_id)
    put(parent, "PmtId/UETR", transfer.uetr)
    put_amount(parent, "IntrBkSttlmAmt", transfer.currency_code, transfer.minor_units)
    put(parent, "IntrBkSttlmDt", transfer.settlement_date.isoformat())
    put(parent, "ChrgBr", "SHAR")
    _put_parties(parent, transfer)
    put_remittance(parent, transfer.remittance_information, transfer.remittance_documents)


def _put_parties(parent: etree._Element, transfer: CreditTransfer) -> None:
    debtor, creditor = _addresses(transfer)
    _put_party(parent, "Dbtr", transfer.debtor_name, *debtor)
    put(parent, "DbtrAgt/FinInstnId/BICFI", transfer.debtor_agent_bic)
    put(parent, "CdtrAgt/FinInstnId/BICFI", transfer.creditor_agent_bic)
    _put_party(parent, "Cdtr", transfer.creditor_name, *creditor)
    put_account(parent, "CdtrAcct", transfer.creditor_account)


def _put_party(parent: etree._Element, role: str, name: str, town: str, country: str) -> None:
    put(parent, f"{role}/Nm", name)
    if country:
        put(parent, f"{role}/PstlAdr/TwnNm", town)
        put(parent, f"{role}/PstlAdr/Ctry", country)
