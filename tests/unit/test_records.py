"""Records as rows: every type comes back as it went in, on both databases; a stale revision is a conflict."""

import datetime
import enum
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import records
from chassis.database import Database
from chassis.money import LARGEST, Money
from chassis.records import Conflict
from tests.support import Stores


class Colour(enum.StrEnum):
    """An enumeration."""

    RED = "red"
    GREEN = "green"


@dataclass(frozen=True)
class Part:
    """A dataclass within a record."""

    name: str
    value: Money
    share: Decimal
    day: datetime.date | None
    colours: tuple[Colour, ...]


@dataclass(frozen=True)
class Everything:
    """One field of each type, with and without None."""

    id: str
    revision: int
    flag: bool
    number: int
    content: bytes
    rate: Decimal
    day: datetime.date
    colour: Colour
    amount: Money
    part: Part
    parts: tuple[Part, ...]
    words: tuple[str, ...]
    flag_or_none: bool | None
    number_or_none: int | None
    text_or_none: str | None
    content_or_none: bytes | None
    rate_or_none: Decimal | None
    day_or_none: datetime.date | None
    colour_or_none: Colour | None
    amount_or_none: Money | None
    part_or_none: Part | None


TABLE = records.table("everything", Everything, sa.MetaData())

# What neither database's text can hold: NUL and lone surrogates.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), LARGEST)
moneys = st.builds(Money, st.sampled_from(["CNY", "JPY", "KWD"]), st.integers(-LARGEST, LARGEST))
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=9)
colours = st.sampled_from(Colour)
parts = st.builds(Part, texts, moneys, decimals, st.none() | st.dates(), st.lists(colours, max_size=3).map(tuple))
everything = st.builds(
    Everything,
    id=texts,
    revision=st.integers(0, 1000),
    flag=st.booleans(),
    number=numbers,
    content=st.binary(max_size=20),
    rate=decimals,
    day=st.dates(),
    colour=colours,
    amount=moneys,
    part=parts,
    parts=st.lists(parts, max_size=2).map(tuple),
    words=st.lists(texts, max_size=3).map(tuple),
    flag_or_none=st.none() | st.booleans(),
    number_or_none=st.none() | numbers,
    text_or_none=st.none() | texts,
    content_or_none=st.none() | st.binary(max_size=9),
    rate_or_none=st.none() | decimals,
    day_or_none=st.none() | st.dates(),
    colour_or_none=st.none() | colours,
    amount_or_none=st.none() | moneys,
    part_or_none=st.none() | parts,
)


@pytest.fixture
def database(store: Stores) -> Database:
    """A store with the table of everything."""
    opened = store()
    with opened.write() as connection:
        TABLE.metadata.create_all(connection)
    return opened


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=everything)
def test_every_type_comes_back_as_it_went_in(database: Database, record: Everything) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(TABLE))
        records.insert(connection, TABLE, record)
        assert records.one(connection, TABLE, Everything, TABLE.c.id == record.id) == record
        changed = records.update(connection, TABLE, record)
        assert changed == replace(record, revision=record.revision + 1)
        assert records.many(connection, sa.select(TABLE), Everything) == [changed]


@given(record=everything)
def test_rows_are_integers_text_and_bytes_only(record: Everything) -> None:
    values = records.to_row(record).values()
    assert {type(value) for value in values} <= {int, bool, str, bytes, type(None)}
    assert records.from_row(Everything, records.to_row(record)) == record


@settings(max_examples=1, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(record=everything)
def test_a_stale_revision_is_a_conflict(database: Database, record: Everything) -> None:
    with database.write() as connection:
        connection.execute(sa.delete(TABLE))
        records.insert(connection, TABLE, record)
        records.update(connection, TABLE, replace(record, number=1))
        with pytest.raises(Conflict):
            records.update(connection, TABLE, replace(record, number=2))
        found = records.one(connection, TABLE, Everything, TABLE.c.id == record.id)
        assert found is not None
        assert found.number == 1


def test_what_does_not_exist_is_none(database: Database) -> None:
    with database.read() as connection:
        assert records.one(connection, TABLE, Everything, TABLE.c.id == "none") is None


def test_text_sorts_by_bytes_on_both(database: Database) -> None:
    words = ["a", "B", "é", "Z", "许", "2", "_"]
    letters = sa.Table("letters", sa.MetaData(), sa.Column("word", records.TEXT, primary_key=True))
    with database.write() as connection:
        letters.create(connection)
        connection.execute(sa.insert(letters), [{"word": word} for word in words])
        found = list(connection.scalars(sa.select(letters.c.word).order_by(letters.c.word)))
    assert found == sorted(words, key=str.encode)
