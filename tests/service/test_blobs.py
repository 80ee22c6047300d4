"""Blobs over real ports: uploaded by a stream of parts, sealed, and there for their owner alone."""

import asyncio
import hashlib
from typing import Any

import pytest
import sqlalchemy as sa
from aval.blobs.v1 import blobs_pb2

from chassis import sealing, tables
from chassis.blobs import store, terms, uploads
from chassis.blobs.model import PART_BYTES
from chassis.codetables import code_table
from chassis.identity import Caller
from services.declarations.service import SERVICE
from tests.service.blob_world import (
    PATIENCE_SECONDS,
    PDF,
    SHA256,
    opened,
    pieces,
    read,
    refused,
    rows,
    upload,
    violations,
)
from tests.service.intake_world import OTHER_WINDOW, WINDOW, Intake, intake

__all__ = ["intake"]

BANK = Caller("banks/LMHFCNB0/system", "banks/LMHFCNB0", frozenset({"BANK_SYSTEM"}))


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
    """BL2: no statement more, none other: the time it takes says nothing."""
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


async def test_two_uploads_of_the_same_content_at_once_are_one_blob(intake: Intake) -> None:
    content = b"%PDF-1.3 twice" + bytes(3 * PART_BYTES) + b"%%EOF"
    several = await asyncio.gather(*(upload(intake, pieces(content, 150_000)) for _ in range(4)))
    assert len({blob.name for blob in several}) == 1
    (row,) = rows(intake, tables.blobs, tables.blobs.c.size == len(content))
    assert len(rows(intake, tables.blob_parts, tables.blob_parts.c.resource.contains(row.id))) == 4
    assert violations(intake) == []
