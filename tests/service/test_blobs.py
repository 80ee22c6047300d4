"""Blobs over real ports: uploaded by a stream of parts, read by their owner alone, sealed, and forgotten in time."""

import asyncio
import contextlib
import hashlib
import pathlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from aval.blobs.v1 import blobs_pb2

from chassis import business_date, sealing, tables, verification
from chassis.blobs import proof, store, terms, uploads
from chassis.blobs.model import PART_BYTES
from chassis.clock import SystemClock
from chassis.codetables import code_table
from chassis.command import Transaction
from chassis.contracts import contract
from chassis.database import Database
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import Identifiers
from chassis.status import RemoteError
from cli import keys
from cli.layout import Layout
from services.declarations.service import SERVICE
from tests.service.intake_world import OTHER_WINDOW, WINDOW, Intake, intake, running
from tests.support import Refusal, refusal_of

__all__ = ["intake"]

PATIENCE_SECONDS = 20
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3000 + b"\n%%EOF\n"
SHA256 = hashlib.sha256(PDF).hexdigest()
BANK = Caller("banks/LMHFCNB0/system", "banks/LMHFCNB0", frozenset({"BANK_SYSTEM"}))


def pieces(content: bytes, size: int, media_type: str = "application/pdf", sha256: str = "") -> list[Any]:
    """The parts that a client sends, of so many bytes each."""
    parts = [blobs_pb2.BlobPart(content=content[i : i + size]) for i in range(0, max(len(content), 1), size)]
    parts[0].media_type = media_type
    parts[-1].sha256 = sha256 or hashlib.sha256(content).hexdigest()
    return parts


def opened(intake: Intake, method: str, caller: Caller) -> tuple[Any, list[tuple[str, str]]]:
    """A method's stream, raw, and the metadata by which the gateway opens it for a caller."""
    path, channel = contract(SERVICE.name).path(method), intake.platform.channels[SERVICE.name]
    assertion = intake.platform.signer.assertion(caller, SERVICE.name, SystemClock().now_us())
    call = channel.stream_unary(path) if method == "UploadBlob" else channel.unary_stream(path)
    return call, [(ASSERTION_KEY, assertion), ("accept-language", caller.language)]


async def upload(intake: Intake, parts: Iterable[Any], caller: Caller = WINDOW) -> Any:
    """The blob that an upload makes. RemoteError."""
    _, metadata = opened(intake, "UploadBlob", caller)

    async def sent() -> AsyncIterator[bytes]:
        for part in parts:
            yield part.SerializeToString()

    path = contract(SERVICE.name).path("UploadBlob")
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await intake.platform.channels.upload(SERVICE.name, path, sent(), metadata)
    return blobs_pb2.Blob.FromString(answer)


async def read(intake: Intake, name: str, caller: Caller = WINDOW) -> list[Any]:
    """The parts of a blob. grpc.RpcError."""
    call, metadata = opened(intake, "GetBlob", caller)
    request = blobs_pb2.GetBlobRequest(name=name).SerializeToString()
    stream = call(request, metadata=metadata, timeout=PATIENCE_SECONDS)
    return [blobs_pb2.BlobPart.FromString(raw) async for raw in stream]


async def refused(work: Any) -> Refusal:
    """What was told of a call that is refused."""
    try:
        answer = await work
    except (RemoteError, grpc.RpcError) as error:
        return refusal_of(error.__cause__ if isinstance(error, RemoteError) else error, "en")
    raise AssertionError(answer)


def rows(intake: Intake, table: sa.Table, *where: Any) -> list[Any]:
    with intake.platform.nodes[SERVICE.name].store.read() as connection:
        return list(connection.execute(sa.select(table).where(*where)))


def violations(intake: Intake) -> list[str]:
    """What verification finds, with the keys at hand."""
    database = intake.platform.nodes[SERVICE.name].store
    with database.read() as connection:
        return verification.violations(SERVICE, connection, database.keys)


@contextlib.contextmanager
def written(intake: Intake) -> Iterator[sealing.Opening]:
    """A transaction beside the running service."""
    running = intake.platform.nodes[SERVICE.name].store
    beside = Database(running.url, running.schema, running.keys)
    try:
        with beside.write() as connection:
            yield sealing.Opening(connection, beside.keys)
    finally:
        beside.close()


@contextlib.contextmanager
def transaction(intake: Intake, after_us: int = 0) -> Iterator[Transaction]:
    """A transaction of the window's, so long after now."""
    now_us = SystemClock().now_us() + after_us
    with written(intake) as opening:
        ids, date = Identifiers(now_us, after_us.to_bytes(16, "big")), business_date.day(now_us)
        yield Transaction(opening.connection, WINDOW, now_us, ids, business_date=date, keys=opening.keys)


@pytest.mark.parametrize("size", [PART_BYTES, PART_BYTES - 1, 1_000_000, 70_001])
async def test_a_blob_comes_back_as_it_was_sent_however_it_was_cut(intake: Intake, size: int) -> None:
    blob = await upload(intake, pieces(PDF, size))
    assert (blob.name, blob.size, blob.media_type) == (f"blobs/{SHA256}", len(PDF), "application/pdf")
    parts = await read(intake, blob.name)
    assert b"".join(part.content for part in parts) == PDF
    assert (parts[0].media_type, parts[0].size, parts[-1].sha256) == ("application/pdf", len(PDF), SHA256)
    assert {len(part.content) for part in parts[:-1]} == {PART_BYTES}
    # The same again is the same blob.
    (row,) = rows(intake, tables.blobs, tables.blobs.c.size == len(PDF))
    assert row.create_us == blob.create_time.ToMicroseconds()
    assert len(rows(intake, tables.blob_parts, tables.blob_parts.c.resource.contains(row.id))) == len(parts)
    assert violations(intake) == []


async def test_a_blob_of_exactly_one_part_and_of_one_byte(intake: Intake) -> None:
    for content in (b"x" * PART_BYTES, b"x" * (PART_BYTES + 1), b"x"):
        blob = await upload(intake, pieces(content, 100_000, "text/plain"))
        assert b"".join(part.content for part in await read(intake, blob.name)) == content
    assert violations(intake) == []


async def test_the_last_piece_may_be_empty(intake: Intake) -> None:
    parts = pieces(b"text alone", 100, "text/plain")
    parts[0].sha256 = ""
    end = blobs_pb2.BlobPart(sha256=hashlib.sha256(b"text alone").hexdigest())
    assert (await upload(intake, [*parts, end])).size == 10


async def test_nothing_of_a_content_is_in_the_rows(intake: Intake) -> None:
    content = "吴十三的护照号 E12345678".encode() * 3
    blob = await upload(intake, pieces(content, 10, "text/plain"))
    digest = hashlib.sha256(content).digest()
    found = [*rows(intake, tables.blobs), *rows(intake, tables.blob_parts), *rows(intake, tables.blob_holders)]
    assert blob.name == f"blobs/{digest.hex()}"
    for row in found:
        for value in row:
            raw = value if isinstance(value, bytes) else str(value).encode()
            assert content[:30] not in raw
            # A plain digest would let a content be guessed.
            assert digest not in raw
            assert digest.hex().encode() not in raw


async def test_for_another_tenant_a_blob_isnt_there(intake: Intake) -> None:
    blob = await upload(intake, pieces(PDF, 300_000))
    theirs = await refused(read(intake, blob.name, OTHER_WINDOW))
    never = await refused(read(intake, "blobs/" + "0" * 64, OTHER_WINDOW))
    assert (theirs.code, theirs.reason) == (never.code, never.reason) == ("NOT_FOUND", "NOT_FOUND")
    assert theirs.message.replace(SHA256, "") == never.message.replace("0" * 64, "")


async def test_another_tenants_blob_is_looked_for_as_one_that_never_was(intake: Intake) -> None:
    """No statement more, none other: the time it takes says nothing."""
    await upload(intake, pieces(PDF, 300_000))
    told = [statements_of_looking(intake, sha256) for sha256 in (SHA256, "0" * 64)]
    assert told[0] == told[1]
    assert len(told[0]) == 1


def statements_of_looking(intake: Intake, sha256: str) -> list[str]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    database = intake.platform.nodes[SERVICE.name].store
    with database.read() as connection:
        sa.event.listen(connection, "before_cursor_execute", note)
        assert store.find(sealing.Opening(connection, database.keys), OTHER_WINDOW.tenant, sha256) is None
        sa.event.remove(connection, "before_cursor_execute", note)
    return seen


async def test_each_tenant_has_a_blob_of_its_own(intake: Intake) -> None:
    content = b"the same words of two"
    for caller in (WINDOW, OTHER_WINDOW):
        blob = await upload(intake, pieces(content, 7, "text/plain"), caller)
        assert b"".join(part.content for part in await read(intake, blob.name, caller)) == content
    mine, theirs = rows(intake, tables.blobs, tables.blobs.c.size == len(content))
    assert mine.digest != theirs.digest


async def test_a_role_that_the_policy_doesnt_name_uploads_nothing(intake: Intake) -> None:
    assert (await refused(upload(intake, pieces(PDF, 10_000), BANK))).reason == "ACCESS_DENIED"


@pytest.mark.parametrize(
    ("parts", "reason", "fields"),
    [
        (pieces(PDF, 300_000, "image/png"), "INVALID_FIELDS", ["media_type"]),
        (pieces(PDF, 300_000, "application/x-msdownload"), "INVALID_FIELDS", ["media_type"]),
        (pieces(PDF, 300_000, "image/png", "0" * 64), "INVALID_FIELDS", ["sha256", "media_type"]),
        (pieces(b"", 1, "text/plain"), "INVALID_FIELDS", ["content"]),
        (pieces(PDF, 300_000)[:-1], "UPLOAD_INCOMPLETE", []),
        ([], "UPLOAD_INCOMPLETE", []),
    ],
)
async def test_what_is_refused_leaves_nothing(intake: Intake, parts: list[Any], reason: str, fields: list[str]) -> None:
    before = len(rows(intake, tables.blobs)), len(rows(intake, tables.blob_parts))
    refusal = await refused(upload(intake, parts))
    assert (refusal.code, refusal.reason, list(refusal.violations)) == ("INVALID_ARGUMENT", reason, fields)
    assert (len(rows(intake, tables.blobs)), len(rows(intake, tables.blob_parts))) == before


async def test_a_blob_beyond_the_limit_is_refused_while_it_comes(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "blob_bytes", lambda _date: 2 * PART_BYTES)
    fits = await upload(intake, pieces(b"y" * (2 * PART_BYTES), 90_000, "text/plain"))
    assert fits.size == 2 * PART_BYTES
    before = len(rows(intake, tables.blob_parts))
    endless = (blobs_pb2.BlobPart(content=b"z" * 100_000, media_type="text/plain") for _ in range(1000))
    refusal = await refused(upload(intake, endless))
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "BLOB_TOO_LARGE")
    assert str(2 * PART_BYTES) in refusal.message
    assert len(rows(intake, tables.blob_parts)) == before


async def test_all_blobs_of_an_owner_have_a_limit_together(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Caller("windows/luoyang/system", "windows/luoyang", frozenset({"WINDOW"}))
    monkeypatch.setattr(terms, "owner_bytes", lambda _date: 1000)
    await upload(intake, pieces(b"a" * 600, 100, "text/plain"), owner)
    refusal = await refused(upload(intake, pieces(b"b" * 401, 100, "text/plain"), owner))
    assert (refusal.code, refusal.reason) == ("FAILED_PRECONDITION", "BLOBS_FULL")
    # What is there already needs no room, and others have theirs.
    await upload(intake, pieces(b"a" * 600, 100, "text/plain"), owner)
    await upload(intake, pieces(b"b" * 400, 100, "text/plain"), owner)
    await upload(intake, pieces(b"b" * 401, 100, "text/plain"), Caller("w", "windows/kaifeng", frozenset({"WINDOW"})))


def test_the_limits_are_data() -> None:
    table = code_table("chassis", "blob_limits")
    assert {row["code"] for row in table.rows()} == {
        "blob_bytes",
        "owner_bytes",
        "upload_kept_hours",
        "unclaimed_kept_days",
    }


async def test_an_upload_that_pauses_too_long_is_refused(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PART_SECONDS", 0.2)
    call, metadata = opened(intake, "UploadBlob", WINDOW)
    stream = call(metadata=metadata, timeout=PATIENCE_SECONDS)
    await stream.write(pieces(PDF, 300_000)[0].SerializeToString())
    refusal = await refused(stream)
    assert (refusal.code, refusal.reason) == ("DEADLINE_EXCEEDED", "UPLOAD_LATE")


async def cut_off(intake: Intake, content: bytes) -> None:
    """An upload whose sender goes away in the middle, once parts of it are kept."""
    call, metadata = opened(intake, "UploadBlob", WINDOW)
    stream = call(metadata=metadata, timeout=PATIENCE_SECONDS)
    before = len(rows(intake, tables.blob_parts))
    for part in pieces(content, PART_BYTES)[:-1]:
        await stream.write(part.SerializeToString())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(rows(intake, tables.blob_parts)) == before:
            await asyncio.sleep(0.01)
    stream.cancel()


def begun(intake: Intake) -> list[Any]:
    return rows(intake, tables.blobs, sa.not_(tables.blobs.c.is_done))


async def test_an_upload_that_is_cut_off_is_removed_after_a_day(intake: Intake) -> None:
    await cut_off(intake, b"%PDF-1.7 cut" + bytes(4 * PART_BYTES))
    (left,) = begun(intake)
    kept_us = terms.upload_kept_us(business_date.day(left.create_us))
    assert kept_us == 86_400_000_000
    assert len(rows(intake, tables.blob_parts, tables.blob_parts.c.resource.contains(left.id))) > 0
    elapsed_us = SystemClock().now_us() - left.create_us
    for after_us, is_left in ((kept_us - elapsed_us - 60_000_000, True), (kept_us - elapsed_us + 60_000_000, False)):
        with transaction(intake, after_us) as later:
            assert store.forget_uploads(later) is False
        assert bool(begun(intake)) == is_left
    assert rows(intake, tables.blob_parts, tables.blob_parts.c.resource.contains(left.id)) == []


async def test_what_no_resource_refers_to_is_removed_in_time(intake: Intake) -> None:
    lost, held = b"nobody refers to this", b"somebody refers to this"
    for content in (lost, held):
        await upload(intake, pieces(content, 100, "text/plain"))
    with transaction(intake) as now:
        store.hold(now, WINDOW.tenant, {"letters/1": held})
    names = [f"blobs/{hashlib.sha256(content).hexdigest()}" for content in (lost, held)]
    kept_us = terms.unclaimed_kept_us(business_date.day(SystemClock().now_us()))
    with transaction(intake, kept_us - 60_000_000) as later:
        store.forget_uploads(later)
    assert [len(await read(intake, name)) for name in names] == [1, 1]
    with transaction(intake, kept_us + 60_000_000) as later:
        store.forget_uploads(later)
    assert (await refused(read(intake, names[0]))).reason == "NOT_FOUND"
    assert (await read(intake, names[1]))[0].content == held
    with transaction(intake) as now:
        store.release(now.connection, ["letters/1"])
    assert (await refused(read(intake, names[1]))).reason == "NOT_FOUND"
    assert violations(intake) == []


async def test_a_blob_is_kept_while_anything_holds_it(intake: Intake) -> None:
    content = b"%PDF-1.4 " + bytes(PART_BYTES) + b"%%EOF"
    digest = hashlib.sha256(content).hexdigest()
    with transaction(intake) as now:
        store.hold(now, WINDOW.tenant, {"letters/1": content, "letters/2": content, "letters/3": b""})
        assert store.of_holder(now.connection, "letters/1") == store.of_holder(now.connection, "letters/2")
        empty = store.of_holder(now.connection, "letters/3")
        assert empty is not None
        assert (empty.size, store.content(now, empty)) == (0, b"")
    with transaction(intake) as now:
        # In place of what it held.
        store.hold(now, WINDOW.tenant, {"letters/1": b"other", "letters/3": b"other"})
    blob = (await read(intake, f"blobs/{digest}"))[0]
    assert blob.media_type == "application/pdf"
    assert violations(intake) == []
    with transaction(intake) as now:
        store.release(now.connection, ["letters/1", "letters/2", "letters/3", "letters/9"])
        assert store.find(now, WINDOW.tenant, digest) is None
        assert now.connection.scalar(sa.select(sa.func.count()).where(tables.blobs.c.size == len(content))) == 0


async def test_verification_finds_what_is_wrong(intake: Intake) -> None:
    for letter in "abcdefg":
        await upload(intake, pieces(letter.encode() * (PART_BYTES + 9), 200_000, "text/plain"))
    parts, blobs = tables.blob_parts, tables.blobs
    with written(intake) as opening:
        connection = opening.connection
        assert list(proof.violations(opening)) == []
        query = sa.select(blobs.c.id).where(blobs.c.size == PART_BYTES + 9).order_by(blobs.c.id)
        lost, swapped, other, held, grown, *_ = connection.execute(query).scalars()
        connection.execute(sa.delete(parts).where(parts.c.resource == f"window/blobs/{lost}/000001"))
        (sealed,) = connection.execute(
            sa.select(parts.c.sealed).where(parts.c.resource == f"window/blobs/{other}/000001")
        ).scalars()
        connection.execute(
            sa.update(parts).where(parts.c.resource == f"window/blobs/{swapped}/000001").values(sealed=sealed)
        )
        connection.execute(sa.update(blobs).where(blobs.c.id == other).values(digest=bytes(32)))
        connection.execute(sa.delete(tables.blob_holders).where(tables.blob_holders.c.blob == held))
        connection.execute(sa.update(blobs).where(blobs.c.id == grown).values(size=PART_BYTES + 10))
        sealing.put(opening, parts, {"window/blobs/blob-none/000000": b"stray"})
        connection.execute(sa.insert(tables.blob_holders).values(holder="letters/9", blob="blob-none", since_us=1))
        found = list(proof.violations(opening))
        rows_alone = list(proof.violations(sealing.Opening(connection, keys.keyring.NO_KEYS)))
        connection.rollback()
    assert sorted(found) == sorted(
        [
            f"window/blobs/{lost}: 1 of 2 parts are missing",
            f"window/blobs/{swapped}: a part doesn't open: Tampered",
            f"window/blobs/{other}: its content has another digest",
            f"window/blobs/{grown}: its parts have {PART_BYTES + 9} bytes, its row says {PART_BYTES + 10}",
            f"window/blobs/{held}: nothing holds it",
            "blobs: letters/9 holds blob-none, which isn't there",
        ]
    )
    assert len(rows_alone) == 3


async def test_verification_finds_an_upload_that_was_never_swept(intake: Intake) -> None:
    with written(intake) as opening:
        connection, newest_us = opening.connection, 30 * 86_400_000_000
        connection.execute(
            sa.insert(tables.events).values(
                position=10_000, event_id="e", type="t", resource="r", payload=b"", traceparent="", create_us=newest_us
            )
        )
        for days in (28, 29):
            values = {"id": f"blob-{days}", "owner": "window", "digest": b"", "size": 0, "media_type": "text/plain"}
            row = {**values, "create_us": days * 86_400_000_000, "is_done": False}
            connection.execute(sa.insert(tables.blobs).values(**row))
        found = [text for text in proof.violations(opening) if "blob-" in text]
        connection.rollback()
    assert found == ["window/blobs/blob-28: an upload that was cut off is still kept"]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_rotation_of_keys_seals_blobs_anew_while_they_are_read(
    kind: str, tmp_path: pathlib.Path, request: pytest.FixtureRequest
) -> None:
    database = f"sqlite:///{tmp_path / 'store'}"
    if kind == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    async with running(tmp_path, database) as busy:
        large = b"%PDF-1.7 " + bytes(20 * PART_BYTES) + b"%%EOF"
        blob = await upload(busy, pieces(large, 1_000_000))
        with keys.opened(Layout(tmp_path), database, [SERVICE.name], None) as (ring,):
            old = ring.file.current_id
            told: list[int] = []
            rotation = asyncio.create_task(asyncio.to_thread(keys.rotate, ring, lambda _, done, __: told.append(done)))
            while not rotation.done():
                assert b"".join(part.content for part in await read(busy, blob.name)) == large
                await upload(busy, pieces(PDF, 100_000))
            report = await rotation
            assert set(ring.rows_by_key()) == {report["current"]}
            assert keys.retire(ring) == [old]
        # No more than 16 parts are in memory at once.
        assert max(after - before for before, after in zip([0, *told], told, strict=False)) <= 16
        assert b"".join(part.content for part in await read(busy, blob.name)) == large
        assert violations(busy) == []


async def test_two_uploads_of_the_same_content_at_once_are_one_blob(intake: Intake) -> None:
    content = b"%PDF-1.3 twice" + bytes(3 * PART_BYTES) + b"%%EOF"
    several = await asyncio.gather(*(upload(intake, pieces(content, 150_000)) for _ in range(4)))
    assert len({blob.name for blob in several}) == 1
    (row,) = rows(intake, tables.blobs, tables.blobs.c.size == len(content))
    assert len(rows(intake, tables.blob_parts, tables.blob_parts.c.resource.contains(row.id))) == 4
    assert violations(intake) == []
