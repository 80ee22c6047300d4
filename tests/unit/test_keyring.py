"""Key rings: what is sealed opens with its own context only, rotation loses nothing, tokens never change."""

import itertools
import pathlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import keyring
from chassis.ids import system_random
from chassis.keyring import NO_KEYS, KeyFile, KeyRing, Keys, Tampered, UnknownKey

NOW_US = 1_793_600_000_000_000
KEYS = keyring.generate(system_random, NOW_US)


@given(st.binary(), st.binary())
def test_what_is_sealed_opens(plain: bytes, context: bytes) -> None:
    ring = KeyRing(KEYS)
    sealed = ring.seal(plain, context)
    assert ring.open(sealed, context) == plain
    assert keyring.key_id(sealed) == KEYS.current.id == ring.current_id
    assert ring.seal(plain, context) != sealed


@given(st.binary(), st.binary(), st.binary())
def test_it_opens_for_its_own_context_only(plain: bytes, context: bytes, other: bytes) -> None:
    """PD2: a value sealed for one resource opens for no other."""
    ring = KeyRing(KEYS)
    if context != other:
        with pytest.raises(Tampered):
            ring.open(ring.seal(plain, context), other)


def test_no_byte_of_it_can_be_changed_or_cut_off() -> None:
    ring = KeyRing(KEYS)
    sealed = ring.seal(b"Zhao", b"declarations/1")
    changed = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
    for broken in [*changed, *(sealed[:length] for length in range(len(sealed))), b"Zhao"]:
        with pytest.raises((Tampered, UnknownKey)):
            ring.open(broken, b"declarations/1")


def test_another_key_under_the_same_id_opens_nothing() -> None:
    sealed = KeyRing(KEYS).seal(b"Zhao", b"a")
    forged = keyring.Key(KEYS.current.id, bytes(32), NOW_US)
    with pytest.raises(Tampered):
        KeyRing(Keys(KEYS.token_root, (forged,))).open(sealed, b"a")


def test_every_key_of_the_ring_opens_and_the_newest_seals() -> None:
    rings = list(itertools.accumulate(range(4), lambda keys, _: keys.with_new(system_random, NOW_US), initial=KEYS))
    sealed = [KeyRing(keys).seal(b"Zhao", b"a") for keys in rings]
    newest = KeyRing(rings[-1])
    assert {newest.open(one, b"a") for one in sealed} == {b"Zhao"}
    assert len({keyring.key_id(one) for one in sealed}) == len(rings)
    without = KeyRing(rings[-1].without(KEYS.current.id))
    with pytest.raises(UnknownKey):
        without.open(sealed[0], b"a")
    assert without.open(sealed[1], b"a") == b"Zhao"


def test_a_drawn_id_that_is_taken_is_drawn_again() -> None:
    draws = iter([bytes.fromhex(KEYS.current.id), b"\1\2\3\4", bytes(32)])
    assert KEYS.with_new(lambda _count: next(draws), NOW_US).current.id == "01020304"


def test_the_file_says_it_all() -> None:
    for keys in (KEYS, KEYS.with_next(system_random, NOW_US), KEYS.with_new(system_random, NOW_US)):
        assert Keys.from_json(keys.to_json()) == keys


def test_a_key_that_is_to_come_opens_before_it_seals() -> None:
    handed_out = KEYS.with_next(system_random, NOW_US)
    assert handed_out.with_next(system_random, NOW_US) == handed_out
    rotated = handed_out.with_new(system_random, NOW_US)
    assert (rotated.current, rotated.next) == (handed_out.next, None)
    assert KeyRing(handed_out).current_id == KEYS.current.id
    assert KeyRing(handed_out).open(KeyRing(rotated).seal(b"Zhao", b"a"), b"a") == b"Zhao"


def test_tokens_are_of_the_root_and_the_purpose_alone() -> None:
    rotated = KEYS.with_new(system_random, NOW_US).without(KEYS.current.id)
    tokens = {KeyRing(keys).token("number", b"123") for keys in (KEYS, rotated)}
    assert len(tokens) == 1
    others = {
        KeyRing(KEYS).token("invoice", b"123"),
        KeyRing(KEYS).token("number", b"124"),
        KeyRing(keyring.generate(system_random, NOW_US)).token("number", b"123"),
    }
    assert len(tokens | others) == 4


def test_a_store_without_keys_seals_nothing() -> None:
    with pytest.raises(UnknownKey):
        NO_KEYS.seal(b"Zhao", b"a")


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    keyring.prepare(tmp_path, "books", NOW_US)
    return keyring.file_of(tmp_path, "books")


def test_a_ring_is_made_once_and_for_its_owner_only(file: pathlib.Path) -> None:
    first = file.read_bytes()
    keyring.prepare(file.parent, "books", NOW_US)
    assert file.read_bytes() == first
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.name == "services_books.keys.json"


def test_several_that_make_it_at_once_agree(tmp_path: pathlib.Path) -> None:
    made: list[bytes] = []

    def make() -> None:
        keyring.prepare(tmp_path, "books", NOW_US)
        made.append(keyring.file_of(tmp_path, "books").read_bytes())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1


def test_a_running_process_sees_the_changed_file(file: pathlib.Path) -> None:
    running, operator = KeyFile(file), KeyFile(file)
    old = running.seal(b"Zhao", b"a")
    operator.write(operator.read().with_new(system_random, NOW_US))
    # Opens what the new key sealed before it has sealed anything with it itself.
    assert running.open(operator.seal(b"Qian", b"a"), b"a") == b"Qian"
    assert keyring.key_id(running.seal(b"Sun", b"a")) == operator.current_id != keyring.key_id(old)
    assert running.open(old, b"a") == b"Zhao"


def test_without_a_ring_nothing_starts(tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError):
        KeyFile(tmp_path / "none.keys.json")
