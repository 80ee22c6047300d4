"""What is others' doesn't exist for a stranger: not to be read, not to be listed, not to be changed."""

from typing import Any

import pytest

from chassis import identity
from chassis.contracts import contract
from cli.stores import SERVICES
from tests.conformance.examples import GETS, MUTATIONS, QUERIES, REFERENCE, Key, reader
from tests.conformance.world import CAST, STRANGERS, World, identifier, person

LISTS = [
    (service.name, read)
    for service in SERVICES
    for read in service.reads
    if read.startswith("List") and (service.name, read) not in REFERENCE
]
UNKNOWN = {("NOT_FOUND", "NOT_FOUND"), ("NOT_FOUND", "DECLARATION_NOT_FOUND"), ("PERMISSION_DENIED", "CONSENT_MISSING")}
# A pacs.008 for an account that the calling bank doesn't keep, and a transfer between such accounts, are wrong by
# their content; the ledger says that there is no such account.
OTHERWISE = {
    "ImportPayment": {("INVALID_ARGUMENT", "INVALID_FIELDS")},
    "CreateTransfer": {("FAILED_PRECONDITION", "LEDGER_REFUSED")},
}
# These refer to nothing that is another's: what they make is the caller's own. A declaration that an application
# names is judged by the register when its value is reserved. Batches answer with a verdict for each row.
OWN = {"CreateConsent", "CreateSavedFilter", "OpenAccount", "CreatePolicy", "CreateApplication", "CreatePool"}
BATCHES = {"BatchReserveEncumbrances", "BatchCreateTransfers", "BatchCreateRecords"}


def roles_of(key: Key) -> frozenset[str]:
    """The roles that a method is open to."""
    return identity.policy_of(contract(key[0]).method(key[1])).roles


VERBS = [key for key in MUTATIONS if roles_of(key) & {*STRANGERS} and key[1] not in OWN | BATCHES]


def test_every_read_is_tried() -> None:
    reads = {(service.name, read) for service in SERVICES for read in service.reads}
    assert reads == {*GETS, *LISTS, *QUERIES, *REFERENCE}


@pytest.mark.parametrize("key", GETS, ids=".".join)
async def test_a_stranger_reads_nothing(world: World, key: Key) -> None:
    request = GETS[key].request(world, contract(key[0]).request(key[1]))
    assert (await world.call(*key, request, reader(key))).ListFields()
    for role in sorted(roles_of(key) & {*STRANGERS}):
        refusal = await world.refused(*key, request, STRANGERS[role])
        assert (refusal.code, refusal.reason) in UNKNOWN, role


def told(answer: Any) -> list[str]:
    """What an answer tells; up to when the platform has counted isn't anybody's."""
    return [field.name for field, _ in answer.ListFields() if field.name != "as_of_time"]


@pytest.mark.parametrize("key", LISTS, ids=".".join)
async def test_a_stranger_lists_nothing(world: World, key: Key) -> None:
    request = contract(key[0]).request(key[1])()
    if key in GETS:
        return
    seen = {role: await world.call(*key, request, CAST[role]) for role in roles_of(key)}
    assert any(map(told, seen.values()))
    for role in sorted(roles_of(key) & {*STRANGERS}):
        assert not told(await world.call(*key, request, STRANGERS[role])), role


@pytest.mark.parametrize("key", QUERIES, ids=".".join)
async def test_a_stranger_is_told_nothing(world: World, key: Key) -> None:
    request = contract(key[0]).request(key[1])(**QUERIES[key])
    for role in sorted(roles_of(key)):
        assert told(await world.call(*key, request, CAST[role])), role
    for role in sorted(roles_of(key) & {*STRANGERS}):
        assert not told(await world.call(*key, request, STRANGERS[role])), role


@pytest.mark.parametrize("key", VERBS, ids=".".join)
async def test_a_stranger_changes_nothing(world: World, key: Key) -> None:
    caller, request = await MUTATIONS[key](world)
    for role in sorted(roles_of(key) & {*STRANGERS}):
        refusal = await world.refused(*key, request, STRANGERS[role])
        assert (refusal.code, refusal.reason) in OTHERWISE.get(key[1], UNKNOWN), role
    # Nothing of it is left behind: the owner's own request goes through.
    request.request_id = identifier()
    await world.call(*key, request, caller)


async def test_a_strangers_rows_in_a_batch_are_refused_one_by_one(world: World) -> None:
    # Of its own, since a batch's outcome is told to whoever sent it.
    stranger = person("banks/BTCHCNB0", "BANK_SYSTEM")
    _, request = await MUTATIONS["declarations", "BatchReserveEncumbrances"](world)
    (verdict,) = (await world.call("declarations", "BatchReserveEncumbrances", request, stranger)).verdicts
    assert (verdict.problem.reason, verdict.HasField("available")) == ("CONSENT_MISSING", False)
    _, request = await MUTATIONS["settlement", "BatchCreateTransfers"](world)
    (refused,) = (await world.call("settlement", "BatchCreateTransfers", request, stranger)).verdicts
    assert refused.result == "DEBIT_ACCOUNT_NOT_FOUND"
