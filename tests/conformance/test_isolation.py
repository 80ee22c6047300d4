"""Others' things don't exist for a stranger: not to be read, not to be listed, not to be changed."""

import re
from collections.abc import Callable
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
# Whoever releases what it has nothing under, another's or nobody's, leaves a tombstone among its own.
BURIES = {"ReleaseEncumbrance"}
# Parties, not resources: they are no secret.
PARTIES = ("enterprises/", "banks/", "insurers/", "enterprise/")
NAME = re.compile(r"[a-zA-Z]+/[A-Za-z0-9-]{8,64}")


def roles_of(key: Key) -> frozenset[str]:
    """The roles that a method is open to."""
    return identity.policy_of(contract(key[0]).method(key[1])).roles


VERBS = [key for key in MUTATIONS if roles_of(key) & {*STRANGERS} and key[1] not in OWN | BATCHES | BURIES]


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
    """Returns the fields that an answer tells; up to when the platform has counted isn't anybody's."""
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


def _names(message: Any) -> set[str]:
    """The names of resources that a request refers to."""
    found: set[str] = set()
    for field, value in message.ListFields():
        for name in value if field.is_repeated else [value]:
            if field.message_type:
                found |= _names(name)
            elif isinstance(name, str) and NAME.fullmatch(name) and not name.startswith(PARTIES):
                found.add(name)
    return found


def _renamed(request: Any) -> tuple[Any, Callable[[str], str]]:
    """The same request about what doesn't exist, and what makes texts about either alike."""
    raw, names = request.SerializeToString(), _names(request)
    # Of the same length and letters, so that the bytes stay a message and the fields stay valid.
    unknown = {name: name[:-4] + ("7373" if name[-4:] != "7373" else "3737") for name in names}
    for name, other in unknown.items():
        raw = raw.replace(name.encode(), other.encode())

    def same(text: str) -> str:
        for known in sorted({*unknown, *unknown.values()}, key=len, reverse=True):
            text = text.replace(known, "NAME").replace(known.split("/", 1)[1], "ID")
        return text

    return type(request).FromString(raw), same


async def _answer(world: World, key: Key, request: Any, caller: Any) -> tuple[str, ...]:
    """Returns what a stranger learns from a call."""
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = identifier()
    refusal = await world.refused(*key, request, caller)
    return refusal.code, refusal.reason, refusal.message


@pytest.mark.parametrize("key", [*GETS, *VERBS], ids=".".join)
async def test_what_is_anothers_is_refused_like_what_doesnt_exist(world: World, key: Key) -> None:
    if key in GETS:
        request = GETS[key].request(world, contract(key[0]).request(key[1]))
    else:
        _, request = await MUTATIONS[key](world)
    unknown, same = _renamed(request)
    for role in sorted(roles_of(key) & {*STRANGERS}):
        known, nobodys = [await _answer(world, key, entry, STRANGERS[role]) for entry in (request, unknown)]
        assert [*map(same, known)] == [*map(same, nobodys)], role


async def test_a_stranger_who_releases_leaves_a_tombstone_of_its_own(world: World) -> None:
    caller, request = await MUTATIONS["declarations", "ReleaseEncumbrance"](world)
    stranger = person("banks/TOMBCNB0", "BANK_SYSTEM")
    unknown, same = _renamed(request)
    answers = []
    for entry in (request, unknown):
        entry.request_id, entry.etag = identifier(), ""
        made = await world.call("declarations", "ReleaseEncumbrance", entry, stranger)
        answers.append(same(str(made).replace(made.name, "OWN")))
    assert answers[0] == answers[1]
    request.request_id = identifier()
    assert (await world.call("declarations", "ReleaseEncumbrance", request, caller)).items
