"""The key ring of a service: what it seals with, what it can still open, and its tokens.

A ring is a file, NAME.keys.json, beside the certificates or where AVAL_KEYS says, readable by its owner
only. It holds several keys, the newest of which seals, and the token root, which is never rotated: what
a token was made of must give the same token for ever. A sealed value is

    version (1 byte) · key id (4 bytes) · nonce (12 bytes) · AES-256-GCM ciphertext and tag

where everything before the nonce and the context (a resource's name) are authenticated: a value that was
moved to another row doesn't open. Rotation adds a key; a running process sees the changed file by itself.
"""

import base64
import contextlib
import datetime
import fcntl
import hmac
import json
import os
import pathlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.certificates import write_secret
from chassis.clock import MICROSECONDS
from chassis.ids import RandomBytes, system_random

VERSION = b"\x01"
ID_BYTES = 4
NONCE_BYTES = 12
KEY_BYTES = 32
_HEAD_BYTES = len(VERSION) + ID_BYTES


class UnknownKey(Exception):
    """The value was sealed with a key that the ring doesn't have: retired too early, or not yet handed out."""


class Tampered(Exception):
    """The bytes are no value that this ring sealed for this context."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its id (8 hexadecimal digits), 32 secret bytes, when it was made (microseconds)."""

    id: str
    secret: bytes
    create_us: int


@dataclass(frozen=True, slots=True)
class Keys:
    """What a ring's file holds: the keys, oldest first, and the token root.

    `next` opens already and doesn't seal yet: so a ring can be handed out before its new key is used.
    """

    token_root: bytes
    keys: tuple[Key, ...]
    next: Key | None = None

    @property
    def current(self) -> Key:
        """The one that seals."""
        return self.keys[-1]

    @property
    def opening(self) -> tuple[Key, ...]:
        """All that open, the current one last."""
        return (self.next, *self.keys) if self.next else self.keys

    def with_next(self, random: RandomBytes, now_us: int) -> "Keys":
        """With a key that is still to come, unless it has one."""
        known = {key.id for key in self.keys}
        identifier = next(drawn for drawn in iter(lambda: random(ID_BYTES).hex(), "") if drawn not in known)
        drawn = self.next or Key(identifier, random(KEY_BYTES), now_us)
        return Keys(self.token_root, self.keys, drawn)

    def with_new(self, random: RandomBytes, now_us: int) -> "Keys":
        """With one more current key: the one that was to come, or a fresh one."""
        coming = self.with_next(random, now_us).next
        assert coming is not None
        return Keys(self.token_root, (*self.keys, coming))

    def without(self, identifier: str) -> "Keys":
        """Without an old key."""
        assert identifier != self.current.id, "the current key can't be retired"
        return Keys(self.token_root, tuple(key for key in self.keys if key.id != identifier), self.next)

    def to_json(self) -> str:
        """The file's text."""
        coming = {"next": _key_to_json(self.next)} if self.next else {}
        keys = [_key_to_json(key) for key in self.keys]
        return json.dumps({"token_root": _text(self.token_root), "keys": keys, **coming}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Keys":
        """What `to_json` wrote."""
        data = json.loads(text)
        coming = _key_from_json(data["next"]) if "next" in data else None
        return cls(_bytes(data["token_root"]), tuple(map(_key_from_json, data["keys"])), coming)


def _key_to_json(key: Key) -> dict[str, str]:
    return {"id": key.id, "secret": _text(key.secret), "create_time": time_text(key.create_us)}


def _key_from_json(data: dict[str, str]) -> Key:
    return Key(data["id"], _bytes(data["secret"]), _microseconds(data["create_time"]))


def generate(random: RandomBytes, now_us: int) -> Keys:
    """A fresh ring of one key."""
    return Keys(random(KEY_BYTES), ()).with_new(random, now_us)


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def time_text(now_us: int) -> str:
    """When a key was made, ISO 8601."""
    return datetime.datetime.fromtimestamp(now_us // MICROSECONDS, datetime.UTC).isoformat()


def _microseconds(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp()) * MICROSECONDS


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A ring ready for use, exchanged as a whole: threads see the old one or the new one."""

    token_root: bytes
    current: bytes
    ciphers: Mapping[bytes, AESGCM]

    @classmethod
    def of(cls, keys: Keys) -> "_Loaded":
        ciphers = {bytes.fromhex(key.id): AESGCM(key.secret) for key in keys.opening}
        return cls(keys.token_root, next(reversed(ciphers), b""), ciphers)


class KeyRing:
    """Seals, opens and makes tokens. Safe in several threads."""

    def __init__(self, keys: Keys, random: RandomBytes = system_random) -> None:
        self._random = random
        self._loaded = _Loaded.of(keys)
        self._purposes: dict[str, bytes] = {}

    def refresh(self) -> None:
        """Takes over what was changed outside; a ring in memory has no outside."""

    @property
    def current_id(self) -> str:
        """The id of the key that seals now."""
        self.refresh()
        return self._loaded.current.hex()

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """The sealed form; opens only with the same context. UnknownKey if the ring has no keys."""
        self.refresh()
        loaded, nonce = self._loaded, self._random(NONCE_BYTES)
        head = VERSION + loaded.current
        return head + nonce + self._cipher(loaded.current).encrypt(nonce, plain, head + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed. UnknownKey, Tampered."""
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + NONCE_BYTES]
        if not sealed.startswith(VERSION) or len(nonce) < NONCE_BYTES:
            raise Tampered
        cipher = self._cipher(head[len(VERSION) :])
        try:
            return cipher.decrypt(nonce, sealed[_HEAD_BYTES + NONCE_BYTES :], head + context)
        except InvalidTag as error:
            raise Tampered from error

    def _cipher(self, identifier: bytes) -> AESGCM:
        if identifier not in self._loaded.ciphers:
            self.refresh()
        cipher = self._loaded.ciphers.get(identifier)
        if cipher is None:
            raise UnknownKey(identifier.hex())
        return cipher

    def token(self, purpose: str, content: bytes) -> bytes:
        """32 bytes that only this service can make of the content: HMAC-SHA256, a key of its own for each purpose."""
        key = self._purposes.get(purpose)
        if key is None:
            derivation = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"aval token " + purpose.encode())
            key = self._purposes[purpose] = derivation.derive(self._loaded.token_root)
        return hmac.digest(key, content, "sha256")


def key_id(sealed: bytes) -> str:
    """The id of the key that sealed a value."""
    return sealed[len(VERSION) : _HEAD_BYTES].hex()


class KeyFile(KeyRing):
    """The ring in a file, read again when the file has changed."""

    def __init__(self, file: pathlib.Path, random: RandomBytes = system_random) -> None:
        """FileNotFoundError if there is no ring."""
        self.file, self._lock = file, threading.Lock()
        self._seen = self._stamp()
        super().__init__(self.read(), random)

    def read(self) -> Keys:
        """What the file holds now."""
        return Keys.from_json(self.file.read_text())

    def _stamp(self) -> tuple[int, int]:
        """Differs as soon as the file was replaced, also by a mounted secret's new version."""
        status = self.file.stat()
        return status.st_mtime_ns, status.st_ino

    def refresh(self) -> None:
        """Reads the file again if it was replaced."""
        if self._stamp() == self._seen:
            return
        with self._lock:
            # Taken before reading: a file replaced in between is read once more, never missed.
            seen = self._stamp()
            self._loaded, self._seen = _Loaded.of(self.read()), seen

    def write(self, keys: Keys) -> None:
        """Replaces the file, whole or not at all."""
        write_secret(self.file, keys.to_json().encode())
        self.refresh()


# For stores that keep nothing sealed: nothing can be, and tokens are plain digests.
NO_KEYS = KeyRing(Keys(bytes(KEY_BYTES), ()))


def file_of(folder: pathlib.Path, service: str) -> pathlib.Path:
    """Where a service's ring lies beside its certificates."""
    return folder / f"services_{service}.keys.json"


@contextlib.contextmanager
def changing(file: pathlib.Path) -> Iterator[None]:
    """Alone among the processes that make or change a ring."""
    descriptor = os.open(file.with_name(file.name + ".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(folder: pathlib.Path, service: str, now_us: int, random: RandomBytes = system_random) -> None:
    """Makes a service's ring, once."""
    file = file_of(folder, service)
    with changing(file):
        if not file.exists():
            write_secret(file, generate(random, now_us).to_json().encode())
