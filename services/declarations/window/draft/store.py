"""Drafts, their messages and their numbers as rows; set-based."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from chassis import bulk, database, records
from chassis.command import Transaction
from chassis.records import TEXT
from services.declarations.schema import metadata
from services.declarations.window.declaration.store import declarations
from services.declarations.window.draft import rpc
from services.declarations.window.draft.model import Draft, Message, Numbered, State, Wait

# draft: declarations before they have a customs number, all their messages, and their numbers as far as they are known.
DRAFT_PLACE = ("create_date", "id")

drafts = records.table(
    "drafts",
    Draft,
    metadata,
    *(
        sa.Index("drafts_enterprise", "enterprise", *DRAFT_PLACE),
        sa.Index("drafts_day", *DRAFT_PLACE),
        sa.Index("drafts_client_number", "client_number"),
        sa.Index("drafts_unified_number", "unified_number"),
        sa.Index("drafts_declaration", "declaration"),
        sa.Index("drafts_state", "state", "wait"),
    ),
)

draft_messages = records.table("draft_messages", Message, metadata, sa.Index("draft_messages_draft", "draft"))

# The unified number that the window gave to a client's own number.
client_numbers = sa.Table(
    "client_numbers",
    metadata,
    sa.Column("client_number", TEXT, primary_key=True),
    sa.Column("unified_number", TEXT, nullable=False),
    sqlite_with_rowid=False,
)

# The customs numbers told of `unified/{number}` or `client/{enterprise}/{number}`, and when customs first told each
# (microseconds since 1970 UTC, 0 where no notice did).
customs_numbers = sa.Table(
    "customs_numbers",
    metadata,
    sa.Column("number", TEXT, primary_key=True),
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

CREATED, CHANGED, DECLARED, JOINED = "draft.created", "draft.changed", "draft.declared", "draft.joined"


def of_unified(unified_number: str) -> str:
    """Returns a unified number as the key of the numbers that customs gave it."""
    return f"unified/{unified_number}"


def of_client(enterprise: str, client_number: str) -> str:
    """Returns a client's number as the key of the numbers that customs gave it: each client numbers by itself."""
    return f"client/{enterprise}/{client_number}"


def load(connection: sa.Connection, ids: Collection[str]) -> dict[str, Draft]:
    """Returns drafts by id."""
    return {draft.id: draft for draft in _where(connection, drafts.c.id, ids)}


def _where(connection: sa.Connection, column: sa.Column[str], values: Collection[str]) -> list[Draft]:
    if not values:
        return []
    return records.many(connection, sa.select(drafts).where(bulk.among(connection, column, values)), Draft)


def of_numbers(
    connection: sa.Connection, client_numbers: Collection[str], unified_numbers: Collection[str]
) -> list[Draft]:
    """Returns the drafts with one of these numbers."""
    by_client = _where(connection, drafts.c.client_number, set(client_numbers) - {""})
    by_unified = _where(connection, drafts.c.unified_number, set(unified_numbers) - {""})
    return list({draft.id: draft for draft in (*by_client, *by_unified)}.values())


def supplying(connection: sa.Connection, numbers: Collection[str]) -> list[Draft]:
    """Returns the drafts whose content stands under these customs numbers."""
    return [draft for draft in _where(connection, drafts.c.declaration, numbers) if draft.declared_digest]


def messages(connection: sa.Connection, ids: Collection[str]) -> dict[str, list[Message]]:
    """Returns the messages of drafts, by the draft's id."""
    query = sa.select(draft_messages).where(bulk.among(connection, draft_messages.c.draft, ids))
    by_draft: dict[str, list[Message]] = {}
    for message in records.many(connection, query, Message):
        by_draft.setdefault(message.draft, []).append(message)
    return by_draft


def known_messages(connection: sa.Connection, ids: Collection[str]) -> set[str]:
    """Returns the ids of those messages that are stored."""
    query = sa.select(draft_messages.c.id).where(bulk.among(connection, draft_messages.c.id, ids))
    return set(connection.execute(query).scalars())


def add_messages(connection: sa.Connection, added: Sequence[Message]) -> None:
    """Adds new messages."""
    records.insert(connection, draft_messages, *added)


def unified_numbers(connection: sa.Connection, client: Collection[str]) -> dict[str, str]:
    """Returns the unified number that the window gave to each client's number, where there is one."""
    rows = client_numbers.c
    query = sa.select(rows.client_number, rows.unified_number).where(bulk.among(connection, rows.client_number, client))
    return dict(tuple(row) for row in connection.execute(query)) if client else {}


def add_unified_number(connection: sa.Connection, client_number: str, unified_number: str) -> None:
    """Adds the unified number that the window gave to a client's number."""
    row = {"client_number": client_number, "unified_number": unified_number}
    connection.execute(sa.insert(client_numbers), row)


def numbers(connection: sa.Connection, keys: Collection[str]) -> dict[str, list[Numbered]]:
    """Returns the customs numbers that are told of these keys."""
    rows = customs_numbers.c
    query = sa.select(rows.number, rows.declaration, rows.notice_us)
    by_key: dict[str, list[Numbered]] = {}
    for number, declaration, notice_us in connection.execute(query.where(bulk.among(connection, rows.number, keys))):
        by_key.setdefault(number, []).append(Numbered(declaration, notice_us))
    return by_key


def add_numbers(connection: sa.Connection, told: Mapping[tuple[str, str], int]) -> None:
    """Adds customs numbers by key and number, with the first notice that tells each (0: none does)."""
    rows = [
        {"number": number, "declaration": declaration, "notice_us": notice_us}
        for (number, declaration), notice_us in sorted(told.items())
    ]
    if not rows:
        return
    insert = database.insert_for(connection)(customs_numbers)
    earlier = _earlier(insert.excluded.notice_us, customs_numbers.c.notice_us)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["number", "declaration"], set_={"notice_us": earlier}), rows
    )


def _earlier(new: sa.ColumnElement[int], known: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    """Returns the earlier of two times, 0 standing for none: 0 and 5 give 5, 3 and 5 give 3."""
    return sa.case((known == 0, new), (new == 0, known), (new < known, new), else_=known)


def declared(connection: sa.Connection, unified: Collection[str]) -> dict[str, list[str]]:
    """Returns the declarations with these unified numbers."""
    rows = declarations.c
    query = sa.select(rows.unified_number, rows.id).where(bulk.among(connection, rows.unified_number, unified), _TOLD)
    by_number: dict[str, list[str]] = {}
    for number, declaration in connection.execute(query) if unified else ():
        by_number.setdefault(number, []).append(declaration)
    return by_number


# The condition of the index.
_TOLD = sa.text("declarations.unified_number <> ''")


def joinable(connection: sa.Connection, at_most: int) -> list[str]:
    """Returns drafts that wait for a number that is known by now."""
    rows, ties, told = drafts.c, client_numbers.c, customs_numbers.c
    waiting = rows.state == State.WAITING
    tied = sa.select(rows.id).join(client_numbers, ties.client_number == rows.client_number)
    by_unified = told.number == sa.literal("unified/").concat(rows.unified_number)
    by_client = told.number == sa.literal("client/").concat(rows.enterprise).concat("/").concat(rows.client_number)
    given = sa.select(rows.id).join(customs_numbers, sa.or_(by_unified, by_client))
    there = sa.select(rows.id).join(declarations, declarations.c.unified_number == rows.unified_number)
    ready = sa.union(
        tied.where(waiting, rows.wait == Wait.UNIFIED_NUMBER),
        given.where(waiting, rows.wait.in_((Wait.UNIFIED_NUMBER, Wait.CUSTOMS_NUMBER))),
        there.where(waiting, rows.wait == Wait.CUSTOMS_NUMBER, _TOLD),
    )
    return list(connection.execute(ready.limit(at_most)).scalars())


def absorb(transaction: Transaction, into: Draft, former: Draft) -> None:
    """Moves the messages of another draft, which is the same, to a draft, and tells the enterprise."""
    moved = sa.update(draft_messages).where(draft_messages.c.draft == former.id).values(draft=into.id)
    transaction.connection.execute(moved)
    transaction.connection.execute(sa.delete(drafts).where(drafts.c.id == former.id))
    if former.revision:
        transaction.append(JOINED, former.name, rpc.to_proto(into), [former.enterprise])


def save(transaction: Transaction, before: Draft | None, after: Draft) -> Draft:
    """Saves a draft, with its event. Raises Conflict if it changed meanwhile."""
    if before is None:
        stored = replace(after, revision=1)
        records.insert(transaction.connection, drafts, stored)
    else:
        stored = records.update(transaction.connection, drafts, after)
    transaction.append(_event(before, stored), stored.name, rpc.to_proto(stored), [stored.enterprise])
    return stored


def _event(before: Draft | None, after: Draft) -> str:
    if after.state is State.DECLARED and (before is None or before.state is not State.DECLARED):
        return DECLARED
    return CREATED if before is None else CHANGED


def violations(connection: sa.Connection) -> list[str]:
    """Lists drafts whose state disagrees with their having a declaration, and drafts whose message isn't theirs."""
    rows, there = drafts.c, declarations.c
    own = sa.select(sa.literal(1)).where(there.id == rows.declaration, there.enterprise == rows.enterprise).exists()
    said = sa.select(sa.literal(1)).where(draft_messages.c.id == rows.message, draft_messages.c.draft == rows.id)
    is_declared = rows.state == State.DECLARED
    broken = sa.or_(is_declared != own, ~said.exists())
    drafts_found = connection.execute(sa.select(rows.id, rows.state).where(broken).order_by(rows.id).limit(20))
    return [
        f"drafts/{row.id} is {row.state}, and its declaration or its messages say otherwise" for row in drafts_found
    ]
