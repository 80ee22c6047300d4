"""How real senders write a pacs.008: headers, schemes, versions, accounts, addresses and references."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from string import Template
from time import process_time
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from chassis.codetables import code_table
from services.settlement.messages import camt054, pacs008, schema
from services.settlement.messages.declaration_numbers import declaration_numbers
from services.settlement.messages.iso20022 import ELEMENTS_MAX, is_uetr, short_account
from services.settlement.messages.pacs008 import CreditTransfer
from trade.identifiers import is_country

ROOT = "Document/FIToFICstmrCdtTrf"
TRANSACTION = f"{ROOT}/CdtTrfTxInf[1]"
MADE = datetime(2026, 12, 1, 10, 0, tzinfo=UTC)
OURS = "0f8fad5b-d9cb-469f-a165-70867728950e"
TRANSFER = CreditTransfer(
    message_id="M1",
    uetr="8a562c67-ca16-48ba-b074-65581be6f011",
    end_to_end_id="E2E1",
    currency_code="USD",
    minor_units=12_728_800,
    settlement_date=date(2026, 12, 1),
    debtor_name="EXAMPLE BUYER INC",
    debtor_agent_bic="CHASUS33XXX",
    creditor_name="HENAN EXAMPLE CO",
    creditor_account="GB29NWBK60161331926819",
    creditor_agent_bic="LMHFCNB0",
    debtor_town="New York",
    debtor_country="US",
    remittance_information="INV 1 CUSTOMS DECL 460120260234553775",
)
PLAIN = pacs008.build(TRANSFER, MADE).decode()
DEBTOR_ADDRESS = re.search(r"<PstlAdr>.*?</PstlAdr>", PLAIN, re.DOTALL)[0]  # type: ignore[index]
LINES_ALONE = "<PstlAdr><AdrLine>18 Magnolia Row, Atlanta GA, USA</AdrLine></PstlAdr>"
MEMBER = "<ClrSysMmbId><ClrSysId><Cd>{system}</Cd></ClrSysId><MmbId>{member}</MmbId></ClrSysMmbId>"


def changed(*pairs: tuple[str, str], text: str = PLAIN) -> bytes:
    """The good message with texts replaced."""
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


def before(element: str, more: str) -> bytes:
    """The good message with more in front of an element."""
    return changed((f"<{element}>", f"{more}<{element}>"))


def taken(content: bytes) -> CreditTransfer:
    transfer, problems = pacs008.parse(content)
    assert problems == []
    assert transfer is not None
    return transfer


def refused(content: bytes) -> set[tuple[str, str]]:
    transfer, problems = pacs008.parse(content)
    assert transfer is None
    assert all(problem.english and problem.chinese for problem in problems)
    return {(problem.path.partition("Document/")[2] or problem.path, problem.reason) for problem in problems}


def inside(path: str) -> str:
    return path.removeprefix("Document/")


@pytest.mark.parametrize(
    ("old", "new", "names", "reason"),
    [
        ("<NbOfTxs>1", "<NbOfTxs>2", "NbOfTxs", "CONTROL_DIFFERS"),
        ("<NbOfTxs>1", "<NbOfTxs>0", "NbOfTxs", "CONTROL_DIFFERS"),
        ("<NbOfTxs>1", "<NbOfTxs>two", "NbOfTxs", "VALUE_INVALID"),
        ("</NbOfTxs>", "</NbOfTxs><CtrlSum>999</CtrlSum>", "CtrlSum", "CONTROL_DIFFERS"),
        ("</NbOfTxs>", "</NbOfTxs><CtrlSum>127288.01</CtrlSum>", "CtrlSum", "CONTROL_DIFFERS"),
        ("</NbOfTxs>", "</NbOfTxs><CtrlSum>-127288</CtrlSum>", "CtrlSum", "CONTROL_DIFFERS"),
        (
            "<SttlmInf>",
            '<TtlIntrBkSttlmAmt Ccy="USD">99.00</TtlIntrBkSttlmAmt><SttlmInf>',
            "TtlIntrBkSttlmAmt",
            "CONTROL_DIFFERS",
        ),
        (
            "<SttlmInf>",
            '<TtlIntrBkSttlmAmt Ccy="EUR">127288.00</TtlIntrBkSttlmAmt><SttlmInf>',
            "TtlIntrBkSttlmAmt",
            "CONTROL_DIFFERS",
        ),
        (
            "<SttlmInf>",
            "<IntrBkSttlmDt>2020-01-01</IntrBkSttlmDt><SttlmInf>",
            "IntrBkSttlmDt",
            "CONTROL_DIFFERS",
        ),
        (
            "<SttlmInf>",
            "<IntrBkSttlmDt>2026-13-01</IntrBkSttlmDt><SttlmInf>",
            "IntrBkSttlmDt",
            "DATE_INVALID",
        ),
    ],
)
def test_a_group_header_that_contradicts_its_transaction(old: str, new: str, names: str, reason: str) -> None:
    assert (f"FIToFICstmrCdtTrf/GrpHdr/{names}", reason) in refused(changed((old, new)))


def test_a_group_header_that_agrees_is_taken() -> None:
    more = (
        '</NbOfTxs><CtrlSum>127288</CtrlSum><TtlIntrBkSttlmAmt Ccy="USD">127288.0</TtlIntrBkSttlmAmt>'
        "<IntrBkSttlmDt>2026-12-01</IntrBkSttlmDt>"
    )
    assert taken(changed(("</NbOfTxs>", more))) == TRANSFER


def test_contradictions_are_told_all_at_once() -> None:
    content = changed(("<NbOfTxs>1</NbOfTxs>", "<NbOfTxs>7</NbOfTxs><CtrlSum>1</CtrlSum>"), ("New York", " "))
    assert {path.rpartition("/")[2] for path, _ in refused(content)} >= {"NbOfTxs", "CtrlSum", "PstlAdr"}


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        (before("CdtrAcct", "<X/>"), "X", "ELEMENT_UNEXPECTED"),
        (before("PmtId", "<ChrgBr>SHAR</ChrgBr>"), "ChrgBr[1]", "ELEMENT_UNEXPECTED"),
        (changed(("<ChrgBr>SHAR", "<ChrgBr>SHARED")), "ChrgBr", "VALUE_INVALID"),
        (changed(("INV 1", "x" * 130)), "RmtInf/Ustrd", "TOO_LONG"),
        (changed(("EXAMPLE BUYER INC", "B" * 141)), "Dbtr/Nm", "TOO_LONG"),
        (changed(("New York", "N" * 36)), "Dbtr/PstlAdr/TwnNm", "TOO_LONG"),
        (changed(("<Cdtr>", '<Cdtr lang="en">')), "Cdtr", "ATTRIBUTE_INVALID"),
        (changed(("<Ctry>US", "<Ctry>ZZ")), "Dbtr/PstlAdr/Ctry", "COUNTRY_UNKNOWN"),
        (
            changed(("</PstlAdr>", "</PstlAdr><CtryOfRes>XX</CtryOfRes>")),
            "Dbtr/CtryOfRes",
            "COUNTRY_UNKNOWN",
        ),
        (changed(("GB29NWBK", "GB30NWBK")), "CdtrAcct/Id/IBAN", "IBAN_INVALID"),
        (before("ChrgBr", '<InstdAmt Ccy="USD">1</InstdAmt><InstdAmt Ccy="USD">1</InstdAmt>'), "InstdAmt[2]",
         "ELEMENT_UNEXPECTED"),
    ],
)  # fmt: skip
def test_what_the_schema_doesnt_have(content: bytes, place: str, reason: str) -> None:
    assert refused(content) == {(f"FIToFICstmrCdtTrf/CdtTrfTxInf[1]/{place}", reason)}


def test_a_very_long_remittance_is_refused_without_being_quoted() -> None:
    _, problems = pacs008.parse(changed(("INV 1", "x" * 900_000)))
    assert [problem.reason for problem in problems] == ["TOO_LONG"]
    assert all(len(problem.english) < 500 for problem in problems)


def test_breaks_without_number_are_cut_short() -> None:
    content = changed(("<RmtInf>", "<RmtInf>" + f"<Ustrd>{'x' * 150}</Ustrd>" * 500))
    _, problems = pacs008.parse(content)
    assert len(problems) == schema.PROBLEMS_MAX


@pytest.mark.parametrize("version", [version for version in pacs008.SCHEMAS if version >= "pacs.008.001.08"])
def test_versions_since_08(version: str) -> None:
    assert taken(changed(("pacs.008.001.08", version))) == TRANSFER


@pytest.mark.parametrize("version", ["03", "04", "05", "06", "07"])
def test_versions_before_the_uetr(version: str) -> None:
    content = changed(
        ("pacs.008.001.08", f"pacs.008.001.{version}"), ("UETR>", "TxId>"), (f"{TRANSFER.uetr}</UETR>", "T-1</TxId>")
    )
    assert taken(content) == replace(TRANSFER, uetr="", transaction_id="T-1")
    assert refused(changed(("pacs.008.001.08", f"pacs.008.001.{version}"))) == {
        ("FIToFICstmrCdtTrf/CdtTrfTxInf[1]/PmtId/UETR", "ELEMENT_UNEXPECTED")
    }


def test_the_version_of_sepa() -> None:
    """pacs.008.001.02: agents by BIC without FI, no UETR, the date in the group header."""
    content = changed(
        ("pacs.008.001.08", "pacs.008.001.02"),
        (f"<UETR>{TRANSFER.uetr}</UETR>", "<TxId>TX-1</TxId>"),
        ("<IntrBkSttlmDt>2026-12-01</IntrBkSttlmDt>", ""),
        ("<SttlmInf>", "<IntrBkSttlmDt>2026-12-01</IntrBkSttlmDt><SttlmInf>"),
    ).replace(b"BICFI>", b"BIC>")
    transfer = taken(content)
    assert transfer == replace(TRANSFER, uetr="", transaction_id="TX-1")
    assert not is_uetr(transfer.chain_id)


def test_versions_that_arent_read_are_named() -> None:
    _, problems = pacs008.parse(changed(("pacs.008.001.08", "pacs.008.001.99")))
    assert [problem.reason for problem in problems] == ["WRONG_NAMESPACE"]
    assert "pacs.008.001.99" in problems[0].english
    assert "pacs.008.001.02" in problems[0].english


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (MEMBER.format(system="USABA", member="011104238"), "USABA 011104238"),
        (MEMBER.format(system="CNAPS", member="102100099996"), "CNAPS 102100099996"),
        (
            "<ClrSysMmbId><MmbId>302290031280</MmbId></ClrSysMmbId>",
            "302290031280",
        ),
        ("<LEI>7LTWFZYICNSX8D621K86</LEI>", "7LTWFZYICNSX8D621K86"),
        ("<Nm>RURAL BANK OF X</Nm><PstlAdr><TwnNm>X</TwnNm><Ctry>PH</Ctry></PstlAdr>", "RURAL BANK OF X"),
    ],
)
def test_agents_without_a_bic(agent: str, expected: str) -> None:
    content = changed(("<BICFI>CHASUS33XXX</BICFI>", agent), ("<BICFI>LMHFCNB0</BICFI>", agent))
    transfer = taken(content)
    assert (transfer.debtor_agent_bic, transfer.debtor_agent) == ("", expected)
    assert (transfer.creditor_agent_bic, transfer.creditor_agent) == ("", expected)


def test_an_agent_that_nothing_identifies() -> None:
    assert refused(changed(("<BICFI>CHASUS33XXX</BICFI>", ""))) == {
        ("FIToFICstmrCdtTrf/CdtTrfTxInf[1]/DbtrAgt/FinInstnId/BICFI", "MISSING_ELEMENT")
    }


@pytest.mark.parametrize(
    ("identification", "name"),
    [("<AnyBIC>CHASGB2LXXX</AnyBIC>", "CHASGB2LXXX"), ("<LEI>7LTWFZYICNSX8D621K86</LEI>", "7LTWFZYICNSX8D621K86")],
)
def test_a_debtor_without_a_name(identification: str, name: str) -> None:
    party = f"<Dbtr><Id><OrgId>{identification}</OrgId></Id></Dbtr>"
    content = re.sub(r"<Dbtr>.*</Dbtr>", party, PLAIN, flags=re.DOTALL).encode()
    assert taken(content).debtor_name == name


def test_a_debtor_that_nothing_identifies() -> None:
    content = re.sub(r"<Dbtr>.*</Dbtr>", "<Dbtr/>", PLAIN, flags=re.DOTALL).encode()
    assert refused(content) == {("FIToFICstmrCdtTrf/CdtTrfTxInf[1]/Dbtr/Nm", "MISSING_ELEMENT")}


def test_a_date_is_somewhere() -> None:
    assert refused(changed(("<IntrBkSttlmDt>2026-12-01</IntrBkSttlmDt>", ""))) == {
        ("FIToFICstmrCdtTrf/CdtTrfTxInf[1]/IntrBkSttlmDt", "MISSING_ELEMENT")
    }


def test_without_a_uetr_a_payment_counts_once_all_the_same() -> None:
    """The same transaction sent again in another message is the same payment; another transaction isn't."""
    uetr = f"<UETR>{TRANSFER.uetr}</UETR>"
    first = taken(changed((uetr, "<TxId>TX-1</TxId>")))
    again = taken(changed((uetr, "<TxId>TX-1</TxId>"), ("<MsgId>M1", "<MsgId>M2")))
    other = taken(changed((uetr, "<TxId>TX-2</TxId>")))
    bare, other_bare = taken(changed((uetr, ""))), taken(changed((uetr, ""), ("E2E1", "E2E2")))
    assert first.chain_id == again.chain_id
    assert len({credit_transfer.chain_id for credit_transfer in (first, other, bare, other_bare)}) == 4
    assert UUID(first.chain_id).version == 5
    assert TRANSFER.chain_id == TRANSFER.uetr


@pytest.mark.parametrize("written", [OURS, f"accounts/{OURS}", OURS.replace("-", ""), OURS.upper()])
def test_one_of_our_accounts_has_two_forms(written: str) -> None:
    content = changed(("<IBAN>GB29NWBK60161331926819</IBAN>", f"<Othr><Id>{written}</Id></Othr>"))
    assert taken(content).creditor_account.lower() == OURS.replace("-", "")


def test_a_number_that_is_too_long() -> None:
    content = changed(("<IBAN>GB29NWBK60161331926819</IBAN>", f"<Othr><Id>{'1' * 35}</Id></Othr>"))
    assert refused(content) == {("FIToFICstmrCdtTrf/CdtTrfTxInf[1]/CdtrAcct/Id/Othr/Id", "TOO_LONG")}


@pytest.mark.parametrize(
    ("made", "address", "is_taken"),
    [
        ("2026-11-13T23:00:00+08:00", LINES_ALONE, True),
        ("2025-06-01T10:00:00Z", LINES_ALONE, True),
        ("2026-11-14T00:00:00+08:00", LINES_ALONE, False),
        ("2027-03-01T10:00:00+01:00", LINES_ALONE, False),
        ("2026-12-01T10:00:00", "<PstlAdr><Ctry>US</Ctry><AdrLine>Atlanta</AdrLine></PstlAdr>", False),
        ("2026-12-01T10:00:00", "<PstlAdr><TwnNm>X</TwnNm><Ctry>US</Ctry><AdrLine>1 Row</AdrLine></PstlAdr>", True),
    ],
)
def test_addresses_by_the_rules_of_the_message_s_date(made: str, address: str, is_taken: bool) -> None:
    content = changed(("2026-12-01T10:00:00+00:00", made), (DEBTOR_ADDRESS, address))
    reasons = {problem.reason for problem in pacs008.parse(content)[1]}
    assert reasons == (set() if is_taken else {"ADDRESS_UNSTRUCTURED"})


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (before("Dbtr", f"<UltmtDbtr><Nm>X</Nm>{LINES_ALONE}</UltmtDbtr>"), "UltmtDbtr/PstlAdr"),
        (before("Dbtr", f"<ChrgsInf><Amt Ccy='USD'>0</Amt><Agt><FinInstnId><Nm>NOTPROVIDED</Nm>{LINES_ALONE}"
                        "</FinInstnId></Agt></ChrgsInf>"), ""),
        (before("Dbtr", f"<ChrgsInf><Amt Ccy='USD'>0</Amt><Agt><FinInstnId><Nm>A BANK</Nm>{LINES_ALONE}"
                        "</FinInstnId></Agt></ChrgsInf>"), ""),
        (changed(("CHASUS33XXX</BICFI>", f"CHASUS33XXX</BICFI><Nm>A BANK</Nm>{LINES_ALONE}")), ""),
        (changed(("<BICFI>CHASUS33XXX</BICFI>", "<Nm>NOTPROVIDED</Nm><PstlAdr><AdrLine>NOTPROVIDED</AdrLine>"
                                                "</PstlAdr>")), ""),
        (changed(("<BICFI>CHASUS33XXX</BICFI>", f"<Nm>A BANK</Nm>{LINES_ALONE}")), "DbtrAgt/FinInstnId/PstlAdr"),
        (changed(("<RmtInf>", "<RltdRmtInf><RmtLctnDtls><Mtd>FAXI</Mtd><PstlAdr><Nm>X</Nm><Adr><TwnNm>London</TwnNm>"
                              "<Ctry>GB</Ctry></Adr></PstlAdr></RmtLctnDtls></RltdRmtInf><RmtInf>")), ""),
        (changed(("HENAN EXAMPLE CO</Nm>", f"HENAN EXAMPLE CO</Nm>{LINES_ALONE}")),
         "Cdtr/PstlAdr"),
    ],
)  # fmt: skip
def test_whose_address_counts(content: bytes, place: str) -> None:
    expected = {(f"{TRANSACTION}/{place}", "ADDRESS_UNSTRUCTURED")} if place else set()
    assert {(problem.path, problem.reason) for problem in pacs008.parse(content)[1]} == expected


def test_the_days_of_addresses_are_data() -> None:
    forms = code_table("services.settlement", "address_forms")
    assert [row["value"] for row in forms.rows()] == ["unstructured", "hybrid"]


@pytest.mark.parametrize(
    ("remittance", "declarations"),
    [
        ("<Ustrd>INV 7 DECL 460120260234553775</Ustrd>", ["460120260234553775"]),
        ("<Strd><CdtrRefInf><Ref>460120260234553775</Ref></CdtrRefInf></Strd>", ["460120260234553775"]),
        ("<Strd><AddtlRmtInf>customs 4601 2026 0 234553775</AddtlRmtInf></Strd>", ["460120260234553775"]),
        ("<Strd><RfrdDocInf><Nb>460120260234553775</Nb></RfrdDocInf></Strd>", ["460120260234553775"]),
        ("<Ustrd>4601-2026-0-234553775</Ustrd>", ["460120260234553775"]),
        ("<Ustrd>DECLARATION 46012026</Ustrd><Ustrd>0234553775 THANK YOU</Ustrd>", ["460120260234553775"]),
        ("<Ustrd>DECLARATION 460120260-</Ustrd><Ustrd>234553775</Ustrd>", ["460120260234553775"]),
        (
            "<Ustrd>460120260234553775 and 460120260234553776</Ustrd>",
            ["460120260234553775", "460120260234553776"],
        ),
        ("<Ustrd>460120260234553775</Ustrd><Ustrd>460120260234553775</Ustrd>", ["460120260234553775"]),
        ("<Ustrd>4601202602345537751</Ustrd>", []),
        ("<Ustrd>INV 2026 0 234553775, USD 127,288.00</Ustrd>", []),
        ("<Ustrd>INV 12345678</Ustrd><Ustrd>9012345678</Ustrd>", []),
        ("<Strd><CdtrRefInf><Ref>RF28460120260234553775</Ref></CdtrRefInf></Strd>", ["460120260234553775"]),
        ("<Strd><TaxRmt><RefNb>460120260234553775</RefNb></TaxRmt></Strd>", ["460120260234553775"]),
        (
            "<Strd><RfrdDocInf><LineDtls><Id><Nb>1</Nb></Id><Desc>Decl 460120260234553775</Desc></LineDtls>"
            "</RfrdDocInf></Strd>",
            ["460120260234553775"],
        ),
        ("<Ustrd>RF28 4601 2026 0234 5537 75</Ustrd>", ["460120260234553775"]),
        ("<Ustrd>RF284601202602345537751</Ustrd>", []),
    ],
)
def test_declarations_wherever_they_are_written(remittance: str, declarations: list[str]) -> None:
    content = re.sub(r"<RmtInf>.*</RmtInf>", f"<RmtInf>{remittance}</RmtInf>", PLAIN, flags=re.DOTALL)
    assert list(taken(content.encode()).declarations) == declarations


@pytest.mark.parametrize(
    ("content", "declarations"),
    [
        (changed(("460120260234553775", "x"), ("E2E1", "D460120260234553775")), 1),
        (
            changed(
                ("460120260234553775", "x"),
                ("<RmtInf>", "<RltdRmtInf><RmtId>460120260234553775</RmtId></RltdRmtInf><RmtInf>"),
            ),
            1,
        ),
        (
            changed(
                ("460120260234553775", "x"),
                (
                    "</CdtrAcct>",
                    "</CdtrAcct><InstrForCdtrAgt><InstrInf>460120260234553775</InstrInf></InstrForCdtrAgt>",
                ),
            ),
            1,
        ),
        (changed(("460120260234553775", "x")), 0),
    ],
)
def test_declarations_outside_the_remittance(content: bytes, declarations: int) -> None:
    assert len(taken(content).declarations) == declarations


@given(st.text(alphabet="0123456789 -/\n.", max_size=60))
def test_a_declaration_number_is_never_made_of_a_part_of_a_longer_one(text: str) -> None:
    digits = re.sub(r"\D", "", text)
    for number in declaration_numbers([text]):
        assert len(number) == 18
        assert number in digits


@given(st.lists(st.integers(1, 17), max_size=4), st.sampled_from([" ", "-", "–", "/", "\n", ". "]))
def test_a_grouped_number_is_found(cuts: list[int], separator: str) -> None:
    number = "460120260234553775"
    edges = [0, *sorted(set(cuts)), 18]
    groups = [number[start:end] for start, end in pairwise(edges)]
    assert declaration_numbers([f"declaration {separator.join(groups)}, thanks"]) == (number,)


HEADER = (
    '<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">'
    "<Fr><FIId><FinInstnId><BICFI>CHASUS33</BICFI></FinInstnId></FIId></Fr>"
    "<To><FIId><FinInstnId><BICFI>LMHFCNB0</BICFI></FinInstnId></FIId></To>"
    "<BizMsgIdr>M1</BizMsgIdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr>"
    "<BizSvc>swift.cbprplus.03</BizSvc><CreDt>2026-12-01T10:00:00+00:00</CreDt></AppHdr>"
)
AGENTS = "".join(
    f"<{role}><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></{role}>"
    for role, bic in (("InstgAgt", "CHASUS33XXX"), ("InstdAgt", "LMHFCNB0XXX"))
)


def enveloped(header: str, body: bytes = before("Dbtr", AGENTS)) -> bytes:
    return f"<Envelope>{header}{body.decode().partition('?>')[2]}</Envelope>".encode()


def test_a_header_that_agrees() -> None:
    transfer = taken(enveloped(HEADER))
    assert (transfer.receiver_bic, transfer.instructed_agent_bic) == ("LMHFCNB0", "LMHFCNB0XXX")


@pytest.mark.parametrize("envelope", ["RequestPayload", "BusMsgEnvlp", "BizData", "f:FedNowIncoming"])
def test_envelopes_by_any_name(envelope: str) -> None:
    name = f"{envelope} xmlns:f='urn:fednow'"
    content = (
        enveloped(HEADER)
        .replace(b"<Envelope>", f"<{name}>".encode())
        .replace(b"</Envelope>", f"</{envelope}>".encode())
    )
    assert taken(content).message_id == "M1"


@pytest.mark.parametrize(
    ("old", "new", "names", "reason"),
    [
        ("pacs.008.001.08", "pacs.009.001.08", "MsgDefIdr", "HEADER_DIFFERS"),
        ("pacs.008.001.08", "pacs.008.001.09", "MsgDefIdr", "HEADER_DIFFERS"),
        ("<BizMsgIdr>M1", "<BizMsgIdr>OTHER", "BizMsgIdr", "HEADER_DIFFERS"),
        ("CHASUS33", "BOFAUS3N", "Fr", "HEADER_DIFFERS"),
        ("LMHFCNB0", "YUHECNB0", "To", "HEADER_DIFFERS"),
        ("<BizMsgIdr>M1</BizMsgIdr>", "", "MsgDefIdr", "ELEMENT_UNEXPECTED"),
        ("<CreDt>2026-12-01T10:00:00+00:00", "<CreDt>today", "CreDt", "VALUE_INVALID"),
        ("<CreDt>", "<X/><CreDt>", "X", "ELEMENT_UNEXPECTED"),
    ],
)
def test_a_header_of_another_message(old: str, new: str, names: str, reason: str) -> None:
    assert old in HEADER
    assert refused(enveloped(HEADER.replace(old, new))) == {(f"Envelope/AppHdr/{names}", reason)}


def test_a_header_of_fednow() -> None:
    """Its own market practice: the header's id isn't the message's, agents are members of the clearing system."""
    member = "<FIId><FinInstnId><ClrSysMmbId><MmbId>021150706</MmbId></ClrSysMmbId></FinInstnId></FIId>"
    members = {role: f"<{role}>{member}</{role}>" for role in ("Fr", "To")}
    practice = "<MktPrctc><Regy>www2.swift.com/mystandards</Regy><Id>frb.fednow.01</Id></MktPrctc>"
    fednow = (
        f'<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">{members["Fr"]}{members["To"]}'
        f"<BizMsgIdr>B20261201FIXTURE</BizMsgIdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr>{practice}"
        "<CreDt>2026-12-01T10:00:00-05:00</CreDt></AppHdr>"
    )
    agent = MEMBER.format(system="USABA", member="011104238")
    content = enveloped(fednow, changed(("<BICFI>CHASUS33XXX</BICFI>", agent), ("<BICFI>LMHFCNB0</BICFI>", agent)))
    wrapped = content.replace(b"<Envelope>", b"<FedNowIncoming><FedNowCustomerCreditTransfer>")
    wrapped = wrapped.replace(b"</Envelope>", b"</FedNowCustomerCreditTransfer></FedNowIncoming>")
    assert taken(wrapped).debtor_agent == "USABA 011104238"


def test_correspondent_banking_needs_a_uetr() -> None:
    body = changed((f"<UETR>{TRANSFER.uetr}</UETR>", ""), ("<Dbtr>", f"{AGENTS}<Dbtr>"))
    assert refused(enveloped(HEADER, body)) == {("FIToFICstmrCdtTrf/CdtTrfTxInf[1]/PmtId/UETR", "MISSING_ELEMENT")}
    taken(enveloped(HEADER.replace("swift.cbprplus.03", "TEST"), body))


def test_one_document_to_an_envelope() -> None:
    body = PLAIN.partition("?>")[2]
    assert refused(f"<Envelope>{body}{body}</Envelope>".encode()) == {("Envelope", "DOCUMENTS_SEVERAL")}


@pytest.mark.parametrize(
    ("changes", "bank", "places"),
    [
        ({}, "LMHFCNB0", []),
        ({"creditor_agent_bic": "LMHFCNB0123"}, "LMHFCNB0", []),
        ({}, "YUHECNB0", ["CdtrAgt"]),
        ({"instructed_agent_bic": "YUHECNB0"}, "LMHFCNB0", ["InstdAgt"]),
        ({"receiver_bic": "YUHECNB0XXX"}, "LMHFCNB0", ["To"]),
        ({"creditor_agent_bic": "", "creditor_agent": "CNAPS 1"}, "LMHFCNB0", []),
    ],
)
def test_a_message_for_another_bank(changes: dict[str, str], bank: str, places: list[str]) -> None:
    problems = pacs008.addressed_elsewhere(replace(TRANSFER, **changes), bank)  # type: ignore[arg-type]
    assert [(problem.path.rpartition("/")[2], problem.reason) for problem in problems] == [
        (place, "AGENT_OF_ANOTHER") for place in places
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CN", True),
        ("XK", True),
        ("ZZ", False),
        ("XX", False),
        ("EU", False),
        ("cn", False),
        ("CHN", False),
        ("", False),
    ],
)
def test_countries(code: str, expected: bool) -> None:
    assert is_country(code) is expected


def assert_valid(content: bytes, message: str) -> None:
    """The official schema, asked directly."""
    text = files("services.settlement.messages").joinpath("schemas", f"{message}.xsd").read_bytes()
    etree.XMLSchema(etree.fromstring(text)).assertValid(etree.fromstring(content))


ACCOUNTS = st.sampled_from(["GB29NWBK60161331926819", "6200411000010001", OURS, f"accounts/{OURS}"])
REMITTANCES = st.lists(st.text(alphabet="AZ09 -/", max_size=140), max_size=4).map("\n".join)


@given(ACCOUNTS, REMITTANCES, st.booleans())
def test_every_pacs008_that_is_written_keeps_its_schema(account: str, remittance: str, is_addressed: bool) -> None:
    transfer = replace(TRANSFER, creditor_account=account, remittance_information=remittance)
    if not is_addressed:
        transfer = replace(transfer, debtor_town="", debtor_country="")
    assert_valid(pacs008.build(transfer, MADE), "pacs.008.001.08")


@given(ACCOUNTS, REMITTANCES, st.sampled_from(["", TRANSFER.uetr]), st.sampled_from(["CRDT", "DBIT"]))
def test_every_camt054_that_is_written_keeps_its_schema(account: str, remittance: str, uetr: str, way: str) -> None:
    entry = camt054.Entry(
        account=account,
        currency_code="USD",
        minor_units=5,
        direction=way,  # type: ignore[arg-type]
        booking_date=MADE.date(),
        reference="R1",
        end_to_end_id="E1",
        uetr=uetr,
        remittance_information=remittance,
        remittance_documents=("INV-1",),
    )
    assert_valid(camt054.build("N1", MADE, [entry, replace(entry, account="1")]), "camt.054.001.08")


def test_the_demo_s_own_payment_keeps_its_schema() -> None:
    template = (Path(__file__).parents[2] / "cli" / "demo" / "world" / "buyer_payment.xml").read_text(encoding="utf-8")
    text = Template(template).substitute(
        message_id="PAY-1", uetr=str(uuid4()), amount="127288.00", currency="USD", settlement_date="2026-12-01",
        creditor_account=short_account(OURS), remittance="Payment for customs declaration 460120260234553775",
    )  # fmt: skip
    assert_valid(text.encode(), "pacs.008.001.08")
    assert taken(text.encode()).declarations == ("460120260234553775",)


def test_the_example_of_the_documents_is_taken() -> None:
    text = (Path(__file__).parents[2] / "docs" / "payments.md").read_text(encoding="utf-8")
    example = text.partition("```xml\n")[2].partition("```")[0].encode()
    assert_valid(example, "pacs.008.001.08")
    assert taken(example).declarations == ("460120260234553775",)


@pytest.mark.parametrize(
    "more", ["<Ustrd></Ustrd>", "<Strd><AddtlRmtInf>x</AddtlRmtInf></Strd>", "<X/>", "<Ctry>ZZ</Ctry>"]
)
def test_a_message_of_too_many_elements_costs_nothing(more: str) -> None:
    content = changed(("<RmtInf>", f"<RmtInf>{more * (900_000 // len(more))}"))
    started = process_time()
    assert refused(content) == {("Document", "ELEMENTS_TOO_MANY")}
    assert process_time() - started < 2


def test_many_breaks_are_told_quickly() -> None:
    content = changed(("<RmtInf>", "<RmtInf>" + "<Ustrd></Ustrd>" * (ELEMENTS_MAX - 100)))
    started = process_time()
    _, problems = pacs008.parse(content)
    assert len(problems) == schema.PROBLEMS_MAX
    assert process_time() - started < 5
