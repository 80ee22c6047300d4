"""An institution sees nothing without a standing consent, not even what exists; what it sees is written down."""

import dataclasses
import pathlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import (
    consent_pb2,
    declarations_pb2,
    personal_pb2,
    pool_pb2,
    pre_shipment_pb2,
    rebate_pb2,
)
from google.type import date_pb2

from chassis.clock import SystemClock
from chassis.identity import Caller
from chassis.money import Money, to_proto
from chassis.status import RemoteError
from ledger.tables import accounts
from services.declarations.privacy.consent import model as consent_model
from services.declarations.privacy.consent import store as consent_store
from services.declarations.privacy.consent.model import USUAL_PURPOSES, Consent, Purpose, State
from services.declarations.privacy.consent.store import consents
from tests.service.consent_world import (
    BANK,
    ENTERPRISE,
    EXPORTER,
    INSURER,
    OTHER_BANK,
    RIVAL,
    STRANGER,
    VALUE,
    WINDOW,
    Register,
    reservation,
    running,
)

NOTHING = "declarations/460120269999999999"
PERSON = personal_pb2.Person(part="BUYER", name="Zhao")


@pytest.fixture
async def register(database_url: str, tmp_path: pathlib.Path) -> AsyncIterator[Register]:
    async with running(tmp_path, database_url) as found:
        yield found


def get(name: str) -> Any:
    """For one declaration."""
    return declarations_pb2.GetDeclarationRequest(name=name)


def reserve(name: str, asset_class: str = "RECEIVABLE") -> Any:
    """A fresh reservation."""
    return reservation(name, str(uuid.uuid4()), asset_class)


def persons(name: str) -> Any:
    """For a document's persons."""
    return personal_pb2.GetPersonalDataRequest(name=name, reason="why not")


async def reason(register: Register, method: str, request: Any, caller: Caller) -> str:
    """Why a call is refused; empty where it isn't."""
    try:
        await register.call(method, request, caller)
    except RemoteError as refusal:
        return refusal.reason
    return ""


@pytest.mark.parametrize(
    ("method", "ask"), [("GetDeclaration", get), ("ReserveEncumbrance", reserve), ("GetPersonalData", persons)]
)
async def test_probing_tells_nothing(register: Register, method: str, ask: Any) -> None:
    """PD3: without consent, with another exporter's only, and after it ended, what exists answers like what doesn't."""
    (name,) = await register.declare(register.row(PERSON))
    (others,) = await register.declare(register.row(PERSON, enterprise=RIVAL))

    async def answers() -> list[Any]:
        return [await register.refused(method, ask(text), BANK) for text in (name, others, NOTHING)]

    first = await answers()
    assert first == [first[0]] * 3
    assert b"CONSENT_MISSING" in first[0][1]
    consent = await register.consent(BANK, *(purpose.value for purpose in Purpose))
    assert await register.refused(method, ask(others), BANK) == await register.refused(method, ask(NOTHING), BANK)
    await register.call(method, ask(name), BANK)
    await register.revoke(consent)
    assert await answers() == first


async def test_a_batch_tells_nothing_either(register: Register) -> None:
    (name,) = await register.declare(register.row())
    rows = [reserve(name), reserve(NOTHING)]
    for row in rows:
        row.request_id = str(uuid.uuid4())
    batch = declarations_pb2.BatchReserveEncumbrancesRequest(requests=rows)
    known, unknown = (await register.call("BatchReserveEncumbrances", batch, BANK)).verdicts
    assert known == unknown
    assert (known.problem.reason, known.HasField("available")) == ("CONSENT_MISSING", False)


async def test_one_missing_consent_refuses_the_whole_reservation(register: Register) -> None:
    (name,) = await register.declare(register.row())
    await register.consent(BANK)
    request = reserve(name)
    request.encumbrance.items.add(asset=NOTHING).amount.CopyFrom(request.encumbrance.items[0].amount)
    assert await reason(register, "ReserveEncumbrance", request, BANK) == "CONSENT_MISSING"
    assert await register.disclosures() == []


async def test_a_consent_is_for_its_purposes(register: Register) -> None:
    (name,) = await register.declare(register.row(PERSON))
    tried = (
        (Purpose.FINANCING, "ReserveEncumbrance", [reserve(name), reserve(name)], BANK),
        (Purpose.INSURANCE, "ReserveEncumbrance", [reserve(name, "INSURANCE"), reserve(name, "INSURANCE")], INSURER),
        (Purpose.PERSONAL_DATA, "GetPersonalData", [persons(name), persons(name)], OTHER_BANK),
    )
    for purpose, method, (early, late), caller in tried:
        others = [other.value for other in Purpose if other is not purpose]
        narrow = await register.consent(caller, *others)
        assert {*map(consent_pb2.ConsentPurpose.Name, narrow.purposes)} == {*others}
        # It lets see, but not do this.
        assert await reason(register, "GetDeclaration", get(name), caller) == ""
        assert await reason(register, method, early, caller) == "CONSENT_MISSING"
        await register.consent(caller, purpose.value)
        assert await reason(register, method, late, caller) == ""


async def test_who_names_no_purpose_consents_to_all_but_persons(register: Register) -> None:
    (name,) = await register.declare(register.row(PERSON))
    consent = await register.consent(BANK)
    assert tuple(map(consent_pb2.ConsentPurpose.Name, consent.purposes)) == tuple(
        purpose.value for purpose in USUAL_PURPOSES
    )
    assert await reason(register, "ReserveEncumbrance", reserve(name), BANK) == ""
    assert await reason(register, "GetPersonalData", persons(name), BANK) == "CONSENT_MISSING"


async def test_a_consent_ends_with_its_time(register: Register) -> None:
    (name,) = await register.declare(register.row())
    consent = await register.consent(BANK)
    assert await reason(register, "GetDeclaration", get(name), BANK) == ""
    with register.store.write() as connection:
        connection.execute(sa.update(consents).values(expire_us=SystemClock().now_us()))
    assert await reason(register, "GetDeclaration", get(name), BANK) == "CONSENT_MISSING"
    consent.expire_time.Clear()
    (listed,) = (await register.call("ListConsents", declarations_pb2.ListConsentsRequest(), BANK)).consents
    listed.expire_time.Clear()
    assert listed == consent


async def test_everything_an_institution_learns_is_written_down(register: Register) -> None:
    """PD4: each read, reservation and event of another's data is in the enterprise's disclosures."""
    await register.consent(OTHER_BANK)
    names = await register.declare(register.row(PERSON), register.row())
    name = names[0]
    consent = await register.consent(BANK, "FINANCING", "PERSONAL_DATA")
    await register.call("GetDeclaration", get(name), BANK)
    await register.call("ListDeclarations", declarations_pb2.ListDeclarationsRequest(), BANK)
    await register.call("ReserveEncumbrance", reserve(name), BANK)
    await register.call("GetPersonalData", persons(name), BANK)
    # What tells nobody else's data, or was refused, is none.
    await register.call("GetDeclaration", get(name), EXPORTER)
    await register.call("GetDeclaration", get(name), WINDOW)
    await register.call("ListEncumbrances", declarations_pb2.ListEncumbrancesRequest(), BANK)
    await register.refused("ReserveEncumbrance", reserve(NOTHING), BANK)
    told = await register.disclosures()
    financing, of_persons = consent_pb2.FINANCING, consent_pb2.PERSONAL_DATA
    assert [(entry.method, list(entry.resources), list(entry.purposes), entry.reason) for entry in told] == [
        ("GetDeclaration", [name], [financing, of_persons], ""),
        ("ListDeclarations", names[::-1], [financing, of_persons], ""),
        ("ReserveEncumbrance", [name], [financing], ""),
        ("GetPersonalData", [name], [of_persons], "why not"),
    ]
    assert {(entry.enterprise, entry.reader, entry.consent) for entry in told} == {
        (ENTERPRISE, BANK.tenant, consent.name)
    }
    assert all(entry.create_time.ToMicroseconds() for entry in told)
    # The events that it is told, too: what came in after a consent.
    seen = {event.resource for event in await register.watch(OTHER_BANK)}
    watched = await register.disclosures(OTHER_BANK.tenant)
    assert {*names} < seen
    assert {entry.method for entry in watched} == {"Watch"}
    assert {resource for entry in watched for resource in entry.resources} == {*names}


async def test_a_replay_is_the_same_look_and_a_new_one_is_written_down(register: Register) -> None:
    await register.consent(OTHER_BANK)
    (first,) = await register.declare(register.row())

    async def watched() -> list[str]:
        return [name for entry in await register.disclosures(OTHER_BANK.tenant) for name in entry.resources]

    for _ in range(3):
        assert first in {event.resource for event in await register.watch(OTHER_BANK)}
    assert await watched() == [first]
    (second,) = await register.declare(register.row())
    another = dataclasses.replace(OTHER_BANK, principal=f"{OTHER_BANK.tenant}/another")
    for reader in (OTHER_BANK, another, another):
        await register.watch(reader)
    told = await watched()
    # What is new, and all of it for whoever didn't see it yet.
    assert sorted(told) == sorted([first, second, first, second])
    # Only streams repeat themselves: each other read is a look of its own.
    for _ in range(2):
        await register.call("GetDeclaration", get(first), OTHER_BANK)
    assert len(await watched()) == len(told) + 2


async def test_disclosures_are_the_enterprises_own(register: Register) -> None:
    (name,) = await register.declare(register.row())
    for institution in (BANK, OTHER_BANK):
        await register.consent(institution)
        await register.call("GetDeclaration", get(name), institution)
    assert [entry.reader for entry in await register.disclosures()] == [BANK.tenant, OTHER_BANK.tenant]
    assert [entry.reader for entry in await register.disclosures(OTHER_BANK.tenant)] == [OTHER_BANK.tenant]
    none = await register.call("ListDisclosures", consent_pb2.ListDisclosuresRequest(), STRANGER)
    assert not none.disclosures
    assert await reason(register, "ListDisclosures", consent_pb2.ListDisclosuresRequest(), BANK) == "ACCESS_DENIED"


async def test_what_cant_be_written_down_isnt_told(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    """PD4: a read whose disclosure can't be kept fails; the enterprise's own read needs none."""
    (name,) = await register.declare(register.row())
    await register.consent(BANK)

    def broken(*_arguments: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(consent_store, "add_disclosures", broken)
    assert await reason(register, "GetDeclaration", get(name), BANK) == "INTERNAL"
    assert await reason(register, "GetDeclaration", get(name), EXPORTER) == ""


def test_the_consent_that_lasts_longest_is_named() -> None:
    def consent(identifier: str, expire_us: int, *purposes: Purpose) -> Consent:
        return Consent(
            id=identifier,
            enterprise=ENTERPRISE,
            institution=BANK.tenant,
            purpose="",
            expire_us=expire_us,
            state=State.ACTIVE,
            revision=1,
            create_us=0,
            purposes=purposes or None,
        )

    given = [consent("a", 5), consent("b", 9, Purpose.FINANCING), consent("c", 7)]
    assert consent_model.granting(given, None)[ENTERPRISE].id == "b"
    assert consent_model.granting(given, Purpose.INSURANCE)[ENTERPRISE].id == "c"
    assert consent_model.granting(given, Purpose.PERSONAL_DATA) == {}


def order_of(register: Register) -> Any:
    """An order of the exporter's."""
    order = pre_shipment_pb2.PreShipment(
        enterprise=ENTERPRISE,
        kind="ORDER",
        contract_number=f"PO-{uuid.uuid4().hex[:8]}",
        amount=VALUE,
        expire_date=date_pb2.Date(year=2027, month=6, day=30),
    )
    return pre_shipment_pb2.CreatePreShipmentRequest(pre_shipment=order)


def rebate_of(declaration: str) -> Any:
    """Returns a rebate that is expected for a declaration."""
    rebate = rebate_pb2.Rebate(enterprise=ENTERPRISE, declaration=declaration, amount=to_proto(Money("CNY", 1_000_00)))
    return rebate_pb2.CreateRebateRequest(rebate=rebate)


def pool_of() -> Any:
    """A pool for whoever finances it."""
    pool = pool_pb2.Pool(display_name="small", currency_code="CNY", trade_modes=["9610"])
    return pool_pb2.CreatePoolRequest(pool=pool)


async def test_no_event_is_told_after_the_consent_and_each_before_is_written_down(register: Register) -> None:
    (name,) = await register.declare(register.row())
    consent = await register.consent(BANK)
    (status,) = await register.declare(register.row())
    made = {
        status,
        (await register.call("CreatePreShipment", order_of(register), EXPORTER)).name,
        (await register.call("CreateRebate", rebate_of(name), WINDOW)).name,
        (await register.call("CreatePool", pool_of(), EXPORTER)).name,
    }
    assert made < {event.resource for event in await register.watch(BANK)}
    watched = await register.disclosures(BANK.tenant)
    assert {resource for entry in watched for resource in entry.resources} == made
    await register.revoke(consent)
    assert {event.resource for event in await register.watch(BANK)} == {consent.name}
    assert made <= {event.resource for event in await register.watch(EXPORTER)}


async def test_finance_before_shipment_needs_consent_to_financing_and_is_written_down(register: Register) -> None:
    (name,) = await register.declare(register.row())
    others = [other.value for other in Purpose if other is not Purpose.FINANCING]
    await register.consent(BANK, *others)
    order = await register.call("CreatePreShipment", order_of(register), EXPORTER)
    link = pre_shipment_pb2.LinkPreShipmentRequest(name=order.name, declaration=name)
    nothing = pre_shipment_pb2.LinkPreShipmentRequest(name=f"preShipments/{uuid.uuid4()}", declaration=name)
    refused = [
        await register.refused("CreatePreShipment", order_of(register), BANK),
        await register.refused("LinkPreShipment", link, BANK),
        await register.refused("LinkPreShipment", nothing, BANK),
    ]
    assert len(set(refused)) == 1
    assert await reason(register, "LinkPreShipment", nothing, BANK) == "CONSENT_MISSING"
    assert await reason(register, "LinkPreShipment", link, STRANGER) == "NOT_FOUND"
    await register.consent(BANK, Purpose.FINANCING.value)
    own = await register.call("CreatePreShipment", order_of(register), BANK)
    await register.call(
        "LinkPreShipment", pre_shipment_pb2.LinkPreShipmentRequest(name=order.name, declaration=name), BANK
    )
    told = [
        (entry.method, list(entry.resources), list(entry.purposes)) for entry in await register.disclosures(BANK.tenant)
    ]
    assert told == [
        ("CreatePreShipment", [own.name], [consent_pb2.FINANCING]),
        ("LinkPreShipment", [order.name], [consent_pb2.FINANCING]),
    ]


async def test_who_may_not_reserve_leaves_nothing_behind(register: Register) -> None:
    """Nor does it take longer for what exists: no account is opened that tells the first asker by its time."""
    (name,) = await register.declare(register.row())
    await register.consent(OTHER_BANK, *(other.value for other in Purpose if other is not Purpose.FINANCING))

    def opened() -> int:
        with register.store.read() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(accounts)).scalar_one())

    before = opened()
    for caller in (BANK, OTHER_BANK):
        assert await reason(register, "ReserveEncumbrance", reserve(name), caller) == "CONSENT_MISSING"
    assert opened() == before
    await register.consent(BANK)
    assert await reason(register, "ReserveEncumbrance", reserve(name), BANK) == ""
    assert opened() > before


async def test_no_institution_is_told_which_other_registered_an_order(register: Register) -> None:
    """PD5: another bank sees the order without its registrant, in answers and in events."""
    for caller in (BANK, OTHER_BANK):
        await register.consent(caller)
    made = await register.call("CreatePreShipment", order_of(register), BANK)
    request = pre_shipment_pb2.GetPreShipmentRequest(name=made.name)
    readers = (BANK, OTHER_BANK, EXPORTER)
    told = {caller.tenant: await register.call("GetPreShipment", request, caller) for caller in readers}
    assert {tenant: entry.registrant for tenant, entry in told.items()} == {
        BANK.tenant: BANK.tenant,
        OTHER_BANK.tenant: "",
        ENTERPRISE: BANK.tenant,
    }
    (event,) = [event for event in await register.watch(OTHER_BANK) if event.resource == made.name]
    assert BANK.tenant.encode() not in event.SerializeToString()
