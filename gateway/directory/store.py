"""The directory's only SQL."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from chassis import records
from chassis.database import lock
from gateway.directory.brake import Brake
from gateway.directory.model import NEVER_USED, Principal, Session, Tenant
from gateway.tables import attempts, principals, sessions


def by_login(connection: sa.Connection, login: str) -> Principal | None:
    """Returns the principal of a login."""
    return records.one(connection, principals, Principal, principals.c.login == login)


def by_certificate(connection: sa.Connection, certificate: str) -> Principal | None:
    """Returns the principal a certificate names."""
    return records.one(connection, principals, Principal, principals.c.certificate == certificate)


def logins(connection: sa.Connection) -> set[str]:
    """Returns all logins."""
    return set(connection.execute(sa.select(principals.c.login)).scalars())


def tenants(connection: sa.Connection, kind: str) -> list[Tenant]:
    """Returns the tenants of a kind such as banks/, by name."""
    names = (principals.c.tenant, principals.c.tenant_name_english, principals.c.tenant_name_chinese)
    query = sa.select(*names).where(principals.c.tenant.startswith(kind, autoescape=True)).distinct()
    return [Tenant(*row) for row in connection.execute(query.order_by(principals.c.tenant))]


def add(connection: sa.Connection, entered: Iterable[Principal]) -> None:
    """Enters principals."""
    records.insert(connection, principals, *entered)


def change(connection: sa.Connection, principal: Principal) -> None:
    """Brings an entered principal up to date; its password and its used one-time code stay."""
    kept = ("login", "password_hash", "code_step", "code_request_id")
    values = {name: value for name, value in records.to_row(principal).items() if name not in kept}
    connection.execute(sa.update(principals).where(principals.c.login == principal.login).values(values))


def forget_codes(connection: sa.Connection, login: str) -> None:
    """Counts one-time codes anew, for a new secret."""
    unused = {"code_step": NEVER_USED, "code_request_id": ""}
    connection.execute(sa.update(principals).where(principals.c.login == login).values(unused))


def set_password(connection: sa.Connection, login: str, password_hash: str) -> None:
    """Gives a principal a new password."""
    connection.execute(sa.update(principals).where(principals.c.login == login).values(password_hash=password_hash))


def use_code(connection: sa.Connection, login: str, step: int, request_id: str) -> bool:
    """Marks a code as used, for one request; False if it, or a later one, was used for another."""
    unused = principals.c.code_step < step
    again = sa.and_(principals.c.code_step == step, principals.c.code_request_id == request_id)
    statement = sa.update(principals).where(principals.c.login == login, sa.or_(unused, again))
    return connection.execute(statement.values(code_step=step, code_request_id=request_id)).rowcount == 1


def add_session(connection: sa.Connection, session: Session, now_us: int) -> None:
    """Opens a session and forgets those that have expired."""
    connection.execute(sa.delete(sessions).where(sessions.c.expire_us <= now_us))
    records.insert(connection, sessions, session)


def session_of(connection: sa.Connection, token_hash: bytes) -> Session | None:
    """Returns the session of a token's hash."""
    return records.one(connection, sessions, Session, sessions.c.token_hash == token_hash)


def use_session(connection: sa.Connection, token_hash: bytes, now_us: int) -> None:
    """Notes that a session is in use."""
    connection.execute(sa.update(sessions).where(sessions.c.token_hash == token_hash).values(use_us=now_us))


def end_session(connection: sa.Connection, token_hash: bytes) -> None:
    """Ends a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.token_hash == token_hash))


def end_sessions(connection: sa.Connection, login: str) -> None:
    """Ends all sessions of a principal."""
    connection.execute(sa.delete(sessions).where(sessions.c.login == login))


def take_turns(connection: sa.Connection, brakes: Mapping[bytes, Brake], now_us: int) -> int:
    """Counts an attempt before it is judged, so that many at once gain nothing. Returns microseconds until its turn.

    An attempt whose turn comes too late for anyone to wait isn't counted.
    """
    lock(connection, [f"attempts/{subject.hex()}" for subject in brakes])
    window_us = max(brake.window_us for brake in brakes.values())
    connection.execute(sa.delete(attempts).where(attempts.c.turn_us <= now_us - window_us))
    rows = connection.execute(sa.select(attempts).where(attempts.c.subject_hash.in_(brakes))).all()
    failures = {row.subject_hash: row.failures for row in rows}
    turn_us = max((brakes[row.subject_hash].turn_us(row.failures, row.turn_us, now_us) for row in rows), default=now_us)
    if turn_us - now_us > min(brake.longest_wait_us for brake in brakes.values()):
        return turn_us - now_us
    connection.execute(sa.delete(attempts).where(attempts.c.subject_hash.in_(brakes)))
    counted = [
        {"subject_hash": subject, "failures": failures.get(subject, 0) + 1, "turn_us": turn_us} for subject in brakes
    ]
    connection.execute(sa.insert(attempts), counted)
    return turn_us - now_us


def pardon_attempt(connection: sa.Connection, subject_hash: bytes) -> None:
    """Takes one attempt back that was no failure."""
    mine = attempts.c.subject_hash == subject_hash
    connection.execute(sa.update(attempts).where(mine).values(failures=attempts.c.failures - 1))


def forget_attempts(connection: sa.Connection, subject_hash: bytes) -> None:
    """Forgets a subject's attempts, after a success."""
    connection.execute(sa.delete(attempts).where(attempts.c.subject_hash == subject_hash))
