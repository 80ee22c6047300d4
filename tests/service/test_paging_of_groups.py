"""Pages over some groups of rows are those of one sorted list, whatever lies between the groups."""

import random
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import paging
from chassis.records import TEXT
from tests.support import Stores

Request = declarations_pb2.ListDeclarationsRequest
ORDER = ("day", "id")
things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("owner", TEXT),
    sa.Column("day", TEXT),
    sa.Index("things_owner", "owner", *ORDER),
)


def pages(connection: sa.Connection, owners: list[str], days: tuple[str, str], size: int) -> list[list[str]]:
    """All pages, of the days between two, by the tokens."""

    def page(query: Any, rows: Any) -> Any:
        within = query.where(rows.c.day >= days[0], rows.c.day <= days[1])
        return paging.highest_first(within, tuple(rows.c[name] for name in ORDER), request)

    found, token = [], ""
    while True:
        request = Request(page_size=size, page_token=token)
        query = paging.highest_of_each(connection, things, "owner", owners, ORDER, page)
        rows = list(connection.execute(query))
        found.append([row.id for row in rows[:size]])
        if len(rows) <= size:
            return found
        token = paging.token(request, f"{rows[size - 1].day}/{rows[size - 1].id}")


@pytest.mark.parametrize("seed", range(5))
def test_pages_over_groups_are_those_of_the_sorted_rows(store: Stores, seed: int) -> None:
    chance = random.Random(seed)
    # Of many owners few are asked for, and some of these have nothing.
    rows = [(f"{number:03}", f"owner{chance.randrange(20)}", f"day{chance.randrange(6)}") for number in range(200)]
    with store("books").write() as connection:
        things.create(connection)
        connection.execute(sa.insert(things), [dict(zip(("id", "owner", "day"), row, strict=True)) for row in rows])
        for _ in range(10):
            owners = [f"owner{number}" for number in chance.sample(range(25), chance.randrange(1, 20))]
            days = ("day1", f"day{chance.randrange(2, 6)}")
            size = chance.choice([1, 2, 5, 50])
            of_them = [(day, name) for name, owner, day in rows if owner in owners and days[0] <= day <= days[1]]
            expected = [name for _, name in sorted(of_them, reverse=True)]
            found = pages(connection, owners, days, size)
            assert [name for one in found for name in one] == expected
            assert all(len(one) == size for one in found[:-1])
