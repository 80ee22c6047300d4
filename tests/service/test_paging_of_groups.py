"""Pages over some groups of rows are those of one sorted list, whatever lies between the groups."""

import random
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import paging
from chassis.records import TEXT
from tests.support import Stores

Request = declarations_pb2.ListDeclarationsRequest
ORDER = ("day", "id")


@dataclass
class Thing:
    """A row of the list."""

    id: str
    place: str


things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", TEXT, primary_key=True),
    sa.Column("owner", TEXT),
    sa.Column("day", TEXT),
    sa.Index("things_owner", "owner", *ORDER),
)


def pages(
    connection: sa.Connection, owners: list[str] | None, days: tuple[str, str], ending: str, size: int
) -> list[list[str]]:
    """All pages, of the days between two and of numbers that end so, by the tokens."""

    def within(rows: Any) -> list[Any]:
        return [rows.c.day >= days[0], rows.c.day <= days[1]]

    def sieve(rows: Any) -> list[Any]:
        return [rows.c.id.like(f"%{ending}")] if ending else []

    found: list[list[str]] = []
    token = ""
    while not found or token:
        request = Request(page_size=size, page_token=token)
        query, horizon = paging.Listing(things, "owner", ORDER, request, within, sieve).page(connection, owners)
        rows = [Thing(row.id, f"{row.day}/{row.id}") for row in connection.execute(query)]
        page, token = paging.cut(request, rows, "place", horizon)
        found.append([row.id for row in page])
    return found


@pytest.mark.parametrize("seed", range(5))
def test_pages_over_groups_are_those_of_the_sorted_rows(
    store: Stores, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(paging, "MANY_GROUPS", 15)
    # Of many owners few are asked for, and some of these have nothing.
    rows = [(f"{number:03}", f"owner{chance.randrange(20)}", f"day{chance.randrange(6)}") for number in range(200)]
    with store("books").write() as connection:
        things.create(connection)
        connection.execute(sa.insert(things), [dict(zip(("id", "owner", "day"), row, strict=True)) for row in rows])
        for _ in range(20):
            monkeypatch.setattr(paging, "MOST_LOOKED_AT", chance.choice([1, 7, 60, 1000]))
            owners = [f"owner{number}" for number in chance.sample(range(25), chance.randrange(20))] or None
            days = ("day1", f"day{chance.randrange(2, 6)}")
            ending, size = chance.choice(["", "7", "93"]), chance.choice([1, 2, 5, 50])
            expected = sorted(
                ((day, name) for name, owner, day in rows
                 if (owners is None or owner in owners) and days[0] <= day <= days[1] and name.endswith(ending)),
                reverse=True,
            )  # fmt: skip
            found = pages(connection, owners, days, ending, size)
            assert [name for one in found for name in one] == [name for _, name in expected]
            if not ending and len(owners or ()) <= 15:
                assert all(len(one) == size for one in found[:-1])


def test_a_page_looks_at_so_many_rows_and_no_more(store: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a sieve seldom lets pass come with the page that reaches them; those before are empty."""
    monkeypatch.setattr(paging, "MOST_LOOKED_AT", 10)
    rows = [{"id": f"{number:03}", "owner": "owner", "day": "day1"} for number in range(35)]
    with store("books").write() as connection:
        things.create(connection)
        connection.execute(sa.insert(things), rows)
        assert pages(connection, None, ("day0", "day9"), "02", 5) == [[], [], [], ["002"]]
        assert pages(connection, ["owner"], ("day0", "day9"), "29", 5) == [["029"], [], [], []]
