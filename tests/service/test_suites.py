"""A second suite beside today's: what was sealed, made into a token or chained before stays readable in one store.

The second suites are China's: SM4 in GCM, HMAC and digests with SM3 (GB/T 32907, GB/T 32905).
"""

import hashlib
import hmac
import uuid
from dataclasses import replace

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import fingerprint_pb2
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from google.protobuf.wrappers_pb2 import StringValue
from google.type import date_pb2

from chassis import keyring, sealing, suites, tables
from chassis.command import Operation
from chassis.database import Database
from chassis.errors import RequestIdReused
from chassis.keyring import KeyRing, Keys, Tampered, UnknownKey
from chassis.migrations import OtherRing
from chassis.money import Money, to_proto
from chassis.writer import run_batch
from ledger import chain
from ledger import store as ledger_store
from ledger.model import Transfer
from services.declarations.service import SERVICE
from tests.service.register_world import BANK, BANKS, ENTERPRISE, OTHER, World
from tests.support import (
    NOW_US,
    Stores,
    apply,
    echo,
    migrate,
    open_accounts,
    ring,
    seeded_random,
    submission,
    transaction,
    uid,
    violations,
)

TAG_BYTES = 16


class SM4:
    """SM4 in GCM, as cryptography gives it in parts."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        encryptor = Cipher(algorithms.SM4(self._key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(associated_data or b"")
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        mode = modes.GCM(nonce, data[-TAG_BYTES:])
        decryptor = Cipher(algorithms.SM4(self._key), mode).decryptor()
        decryptor.authenticate_additional_data(associated_data or b"")
        return decryptor.update(data[:-TAG_BYTES]) + decryptor.finalize()


def sm3(content: bytes) -> bytes:
    return hashlib.new("sm3", content).digest()


def hmac_sm3(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sm3")


SEALING = suites.SealingSuite(number=2, key_bytes=16, nonce_bytes=12, cipher=SM4)
TOKEN = suites.TokenSuite(number=2, derive=hmac_sm3, authenticate=hmac_sm3)
FIRST = keyring.generate(seeded_random(7), 0)


@pytest.fixture(autouse=True)
def second_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    """They can be read and made, once a ring or the ledger names them."""
    monkeypatch.setitem(suites.SEALING_SUITES, "SM4-GCM", SEALING)
    monkeypatch.setitem(suites.TOKEN_SUITES, "HMAC-SM3", TOKEN)
    monkeypatch.setitem(suites.DIGEST_SUITES, "SM3", sm3)


@pytest.fixture
def second() -> Keys:
    """The first ring after it has gone over to them."""
    rotated = FIRST.with_new(seeded_random(8), NOW_US, "SM4-GCM")
    return replace(rotated, token_suites=(*FIRST.token_suites, "HMAC-SM3"))


def _sealed(database: Database) -> dict[str, bytes]:
    with database.read() as connection:
        rows = connection.execute(sa.select(tables.sealed_answers)).all()
    return {row.resource: row.sealed for row in rows}


def test_values_of_two_suites_open_beside_each_other(store: Stores, second: Keys) -> None:
    database = store("books")
    for name, keys in (("old", FIRST), ("new", second)):
        with database.write() as connection:
            opened = replace(transaction(connection), keys=KeyRing(keys))
            sealing.put(opened, tables.sealed_answers, {name: name.encode()})
    numbers = {name: sealed[0] for name, sealed in _sealed(database).items()}
    assert numbers == {"old": 1, "new": 2}
    with database.read() as connection:
        opened = replace(transaction(connection), keys=KeyRing(second))
        assert sealing.of(opened, tables.sealed_answers, ["old", "new"]) == {"old": b"old", "new": b"new"}


def test_rotation_seals_what_is_old_by_the_new_suite(store: Stores, second: Keys) -> None:
    database, keys = store("books"), KeyRing(second)
    with database.write() as connection:
        old = replace(transaction(connection), keys=KeyRing(FIRST))
        sealing.put(old, tables.sealed_answers, {"old": b"Zhao"})
    with database.write() as connection:
        sealing.reseal(connection, keys, tables.sealed_answers, "", 10)
    assert _sealed(database)["old"][0] == SEALING.number
    assert keys.open(_sealed(database)["old"], b"old") == b"Zhao"


def test_a_value_opens_by_the_suite_of_its_key_alone(second: Keys) -> None:
    keys = KeyRing(second)
    sealed = keys.seal(b"Zhao", b"a")
    assert keys.open(sealed, b"a") == b"Zhao"
    for broken in (b"\x01" + sealed[1:], b"\x03" + sealed[1:], sealed[:-1]):
        with pytest.raises(Tampered):
            keys.open(broken, b"a")
    with pytest.raises(UnknownKey):
        KeyRing(FIRST).open(sealed, b"a")


def test_tokens_bear_their_suite(second: Keys) -> None:
    old, new = KeyRing(FIRST), KeyRing(second)
    assert [suites.token_number(key_ring.token("p", b"x")) for key_ring in (old, new)] == [1, 2]
    assert len(old.token("p", b"x")) == suites.BARE_TOKEN_BYTES
    assert new.tokens("p", b"x") == (new.token("p", b"x"), old.token("p", b"x"))
    for stored in new.tokens("p", b"x"):
        assert new.is_token(stored, "p", b"x")
        assert not new.is_token(stored, "p", b"y")
        assert not new.is_token(stored, "q", b"x")
    # Nobody asks a ring by a suite in which it has no tokens.
    assert not old.is_token(new.token("p", b"x"), "p", b"x")


def test_a_ring_keeps_its_suites_and_an_old_file_names_none(second: Keys) -> None:
    assert Keys.from_json(second.to_json()) == second
    text = FIRST.to_json().replace('"suite": "AES-256-GCM"', '"use": ""').replace('"token_suites"', '"unknown"')
    assert Keys.from_json(text) == FIRST


ECHO = Operation("tests.Echo", StringValue, run=lambda _transaction, request: echo(request.value))


def test_a_request_is_known_again_after_the_suite_has_changed(database_url: str, second: Keys) -> None:
    first = Database(database_url, "books", ring())
    migrate(first)
    asked = submission(ECHO, "Zhao", "1")
    assert run_batch(first, [asked])[asked] == echo("Zhao")
    first.close()
    later = Database(database_url, "books", KeyRing(second))
    migrate(later)
    again, other, new = (submission(ECHO, text, key) for text, key in (("Zhao", "1"), ("Qian", "1"), ("Sun", "2")))
    outcomes = run_batch(later, [again, other, new])
    assert outcomes[again] == echo("Zhao")
    assert isinstance(outcomes[other], RequestIdReused)
    assert outcomes[new] == echo("Sun")
    with later.read() as connection:
        digests = connection.execute(sa.select(tables.requests.c.digest)).scalars()
        assert sorted(suites.token_number(bytes(digest)) for digest in digests) == [1, 2]
    later.close()
    foreign = Database(database_url, "books", KeyRing(replace(second, token_root=bytes(32))))
    with pytest.raises(OtherRing):
        migrate(foreign)
    foreign.close()


def test_blocks_of_two_suites_verify_in_one_chain(store: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    database = store("books", [ledger_store.MIGRATIONS])
    open_accounts(database, "world", "purse")
    for number, suite in enumerate(("SHA-256", "SM3", "SHA-256")):
        monkeypatch.setattr(chain, "SUITE", suite)
        assert apply(database, Transfer(uid(number), uid("world"), uid("purse"), 5), now_us=NOW_US + number) == ["OK"]
    assert violations(database) == []
    with database.write() as connection:
        rows = connection.execute(sa.text("SELECT suite, rows_hash FROM ledger_blocks ORDER BY block")).all()
        assert [row.suite for row in rows] == ["SHA-256", "SM3", "SHA-256"]
        connection.execute(sa.text("UPDATE ledger_blocks SET suite = 'SHA-256' WHERE block = 2"))
    assert violations(database) == ["chain: block 2 (positions 2 to 2) differs from its hash"]
    with database.write() as connection:
        connection.execute(sa.text("UPDATE ledger_blocks SET suite = 'MD5' WHERE block = 2"))
    assert violations(database) == ["chain: block 2 (positions 2 to 2) differs from its hash"]


@pytest.mark.parametrize("name", suites.TOKEN_SUITES)
def test_no_suites_token_is_mistaken_for_a_bare_one(name: str) -> None:
    suite = suites.TOKEN_SUITES[name]
    made = suite.stored(suite.authenticate(suite.derive(bytes(32), b"p"), b"x"))
    assert suites.token_number(made) == suite.number


def test_registrations_of_two_suites_are_found_beside_each_other(database_url: str, second: Keys) -> None:
    world = World(database_url)
    world.consent(*BANKS)
    old, new = registering("INV-2026-0117"), registering("INV-2026-0555")
    made = world.call("RegisterDocuments", old, BANK)
    world.store.close()
    world.store = Database(database_url, SERVICE.name, KeyRing(second))
    world.call("RegisterDocuments", new, BANK)
    documents = [*old.registration.documents, *new.registration.documents]
    asked = fingerprint_pb2.CheckDocumentsRequest(applicant=ENTERPRISE, documents=documents)
    found = world.call("CheckDocuments", asked, OTHER).documents
    assert [[match.score for match in each.matches] for each in found] == [[100], [100]]
    # The same registration again is known by its digest of either suite.
    old.request_id = ""
    assert world.call("RegisterDocuments", old, BANK).registration == made.registration
    old.registration.amount.minor_units += 1
    old.request_id = ""
    assert world.refused("RegisterDocuments", old, BANK).reason == "REGISTRATION_ID_TAKEN"
    world.store.close()


def registering(number: str) -> fingerprint_pb2.RegisterDocumentsRequest:
    """The financing of an invoice."""
    document = fingerprint_pb2.FinancedDocument()
    document.invoice.seller.enterprise, document.invoice.number = ENTERPRISE, number
    document.invoice.seller.name, document.invoice.buyer.name = "Henan Wigs Export Co., Ltd.", "Atlantic Hair Ltd."
    document.invoice.date.CopyFrom(date_pb2.Date(year=2026, month=11, day=2))
    # Amounts far apart: no other invoice is near.
    document.invoice.amount.CopyFrom(to_proto(Money("USD", int(number[-4:]) * 100_00)))
    registration = fingerprint_pb2.Registration(
        applicant=ENTERPRISE, amount=to_proto(Money("USD", 1_000_00)), documents=[document]
    )
    return fingerprint_pb2.RegisterDocumentsRequest(registration_id=str(uuid.uuid4()), registration=registration)
