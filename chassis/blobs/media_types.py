"""The type of a content, by its first bytes, its last ones and whether it is text: data/media_types.csv.

A content is looked at while it passes by, and never held whole.
"""

import codecs
from dataclasses import dataclass
from functools import cache

from chassis.codetables import Row, code_table

# Nothing that the table knows.
UNKNOWN = "application/octet-stream"
HEAD_BYTES = 16
# Of a ZIP file the directory of its members stands at its end, of a PDF its trailer.
TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaType:
    """A row of the table: how a content of the type begins, what its last 64 kB contain, and its other names."""

    name: str
    head: bytes
    tail: bytes
    is_text: bool
    also: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """Returns all names by which a content of it may be declared."""
        return self.also | {self.name}


def _media_type(row: Row) -> MediaType:
    return MediaType(
        name=row["code"],
        head=bytes.fromhex(row["head"]),
        tail=row["tail"].encode(),
        is_text=row["is_text"] == "yes",
        also=frozenset(row["also"].split()),
    )


@cache
def media_types() -> tuple[MediaType, ...]:
    """Returns the table, what is more special before what is less."""
    return tuple(map(_media_type, code_table("chassis", "media_types").rows()))


@cache
def declarable() -> frozenset[str]:
    """Returns every name by which a content may be declared."""
    return frozenset().union(*(media_type.names for media_type in media_types()))


class Looked:
    """Sees the type of a content whose pieces pass by, in their order."""

    def __init__(self) -> None:
        self._head, self._tail, self._is_text = b"", b"", True
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def add(self, piece: bytes) -> None:
        """Looks at the next piece."""
        self._head += piece[: HEAD_BYTES - len(self._head)] if len(self._head) < HEAD_BYTES else b""
        self._tail = (self._tail + piece[-TAIL_BYTES:])[-TAIL_BYTES:]
        self._is_text = self._is_text and b"\0" not in piece and self._decodes(piece)

    def _decodes(self, piece: bytes, is_last: bool = False) -> bool:
        try:
            self._decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            return False
        return True

    def seen(self) -> MediaType | None:
        """Returns the type of what has passed by, such as application/pdf of b"%PDF-1.7 … %%EOF"; None if none fits."""
        is_text = self._is_text and self._decodes(b"", is_last=True)
        return next((media_type for media_type in media_types() if self._is(media_type, is_text)), None)

    def _is(self, media_type: MediaType, is_text: bool) -> bool:
        if media_type.is_text and not is_text:
            return False
        return self._head.startswith(media_type.head) and media_type.tail in self._tail


def seen(content: bytes) -> str:
    """Returns the type's name of a whole content: image/jpeg of b"\\xff\\xd8\\xff…", UNKNOWN where none fits."""
    looked = Looked()
    looked.add(content)
    media_type = looked.seen()
    return media_type.name if media_type else UNKNOWN
