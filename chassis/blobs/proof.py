"""Proof of blobs: every part has its blob, and every blob its parts, its digest and its holder."""

import hashlib
from collections.abc import Collection, Iterator, Sequence

import sqlalchemy as sa

from chassis import bulk, business_date, keyring, records
from chassis.blobs import store, terms
from chassis.blobs.model import PART_BYTES, Blob
from chassis.keyring import Tampered, UnknownKey
from chassis.sealing import Opened
from chassis.tables import blob_holders, blob_parts, blobs, events

# The sweep looks every second; a service that was stopped has this long to catch up.
SLACK_US = terms.HOUR_US


def violations(opened: Opened) -> Iterator[str]:
    """Returns all that doesn't fit in the rows of blobs.

    Contents are opened where the keys are at hand, a part at a time; without them only the rows are proven.
    """
    cut_off_us = _cut_off_us(opened.connection)
    expected = 0
    for page in records.pages(opened.connection, blobs, Blob, store.AT_ONCE):
        expected += sum(blob.part_count for blob in page)
        kept = _kept(opened.connection, page)
        for blob in page:
            yield from (f"{blob.owner}/blobs/{blob.id}: {text}" for text in _wrong(opened, blob, kept, cut_off_us))
    count = opened.connection.execute(sa.select(sa.func.count()).select_from(blob_parts)).scalar_one()
    if count > expected:
        yield f"blobs: {count - expected} parts are of no blob"
    yield from _holders(opened.connection)


def _cut_off_us(connection: sa.Connection) -> int:
    """Returns since when an upload may be under way: the service swept at least until its newest event."""
    query = sa.select(events.c.create_us).order_by(events.c.position.desc()).limit(1)
    newest_us = connection.execute(query).scalar_one_or_none() or 0
    return newest_us - terms.upload_kept_us(business_date.day(newest_us)) - SLACK_US


def _kept(connection: sa.Connection, page: Sequence[Blob]) -> set[str]:
    names = [name for blob in page for name in blob.parts]
    column = blob_parts.c.resource
    return set(connection.execute(sa.select(column).where(bulk.among(connection, column, names))).scalars())


def _wrong(opened: Opened, blob: Blob, kept: Collection[str], cut_off_us: int) -> Iterator[str]:
    missing = sum(name not in kept for name in blob.parts)
    if missing:
        yield f"{missing} of {blob.part_count} parts are missing"
    elif blob.is_done and opened.keys is not keyring.NO_KEYS:
        yield from _wrong_content(opened, blob)
    if not blob.is_done and blob.create_us < cut_off_us:
        yield "an upload that was cut off is still kept"


def _wrong_content(opened: Opened, blob: Blob) -> Iterator[str]:
    digest, size = hashlib.sha256(), 0
    try:
        for number in range(blob.part_count):
            part = store.part(opened, blob, number) or b""
            digest.update(part)
            size += len(part)
            if number < blob.part_count - 1 and len(part) != PART_BYTES:
                yield f"part {number} has {len(part)} bytes"
    except (Tampered, UnknownKey) as error:
        yield f"a part doesn't open: {type(error).__name__}"
        return
    if size != blob.size:
        yield f"its parts have {size} bytes, its row says {blob.size}"
    if blob.digest not in store.tokens(opened.keys, blob.owner, digest.digest()):
        yield "its content has another digest"


def _holders(connection: sa.Connection) -> Iterator[str]:
    rows = blob_holders.c
    has_blob = sa.select(sa.literal(1)).where(blobs.c.id == rows.blob, store.DONE).exists()
    for row in connection.execute(sa.select(rows.holder, rows.blob).where(~has_blob).order_by(rows.blob).limit(20)):
        yield f"blobs: {row.holder} holds {row.blob}, which isn't there"
    is_held = sa.select(sa.literal(1)).where(rows.blob == blobs.c.id).exists()
    query = sa.select(blobs.c.owner, blobs.c.id).where(store.DONE, ~is_held).order_by(blobs.c.id).limit(20)
    for row in connection.execute(query):
        yield f"{row.owner}/blobs/{row.id}: nothing holds it"
