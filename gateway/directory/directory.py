"""The directory: entering principals, signing in and out, passwords, one-time codes. Every failure is counted."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from chassis.clock import MICROSECONDS, Clock
from chassis.database import Database
from chassis.keyring import KeyRing
from gateway.directory import model, seeds, store
from gateway.directory.brake import Brake
from gateway.directory.model import NewPrincipal, Principal, Session
from gateway.directory.queue import FairQueue
from gateway.errors import (
    NotSignedIn,
    OneTimeCodeInvalid,
    PasswordUnfit,
    SignInFailed,
    SignInsWaiting,
    TooManyAttempts,
)
from gateway.limits import LIMITS, Limits
from gateway.store import Store

# How often a session's use is noted.
NOTED_US = 60 * MICROSECONDS


def load_principals(database: Database, found: Iterable[NewPrincipal]) -> None:
    """Enters those who are new and brings the others up to date; passwords of those stay. Repeatable."""
    with database.read() as connection:
        known = store.logins(connection)
    entered = [(new, _principal(new, hashed=new.login not in known)) for new in found]
    with database.write() as connection:
        store.add(connection, [principal for new, principal in entered if new.login not in known])
        for new, principal in entered:
            if new.login in known:
                store.change(connection, principal)
            seeds.enter(connection, database.keys, new.login, new.totp_secret)


def _principal(new: NewPrincipal, hashed: bool) -> Principal:
    password_hash = model.hash_password(new.password) if hashed else ""
    return Principal(
        login=new.login,
        tenant=new.tenant,
        roles=new.roles,
        name_english=new.name_english,
        name_chinese=new.name_chinese,
        tenant_name_english=new.tenant_name_english,
        tenant_name_chinese=new.tenant_name_chinese,
        certificate=new.certificate,
        password_hash=password_hash,
        code_step=model.NEVER_USED,
        code_request_id="",
    )


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: the cookie's token and whose it is."""

    token: str
    principal: Principal


class Directory:
    """Looks principals up and opens their sessions."""

    def __init__(self, store: Store, clock: Clock, limits: Limits = LIMITS) -> None:
        self._store, self._clock, self._limits = store, clock, limits
        window_us = limits.attempts_window_minutes * 60 * MICROSECONDS
        longest_us = limits.longest_delay_seconds * MICROSECONDS
        self._login_brake = Brake(limits.free_attempts_per_login, longest_us, window_us)
        self._source_brake = Brake(limits.free_attempts_per_source, longest_us, window_us)
        self._checks = FairQueue(limits.waiting_sign_ins_per_source, limits.waiting_sign_ins_in_all)

    def close(self) -> None:
        """Ends the thread that checks passwords."""
        self._checks.close()

    async def by_certificate(self, certificate: str) -> Principal | None:
        """Whose certificate it is."""
        return await self._store.read(store.by_certificate, certificate) if certificate else None

    async def sign_in(self, login: str, password: str, code: str = "", source: str = "") -> SignedIn:
        """A new session. SignInFailed whatever was wrong; TooManyAttempts, SignInsWaiting.

        A failure slows down the source that it came from, and the login for that source only.
        """
        principal = await self._checked(login, password, source)
        if not principal.may_sign_in or not await self._has_code(principal, code):
            raise SignInFailed
        return SignedIn(await self._open(login, source), principal)

    async def _checked(self, login: str, password: str, source: str) -> Principal:
        """The principal with this password. SignInFailed, TooManyAttempts, SignInsWaiting."""
        of_source, of_login = _subject("source", source), _subject("password", source, login)
        await self._wait_for_turn({of_source: self._source_brake, of_login: self._login_brake})
        principal = await self._store.read(store.by_login, login)
        password_hash = principal.password_hash if principal else ""
        try:
            is_right = await self._checks.run(source, model.password_matches, password_hash, password)
        except SignInsWaiting:
            await self._store.write(_pardon, of_source, of_login)
            raise
        if not is_right or principal is None:
            raise SignInFailed
        return principal

    async def _has_code(self, principal: Principal, code: str) -> bool:
        """Whether the sign-in has the one-time code that it needs. TooManyAttempts."""
        if not principal.signs_in_with_code:
            return True
        try:
            await self.check_code(principal.login, code, secrets.token_urlsafe(16))
        except OneTimeCodeInvalid:
            return False
        return True

    async def _open(self, login: str, source: str) -> str:
        """A new session's token; the attempt was no failure."""
        token, now_us = secrets.token_urlsafe(32), self._clock.now_us()
        expire_us = now_us + self._limits.session_hours * 3600 * MICROSECONDS
        session = Session(model.token_hash(token), login, expire_us, now_us)
        await self._store.write(_open, session, _subject("source", source), _subject("password", source, login))
        return token

    async def principal_of(self, token: str | None, in_use: bool = True) -> Principal:
        """Whose session it is; unless it is only looked at, it stays open for another while. NotSignedIn."""
        now_us = self._clock.now_us()
        idle_since_us = now_us - self._limits.session_idle_minutes * 60 * MICROSECONDS
        found = await self._store.read(_session_of, token, now_us, idle_since_us) if token else None
        if found is None:
            raise NotSignedIn
        session, principal = found
        if in_use and session.use_us <= now_us - NOTED_US:
            await self._store.write(store.use_session, session.token_hash, now_us)
        return principal

    async def sign_out(self, token: str) -> None:
        """Ends the session."""
        await self._store.write(store.end_session, model.token_hash(token))

    async def end_sessions(self, login: str) -> None:
        """Ends all sessions of a principal."""
        await self._store.write(store.end_sessions, login)

    async def change_password(self, login: str, password: str, new_password: str, source: str = "") -> SignedIn:
        """Gives a new password for the present one, and ends all sessions but the new one.

        PasswordUnfit; SignInFailed where the present one isn't right; TooManyAttempts, SignInsWaiting.
        """
        self._check_fitness(login, password, new_password)
        principal = await self._checked(login, password, source)
        hashed = await self._checks.run(source, model.hash_password, new_password)
        await self._store.write(_change_password, login, hashed)
        return SignedIn(await self._open(login, source), principal)

    def _check_fitness(self, login: str, password: str, new_password: str) -> None:
        least, most = self._limits.password_characters_at_least, self._limits.password_characters_at_most
        is_guessable = new_password in (password, login)
        if is_guessable or not least <= len(new_password) <= most:
            raise PasswordUnfit(least=least, most=most)

    async def check_code(self, login: str, code: str, request_id: str) -> None:
        """Takes a one-time code, once: again only for the same request. OneTimeCodeInvalid, TooManyAttempts."""
        subject = _subject("code", login)
        await self._wait_for_turn({subject: self._login_brake})
        keys, now_us = self._store.keys, self._clock.now_us()
        if not await self._store.write(_use_code, keys, subject, login, code, request_id, now_us):
            raise OneTimeCodeInvalid

    async def _wait_for_turn(self, brakes: Mapping[bytes, Brake]) -> None:
        """Counts an attempt, and delays it after many failures. TooManyAttempts where its turn comes too late."""
        wait_us = await self._store.write(store.take_turns, brakes, self._clock.now_us())
        if wait_us > self._login_brake.longest_wait_us:
            raise TooManyAttempts(seconds=-(-wait_us // MICROSECONDS))
        if wait_us:
            await asyncio.sleep(wait_us / MICROSECONDS)


def _subject(kind: str, *parts: str) -> bytes:
    """What failures are counted for: unknown logins alike, so that nothing tells them apart."""
    return hashlib.sha256("\0".join((kind, *parts)).encode()).digest()


def _open(connection: sa.Connection, session: Session, of_source: bytes, of_login: bytes) -> None:
    store.forget_attempts(connection, of_login)
    store.pardon_attempt(connection, of_source)
    store.add_session(connection, session, session.use_us)


def _pardon(connection: sa.Connection, *subjects: bytes) -> None:
    for subject in subjects:
        store.pardon_attempt(connection, subject)


def _session_of(
    connection: sa.Connection, token: str, now_us: int, idle_since_us: int
) -> tuple[Session, Principal] | None:
    session = store.session_of(connection, model.token_hash(token))
    if session is None or session.expire_us <= now_us or session.use_us <= idle_since_us:
        return None
    principal = store.by_login(connection, session.login)
    # Its roles may have changed since.
    return (session, principal) if principal is not None and principal.may_sign_in else None


def _change_password(connection: sa.Connection, login: str, password_hash: str) -> None:
    store.set_password(connection, login, password_hash)
    store.end_sessions(connection, login)


def _use_code(
    connection: sa.Connection, keys: KeyRing, subject: bytes, login: str, code: str, request_id: str, now_us: int
) -> bool:
    step = model.code_step(seeds.secret_of(connection, keys, login), code, now_us)
    if step is None or not store.use_code(connection, login, step, request_id):
        return False
    store.forget_attempts(connection, subject)
    return True
