"""No name of a natural person in clear: not in the store, a log, a span or an event; and none lost by a rotation."""

import asyncio
import hashlib
import itertools
import json
import logging
import pathlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, intake_pb2, personal_pb2, retail_pb2
from aval.type.v1 import problem_pb2
from click.testing import CliRunner
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import eventlog, keyring, sealing, telemetry, testing, writer
from chassis.clock import SystemClock
from chassis.command import Transaction
from chassis.contracts import contract
from chassis.identity import service_caller
from chassis.ids import Identifiers, system_random
from chassis.keyring import UnknownKey
from chassis.service import Reading
from chassis.status import RemoteError
from cli import keys
from cli.layout import Layout
from cli.main import main
from services.declarations.intake.formats import ceb
from services.declarations.privacy.personal import store as personal_store
from services.declarations.privacy.personal.store import personal_data
from tests.service.consent_world import EXPORTER, STRANGER, WINDOW, Register, person, running
from trade.calendars import day_in_china

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures" / "decmessage"
DECMESSAGE = (FIXTURES / "good_general_trade.xml").read_text()
REFUSED = (FIXTURES / "bad_line_total.xml").read_text()
OWNER = person("enterprises/91410100MAXY004469", "EXPORTER")
IMPORTED = "declarations/462020260000000118"
# Not a person, and of the same document: the search must find it.
COMPANY = "许昌示例发制品有限公司"
INPUTTER, DECLARANT, TYPIST = "欧阳慕蓉", "Grzegorz Brzęczyszczykiewicz", "T88271930Q"
BUYER = personal_pb2.Person(
    part="BUYER",
    name="慕容雪舞",
    identity_type="1",
    identity_number="41102319881207351X",
    telephone="+86 139 3748 2216",
    address="许昌市魏都区梨园路七十三号院",
)
RETAIL = "retailOrders/EB.2026-77"
# An order, a payment, a waybill and a list of the import side, which name buyer, payer and consignee.
RETAIL_ROWS: list[Any] = [
    parsed.row
    for name in ("good_311", "good_411", "good_511", "good_621")
    for parsed in ceb.parse((FIXTURES.parent / "ceb" / f"{name}.xml").read_bytes())
]
FIELDS = ("name", "identity_number", "telephone", "address")
PERSONS = [BUYER, *(person for row in RETAIL_ROWS for person in row.persons)]
SECRETS = {
    *(INPUTTER, DECLARANT, TYPIST),
    *(getattr(entry, field) for entry in PERSONS for field in FIELDS if getattr(entry, field)),
}
ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")


def forms(text: str) -> Iterator[bytes]:
    """The text's bytes in every encoding, also as JSON and SQL would escape them."""
    yield from (text.encode(encoding) for encoding in ENCODINGS)
    yield text.encode("unicode_escape")
    yield text.encode("utf-8").hex().encode()


def found_in(content: bytes) -> set[str]:
    """The secrets that the bytes hold."""
    # Fewer bytes could come together by chance in what is sealed.
    return {secret for secret in SECRETS if any(form in content for form in forms(secret) if len(form) > 5)}


def stored(register: Register) -> bytes:
    """All bytes of the store: SQLite's files with the log ahead of them, PostgreSQL's tables column by column."""
    if register.database.startswith("sqlite"):
        assert any(file.name.endswith("-wal") for file in (register.folder / "store").iterdir())
    return stored_in(register.database, register.folder / "store")


def stored_in(database: str, folder: pathlib.Path) -> bytes:
    """All bytes of the declarations' store: in a folder of SQLite, or in a database of PostgreSQL."""
    if database.startswith("sqlite"):
        return b"".join(file.read_bytes() for file in folder.glob("*.sqlite*"))
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'declarations'").fetchall()
        rows = [connection.execute(f'SELECT * FROM declarations."{name}"').fetchall() for (name,) in tables]
    values = itertools.chain.from_iterable(itertools.chain.from_iterable(rows))
    return b"\0".join(value if isinstance(value, bytes) else str(value).encode() for value in values)


@pytest.fixture
async def register(database_url: str, tmp_path: pathlib.Path) -> AsyncIterator[Register]:
    async with running(tmp_path, database_url) as found:
        yield found


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """All spans of this process."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    for module in (telemetry, writer):
        monkeypatch.setattr(module, "tracer", provider.get_tracer("test"))
    return exporter


def document(text: str) -> bytes:
    """A DecMessage with our persons in its head."""
    for element, name in (("TypistNo", TYPIST), ("InputerName", INPUTTER), ("DeclareName", DECLARANT)):
        assert f"<{element}/>" in text
        text = text.replace(f"<{element}/>", f"<{element}>{name}</{element}>")
    return text.encode()


async def bring_in(register: Register) -> None:
    """Documents good and bad, rows, twice each; and a retail document's buyer."""
    contents = {"good.xml": document(DECMESSAGE), "bad.xml": document(REFUSED)}
    documents = [declarations_pb2.Document(document_id=name, content=content) for name, content in contents.items()]
    for _ in range(2):
        request = declarations_pb2.ImportDocumentsRequest(documents=documents)
        await register.call("ImportDocuments", request, WINDOW)
    (row,) = await register.declare(register.row(BUYER))
    assert await register.persons(row, EXPORTER) == [BUYER]
    retail = declarations_pb2.BatchCreateRetailDocumentsRequest(documents=map(wrapped, RETAIL_ROWS))
    verdicts = (await register.call("BatchCreateRetailDocuments", retail, WINDOW)).verdicts
    assert {verdict.outcome for verdict in verdicts} == {declarations_pb2.IntakeVerdict.ACCEPTED}, verdicts
    for verdict, sent in zip(verdicts, RETAIL_ROWS, strict=True):
        assert await register.persons(verdict.resource, WINDOW) == list(sent.persons)
    put(register, {RETAIL: personal_pb2.PersonalData(persons=[BUYER])})
    await refuse(register)


async def refuse(register: Register) -> None:
    """Documents and rows are refused whose problems quote persons, and which come from files named after them."""
    misplaced = DECMESSAGE.replace("<GrossWet>", f"<GrossWet>{INPUTTER}").encode()
    lines = json.dumps({"receipt": {"declaration_number": "1", BUYER.telephone: BUYER.identity_number}}).encode()
    documents = [
        declarations_pb2.Document(document_id=f"{DECLARANT}.xml", content=misplaced),
        declarations_pb2.Document(document_id=f"{BUYER.name}.jsonl", content=lines),
    ]
    request = declarations_pb2.ImportDocumentsRequest(documents=documents)
    verdicts = (await register.call("ImportDocuments", request, WINDOW)).verdicts
    assert await register.call("ImportDocuments", request, WINDOW) == declarations_pb2.ImportDocumentsResponse(
        verdicts=verdicts
    )
    row = register.row(BUYER)
    row.lines[0].quantity.value = TYPIST
    problem = problem_pb2.Problem(path=BUYER.name, reason="NUMBER_INVALID", message=f"'{BUYER.telephone}' is none.")
    named = problem_pb2.Problem(reason=BUYER.identity_number, message="named after a person")
    unread = declarations_pb2.UnreadRow(content=BUYER.address.encode(), format="CSV", problems=[problem, named])
    unread.row.declaration.declaration_number = BUYER.identity_number
    source = declarations_pb2.RowSource(name=f"{DECLARANT}.csv", unread=[unread])
    batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row], source=source)
    verdicts.extend((await register.call("BatchCreateDeclarations", batch, WINDOW)).verdicts)
    quoted = [problem.message for verdict in verdicts for problem in verdict.problems]
    for secret in (INPUTTER, BUYER.telephone):
        assert any(secret in message for message in quoted), (secret, quoted)
    for verdict in verdicts:
        resend = declarations_pb2.ResendDocumentRequest(name=verdict.refused_document)
        assert (await register.call("ResendDocument", resend, WINDOW)).refused_document.problems
    listed = await register.call("ListRefusedDocuments", intake_pb2.ListRefusedDocumentsRequest(), WINDOW)
    (theirs,) = [entry for entry in listed.refused_documents if entry.format == "CSV"]
    named.reason = "OTHER"
    assert (theirs.document_id, theirs.problems) == (f"{DECLARANT}.csv#0", [problem, named])
    discard = intake_pb2.DiscardRefusedDocumentRequest(name=theirs.name)
    await register.call("DiscardRefusedDocument", discard, WINDOW)


def wrapped(row: Any) -> retail_pb2.RetailDocument:
    """A row as the document that it is."""
    (field,) = [
        each_field.name
        for each_field in retail_pb2.RetailDocument.DESCRIPTOR.fields
        if each_field.message_type == row.DESCRIPTOR
    ]
    return retail_pb2.RetailDocument(**{field: row})


def put(register: Register, persons: dict[str, personal_pb2.PersonalData]) -> None:
    """As a room of the service puts persons in."""
    with register.store.write() as connection:
        personal_store.put(transaction_on(connection, register), persons)


def transaction_on(connection: sa.Connection, register: Register) -> Transaction:
    """One of the running service's own."""
    now_us = SystemClock().now_us()
    ids = Identifiers(now_us, system_random(16))
    caller, date = service_caller("declarations"), day_in_china(now_us)
    return Transaction(connection, caller, now_us, ids, business_date=date, keys=register.keys)


async def check_readable(register: Register) -> None:
    """Every person is still there."""
    imported = await register.persons(IMPORTED, OWNER)
    assert [(each_person.part, each_person.name or each_person.identity_number) for each_person in imported] == [
        (personal_pb2.Person.TYPIST, TYPIST),
        (personal_pb2.Person.INPUTTER, INPUTTER),
        (personal_pb2.Person.DECLARANT, DECLARANT),
    ]
    with register.store.read() as connection:
        reading = Reading(connection, service_caller("declarations"), 0, register.keys)
        assert list(personal_store.of(reading, [RETAIL, "retailOrders/none"])) == [RETAIL]
        assert list(personal_store.of(reading, [RETAIL])[RETAIL].persons) == [BUYER]


async def test_no_name_is_in_clear(
    register: Register, spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """PD1: no person's word is in the store, an answer, an event, a span or a log."""
    with caplog.at_level(logging.DEBUG):
        await bring_in(register)
        await check_readable(register)
        told = [await register.call("GetDeclaration", request_of(IMPORTED), OWNER), *await register.watch(OWNER)]
        tamper(register)
        with pytest.raises(RemoteError, match="quote"):
            await register.persons(IMPORTED, OWNER)
    with register.store.read() as connection:
        events = eventlog.read(connection, "", 0).events
    traced = "\n".join(span.to_json() for span in spans.get_finished_spans())
    assert "GetPersonalData" in traced
    assert "Tampered" in caplog.text
    everything = {
        "store": stored(register),
        "answers and events": b"".join(message.SerializeToString() for message in [*told, *events]),
        "spans": traced.encode(),
        "logs": caplog.text.encode(),
    }
    assert {place: found_in(content) for place, content in everything.items() if found_in(content)} == {}
    assert COMPANY.encode() in everything["store"]
    assert COMPANY.encode() in everything["answers and events"]


def request_of(name: str) -> declarations_pb2.GetDeclarationRequest:
    """For one declaration."""
    return declarations_pb2.GetDeclarationRequest(name=name)


def tamper(register: Register) -> None:
    """Puts another row's sealed value in place of the imported declaration's."""
    columns = personal_data.c
    other = sa.select(columns.sealed).where(columns.resource == RETAIL).scalar_subquery()
    with register.store.write() as connection:
        statement = sa.update(personal_data).where(columns.resource == IMPORTED).values(sealed=other)
        assert connection.execute(statement).rowcount == 1


async def test_a_request_is_remembered_by_no_digest_that_could_be_guessed(register: Register) -> None:
    batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[register.row(BUYER)])
    first = await register.call("BatchCreateDeclarations", batch, WINDOW)
    assert await register.call("BatchCreateDeclarations", batch, WINDOW) == first
    content = batch.SerializeToString(deterministic=True)
    method = contract("declarations").method("BatchCreateDeclarations").full_name.encode()
    for guessed in (content, method + content, method + b"\0" + content):
        assert hashlib.sha256(guessed).digest() not in stored(register)
    batch.declarations[0].persons[0].name = "Someone Else"
    with pytest.raises(RemoteError) as refusal:
        await register.call("BatchCreateDeclarations", batch, WINDOW)
    assert refusal.value.reason == "REQUEST_ID_REUSED"


@pytest.fixture
def ring(register: Register) -> Iterator[keys.Ring]:
    """The operator's hand on the running register's ring."""
    with keys.opened(Layout(register.folder), register.database, ["declarations"], None) as (found,):
        yield found


async def test_rotation_while_it_runs_leaves_everything_readable(
    register: Register, ring: keys.Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PD2: a rotation beside writers and readers loses nothing, and leaves no row under the old key."""
    monkeypatch.setattr(keys, "ROWS_AT_ONCE", 3)
    await bring_in(register)
    names = await register.declare(*(register.row(BUYER) for _ in range(20)))
    old = ring.file.current_id
    seen: list[tuple[int, int]] = []
    rotation = asyncio.create_task(asyncio.to_thread(keys.rotate, ring, lambda _, *progress: seen.append(progress)))
    while not rotation.done():
        names += await register.declare(register.row(BUYER))
        assert await register.persons(names[0], EXPORTER) == [BUYER]
    report = await rotation
    assert (report["added"], report["current"] != old) == (True, True)
    assert report["resealed"] >= 23
    assert seen[-1] == (report["resealed"], report["resealed"])
    assert len(seen) > 7
    assert set(ring.rows_by_key()) == {report["current"]}
    await check_readable(register)
    assert keys.retire(ring) == [old]
    await check_readable(register)
    for name in names:
        assert await register.persons(name, EXPORTER) == [BUYER]
    (fresh,) = await register.declare(register.row(BUYER))
    assert await register.persons(fresh, EXPORTER) == [BUYER]
    assert set(ring.rows_by_key()) == {report["current"]}
    assert found_in(stored(register)) == set()


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


async def test_an_interrupted_rotation_is_taken_up_again(
    register: Register, ring: keys.Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PD2: the second run seals the rest, and only then is the old key retired."""
    monkeypatch.setattr(keys, "ROWS_AT_ONCE", 2)
    await register.declare(*(register.row(BUYER) for _ in range(7)))
    old = ring.file.current_id

    def interrupt(_service: str, done: int, _total: int) -> None:
        if done >= 4:
            raise Interrupted

    with pytest.raises(Interrupted):
        keys.rotate(ring, interrupt)
    new = ring.file.current_id
    assert ring.rows_by_key() == {old: 3, new: 4}
    # A key that rows use stays.
    assert keys.retire(ring) == []
    report = keys.rotate(ring, lambda *_: None)
    assert report == {"service": "declarations", "current": new, "added": False, "resealed": 3}
    assert ring.rows_by_key() == {new: 7}
    assert keys.retire(ring) == [old]
    assert [key["id"] for key in keys.listed(ring)["keys"]] == [new]


async def test_the_commands(register: Register) -> None:
    def run(verb: str, *options: str) -> Any:
        where = ["--folder", str(register.folder), "--database", register.database, "--json"]
        result = CliRunner().invoke(main, ["keys", verb, *where, *options])
        assert result.exit_code == 0, result.output
        (found,) = json.loads(result.stdout)["services"]
        return found

    (name,) = await register.declare(register.row(BUYER))
    (first,) = run("list")["keys"]
    assert (first["use"], first["rows"]) == ("current", 1)
    coming = run("prepare")["next"]
    # What is handed out and not used yet survives.
    assert run("retire", "--service", "declarations")["retired"] == []
    rotated = run("rotate")
    assert (rotated["current"], rotated["added"], rotated["resealed"]) == (coming, True, 1)
    assert [(key["id"], key["use"]) for key in run("list")["keys"]] == [(first["id"], "old"), (coming, "current")]
    assert run("rotate", "--retire")["retired"] == [first["id"], coming]
    assert await register.persons(name, EXPORTER) == [BUYER]


def test_without_a_ring_the_commands_say_so(tmp_path: pathlib.Path) -> None:
    for options in ([], ["--service", "declarations", "--ring", str(tmp_path / "none.json")]):
        result = CliRunner().invoke(main, ["keys", "list", "--folder", str(tmp_path), *options])
        assert (result.exit_code, result.stdout) == (1, "")
        assert str(tmp_path) in result.stderr


async def test_a_row_that_changes_during_the_rotation_keeps_its_new_value(
    postgresql_server: testing.PostgreSQL, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite nobody writes while a batch is sealed anew."""
    other = personal_pb2.Person(part="BUYER", name="Someone Else")
    resealed = sealing._resealed

    async with running(tmp_path, postgresql_server.new_database()) as busy:

        def with_a_change(opened: keyring.KeyRing, resource: str, sealed: bytes) -> dict[str, object]:
            put(busy, {resource: personal_pb2.PersonalData(persons=[other])})
            return resealed(opened, resource, sealed)

        (name,) = await busy.declare(busy.row(BUYER))
        monkeypatch.setattr(sealing, "_resealed", with_a_change)
        with keys.opened(Layout(busy.folder), busy.database, ["declarations"], None) as (ring,):
            keys.rotate(ring, lambda *_: None)
            assert set(ring.rows_by_key()) == {ring.file.current_id}
        assert await busy.persons(name, EXPORTER) == [other]


async def test_no_key_is_retired_that_an_open_transaction_sealed_with(
    postgresql_server: testing.PostgreSQL, tmp_path: pathlib.Path
) -> None:
    """On SQLite the retirement waits for the one writer."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with running(tmp_path, postgresql_server.new_database()) as busy:
        with keys.opened(Layout(busy.folder), busy.database, ["declarations"], None) as (ring,):
            old = ring.file.current_id
            with ring.store.write() as connection:
                personal_store.put(
                    transaction_on(connection, busy), {RETAIL: personal_pb2.PersonalData(persons=[BUYER])}
                )
                assert (keys.rotate(ring, lambda *_: None))["resealed"] == 0
                retirement = asyncio.create_task(asyncio.to_thread(keys.retire, ring))
                with psycopg.connect(busy.database, autocommit=True) as watching:
                    while not retirement.done() and watching.execute(waiting).fetchone() == (0,):
                        await asyncio.sleep(0.01)
                assert not retirement.done()
            assert await retirement == []
            assert ring.rows_by_key() == {old: 1}


async def test_a_value_of_an_unknown_key_is_no_other_value(register: Register) -> None:
    (name,) = await register.declare(register.row(BUYER))
    stranger = keyring.KeyRing(keyring.generate(system_random, 0))
    with register.store.read() as connection, pytest.raises(UnknownKey):
        personal_store.of(Reading(connection, EXPORTER, 0, stranger), [name])


async def test_an_amendment_brings_its_own_persons(register: Register) -> None:
    row = register.row(BUYER)
    (name,) = await register.declare(row)
    row.contract_number, row.persons[0].name = "XC-2", "Someone Else"
    row.amend_time.GetCurrentTime()
    batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
    (verdict,) = (await register.call("BatchCreateDeclarations", batch, WINDOW)).verdicts
    assert verdict.outcome == declarations_pb2.IntakeVerdict.ACCEPTED
    assert [each_person.name for each_person in await register.persons(name, EXPORTER)] == ["Someone Else"]


async def test_whose_it_isnt_finds_nothing(register: Register) -> None:
    (name,) = await register.declare(register.row(BUYER))
    assert await register.persons(name, WINDOW) == [BUYER]
    for missing, caller in ((name, STRANGER), ("declarations/000000000000000000", EXPORTER), (RETAIL, WINDOW)):
        with pytest.raises(RemoteError) as refusal:
            await register.persons(missing, caller)
        assert refusal.value.reason == "NOT_FOUND"
    assert [(entry.method, entry.reader) for entry in await register.disclosures()] == [
        ("GetPersonalData", WINDOW.tenant)
    ]


def test_the_search_finds_what_is_in_clear(tmp_path: pathlib.Path) -> None:
    for encoding in ENCODINGS:
        assert found_in(b"\0" + INPUTTER.encode(encoding)) == {INPUTTER}
    file = tmp_path / "clear.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE persons (name TEXT)")
        connection.execute("INSERT INTO persons VALUES (?)", (DECLARANT,))
    connection.close()
    assert found_in(file.read_bytes()) == {DECLARANT}
