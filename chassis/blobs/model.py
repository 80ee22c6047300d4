"""A blob: its row, its names, how it is cut into parts, and what may be wrong with an upload."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from chassis.blobs.media_types import Looked, declarable
from chassis.errors import Problem

# What is sealed and kept as one row; a reader has no more of a blob in memory.
PART_BYTES = 256 * 1024
PREFIX = "blobs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """The row. `digest` is a token of owner and SHA-256, empty until the upload is whole; `size` is what is kept."""

    id: str
    owner: str
    digest: bytes = b""
    size: int = 0
    media_type: str = ""
    create_us: int = 0
    is_done: bool = False

    @property
    def part_count(self) -> int:
        """Returns how many parts it is cut into: 0 bytes into none, 262,144 into one, 262,145 into two."""
        return -(-self.size // PART_BYTES)

    def part(self, number: int) -> str:
        """Returns the name under which a part is sealed: it opens for no other owner, blob or place."""
        return f"{self.owner}/{PREFIX}{self.id}/{number:06}"

    @property
    def parts(self) -> list[str]:
        """Returns the names of all its parts, in their order."""
        return [self.part(number) for number in range(self.part_count)]


def cut(content: bytes) -> Iterator[bytes]:
    """Cuts a content into parts, each whole but the last: 300,000 bytes into 262,144 and 37,856."""
    for start in range(0, len(content), PART_BYTES):
        yield content[start : start + PART_BYTES]


def name_of(sha256: str) -> str:
    """Returns the name by which its owner knows a blob: blobs/{64 hexadecimal digits}."""
    return PREFIX + sha256


class Receiving:
    """An upload under way: takes pieces of any size, gives parts of one, and looks at what passes by."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self._rest = bytearray()
        self._digest, self._looked = hashlib.sha256(), Looked()

    def add(self, piece: bytes) -> Iterator[tuple[Blob, int, bytes]]:
        """Takes the next piece; gives each part that is whole now, with the blob so far and the part's number.

        The rest stays here, at most one part of it, so that the last part goes with the end of the upload.
        """
        self._digest.update(piece)
        self._looked.add(piece)
        self._rest += piece
        while len(self._rest) > PART_BYTES:
            part = bytes(self._rest[:PART_BYTES])
            del self._rest[:PART_BYTES]
            yield self._grown(part), self.blob.part_count - 1, part

    def _grown(self, part: bytes) -> Blob:
        self.blob = replace(self.blob, size=self.blob.size + len(part))
        return self.blob

    @property
    def sha256(self) -> str:
        """Returns the SHA-256 of what has come."""
        return self._digest.hexdigest()

    def last(self) -> tuple[Blob, int, bytes]:
        """Returns the last part, as `add` gives the others."""
        part = bytes(self._rest)
        return self._grown(part), max(self.blob.part_count - 1, 0), part

    def problems(self, sha256: str) -> list[Problem]:
        """Returns all that is wrong with the whole: nothing in it, another digest or another type than declared."""
        found = []
        if self.blob.size + len(self._rest) == 0:
            found.append(
                Problem("content", "BLOB_EMPTY", "is empty; send the document's bytes", "内容为空，请发送文件内容。")
            )
        if sha256 != self.sha256:
            found.append(_other_digest(self.sha256))
        seen = self._looked.seen()
        if seen is None or self.blob.media_type not in seen.names:
            found.append(_other_type(self.blob.media_type, seen.name if seen else "none of the types that are taken"))
        return found


def _other_digest(sha256: str) -> Problem:
    english = f"is another than {sha256} of what came; send the document again"
    return Problem("sha256", "BLOB_DIGEST_MISMATCH", english, f"与收到内容的摘要 {sha256} 不符，请重新上传。")


def _other_type(declared: str, seen: str) -> Problem:
    english = f"says {declared}, but the content is {seen}; declare what it is"
    return Problem("media_type", "BLOB_TYPE_MISMATCH", english, f"声明为 {declared}，与内容不符；请按实际类型声明。")


def type_problems(declared: str) -> list[Problem]:
    """Returns what is wrong with a declared type before any content is looked at: that no such type is taken."""
    if declared in declarable():
        return []
    taken = ", ".join(sorted(declarable()))
    return [
        Problem("media_type", "BLOB_TYPE_UNKNOWN", f"must be one of {taken}", f"必须是下列类型之一：{taken}。"),
    ]
