"""A proof reads a whole table a page at a time, on both databases."""

from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from chassis import records
from chassis.money import Money
from tests.support import Stores


@dataclass(frozen=True, slots=True)
class Thing:
    """A row with a key and an amount of two columns."""

    id: str
    amount: Money


metadata = sa.MetaData()
things = records.table("paged_things", Thing, metadata)


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1])])
def test_pages_hold_each_record_once_and_no_more_than_their_size(store: Stores, count: int, sizes: list[int]) -> None:
    written = [Thing(f"thing-{(number * 7919) % 100:03}", Money("USD", number)) for number in range(count)]
    with store().write() as connection:
        metadata.create_all(connection)
        records.insert(connection, things, *written)
    with store().read() as connection:
        pages = list(records.pages(connection, things, Thing, size=3))
    assert [len(page) for page in pages] == sizes
    assert [thing for page in pages for thing in page] == sorted(written, key=lambda thing: thing.id)
