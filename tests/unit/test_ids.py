"""Identifiers: in the order of time, the same when run again."""

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from chassis.ids import Identifiers, derived

MILLISECONDS = st.integers(0, 2**48 - 1)


@given(MILLISECONDS, MILLISECONDS)
def test_identifiers_sort_by_time_as_bytes(first: int, second: int) -> None:
    drawn = [Identifiers(ms * 1000, b"seed") for ms in sorted((first, second))]
    if first != second:
        earlier, later = (ids.resource("loan").encode() for ids in drawn)
        assert earlier < later
        assert drawn[0].uuid7().bytes < drawn[1].uuid7().bytes


@given(MILLISECONDS, st.binary(max_size=32))
def test_the_same_submission_draws_the_same_identifiers(milliseconds: int, seed: bytes) -> None:
    def draw() -> list[str]:
        ids = Identifiers(milliseconds * 1000, seed)
        return [ids.resource("event"), str(ids.uuid7()), str(ids.uuid4()), ids.resource("event")]

    assert draw() == draw()
    assert len(set(draw())) == 4


def test_forms() -> None:
    ids = Identifiers(1_800_000_000_000_000, b"seed")
    assert re.fullmatch(r"loan-[a-z2-7]{26}", ids.resource("loan"))
    assert (ids.uuid7().version, ids.uuid4().version) == (7, 4)
    assert {ids.uuid7().variant, ids.uuid4().variant} == {uuid.RFC_4122}


def test_derived_ids_follow_from_their_parts() -> None:
    assert derived("loan-1", "disburse", 1) == derived("loan-1", "disburse", 1)
    assert derived("loan-1", "disburse", 1) != derived("loan-1", "disburse", 2)
