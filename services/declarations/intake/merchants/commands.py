"""Adopts documents of merchants that are registered after them: they become their enterprise's.

A registration only notes the code; a sweep adopts the documents, a batch at a time, however many there are.
"""

from collections.abc import Iterable, Mapping, Sequence

from aval.declarations.v1 import records_pb2, retail_pb2

from chassis.clock import MICROSECONDS
from chassis.command import Transaction
from services.declarations.assets.pool import commands as pool_commands
from services.declarations.intake.merchants import store
from services.declarations.intake.merchants.store import TABLES, Orphan
from services.declarations.window.records import enterprises as records_enterprises
from services.declarations.window.records.model import Record
from services.declarations.window.retail.list import store as list_store

ADOPTED = "retail_documents.adopted"
# The resource of an event on many documents (AIP-159).
ALL = "retailDocuments/-"
AT_ONCE = 500
# A batch that was under way when the registration came may still store a document without its enterprise.
WATCH_SECONDS = 60


def expect(transaction: Transaction, changed: Sequence[tuple[Record, records_pb2.EnterpriseRegistration]]) -> None:
    """Notes that enterprises were registered: documents of theirs may have come before."""
    store.expect(transaction.connection, (content.customs_code for _, content in changed), transaction.now_us)


def adopt(transaction: Transaction) -> bool:
    """Gives documents of merchants that are registered by now their enterprise. Returns whether more may be left."""
    expected = store.expected(transaction.connection, AT_ONCE)
    if not expected:
        return False
    # A code may have gone from its enterprise again.
    enterprises = records_enterprises.enterprise_of(transaction.connection, expected)
    if not any(_orphans(transaction, enterprises).values()):
        return _end(transaction, expected)
    # A command with documents of these merchants waits; the orphans are looked up again under their locks.
    list_store.lock(transaction, enterprises)
    adopted = _adopt(transaction, _orphans(transaction, enterprises), enterprises)
    changed = list(list_store.load(transaction.connection, adopted["retailLists"]).values())
    pool_commands.follow(transaction, changed)
    list_store.tell(transaction, changed)
    _tell(transaction, adopted)
    return True


def _orphans(transaction: Transaction, codes: Iterable[str]) -> dict[str, list[Orphan]]:
    """Returns the orphans of merchants, by collection."""
    return {name: store.orphans(transaction.connection, table, codes, AT_ONCE) for name, table in TABLES.items()}


def _adopt(
    transaction: Transaction, orphans: Mapping[str, Sequence[Orphan]], enterprises: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Gives each document its enterprise; returns the enterprise of each by its id, by collection."""
    adopted = {
        name: {orphan.id: enterprises[orphan.merchant_code] for orphan in of_collection}
        for name, of_collection in orphans.items()
    }
    for name, owners in adopted.items():
        store.adopt(transaction.connection, TABLES[name], owners)
    return adopted


def _tell(transaction: Transaction, adopted: Mapping[str, Mapping[str, str]]) -> None:
    """Appends one event an enterprise and batch."""
    for enterprise in sorted({owner for owners in adopted.values() for owner in owners.values()}):
        names = {
            name: [f"{name}/{identifier}" for identifier, owner in owners.items() if owner == enterprise]
            for name, owners in adopted.items()
        }
        payload = retail_pb2.RetailDocumentsAdopted(
            enterprise=enterprise,
            orders=names["retailOrders"],
            lists=names["retailLists"],
            summaries=names["retailSummaries"],
        )
        transaction.append(ADOPTED, ALL, payload, [enterprise])


def _end(transaction: Transaction, expected: Mapping[str, int]) -> bool:
    """Ends the watch on merchants without orphans. Returns whether others may be due."""
    latest = transaction.now_us - WATCH_SECONDS * MICROSECONDS
    over = [code for code, expect_us in expected.items() if expect_us <= latest]
    if over:
        store.end(transaction.connection, over)
    return len(over) == AT_ONCE
