"""How long blobs are kept and by whom they are held; their proof, and the rotation of their keys."""

import asyncio
import hashlib
import pathlib
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import business_date, keyring, sealing, tables, testing
from chassis.blobs import proof, store, terms
from chassis.blobs.model import PART_BYTES
from chassis.clock import SystemClock
from cli import keys
from cli import verification as cli_verification
from cli.layout import Layout
from services.declarations.service import SERVICE
from tests.service.blob_world import (
    PATIENCE_SECONDS,
    PDF,
    opened,
    pieces,
    read,
    refused,
    rows,
    transaction,
    upload,
    violations,
    written,
)
from tests.service.intake_world import WINDOW, Intake, intake, running

__all__ = ["intake"]


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
    """BL3: a blob is kept while anything holds it."""
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
    """BL1: verification finds what is wrong."""
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
        rows_alone = list(proof.violations(sealing.Opening(connection, keyring.NO_KEYS)))
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


async def test_what_was_exchanged_in_the_rows_is_not_given_out_as_whole(intake: Intake) -> None:
    contents = [letter * (PART_BYTES + 5) for letter in (b"v", b"w")]
    (first, second) = [await upload(intake, pieces(content, 300_000, "text/plain")) for content in contents]
    with written(intake) as opening:
        ids = [store.find(opening, WINDOW.tenant, blob.name.removeprefix("blobs/")).id for blob in (first, second)]  # type: ignore[union-attr]
        column = tables.blob_parts.c.resource
        sealed = opening.connection.scalar(sa.select(tables.blob_parts.c.sealed).where(column.contains(ids[1])))
        exchanged = sa.update(tables.blob_parts).where(column == f"window/blobs/{ids[0]}/000001").values(sealed=sealed)
        opening.connection.execute(exchanged)
        # As if it had the other's content.
        (token,) = store.tokens(opening.keys, WINDOW.tenant, hashlib.sha256(b"none").digest())
        opening.connection.execute(sa.update(tables.blobs).where(tables.blobs.c.id == ids[1]).values(digest=token))
    assert (await refused(read(intake, first.name))).reason == "INTERNAL"
    other = f"blobs/{hashlib.sha256(b'none').hexdigest()}"
    assert (await refused(read(intake, other))).reason == "INTERNAL"
    with written(intake) as opening:
        opening.connection.execute(sa.delete(tables.blob_holders).where(tables.blob_holders.c.blob.in_(ids)))
        store._drop_unheld(opening.connection, ids)


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


async def test_the_command_verifies_contents_where_the_key_ring_is_at_hand(
    tmp_path: pathlib.Path, postgresql_server: testing.PostgreSQL
) -> None:
    for number, database in enumerate((f"sqlite:///{tmp_path / 'store'}", postgresql_server.new_database())):
        folder, strange = tmp_path / f"{number}", tmp_path / f"{number}" / "strange"
        strange.mkdir(parents=True)
        keyring.prepare(strange, SERVICE.name, 0)
        async with running(folder, database) as busy:
            await upload(busy, pieces(PDF, 100_000))
            rings = Layout(folder).keys
            report = cli_verification.verify(database, is_whole=False, rings=rings)
            assert (report["ok"], report["unopened_blobs"]) == (True, [])
            with written(busy) as opening:
                opening.connection.execute(sa.update(tables.blobs).values(digest=bytes(32)))
            report = cli_verification.verify(database, is_whole=False, rings=rings)
            (violation,) = report["violations"]
            assert violation.startswith("declarations: window/blobs/")
            assert violation.endswith(": its content has another digest")
            # Without the ring, and with one of another store, the rows alone are proven, and the report says so.
            for others in (None, strange):
                report = cli_verification.verify(database, is_whole=False, rings=others)
                assert (report["ok"], report["unopened_blobs"]) == (True, ["declarations"])
