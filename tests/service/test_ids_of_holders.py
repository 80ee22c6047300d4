"""Whoever gives an encumbrance or a registration its id gives it to its own: nobody occupies or probes another's."""

import dataclasses
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from chassis import command
from chassis.errors import DomainError
from chassis.identity import Caller, service_caller
from chassis.ids import OWNED, derived, owned
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.store import encumbrances
from tests.service.register_world import BANK, BANKS, COVER, EXPORTER, INSURER, OTHER, World

LOANS = service_caller("loans", f"{BANKS[0]}/tao", BANKS[0])
THIEVES = (OTHER, BANK, COVER, Caller(f"{BANKS[0]}/tao", BANKS[0], frozenset({"BANK_CHECKER"})))


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    made.consent(*BANKS, INSURER)
    yield made
    assert made.violations() == []
    made.store.close()


def release(identifier: str) -> Any:
    return pb.ReleaseEncumbranceRequest(name=f"encumbrances/{identifier}")


@pytest.mark.parametrize("thief", THIEVES, ids=lambda thief: thief.principal)
def test_nobody_buries_an_id_that_a_loan_will_use(world: World, thief: Caller) -> None:
    """Not by a release before the reservation, nor by a reservation, alone or in a batch."""
    asset, identifier = world.declared(), derived("loans/loan-x", "encumbrance")
    world.call("ReleaseEncumbrance", release(identifier), thief)
    small = world.reservation(world.declared(), 1, asset_class="INSURANCE" if thief is COVER else "RECEIVABLE")
    small.encumbrance_id = derived("loans/loan-y", "encumbrance")
    batch = pb.BatchReserveEncumbrancesRequest(requests=[small])
    assert world.call("BatchReserveEncumbrances", batch, thief).verdicts[0].HasField("encumbrance")
    for loan in "xy":
        request = world.reservation(asset, 1000)
        request.encumbrance_id = derived(f"loans/loan-{loan}", "encumbrance")
        made = world.call("ReserveEncumbrance", request, LOANS)
        assert made.name == f"encumbrances/{request.encumbrance_id}"


@pytest.mark.parametrize("thief", THIEVES[:1] + THIEVES[2:3], ids=lambda thief: thief.principal)
def test_what_is_anothers_is_answered_like_what_isnt(world: World, thief: Caller) -> None:
    asset = world.declared()
    saga = world.reservation(asset, 1000)
    saga.encumbrance_id = derived("loans/loan-x", "encumbrance")
    world.call("ReserveEncumbrance", saga, LOANS)
    given = world.reservation(asset, 1000)
    kept = world.call("ReserveEncumbrance", given, BANK).name.removeprefix("encumbrances/")
    answers = []
    for identifier in (saga.encumbrance_id, given.encumbrance_id, kept, str(uuid.uuid4())):
        for method, request in (
            ("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=f"encumbrances/{identifier}")),
            ("ReleaseEncumbrance", release(identifier)),
            ("ReleaseEncumbrance", release(identifier)),
        ):
            (outcome,) = world.submit((method, request, thief))
            told = outcome.text("en") if isinstance(outcome, DomainError) else str(outcome)
            name = str(getattr(outcome, "name", "")).removeprefix("encumbrances/")
            answers.append((method, told.replace(identifier, "ID").replace(name or identifier, "ID")))
    assert len(set(answers)) == 2
    assert world.state(f"encumbrances/{kept}") == "RESERVED"
    assert world.state(f"encumbrances/{saga.encumbrance_id}") == "RESERVED"


def test_two_holders_use_the_same_id(world: World) -> None:
    asset, identifier = world.declared(), str(uuid.uuid4())
    names = []
    for holder in (BANK, OTHER):
        request = world.reservation(asset, 1000, pari_passu=True)
        request.encumbrance_id = identifier
        names.append(world.call("ReserveEncumbrance", request, holder).name)
        request.request_id = ""
        assert world.call("ReserveEncumbrance", request, holder).name == names[-1]
    assert len(set(names)) == 2
    by_id = f"encumbrances/{identifier}"
    world.call("ReleaseEncumbrance", release(identifier), OTHER)
    assert [world.state(names[0]), world.state(names[1], OTHER)] == ["RESERVED", "RELEASED"]
    assert world.encumbrance(by_id, BANK).name == names[0]
    assert world.encumbrance(by_id, OTHER).name == names[1]
    # The enterprise, whose value it is, knows them by their names.
    assert world.encumbrance(names[1], EXPORTER).holder == BANKS[1]


@pytest.mark.parametrize("form", ["given", "upper case", "told"])
def test_a_holder_names_its_own_by_the_id_it_gave_or_the_name_it_was_told(world: World, form: str) -> None:
    request = world.reservation(world.declared(), 1000)
    identifier = request.encumbrance_id
    if form == "upper case":
        request.encumbrance_id = identifier.upper()
    made = world.call("ReserveEncumbrance", request, BANK)
    name = made.name if form == "told" else f"encumbrances/{identifier}"
    assert world.call("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=name), BANK).name == made.name
    assert world.release(name).name == made.name
    request.request_id = ""
    assert world.call("ReserveEncumbrance", request, BANK).state == pb.Encumbrance.RELEASED


def test_a_late_reservation_finds_the_holders_own_tombstone(world: World) -> None:
    request = world.reservation(world.declared(), 1000)
    world.call("ReleaseEncumbrance", release(request.encumbrance_id), BANK)
    assert world.refused("ReserveEncumbrance", request, BANK).reason == "ENCUMBRANCE_RELEASED"
    assert world.call("ReserveEncumbrance", request, OTHER).state == pb.Encumbrance.RESERVED


def test_what_stands_from_before_goes_on_under_its_very_id(world: World) -> None:
    request = world.reservation(world.declared(), 1000)
    identifier = request.encumbrance_id
    # A service's encumbrance is kept as every one was: under the id that it was given.
    before = service_caller("loans", BANK.principal, BANK.tenant)
    world.call("ReserveEncumbrance", request, before)
    with world.store.read() as connection:
        assert connection.execute(sa.select(encumbrances.c.id)).scalar() == identifier
        assert encumbrance_store.named(connection, OTHER, [identifier]) == {}
    request.request_id = ""
    assert world.call("ReserveEncumbrance", request, BANK).name == f"encumbrances/{identifier}"
    world.call("ConfirmEncumbrance", pb.ConfirmEncumbranceRequest(name=f"encumbrances/{identifier}"), BANK)
    other = world.reservation(request.encumbrance.items[0].asset, 5)
    other.encumbrance_id = identifier
    assert world.refused("ReserveEncumbrance", other, BANK).reason == "ENCUMBRANCE_ID_TAKEN"


def test_nobody_uses_up_the_request_ids_of_a_service_that_acts_for_it(world: World) -> None:
    """A saga's request ids follow from names; whoever it acts for may know them."""
    asset, request_id = world.declared(), derived("loans/loan-x", "reserve value", 0)
    person = Caller(LOANS.principal, LOANS.tenant, frozenset({"BANK_SYSTEM"}))
    mine, sagas = world.reservation(asset, 10), world.reservation(asset, 1000)
    mine.request_id = sagas.request_id = request_id
    world.call("ReserveEncumbrance", mine, person)
    world.call("ReserveEncumbrance", sagas, LOANS)
    insurance = dataclasses.replace(LOANS, service="credit_insurance")
    third = world.reservation(asset, 20)
    third.request_id = request_id
    assert world.call("ReserveEncumbrance", third, insurance).items[0].amount.minor_units == 20
    third.encumbrance.items[0].amount.minor_units += 1
    assert world.refused("ReserveEncumbrance", third, insurance).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize("caller", [BANK, LOANS], ids=["a bank", "a service"])
def test_a_request_answered_before_ids_were_kept_apart_is_answered_again(
    world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = world.reservation(world.declared(), 1000)
    with monkeypatch.context() as before:
        before.setattr(command.Submission, "key", command.Submission.earlier_key)
        before.setattr(command.Submission, "digest_purpose", command.EARLIER_PURPOSE)
        first = world.call("ReserveEncumbrance", request, caller)
    confirm = pb.ConfirmEncumbranceRequest(name=first.name)
    world.call("ConfirmEncumbrance", confirm, caller)
    assert world.call("ReserveEncumbrance", request, caller) == first
    request.encumbrance.items[0].amount.minor_units += 1
    (outcome,) = world.submit(("ReserveEncumbrance", request, caller))
    assert isinstance(outcome, DomainError)


def test_an_outsiders_answer_is_never_a_services(world: World) -> None:
    """The same content under the same id, by the person a service acts for: the service's own is done."""
    request = world.reservation(world.declared(), 1000, pari_passu=True)
    person = Caller(LOANS.principal, LOANS.tenant, frozenset({"BANK_SYSTEM"}))
    mine = world.call("ReserveEncumbrance", request, person)
    theirs = world.call("ReserveEncumbrance", request, LOANS)
    assert mine.name != theirs.name == f"encumbrances/{request.encumbrance_id}"


@given(st.uuids(), st.sampled_from(BANKS), st.sampled_from(BANKS))
def test_ids_of_different_owners_differ(identifier: uuid.UUID, name: str, other: str) -> None:
    kept = owned(name, str(identifier))
    assert (kept == owned(other, str(identifier).upper())) == (name == other)
    assert kept not in (str(identifier), derived(name, identifier))
    assert kept == str(uuid.uuid5(OWNED, f"{name}/{identifier}"))
