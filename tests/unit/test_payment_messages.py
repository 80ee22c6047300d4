"""pacs.008 and camt.054: round trips, all problems at once, and the safe parser behind them."""

import re
import string
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.currencies import INT64_MAX
from services.settlement.messages import camt054, pacs008
from services.settlement.messages.iso20022 import is_uetr
from services.settlement.messages.pacs008 import CreditTransfer
from trade.identifiers import is_bic

WORLD = Path(__file__).parents[2] / "cli" / "demo" / "world"
TRANSACTION = "FIToFICstmrCdtTrf/CdtTrfTxInf[1]"
TRANSFER = CreditTransfer(
    message_id="PCHT20261120001",
    uetr="7a562c67-ca16-4ba0-b074-65581be6f001",
    end_to_end_id="E2E-1",
    currency_code="USD",
    minor_units=12_728_800,
    settlement_date=date(2026, 11, 20),
    debtor_name="CROWN & CURL <INC>",
    debtor_agent_bic="PCHTUSN0",
    creditor_name="许昌云鬓发制品有限公司",
    creditor_account="6200411000010001",
    creditor_agent_bic="LMHFCNB0XXX",
    debtor_town="Atlanta",
    debtor_country="US",
    remittance_information="INVOICE YB-INV-26110901\n462020260000001234",
    remittance_documents=("YB-INV-26110901", "YB-INV-26110902"),
)
ENTRY = camt054.Entry(
    account="6200411000010001",
    currency_code="USD",
    minor_units=12_728_800,
    direction="CRDT",
    booking_date=date(2026, 11, 20),
    reference="BOOKING-1",
    end_to_end_id="E2E-1",
    uetr=TRANSFER.uetr,
    remittance_information="INVOICE 1",
    remittance_documents=("YB-1",),
)
CREATED = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)

HEADER = (
    "<h:AppHdr xmlns:h='urn:iso:std:iso:20022:tech:xsd:head.001.001.02'>"
    "<h:Fr><h:FIId><h:FinInstnId><h:BICFI>PCHTUSN0</h:BICFI></h:FinInstnId></h:FIId></h:Fr>"
    "<h:To><h:FIId><h:FinInstnId><h:BICFI>LMHFCNB0XXX</h:BICFI></h:FinInstnId></h:FIId></h:To>"
    "<h:BizMsgIdr>PCHT20261120001</h:BizMsgIdr><h:MsgDefIdr>pacs.008.001.08</h:MsgDefIdr>"
    "<h:BizSvc>swift.cbprplus.03</h:BizSvc><h:CreDt>2026-11-20T08:30:00+00:00</h:CreDt></h:AppHdr>"
)

WORDS = st.from_regex(r"[A-Za-z0-9&<>'\"许昌é/?:().,+-]{1,30}", fullmatch=True)
LINES = st.lists(WORDS, max_size=3).map("\n".join)
DOCUMENTS = st.lists(WORDS, max_size=3).map(tuple)
UETRS = st.uuids(version=4).map(str)
ACCOUNTS = st.one_of(st.just("DE89370400440532013000"), st.from_regex(r"[0-9]{1,34}", fullmatch=True))
CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "CNY"])
# ISO 20022 amounts have at most 18 digits.
AMOUNTS = st.integers(1, 10**18 - 1)
TRANSFERS = st.builds(
    CreditTransfer,
    message_id=WORDS,
    uetr=UETRS,
    end_to_end_id=WORDS,
    currency_code=CURRENCIES,
    minor_units=AMOUNTS,
    settlement_date=st.dates(date(2000, 1, 1)),
    debtor_name=WORDS,
    debtor_agent_bic=st.sampled_from(["PCHTUSN0", "BGLKDEN0XXX"]),
    creditor_name=WORDS,
    creditor_account=ACCOUNTS,
    creditor_agent_bic=st.just("LMHFCNB0"),
    debtor_town=st.just("Atlanta"),
    debtor_country=st.just("US"),
    remittance_information=LINES,
    remittance_documents=DOCUMENTS,
)
ENTRIES = st.builds(
    camt054.Entry,
    account=ACCOUNTS,
    currency_code=CURRENCIES,
    minor_units=AMOUNTS,
    direction=st.sampled_from(["CRDT", "DBIT"]),
    booking_date=st.dates(date(2000, 1, 1)),
    reference=WORDS,
    end_to_end_id=st.one_of(st.just(""), WORDS),
    uetr=st.one_of(st.just(""), UETRS),
    remittance_information=LINES,
    remittance_documents=DOCUMENTS,
)


def changed(old: str, new: str) -> bytes:
    """The good message with one text replaced."""
    text = pacs008.build(TRANSFER, CREATED).decode()
    assert old in text
    return text.replace(old, new).encode()


def without(element: str) -> bytes:
    """The good message without the first of an element, whatever it holds."""
    before, _, rest = pacs008.build(TRANSFER, CREATED).decode().partition(f"<{element}>")
    return (before + rest.partition(f"</{element}>")[2]).encode()


def problems_of(content: bytes) -> list[tuple[str, str]]:
    transfer, problems = pacs008.parse(content)
    assert transfer is None
    assert all(problem.english and problem.chinese for problem in problems)
    return [(problem.path.removeprefix("Document/"), problem.reason) for problem in problems]


@given(TRANSFERS)
def test_a_transfer_survives_the_round_trip(transfer: CreditTransfer) -> None:
    assert pacs008.parse(pacs008.build(transfer, CREATED)) == (transfer, [])


def test_a_transfer_without_an_address() -> None:
    transfer = replace(TRANSFER, debtor_town="", debtor_country="")
    assert pacs008.parse(pacs008.build(transfer, CREATED)) == (transfer, [])
    with pytest.raises(ValueError, match="both town and country"):
        pacs008.build(replace(TRANSFER, debtor_town=""), CREATED)


def test_an_iban_is_written_as_one() -> None:
    assert b"<IBAN>DE89370400440532013000</IBAN>" in pacs008.build(
        replace(TRANSFER, creditor_account="DE89370400440532013000"), CREATED
    )


def test_a_message_needs_its_offset_and_short_lines() -> None:
    with pytest.raises(ValueError, match="offset"):
        pacs008.build(TRANSFER, datetime(2026, 11, 20))  # noqa: DTZ001
    with pytest.raises(ValueError, match="at most 140"):
        pacs008.build(replace(TRANSFER, remittance_information="x" * 141), CREATED)


@pytest.mark.parametrize("envelope", ["BusMsgEnvlp", "Envelope"])
def test_a_message_in_an_envelope(envelope: str) -> None:
    body = pacs008.build(TRANSFER, CREATED).decode().partition("?>")[2]
    content = f"<{envelope} xmlns='urn:envelope'>{HEADER}{body}</{envelope}>".encode()
    assert pacs008.parse(content) == (replace(TRANSFER, receiver_bic="LMHFCNB0XXX"), [])


def test_a_prefix_makes_no_difference() -> None:
    plain = pacs008.build(TRANSFER, CREATED).decode().partition("?>")[2].replace("xmlns=", "xmlns:p=")
    prefixed = re.sub(r"<(/?)(\w)", r"<\1p:\2", plain)
    assert pacs008.parse(prefixed.encode()) == (TRANSFER, [])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (changed("PCHTUSN0", "PCHTUS"), (f"{TRANSACTION}/DbtrAgt/FinInstnId/BICFI", "BIC_INVALID")),
        (changed("LMHFCNB0XXX", "LMHFXZB0"), (f"{TRANSACTION}/CdtrAgt/FinInstnId/BICFI", "BIC_INVALID")),
        (changed("-4ba0-", "-1ba0-"), (f"{TRANSACTION}/PmtId/UETR", "UETR_INVALID")),
        (changed("7a562c67", "7A562C67"), (f"{TRANSACTION}/PmtId/UETR", "UETR_INVALID")),
        (changed("127288.00", "127288.001"), (f"{TRANSACTION}/IntrBkSttlmAmt", "AMOUNT_INVALID")),
        (changed("127288.00", "0.00"), (f"{TRANSACTION}/IntrBkSttlmAmt", "AMOUNT_INVALID")),
        (changed("127288.00", "-1"), (f"{TRANSACTION}/IntrBkSttlmAmt", "AMOUNT_INVALID")),
        (changed("127288.00", str(INT64_MAX)[:18]), (f"{TRANSACTION}/IntrBkSttlmAmt", "AMOUNT_INVALID")),
        (changed('Ccy="USD"', 'Ccy="USX"'), (f"{TRANSACTION}/IntrBkSttlmAmt", "CURRENCY_UNKNOWN")),
        (changed(' Ccy="USD"', ""), (f"{TRANSACTION}/IntrBkSttlmAmt", "CURRENCY_UNKNOWN")),
        (
            changed("<IntrBkSttlmDt>2026-11-20", "<IntrBkSttlmDt>2026-11-31"),
            (f"{TRANSACTION}/IntrBkSttlmDt", "DATE_INVALID"),
        ),
        (
            changed("<IntrBkSttlmDt>2026-11-20", "<IntrBkSttlmDt>20261120"),
            (f"{TRANSACTION}/IntrBkSttlmDt", "DATE_INVALID"),
        ),
        (changed("E2E-1", "E" * 36), (f"{TRANSACTION}/PmtId/EndToEndId", "TOO_LONG")),
        (
            changed("<Ctry>US</Ctry>", "<Ctry>USA</Ctry>"),
            (f"{TRANSACTION}/Dbtr/PstlAdr/Ctry", "COUNTRY_UNKNOWN"),
        ),
        (without("TwnNm"), (f"{TRANSACTION}/Dbtr/PstlAdr", "ADDRESS_UNSTRUCTURED")),
        (without("Ctry"), (f"{TRANSACTION}/Dbtr/PstlAdr", "ADDRESS_UNSTRUCTURED")),
        (without("MsgId"), ("FIToFICstmrCdtTrf/GrpHdr/MsgId", "MISSING_ELEMENT")),
        (without("EndToEndId"), (f"{TRANSACTION}/PmtId/EndToEndId", "MISSING_ELEMENT")),
        (without("IntrBkSttlmDt"), (f"{TRANSACTION}/IntrBkSttlmDt", "MISSING_ELEMENT")),
        (without("CdtrAcct"), (f"{TRANSACTION}/CdtrAcct/Id/Othr/Id", "MISSING_ELEMENT")),
        (without("CdtTrfTxInf"), ("FIToFICstmrCdtTrf/CdtTrfTxInf", "TRANSACTION_COUNT")),
    ],
)
def test_one_problem(content: bytes, expected: tuple[str, str]) -> None:
    assert problems_of(content) == [expected]


def test_the_address_of_any_party_counts() -> None:
    address = "<PstlAdr><AdrLine>18 Magnolia Row, Atlanta</AdrLine></PstlAdr>"
    content = changed("<Cdtr>", f"<UltmtDbtr><Nm>X</Nm>{address}</UltmtDbtr><Cdtr>")
    assert problems_of(content) == [(f"{TRANSACTION}/UltmtDbtr/PstlAdr", "ADDRESS_UNSTRUCTURED")]


def test_a_hybrid_address_is_taken() -> None:
    transfer, problems = pacs008.parse(changed("<Ctry>US</Ctry>", "<Ctry>US</Ctry><AdrLine>18 Magnolia Row</AdrLine>"))
    assert (transfer, problems) == (TRANSFER, [])


def test_several_transactions_are_refused() -> None:
    text = pacs008.build(TRANSFER, CREATED).decode()
    start, end = text.index("<CdtTrfTxInf>"), text.index("</FIToFICstmrCdtTrf>")
    assert problems_of((text[:end] + text[start:]).encode()) == [("FIToFICstmrCdtTrf/CdtTrfTxInf", "TRANSACTION_COUNT")]


def test_all_problems_come_at_once() -> None:
    text = changed("PCHTUSN0", "x").decode().replace("127288.00", "much").replace("-4ba0-", "-1ba0-")
    assert {reason for _, reason in problems_of(text.encode())} == {
        "BIC_INVALID",
        "AMOUNT_INVALID",
        "UETR_INVALID",
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE Document><Document/>", "DTD_NOT_ALLOWED"),
        (b"<Document>", "XML_MALFORMED"),
        (b"<Document/>", "WRONG_NAMESPACE"),
        (b"<Envelope/>", "WRONG_NAMESPACE"),
        (changed("pacs.008.001.08", "pacs.008.001.01"), "WRONG_NAMESPACE"),
        (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08'/>", "MISSING_ELEMENT"),
    ],
)
def test_what_is_no_such_message(content: bytes, reason: str) -> None:
    assert [found for _, found in problems_of(content)] == [reason]


def test_the_demo_payment() -> None:
    template = string.Template((WORLD / "buyer_payment.xml").read_text(encoding="utf-8"))
    document = template.substitute(
        message_id="PAY-1",
        uetr=TRANSFER.uetr,
        amount="127288.00",
        currency="USD",
        settlement_date="2026-11-20",
        creditor_account="6200411000010001",
        remittance="YB-INV-26110901",
    )
    transfer, problems = pacs008.parse(document.encode())
    assert problems == []
    assert transfer is not None
    assert (transfer.minor_units, transfer.remittance_information) == (12_728_800, "YB-INV-26110901")
    assert transfer.creditor_agent_bic == "LMHFCNB0"


@given(st.lists(ENTRIES, max_size=5))
def test_entries_survive_the_round_trip(entries: list[camt054.Entry]) -> None:
    notification, problems = camt054.parse(camt054.build("M-1", CREATED, entries))
    assert problems == []
    assert notification is not None
    assert notification.message_id == "M-1"
    assert notification.entries == sorted(entries, key=lambda entry: entry.account)


@pytest.mark.parametrize(
    ("old", "new", "path", "reason"),
    [
        ("<CdtDbtInd>CRDT", "<CdtDbtInd>BOTH", "CdtDbtInd", "DIRECTION_INVALID"),
        ("127288.00", "1.234", "Amt", "AMOUNT_INVALID"),
        ("-4ba0-", "-1ba0-", "NtryDtls/TxDtls/Refs/UETR", "UETR_INVALID"),
        ("<Dt>2026-11-20", "<Dt>2026-11-2", "BookgDt/Dt", "DATE_INVALID"),
        ("BOOKING-1", "", "AcctSvcrRef", "MISSING_ELEMENT"),
    ],
)
def test_a_broken_entry(old: str, new: str, path: str, reason: str) -> None:
    text = camt054.build("M-1", CREATED, [ENTRY]).decode()
    assert old in text
    notification, problems = camt054.parse(text.replace(old, new).encode())
    assert notification is None
    assert [(problem.path, problem.reason) for problem in problems] == [
        (f"Document/BkToCstmrDbtCdtNtfctn/Ntfctn[1]/Ntry[1]/{path}", reason)
    ]


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("LMHFCNB0", True),
        ("LMHFCNB0XXX", True),
        ("lmhfcnb0", False),
        ("LMHFCNB", False),
        ("LMHFXXB0", False),
        ("LMHF CNB0", False),
        ("", False),
    ],
)
def test_bics(text: str, valid: bool) -> None:
    assert is_bic(text) is valid


@given(st.uuids())
def test_only_version_4_is_a_uetr(uuid: UUID) -> None:
    assert is_uetr(str(uuid)) is (uuid.version == 4)


@given(st.binary(max_size=4), st.integers(0, 2000))
def test_no_bytes_break_the_parser(noise: bytes, position: int) -> None:
    content = pacs008.build(TRANSFER, CREATED)
    damaged = content[:position] + noise + content[position + len(noise) :]
    transfer, problems = pacs008.parse(damaged)
    assert (transfer is None) is bool(problems)
