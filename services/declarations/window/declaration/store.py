"""Declarations and receipts as rows: set-based, since the window sends them by the thousand."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import bulk, records
from chassis.command import Transaction
from chassis.records import TEXT, Conflict
from services.declarations.customs.receipts import STATUS_WITHOUT_RECEIPTS
from services.declarations.privacy.consent import store as consent_store
from services.declarations.register.asset import Hindrance
from services.declarations.schema import metadata
from services.declarations.window.declaration import model, rpc
from services.declarations.window.declaration.model import Content, Declaration, Version

# The customs number is the key; unsearched fields live in the stored body. Lists go by day and number, of an
# enterprise or of all; the fields that filters pick most stand in both indexes too, so that they are met within them.
PLACE = ("declared_on", "id")

PICKED = ("trade_mode", "destination_country", "commodity_code")

declarations = records.table(
    "declarations",
    Declaration,
    metadata,
    # Rows without a unified number cost nothing.
    sa.Index(
        "declarations_unified_number",
        "unified_number",
        postgresql_where=sa.text("unified_number <> ''"),
        sqlite_where=sa.text("unified_number <> ''"),
    ),
    sa.Index("declarations_enterprise", "enterprise", *PLACE, *PICKED),
    sa.Index("declarations_day", *PLACE, *PICKED),
)

# Declarations' contents before they were amended, with the fields that filters pick by: lists as of a time read them.
declaration_versions = sa.Table(
    "declaration_versions",
    metadata,
    *records.columns(Version, keys=("declaration", "version")),
    sa.Index("declaration_versions_day", "declared_on", "declaration"),
    sa.Index("declaration_versions_enterprise", "enterprise", "declared_on", "declaration"),
    sqlite_with_rowid=False,
)

# Receipts, also those that came before their declaration; `status` is where all receipts known at its arrival, so many
# as `receipts`, left the declaration.
receipts = sa.Table(
    "receipts",
    metadata,
    sa.Column("declaration", TEXT, primary_key=True),
    sa.Column("notice_us", sa.BigInteger, primary_key=True),
    sa.Column("channel_code", TEXT, primary_key=True),
    sa.Column("note", TEXT, nullable=False),
    sa.Column("arrive_us", sa.BigInteger, nullable=False),
    sa.Column("status", TEXT, nullable=False),
    sa.Column("receipts", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


Key = tuple[str, int, str]
# The hindrances of declarations by records beside them, by number.
Hindered = Mapping[str, Sequence[Hindrance]]
DECLARED = "declarations.declared"
# The resource of an event on many declarations (AIP-159).
ALL = "declarations/-"


class Standing(NamedTuple):
    """The status in which so many receipts leave a declaration."""

    status: str
    receipts: int


class Receipt(NamedTuple):
    """A receipt as stored; times in microseconds since 1970 UTC."""

    notice_us: int
    channel_code: str
    note: str
    arrive_us: int

    @property
    def notice(self) -> tuple[str, int]:
        """The facts that move the declaration: channel code and notice time."""
        return self.channel_code, self.notice_us


def load(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, Declaration]:
    """Returns the declarations with these numbers, those that exist, by number."""
    query = sa.select(declarations).where(bulk.among(connection, declarations.c.id, set(numbers)))
    return {declaration.id: declaration for declaration in records.many(connection, query, Declaration)}


def digests(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, bytes]:
    """Returns the content digests of those declarations that exist, by number."""
    columns = sa.select(declarations.c.id, declarations.c.digest)
    query = columns.where(bulk.among(connection, declarations.c.id, numbers))
    return {declared.id: declared.digest for declared in connection.execute(query)}


def enterprises(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, str]:
    """Returns the enterprises of these declarations, by number."""
    columns = sa.select(declarations.c.id, declarations.c.enterprise)
    query = columns.where(bulk.among(connection, declarations.c.id, numbers))
    return {declared.id: declared.enterprise for declared in connection.execute(query)}


def row(content: Content, status: str, today: datetime.date, now_us: int) -> bulk.Row:
    """Returns the row of a new declaration, in the table's order."""
    declared_on = (content.declared_on or today).isoformat()
    head, money, body = content[:6], content[7:9], content[9:11]
    return (
        *head,
        declared_on,
        *money,
        status,
        *body,
        1,
        content.amend_us,
        now_us,
        now_us,
        1,
        content.unified_number,
        content.search_text,
    )


def add(transaction: Transaction, rows: Sequence[bulk.Row], institutions: Mapping[str, Sequence[str]]) -> None:
    """Adds new declarations, with one event for all; `institutions`: those that may see each enterprise's."""
    if not rows:
        return
    bulk.insert(transaction.connection, declarations, rows)
    names = [f"declarations/{row[0]}" for row in rows]
    owners = {row[1] for row in rows}
    parties = owners.union(*(institutions.get(owner, ()) for owner in owners))
    transaction.append(DECLARED, ALL, declarations_pb2.DeclarationsDeclared(declarations=names), parties)


def amend(transaction: Transaction, before: Declaration, after: Declaration, hindered: Hindered) -> Declaration:
    """Saves a declaration after an amendment, with its event, and keeps its content before it."""
    version = model.superseded(before, transaction.now_us)
    records.insert(transaction.connection, declaration_versions, version)
    stored = records.update(transaction.connection, declarations, after)
    _tell(transaction, "declaration.amended", [stored], hindered)
    return stored


def versions_at(connection: sa.Connection, numbers: Iterable[str], at_us: int) -> dict[str, Version]:
    """Returns the contents of declarations at a time, of those that were amended since, by number."""
    rows = declaration_versions
    query = sa.select(rows).where(bulk.among(connection, rows.c.declaration, numbers), rows.c.until_us > at_us)
    versions = records.many(connection, query.order_by(rows.c.declaration, rows.c.version.desc()), Version)
    return {version.declaration: version for version in versions}


class Source(NamedTuple):
    """The table of declarations or its like, and conditions that tell which of its rows count."""

    rows: Any
    more: Callable[[Any], Sequence[Any]] = lambda _rows: ()


PRESENT = (Source(declarations),)


def at(at_us: int) -> Sequence[Source]:
    """Returns all declarations that existed at a time as they were then: two sources whose rows add up.

    Those whose content still stands are found by the table's own indexes, those amended since by the versions'.
    """
    versions = declaration_versions
    then = sa.and_(versions.c.since_us <= at_us, versions.c.until_us > at_us)
    columns = [column for column in declarations.c if column.name != "status"]
    there = sa.select(*columns, _status(declarations.c.id, at_us))
    return (
        Source(
            there.subquery(),
            lambda rows: [rows.c.create_us <= at_us, ~sa.exists().where(versions.c.declaration == rows.c.id, then)],
        ),
        Source(sa.select(*map(_of_version, columns), _status(versions.c.declaration, at_us)).where(then).subquery()),
    )


def _of_version(column: sa.Column[Any]) -> Any:
    """Returns a column of declarations as a version has it; a missing one is looked up only for rows that are shown."""
    rows, versions = declarations, declaration_versions
    if column.name == "id":
        return versions.c.declaration.label("id")
    if column.name in versions.c:
        # A computed column: the versions' key isn't the key of these rows.
        return sa.cast(versions.c[column.name], column.type).label(column.name)
    return sa.select(column).where(rows.c.id == versions.c.declaration).scalar_subquery().label(column.name)


def _status(number: sa.Column[str], at_us: int) -> Any:
    """Returns the status in which the receipts that had arrived left a declaration."""
    arrived = sa.select(receipts.c.status).where(receipts.c.declaration == number, receipts.c.arrive_us <= at_us)
    newest = arrived.order_by(receipts.c.receipts.desc()).limit(1).scalar_subquery()
    return sa.func.coalesce(newest, STATUS_WITHOUT_RECEIPTS).label("status")


def receipts_of(connection: sa.Connection, numbers: Iterable[str]) -> dict[str, list[Receipt]]:
    """Returns the receipts of each declaration, by notice time."""
    rows = receipts
    columns = (rows.c.declaration, *(rows.c[name] for name in Receipt._fields))
    query = sa.select(*columns).where(bulk.among(connection, rows.c.declaration, numbers))
    by_declaration: dict[str, list[Receipt]] = {}
    for number, *fields in connection.execute(
        query.order_by(rows.c.declaration, rows.c.notice_us, rows.c.channel_code)
    ):
        by_declaration.setdefault(number, []).append(Receipt(*fields))
    return by_declaration


def add_receipts(transaction: Transaction, notes: Mapping[Key, str], standings: Mapping[str, Standing]) -> None:
    """Adds new receipts by declaration, notice time and channel code, with their notes and the status after them."""
    rows = [(*key, note, transaction.now_us, *standings[key[0]]) for key, note in notes.items()]
    bulk.insert(transaction.connection, receipts, rows)


def save_status(transaction: Transaction, moved: Sequence[Declaration], hindered: Hindered) -> None:
    """Saves declarations that receipts moved, with their events. Raises Conflict if one changed meanwhile."""
    if not moved:
        return
    rows = declarations
    statement = (
        sa.update(rows)
        .where(rows.c.id == sa.bindparam("key"), rows.c.revision == sa.bindparam("known"))
        .values(status=sa.bindparam("new_status"), revision=rows.c.revision + 1)
    )
    values = [
        {"key": declaration.id, "known": declaration.revision, "new_status": declaration.status}
        for declaration in moved
    ]
    if transaction.connection.execute(statement, values).rowcount != len(values):
        raise Conflict("declarations")
    _tell(transaction, "declaration.status_changed", moved, hindered)


def _tell(transaction: Transaction, event: str, changed: Sequence[Declaration], hindered: Hindered) -> None:
    """Tells the enterprises and the institutions that they let see."""
    owners = {declaration.enterprise for declaration in changed}
    institutions = consent_store.institutions(transaction.connection, owners, transaction.now_us)
    for declaration in changed:
        parties = [declaration.enterprise, *institutions.get(declaration.enterprise, ())]
        message = rpc.to_proto(declaration, transaction.business_date, hindrances=hindered.get(declaration.id, ()))
        transaction.append(event, declaration.name, message, parties)
