"""Every list can be walked row by row, and a token is of its own query only."""

from typing import Any

import pytest

from chassis.contracts import contract
from chassis.identity import Caller
from cli.stores import SERVICES
from tests.conformance import examples
from tests.conformance.examples import GETS, MUTATIONS, REFERENCE, Key
from tests.conformance.world import CAST, World

LISTS = [
    (service.name, read)
    for service in SERVICES
    for read in service.reads
    if read.startswith("List") and (service.name, read) not in REFERENCE
]
# What gives a list another row.
ANOTHER = {
    "ListDeclarations": "BatchCreateDeclarations",
    "ListDrafts": "BatchCreateDeclarations",
    "ListRetailOrders": "BatchCreateRetailDocuments",
    "ListRetailLists": "BatchCreateRetailDocuments",
    "ListRetailSummaries": "BatchCreateRetailDocuments",
    "ListPools": "CreatePool",
    "ListPoolMovements": "ApplyPoolSettlement",
    "ListConsents": "CreateConsent",
    "ListEncumbrances": "ReserveEncumbrance",
    "ListSavedFilters": "CreateSavedFilter",
    "ListBreaches": "ProposeBreachResolution",
    "ListPreShipments": "CreatePreShipment",
    "ListRebates": "CreateRebate",
    "ListDisclosures": "ReserveEncumbrance",
    "ListRefusedDocuments": "ResendDocument",
    "ListRegistrations": "RegisterDocuments",
    "ListRecords": "BatchCreateRecords",
    "ListBillPayments": "PayBill",
    "ListAccounts": "OpenAccount",
    "ListTransfers": "CreateTransfer",
    "ListIncomingPayments": "ImportPayment",
    "ListOutgoingPayments": "CreateOutgoingPayment",
    "ListPolicies": "CreatePolicy",
    "ListBuyerLimits": "RequestBuyerLimit",
    "ListCoveredShipments": "CreateCoveredShipment",
    "ListApplications": "CreateApplication",
    "ListOffers": "ApproveOffer",
    "ListLoans": "AcceptOffer",
}


def request_of(world: World, key: Key) -> Any:
    """The list's request."""
    kind = contract(key[0]).request(key[1])
    return GETS[key].request(world, kind) if key in GETS else kind()


def rows_of(answer: Any) -> list[str]:
    """The rows of a page by their names; what they say may change while they are walked."""
    (rows,) = [value for field, value in answer.ListFields() if field.is_repeated] or [[]]
    return [row.transfer_id if hasattr(row, "transfer_id") else row.name for row in rows]


def reader(key: Key) -> Caller:
    """Returns the caller that reads a list: the exporter's bank has more accounts."""
    return CAST["BANK_MAKER"] if key[1] == "ListAccounts" else examples.reader(key)


async def walk(world: World, key: Key) -> list[str]:
    """All rows, one a page."""
    request, rows = request_of(world, key), []
    request.page_size = 1
    while True:
        answer = await world.call(*key, request, reader(key))
        page = rows_of(answer)
        assert len(page) <= 1
        rows += page
        if not answer.next_page_token:
            return rows
        request.page_token = answer.next_page_token


async def grow(world: World, key: Key) -> None:
    """Gives a list another row, where that is no matter of time."""
    if key[1] == "ListNotifications":
        await world.payment_through()
    elif key[1] in ANOTHER:
        another = (key[0], ANOTHER[key[1]])
        caller, request = await MUTATIONS[another](world)
        await world.call(*another, request, caller)


@pytest.mark.parametrize("key", LISTS, ids=".".join)
async def test_pages_of_one_walk_all_without_repeats(world: World, key: Key) -> None:
    for _ in range(2):
        await grow(world, key)
    request = request_of(world, key)
    request.page_size = 500
    answer = await world.call(*key, request, reader(key))
    rows = await walk(world, key)
    assert len(rows) >= 2
    assert rows == rows_of(answer)
    assert len(set(rows)) == len(rows)


async def token_of(world: World, key: Key) -> str:
    """The token of a list's second page; a list of one row gets more."""
    first = request_of(world, key)
    first.page_size = 1
    for _ in range(3):
        if token := (await world.call(*key, first, reader(key))).next_page_token:
            return str(token)
        await grow(world, key)
    raise AssertionError(f"{key} has one page only")


@pytest.mark.parametrize("key", LISTS, ids=".".join)
async def test_a_token_of_another_query_is_refused(world: World, key: Key) -> None:
    request = request_of(world, key)
    for other in [pair for pair in LISTS if pair != key][:3]:
        token = await token_of(world, other)
        for foreign in (token, "bm90IG91cnM=", "%"):
            request.page_token = foreign
            refusal = await world.refused(*key, request, reader(key))
            assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN"), (other, foreign)
