"""The quantity that declarations take of a permit together, over real ports at two processes, both databases."""

import asyncio
import itertools
import json
import pathlib
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, records_pb2
from google.protobuf import json_format
from google.type import date_pb2, decimal_pb2

from chassis import testing
from chassis.clock import MICROSECONDS, SystemClock
from chassis.database import Database
from chassis.identity import Caller
from chassis.money import Money, to_proto
from chassis.status import RemoteError
from services.declarations.service import SERVICE
from services.declarations.window.eligibility import permit_uses, permits
from services.declarations.window.eligibility import store as eligibility_store
from tests.service.retail_lists_world import RetailRegister
from tests.support import Stores

PERMIT = pathlib.Path(__file__).parent.parent / "fixtures" / "records" / "permit.jsonl"
ENTERPRISES = [f"enterprises/{code}" for code in ("91411023MAXY00112A", "91410105MAXY002277", "914403001922038216")]
HOUR_US = 3_600 * MICROSECONDS
TONNE, KILOGRAM, PIECE = "070", "035", "007"
SILVER = "7106911000"
IN_FORCE = records_pb2.Permit.IN_FORCE


def person(tenant: str, role: str) -> Caller:
    """Somebody of a tenant with one role."""
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True)


WINDOW, TELLER = person("windows/henan", "WINDOW"), person("banks/LMHFCNB0", "BANK_SYSTEM")


class World:
    """Two processes of the register, an exporter of controlled goods and its bank."""

    def __init__(self, platforms: Sequence[testing.Platform], enterprise: str) -> None:
        self.platforms = platforms
        self.enterprise = enterprise
        self._numbers = itertools.count(1)

    async def call(self, method: str, request: Any, caller: Caller, process: int = 0) -> Any:
        """A call at one of the processes."""
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = str(uuid.uuid4())
        return await self.platforms[process].call(SERVICE.name, method, request, caller)

    async def permit(self, tonnes: str, number: int = 0) -> None:
        """The exporter's permit of silver, in tonnes: a new one, or another version of that number."""
        row = json_format.ParseDict(
            json.loads(PERMIT.read_text(encoding="utf-8").splitlines()[0]), records_pb2.Record()
        )
        row.enterprise = self.enterprise
        row.permit.permit_number = f"26-AA-{number or next(self._numbers):06}"
        row.notice_time.FromMicroseconds(SystemClock().now_us())
        row.permit.commodity_codes[:] = ["7106"]
        row.permit.quantity.value, row.permit.unit = tonnes, TONNE
        request = declarations_pb2.BatchCreateRecordsRequest(records=[row])
        (verdict,) = (await self.call("BatchCreateRecords", request, WINDOW)).verdicts
        assert verdict.outcome == verdict.ACCEPTED, verdict

    def number(self) -> str:
        """A declaration's number that nothing else has."""
        return f"4601{2020 + ENTERPRISES.index(self.enterprise)}{next(self._numbers):010}"

    def row(self, number: str, quantity: str, unit: str, day: int = 2) -> declarations_pb2.Declaration:
        """An export of so much silver."""
        total = to_proto(Money("USD", int(quantity) * 100))
        row = declarations_pb2.Declaration(
            declaration_number=number,
            enterprise=self.enterprise,
            trade_mode="0110",
            transport_mode="2",
            destination_country="USA",
            export_date=date_pb2.Date(year=2026, month=11, day=day),
            declared_value=total,
        )
        row.lines.add(
            line_number=1,
            commodity_code=SILVER,
            goods_name="SILVER",
            quantity=decimal_pb2.Decimal(value=quantity),
            unit_price=decimal_pb2.Decimal(value="1"),
            unit=unit,
            total=total,
            origin_country="CHN",
        )
        return row

    async def send(self, row: declarations_pb2.Declaration, process: int = 0) -> str:
        """A declaration that is accepted; its name."""
        request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        (verdict,) = (await self.call("BatchCreateDeclarations", request, WINDOW, process)).verdicts
        assert verdict.outcome == verdict.ACCEPTED, verdict
        return str(verdict.resource)

    async def receipts(self, number: str, codes: str, process: int = 0, first_hour: int = 0) -> None:
        """Receipts an hour after another."""
        request = declarations_pb2.BatchCreateReceiptsRequest()
        for hour, code in enumerate(codes, start=first_hour):
            receipt = request.receipts.add(declaration_number=number, channel_code=code)
            receipt.notice_time.FromSeconds(1_793_600_000 + hour * 3600)
        await self.call("BatchCreateReceipts", request, WINDOW, process)

    async def declare(self, quantity: str, unit: str = KILOGRAM, process: int = 0, codes: str = "LPR") -> str:
        """A declaration with final evidence: what holds it back is a permit."""
        number = self.number()
        await self.receipts(number, codes, process)
        return await self.send(self.row(number, quantity, unit), process)

    async def amend(self, name: str, quantity: str, day: int = 2) -> None:
        """Another quantity, or day of exit."""
        row = self.row(name.removeprefix("declarations/"), quantity, KILOGRAM, day)
        row.amend_time.FromSeconds(1_793_700_000 + next(self._numbers))
        await self.send(row)

    async def reasons(self, name: str, **asked: Any) -> list[Any]:
        """Returns what holds finance back."""
        request = declarations_pb2.GetDeclarationRequest(name=name, **asked)
        found = await self.call("GetDeclaration", request, TELLER)
        return list(found.eligibility.reasons)

    async def hindered(self, *names: str) -> list[str]:
        """Those of the declarations that take more than is left."""
        found = {name: [reason.reason for reason in await self.reasons(name)] for name in names}
        assert all(reasons in ([], ["PERMIT_QUANTITY_EXCEEDED"]) for reasons in found.values()), found
        return [name for name, reasons in found.items() if reasons]

    async def finance(self, name: str, process: int = 0) -> str:
        """Reserves and confirms for the bank; returns the state, or the reason of the refusal."""
        encumbrance = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", reference="loans/1")
        encumbrance.items.add(asset=name, amount=to_proto(Money("USD", 100)))
        request = declarations_pb2.ReserveEncumbranceRequest(encumbrance_id=str(uuid.uuid4()), encumbrance=encumbrance)
        reserved = await self.call("ReserveEncumbrance", request, TELLER, process)
        confirm = declarations_pb2.ConfirmEncumbranceRequest(name=reserved.name)
        try:
            await self.call("ConfirmEncumbrance", confirm, TELLER, process)
        except RemoteError as refusal:
            return refusal.reason
        return "CONFIRMED"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def platforms(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[testing.Platform]]:
    folder: pathlib.Path = tmp_path_factory.mktemp("permits")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    found = [testing.Platform(folder, database, [SERVICE]) for _ in range(2)]
    for platform in found:
        await platform.start()
    yield found
    with found[0].nodes[SERVICE.name].store.read() as connection:
        assert SERVICE.violations(connection) == []
    for platform in found:
        await platform.stop()


async def world(platforms: list[testing.Platform], index: int) -> World:
    """An exporter of its own that lets the bank see."""
    made = World(platforms, ENTERPRISES[index])
    consent = declarations_pb2.Consent(institution=TELLER.tenant, purpose="finance")
    consent.expire_time.FromMicroseconds(SystemClock().now_us() + 24 * HOUR_US)
    request = declarations_pb2.CreateConsentRequest(consent=consent)
    await made.call("CreateConsent", request, person(made.enterprise, "EXPORTER"))
    return made


async def test_a_third_declaration_gets_no_more_than_a_permit_has(platforms: list[testing.Platform]) -> None:
    silver = await world(platforms, 0)
    await silver.permit(tonnes="100")
    first, second = await silver.declare("50000"), await silver.declare("50", TONNE)
    third = await silver.declare("50000")
    assert await silver.hindered(first, second, third) == [third]
    (reason,) = await silver.reasons(third)
    assert "50 of SILVER" in reason.message
    assert "0 of 100 tonne" in reason.message
    verify = records_pb2.VerifyPermitsRequest(declaration=third)
    assert (await silver.call("VerifyPermits", verify, TELLER)).verdict == records_pb2.VerifyPermitsResponse.INVALID
    assert [await silver.finance(name) for name in (first, third)] == ["CONFIRMED", "VALUE_NOT_ELIGIBLE"]
    before = (
        await silver.call("GetDeclaration", declarations_pb2.GetDeclarationRequest(name=third), TELLER)
    ).create_time

    # An amendment gives back, and what it takes again comes after the others.
    await silver.amend(second, "30000")
    fourth = await silver.declare("20000")
    assert await silver.hindered(first, second, third, fourth) == [third]
    await silver.amend(second, "30001")
    assert await silver.hindered(first, second, third, fourth) == [second, third]
    await silver.amend(second, "30000")
    assert await silver.hindered(first, second, third, fourth) == [third]
    # On another day it may need another permit: it is served after who waited.
    await silver.amend(first, "50000", day=3)
    assert await silver.hindered(first, second, third, fourth) == [first]
    assert await silver.finance(third) == "CONFIRMED"
    assert [entry.reason for entry in await silver.reasons(third, as_of=before)] == ["PERMIT_QUANTITY_EXCEEDED"]
    # A permit that is lowered keeps those who came first; one that comes later serves who waits.
    await silver.permit(tonnes="10", number=1)
    assert await silver.hindered(first, second, third, fourth) == [first, second, third, fourth]
    await silver.permit(tonnes="80")
    assert await silver.hindered(first, second, third, fourth) == [first, second]


async def test_what_is_cancelled_gives_back_and_comes_last_when_it_comes_again(
    platforms: list[testing.Platform],
) -> None:
    silver = await world(platforms, 1)
    await silver.permit(tonnes="100")
    first = await silver.declare("50000", codes="L")
    second, third = [await silver.declare("50000") for _ in range(2)]
    assert await silver.hindered(second, third) == [third]
    number = first.removeprefix("declarations/")
    await silver.receipts(number, "E", first_hour=5)
    assert await silver.hindered(second, third) == []
    assert await silver.finance(third) == "CONFIRMED"
    await silver.receipts(number, "LPR", first_hour=7)
    assert await silver.hindered(first, second, third) == [first]
    await silver.receipts(second.removeprefix("declarations/"), "D", first_hour=5)
    assert await silver.hindered(first, third) == []
    assert await silver.finance(first) == "CONFIRMED"
    # What receipts made void before it came takes nothing; goods in another unit can't be told.
    gone = silver.number()
    await silver.receipts(gone, "LD")
    await silver.send(silver.row(gone, "50000", KILOGRAM))
    assert await silver.hindered(first, third) == []
    pieces = await silver.declare("5", PIECE)
    assert [entry.reason for entry in await silver.reasons(pieces)] == ["PERMIT_UNIT_DIFFERS"]


async def test_of_many_at_once_exactly_as_many_are_financed_as_the_permit_covers(
    platforms: list[testing.Platform],
) -> None:
    """U1: twelve declarations at two processes need 50 of 200 tonnes each: four are financed."""
    silver = await world(platforms, 2)
    await silver.permit(tonnes="200")

    async def declare_and_finance(index: int) -> str:
        name = await silver.declare("50000", process=index % 2)
        return await silver.finance(name, process=(index + 1) % 2)

    found = Counter(await asyncio.gather(*map(declare_and_finance, range(12))))
    assert found == {"CONFIRMED": 4, "VALUE_NOT_ELIGIBLE": 8}


class Chance:
    """An exporter to whom anything happens: declarations, amendments, receipts and permits in any order."""

    def __init__(self, database: Database, seed: int) -> None:
        self.chance = random.Random(seed)
        self.register = RetailRegister(database)
        self.declared: dict[str, int] = {}
        self.permits: dict[int, records_pb2.Permit] = {}
        self.steps = 0

    def declare(self) -> None:
        """A declaration, whose receipts may come before it."""
        number = f"46012026{len(self.declared) + 1:010}"
        self.declared[number] = 0
        if self.chance.random() < 0.2:
            self.say(number)
        self.send(number)

    def amend(self) -> None:
        """Another quantity, or another day."""
        if self.declared:
            number = self.chance.choice(list(self.declared))
            self.declared[number] += 1
            self.send(number)

    def send(self, number: str) -> None:
        """Declares, or amends what was declared."""
        quantity = self.chance.choice(["10", "40", "60"])
        row = World([], ENTERPRISES[0]).row(number, quantity, TONNE, self.chance.choice([2, 3, 25]))
        if self.declared[number]:
            row.amend_time.FromSeconds(1_793_700_000 + self.declared[number])
        request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        (verdict,) = self.register.call("BatchCreateDeclarations", request).verdicts
        assert verdict.outcome == verdict.ACCEPTED, verdict

    def say(self, number: str = "") -> None:
        """A receipt of any of them: released, rejected or deleted."""
        if number or self.declared:
            request = declarations_pb2.BatchCreateReceiptsRequest()
            number = number or self.chance.choice(list(self.declared))
            receipt = request.receipts.add(declaration_number=number, channel_code=self.chance.choice("LEELD"))
            receipt.notice_time.FromSeconds(1_793_600_000 + self.steps)
            self.register.call("BatchCreateReceipts", request)

    def permit(self) -> None:
        """A new permit, or a change of one: what it has, whether it is in force, until when."""
        number = self.chance.randrange(3)
        row = json_format.ParseDict(
            json.loads(PERMIT.read_text(encoding="utf-8").splitlines()[0]), records_pb2.Record()
        )
        row.permit.permit_number, row.permit.commodity_codes[:] = f"P{number}", ["7106"]
        row.permit.quantity.value, row.permit.unit = self.chance.choice(["50", "100", "150"]), TONNE
        row.permit.status = self.chance.choice(
            [IN_FORCE, IN_FORCE, IN_FORCE, records_pb2.Permit.SUSPENDED, records_pb2.Permit.USED_UP]
        )
        row.permit.valid_to.CopyFrom(date_pb2.Date(year=2026, month=11, day=self.chance.choice([10, 30])))
        row.notice_time.FromSeconds(1_793_600_000 + self.steps)
        self.register.call("BatchCreateRecords", declarations_pb2.BatchCreateRecordsRequest(records=[row]))

    def step(self) -> None:
        """Anything."""
        self.steps += 1
        self.register.now_us += 1_000_000
        self.chance.choice([self.declare, self.declare, self.amend, self.say, self.permit])()

    def left_waiting(self) -> list[str]:
        """Declarations that wait though a permit has room for them."""
        with self.register.database.read() as connection:
            theirs = permit_uses.held(connection, [ENTERPRISES[0]]).get(ENTERPRISES[0], {})
            waiting = eligibility_store.waiting_uses(connection, [ENTERPRISES[0]])
            taken = permit_uses.taken(connection, {ENTERPRISES[0]: theirs})
        return [use.declaration for use in waiting if use.day and permits.assign(use, theirs, dict(taken), use.day)]


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_permits_bear_what_is_taken_and_nobody_waits_beside_room(store: Stores, seed: int) -> None:
    """U1: at random steps no permit bears more than its quantity, and nobody waits while there is room."""
    world = Chance(store("declarations", SERVICE.migrations), seed)
    for _ in range(5):
        for _ in range(10):
            world.step()
            assert world.left_waiting() == []
        assert world.register.violations() == []
    assert len(world.declared) > 10
