"""The contents of refused documents are blobs of their senders; what stands is sealed anew as such."""

import hashlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from chassis import sealing
from chassis.blobs.media_types import seen
from chassis.keyring import KeyRing

# A content has up to 4 MiB.
AT_ONCE = 16
PART_BYTES = 256 * 1024

revision = "declarations_0006"
down_revision = "declarations_0005"
branch_labels = None
depends_on = "chassis_0006"

CONTENTS = sa.table("refused_contents", *map(sa.column, ("resource", "sealed")))
DOCUMENTS = sa.table("refused_documents", *map(sa.column, ("id", "sender", "last_us")))
BLOBS = sa.table("blobs", *map(sa.column, ("id", "owner", "digest", "size", "media_type", "create_us", "is_done")))
PARTS = sa.table("blob_parts", *map(sa.column, ("resource", "key_id", "sealed")))
HOLDERS = sa.table("blob_holders", *map(sa.column, ("holder", "blob", "since_us")))


def upgrade() -> None:
    """Applies it."""
    connection, keys = op.get_bind(), op.get_context().opts["keys"]
    for row in _rows(connection):
        _carry(connection, keys, row)
    op.drop_table("refused_contents")


def _rows(connection: sa.Connection) -> Iterator[Any]:
    """Gives each content with its document, in the order of their names."""
    name = sa.literal("refusedDocuments/").concat(DOCUMENTS.c.id)
    joined = sa.select(CONTENTS, DOCUMENTS).join(DOCUMENTS, CONTENTS.c.resource == name)
    last = ""
    while rows := connection.execute(
        joined.where(CONTENTS.c.resource > last).order_by(CONTENTS.c.resource).limit(AT_ONCE)
    ).all():
        yield from rows
        last = rows[-1].resource


def _carry(connection: sa.Connection, keys: KeyRing, row: Any) -> None:
    content = keys.open(bytes(row.sealed), row.resource.encode())
    digest = keys.token("blob", row.sender.encode() + b"\0" + hashlib.sha256(content).digest())
    same = sa.select(BLOBS.c.id).where(BLOBS.c.owner == row.sender, BLOBS.c.digest == digest)
    blob = connection.execute(same).scalar() or _add(connection, keys, row, digest, content)
    connection.execute(sa.insert(HOLDERS).values(holder=row.resource, blob=blob, since_us=row.last_us))


def _add(connection: sa.Connection, keys: KeyRing, row: Any, digest: bytes, content: bytes) -> str:
    """Adds a blob of a content, with its parts. Returns its id: the document's under another word."""
    blob = f"blob-{row.id.removeprefix('refused-')}"
    values = {"id": blob, "owner": row.sender, "digest": digest, "size": len(content), "is_done": True}
    made = sa.insert(BLOBS).values(**values, media_type=seen(content), create_us=row.last_us)
    connection.execute(made)
    for number, start in enumerate(range(0, len(content), PART_BYTES)):
        part = f"{row.sender}/blobs/{blob}/{number:06}"
        sealed = sealing.sealed_row(keys, part, content[start : start + PART_BYTES])
        connection.execute(sa.insert(PARTS).values(dict(zip(("resource", "key_id", "sealed"), sealed, strict=True))))
    return blob
