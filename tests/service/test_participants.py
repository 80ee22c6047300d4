"""Participants of resources: lists by tenant walk their rows, which agree with columns; stores of before get them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from aval.loans.v1.loans_pb2 import ListLoansRequest as Asked

from chassis import paging, participants, records
from chassis.database import Database
from chassis.participants import Participant, Participation, is_participant, join, leave
from tests.support import Stores, explained, walking_plan

BUYER, SELLER, ISSUER, ADVISER = "enterprises/buyer", "enterprises/seller", "banks/issuer", "banks/adviser"
SIX = (
    Participant(BUYER, "APPLICANT"),
    Participant(SELLER, "BENEFICIARY"),
    Participant(ISSUER, "ISSUING_BANK"),
    Participant(ADVISER, "ADVISING_BANK"),
    Participant(ADVISER, "CONFIRMING_BANK"),
    Participant("banks/payer", "REIMBURSING_BANK"),
)


@dataclass(frozen=True)
class Letter:
    """A resource with as many participants as it has."""

    id: str
    amount: int
    stated: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"letters/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """As its row states them, each "TENANT ROLE"."""
        return tuple(Participant(*each.split(" ")) for each in self.stated)


metadata = sa.MetaData()
letters = records.table("letters", Letter, metadata)
LETTERS = Participation("letters", letters, Letter)


def stated(*listed: Participant) -> tuple[str, ...]:
    """Participants as a row states them."""
    return tuple(f"{tenant} {role}" for tenant, role in listed)


@pytest.fixture
def database(store: Stores) -> Database:
    """A store with letters of credit."""
    database = store("books")
    with database.write() as connection:
        metadata.create_all(connection)
    return database


def add(connection: sa.Connection, *made: Letter) -> None:
    """Adds letters with their participants."""
    records.insert(connection, letters, *made)
    for letter in made:
        join(connection, letter.name, letter.participants)


def listed(connection: sa.Connection, tenant: str, roles: Sequence[str] = ()) -> list[str]:
    """The ids of a tenant's letters, newest first, by its whole query."""
    query = LETTERS.of_tenant(tenant, roles)
    return [row.id for row in connection.execute(query.order_by(query.selected_columns.id.desc()))]


def test_six_take_part_in_a_letter_and_each_lists_it_once(database: Database) -> None:
    with database.write() as connection:
        add(connection, Letter("1", 5, stated(*SIX)), Letter("2", 5, stated(Participant(ADVISER, "ADVISING_BANK"))))
    with database.read() as connection:
        assert participants.of(connection, "letters/1") == sorted(SIX)
        assert listed(connection, ADVISER) == ["2", "1"]
        assert listed(connection, ADVISER, ["CONFIRMING_BANK"]) == ["1"]
        assert listed(connection, ADVISER, ["CONFIRMING_BANK", "ADVISING_BANK"]) == ["2", "1"]
        assert listed(connection, BUYER) == ["1"]
        assert listed(connection, "banks/stranger") == []
        assert is_participant(connection, "letters/1", ADVISER)
        assert is_participant(connection, "letters/1", ADVISER, ["CONFIRMING_BANK"])
        assert not is_participant(connection, "letters/2", ADVISER, ["CONFIRMING_BANK"])
        assert not is_participant(connection, "drafts/1", ADVISER)


def test_who_joins_later_lists_it_and_who_leaves_a_role_keeps_the_other(database: Database) -> None:
    confirming = Participant(ADVISER, "CONFIRMING_BANK")
    with database.write() as connection:
        add(connection, Letter("1", 5, stated(*SIX[:3])))
        assert listed(connection, ADVISER) == []
        join(connection, "letters/1", [confirming, Participant(ADVISER, "ADVISING_BANK")])
        join(connection, "letters/1", [confirming])
        leave(connection, "letters/1", [confirming, Participant(BUYER, "BENEFICIARY")])
        assert listed(connection, ADVISER) == listed(connection, BUYER) == ["1"]
        leave(connection, "letters/1", [Participant(ADVISER, "ADVISING_BANK")])
        assert listed(connection, ADVISER) == []


def test_verification_names_rows_that_differ_from_the_columns(database: Database) -> None:
    """PA1: verification names rows that differ from the columns."""
    with database.write() as connection:
        add(connection, *(Letter(str(number), 5, stated(*SIX)) for number in range(1, 4)))
        assert list(LETTERS.violations(connection)) == []
        leave(connection, "letters/1", [SIX[0]])
        join(connection, "letters/2", [Participant("banks/stranger", "ISSUING_BANK")])
        connection.execute(sa.delete(letters).where(letters.c.id == "3"))
        lost, more, stray = LETTERS.violations(connection)
    assert lost.startswith(f"letters/1: {ADVISER} as ADVISING_BANK, ")
    assert "banks/stranger as ISSUING_BANK" in more.partition(" takes part, its row says ")[0]
    assert stray == "letters/3 has participants and doesn't exist"


def pages(connection: sa.Connection, tenant: str, size: int) -> list[list[str]]:
    """The ids of all pages of a tenant's letters, by the tokens."""
    walked, token = [], ""
    while True:
        page, token = LETTERS.page(connection, tenant, Asked(page_size=size, page_token=token))
        walked.append([letter.id for letter in page])
        if not token:
            return walked


def test_pages_are_walked_newest_first(database: Database) -> None:
    with database.write() as connection:
        add(connection, *(Letter(str(number), number, stated(*SIX[number % 3 :])) for number in range(1, 8)))
        assert pages(connection, ADVISER, 3) == [["7", "6", "5"], ["4", "3", "2"], ["1"]]
        assert pages(connection, BUYER, 5) == [["6", "3"]]


def test_a_list_can_be_sieved(database: Database) -> None:
    """The query is what a Listing takes as its rows."""
    with database.write() as connection:
        add(connection, *(Letter(str(number), number, stated(*SIX)) for number in range(1, 8)))
        rows = LETTERS.of_tenant(ADVISER).subquery()
        listing = paging.Listing(rows, "id", ["id"], Asked(page_size=2), lambda _: [], lambda rows: [rows.c.amount < 5])
        query, horizon = listing.page(connection, None)
        assert [letter.id for letter in records.many(connection, query, Letter)] == ["4", "3", "2"]
        assert horizon == ""


MANY = 10_000


def test_a_page_is_a_walk_along_the_key_however_many_others_there_are(database: Database) -> None:
    """One tenant in all letters and one in each hundredth: both read no more rows than a page has, and sort none."""
    with database.write() as connection:
        made = [
            Letter(f"{number:06}", 1, stated(*SIX[:2], *(SIX[2:5] if number % 100 == 0 else ())))
            for number in range(MANY)
        ]
        add(connection, *made)
        connection.exec_driver_sql("ANALYZE")
    with database.read() as connection:
        for tenant in (BUYER, ADVISER):
            query = LETTERS.of_tenant(tenant)
            page = paging.newest_first(query, query.selected_columns.id, Asked(page_size=20))
            assert len(connection.execute(page).all()) == 21
            assert "participants" in walking_plan(connection, page)
            assert looked_at(connection, page) <= 21


def looked_at(connection: sa.Connection, query: Any) -> int:
    """The most rows that a step of the plan gave: PostgreSQL counts them; SQLite has no way to, but an ordered walk."""
    if connection.dialect.name == "sqlite":
        return 0
    lines = explained(connection, query, "(ANALYZE, TIMING OFF)")
    return max(int(float(rows)) for line in lines for rows in re.findall(r"actual rows=([0-9.]+)", line))
