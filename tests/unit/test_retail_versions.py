"""Versions of a retail document: every pair decided, and the last sent wins in any order of arrival."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.declarations.window.retail.versions import Change, Step, Version, step

NEW, MODIFY, DELETE = Change.NEW, Change.MODIFY, Change.DELETE
# (known, arriving): what becomes of the arriving one with other content when it was sent earlier, at the same
# moment with content that counts below and above, and later.
OTHER_CONTENT = {
    (NEW, NEW): (Step.REFUSE, Step.REFUSE, Step.REFUSE, Step.REFUSE),
    (NEW, MODIFY): (Step.KEEP, Step.REPLACE, Step.REPLACE, Step.REPLACE),
    (NEW, DELETE): (Step.KEEP, Step.REPLACE, Step.REPLACE, Step.REPLACE),
    (MODIFY, NEW): (Step.KEEP, Step.KEEP, Step.KEEP, Step.REFUSE),
    (MODIFY, MODIFY): (Step.KEEP, Step.KEEP, Step.REPLACE, Step.REPLACE),
    (MODIFY, DELETE): (Step.KEEP, Step.REPLACE, Step.REPLACE, Step.REPLACE),
    (DELETE, NEW): (Step.KEEP, Step.KEEP, Step.KEEP, Step.REPLACE),
    (DELETE, MODIFY): (Step.KEEP, Step.KEEP, Step.KEEP, Step.REPLACE),
    # A deletion says the same as any other, whatever stands in it.
    (DELETE, DELETE): (Step.KEEP, Step.KEEP, Step.KEEP, Step.TOUCH),
}


@pytest.mark.parametrize("pair", [*itertools.product(Change, Change)], ids="-".join)
def test_other_content(pair: tuple[Change, Change]) -> None:
    known = Version(100, pair[0], b"m")
    arriving = [(99, b"z"), (100, b"a"), (100, b"z"), (101, b"a")]
    found = tuple(step(known, Version(send_us, pair[1], digest)) for send_us, digest in arriving)
    assert found == OTHER_CONTENT[pair]


@pytest.mark.parametrize("pair", [*itertools.product([NEW, MODIFY], [NEW, MODIFY])], ids="-".join)
def test_the_same_content_changes_nothing_but_the_time(pair: tuple[Change, Change]) -> None:
    known = Version(100, pair[0], b"m")
    found = [step(known, Version(send_us, pair[1], b"m")) for send_us in (99, 100, 101)]
    assert found == [Step.KEEP, Step.TOUCH if pair == (NEW, MODIFY) else Step.KEEP, Step.TOUCH]


@pytest.mark.parametrize("change", Change)
def test_whatever_comes_first_is_taken(change: Change) -> None:
    assert step(None, Version(100, change, b"m")) == Step.ADD


changes = st.builds(Version, st.integers(1, 6), st.sampled_from([MODIFY, DELETE]), st.sampled_from([b"a", b"b", b"c"]))


def after(versions: list[Version]) -> tuple[bool, bytes, int]:
    """Returns what counts once all have arrived: whether deleted, the content if not, and the time."""
    known: Version | None = None
    for arriving in versions:
        move = step(known, arriving)
        if move in (Step.ADD, Step.REPLACE):
            known = arriving
        elif move == Step.TOUCH and known is not None:
            known = Version(arriving.send_us, arriving.change, known.digest)
    assert known is not None
    return known.is_deleted, b"" if known.is_deleted else known.digest, known.send_us


@given(st.data(), st.lists(changes, min_size=1, max_size=6), st.booleans())
def test_any_order_and_repetition_ends_the_same(data: st.DataObject, sent: list[Version], begun: bool) -> None:
    """D1: the version sent last counts, in any order and however often each comes."""
    versions = [Version(0, NEW, b"a"), *sent] if begun else sent
    repeated = versions + data.draw(st.lists(st.sampled_from(versions), max_size=4))
    assert after(data.draw(st.permutations(repeated))) == after(versions)
