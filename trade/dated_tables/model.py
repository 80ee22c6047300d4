"""Versions of dated tables. Pure."""

import hashlib
from dataclasses import dataclass


def digest_of(content: bytes) -> bytes:
    """Returns the SHA-256 of a table's content."""
    return hashlib.sha256(content).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A version of a table as stores name it: which, from where, and the digest of its content.

    `correction` says why it changed rows of days that had passed, and is empty where it changed none.
    """

    name: str
    version: int
    source: str
    digest: bytes
    correction: str = ""

    @property
    def identity(self) -> tuple[str, int, bytes]:
        """Name, number and digest, on which all services must agree."""
        return self.name, self.version, self.digest

    def __str__(self) -> str:
        """Returns the name, the version and the digest's first digits: "holidays 2 (9f86d081884c)"."""
        return f"{self.name} {self.version} ({self.digest.hex()[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A version of a table with its content: rows as CSV, in UTF-8."""

    name: str
    version: int
    source: str
    content: bytes
    correction: str = ""

    @property
    def edition(self) -> Edition:
        """Returns the version without its content."""
        return Edition(
            name=self.name,
            version=self.version,
            source=self.source,
            digest=digest_of(self.content),
            correction=self.correction,
        )
