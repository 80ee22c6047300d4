"""The key ring of a service: what it seals with, what it can still open, and its tokens.

A ring is a file, NAME.keys.json, beside the certificates or where AVAL_KEYS says, readable by its owner
only. It holds several keys, the newest of which seals, and the token root, which is never rotated: what
a token was made of must give the same token for ever. A sealed value is

    number of the suite (1 byte) · key id (4 bytes) · nonce · ciphertext and tag

where everything before the nonce and the context (a resource's name) are authenticated: a value that was
moved to another row doesn't open. Number 1 is AES-256-GCM with a nonce of 12 bytes (chassis.suites). Each key
is for one suite, so that another suite begins with another key. Rotation adds a key; a running process sees the
changed file by itself.
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from cryptography.exceptions import InvalidTag

from chassis import suites
from chassis.certificates import write_secret
from chassis.clock import MICROSECONDS
from chassis.ids import RandomBytes, system_random

SUITE_BYTES = 1
ID_BYTES = 4
ROOT_BYTES = 32
_HEAD_BYTES = SUITE_BYTES + ID_BYTES
# The suites of rings from before they named any.
FIRST_SEALING_SUITE, FIRST_TOKEN_SUITE = "AES-256-GCM", "HMAC-SHA-256"


class UnknownKey(Exception):
    """The value was sealed with a key that the ring doesn't have: retired too early, or not yet handed out."""


class Tampered(Exception):
    """The bytes are no value that this ring sealed for this context."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its id (8 hexadecimal digits), secret bytes, when it was made (microseconds), and its suite's name."""

    id: str
    secret: bytes
    create_us: int
    suite: str = suites.SEALING


@dataclass(frozen=True, slots=True)
class Keys:
    """The content of a ring's file: the keys, oldest first, and the token root.

    `next` opens already and doesn't seal yet: so a ring can be handed out before its new key is used.
    `token_suites` are those in which tokens stand, oldest first: the last makes new ones, all are looked for.
    """

    token_root: bytes
    keys: tuple[Key, ...]
    next: Key | None = None
    token_suites: tuple[str, ...] = (suites.TOKEN,)

    @property
    def current(self) -> Key:
        """Returns the key that seals."""
        return self.keys[-1]

    @property
    def opening(self) -> tuple[Key, ...]:
        """Returns all keys that open, the current one last."""
        return (self.next, *self.keys) if self.next else self.keys

    def with_next(self, random: RandomBytes, now_us: int, suite: str = suites.SEALING) -> "Keys":
        """Returns the keys with one of a suite that is still to come, unless they have one."""
        known = {key.id for key in self.keys}
        identifier = next(drawn for drawn in iter(lambda: random(ID_BYTES).hex(), "") if drawn not in known)
        secret_bytes = suites.SEALING_SUITES[suite].key_bytes
        drawn = self.next or Key(identifier, random(secret_bytes), now_us, suite)
        return replace(self, next=drawn)

    def with_new(self, random: RandomBytes, now_us: int, suite: str = suites.SEALING) -> "Keys":
        """Returns the keys with one more current key: the one that was to come, or a fresh one of a suite."""
        coming = self.with_next(random, now_us, suite).next
        assert coming is not None
        return replace(self, keys=(*self.keys, coming), next=None)

    def without(self, identifier: str) -> "Keys":
        """Returns the keys without an old one."""
        assert identifier != self.current.id, "the current key can't be retired"
        return replace(self, keys=tuple(key for key in self.keys if key.id != identifier))

    def to_json(self) -> str:
        """Returns the file's text."""
        coming = {"next": _key_to_json(self.next)} if self.next else {}
        keys = [_key_to_json(key) for key in self.keys]
        tokens = {"token_root": _text(self.token_root), "token_suites": self.token_suites}
        return json.dumps({**tokens, "keys": keys, **coming}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Keys":
        """Reads what `to_json` wrote; a file that names no suites is of those from before there were others."""
        data = json.loads(text)
        return cls(
            _bytes(data["token_root"]),
            tuple(map(_key_from_json, data["keys"])),
            next=_key_from_json(data["next"]) if "next" in data else None,
            token_suites=tuple(data.get("token_suites", [FIRST_TOKEN_SUITE])),
        )


def _key_to_json(key: Key) -> dict[str, str]:
    made = {"id": key.id, "secret": _text(key.secret), "create_time": time_text(key.create_us)}
    return made | {"suite": key.suite}


def _key_from_json(data: dict[str, str]) -> Key:
    made_us, suite = _microseconds(data["create_time"]), data.get("suite", FIRST_SEALING_SUITE)
    return Key(data["id"], _bytes(data["secret"]), made_us, suite)


def generate(random: RandomBytes, now_us: int) -> Keys:
    """Returns a fresh ring of one key."""
    return Keys(random(ROOT_BYTES), ()).with_new(random, now_us)


def _text(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def time_text(now_us: int) -> str:
    """Returns the time at which a key was made, ISO 8601."""
    return datetime.datetime.fromtimestamp(now_us // MICROSECONDS, datetime.UTC).isoformat()


def _microseconds(text: str) -> int:
    return int(datetime.datetime.fromisoformat(text).timestamp()) * MICROSECONDS


@dataclass(frozen=True, slots=True)
class _Cipher:
    """A key ready for use: what its values begin with, the length of their nonces, and what seals and opens."""

    head: bytes
    nonce_bytes: int
    cipher: suites.Cipher

    @classmethod
    def of(cls, key: Key) -> "_Cipher":
        suite = suites.SEALING_SUITES[key.suite]
        return cls(bytes([suite.number]) + bytes.fromhex(key.id), suite.nonce_bytes, suite.cipher(key.secret))


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A ring ready for use, exchanged as a whole: threads see the old one or the new one."""

    token_root: bytes
    token_suites: tuple[str, ...]
    current: bytes
    ciphers: Mapping[bytes, _Cipher]

    @classmethod
    def of(cls, keys: Keys) -> "_Loaded":
        ciphers = {bytes.fromhex(key.id): _Cipher.of(key) for key in keys.opening}
        return cls(keys.token_root, keys.token_suites, next(reversed(ciphers), b""), ciphers)


class KeyRing:
    """Seals, opens and makes tokens. Safe in several threads."""

    def __init__(self, keys: Keys, random: RandomBytes = system_random) -> None:
        self._random = random
        self._loaded = _Loaded.of(keys)
        self._purposes: dict[tuple[str, str], bytes] = {}

    def refresh(self) -> None:
        """Takes over what was changed outside; a ring in memory has no outside."""

    @property
    def current_id(self) -> str:
        """Returns the id of the key that seals now."""
        self.refresh()
        return self._loaded.current.hex()

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Returns the sealed form; it opens only with the same context. Raises UnknownKey if the ring has no keys."""
        self.refresh()
        key = self._cipher(self._loaded.current)
        nonce = self._random(key.nonce_bytes)
        return key.head + nonce + key.cipher.encrypt(nonce, plain, key.head + context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Returns what was sealed. Raises UnknownKey, Tampered."""
        head = sealed[:_HEAD_BYTES]
        if len(head) < _HEAD_BYTES or head[0] not in {suite.number for suite in suites.SEALING_SUITES.values()}:
            raise Tampered
        key = self._cipher(head[SUITE_BYTES:])
        nonce = sealed[_HEAD_BYTES : _HEAD_BYTES + key.nonce_bytes]
        if len(nonce) < key.nonce_bytes:
            raise Tampered
        try:
            return key.cipher.decrypt(nonce, sealed[_HEAD_BYTES + key.nonce_bytes :], head + context)
        except InvalidTag as error:
            raise Tampered from error

    def _cipher(self, identifier: bytes) -> _Cipher:
        if identifier not in self._loaded.ciphers:
            self.refresh()
        cipher = self._loaded.ciphers.get(identifier)
        if cipher is None:
            raise UnknownKey(identifier.hex())
        return cipher

    def token(self, purpose: str, content: bytes) -> bytes:
        """Returns bytes that only this service can make of the content, by a key of their own for each purpose.

        By today's suite, HMAC-SHA-256, 32 bytes.
        """
        return self._token(self._loaded.token_suites[-1], purpose, content)

    def token_makers(self) -> tuple[Callable[[str, bytes], bytes], ...]:
        """Returns what makes tokens in every suite in which they stand, today's first: a store is asked by each."""
        return tuple(partial(self._token, name) for name in reversed(self._loaded.token_suites))

    def tokens(self, purpose: str, content: bytes) -> tuple[bytes, ...]:
        """Returns the token in every suite in which tokens stand, today's first."""
        return tuple(make(purpose, content) for make in self.token_makers())

    def is_token(self, stored: bytes, purpose: str, content: bytes) -> bool:
        """Whether a stored token is the content's, by the suite that it bears."""
        number = suites.token_number(stored)
        names = (name for name in self._loaded.token_suites if suites.TOKEN_SUITES[name].number == number)
        return any(hmac.compare_digest(stored, self._token(name, purpose, content)) for name in names)

    def _token(self, name: str, purpose: str, content: bytes) -> bytes:
        suite, key = suites.TOKEN_SUITES[name], self._purposes.get((name, purpose))
        if key is None:
            key = suite.derive(self._loaded.token_root, b"aval token " + purpose.encode())
            self._purposes[name, purpose] = key
        return suite.stored(suite.authenticate(key, content))


def key_id(sealed: bytes) -> str:
    """Returns the id of the key that sealed a value."""
    return sealed[SUITE_BYTES:_HEAD_BYTES].hex()


class KeyFile(KeyRing):
    """The ring in a file, read again when the file has changed."""

    def __init__(self, file: pathlib.Path, random: RandomBytes = system_random) -> None:
        """Opens the ring of a file. Raises FileNotFoundError if there is none."""
        self.file, self._lock = file, threading.Lock()
        self._seen = self._stamp()
        super().__init__(self.read(), random)

    def read(self) -> Keys:
        """Reads the keys that the file holds now."""
        return Keys.from_json(self.file.read_text())

    def _stamp(self) -> tuple[int, int]:
        """Returns a stamp that differs as soon as the file was replaced, also by a mounted secret's new version."""
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
NO_KEYS = KeyRing(Keys(bytes(ROOT_BYTES), ()))


def file_of(folder: pathlib.Path, service: str) -> pathlib.Path:
    """Returns where a service's ring lies beside its certificates."""
    return folder / f"services_{service}.keys.json"


@contextlib.contextmanager
def changing(file: pathlib.Path) -> Iterator[None]:
    """Keeps other processes from making or changing a ring during the block."""
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
