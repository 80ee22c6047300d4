"""Rows of blobs: the only SQL of this room. A blob is there for its owner alone, and as long as something holds it."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from chassis import bulk, records, sealing
from chassis.blobs import media_types, model, terms
from chassis.blobs.errors import BlobsFull, BlobTooLarge, UploadIncomplete
from chassis.blobs.model import Blob
from chassis.command import Transaction
from chassis.keyring import KeyRing
from chassis.sealing import Opened
from chassis.tables import blob_holders, blob_parts, blobs

PURPOSE = "blob"
# Holds what was uploaded until a resource does.
UNCLAIMED = "uploads"
# How many a sweep or a proof takes at once.
AT_ONCE = 100

# As the indexes have it.
DONE, BEGUN = sa.text("is_done"), sa.text("NOT is_done")

Part = tuple[Blob, int, bytes]


def tokens(keys: KeyRing, owner: str, sha256: bytes) -> tuple[bytes, ...]:
    """Returns what a blob is found by, today's form first: a plain digest would let its content be guessed."""
    return keys.tokens(PURPOSE, owner.encode() + b"\0" + sha256)


def find(opened: Opened, owner: str, sha256: str) -> Blob | None:
    """Returns an owner's blob by the digest of its content; another's isn't there."""
    identifier = _known(opened, owner, [bytes.fromhex(sha256)]).get(bytes.fromhex(sha256))
    return _load(opened.connection, identifier) if identifier else None


def _known(opened: Opened, owner: str, digests: Iterable[bytes]) -> dict[bytes, str]:
    """Returns the ids of an owner's blobs by their SHA-256, those that there are."""
    wanted = {token: digest for digest in digests for token in tokens(opened.keys, owner, digest)}
    rows = blobs.c
    query = sa.select(rows.digest, rows.id).where(rows.owner == owner, rows.digest.in_(wanted), DONE)
    return {wanted[row.digest]: row.id for row in opened.connection.execute(query)}


def _load(connection: sa.Connection, identifier: str) -> Blob | None:
    return records.one(connection, blobs, Blob, blobs.c.id == identifier)


def part(opened: Opened, blob: Blob, number: int) -> bytes | None:
    """Returns a part's bytes; None if the blob was removed meanwhile. Raises UnknownKey, Tampered."""
    name = blob.part(number)
    return sealing.of(opened, blob_parts, [name]).get(name)


def content(opened: Opened, blob: Blob) -> bytes:
    """Returns a whole content, for what is known to be small. Raises UnknownKey, Tampered."""
    parts = sealing.of(opened, blob_parts, blob.parts)
    return b"".join(parts[name] for name in blob.parts)


def put_part(transaction: Transaction, blob: Blob, number: int, content: bytes) -> None:
    """Keeps a part of an upload; again it is the same. Raises BlobTooLarge, BlobsFull."""
    if number == 0:
        _check_room(transaction, blob)
    _check_size(transaction, blob)
    _put(transaction, [(blob, number, content)])


def finish(transaction: Transaction, last: Part, sha256: str) -> Blob:
    """Keeps the last part and makes the upload a blob, or gives its parts up for the blob of the same content.

    Raises BlobTooLarge, BlobsFull, UploadIncomplete where its other parts were removed meanwhile.
    """
    blob, number, _ = last
    digest = bytes.fromhex(sha256)
    known = _known(transaction, blob.owner, [digest]).get(digest)
    if known and known != blob.id:
        _drop(transaction.connection, [blob])
        return _claimed(transaction, known)
    _check_room(transaction, blob)
    _check_size(transaction, blob)
    _check_parts(transaction.connection, blob, number)
    token, *_ = tokens(transaction.keys, blob.owner, digest)
    _put(transaction, [(replace(blob, digest=token, is_done=True), *last[1:])])
    return _claimed(transaction, blob.id)


def _claimed(transaction: Transaction, identifier: str) -> Blob:
    """Returns a blob that was uploaded just now and is kept for a time, whether or not a resource refers to it."""
    rows = [(UNCLAIMED, identifier, transaction.now_us)]
    bulk.add(transaction.connection, blob_holders, rows, replaced=("since_us",))
    blob = _load(transaction.connection, identifier)
    assert blob is not None
    return blob


def drop(transaction: Transaction, blob: Blob) -> None:
    """Removes an upload that was refused, with its parts."""
    _drop(transaction.connection, [blob])


def _check_size(transaction: Transaction, blob: Blob) -> None:
    limit = terms.blob_bytes(transaction.business_date)
    if blob.size > limit:
        raise BlobTooLarge(limit=limit)


def _check_room(transaction: Transaction, blob: Blob) -> None:
    rows, limit = blobs.c, terms.owner_bytes(transaction.business_date)
    query = sa.select(sa.func.coalesce(sa.func.sum(rows.size), 0)).where(rows.owner == blob.owner, rows.id != blob.id)
    if int(transaction.connection.execute(query).scalar_one()) + blob.size > limit:
        raise BlobsFull(owner=blob.owner, limit=limit)


def _check_parts(connection: sa.Connection, blob: Blob, count: int) -> None:
    """Raises UploadIncomplete unless so many of its parts are there."""
    names = blob.parts[:count]
    query = sa.select(sa.func.count()).select_from(blob_parts)
    if (
        count
        and connection.execute(query.where(bulk.among(connection, blob_parts.c.resource, names))).scalar() != count
    ):
        raise UploadIncomplete


def _put(transaction: Transaction, parts: Sequence[Part]) -> None:
    """Keeps parts with the rows of their blobs, as these are with them."""
    rows = {blob.id: [*records.to_row(blob).values()] for blob, _, _ in parts}
    bulk.add(transaction.connection, blobs, [*rows.values()], replaced=("digest", "size", "is_done"))
    sealing.put(transaction, blob_parts, {blob.part(number): content for blob, number, content in parts if content})


def hold(transaction: Transaction, owner: str, contents: Mapping[str, bytes]) -> None:
    """Keeps contents as an owner's blobs, each held by a resource in place of what that held before; set-based.

    The same content is the same blob. A room's own content is of any type, and never refused for its size: the room has
    its limits.
    """
    if not contents:
        return
    digests = {holder: hashlib.sha256(content).digest() for holder, content in contents.items()}
    by_digest = {digests[holder]: content for holder, content in contents.items()}
    known = _known(transaction, owner, by_digest)
    fresh = {digest: content for digest, content in sorted(by_digest.items()) if digest not in known}
    known |= _add(transaction, owner, fresh)
    before = _forget_holders(transaction.connection, contents)
    rows = [(holder, known[digest], transaction.now_us) for holder, digest in digests.items()]
    bulk.insert(transaction.connection, blob_holders, rows)
    _drop_unheld(transaction.connection, before)


def _add(transaction: Transaction, owner: str, contents: Mapping[bytes, bytes]) -> dict[bytes, str]:
    """Adds blobs by the SHA-256 of their contents. Returns their ids by that."""
    fresh = {digest: _whole(transaction, owner, digest, content) for digest, content in contents.items()}
    bulk.insert(transaction.connection, blobs, [[*records.to_row(blob).values()] for blob in fresh.values()])
    parts = {
        blob.part(number): part
        for digest, blob in fresh.items()
        for number, part in enumerate(model.cut(contents[digest]))
    }
    sealing.put(transaction, blob_parts, parts)
    return {digest: blob.id for digest, blob in fresh.items()}


def _whole(transaction: Transaction, owner: str, digest: bytes, content: bytes) -> Blob:
    token, *_ = tokens(transaction.keys, owner, digest)
    return Blob(
        id=transaction.ids.resource("blob"),
        owner=owner,
        digest=token,
        size=len(content),
        media_type=media_types.seen(content),
        create_us=transaction.now_us,
        is_done=True,
    )


def of_holder(connection: sa.Connection, holder: str) -> Blob | None:
    """Returns the blob that a resource holds; None if it holds none."""
    joined = sa.select(blobs).join(blob_holders, blob_holders.c.blob == blobs.c.id)
    query = joined.where(blob_holders.c.holder == holder).order_by(blobs.c.id).limit(1)
    return next(iter(records.many(connection, query, Blob)), None)


def holds(resource: Any) -> Any:
    """Returns the condition that the resource of a name, a column or the like, holds a blob."""
    return sa.select(sa.literal(1)).where(blob_holders.c.holder == resource).exists()


def release(connection: sa.Connection, holders: Collection[str]) -> None:
    """Lets resources hold nothing any more, and removes the blobs that nothing holds then."""
    if holders:
        _drop_unheld(connection, _forget_holders(connection, holders))


def _forget_holders(connection: sa.Connection, holders: Collection[str]) -> set[str]:
    """Removes holders. Returns the ids of the blobs that they held."""
    among = bulk.among(connection, blob_holders.c.holder, holders)
    held = set(connection.execute(sa.select(blob_holders.c.blob).where(among)).scalars())
    if held:
        connection.execute(sa.delete(blob_holders).where(among))
    return held


def _drop_unheld(connection: sa.Connection, identifiers: Collection[str]) -> None:
    """Removes of these blobs those that nothing holds."""
    if not identifiers:
        return
    is_held = sa.select(sa.literal(1)).where(blob_holders.c.blob == blobs.c.id).exists()
    query = sa.select(blobs).where(bulk.among(connection, blobs.c.id, identifiers), ~is_held)
    _drop(connection, records.many(connection, query, Blob))


def _drop(connection: sa.Connection, unwanted: Sequence[Blob]) -> None:
    if not unwanted:
        return
    names = [name for blob in unwanted for name in blob.parts]
    connection.execute(sa.delete(blob_parts).where(bulk.among(connection, blob_parts.c.resource, names)))
    ids = [blob.id for blob in unwanted]
    connection.execute(sa.delete(blobs).where(bulk.among(connection, blobs.c.id, ids)))


def forget_uploads(transaction: Transaction) -> bool:
    """Removes uploads that were cut off, and blobs that no resource has come to hold. Returns whether there is more."""
    return _forget_cut_off(transaction) or _forget_unclaimed(transaction)


def _forget_cut_off(transaction: Transaction) -> bool:
    before_us = transaction.now_us - terms.upload_kept_us(transaction.business_date)
    query = sa.select(blobs).where(blobs.c.create_us < before_us, BEGUN).order_by(blobs.c.create_us).limit(AT_ONCE)
    unwanted = records.many(transaction.connection, query, Blob)
    _drop(transaction.connection, unwanted)
    return len(unwanted) == AT_ONCE


def _forget_unclaimed(transaction: Transaction) -> bool:
    rows, before_us = blob_holders.c, transaction.now_us - terms.unclaimed_kept_us(transaction.business_date)
    query = sa.select(rows.blob).where(rows.holder == UNCLAIMED, rows.since_us < before_us)
    unclaimed = list(transaction.connection.execute(query.order_by(rows.since_us).limit(AT_ONCE)).scalars())
    if unclaimed:
        among = bulk.among(transaction.connection, rows.blob, unclaimed)
        transaction.connection.execute(sa.delete(blob_holders).where(rows.holder == UNCLAIMED, among))
        _drop_unheld(transaction.connection, unclaimed)
    return len(unclaimed) == AT_ONCE
