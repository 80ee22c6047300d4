"""The cryptographic suites by name: what is sealed, made into a token, signed or chained bears its suite's name.

A table holds the suites that can be read; what is new is made by the one that a key ring, a certificate or the ledger
names. So another suite is a row here and a setting there, and whatever was made before stays readable.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import ECKey, OKPKey

# The suites of what is new.
SEALING, TOKEN, SIGNATURE, DIGEST = "AES-256-GCM", "HMAC-SHA-256", "Ed25519", "SHA-256"
# A token of the suite with this number is bare; another's begins with its number and is at least as long without it.
BARE_TOKEN = 1
BARE_TOKEN_BYTES = 32


class Cipher(Protocol):
    """Authenticated encryption by one key; `decrypt` raises cryptography's InvalidTag."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Returns ciphertext and tag."""
        ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Returns the plain bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SealingSuite:
    """A suite of sealed values. `number` is the first byte of each; `cipher` takes a key of `key_bytes`."""

    number: int
    key_bytes: int
    nonce_bytes: int
    cipher: Callable[[bytes], Cipher]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSuite:
    """A suite of tokens: `derive` takes root and purpose to a key, `authenticate` key and content to a token."""

    number: int
    derive: Callable[[bytes, bytes], bytes]
    authenticate: Callable[[bytes, bytes], bytes]

    def stored(self, token: bytes) -> bytes:
        """Returns a token as it is stored: that of suite 1 bare, any other behind its number."""
        return token if self.number == BARE_TOKEN else bytes([self.number]) + token


def _hkdf_sha256(root: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(root)


def _hmac_sha256(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


SEALING_SUITES: Mapping[str, SealingSuite] = {
    "AES-256-GCM": SealingSuite(number=1, key_bytes=32, nonce_bytes=12, cipher=AESGCM),
}
TOKEN_SUITES: Mapping[str, TokenSuite] = {
    "HMAC-SHA-256": TokenSuite(number=BARE_TOKEN, derive=_hkdf_sha256, authenticate=_hmac_sha256),
}
# By a signature's `alg` (RFC 7515): the kind of key that makes it. Ed25519 and P-256.
SIGNATURE_SUITES: Mapping[str, type[OKPKey] | type[ECKey]] = {"Ed25519": OKPKey, "ES256": ECKey}
# Of the ledger's blocks.
DIGEST_SUITES: Mapping[str, Callable[[bytes], bytes]] = {"SHA-256": _sha256}


def token_number(stored: bytes) -> int:
    """Returns the number of the suite that made a stored token: 1 for 32 bytes, the first byte of any longer one."""
    return BARE_TOKEN if len(stored) == BARE_TOKEN_BYTES else next(iter(stored), 0)
