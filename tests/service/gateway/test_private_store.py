"""Stores are their owner's alone, and the secrets of one-time codes are sealed, standing ones too."""

import os
import pathlib
import stat
import subprocess
import sys

import pyotp
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from chassis import keyring, migrations, private, sealing
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.ids import system_random
from chassis.keyring import KeyFile
from chassis.migrations import OtherRing
from cli import keys
from cli.layout import Layout
from gateway.directory import directory, seeds
from gateway.directory.directory import Directory
from gateway.directory.model import NewPrincipal
from gateway.errors import OneTimeCodeInvalid
from gateway.store import SCHEMA, VERSIONS, Store, open_database
from gateway.tables import one_time_secrets

SECRET, OTHER = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
INSERT = (
    "INSERT INTO principals (login, tenant, roles, name_english, name_chinese, tenant_name_english,"
    " tenant_name_chinese, certificate, password_hash, totp_secret, code_step, code_request_id)"
    " VALUES ('{login}', 'operators', '[\"OPERATOR\"]', 'x', 'x', '', '', '', '', '{secret}', {step}, '')"
)


def ring(folder: pathlib.Path) -> KeyFile:
    keyring.prepare(folder, SCHEMA, 0)
    return KeyFile(keyring.file_of(folder, SCHEMA))


def principal(login: str, secret: str) -> NewPrincipal:
    return NewPrincipal(login, "operators", ("OPERATOR",), login, login, password="", totp_secret=secret)


def secret_of(database: Database, login: str) -> str:
    with database.read() as connection:
        return seeds.secret_of(connection, database.keys, login)


def dump(database: Database) -> str:
    """All rows of all tables of the schema."""
    metadata = sa.MetaData()
    with database.read() as connection:
        metadata.reflect(connection)
        return str([connection.execute(sa.select(table)).all() for table in metadata.tables.values()])


def file_bytes(url: str) -> bytes:
    folder = pathlib.Path(url.removeprefix("sqlite:///"))
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir())) if url.startswith("sqlite") else b""


@pytest.fixture
def old_store(database_url: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A store at the schema before secrets were sealed, with two of them."""
    database = Database(database_url, SCHEMA, ring(tmp_path))
    steps = ScriptDirectory._upgrade_revs
    with monkeypatch.context() as patched:
        patched.setattr(ScriptDirectory, "get_heads", lambda script: ("chassis_0001", "gateway_0001"))
        patched.setattr(
            ScriptDirectory, "_upgrade_revs",
            lambda script, _heads, current: [
                *steps(script, "chassis@head", current), *steps(script, "gateway_0001", current)
            ],
        )  # fmt: skip
        migrations.upgrade(database, [VERSIONS], system_random)
    with database.write() as connection:
        for login, secret, step in (("one", SECRET, 7), ("two", OTHER, -1), ("none", "", -1)):
            connection.exec_driver_sql(INSERT.format(login=login, secret=secret, step=step))
    assert SECRET in dump(database)
    return database


def test_standing_secrets_are_sealed_by_the_migration(old_store: Database, tmp_path: pathlib.Path) -> None:
    old_store.close()
    database = open_database(old_store.url, system_random, ring(tmp_path))
    assert [secret_of(database, login) for login in ("one", "two", "none", "nobody")] == [SECRET, OTHER, "", ""]
    rows = dump(database)
    assert SECRET not in rows
    assert OTHER not in rows
    with database.read() as connection:
        step = "SELECT code_step FROM principals WHERE login = 'one'"
        assert connection.exec_driver_sql(step).scalar_one() == 7
    database.close()
    assert SECRET.encode() not in file_bytes(database.url)
    open_database(database.url, system_random, ring(tmp_path)).close()


def test_a_store_belongs_to_its_ring(database_url: str, tmp_path: pathlib.Path) -> None:
    open_database(database_url, system_random, ring(tmp_path)).close()
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(OtherRing):
        open_database(database_url, system_random, ring(other))


async def test_a_secret_is_entered_sealed_changed_and_taken_away(database_url: str, tmp_path: pathlib.Path) -> None:
    database = open_database(database_url, system_random, ring(tmp_path))
    store = Store(database)
    found = Directory(store, SystemClock())
    directory.load_principals(database, [principal("one", SECRET)])
    assert SECRET not in dump(database)
    code = pyotp.TOTP(SECRET).now()
    await found.check_code("one", code, "act")
    directory.load_principals(database, [principal("one", SECRET)])
    with pytest.raises(OneTimeCodeInvalid):
        await found.check_code("one", code, "another act")
    directory.load_principals(database, [principal("one", OTHER)])
    await found.check_code("one", pyotp.TOTP(OTHER).now(), "act")
    directory.load_principals(database, [principal("one", "")])
    with pytest.raises(OneTimeCodeInvalid):
        await found.check_code("one", pyotp.TOTP(OTHER).now(), "last act")
    found.close()
    store.close()


def test_the_gateway_s_ring_is_listed_rotated_and_retired(database_url: str, tmp_path: pathlib.Path) -> None:
    layout = Layout(tmp_path)
    layout.certificates.mkdir()
    database = open_database(database_url, system_random, ring(layout.certificates))
    directory.load_principals(database, [principal("one", SECRET), principal("two", OTHER)])
    with keys.opened(layout, database_url, [SCHEMA], None) as (opened,):
        (before,) = keys.listed(opened)["keys"]
        assert (before["rows"], before["use"]) == (2, "current")
        rotated = keys.rotate(opened, lambda *_: None)
        assert (rotated["service"], rotated["resealed"]) == ("gateway", 2)
        assert keys.retire(opened) == [before["id"]]
    assert [secret_of(database, login) for login in ("one", "two")] == [SECRET, OTHER]
    with database.read() as connection:
        assert list(sealing.rows_by_key(connection, [one_time_secrets])) == [rotated["current"]]
    database.close()


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_a_store_is_its_owner_s_alone(tmp_path: pathlib.Path, umask: int) -> None:
    folder, before = tmp_path / "deep" / "store", os.umask(umask)
    try:
        database = open_database(f"sqlite:///{folder}", system_random, ring(tmp_path))
        with database.write() as connection:
            connection.exec_driver_sql("DELETE FROM spans")
            names = {file.name for file in folder.iterdir()}
            assert names >= {"gateway.sqlite", "gateway.sqlite-wal", "gateway.sqlite-shm"}
            assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        database.close()
    finally:
        os.umask(before)


def test_a_standing_store_is_taken_away_from_others(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o755)
    for name in ("books.sqlite", "books.sqlite-wal"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    folder.chmod(0o755)
    Database(f"sqlite:///{folder}", "books").close()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *sorted(folder.iterdir()))] == [0o700, 0o600, 0o600]


def test_a_folder_that_is_shared_stays_so(tmp_path: pathlib.Path) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    private.keep_folder(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


def test_a_platform_s_folder_is_its_owner_s_alone(tmp_path: pathlib.Path) -> None:
    fresh, standing, other = tmp_path / "fresh", tmp_path / "standing", tmp_path / "other"
    (standing / "certificates").mkdir(parents=True)
    other.mkdir()
    for folder in (standing, other):
        folder.chmod(0o755)
    for folder in (fresh, standing, other):
        Layout(folder).hold().close()
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (fresh, standing, other)]
    # A folder that is no platform's yet may be anything, such as the present one.
    assert modes == [0o700, 0o700, 0o755]


@pytest.mark.parametrize("module", ["cli.main", "gateway.__main__", "chassis.process"])
def test_every_process_has_a_private_umask(module: str, tmp_path: pathlib.Path) -> None:
    """Each process' main sets it before it does anything else."""
    begin = {
        "cli.main": "main.main(['code', 'nobody', '--folder', 'nowhere'], standalone_mode=False)",
        "gateway.__main__": "main.main('door')",
        "chassis.process": "main.main(type('S', (), {'name': 'x'}))",
    }[module]
    code = (
        f"import os, importlib\nos.environ.clear()\nmain = importlib.import_module({module!r})\n"
        f"try:\n    {begin}\nexcept BaseException:\n    pass\nprint(oct(os.umask(0)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip().endswith("0o77"), done.stderr
