"""The secrets of one-time codes, sealed: they never stand in the store in the clear."""

from dataclasses import dataclass

import sqlalchemy as sa

from chassis import sealing
from chassis.keyring import KeyRing
from gateway.directory import store
from gateway.tables import one_time_secrets


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection with the keys of its store."""

    connection: sa.Connection
    keys: KeyRing


def secret_of(connection: sa.Connection, keys: KeyRing, login: str) -> str:
    """Returns a login's secret, base32; empty for one that has no second factor, and for an unknown one."""
    secrets = sealing.of(_Opened(connection, keys), one_time_secrets, [login])
    return secrets.get(login, b"").decode()


def enter(connection: sa.Connection, keys: KeyRing, login: str, secret: str) -> None:
    """Keeps a login's secret. A changed one begins anew: a code that was used with the old one says nothing of it."""
    if secret_of(connection, keys, login) == secret:
        return
    connection.execute(sa.delete(one_time_secrets).where(one_time_secrets.c.resource == login))
    sealing.put(_Opened(connection, keys), one_time_secrets, {login: secret.encode()} if secret else {})
    store.forget_codes(connection, login)
