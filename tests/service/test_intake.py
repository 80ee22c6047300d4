"""Intake of documents over real ports: every format by its root, refused ones kept, mended and given up."""

import asyncio
import base64
import hashlib
import itertools
import json
import pathlib
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, intake_pb2, reference_pb2
from aval.type.v1 import money_pb2
from google.type import date_pb2, decimal_pb2

from chassis import tables
from chassis.blobs import store as blob_store
from chassis.errors import WrongState
from chassis.identity import Caller
from chassis.status import RemoteError
from services.declarations.intake.refused import model as refused_model
from services.declarations.intake.refused.store import refused_documents, waiting_receipts
from services.declarations.privacy.personal.store import personal_data
from services.declarations.service import SERVICE
from tests.service.intake_world import OTHER_WINDOW, WINDOW, Intake, Verdict, dec_message, document, intake, told

__all__ = ["intake"]

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
State = intake_pb2.RefusedDocument.State
PATIENCE_SECONDS = 15
BANK = Caller("banks/LMHFCNB0/system", "banks/LMHFCNB0", frozenset({"BANK_SYSTEM"}))
HEAD = "DecMessage/DecHead"


async def listed(intake: Intake, caller: Any = WINDOW, **filters: Any) -> list[Any]:
    request = intake_pb2.ListRefusedDocumentsRequest(page_size=500, **filters)
    return list((await intake.call("ListRefusedDocuments", request, caller)).refused_documents)


async def one(intake: Intake, document_id: str) -> Any:
    (found,) = [one for one in await listed(intake) if one.document_id == document_id]
    return await intake.call("GetRefusedDocument", intake_pb2.GetRefusedDocumentRequest(name=found.name))


async def resend(intake: Intake, name: str, content: bytes = b"", etag: str = "", caller: Any = WINDOW) -> Any:
    request = declarations_pb2.ResendDocumentRequest(name=name, content=content, etag=etag)
    return await intake.call("ResendDocument", request, caller)


async def discard(intake: Intake, name: str, caller: Any = WINDOW) -> Any:
    return await intake.call("DiscardRefusedDocument", intake_pb2.DiscardRefusedDocumentRequest(name=name), caller)


def sealed(intake: Intake, name: str) -> list[bytes]:
    with intake.platform.nodes[SERVICE.name].store.read() as connection:
        blob = blob_store.of_holder(connection, name)
        query = sa.select(tables.blob_parts.c.sealed).order_by(tables.blob_parts.c.resource)
        parts = blob.parts if blob else []
        return list(connection.execute(query.where(tables.blob_parts.c.resource.in_(parts))).scalars())


async def test_each_document_by_its_root_and_a_bad_one_stops_nothing(intake: Intake) -> None:
    verdicts = await intake.send(
        document("a.xml", dec_message(1)),
        document("bomb.xml", (FIXTURES / "decmessage" / "bad_entity_expansion.xml").read_bytes()),
        document("other.xml", b'<Invoice xmlns="urn:example"/>'),
        document("space.xml", (FIXTURES / "decmessage" / "bad_wrong_namespace.xml").read_bytes()),
        document("cut.xml", dec_message(1)[:700]),
        document("text.xml", b"Dear customs"),
        document("nothing.jsonl", b"\n \n{"),
        document("b.xml", b"\xef\xbb\xbf" + dec_message(2)),
        document("again.xml", dec_message(1)),
        document("meant.xml", dec_message(3), format="CEB603"),
    )
    assert [told(verdict) for verdict in verdicts] == [
        ("a.xml", "ACCEPTED", []),
        ("bomb.xml", "REFUSED", [("", "DTD_NOT_ALLOWED")]),
        ("other.xml", "REFUSED", [("Invoice", "FORMAT_UNKNOWN")]),
        ("space.xml", "REFUSED", [("DecMessage", "WRONG_NAMESPACE")]),
        ("cut.xml", "REFUSED", [("", "XML_MALFORMED")]),
        ("text.xml", "REFUSED", [("", "XML_MALFORMED")]),
        ("nothing.jsonl#3", "REFUSED", [("", "LINE_MALFORMED")]),
        ("b.xml", "ACCEPTED", []),
        ("again.xml", "DUPLICATE", []),
        ("meant.xml", "REFUSED", [("", "FORMAT_MISMATCH")]),
    ]
    assert verdicts[0].resource == "declarations/460120260000000001"
    assert {verdict.resource for verdict in verdicts if verdict.outcome == Verdict.REFUSED} == {""}


@pytest.mark.parametrize("name", sorted(file.stem for file in (FIXTURES / "decmessage").glob("bad_*.xml")))
async def test_every_bad_fixture_is_kept(intake: Intake, name: str) -> None:
    content = (FIXTURES / "decmessage" / f"{name}.xml").read_bytes()
    (verdict,) = await intake.send(document(f"{name}.xml", content))
    found = await one(intake, f"{name}.xml")
    assert found.content == content
    assert found.blob == f"blobs/{hashlib.sha256(content).hexdigest()}"
    assert found.problems == verdict.problems
    assert len(found.problems) >= 1


async def test_the_same_again_is_one_more_attempt(intake: Intake) -> None:
    """IN3: the same content under two names is kept once, with its attempts."""
    broken = dec_message(11, TrafMode="TrafMude")
    for name in ("first.xml", "second.xml"):
        await intake.send(document(name, broken), document(name, broken))
    (found,) = [one for one in await listed(intake) if one.document_id in ("first.xml", "second.xml")]
    assert (found.document_id, found.attempts, found.state) == ("second.xml", 4, State.REFUSED)
    assert found.first_refuse_time.ToMicroseconds() < found.last_refuse_time.ToMicroseconds()
    assert not found.content
    assert (await resend(intake, found.name)).refused_document.attempts == 5


async def test_a_repeated_request_is_no_attempt(intake: Intake) -> None:
    request = declarations_pb2.ImportDocumentsRequest(documents=[document("once.xml", dec_message(12, TrafMode="T"))])
    first = await intake.call("ImportDocuments", request)
    assert await intake.call("ImportDocuments", request) == first
    assert (await one(intake, "once.xml")).attempts == 1


async def test_mended_with_other_content_and_its_own_is_forgotten(intake: Intake) -> None:
    """IN3: the kept content is sealed, and is gone once it is mended."""
    await intake.send(document("mend.xml", dec_message(13, TrafMode="TrafMude")))
    name = (await one(intake, "mend.xml")).name
    (kept,) = sealed(intake, name)
    assert b"DecMessage" not in kept
    still = await resend(intake, name, dec_message(13, TradeMode="TradeMude"))
    assert [(p.path, p.reason) for p in still.refused_document.problems] == [(f"{HEAD}/TradeMode", "MISSING_ELEMENT")]
    assert (await one(intake, "mend.xml")).content == dec_message(13, TradeMode="TradeMude")
    done = await resend(intake, name, dec_message(13))
    assert [told(verdict) for verdict in done.verdicts] == [("mend.xml", "ACCEPTED", [])]
    assert (done.refused_document.state, done.refused_document.attempts) == (State.MENDED, 2)
    assert sealed(intake, name) == []
    for verb in (resend, discard):
        with pytest.raises(RemoteError) as refused:
            await verb(intake, name)
        assert refused.value.reason == "WRONG_STATE"


async def test_given_up_and_wanted_again(intake: Intake) -> None:
    broken = dec_message(14, TrafMode="TrafMude")
    await intake.send(document("drop.xml", broken))
    name = (await one(intake, "drop.xml")).name
    assert (await discard(intake, name)).state == State.DISCARDED
    assert sealed(intake, name) == []
    await intake.send(document("drop.xml", broken))
    found = await one(intake, "drop.xml")
    assert (found.name, found.state, found.attempts, found.content) == (name, State.REFUSED, 2, broken)


async def test_a_stale_etag_and_another_sender_change_nothing(intake: Intake) -> None:
    await intake.send(document("mine.xml", dec_message(15, TrafMode="TrafMude")))
    found = await one(intake, "mine.xml")
    with pytest.raises(RemoteError) as refused:
        await resend(intake, found.name, etag="stale")
    assert refused.value.reason == "ETAG_MISMATCH"
    get = intake_pb2.GetRefusedDocumentRequest(name=found.name)
    for call in (
        intake.call("GetRefusedDocument", get, OTHER_WINDOW),
        resend(intake, found.name, caller=OTHER_WINDOW),
        discard(intake, found.name, OTHER_WINDOW),
    ):
        with pytest.raises(RemoteError) as unknown:
            await call
        assert unknown.value.reason == "NOT_FOUND"
    assert not [one for one in await listed(intake, OTHER_WINDOW) if one.name == found.name]


async def test_the_same_content_of_two_senders_is_two_documents(intake: Intake) -> None:
    broken = document("shared.xml", dec_message(16, TrafMode="TrafMude"))
    await intake.send(broken)
    await intake.send(broken, caller=OTHER_WINDOW)
    (theirs,) = await listed(intake, OTHER_WINDOW)
    assert (theirs.attempts, theirs.name == (await one(intake, "shared.xml")).name) == (1, False)


async def test_found_by_reason_format_state_and_time(intake: Intake) -> None:
    await intake.send(
        document("lines.xml", dec_message(18, GQty="GQuty")), document("alien.xml", b"<Alien xmlns='urn:alien'/>")
    )
    alien = await one(intake, "alien.xml")
    start = alien.last_refuse_time

    def names(found: list[Any]) -> set[str]:
        return {one.document_id for one in found}

    assert names(await listed(intake, reason="FORMAT_UNKNOWN", start_time=start)) == {"alien.xml"}
    assert "lines.xml" in names(await listed(intake, reason="MISSING_ELEMENT", format="DecMessage"))
    assert names(await listed(intake, start_time=start)) == {"alien.xml", "lines.xml"}
    assert names(await listed(intake, end_time=start)).isdisjoint({"alien.xml", "lines.xml"})
    await discard(intake, alien.name)
    assert names(await listed(intake, state=State.DISCARDED, start_time=start)) == {"alien.xml"}
    # What was refused for one reason isn't found by it once it is refused for another.
    name = (await one(intake, "lines.xml")).name
    await resend(intake, name, b"<Alien xmlns='urn:alien'/>")
    assert "lines.xml" not in names(await listed(intake, reason="MISSING_ELEMENT"))
    assert "lines.xml" in names(await listed(intake, reason="FORMAT_UNKNOWN"))


async def test_the_windows_word_to_its_client_is_no_receipt(intake: Intake) -> None:
    taken = (FIXTURES / "receipts" / "good_dec_import_response.xml").read_bytes()
    failed = taken.replace(b">0<", b">9<").replace("暂存成功".encode(), "报文格式错误".encode())
    empty = taken.replace(b"I20260000000000017", b"").replace(b"QH2026110200017", b"")
    torn = taken.replace(b"I20260000000000017", b"I2026000000000001700")
    sent = {"Successed_1.xml": taken, "Failed_1.xml": failed, "empty.xml": empty, "torn.xml": torn}
    verdicts = await intake.send(*(document(name, content) for name, content in sent.items()))
    assert [told(verdict)[2] for verdict in verdicts] == [
        [],
        [("DecImportResponse/ResponseCode", "WINDOW_DID_NOT_TAKE_IT")],
        [("DecImportResponse/ClientSeqNo", "MISSING_ELEMENT"), ("DecImportResponse/SeqNo", "MISSING_ELEMENT")],
        [("DecImportResponse/SeqNo", "TOO_LONG")],
    ]
    assert "报文格式错误" in verdicts[1].problems[0].message
    assert (await one(intake, "Failed_1.xml")).format == "DEC_RESPONSE"


async def receipts_of(intake: Intake, number: str) -> tuple[str, list[str]]:
    request = declarations_pb2.GetDeclarationRequest(name=f"declarations/{number}")
    found = await intake.call("GetDeclaration", request)
    return declarations_pb2.Declaration.Status.Name(found.status), [one.channel_code for one in found.receipts]


async def test_receipts_as_documents_in_every_form(intake: Intake) -> None:
    folder = FIXTURES / "receipts"
    waiting = await intake.send(document("early.xml", (folder / "good_unified_number_only.xml").read_bytes()))
    assert [told(verdict) for verdict in waiting] == [("early.xml", "ACCEPTED", [])]
    again = await intake.send(document("early.xml", (folder / "good_unified_number_only.xml").read_bytes()))
    assert again[0].outcome == Verdict.DUPLICATE
    # The declaration and what comes for it by its unified number, in one batch.
    verdicts = await intake.send(
        document("mixed.jsonl", (folder / "mixed.jsonl").read_bytes()),
        document("closed.xml", (folder / "good_closed.xml").read_bytes()),
        document("torn.xml", (folder / "bad_no_time_no_channel.xml").read_bytes()),
        document("empty.xml", (folder / "bad_empty.xml").read_bytes()),
        document("declared.xml", dec_message(17)),
    )
    assert [told(verdict) for verdict in verdicts] == [
        ("mixed.jsonl#1", "ACCEPTED", []),
        ("mixed.jsonl#3", "ACCEPTED", []),
        ("mixed.jsonl#4", "REFUSED", [("", "LINE_MALFORMED")]),
        ("mixed.jsonl#5", "REFUSED", [("declaration_number", "DECLARATION_NUMBER_MISSING")]),
        ("mixed.jsonl#6", "REFUSED", [("channel_code", "CHANNEL_CODE_UNKNOWN")]),
        ("closed.xml", "ACCEPTED", []),
        (
            "torn.xml",
            "REFUSED",
            [
                ("DEC_DATA/DEC_RESULT[1]/CHANNEL", "MISSING_ELEMENT"),
                ("DEC_DATA/DEC_RESULT[1]/NOTICE_DATE", "TIME_INVALID"),
            ],
        ),
        ("empty.xml", "REFUSED", [("DEC_DATA/DEC_RESULT", "MISSING_ELEMENT")]),
        ("declared.xml", "ACCEPTED", []),
    ]
    (kept,) = [found for found in await listed(intake) if found.document_id == "mixed.jsonl"]
    assert [problem.path for problem in kept.problems] == ["#4", "#5/declaration_number", "#6/channel_code"]


async def test_receipts_by_unified_number_wait_for_their_declaration(intake: Intake) -> None:
    receipts = [
        declarations_pb2.Receipt(unified_number="I20260000000000031", channel_code=code) for code in ("L", "P", "L")
    ]
    for hour, receipt in enumerate(receipts[:2]):
        receipt.notice_time.FromSeconds(1_793_600_000 + 3600 * hour)
    receipts[2].CopyFrom(receipts[0])
    request = declarations_pb2.BatchCreateReceiptsRequest(receipts=receipts)
    verdicts = (await intake.call("BatchCreateReceipts", request)).verdicts
    assert [told(verdict) for verdict in verdicts] == [
        ("0", "ACCEPTED", []),
        ("1", "ACCEPTED", []),
        ("2", "DUPLICATE", []),
    ]
    await intake.send(document("late.xml", dec_message(31)))
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while (found := await receipts_of(intake, "460120260000000031")) != ("RELEASED", ["L", "P"]):
        assert asyncio.get_running_loop().time() < deadline, found
        await asyncio.sleep(0.1)
    with intake.platform.nodes[SERVICE.name].store.read() as connection:
        left = connection.execute(sa.select(waiting_receipts.c.unified_number)).scalars().all()
    assert "I20260000000000031" not in left
    closed = declarations_pb2.Receipt(unified_number="I20260000000000031", channel_code="R")
    closed.notice_time.FromSeconds(1_793_700_000)
    request = declarations_pb2.BatchCreateReceiptsRequest(receipts=[closed, receipts[0]])
    verdicts = (await intake.call("BatchCreateReceipts", request)).verdicts
    assert [(v.resource, v.outcome) for v in verdicts] == [
        ("declarations/460120260000000031", Verdict.ACCEPTED),
        ("declarations/460120260000000031", Verdict.DUPLICATE),
    ]
    assert await receipts_of(intake, "460120260000000031") == ("CLOSED", ["L", "P", "R"])


async def test_a_message_of_many_documents_has_a_verdict_for_each(intake: Intake) -> None:
    content = (FIXTURES / "ceb" / "bad_one_of_three.xml").read_bytes()
    verdicts = await intake.send(document("three.xml", content))
    assert Counter(verdict.outcome for verdict in verdicts) == {Verdict.ACCEPTED: 2, Verdict.REFUSED: 1}
    guids = [verdict.document_id.removeprefix("three.xml#") for verdict in verdicts]
    assert [guid in content.decode() for guid in guids] == [True] * 3
    assert len(set(guids)) == 3
    found = await one(intake, "three.xml")
    (refused,) = [guid for guid, verdict in zip(guids, verdicts, strict=True) if verdict.outcome == Verdict.REFUSED]
    assert {problem.path.partition("/")[0] for problem in found.problems} == {f"#{refused}"}
    assert found.format == "CEB303"
    again = await intake.send(document("three.xml", content))
    assert Counter(verdict.outcome for verdict in again) == {Verdict.DUPLICATE: 2, Verdict.REFUSED: 1}
    assert (await one(intake, "three.xml")).attempts == 2


async def test_an_import_declaration_from_abroad_is_a_record(intake: Intake) -> None:
    sent = [document(name, (FIXTURES / "wco" / name).read_bytes()) for name in ("import.xml", "broken.xml")]
    verdicts = await intake.send(*sent)
    accepted = [verdict for verdict in verdicts if verdict.outcome == Verdict.ACCEPTED]
    assert {verdict.document_id.partition("#")[0] for verdict in accepted} == {"import.xml"}
    assert {verdict.resource.partition("/")[0] for verdict in accepted} == {"records"}
    assert (await one(intake, "broken.xml")).format == "WCO"


async def test_a_document_in_an_envelope_is_taken_kept_and_sent_again(intake: Intake) -> None:
    sound, broken = ((FIXTURES / "wco" / name).read_bytes() for name in ("import.xml", "broken.xml"))
    sent = [document(f"{name}.json", in_json(content)) for name, content in (("sound", sound), ("broken", broken))]
    accepted, refused = await intake.send(*sent)
    assert accepted.outcome in (Verdict.ACCEPTED, Verdict.DUPLICATE)
    assert {problem.path.partition("/")[0] for problem in refused.problems} == {"data"}
    kept = await one(intake, "broken.json")
    assert kept.format == "WCO"
    again = await intake.send(sent[1])
    assert [verdict.outcome for verdict in again] == [Verdict.REFUSED]
    assert (await one(intake, "broken.json")).attempts == 2


def in_json(content: bytes) -> bytes:
    return json.dumps({"data": base64.b64encode(content).decode()}).encode()


async def test_persons_of_documents_are_sealed_and_nowhere_else(intake: Intake) -> None:
    content = (FIXTURES / "ceb" / "good_311.xml").read_bytes()
    (buyer,) = set(re.findall("<ceb:buyerName>(.+?)</ceb:buyerName>", content.decode()))
    verdicts = await intake.send(document("persons.xml", content))
    assert {verdict.outcome for verdict in verdicts} == {Verdict.ACCEPTED}
    torn = content.replace(b"<ceb:orderNo>", b"<ceb:orderNa>").replace(b"</ceb:orderNo>", b"</ceb:orderNa>")
    (refused, *_) = await intake.send(document("persons.xml", torn))
    assert refused.outcome == Verdict.REFUSED
    with intake.platform.nodes[SERVICE.name].store.read() as connection:
        for table in (tables.blobs, tables.blob_parts, refused_documents, tables.requests, personal_data):
            rows = connection.execute(sa.select(table)).all()
            assert rows
            assert not [row for row in rows if buyer in str(row) or buyer.encode() in b"".join(_bytes(row))]


def _bytes(row: Any) -> list[bytes]:
    return [bytes(value) for value in row if isinstance(value, bytes)]


def record(key: str, **fields: Any) -> reference_pb2.ReferenceRecord:
    message = reference_pb2.ReferenceRecord(source="tests", key=key, **{"value": usd(1050), **fields})
    if not message.HasField("record_date"):
        message.record_date.year, message.record_date.month, message.record_date.day = 2012, 5, 9
    return message


def usd(minor_units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="USD", minor_units=minor_units)


async def test_reference_records_with_all_their_problems(intake: Intake) -> None:
    number = decimal_pb2.Decimal
    rows = [
        record("good", quantity=number(value="3"), unit_price=number(value="3.5"), origin_country="SDN"),
        record("good", quantity=number(value="3"), unit_price=number(value="3.5"), origin_country="SDN"),
        record("good"),
        record("price", quantity=number(value="3"), unit_price=number(value="3.6")),
        record(
            "all",
            value=money_pb2.Money(currency_code="XYZ", minor_units=0),
            record_date=date_pb2.Date(year=2012, month=13, day=1),
            origin_country="ZZ1",
            quantity=number(value="0"),
            net_weight_kilograms=number(value="See ASN-93"),
            freight=usd(-1),
            tax_percent=number(value="-5"),
        ),
        record("future", record_date=date_pb2.Date(year=2999, month=1, day=1), commodity_code="12"),
        record(
            "heavy", net_weight_kilograms=number(value="2"), gross_weight_kilograms=number(value="1"), insurance=usd(0)
        ),
        reference_pb2.ReferenceRecord(),
    ]
    request = declarations_pb2.BatchCreateReferenceRecordsRequest(reference_records=rows)
    verdicts = (await intake.call("BatchCreateReferenceRecords", request)).verdicts
    assert [told(verdict) for verdict in verdicts] == [
        ("0", "ACCEPTED", []),
        ("1", "DUPLICATE", []),
        ("2", "REFUSED", [("key", "RECORD_KNOWN_WITH_OTHER_CONTENT")]),
        ("3", "REFUSED", [("value", "TOTAL_MISMATCH")]),
        (
            "4",
            "REFUSED",
            [
                ("value.currency_code", "CURRENCY_UNKNOWN"),
                ("record_date", "DATE_INVALID"),
                ("origin_country", "COUNTRY_UNKNOWN"),
                ("value", "AMOUNT_NOT_POSITIVE"),
                ("freight", "AMOUNT_NEGATIVE"),
                ("quantity", "AMOUNT_NOT_POSITIVE"),
                ("net_weight_kilograms", "NUMBER_INVALID"),
                ("tax_percent", "NUMBER_INVALID"),
            ],
        ),
        ("5", "REFUSED", [("commodity_code", "FIELD_STRING_PATTERN"), ("record_date", "DATE_IN_FUTURE")]),
        ("6", "REFUSED", [("net_weight_kilograms", "NET_EXCEEDS_GROSS")]),
        (
            "7",
            "REFUSED",
            [
                ("source", "FIELD_STRING_PATTERN"),
                ("key", "FIELD_STRING_MIN_LEN"),
                ("record_date", "FIELD_REQUIRED"),
                ("value", "FIELD_REQUIRED"),
            ],
        ),
    ]
    assert verdicts[0].resource == verdicts[1].resource
    assert await reserve(intake, verdicts[0].resource) == "INVALID_FIELDS"


async def reserve(intake: Intake, asset: str) -> str:
    """Why a bank can't hold value of an asset."""
    item = declarations_pb2.EncumberedValue(asset=asset, amount=usd(100))
    encumbrance = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", items=[item])
    request = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=str(uuid.uuid4()), encumbrance=encumbrance)
    with pytest.raises(RemoteError) as refused:
        await intake.call("ReserveEncumbrance", request, BANK)
    return str(refused.value.reason)


TABLE = {
    ("REFUSED", "refuse"): "REFUSED",
    ("REFUSED", "accept"): "MENDED",
    ("REFUSED", "discard"): "DISCARDED",
    ("MENDED", "refuse"): "REFUSED",
    ("DISCARDED", "refuse"): "REFUSED",
}


@pytest.mark.parametrize(("state", "verb"), list(itertools.product(refused_model.State, refused_model.Verb)))
def test_every_state_and_verb(state: refused_model.State, verb: refused_model.Verb) -> None:
    refused = refused_model.RefusedDocument("1", "window", b"", "", "", state, 1, 0, 0, 1)
    verbs: dict[refused_model.Verb, Callable[[refused_model.RefusedDocument], refused_model.RefusedDocument]] = {
        refused_model.Verb.REFUSE: lambda one: refused_model.refused_again(
            one, refused_model.Attempt("1.xml", "", (), 5)
        ),
        refused_model.Verb.ACCEPT: refused_model.mended,
        refused_model.Verb.DISCARD: refused_model.discarded,
    }
    if (state, verb) in TABLE:
        assert verbs[verb](refused).state == TABLE[state, verb]
    else:
        with pytest.raises(WrongState):
            verbs[verb](refused)


async def test_what_no_store_takes_is_refused_by_the_row_and_the_rest_taken(intake: Intake) -> None:
    good = '{"unifiedNumber":"I20269999","channelCode":"L","noticeTime":"2026-11-02T08:00:00Z"}'
    lines = [
        good,
        good.replace('"L"', '"L","note":"\\u0000"'),
        good.replace("2026-11-02T08:00:00Z", "9999-12-31T23:00:00Z"),
        "[" * 50_000,
        good.replace("08:00", "09:00"),
    ]
    content = "\n".join(lines).encode()
    verdicts = [told(one) for one in await intake.send(document("hostile.jsonl", content))]
    assert [(outcome, [reason for _, reason in problems]) for _, outcome, problems in verdicts] == [
        ("ACCEPTED", []),
        ("REFUSED", ["TEXT_NUL"]),
        ("REFUSED", ["TIME_OUT_OF_RANGE"]),
        ("REFUSED", ["LINE_MALFORMED"]),
        ("ACCEPTED", []),
    ]


@pytest.mark.parametrize("unified", [True, False])
async def test_a_receipt_with_an_impossible_time_stops_no_other(intake: Intake, unified: bool) -> None:
    request = declarations_pb2.BatchCreateReceiptsRequest()
    for seconds in (1_793_600_000, 10**18, 1_793_600_001):
        receipt = request.receipts.add(channel_code="P")
        if unified:
            receipt.unified_number = "I20269998"
        else:
            receipt.declaration_number = "460120260999999999"
        receipt.notice_time.seconds = seconds
    verdicts = (await intake.call("BatchCreateReceipts", request)).verdicts
    assert [Verdict.Outcome.Name(one.outcome) for one in verdicts] == ["ACCEPTED", "REFUSED", "ACCEPTED"]


async def test_a_document_of_many_empty_parts_is_answered_soon_and_briefly(intake: Intake) -> None:
    head = '<ceb:CEB603Message guid="A1" version="1.0" xmlns:ceb="http://www.chinaport.gov.cn/ceb">'
    content = (head + "<ceb:Inventory/>" * 9_900 + "</ceb:CEB603Message>").encode()
    begin = time.monotonic()
    verdicts = await intake.send(document("empty.xml", content), document("sound.xml", dec_message(77)))
    seconds = time.monotonic() - begin
    assert (len(verdicts), verdicts[-1].outcome) == (9_901, Verdict.ACCEPTED)
    assert {one.outcome for one in verdicts[:-1]} == {Verdict.REFUSED}
    assert {one.problems[0].reason for one in verdicts[:-1]} == {"MISSING_ELEMENT"}
    # A machine that does something else too is four times as slow.
    assert seconds < 10, seconds
