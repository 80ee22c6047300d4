"""The directory: entering principals, signing in and out, one-time codes. Every failure is counted."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from chassis.clock import MICROSECONDS, Clock
from chassis.database import Database
from gateway.directory import model, store
from gateway.directory.model import NewPrincipal, Principal, Session
from gateway.errors import NotSignedIn, OneTimeCodeInvalid, SignInFailed, TooManyAttempts
from gateway.store import Store

MOST_ATTEMPTS = 5
WINDOW_MINUTES = 15
WINDOW_US = WINDOW_MINUTES * 60 * MICROSECONDS


def load_principals(database: Database, found: Iterable[NewPrincipal]) -> None:
    """Enters those who are new and brings the others up to date; passwords of those stay. Repeatable."""
    with database.read() as connection:
        known = store.logins(connection)
    entered = [(new.login in known, _principal(new, hashed=new.login not in known)) for new in found]
    with database.write() as connection:
        store.add(connection, [principal for is_known, principal in entered if not is_known])
        for is_known, principal in entered:
            if is_known:
                store.change(connection, principal)


def _principal(new: NewPrincipal, hashed: bool) -> Principal:
    password_hash = model.hash_password(new.password) if hashed else ""
    names = (new.name_english, new.name_chinese, new.tenant_name_english, new.tenant_name_chinese)
    secrets_of = (new.certificate, password_hash, new.totp_secret)
    return Principal(new.login, new.tenant, new.roles, *names, *secrets_of, model.NEVER_USED, "")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: the cookie's token and whose it is."""

    token: str
    principal: Principal


class Directory:
    """Looks principals up and opens their sessions."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def by_certificate(self, certificate: str) -> Principal | None:
        """Whose certificate it is."""
        return await self._store.read(store.by_certificate, certificate) if certificate else None

    async def sign_in(self, login: str, password: str) -> SignedIn:
        """A new session. SignInFailed whatever was wrong; TooManyAttempts."""
        subject = _subject("password", login)
        await self._count(subject)
        principal = await self._store.read(store.by_login, login)
        password_hash = principal.password_hash if principal else ""
        if not await asyncio.to_thread(model.password_matches, password_hash, password) or principal is None:
            raise SignInFailed
        token = secrets.token_urlsafe(32)
        await self._store.write(_open, subject, token, login, self._clock.now_us())
        return SignedIn(token, principal)

    async def principal_of(self, token: str | None) -> Principal:
        """Whose session it is. NotSignedIn."""
        principal = await self._store.read(_principal_of, token, self._clock.now_us()) if token else None
        if principal is None:
            raise NotSignedIn
        return principal

    async def sign_out(self, token: str) -> None:
        """Ends the session."""
        await self._store.write(store.end_session, model.token_hash(token))

    async def check_code(self, login: str, code: str, request_id: str) -> None:
        """Takes a one-time code, once: again only for the same request. OneTimeCodeInvalid, TooManyAttempts."""
        subject = _subject("code", login)
        await self._count(subject)
        if not await self._store.write(_use_code, subject, login, code, request_id, self._clock.now_us()):
            raise OneTimeCodeInvalid

    async def _count(self, subject: bytes) -> None:
        now_us = self._clock.now_us()
        if await self._store.write(store.count_attempt, subject, now_us - WINDOW_US, now_us) > MOST_ATTEMPTS:
            raise TooManyAttempts(minutes=WINDOW_MINUTES)


def _subject(kind: str, login: str) -> bytes:
    """What failures are counted for: unknown logins alike, so that nothing tells them apart."""
    return hashlib.sha256(f"{kind}\0{login}".encode()).digest()


def _open(connection: sa.Connection, subject: bytes, token: str, login: str, now_us: int) -> None:
    store.forget_attempts(connection, subject)
    session = Session(model.token_hash(token), login, now_us + model.SESSION_US)
    store.add_session(connection, session, now_us)


def _principal_of(connection: sa.Connection, token: str, now_us: int) -> Principal | None:
    session = store.session_of(connection, model.token_hash(token))
    if session is None or session.expire_us <= now_us:
        return None
    return store.by_login(connection, session.login)


def _use_code(connection: sa.Connection, subject: bytes, login: str, code: str, request_id: str, now_us: int) -> bool:
    principal = store.by_login(connection, login)
    step = model.code_step(principal.totp_secret, code, now_us) if principal else None
    if step is None or not store.use_code(connection, login, step, request_id):
        return False
    store.forget_attempts(connection, subject)
    return True
