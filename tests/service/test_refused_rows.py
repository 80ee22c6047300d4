"""Refused rows of batches and streams: kept sealed, listed by source and position, mended by whatever comes."""

import datetime
import json
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, intake_pb2, records_pb2, reference_pb2, retail_pb2
from aval.type.v1 import money_pb2, problem_pb2
from google.protobuf import json_format
from google.type import date_pb2, decimal_pb2

from chassis.command import Transaction
from chassis.identity import Caller
from chassis.ids import Identifiers
from chassis.status import RemoteError
from chassis.tables import blob_holders
from services.declarations.intake import commands as intake_commands
from services.declarations.intake.formats import ceb, decmessage
from services.declarations.intake.refused import keeping
from services.declarations.intake.refused import store as refused_store
from services.declarations.intake.refused import terms as refused_terms
from services.declarations.intake.refused.store import (
    refused_documents,
    refused_reasons,
    refused_told,
)
from services.declarations.service import SERVICE
from tests.service.intake_world import OTHER_WINDOW, WINDOW, Intake, Verdict, dec_message, document, intake, told
from trade.calendars import day_in_china

__all__ = ["intake"]

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures"
State = intake_pb2.RefusedDocument.State
EXPORTER = Caller("enterprises/91411023MAXY00112A/lin", "enterprises/91411023MAXY00112A", frozenset({"EXPORTER"}))


def declaration(index: int, **changes: Any) -> declarations_pb2.Declaration:
    row, problems = decmessage.parse(dec_message(index))
    assert row is not None, problems
    for name, value in changes.items():
        setattr(row, name, value)
    return row


def receipt(index: int) -> declarations_pb2.Receipt:
    found = declarations_pb2.Receipt(declaration_number=f"46012026{index:010}", channel_code="L")
    found.notice_time.FromSeconds(1_793_600_000)
    return found


def record(index: int) -> records_pb2.Record:
    line = (FIXTURES / "records" / "permit.jsonl").read_text(encoding="utf-8").splitlines()[0]
    found = json_format.Parse(line, records_pb2.Record())
    found.permit.permit_number = f"XK-{index}"
    return found


def reference(index: int) -> reference_pb2.ReferenceRecord:
    return reference_pb2.ReferenceRecord(
        source="tests",
        key=f"row {index}",
        commodity_code="670420",
        record_date=date_pb2.Date(year=2025, month=3, day=1),
        value=money_pb2.Money(currency_code="USD", minor_units=100),
        quantity=decimal_pb2.Decimal(value="1"),
        net_weight_kilograms=decimal_pb2.Decimal(value="1"),
    )


def order(index: int) -> retail_pb2.RetailDocument:
    (parsed,) = ceb.parse((FIXTURES / "ceb" / "good_311.xml").read_bytes())
    row: Any = parsed.row
    row.order_number = f"ROWS-{index}"
    return retail_pb2.RetailDocument(order=row)


@dataclass(frozen=True)
class Kind:
    """A kind of row: its name, the stream's batch method, the request's field, a sound row, and what breaks one."""

    name: str
    method: str
    field: str
    sound: Callable[[int], Any]
    spoil: Callable[[Any], None]
    reason: str

    def spoilt(self, index: int) -> Any:
        row = self.sound(index)
        self.spoil(row)
        return row


KINDS = [
    Kind(
        "declaration",
        "BatchCreateDeclarations",
        "declarations",
        declaration,
        lambda row: setattr(row, "trade_mode", "general"),
        "FIELD_STRING_PATTERN",
    ),
    Kind(
        "record",
        "BatchCreateRecords",
        "records",
        record,
        lambda row: row.ClearField("enterprise"),
        "ENTERPRISE_MISSING",
    ),
    Kind(
        "reference_record",
        "BatchCreateReferenceRecords",
        "reference_records",
        reference,
        lambda row: setattr(row.value, "minor_units", 0),
        "AMOUNT_NOT_POSITIVE",
    ),
    Kind(
        "retail_document",
        "BatchCreateRetailDocuments",
        "documents",
        order,
        lambda row: setattr(row.order.goods_value, "minor_units", 1),
        "GOODS_VALUE_MISMATCH",
    ),
]
by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


async def send(intake: Intake, kind: Kind, *rows: Any, caller: Caller = WINDOW, **source: Any) -> list[Any]:
    method = f"{kind.method}Request"
    request = getattr(declarations_pb2, method)(**{kind.field: rows, "source": declarations_pb2.RowSource(**source)})
    return list((await intake.call(kind.method, request, caller)).verdicts)


async def listed(intake: Intake, caller: Caller = WINDOW, **filters: Any) -> list[Any]:
    request = intake_pb2.ListRefusedDocumentsRequest(page_size=500, **filters)
    return list((await intake.call("ListRefusedDocuments", request, caller)).refused_documents)


async def get(intake: Intake, name: str) -> Any:
    return await intake.call("GetRefusedDocument", intake_pb2.GetRefusedDocumentRequest(name=name))


async def resend(intake: Intake, name: str, content: bytes = b"") -> Any:
    request = declarations_pb2.ResendDocumentRequest(name=name, content=content)
    return await intake.call("ResendDocument", request)


@by_name
async def test_a_refused_row_is_kept_and_mended_by_what_comes(intake: Intake, kind: Kind) -> None:
    """IN4: an accepted row of the same numbers mends it, when its sender says so."""
    rows = [kind.sound(101), kind.spoilt(102), kind.spoilt(103)]
    verdicts = await send(intake, kind, *rows, name="goods.csv", positions=[2, 3, 7])
    assert [verdict.outcome for verdict in verdicts] == [Verdict.ACCEPTED, Verdict.REFUSED, Verdict.REFUSED]
    found = [await get(intake, verdict.refused_document) for verdict in verdicts[1:]]
    assert not verdicts[0].refused_document
    assert [one.document_id for one in found] == ["goods.csv#3", "goods.csv#7"]
    assert {(one.format, one.attempts, one.state) for one in found} == {(kind.name, 1, State.REFUSED)}
    assert kind.reason in [problem.reason for problem in found[0].problems]
    assert found[0].problems == verdicts[1].problems
    assert {one.name for one in await listed(intake, reason=kind.reason, format=kind.name)} == {
        one.name for one in found
    }
    # The same again is one more attempt; of another place, but the same row.
    again = await send(intake, kind, kind.spoilt(102), name="again.csv", positions=[9])
    assert again[0].refused_document == found[0].name
    # Mended in the file and imported again: what was refused waits no more, and its content is forgotten.
    await send(intake, kind, kind.sound(101), kind.sound(102), has_mended=True)
    after = [await get(intake, one.name) for one in found]
    assert [(one.state, one.attempts, bool(one.content)) for one in after] == [
        (State.MENDED, 2, False),
        (State.REFUSED, 1, True),
    ]
    assert after[0].document_id == "again.csv#9"
    # Mended as the JSON that it is kept as.
    content = json.loads(found[1].content)
    assert json_format.ParseDict(content, declarations_pb2.Row()) == declarations_pb2.Row(**{kind.name: rows[2]})
    still = await resend(intake, found[1].name)
    assert kind.reason in [problem.reason for problem in still.refused_document.problems]
    mended = json_format.MessageToJson(declarations_pb2.Row(**{kind.name: kind.sound(103)}), indent=2)
    done = await resend(intake, found[1].name, mended.encode())
    assert (done.refused_document.state, done.refused_document.attempts) == (State.MENDED, 2)
    assert [verdict.outcome for verdict in done.verdicts] == [Verdict.ACCEPTED]
    assert (await send(intake, kind, kind.sound(103)))[0].outcome == Verdict.DUPLICATE


async def test_a_receipt_is_kept_and_told_by_its_request(intake: Intake) -> None:
    unknown = receipt(140)
    unknown.channel_code = "?"
    request = declarations_pb2.BatchCreateReceiptsRequest(receipts=[receipt(140), unknown])
    verdicts = (await intake.call("BatchCreateReceipts", request)).verdicts
    found = await get(intake, verdicts[1].refused_document)
    assert (found.document_id, found.format) == (f"{request.request_id}#1", "receipt")
    # Another receipt of the same declaration is no mending of this one.
    other = receipt(140)
    other.channel_code = "P"
    source = declarations_pb2.RowSource(has_mended=True)
    request = declarations_pb2.BatchCreateReceiptsRequest(receipts=[other], source=source)
    await intake.call("BatchCreateReceipts", request)
    assert (await get(intake, found.name)).state == State.REFUSED
    done = await resend(intake, found.name, found.content.replace(b'"?"', b'"R"'))
    assert done.refused_document.state == State.MENDED


async def test_an_amendment_is_mended_by_no_other_amendment(intake: Intake) -> None:
    """IN4: a row of another time, or one that isn't accepted, mends nothing."""
    kind = KINDS[0]
    first, second = declaration(150), declaration(150, contract_number="second")
    broken = declaration(150, contract_number="third", trade_mode="general")
    second.amend_time.FromSeconds(1_793_700_000)
    broken.amend_time.FromSeconds(1_793_800_000)
    verdicts = await send(intake, kind, first, broken)
    assert [verdict.outcome for verdict in verdicts] == [Verdict.ACCEPTED, Verdict.REFUSED]
    assert [one.outcome for one in await send(intake, kind, second, has_mended=True)] == [Verdict.ACCEPTED]
    assert (await get(intake, verdicts[1].refused_document)).state == State.REFUSED
    # Known with other content: the row that was accepted is a duplicate when it comes again, and mends nothing.
    (other,) = await send(intake, kind, declaration(150, contract_number="other"))
    assert told(other)[2] == [("declaration_number", "DECLARATION_KNOWN_WITH_OTHER_CONTENT")]
    await send(intake, kind, first, has_mended=True)
    assert (await get(intake, other.refused_document)).state == State.REFUSED


async def test_new_rows_mend_nothing(intake: Intake) -> None:
    kind = KINDS[0]
    (refused,) = await send(intake, kind, kind.spoilt(155))
    assert (await send(intake, kind, kind.sound(155)))[0].outcome == Verdict.ACCEPTED
    assert (await get(intake, refused.refused_document)).state == State.REFUSED
    # As it was it stays refused; what is known already mends it.
    mended = json_format.MessageToJson(declarations_pb2.Row(declaration=kind.sound(155)))
    done = await resend(intake, refused.refused_document, mended.encode())
    assert (done.refused_document.state, done.verdicts[0].outcome) == (State.MENDED, Verdict.DUPLICATE)


async def test_the_window_alone_has_rows_kept(intake: Intake) -> None:
    (verdict,) = await send(intake, KINDS[1], KINDS[1].spoilt(160), caller=EXPORTER)
    assert (verdict.outcome, verdict.refused_document) == (Verdict.REFUSED, "")
    (theirs,) = await send(intake, KINDS[1], KINDS[1].spoilt(160), caller=OTHER_WINDOW)
    assert [one.name for one in await listed(intake, OTHER_WINDOW)] == [theirs.refused_document]


def unread(position: int, content: bytes, row: Any = None) -> declarations_pb2.UnreadRow:
    problem = problem_pb2.Problem(path="总价", reason="NUMBER_INVALID", message="'1o0' is no decimal number.")
    return declarations_pb2.UnreadRow(position=position, content=content, format="CSV", problems=[problem], row=row)


async def test_what_its_sender_could_not_read_is_kept_too(intake: Intake) -> None:
    kind, content = KINDS[0], "报关单号,总价\n460120260000000170,1o0\n".encode("gb18030")
    row = declarations_pb2.Row(declaration=declarations_pb2.Declaration(declaration_number="460120260000000170"))
    sent: dict[str, Any] = {"name": "d.csv", "unread": [unread(4, content, row), unread(5, b"a,b\n1\n")]}
    assert await send(intake, kind, **sent) == []
    assert await send(intake, kind, **sent) == []
    found = {one.document_id: one for one in await listed(intake, format="CSV")}
    assert {(one.document_id, one.attempts) for one in found.values()} == {("d.csv#4", 2), ("d.csv#5", 2)}
    kept = await get(intake, found["d.csv#4"].name)
    assert (kept.content, kept.problems[0].path) == (content, "总价")
    with pytest.raises(RemoteError) as needed:
        await resend(intake, kept.name)
    assert needed.value.reason == "MENDED_ROW_NEEDED"
    mended = json_format.MessageToJson(declarations_pb2.Row(declaration=declaration(171)))
    assert (await resend(intake, found["d.csv#5"].name, mended.encode())).refused_document.state == State.MENDED
    await send(intake, kind, declaration(170), has_mended=True)
    assert (await get(intake, kept.name)).state == State.MENDED


async def test_rows_as_json_lines(intake: Intake) -> None:
    rows = [declarations_pb2.Row(**{kind.name: kind.sound(180)}) for kind in KINDS]
    rows.append(declarations_pb2.Row(declaration=declaration(181, trade_mode="general")))
    lines = [json.dumps(json_format.MessageToDict(row)) for row in rows]
    content = "\n".join([*lines, '{"retail_document": {}}', '{"declaration": {"nonsense": 1}}']).encode()
    verdicts = await intake.send(document("rows.jsonl", content))
    assert [told(verdict)[1:] for verdict in verdicts] == [
        *[("ACCEPTED", [])] * len(KINDS),
        ("REFUSED", [("trade_mode", "FIELD_STRING_PATTERN")]),
        ("REFUSED", [("", "LINE_MALFORMED")]),
        ("REFUSED", [("", "LINE_MALFORMED")]),
    ]
    (name,) = {verdict.refused_document for verdict in verdicts} - {""}
    assert (await get(intake, name)).content == content


async def test_nothing_is_kept_beyond_the_limit(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = KINDS[0]
    await send(intake, kind, kind.spoilt(190))
    waiting = len(await listed(intake, state=State.REFUSED))
    monkeypatch.setattr(keeping, "refused_kept_most", lambda _on: waiting + 2)
    verdicts = await send(intake, kind, *(kind.spoilt(190 + index) for index in range(4)))
    assert [bool(verdict.refused_document) for verdict in verdicts] == [True, True, True, False]
    assert len(await listed(intake, state=State.REFUSED)) == waiting + 2


def test_the_terms_of_keeping() -> None:
    today = datetime.date(2026, 11, 2)
    assert (refused_terms.refused_kept_days(today), refused_terms.refused_kept_most(today)) == (180, 100_000)


async def test_what_is_old_is_forgotten_whole(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_commands, "AT_ONCE", 2)
    kind = KINDS[0]
    verdicts = await send(intake, kind, *(kind.spoilt(200 + index) for index in range(3)))
    names = [verdict.refused_document for verdict in verdicts]
    last_us = (await get(intake, names[0])).last_refuse_time.ToMicroseconds()
    store = intake.platform.nodes[SERVICE.name].store
    kept_us = refused_terms.refused_kept_days(datetime.date(2026, 11, 2)) * intake_commands.DAY_US
    for now_us, is_kept in ((last_us + kept_us, True), (last_us + kept_us + 1, False)):
        with store.write() as connection:
            ids, date = Identifiers(now_us, bytes(16)), day_in_china(now_us)
            transaction = Transaction(connection, WINDOW, now_us, ids, business_date=date, keys=store.keys)
            while intake_commands.forget_old(transaction):
                pass
        for name in names:
            assert has_rows(intake, name) == ([True] * 4 if is_kept else [False] * 4)


def has_rows(intake: Intake, name: str) -> list[bool]:
    """Whether each table has anything of it."""
    identifier = name.removeprefix("refusedDocuments/")
    conditions = (
        refused_documents.c.id == identifier,
        refused_reasons.c.document == identifier,
        refused_told.c.resource == name,
        blob_holders.c.holder == name,
    )
    with intake.platform.nodes[SERVICE.name].store.read() as connection:
        return [
            connection.execute(sa.select(sa.literal(1)).where(one).limit(1)).first() is not None for one in conditions
        ]


async def test_verification_finds_what_is_kept_wrongly(intake: Intake) -> None:
    """IN3: lost content, content kept after mending, and a row that was never told are named."""
    kind = KINDS[0]
    verdicts = await send(intake, kind, *(kind.spoilt(210 + index) for index in range(3)))
    lost, leaked, untold = (verdict.refused_document for verdict in verdicts)
    store = intake.platform.nodes[SERVICE.name].store
    rows = refused_documents.c
    with store.write() as connection:
        assert refused_store.violations(connection) == []
        connection.execute(sa.delete(blob_holders).where(blob_holders.c.holder == lost))
        is_leaked = rows.id == leaked.removeprefix("refusedDocuments/")
        connection.execute(sa.update(refused_documents).where(is_leaked).values(state="MENDED"))
        connection.execute(sa.delete(refused_told).where(refused_told.c.resource == untold))
        found = refused_store.violations(connection)
        assert {line.partition(" ")[0] for line in found} == {lost, leaked, untold}
        connection.rollback()
