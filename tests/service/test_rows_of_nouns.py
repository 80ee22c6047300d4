"""The rows of a noun, on both databases: who finds them, what saving tells and owes."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import sqlalchemy as sa
from aval.loans.v1 import loans_pb2
from google.protobuf.wrappers_pb2 import StringValue

from chassis import participants, records, tables
from chassis.command import PendingEvent, Transaction
from chassis.errors import InvalidPageToken, NotFound
from chassis.identity import Caller
from chassis.ids import Identifiers
from chassis.participants import Participant
from chassis.records import Conflict
from chassis.rows import Rows, alike, as_seen
from chassis.service import Reading
from chassis.tasks import Call
from tests.support import NOW_US, Stores

BANK, EXPORTER, OTHER = "banks/A", "enterprises/B", "banks/C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note between a bank and an exporter; the exporter sees it once it is sent."""

    id: str
    bank: str = BANK
    enterprise: str = EXPORTER
    is_sent: bool = True
    revision: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"notes/{self.id}"

    @property
    def participants(self) -> tuple[Participant, ...]:
        """The bank, and the exporter once it is sent."""
        exporter = [Participant(self.enterprise, "ENTERPRISE")] if self.is_sent else []
        return Participant(self.bank, "BANK"), *exporter


metadata = sa.MetaData()
NOTES = records.table("notes_of_nouns", Note, metadata)


def plan(note: Note) -> Call | None:
    request = loans_pb2.SignLoanRequest(name=note.name)
    return None if note.is_sent else Call("send", "loans", "SignLoan", request, note.bank)


ROWS = Rows(
    table=NOTES,
    record=Note,
    prefix="notes/",
    views=alike(lambda note: StringValue(value=note.id)),
    joins_later=True,
    noun="note",
    plan=plan,
)


def rows_of_loans() -> Rows[Note, loans_pb2.Loan]:
    """The same rows, seen as loans."""
    return Rows(
        table=NOTES,
        record=Note,
        prefix="notes/",
        views=alike(lambda note: loans_pb2.Loan(name=note.name)),
    )


@pytest.fixture
def transaction(store: Stores) -> Iterator[Transaction]:
    """A command of the bank's on an empty table."""
    with store().write() as connection:
        metadata.create_all(connection)
        ids, caller = Identifiers(NOW_US, b"seed"), Caller("bank", tenant=BANK)
        yield Transaction(connection, caller, NOW_US, ids, business_date=datetime.date(2026, 11, 30))


def owed(transaction: Transaction) -> list[str]:
    return list(transaction.connection.execute(sa.select(tables.tasks.c.step)).scalars())


def told(events: list[PendingEvent]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(event.type, event.resource, event.tenants) for event in events]


def test_adding_tells_the_parties_and_records_what_is_owed(transaction: Transaction) -> None:
    ROWS.add(transaction, Note(id="1", is_sent=False), "note.written")
    assert told(transaction.events) == [("note.written", "notes/1", (BANK,))]
    assert owed(transaction) == ["send"]


def test_saving_raises_the_revision_and_records_what_is_owed_now(transaction: Transaction) -> None:
    written = ROWS.add(transaction, Note(id="1", is_sent=False), "note.written")
    saved = ROWS.save(transaction, replace(written, is_sent=True), "note.sent")
    assert saved == ROWS.load(transaction.connection, "notes/1") == Note(id="1", revision=2)
    assert told(transaction.events)[1:] == [("note.sent", "notes/1", (BANK, EXPORTER))]
    assert owed(transaction) == []


def test_who_takes_part_has_rows(transaction: Transaction) -> None:
    """The exporter joins when the note is sent; a noun that isn't listed has none."""
    written = ROWS.add(transaction, Note(id="1", is_sent=False))
    assert participants.of(transaction.connection, "notes/1") == [Participant(BANK, "BANK")]
    ROWS.save(transaction, replace(written, is_sent=True))
    assert participants.of(transaction.connection, "notes/1") == [(BANK, "BANK"), (EXPORTER, "ENTERPRISE")]
    replace(ROWS, is_listed=False).add(transaction, Note(id="2"))
    assert participants.of(transaction.connection, "notes/2") == []
    assert list(ROWS.participation.violations(transaction.connection)) != []


def test_a_row_that_changed_meanwhile_is_not_overwritten(transaction: Transaction) -> None:
    written = ROWS.add(transaction, Note(id="1"))
    ROWS.save(transaction, written)
    with pytest.raises(Conflict):
        ROWS.save(transaction, replace(written, bank=OTHER))


def test_without_an_event_nobody_is_told(transaction: Transaction) -> None:
    ROWS.save(transaction, ROWS.add(transaction, Note(id="1")))
    assert transaction.events == []


def test_each_party_is_told_what_it_may_see(transaction: Transaction) -> None:
    views = as_seen(lambda note, viewer: StringValue(value=f"{note.id} for {viewer}"))
    rows = replace(ROWS, views=views, tells_each=True)
    rows.add(transaction, Note(id="1"), "note.written")
    assert [(event.payload, event.tenants) for event in transaction.events] == [
        (StringValue(value=f"1 for {BANK}"), (BANK,)),
        (StringValue(value=f"1 for {EXPORTER}"), (EXPORTER,)),
    ]


def test_only_a_party_finds_it(transaction: Transaction) -> None:
    """Who is none gets the answer that there is none."""
    sent, draft = ROWS.add(transaction, Note(id="1")), ROWS.add(transaction, Note(id="2", is_sent=False))
    connection = transaction.connection
    assert ROWS.find(connection, sent.name, EXPORTER) == sent
    assert ROWS.find(connection, draft.name, BANK) == draft
    for name, tenant in ((sent.name, OTHER), (draft.name, EXPORTER), ("notes/3", BANK)):
        with pytest.raises(NotFound, match=name):
            ROWS.find(connection, name, tenant)


def test_a_party_gets_the_resource_that_its_request_names(transaction: Transaction) -> None:
    """The bank its draft, nobody else's, and none that doesn't exist."""
    reading = Reading(transaction.connection, transaction.caller, NOW_US)
    ROWS.add(transaction, Note(id="1", is_sent=False))
    ROWS.add(transaction, Note(id="2", bank=OTHER))
    assert ROWS.get(reading, loans_pb2.GetLoanRequest(name="notes/1")) == StringValue(value="1")
    for name in ("notes/2", "notes/3"):
        with pytest.raises(NotFound, match=name):
            ROWS.get(reading, loans_pb2.GetLoanRequest(name=name))


def test_only_the_tenant_of_the_role_owns_it(transaction: Transaction) -> None:
    note = ROWS.add(transaction, Note(id="1"))
    connection = transaction.connection
    assert ROWS.own(connection, note.name, bank=BANK) == note
    for name, roles in (
        (note.name, {"bank": EXPORTER}),
        (note.name, {"enterprise": BANK}),
        ("notes/2", {"bank": BANK}),
    ):
        with pytest.raises(NotFound, match=name):
            ROWS.own(connection, name, **roles)


def test_pages_hold_the_callers_records_newest_first(transaction: Transaction) -> None:
    for number in range(1, 6):
        ROWS.add(transaction, Note(id=str(number), bank=OTHER if number == 3 else BANK))
    reading = Reading(transaction.connection, transaction.caller, NOW_US)
    request = loans_pb2.ListLoansRequest(page_size=3)
    page, token = ROWS.page(reading, request)
    assert [note.id for note in page] == ["5", "4", "2"]
    rest = loans_pb2.ListLoansRequest(page_size=3, page_token=token)
    page, token = ROWS.page(reading, rest)
    assert ([note.id for note in page], token) == (["1"], "")
    assert [note.id for note in ROWS.page(reading, request, NOTES.c.id > "4")[0]] == ["5"]
    listed = rows_of_loans().lists(loans_pb2.ListLoansResponse)(reading, request)
    assert [loan.name for loan in cast(Any, listed).loans] == ["notes/5", "notes/4", "notes/2"]
    with pytest.raises(InvalidPageToken):
        ROWS.page(reading, loans_pb2.ListLoansRequest(page_token="none"))
