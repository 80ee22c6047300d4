"""Records beside the declarations over real ports: every kind, its writer and readers, what it does to finance."""

import asyncio
import datetime
import json
import pathlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, rebate_pb2, records_pb2, retail_pb2
from aval.events.v1 import events_pb2
from aval.settlement.v1 import settlement_pb2
from aval.type.v1 import derivation_pb2
from google.protobuf import json_format
from stdnum.cn import uscc

from chassis import tasks, testing
from chassis.clock import MICROSECONDS, SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import derived
from chassis.money import Money, to_proto
from chassis.rpc import date
from chassis.status import RemoteError
from services.declarations.privacy import callers
from services.declarations.service import SERVICE as DECLARATIONS
from services.declarations.window.bill.store import bills
from services.declarations.window.records import enterprises
from services.declarations.window.records import kinds as records_kinds
from services.declarations.window.records.store import record_versions
from services.settlement.service import SERVICE as SETTLEMENT
from trade.calendars import day_in_china

FIXTURES = pathlib.Path(__file__).parent.parent / "fixtures" / "records"
ENTERPRISE, RIVAL = "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
BANK, STRANGE_BANK = "banks/LMHFCNB0", "banks/THIRCNB0"
PATIENCE_SECONDS = 20
HOUR_US = 3_600 * MICROSECONDS


def person(tenant: str, role: str) -> Caller:
    """Somebody of a tenant with one role."""
    return Caller(f"{tenant}/{role.lower()}", tenant, frozenset({role}), second_factor=True)


WINDOW, OTHER_WINDOW = person("windows/henan", "WINDOW"), person("windows/other", "WINDOW")
EXPORTER, STRANGER = person(ENTERPRISE, "EXPORTER"), person(RIVAL, "EXPORTER")
TELLER, STRANGE_TELLER = person(BANK, "BANK_SYSTEM"), person(STRANGE_BANK, "BANK_SYSTEM")
WRITERS = {callers.WINDOW: WINDOW, records_kinds.EXPORTER: EXPORTER}


class World:
    """The two services, and what the tests do with them."""

    def __init__(self, platform: testing.Platform) -> None:
        self.platform = platform
        self._requests = 0
        self._numbers = 0

    async def call(self, method: str, request: Any, caller: Caller, service: str = DECLARATIONS.name) -> Any:
        """A call at the door."""
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            self._requests += 1
            request.request_id = derived("test", id(self), self._requests)
        return await self.platform.call(service, method, request, caller)

    async def refused(self, method: str, request: Any, caller: Caller, service: str = DECLARATIONS.name) -> str:
        """The reason of a refusal."""
        with pytest.raises(RemoteError) as refusal:
            await self.call(method, request, caller, service)
        return refusal.value.reason

    async def write(self, *rows: records_pb2.Record, by: Caller = WINDOW) -> list[Any]:
        """The verdicts on rows."""
        request = declarations_pb2.BatchCreateRecordsRequest(records=rows)
        return list((await self.call("BatchCreateRecords", request, by)).verdicts)

    async def taken(self, row: records_pb2.Record, by: Caller = WINDOW) -> str:
        """The name of a record that is accepted."""
        (verdict,) = await self.write(row, by=by)
        assert verdict.outcome == verdict.ACCEPTED, verdict
        return str(verdict.resource)

    async def get(self, name: str, caller: Caller = WINDOW, **asked: Any) -> Any:
        """A record."""
        return await self.call("GetRecord", records_pb2.GetRecordRequest(name=name, **asked), caller)

    async def page(self, caller: Caller, **asked: Any) -> list[Any]:
        """The first page of records."""
        return list((await self.call("ListRecords", records_pb2.ListRecordsRequest(**asked), caller)).records)

    def fresh(self, noun: str) -> str:
        """A number that nothing else has."""
        self._numbers += 1
        return f"{noun}{self._numbers:06}"

    async def declare(self, commodity_code: str = "6704200000", **said: Any) -> str:
        """A declaration with final evidence, unless a record hinders it."""
        self._numbers += 1
        total = to_proto(Money("USD", 100_000_00))
        line = declarations_pb2.DeclarationLine(
            line_number=1,
            commodity_code=commodity_code,
            goods_name="GOODS",
            quantity={"value": "1"},
            unit_price={"value": "100000"},
            unit="035",
            total=total,
            origin_country="CHN",
        )
        row = declarations_pb2.Declaration(
            declaration_number=f"46012026{self._numbers:010}",
            enterprise=ENTERPRISE,
            trade_mode="0110",
            transport_mode="2",
            destination_country="USA",
            export_date={"year": 2026, "month": 11, "day": 2},
            declared_value=total,
            lines=[line],
        )
        row.MergeFrom(declarations_pb2.Declaration(**said))
        request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        (verdict,) = (await self.call("BatchCreateDeclarations", request, WINDOW)).verdicts
        assert verdict.outcome == verdict.ACCEPTED, verdict
        receipts = declarations_pb2.BatchCreateReceiptsRequest()
        for hour, code in enumerate("LPR"):
            receipt = receipts.receipts.add(declaration_number=row.declaration_number, channel_code=code)
            receipt.notice_time.FromSeconds(1_793_600_000 + hour * 3600)
        await self.call("BatchCreateReceipts", receipts, WINDOW)
        return str(verdict.resource)

    async def declaration(self, name: str) -> Any:
        """A declaration as its enterprise sees it."""
        return await self.call("GetDeclaration", declarations_pb2.GetDeclarationRequest(name=name), EXPORTER)

    async def eligibility(self, declaration: str, caller: Caller = TELLER, **asked: Any) -> tuple[str, list[str]]:
        """Returns the verdict on financing a declaration, and the reasons."""
        request = declarations_pb2.GetDeclarationRequest(name=declaration, **asked)
        found = (await self.call("GetDeclaration", request, caller)).eligibility
        return found.Verdict.Name(found.verdict), [reason.reason for reason in found.reasons]

    async def reserve(self, declaration: str) -> Any:
        """A reservation of the bank's."""
        encumbrance = declarations_pb2.Encumbrance(asset_class="RECEIVABLE", reference=self.fresh("loans/"))
        encumbrance.items.add(asset=declaration, amount=to_proto(Money("USD", 1_000_00)))
        request = declarations_pb2.ReserveEncumbranceRequest(
            encumbrance_id=derived(declaration, encumbrance.reference), encumbrance=encumbrance
        )
        return await self.call("ReserveEncumbrance", request, TELLER)

    async def rebate(self, declaration: str) -> int:
        """Returns what the rebate of a declaration is worth."""
        found = await self.call("ListRebates", rebate_pb2.ListRebatesRequest(page_size=500), EXPORTER)
        (rebate,) = [entry for entry in found.rebates if entry.declaration == declaration]
        return int(rebate.amount.minor_units)

    async def consent(self, bank: str) -> None:
        """The exporter lets a bank see."""
        consent = declarations_pb2.Consent(institution=bank, purpose="finance")
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + 24 * HOUR_US)
        await self.call("CreateConsent", declarations_pb2.CreateConsentRequest(consent=consent), EXPORTER)

    async def account(self, owner: str, kind: str, currency: str = "CNY") -> Any:
        """An account at the bank."""
        account = settlement_pb2.Account(owner=owner, currency_code=currency, kind=kind)
        request = settlement_pb2.OpenAccountRequest(account=account)
        return await self.call("OpenAccount", request, TELLER, SETTLEMENT.name)

    async def fund(self, account: str, minor_units: int) -> None:
        """Money for an account."""
        nostro = (await self.account(BANK, "NOSTRO")).name
        transfer = settlement_pb2.Transfer(debit_account=nostro, credit_account=account)
        transfer.amount.CopyFrom(to_proto(Money("CNY", minor_units)))
        await self.call(
            "CreateTransfer", settlement_pb2.CreateTransferRequest(transfer=transfer), TELLER, SETTLEMENT.name
        )

    async def pay(self, bill: str, account: str, payer: Caller = EXPORTER) -> Any:
        """A payment of a bill on its way."""
        payment = settlement_pb2.BillPayment(bill=bill, debit_account=account)
        return await self.call("PayBill", settlement_pb2.PayBillRequest(payment=payment), payer, SETTLEMENT.name)

    async def paid(self, payment: Any, payer: Caller = EXPORTER) -> tuple[str, str]:
        """The state and reason that a payment comes to."""
        get = settlement_pb2.GetBillPaymentRequest(name=payment.name)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = await self.call("GetBillPayment", get, payer, SETTLEMENT.name)
            state = found.State.Name(found.state)
            if state in ("PAID", "REFUSED"):
                return state, found.reason
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.01)

    async def balance(self, account: str, owner: Caller = TELLER) -> int:
        """Returns the booked balance."""
        request = settlement_pb2.GetAccountRequest(name=account)
        return int((await self.call("GetAccount", request, owner, SETTLEMENT.name)).posted.minor_units)

    async def told(self, caller: Caller, resource: str) -> list[str]:
        """The types of a resource's events that a caller sees."""
        metadata = [(ASSERTION_KEY, self.platform.signer.assertion(caller, DECLARATIONS.name, SystemClock().now_us()))]
        stream = self.platform.channels[DECLARATIONS.name].unary_stream(contract(DECLARATIONS.name).path("Watch"))
        request = events_pb2.WatchRequest(resource=resource, until_end=True).SerializeToString()
        answers = stream(request, metadata=metadata, timeout=PATIENCE_SECONDS)
        return [event.type async for raw in answers for event in events_pb2.WatchResponse.FromString(raw).events]

    async def explained(self, name: str, caller: Caller = EXPORTER) -> dict[str, Any]:
        """How the fields of a record came about, by field."""
        answer = await self.call("Explain", derivation_pb2.ExplainRequest(name=name), caller)
        return {explanation.field: explanation for explanation in answer.explanations}

    def reading(self) -> Any:
        """The register's store."""
        return self.platform.nodes[DECLARATIONS.name].store.read()

    def violations(self) -> list[str]:
        """Returns what verification of both services finds wrong."""
        found: list[str] = []
        for service in (DECLARATIONS, SETTLEMENT):
            with self.platform.nodes[service.name].store.read() as connection:
                found += [*service.violations(connection), *tasks.violations(connection, service.sagas)]
        return found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder: pathlib.Path = tmp_path_factory.mktemp("records")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    platform = testing.Platform(folder, database, [DECLARATIONS, SETTLEMENT])
    await platform.start()
    made = World(platform)
    await made.consent(BANK)
    yield made
    assert made.violations() == []
    await platform.stop()


def a(kind: str, index: int = 0) -> records_pb2.Record:
    """The fixture's row of a kind."""
    line = (FIXTURES / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()[index]
    return json_format.ParseDict(json.loads(line), records_pb2.Record())


# Of each kind: a field of its key, and a field that a later version changes.
FIELDS: dict[str, tuple[str, str, Any]] = {
    "enterprise_registration": ("social_credit_code", "display_name", "RENAMED"),
    "manifest": ("bill_number", "voyage_number", "0456W"),
    "permit": ("permit_number", "status", records_pb2.Permit.USED_UP),
    "bill": ("bill_number", "payee", "treasuries/4602"),
    "port_tariff": ("charge_code", "display_name", "RENAMED"),
    "rebate_status": ("application_number", "state", records_pb2.RebateStatus.ACCEPTED),
    "milestone": ("bill_number", "package_count", 7),
    "overseas_warehouse": ("warehouse_code", "town", "MOVED"),
    "stock_movement": ("movement_number", "item_number", "CORRECTED"),
    "goods_return": ("return_declaration_number", "note", "CORRECTED"),
    "hold": ("hold_number", "state", records_pb2.Hold.LIFTED),
    "mirror_declaration": ("foreign_number", "importer_name", "RENAMED"),
    "title_control": ("event_number", "holder", "CORRECTED"),
}


# Those that later versions may change.
CHANGING = [name for name, kind in records_kinds.KINDS.items() if not kind.is_final]


def unlike(kind: str, world: World) -> records_pb2.Record:
    """A row of a kind about a record of its own."""
    row = a(kind)
    key = world.fresh("K")
    if kind == "enterprise_registration":
        body = f"91411023MA{key[-6:]}X"
        key = body + uscc.calc_check_digit(body)
    if kind == "goods_return":
        key = f"460120261{int(key[1:]):09}"
    setattr(records_kinds.content_of(row), FIELDS[kind][0], key)
    row.notice_time.FromSeconds(1_800_000_000)
    return row


def changed(row: records_pb2.Record, hours: int) -> records_pb2.Record:
    """Another version, so many hours later."""
    _, field, value = FIELDS[records_kinds.kind_of(row)]
    other = records_pb2.Record()
    other.CopyFrom(row)
    setattr(records_kinds.content_of(other), field, value)
    other.notice_time.FromSeconds(row.notice_time.seconds + hours * 3600)
    return other


def value_of(record: Any) -> Any:
    """The field that versions differ in."""
    return getattr(records_kinds.content_of(record), FIELDS[records_kinds.kind_of(record)][1])


@pytest.mark.parametrize("kind", CHANGING)
async def test_of_several_versions_the_newest_by_its_writers_time_counts(world: World, kind: str) -> None:
    writer, row = WRITERS[records_kinds.KINDS[kind].writer], unlike(kind, world)
    name = await world.taken(row, writer)
    created = await world.get(name)
    (again,) = await world.write(row, by=writer)
    assert (again.outcome, again.resource) == (again.DUPLICATE, name)

    (same_time,) = await world.write(changed(row, 0), by=writer)
    assert [problem.reason for problem in same_time.problems] == ["RECORD_KNOWN_WITH_OTHER_CONTENT"]
    older, newer = changed(row, -1), changed(row, 1)
    # What was known between the two is known for ever.
    assert await world.taken(older, writer) == name
    assert value_of(await world.get(name)) == value_of(row)
    assert await world.taken(newer, writer) == name
    assert value_of(await world.get(name)) == value_of(newer)
    assert value_of(await world.get(name, as_of=created.create_time)) == value_of(row)
    assert await world.refused("GetRecord", records_pb2.GetRecordRequest(name=name, as_of={"seconds": 1}), WINDOW)
    assert (await world.get(name)).writer == writer.tenant


@pytest.mark.parametrize("kind", CHANGING)
async def test_versions_of_one_batch_are_decided_in_order(world: World, kind: str) -> None:
    writer, row = WRITERS[records_kinds.KINDS[kind].writer], unlike(kind, world)
    rows = [changed(row, 50), row, changed(row, 50), changed(row, 49)]
    verdicts = await world.write(*rows, by=writer)
    outcomes = [declarations_pb2.IntakeVerdict.Outcome.Name(verdict.outcome) for verdict in verdicts]
    assert outcomes == ["ACCEPTED", "ACCEPTED", "DUPLICATE", "ACCEPTED"]
    record = await world.get(verdicts[0].resource)
    assert (record.notice_time, value_of(record)) == (rows[0].notice_time, value_of(rows[0]))


@pytest.mark.parametrize("kind", records_kinds.KINDS)
async def test_each_kind_has_one_writer(world: World, kind: str) -> None:
    row, writer = unlike(kind, world), records_kinds.KINDS[kind].writer
    if kind == "goods_return":
        row.declaration = await world.declare()
    (other,) = (role for role in WRITERS if role != writer)
    (verdict,) = await world.write(row, by=WRITERS[other])
    assert [problem.reason for problem in verdict.problems] == ["WRITER_NOT_ALLOWED"]
    await world.write(row, by=WRITERS[writer])
    if writer == callers.WINDOW:
        (verdict,) = await world.write(changed(row, 1), by=OTHER_WINDOW)
        expected = ["RECORD_OF_ANOTHER_WRITER"]
    else:
        (verdict,) = await world.write(changed(row, 1), by=STRANGER)
        expected = ["ENTERPRISE_NOT_YOURS"]
    assert [problem.reason for problem in verdict.problems] == expected


@pytest.mark.parametrize("kind", records_kinds.KINDS)
async def test_who_sees_a_record(world: World, kind: str) -> None:
    row = unlike(kind, world)
    if kind in ("hold", "rebate_status", "goods_return"):
        row.declaration = await world.declare()
    elif kind == "mirror_declaration":
        row.enterprise = ENTERPRISE
    elif kind == "enterprise_registration":
        row.enterprise_registration.social_credit_code = ENTERPRISE.removeprefix("enterprises/")
    (verdict,) = await world.write(row, by=WRITERS[records_kinds.KINDS[kind].writer])
    name, is_public = verdict.resource, records_kinds.KINDS[kind].is_public
    for caller in (WINDOW, EXPORTER, TELLER):
        assert (await world.get(name, caller)).name == name
        assert name in [entry.name for entry in await world.page(caller, kind=kind, page_size=500)]
    for caller in (STRANGER, STRANGE_TELLER):
        listed = [entry.name for entry in await world.page(caller, kind=kind, page_size=500)]
        assert (name in listed) is is_public
        if not is_public:
            expected = "NOT_FOUND" if caller is STRANGER else "CONSENT_MISSING"
            assert await world.refused("GetRecord", records_pb2.GetRecordRequest(name=name), caller) == expected
    if not is_public:
        assert name in [
            entry.name for entry in await world.page(WINDOW, enterprise=ENTERPRISE, kind=kind, page_size=500)
        ]
        assert await world.page(STRANGER, enterprise=ENTERPRISE, kind=kind) == []


async def test_rows_are_refused_one_by_one_with_all_their_problems(world: World) -> None:
    broken, nothing, sound = a("permit"), records_pb2.Record(), unlike("permit", world)
    broken.permit.commodity_codes[:] = ["x"]
    broken.enterprise = "enterprises/short"
    verdicts = await world.write(broken, nothing, sound)
    assert [verdict.document_id for verdict in verdicts] == ["0", "1", "2"]
    assert {problem.path for problem in verdicts[0].problems} == {"permit.commodity_codes[0]", "enterprise"}
    assert {problem.path for problem in verdicts[1].problems} == {"content", "notice_time"}
    assert verdicts[2].outcome == verdicts[2].ACCEPTED


async def test_a_record_takes_its_enterprise_from_its_declaration(world: World) -> None:
    row = unlike("hold", world)
    row.declaration = await world.declare()
    assert (await world.get(await world.taken(row))).enterprise == ENTERPRISE
    wrong = unlike("hold", world)
    wrong.declaration, wrong.enterprise = row.declaration, RIVAL
    (verdict,) = await world.write(wrong)
    assert [problem.reason for problem in verdict.problems] == ["ENTERPRISE_DIFFERS"]
    movement = unlike("stock_movement", world)
    movement.declaration, movement.enterprise = row.declaration, RIVAL
    (verdict,) = await world.write(movement, by=STRANGER)
    assert [problem.reason for problem in verdict.problems] == ["DECLARATION_NOT_YOURS"]


async def test_pages_follow_one_another_and_lists_know_what_was_known(world: World) -> None:
    subject = f"ports/CN{world.fresh('')[-3:]}"
    rows = [unlike("port_tariff", world) for _ in range(5)]
    for row in rows:
        row.port_tariff.port = subject.removeprefix("ports/")
    names = [verdict.resource for verdict in await world.write(*rows)]
    before = (await world.get(names[0])).create_time
    request, seen = records_pb2.ListRecordsRequest(subject=subject, page_size=2), []
    while True:
        page = await world.call("ListRecords", request, STRANGER)
        seen += [record.name for record in page.records]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert sorted(seen) == sorted(names)
    later = changed(rows[0], 1)
    await world.taken(later)
    assert {value_of(entry) for entry in await world.page(STRANGER, subject=subject, as_of=before)} == {
        value_of(rows[0])
    }
    assert value_of(later) in {value_of(entry) for entry in await world.page(STRANGER, subject=subject)}


async def test_one_event_tells_an_enterprise_of_a_batch(world: World) -> None:
    before = (await world.told(EXPORTER, "records/-")).count("milestone.recorded")
    await world.write(*(unlike("milestone", world) for _ in range(3)))
    after = (await world.told(EXPORTER, "records/-")).count("milestone.recorded")
    assert after == before + 1
    assert "milestone.recorded" not in await world.told(STRANGER, "records/-")


async def test_the_registry_knows_whose_customs_code_it_is(world: World) -> None:
    row = a("enterprise_registration")
    row.notice_time.FromSeconds(1_900_000_000)
    await world.write(row)
    with world.reading() as connection:
        found = enterprises.enterprise_of(connection, ["4110960123", "9999999999"])
        assert found == {"4110960123": ENTERPRISE}
        assert enterprises.enterprise_of(connection, []) == {}
    # A merchant of cross-border e-commerce may name itself by that code.
    order = retail_pb2.RetailOrder(
        direction="EXPORT",
        order_number=world.fresh("ORDER"),
        platform_code="4101W6000A",
        merchant_code="4110960123",
        goods_value=to_proto(Money("USD", 100_00)),
        envelope={"change": "NEW"},
    )
    entry, price = {"value": "1"}, {"value": "100"}
    order.lines.add(
        line_number=1, goods_name="WIGS", quantity=entry, unit_price=price, total=to_proto(Money("USD", 100_00))
    )
    documents = [retail_pb2.RetailDocument(order=order)]
    request = declarations_pb2.BatchCreateRetailDocumentsRequest(documents=documents)
    (verdict,) = (await world.call("BatchCreateRetailDocuments", request, WINDOW)).verdicts
    get = retail_pb2.GetRetailOrderRequest(name=verdict.resource)
    assert (await world.call("GetRetailOrder", get, EXPORTER)).enterprise == ENTERPRISE


async def test_expected_rebates_add_up_until_they_are_paid(world: World) -> None:
    declaration = await world.declare()
    first, second = unlike("rebate_status", world), unlike("rebate_status", world)
    for row in (first, second):
        row.declaration = declaration
        await world.taken(row)

    async def expected() -> Any:
        ask = records_pb2.GetEvidenceRequest(declaration=declaration)
        found = await world.call("GetEvidence", ask, TELLER)
        rebate = await world.call("GetRebate", rebate_pb2.GetRebateRequest(name=found.rebate), EXPORTER)
        assert rebate.declaration == declaration
        return found.expected_rebate.minor_units if found.HasField("expected_rebate") else None

    assert await expected() == 186_000_00
    assert await world.rebate(declaration) == 186_000_00
    refused = changed(second, 1)
    refused.rebate_status.state = records_pb2.RebateStatus.REFUSED
    await world.taken(refused)
    assert await expected() == await world.rebate(declaration) == 93_000_00
    paid = changed(first, 1)
    paid.rebate_status.state = records_pb2.RebateStatus.PAID
    paid.rebate_status.paid_amount.CopyFrom(to_proto(Money("CNY", 92_000_00)))
    await world.taken(paid)
    assert await expected() is None
    assert await world.rebate(declaration) == 92_000_00


@pytest.mark.parametrize("kind", records_pb2.Hold.Kind.keys()[1:])
async def test_a_hold_freezes_until_it_is_lifted(world: World, kind: str) -> None:
    declaration = await world.declare()
    reserved = await world.reserve(declaration)
    hold = unlike("hold", world)
    hold.declaration = declaration
    hold.hold.MergeFrom(records_pb2.Hold(kind=kind))
    name = await world.taken(hold)
    reason = f"HOLD_{kind}"
    assert await world.eligibility(declaration) == ("NOT_ELIGIBLE", [reason])
    listed = await world.call("ListDeclarations", declarations_pb2.ListDeclarationsRequest(page_size=1), TELLER)
    assert [entry.reason for entry in listed.declarations[0].eligibility.reasons] == [reason]
    confirm = declarations_pb2.ConfirmEncumbranceRequest(name=reserved.name)
    assert await world.refused("ConfirmEncumbrance", confirm, TELLER) == "VALUE_NOT_ELIGIBLE"
    with pytest.raises(RemoteError, match=hold.hold.hold_number):
        await world.reserve(declaration)
    # Who holds value on it is told, and so is the enterprise.
    assert await world.told(TELLER, name) == await world.told(EXPORTER, name) == ["hold.placed"]
    assert await world.told(STRANGE_TELLER, name) == []
    held_at = (await world.get(name)).create_time
    await world.taken(changed(hold, 1))
    assert await world.eligibility(declaration) == ("FINAL", [])
    assert await world.eligibility(declaration, as_of=held_at) == ("NOT_ELIGIBLE", [reason])
    assert await world.told(EXPORTER, name) == ["hold.placed", "hold.lifted"]
    assert (await world.call("ConfirmEncumbrance", confirm, TELLER)).state == declarations_pb2.Encumbrance.CONFIRMED
    # A notice from before it was lifted changes nothing.
    older = changed(hold, -1)
    older.hold.state = records_pb2.Hold.PLACED
    await world.taken(older)
    assert await world.eligibility(declaration) == ("FINAL", [])


async def test_goods_that_come_back_take_their_value_with_them_once(world: World) -> None:
    declaration = await world.declare()
    reserved = await world.reserve(declaration)
    confirm = declarations_pb2.ConfirmEncumbranceRequest(name=reserved.name)
    await world.call("ConfirmEncumbrance", confirm, TELLER)
    value = (await world.declaration(declaration)).value
    back = unlike("goods_return", world)
    back.declaration = declaration
    back.goods_return.amount.minor_units = 100_000_00
    name = await world.taken(back)
    (again,) = await world.write(back)
    assert (again.outcome, again.resource) == (again.DUPLICATE, name)
    after = (await world.declaration(declaration)).value
    assert after.returned.minor_units == 100_000_00
    assert after.shortfall == value.financed
    (changed_mind,) = await world.write(changed(back, 1))
    assert [problem.reason for problem in changed_mind.problems] == ["RECORD_IS_FINAL"]


async def test_a_return_waits_for_its_declaration_and_speaks_its_currency(world: World) -> None:
    back = unlike("goods_return", world)
    back.declaration = "declarations/460120260999999999"
    (unknown,) = await world.write(back)
    assert [problem.reason for problem in unknown.problems] == ["DECLARATION_UNKNOWN"]
    back.declaration = await world.declare()
    back.goods_return.amount.currency_code = "EUR"
    (foreign,) = await world.write(back)
    assert [problem.reason for problem in foreign.problems] == ["CURRENCY_DIFFERS"]


async def test_a_recall_of_an_enterprises_goods_freezes_those_goods(world: World) -> None:
    wigs, toys = await world.declare("6704200000"), await world.declare("9503008900")
    await world.reserve(toys)
    recall = unlike("hold", world)
    recall.declaration, recall.enterprise = "", ENTERPRISE
    recall.hold.kind, recall.hold.commodity_code = records_pb2.Hold.RECALL, "9503"
    name = await world.taken(recall)
    assert await world.eligibility(toys) == ("NOT_ELIGIBLE", ["HOLD_RECALL"])
    assert await world.eligibility(wigs) == ("FINAL", [])
    assert await world.told(TELLER, name) == ["hold.placed"]
    await world.taken(changed(recall, 1))
    assert await world.eligibility(toys) == ("FINAL", [])


async def test_controlled_goods_are_confirmed_only_with_a_permit(world: World) -> None:
    declaration = await world.declare("7106911000")
    verify = records_pb2.VerifyPermitsRequest(declaration=declaration)
    invalid, valid = records_pb2.VerifyPermitsResponse.INVALID, records_pb2.VerifyPermitsResponse.VALID
    assert await world.eligibility(declaration) == ("CONDITIONAL", ["PERMIT_MISSING"])
    reserved = await world.reserve(declaration)
    confirm = declarations_pb2.ConfirmEncumbranceRequest(name=reserved.name)
    assert await world.refused("ConfirmEncumbrance", confirm, TELLER) == "VALUE_NOT_ELIGIBLE"

    permit = unlike("permit", world)
    permit.permit.commodity_codes[:] = ["7106"]
    permit.permit.valid_to.month = 10
    permit.permit.ClearField("quantity")
    name = await world.taken(permit)
    assert await world.eligibility(declaration) == ("CONDITIONAL", ["PERMIT_EXPIRED"])
    assert (await world.call("VerifyPermits", verify, TELLER)).verdict == invalid
    on_a_day = records_pb2.VerifyPermitsRequest(declaration=declaration, date={"year": 2026, "month": 10, "day": 31})
    assert (await world.call("VerifyPermits", on_a_day, TELLER)).verdict == valid
    on_a_day.date.month = 2
    assert await world.refused("VerifyPermits", on_a_day, TELLER) == "INVALID_FIELDS"

    prolonged = records_pb2.Record()
    prolonged.CopyFrom(permit)
    prolonged.notice_time.seconds += 1
    prolonged.permit.valid_to.month = 12
    await world.taken(prolonged)
    answer = await world.call("VerifyPermits", verify, TELLER)
    assert (answer.verdict, list(answer.permits)) == (valid, [name])
    assert await world.eligibility(declaration) == ("FINAL", [])
    await world.call("ConfirmEncumbrance", confirm, TELLER)

    revoked = records_pb2.Record()
    revoked.CopyFrom(prolonged)
    revoked.notice_time.seconds += 1
    revoked.permit.status = records_pb2.Permit.REVOKED
    await world.taken(revoked)
    assert await world.eligibility(declaration) == ("CONDITIONAL", ["PERMIT_NOT_IN_FORCE"])
    plain = records_pb2.VerifyPermitsRequest(declaration=await world.declare())
    assert (await world.call("VerifyPermits", plain, TELLER)).verdict == records_pb2.VerifyPermitsResponse.NOT_NEEDED
    assert await world.refused("VerifyPermits", plain, STRANGE_TELLER) == "CONSENT_MISSING"
    assert await world.refused("VerifyPermits", plain, STRANGER) == "DECLARATION_NOT_FOUND"


async def test_what_others_say_of_a_declaration(world: World) -> None:
    document, invoice = world.fresh("BL"), world.fresh("INV")
    declaration = await world.declare(bill_number=document, invoice_number=invoice, package_count=119)
    ask = records_pb2.GetEvidenceRequest(declaration=declaration)
    empty = await world.call("GetEvidence", ask, TELLER)
    assert (empty.manifest, list(empty.mirrors), empty.HasField("title"), empty.rebate) == ("", [], False, "")

    manifest, mirror, other = a("manifest"), unlike("mirror_declaration", world), unlike("mirror_declaration", world)
    manifest.manifest.bill_number = document.lower()
    mirror.mirror_declaration.bill_number, mirror.mirror_declaration.invoice_number = document, invoice
    other.mirror_declaration.bill_number, other.mirror_declaration.invoice_number = "", invoice
    other.mirror_declaration.country = "GBR"
    events = [a("title_control", index) for index in (2, 0, 1)]
    for event in events:
        event.title_control.bill_number = document
        event.title_control.event_number = world.fresh("E")
    names = [verdict.resource for verdict in await world.write(manifest, mirror, other, *events, events[0])]

    found = await world.call("GetEvidence", ask, TELLER)
    assert [manifest_finding.reason for manifest_finding in found.manifest_findings] == [
        "MANIFEST_PACKAGE_COUNT_DIFFERS"
    ]
    verdicts = [(entry.mirror, entry.Verdict.Name(entry.verdict)) for entry in found.mirrors]
    # An import that has the invoice's number alone, and another country, is somebody else's.
    assert verdicts == [(names[1], "MATCHED")]
    assert (found.title.State.Name(found.title.state), found.title.holder) == ("HELD", "LUNA HAIR LLC")
    listed = {entry.name for entry in await world.page(EXPORTER, declaration=declaration)}
    assert {names[0], names[1], *names[3:]} <= listed
    request = records_pb2.ListRecordsRequest(declaration=declaration)
    assert await world.refused("ListRecords", request, STRANGER) == "DECLARATION_NOT_FOUND"

    assert await world.eligibility(declaration) == ("FINAL", [])
    manifest.manifest.receipt_code = "12"
    manifest.notice_time.seconds += 1
    await world.taken(manifest)
    assert await world.eligibility(declaration) == ("CONDITIONAL", ["MANIFEST_REFUSED"])


async def bill_of(world: World, minor_units: int = 1_250_000) -> tuple[records_pb2.Record, str]:
    """A bill to be paid in time, and its name."""
    row = unlike("bill", world)
    row.bill.amount.minor_units = minor_units
    row.bill.issue_date.CopyFrom(date(day_in_china(SystemClock().now_us())))
    return row, await world.taken(row)


async def state_of(world: World, bill: str) -> str:
    """Where a bill stands."""
    found = (await world.get(bill, EXPORTER)).bill
    return str(found.State.Name(found.state))


async def test_a_bill_is_paid_once_by_one_of_many_payments(world: World) -> None:
    row, bill = await bill_of(world)
    assert await state_of(world, bill) == "OPEN"
    account = (await world.account(ENTERPRISE, "CURRENT")).name
    treasury = (await world.account("treasuries/4601", "CURRENT")).name
    await world.fund(account, 10 * 1_250_000)
    before, received = await world.balance(account), await world.balance(treasury)
    payments = await asyncio.gather(*(world.pay(bill, account) for _ in range(8)))
    outcomes = [await world.paid(payment) for payment in payments]
    assert sorted(outcomes) == [("PAID", ""), *[("REFUSED", "WRONG_STATE")] * 7]
    assert await world.balance(account) == before - 1_250_000
    assert await world.balance(treasury) == received + 1_250_000
    record = await world.get(bill, EXPORTER)
    winner = payments[[state for state, _ in outcomes].index("PAID")]
    assert (await state_of(world, bill), record.bill.payment) == ("PAID", winner.name)
    assert record.bill.transfer.startswith("transfers/")
    assert await world.told(EXPORTER, bill) == ["bill.claimed", "bill.paid"]

    taken_back = records_pb2.Record()
    taken_back.CopyFrom(row)
    taken_back.notice_time.seconds += 1
    taken_back.bill.cancelled = True
    (verdict,) = await world.write(taken_back)
    assert [problem.reason for problem in verdict.problems] == ["BILL_IN_PAYMENT"]
    (again,) = await world.write(row)
    assert again.outcome == again.DUPLICATE


async def test_a_payment_without_money_gives_the_bill_up_to_another(world: World) -> None:
    _, bill = await bill_of(world, 900_000_000)
    account = (await world.account(ENTERPRISE, "CURRENT")).name
    payment = await world.pay(bill, account)
    assert await world.paid(payment) == ("REFUSED", "INSUFFICIENT_FUNDS")
    assert await state_of(world, bill) == "OPEN"
    await world.fund(account, 900_000_000)
    assert await world.paid(await world.pay(bill, account)) == ("PAID", "")
    assert await world.told(EXPORTER, bill) == ["bill.claimed", "bill.released", "bill.claimed", "bill.paid"]


async def test_what_can_be_paid_by_whom(world: World) -> None:
    row, bill = await bill_of(world)
    own = (await world.account(ENTERPRISE, "CURRENT")).name
    dollars = (await world.account(ENTERPRISE, "CURRENT", "USD")).name
    others = (await world.account(RIVAL, "CURRENT")).name
    assert await world.paid(await world.pay(bill, dollars)) == ("REFUSED", "BILL_CURRENCY_DIFFERS")
    assert await world.paid(await world.pay(bill, others, STRANGER), STRANGER) == ("REFUSED", "NOT_FOUND")
    unknown = f"records/{derived('nobody', 's')}"
    assert await world.paid(await world.pay(unknown, own)) == ("REFUSED", "NOT_FOUND")
    theft = settlement_pb2.PayBillRequest(payment={"bill": bill, "debit_account": own})
    assert await world.refused("PayBill", theft, STRANGER, SETTLEMENT.name) == "NOT_FOUND"
    for cancelled, expected in ((True, "CANCELLED"), (False, "OPEN")):
        row.notice_time.seconds += 1
        row.bill.cancelled = cancelled
        await world.taken(row)
        assert await state_of(world, bill) == expected
        if cancelled:
            assert await world.paid(await world.pay(bill, own)) == ("REFUSED", "WRONG_STATE")
    payment = await world.pay(bill, dollars)
    get = settlement_pb2.GetBillPaymentRequest(name=payment.name)
    assert await world.refused("GetBillPayment", get, STRANGER, SETTLEMENT.name) == "NOT_FOUND"
    await world.paid(payment)


async def test_bills_are_due_by_the_rule_of_the_day(world: World) -> None:
    bill = await world.taken(unlike("bill", world))
    found = (await world.get(bill, EXPORTER)).bill
    assert (found.due_date.month, found.due_date.day) == (10, 8)
    assert "announcement 61 of 2022" in found.due_rule
    due = (await world.explained(bill))["bill.due_date"]
    assert (due.derivation.result.date, due.number) == (found.due_date, 1)
    assert "2026-10-05, moved beyond 2026-10-05, 2026-10-06, 2026-10-07 (" in due.text
    stated = a("bill", 1)
    stated.bill.bill_number = world.fresh("P")
    found = (await world.get(await world.taken(stated), EXPORTER)).bill
    assert (found.due_date.month, found.due_date.day, found.due_rule) == (12, 5, "STATED")
    assert not found.due_date_provisional


@pytest.mark.parametrize(
    ("issued", "due", "is_provisional"),
    [
        (datetime.date(2026, 9, 18), datetime.date(2026, 10, 8), False),
        (datetime.date(2026, 12, 16), datetime.date(2026, 12, 31), False),
        (datetime.date(2026, 12, 17), datetime.date(2027, 1, 1), True),
        (datetime.date(2027, 1, 25), datetime.date(2027, 2, 9), True),
    ],
)
async def test_a_due_date_in_a_year_that_isn_t_published_is_provisional(
    world: World, issued: datetime.date, due: datetime.date, is_provisional: bool
) -> None:
    """CD2: the bill says so, in its message and in JSON; what a sender says of it is nothing."""
    row = unlike("bill", world)
    row.bill.issue_date.CopyFrom(date(issued))
    row.bill.due_date_provisional = not is_provisional
    found = (await world.get(await world.taken(row), EXPORTER)).bill
    assert (found.due_date, found.due_date_provisional) == (date(due), is_provisional)
    assert json_format.MessageToDict(found).get("dueDateProvisional", False) is is_provisional


async def overdue_bill(world: World, days: int) -> tuple[records_pb2.Record, str]:
    """A bill of CNY 326,400 that was due so many days ago, and its name."""
    row = unlike("bill", world)
    row.bill.amount.minor_units, row.bill.term = 326_400_00, records_pb2.Bill.STATED
    row.bill.due_date.CopyFrom(date(day_in_china(SystemClock().now_us()) - datetime.timedelta(days=days)))
    return row, await world.taken(row)


async def test_an_overdue_bill_is_paid_with_its_late_fee(world: World) -> None:
    row, bill = await overdue_bill(world, 7)
    (listed,) = [entry for entry in await world.page(EXPORTER, kind="bill", page_size=500) if entry.name == bill]
    fee = listed.bill.late_fee
    assert (fee.days, fee.amount.minor_units, fee.waived, fee.bill) == (7, 1_142_40, False, "")
    account = (await world.account(ENTERPRISE, "CURRENT")).name
    treasury = (await world.account("treasuries/4601", "CURRENT")).name
    short = await world.balance(account)
    await world.fund(account, 326_400_00 + 1_142_39 - short)
    assert await world.paid(await world.pay(bill, account)) == ("REFUSED", "INSUFFICIENT_FUNDS")
    await world.fund(account, 1)
    received = await world.balance(treasury)
    payment = await world.pay(bill, account)
    assert await world.paid(payment) == ("PAID", "")
    assert await world.balance(treasury) == received + 326_400_00 + 1_142_40
    get = settlement_pb2.GetBillPaymentRequest(name=payment.name)
    paid = await world.call("GetBillPayment", get, EXPORTER, SETTLEMENT.name)
    assert (paid.amount.minor_units, paid.late_fee.minor_units) == (327_542_40, 1_142_40)
    told = await world.explained(bill)
    assert told["bill.late_fee.amount"].derivation.result.money.minor_units == 1_142_40
    assert "0.05 % a day for 7 days" in told["bill.late_fee.amount"].text
    assert "late_fees DUTY since 2024-12-01" in told["bill.late_fee.amount"].text
    assert "bill.due_date" not in told
    assert world.violations() == []
    # What customs bills afterwards changes nothing of what was paid.
    own = unlike("bill", world)
    own.bill.kind, own.bill.overdue_bill_number = records_pb2.Bill.LATE_FEE, row.bill.bill_number
    await world.taken(own)
    assert (await world.get(bill, EXPORTER)).bill.late_fee == fee


async def test_a_late_fee_that_customs_bills_itself_is_paid_once(world: World) -> None:
    row, bill = await overdue_bill(world, 7)
    own = unlike("bill", world)
    own.bill.kind, own.bill.overdue_bill_number = records_pb2.Bill.LATE_FEE, row.bill.bill_number
    own.bill.amount.minor_units = 1_142_40
    billed = await world.taken(own)
    fee = (await world.get(bill, EXPORTER)).bill.late_fee
    assert (fee.days, fee.amount.minor_units, fee.bill) == (7, 0, billed)
    account = (await world.account(ENTERPRISE, "CURRENT")).name
    await world.fund(account, 326_400_00 + 1_142_40)
    before = await world.balance(account)
    for name in (bill, billed):
        assert await world.paid(await world.pay(name, account)) == ("PAID", "")
    assert f"is collected by {billed}" in (await world.explained(bill))["bill.late_fee.amount"].text
    assert world.violations() == []
    assert await world.balance(account) == before - 326_400_00 - 1_142_40
    # One that customs takes back leaves the fee with the bill.
    row, bill = await overdue_bill(world, 7)
    own.bill.bill_number, own.bill.overdue_bill_number, own.bill.cancelled = (
        world.fresh("L"),
        row.bill.bill_number,
        True,
    )
    await world.taken(own)
    assert (await world.get(bill, EXPORTER)).bill.late_fee.amount.minor_units == 1_142_40


async def test_a_port_charge_above_the_published_tariff_is_said_and_can_be_paid(world: World) -> None:
    tariff, row = unlike("port_tariff", world), a("bill", 1)
    await world.taken(tariff)
    row.bill.bill_number, row.bill.charges[0].charge_code = world.fresh("P"), tariff.port_tariff.charge_code
    bill = await world.taken(row)
    (found,) = (await world.get(bill, EXPORTER)).bill.findings
    amounts = [found.charged.minor_units, found.published.minor_units, found.difference.minor_units]
    assert (found.problem.reason, amounts) == ("PORT_CHARGE_ABOVE_TARIFF", [860_00, 855_00, 5_00])
    assert found.tariff in [entry.name for entry in await world.page(STRANGER, kind="port_tariff", page_size=500)]
    (listed,) = [entry for entry in await world.page(EXPORTER, kind="bill", page_size=500) if entry.name == bill]
    assert listed.bill.findings == [found]
    account = (await world.account(ENTERPRISE, "CURRENT")).name
    await world.fund(account, 860_00)
    assert await world.paid(await world.pay(bill, account)) == ("PAID", "")
    assert await world.told(EXPORTER, bill) == ["bill.differed", "bill.claimed", "bill.paid"]


async def test_verification_sees_rows_that_contradict_one_another(world: World) -> None:
    _, bill = await bill_of(world)
    first = unlike("permit", world)
    permit = await world.taken(first)
    await world.taken(changed(first, 1))
    identifiers = [name.removeprefix("records/") for name in (permit, bill)]
    versions = sa.update(record_versions).where(record_versions.c.record == identifiers[0])
    none, older = (
        versions.values(is_newest=False),
        versions.where(record_versions.c.notice_us == first.notice_time.ToMicroseconds()),
    )
    row = sa.update(bills).where(bills.c.id == identifiers[1])
    wrong = [
        ([none], permit),
        ([none, older.values(is_newest=True)], permit),
        ([row.values(state="PAID")], bill),
        ([row.values(payment="billPayments/x")], bill),
    ]
    assert world.violations() == []
    for statements, name in wrong:
        with world.reading() as connection:
            undone = connection.begin_nested()
            for statement in statements:
                connection.execute(statement)
            (found,) = DECLARATIONS.violations(connection)
            assert name in found
            undone.rollback()


async def test_a_foreign_windows_document_proves_the_import(world: World) -> None:
    content = (FIXTURES.parent / "wco" / "import.xml").read_bytes()
    number, document, invoice = world.fresh("MRN"), world.fresh("BL"), world.fresh("INV")
    for before, after in (("26US00012345", number), ("COSU6301234567", document), ("RH-2026-118", invoice)):
        content = content.replace(before.encode(), after.encode())
    declaration = await world.declare(bill_number=document, invoice_number=invoice)
    broken = (FIXTURES.parent / "wco" / "broken.xml").read_bytes()
    request = declarations_pb2.ImportDocumentsRequest()
    for name, text in (("import.xml", content), ("broken.xml", broken), ("again.xml", content)):
        request.documents.add(document_id=name, content=text)
    answer = await world.call("ImportDocuments", request, WINDOW)
    verdicts = answer.verdicts
    assert [verdict.Outcome.Name(verdict.outcome) for verdict in verdicts] == ["ACCEPTED", "REFUSED", "DUPLICATE"]
    assert len(verdicts[1].problems) == 6
    evidence = await world.call("GetEvidence", records_pb2.GetEvidenceRequest(declaration=declaration), TELLER)
    (mirror,) = evidence.mirrors
    assert (mirror.mirror, mirror.Verdict.Name(mirror.verdict)) == (verdicts[0].resource, "MATCHED")
