"""FIToFICustomerCreditTransfer (pacs.008): what a buyer's bank sends for the exporter's account.

Rules: the ISO 20022 schema of the message's own version for forms, order and lengths; its rules of content
for what the group header says again (number of transactions, control sum, total, date); CBPR+ for one
transaction to a message, for the business application header and, by the message's date, for addresses.
Schemes other than CBPR+ are read too: agents by their member id of a clearing system, no UETR, the
settlement date in the group header.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from lxml import etree

from chassis import ids
from chassis.codetables import code_table
from chassis.errors import Problem
from chassis.xml import Reader, document, put
from services.settlement.messages import header, schema
from services.settlement.messages.declaration_numbers import declaration_numbers
from services.settlement.messages.iso20022 import (
    Opened,
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
    shorten_accounts,
    timestamp,
)
from trade.identifiers import is_country

# What Aval writes.
MESSAGE = "pacs.008.001.08"
BODY = "FIToFICstmrCdtTrf"
TRANSACTION = f"Document/{BODY}/CdtTrfTxInf"
NAME_LENGTH_MAX = 140
NOT_PROVIDED = "NOTPROVIDED"

# What Aval reads, with the schemas that a message of the version may fit: its own, or the two next to it where its
# own isn't kept.
SCHEMAS: Mapping[str, Sequence[str]] = {
    f"pacs.008.001.{version}": [f"pacs.008.001.{schema}" for schema in schemas]
    for version, schemas in (
        ("02", ("02",)),
        ("03", ("07", "02")),
        ("04", ("07", "02")),
        ("05", ("07", "02")),
        ("06", ("07", "02")),
        ("07", ("07",)),
        ("08", ("08",)),
        ("09", ("12", "08")),
        ("10", ("12", "08")),
        ("11", ("12", "08")),
        ("12", ("12",)),
        ("13", ("13",)),
    )
}

_NUMERIC = re.compile(r"[0-9]{1,15}", re.ASCII)
_SUM = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,17})?", re.ASCII)
# Those whose postal address CBPR+ wants structured: parties, and agents that have nothing but name and address.
_PARTIES = ("Dbtr", "UltmtDbtr", "InitgPty", "Cdtr", "UltmtCdtr")
_AGENTS = (
    *(f"{role}{number}" for role in ("PrvsInstgAgt", "IntrmyAgt") for number in ("1", "2", "3")),
    "PrvsInstgAgt", "DbtrAgt", "CdtrAgt",
)  # fmt: skip
_COUNTRIES = ("Ctry", "CtryOfRes", "CtryOfBirth")
# Where a reference may stand beside the remittance's lines and documents.
_REFERENCES = (
    "RmtInf/Strd/CdtrRefInf/Ref",
    "RmtInf/Strd/AddtlRmtInf",
    "RmtInf/Strd/RfrdDocInf/LineDtls/Id/Nb",
    "RmtInf/Strd/RfrdDocInf/LineDtls/Desc",
    "RmtInf/Strd/TaxRmt/RefNb",
    "RltdRmtInf/RmtId",
    "RgltryRptg/Dtls/Inf",
    "InstrForCdtrAgt/InstrInf",
)


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """One customer credit transfer. minor_units by ISO 4217; countries ISO 3166 alpha-2, empty if unknown.

    uetr: empty where the scheme has none; debtor_name, creditor_name: the name, or the BIC or LEI of a party that
    gives no name; debtor_agent, creditor_agent: the clearing system's member id or the name of an agent that
    gives no BIC, for example "USABA 011104238"; remittance_information: the unstructured lines, joined by
    line feeds; remittance_documents: numbers of the documents it refers to; references: creditor's reference
    and other structured texts; transaction_id: the first agent's own, for schemes without a UETR;
    instructed_agent_bic, receiver_bic: the banks that the message and its header are sent to.
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
    debtor_agent: str = ""
    creditor_agent: str = ""
    references: tuple[str, ...] = ()
    transaction_id: str = ""
    instructed_agent_bic: str = ""
    receiver_bic: str = ""

    @property
    def chain_id(self) -> str:
        """The payment's, the same in every message about it: its UETR, or a UUID (version 5) where it has none.

        It follows from the debtor's agent and the transaction id, or the message's and end-to-end ids.
        """
        agent = self.debtor_agent_bic or self.debtor_agent
        own = (self.transaction_id,) if self.transaction_id else (self.message_id, self.end_to_end_id)
        return self.uetr or ids.derived("payment", agent, *own)

    @property
    def declarations(self) -> tuple[str, ...]:
        """The customs declarations' numbers that it names: in remittance, references, or end-to-end id."""
        written = (self.remittance_information, *self.remittance_documents, *self.references, self.end_to_end_id)
        return declaration_numbers(written)


def parse(content: bytes) -> tuple[CreditTransfer | None, list[Problem]]:
    """The transfer of a message, bare or in an envelope; None and its problems, the first 20, where it has any."""
    opened, problems = open_message(content, SCHEMAS, BODY)
    if opened is None:
        return None, problems
    shorten_accounts(opened.document)
    transfer = _read(opened)
    told = opened.document
    problems.extend(schema.problems(told.element, told.path, SCHEMAS[opened.message], problems))
    return (None if problems else transfer), problems[: schema.PROBLEMS_MAX]


def addressed_elsewhere(transfer: CreditTransfer, bank_bic: str) -> list[Problem]:
    """The places in which the message names another bank than the one that takes it; branches count as their bank.

    LMHFCNB0 takes what is for LMHFCNB0XXX or LMHFCNB0123, not what is for YUHECNB0.
    """
    named = (
        ("AppHdr/To", transfer.receiver_bic),
        (f"{TRANSACTION}/InstdAgt", transfer.instructed_agent_bic),
        (f"{TRANSACTION}/CdtrAgt", transfer.creditor_agent_bic),
    )
    return [
        Problem(
            path,
            "AGENT_OF_ANOTHER",
            f"{bic} is another bank than {bank_bic}; send the message to the bank it names.",
            f"{bic} 与本行 {bank_bic} 不符；请发送至报文所指的银行。",
        )
        for path, bic in named
        if bic and bic[:8] != bank_bic[:8]
    ]


def _read(opened: Opened) -> CreditTransfer | None:
    body = opened.body
    message_id = read_text(body, "GrpHdr/MsgId")
    transactions = list(body.children("CdtTrfTxInf"))
    group = body.find("GrpHdr")
    _check_countries([group, *transactions] if group else transactions)
    if len(transactions) != 1:
        _report_count(body, len(transactions))
        return None
    transfer = _transaction(body, transactions[0])
    _check_group(body, transactions[0])
    instructing, instructed = (_agent_of_either(body, transactions[0], role) for role in ("InstgAgt", "InstdAgt"))
    receiver = ""
    if opened.header is not None:
        receiver = header.check(opened.header, header.Said(opened.message, message_id, instructing, instructed))
        if header.is_correspondent(opened.header):
            transactions[0].required("PmtId/UETR")
    return replace(transfer, message_id=message_id, instructed_agent_bic=instructed, receiver_bic=receiver)


def _agent_of_either(body: Reader, transaction: Reader, role: str) -> str:
    """The BIC of an agent that the transaction or the group header names."""
    of_group = body.find("GrpHdr")
    readers = (transaction, of_group) if of_group else (transaction,)
    return next((bic for reader in readers if (bic := read_bic(reader, *_bics(role)))), "")


def _bics(role: str) -> tuple[str, str]:
    return f"{role}/FinInstnId/BICFI", f"{role}/FinInstnId/BIC"


def _report_count(body: Reader, count: int) -> None:
    body.report(
        "CdtTrfTxInf",
        "TRANSACTION_COUNT",
        f"The message has {count} transactions; send exactly one in each message.",
        f"报文含 {count} 笔交易；每份报文须且仅须一笔。",
    )


def _check_group(body: Reader, transaction: Reader) -> None:
    """The group header says again what its one transaction says: ISO 20022, rules on the group header."""
    amount = transaction.text("IntrBkSttlmAmt")
    currency = _currency(transaction, "IntrBkSttlmAmt")
    for names, differs, expected in (
        ("NbOfTxs", _differs(body.text("GrpHdr/NbOfTxs"), "1", _NUMERIC), "1"),
        ("CtrlSum", _differs(body.text("GrpHdr/CtrlSum"), amount, _SUM), amount),
        ("TtlIntrBkSttlmAmt", _differs(body.text("GrpHdr/TtlIntrBkSttlmAmt"), amount, _SUM), amount),
    ):
        if differs:
            _report_difference(body, names, body.text(f"GrpHdr/{names}"), expected)
    total = _currency(body, "GrpHdr/TtlIntrBkSttlmAmt")
    if total and currency and total != currency:
        _report_difference(body, "TtlIntrBkSttlmAmt", total, currency)
    said, day = body.text("GrpHdr/IntrBkSttlmDt"), transaction.text("IntrBkSttlmDt")
    if said and day and said != day:
        _report_difference(body, "IntrBkSttlmDt", said, day)


def _differs(said: str, expected: str, form: re.Pattern[str]) -> bool:
    """Whether both are numbers and differ: 10 and 10.00 don't. What is no number the schema tells."""
    if not (form.fullmatch(said) and form.fullmatch(expected)):
        return False
    return Decimal(said) != Decimal(expected)


def _currency(reader: Reader, names: str) -> str:
    amount = reader.find(names)
    return amount.attribute("Ccy") if amount else ""


def _report_difference(body: Reader, names: str, said: str, expected: str) -> None:
    body.report(
        f"GrpHdr/{names}",
        "CONTROL_DIFFERS",
        f"The group header's {names} says {said[:40]}, the transaction {expected[:40]}; send the whole message again.",
        f"报文组头 {names} 为 {said[:40]}，交易为 {expected[:40]}；请重新发送完整报文。",
    )


def _transaction(body: Reader, reader: Reader) -> CreditTransfer:
    """The transfer, what the group and the header say of it still empty."""
    _check_addresses(body, reader)
    currency_code, minor_units = read_amount(reader, "IntrBkSttlmAmt")
    information, documents = read_remittance(reader)
    creditor_agent_bic, creditor_agent = _agent(reader, "CdtrAgt")
    debtor_agent_bic, debtor_agent = _agent(reader, "DbtrAgt")
    return CreditTransfer(
        message_id="",
        uetr=read_uetr(reader, "PmtId/UETR"),
        end_to_end_id=read_text(reader, "PmtId/EndToEndId"),
        currency_code=currency_code,
        minor_units=minor_units,
        settlement_date=_settlement_date(body, reader),
        debtor_name=_party(reader, "Dbtr"),
        debtor_agent_bic=debtor_agent_bic,
        creditor_agent_bic=creditor_agent_bic,
        creditor_name=_party(reader, "Cdtr"),
        creditor_account=read_account(reader, "CdtrAcct"),
        debtor_town=reader.text("Dbtr/PstlAdr/TwnNm"),
        debtor_country=reader.text("Dbtr/PstlAdr/Ctry"),
        creditor_town=reader.text("Cdtr/PstlAdr/TwnNm"),
        creditor_country=reader.text("Cdtr/PstlAdr/Ctry"),
        remittance_information=information,
        remittance_documents=documents,
        debtor_agent=debtor_agent,
        creditor_agent=creditor_agent,
        references=tuple(_references(reader)),
        transaction_id=reader.text("PmtId/TxId") or reader.text("PmtId/ClrSysRef"),
    )


def _settlement_date(body: Reader, transaction: Reader) -> date:
    """The transaction's, or the group's where the scheme has it there; the first of days where it has none."""
    if body.text("GrpHdr/IntrBkSttlmDt"):
        of_group = read_date(body, "GrpHdr/IntrBkSttlmDt")
        return read_date(transaction, "IntrBkSttlmDt") or of_group or date.min
    transaction.required("IntrBkSttlmDt")
    return read_date(transaction, "IntrBkSttlmDt") or date.min


def _party(reader: Reader, role: str) -> str:
    """The party's name, or its BIC or LEI where it gives no name; reports where it gives none of them."""
    organisation = f"{role}/Id/OrgId"
    for names in (f"{organisation}/AnyBIC", f"{organisation}/BICOrBEI", f"{organisation}/LEI"):
        if not reader.text(f"{role}/Nm") and reader.text(names):
            return reader.text(names)
    return read_text(reader, f"{role}/Nm", NAME_LENGTH_MAX)


def _agent(reader: Reader, role: str) -> tuple[str, str]:
    """(BIC, "") of an agent, or ("", member id of its clearing system, LEI or name); reports where it has none of them.

    ("PCHTUSN0", ""); ("", "USABA 011104238"), as FedNow writes it; ("", "RURAL BANK OF XUCHANG").
    """
    place = f"{role}/FinInstnId"
    member = f"{place}/ClrSysMmbId"
    system = reader.text(f"{member}/ClrSysId/Cd") or reader.text(f"{member}/ClrSysId/Prtry")
    member_id = " ".join(filter(None, (system, reader.text(f"{member}/MmbId"))))
    other = member_id or reader.text(f"{place}/LEI") or reader.text(f"{place}/Nm")
    bic = read_bic(reader, *_bics(role))
    if not (bic or other):
        reader.required(f"{place}/BICFI")
    return bic, "" if bic else other


def _references(transaction: Reader) -> Iterator[str]:
    """The texts at _REFERENCES, further remittance texts of one remittance joined as its lines are."""
    for names in _REFERENCES:
        first, *rest = names.split("/")
        readers = list(transaction.children(first))
        for name in rest[:-1]:
            readers = [child for reader in readers for child in reader.children(name)]
        for reader in readers:
            lines = [line.own_text() for line in reader.children(rest[-1])]
            if any(lines):
                yield "\n".join(filter(None, lines))


def _check_addresses(body: Reader, transaction: Reader) -> None:
    """From the day on which CBPR+ wants it, each party's address names its town and its country."""
    if _address_form(body) == "unstructured":
        return
    for address in _addresses_of(transaction):
        if not (address.text("TwnNm") and address.text("Ctry")):
            address.report(
                "",
                "ADDRESS_UNSTRUCTURED",
                "The address is unstructured; give at least TwnNm and Ctry in their own elements.",
                "地址为非结构化；请至少以独立元素填写 TwnNm 和 Ctry。",
            )


def _address_form(body: Reader) -> str:
    """The least form that an address has by the date on which the message was made; the latest where it has none."""
    forms = code_table("services.settlement", "address_forms")
    made = body.text("GrpHdr/CreDtTm")[:10]
    try:
        row = forms.row("postal_address", date.fromisoformat(made))
    except ValueError:
        row = None
    return row["value"] if row else "hybrid"


def _addresses_of(transaction: Reader) -> Iterator[Reader]:
    for role in _PARTIES:
        if address := transaction.find(f"{role}/PstlAdr"):
            yield address
    for role in _AGENTS:
        agent = transaction.find(f"{role}/FinInstnId")
        address = agent.find("PstlAdr") if agent else None
        if agent and address and not _is_identified(agent):
            yield address


def _is_identified(agent: Reader) -> bool:
    """Whether nobody needs its address: it has a BIC or a member id, or translation from MT left NOTPROVIDED."""
    is_named = any(agent.find(name) for name in ("BICFI", "BIC", "ClrSysMmbId"))
    return is_named or NOT_PROVIDED in (agent.text("Nm"), agent.text("PstlAdr/AdrLine"))


def _check_countries(readers: Sequence[Reader]) -> None:
    """Every country of a party, an agent or a person is in ISO 3166."""
    for country in (found for reader in readers for name in _COUNTRIES for found in reader.descendants(name)):
        code = country.own_text()
        if not is_country(code):
            english = f"{code[:40]} is no ISO 3166 alpha-2 code."
            country.report("", "COUNTRY_UNKNOWN", english, f"{code[:40]} 不是有效的两位国家代码。")


def build(transfer: CreditTransfer, creation_time: datetime) -> bytes:
    """The message of a transfer, made at a time with its offset; its addresses structured, its agents by BIC."""
    for town, country in _addresses(transfer):
        if bool(town) != bool(country):
            raise ValueError("an address needs both town and country")
    root, body = new_message(MESSAGE, BODY)
    put(body, "GrpHdr/MsgId", transfer.message_id)
    put(body, "GrpHdr/CreDtTm", timestamp(creation_time))
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
    if transfer.uetr:
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
