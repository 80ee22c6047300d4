"""Summaries in parts: which parts make one, whatever comes in whatever order. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from services.declarations.window.retail.summary.model import TAKEN_BACK, Part, counting, measure, missing_parts
from services.declarations.window.retail.versions import Change, Step, step

NOW = 1_772_000_000_000_000


def part(number: int, count: int, send_us: int, change: Change = Change.NEW, says: bytes = b"a") -> Part:
    """Returns a part as it is sent; its digest covers how many parts there are, as the row says it."""
    place, digest = TAKEN_BACK if change == Change.DELETE else number, says + bytes([count])
    return Part("s", place, count, send_us, change, digest, digest)


def taken(sent: list[Part]) -> dict[int, Part]:
    """The parts that stand after these were sent one by one, as the store has them."""
    found: dict[int, Part] = {}
    for each_part in sent:
        known = measure(found, each_part.number)
        if step(known.version if known else None, each_part.version) in (Step.ADD, Step.REPLACE, Step.TOUCH):
            found[each_part.number] = each_part
    return found


def numbers(sent: list[Part]) -> list[int]:
    """The numbers of the parts that count after these were sent."""
    return [each_part.number for each_part in counting(taken(sent))]


def test_parts_join() -> None:
    assert numbers([part(1, 2, NOW), part(2, 2, NOW + 60)]) == [1, 2]
    assert numbers([part(2, 2, NOW + 60), part(1, 2, NOW), part(2, 2, NOW + 60)]) == [1, 2]
    assert numbers([part(3, 3, NOW)]) == [3]


def test_a_whole_that_is_sent_later_leaves_no_part_beyond_it() -> None:
    two, whole = [part(1, 2, NOW), part(2, 2, NOW + 1)], part(1, 1, NOW + 2, Change.MODIFY, b"b")
    assert numbers([*two, whole]) == numbers([whole, *two]) == [1]


def test_a_deletion_takes_back_every_part_sent_before() -> None:
    two, gone = [part(1, 2, NOW), part(2, 2, NOW + 1)], part(1, 1, NOW + 2, Change.DELETE)
    assert numbers([*two, gone]) == numbers([gone, *two]) == []
    again = [part(2, 2, NOW + 3, says=b"c"), part(1, 2, NOW + 3, says=b"b")]
    assert numbers([*two, gone, *again]) == [1, 2]
    # Not a part more than was sent again.
    assert numbers([*two, gone, again[1]]) == [1]


def test_what_is_missing_is_told() -> None:
    (problem,) = missing_parts([part(2, 4, NOW), part(4, 4, NOW)])
    assert (problem.reason, "1, 3" in problem.english) == ("PARTS_MISSING", True)
    assert missing_parts([part(1, 1, NOW)]) == missing_parts([]) == []


CHANGES = st.builds(
    part,
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(NOW, NOW + 3),
    st.sampled_from([Change.MODIFY, Change.DELETE]),
    st.sampled_from([b"a", b"b"]),
)


@given(st.lists(CHANGES, max_size=8), st.data())
def test_changes_end_alike_in_any_order_and_however_often(sent: list[Part], data: st.DataObject) -> None:
    repeated = sent + data.draw(st.lists(st.sampled_from(sent), max_size=4) if sent else st.just([]))
    other = data.draw(st.permutations(repeated))
    assert [(each_part.number, each_part.digest) for each_part in counting(taken(other))] == [
        (each_part.number, each_part.digest) for each_part in counting(taken(sent))
    ]
