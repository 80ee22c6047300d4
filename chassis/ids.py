"""Identifiers: sortable by time, unguessable, and the same again when a command is run again."""

import hashlib
import secrets
import uuid
from collections.abc import Callable

# The base32 letters in the order of their bytes, so that the text sorts as the time does.
ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
NAMESPACE = uuid.UUID("6f1d6f0e-3a55-5d0c-9f0b-6176616c0001")
# Apart from the one above, in which services derive theirs.
OWNED = uuid.UUID("6f1d6f0e-3a55-5d0c-9f0b-6176616c0002")

RandomBytes = Callable[[int], bytes]
system_random: RandomBytes = secrets.token_bytes


class Identifiers:
    """Draws identifiers for one command from the time and the seed of its submission.

    A command that is run again after a lost connection draws the same ones.
    """

    def __init__(self, now_us: int, seed: bytes) -> None:
        self._milliseconds = now_us // 1000
        self._seed = seed
        self._drawn = 0

    def _draw(self) -> bytes:
        self._drawn += 1
        return hashlib.sha256(self._seed + self._drawn.to_bytes(4, "big")).digest()

    def resource(self, noun: str) -> str:
        """Returns `<noun>-<26 letters>`: 48 bits of milliseconds and 80 random bits in lower-case base32."""
        value = self._milliseconds << 80 | int.from_bytes(self._draw()[:10], "big")
        letters = (ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))
        return f"{noun}-{''.join(letters)}"

    def uuid7(self) -> uuid.UUID:
        """Returns a time-ordered UUID (RFC 9562, version 7)."""
        return uuid7(self._milliseconds, self._draw()[:10])

    def uuid4(self) -> uuid.UUID:
        """Returns a UUID of version 4, as a UETR must be."""
        return uuid.UUID(bytes=self._draw()[:16], version=4)


def uuid7(milliseconds: int, random: bytes) -> uuid.UUID:
    """Returns a version 7 UUID of 48 bits of milliseconds and ten random bytes."""
    value = milliseconds << 80 | int.from_bytes(random, "big")
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return uuid.UUID(int=value)


def derived(*parts: object) -> str:
    """Returns the UUID that these parts always give: a saga's request ids and reservation ids."""
    return str(uuid.uuid5(NAMESPACE, "/".join(map(str, parts))))


def owned(tenant: str, identifier: str) -> str:
    """Returns the UUID under which a tenant's own id is kept, whatever its case; nobody else's is the same.

    For example owned("banks/LMHFCNB0", id) differs from owned("banks/YUHECNB0", id) and from id.
    """
    digest = hashlib.sha1(OWNED.bytes + f"{tenant}/{identifier.lower()}".encode(), usedforsecurity=False).hexdigest()
    # As uuid.uuid5 makes it, at a third of the price: each transfer has one.
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
