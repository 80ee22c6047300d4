"""Retail documents through the door, on both databases: taken by version, matched, and seen by whom they concern."""

import itertools
import pathlib
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import consent_pb2, declarations_pb2, personal_pb2, retail_pb2
from aval.events.v1 import events_pb2

from chassis import testing
from chassis.clock import SystemClock
from chassis.command import Transaction
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import Identifiers
from chassis.service import Reading
from chassis.status import RemoteError
from services.declarations.intake.formats.ceb import parse
from services.declarations.privacy.personal import store as personal_store
from services.declarations.service import SERVICE
from services.declarations.window.retail.flows.matching import store as matching_store
from services.declarations.window.retail.flows.tables import retail_orders
from services.declarations.window.retail.identity import order_id, waybill_id
from trade.calendars import day_in_china

FIXTURES = pathlib.Path(__file__).parents[1] / "fixtures" / "ceb"
WINDOW = Caller("windows/henan/system", "windows/henan", frozenset({"WINDOW"}))
ENTERPRISE, RIVAL = "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
BANK = "banks/LMHFCNB0"
Verdict = declarations_pb2.IntakeVerdict
State = retail_pb2.RetailMatch.State
SENT_S = 1_793_600_000


def person(tenant: str, role: str) -> Caller:
    """Somebody of a tenant."""
    return Caller(f"{tenant}/someone", tenant, frozenset({role}), second_factor=True)


class Window:
    """The service, and the window that sends to it."""

    def __init__(self, platform: testing.Platform) -> None:
        self.platform = platform

    async def call(self, method: str, request: Any, caller: Caller = WINDOW) -> Any:
        """A call at the door."""
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = request.request_id or str(uuid.uuid4())
        return await self.platform.call(SERVICE.name, method, request, caller)

    async def send(self, *rows: Any) -> list[declarations_pb2.IntakeVerdict]:
        """The verdicts on rows of any kind."""
        request = declarations_pb2.BatchCreateRetailDocumentsRequest(documents=[wrapped(row) for row in rows])
        return list((await self.call("BatchCreateRetailDocuments", request)).verdicts)

    async def outcomes(self, *rows: Any) -> list[str]:
        """Sends rows; returns the outcome of each, with the reasons of a refusal."""
        verdicts = await self.send(*rows)
        return [
            ", ".join([Verdict.Outcome.Name(verdict.outcome), *(problem.reason for problem in verdict.problems)])
            for verdict in verdicts
        ]

    async def order(self, number: str, caller: Caller = WINDOW) -> Any:
        """An order as a caller sees it."""
        name = f"retailOrders/{order_id(retail_pb2.EXPORT, '4101W6000A', number)}"
        return await self.call("GetRetailOrder", retail_pb2.GetRetailOrderRequest(name=name), caller)

    async def stands(self, number: str) -> tuple[str, list[str]]:
        """How an order's three flows stand."""
        match = (await self.order(number)).match
        return State.Name(match.state), [f"{reason.path}: {reason.reason}" for reason in match.reasons]

    async def refusal(self, method: str, request: Any, caller: Caller) -> str:
        """Why a call is refused."""
        with pytest.raises(RemoteError) as caught:
            await self.call(method, request, caller)
        return caught.value.reason


@pytest.fixture
async def window(database_url: str, tmp_path: pathlib.Path) -> AsyncIterator[Window]:
    platform = testing.Platform(tmp_path, database_url, [SERVICE])
    await platform.start()
    yield Window(platform)
    await platform.stop()


def wrapped(row: Any) -> retail_pb2.RetailDocument:
    """A row as the document that it is."""
    (field,) = [
        each_field.name
        for each_field in retail_pb2.RetailDocument.DESCRIPTOR.fields
        if each_field.message_type == row.DESCRIPTOR
    ]
    return retail_pb2.RetailDocument(**{field: row})


def fixture(name: str) -> Any:
    """The first row of a fixture."""
    return parse((FIXTURES / f"{name}.xml").read_bytes())[0].row


def order(number: str, units: int = 100_00, change: str = "NEW", sent: int = 0, **more: Any) -> retail_pb2.RetailOrder:
    """An order of one line in USD, sent so many seconds on."""
    row = retail_pb2.RetailOrder(
        envelope=envelope(change, sent),
        direction=retail_pb2.EXPORT,
        order_number=number,
        platform_code="4101W6000A",
        merchant_code=ENTERPRISE.removeprefix("enterprises/"),
        merchant_name="许昌青禾发制品有限公司",
        **more,
    )
    line = row.lines.add(line_number=1, goods_name="WIGS")
    line.quantity.value, line.unit_price.value = "1", str(units / 100)
    for amount in (line.total, row.goods_value):
        amount.currency_code, amount.minor_units = "USD", units
    return row


def waybill(number: str, order_number: str = "", change: str = "NEW", sent: int = 0) -> retail_pb2.RetailWaybill:
    """A waybill."""
    return retail_pb2.RetailWaybill(
        envelope=envelope(change, sent),
        direction=retail_pb2.EXPORT,
        carrier_code="4101W6000C",
        waybill_number=number,
        order_number=order_number,
    )


def payment(
    number: str, order_number: str, units: int = 100_00, change: str = "NEW", sent: int = 0
) -> retail_pb2.RetailPayment:
    """A payment in USD."""
    row = retail_pb2.RetailPayment(
        envelope=envelope(change, sent),
        direction=retail_pb2.EXPORT,
        payment_company_code="4101W6000D",
        transaction_number=number,
        order_number=order_number,
        platform_code="4101W6000A",
    )
    row.amount.currency_code, row.amount.minor_units = "USD", units
    return row


def envelope(change: str, sent: int) -> retail_pb2.RetailEnvelope:
    """Returns an envelope: what a document says of itself."""
    found = retail_pb2.RetailEnvelope(document_id=uuid.uuid4().hex, change=change)
    found.send_time.FromSeconds(SENT_S + sent)
    return found


async def test_a_batch_of_all_kinds_has_a_verdict_a_row(window: Window) -> None:
    broken = order("B2")
    broken.goods_value.minor_units = 1
    verdicts = await window.send(
        payment("T1", "B1"), order("B1"), broken, waybill("W1", "B1"), fixture("good_604"), order("")
    )
    assert [verdict.document_id for verdict in verdicts] == [str(index) for index in range(6)]
    assert [Verdict.Outcome.Name(verdict.outcome)[:7] for verdict in verdicts][:4] == [
        "ACCEPTE",
        "ACCEPTE",
        "REFUSED",
        "ACCEPTE",
    ]
    assert verdicts[1].resource == f"retailOrders/{order_id(retail_pb2.EXPORT, '4101W6000A', 'B1')}"
    assert verdicts[3].resource == f"retailWaybills/{waybill_id('4101W6000C', 'W1')}"
    assert [(problem.path, problem.reason) for problem in verdicts[2].problems] == [
        ("order.goods_value", "GOODS_VALUE_MISMATCH")
    ]
    assert [problem.path for problem in verdicts[5].problems] == ["order.order_number"]
    assert await window.stands("B1") == ("MATCHED", [])


async def test_a_document_that_says_nothing_is_refused(window: Window) -> None:
    request = declarations_pb2.BatchCreateRetailDocumentsRequest(documents=[retail_pb2.RetailDocument()])
    (verdict,) = (await window.call("BatchCreateRetailDocuments", request)).verdicts
    assert (verdict.outcome, len(verdict.problems)) == (Verdict.REFUSED, 1)


async def test_of_several_versions_the_one_sent_last_counts(window: Window) -> None:
    other = "REFUSED, DOCUMENT_KNOWN_WITH_OTHER_CONTENT"
    assert await window.outcomes(order("V", 100_00)) == ["ACCEPTED"]
    first = await window.order("V")
    assert await window.outcomes(order("V", 100_00, sent=1)) == ["DUPLICATE"]
    assert await window.outcomes(order("V", 200_00, sent=2)) == [other]
    assert await window.outcomes(order("V", 300_00, "MODIFY", sent=9)) == ["ACCEPTED"]
    assert await window.outcomes(order("V", 400_00, "MODIFY", sent=8)) == ["DUPLICATE"]
    seen = await window.order("V")
    assert (seen.goods_value.minor_units, seen.envelope.change) == (300_00, retail_pb2.MODIFY)
    assert (seen.create_time, seen.etag != first.etag) == (first.create_time, True)
    assert await window.outcomes(order("V", 300_00, "DELETE", sent=10), order("V", 500_00, "MODIFY", sent=7)) == [
        "ACCEPTED",
        "DUPLICATE",
    ]
    assert (await window.stands("V"))[0] == "WITHDRAWN"
    # Many versions in one batch, out of order, and the first one again.
    sent = [order("M", units, "MODIFY", sent=at) for units, at in ((3_00, 3), (1_00, 1), (4_00, 4), (2_00, 2))]
    assert await window.outcomes(*sent, order("M", 3_00, "MODIFY", sent=3)) == [
        "ACCEPTED",
        "DUPLICATE",
        "ACCEPTED",
        "DUPLICATE",
        "DUPLICATE",
    ]
    assert (await window.order("M")).goods_value.minor_units == 4_00


async def test_the_same_again_is_accepted_never_and_refused_alike(window: Window) -> None:
    rows = [
        order("S1"),
        order("S2"),
        order("S1", 7_00),
        waybill("S", "S1"),
        payment("S", "S1"),
        order("S2", 9_00, "MODIFY", 5),
    ]
    first = await window.outcomes(*rows)
    again = await window.outcomes(*rows)
    assert first.count("ACCEPTED") == 5
    assert again == [name.replace("ACCEPTED", "DUPLICATE") for name in first]


FIRST = {
    "order": (order("L"), ("INCOMPLETE", ["waybill: MISSING_WAYBILL", "payment: MISSING_PAYMENT"])),
    "waybill": (waybill("L1", "L"), ("INCOMPLETE", ["payment: MISSING_PAYMENT"])),
    "payment": (payment("L1", "L"), ("MATCHED", [])),
}


@pytest.mark.parametrize(
    "arrival", [("order", "waybill", "payment"), ("payment", "waybill", "order"), ("waybill", "order", "payment")]
)
async def test_the_three_flows_agree_in_whatever_order_they_come(window: Window, arrival: Sequence[str]) -> None:
    for leg in arrival:
        await window.send(FIRST[leg][0])
    assert await window.stands("L") == ("MATCHED", [])
    listed = await window.call("ListRetailOrders", retail_pb2.ListRetailOrdersRequest(match_state=State.MATCHED))
    assert [entry.order_number for entry in listed.orders] == ["L"]


async def test_a_payment_that_changes_moves_its_orders(window: Window) -> None:
    """D2: a payment moved from one order to another leaves both with the state that their documents give."""
    await window.send(order("A"), order("B"), waybill("A", "A"), waybill("B", "B"), payment("X", "A"))
    assert (await window.stands("A"))[0] == "MATCHED"
    await window.send(payment("X", "B", 90_00, "MODIFY", 1))
    assert await window.stands("A") == ("INCOMPLETE", ["payment: MISSING_PAYMENT"])
    assert await window.stands("B") == ("DIFFERENT", ["payment: AMOUNT_DIFFERS"])
    # What is stored moves with it, on both sides.
    listed = {}
    for state in (State.MATCHED, State.INCOMPLETE, State.DIFFERENT):
        answer = await window.call("ListRetailOrders", retail_pb2.ListRetailOrdersRequest(match_state=state))
        listed[State.Name(state)] = [entry.order_number for entry in answer.orders]
    assert listed == {"MATCHED": [], "INCOMPLETE": ["A"], "DIFFERENT": ["B"]}
    await window.send(payment("X", "B", 90_00, "DELETE", 2))
    assert await window.stands("B") == ("INCOMPLETE", ["payment: MISSING_PAYMENT"])


@pytest.mark.parametrize("linked_first", [True, False])
async def test_a_list_ties_a_waybill_to_its_order(window: Window, linked_first: bool) -> None:
    await window.send(order("T"), payment("T", "T"))
    tie = (order_id(retail_pb2.EXPORT, "4101W6000A", "T"), waybill_id("4101W6000C", "T"))
    if not linked_first:
        await window.send(waybill("T"))
        assert (await window.stands("T"))[0] == "INCOMPLETE"
    store = window.platform.nodes[SERVICE.name].store
    for _ in range(2):
        with store.write() as connection:
            matching_store.link(transaction_on(connection), [tie])
    if linked_first:
        await window.send(waybill("T"))
    assert await window.stands("T") == ("MATCHED", [])
    with store.read() as connection:
        stored = connection.execute(sa.select(retail_orders.c.match_state)).scalar_one()
    assert stored == "MATCHED"


def transaction_on(connection: sa.Connection) -> Any:
    """A command's transaction of another room."""
    now_us = SystemClock().now_us()
    return Transaction(connection, WINDOW, now_us, Identifiers(0, b""), business_date=day_in_china(now_us))


async def test_personal_data_is_sealed_apart_and_never_given_out(window: Window) -> None:
    row = fixture("good_311")
    (verdict,) = await window.send(row)
    request = retail_pb2.GetRetailOrderRequest(name=verdict.resource)
    assert not (await window.call("GetRetailOrder", request)).persons
    node = window.platform.nodes[SERVICE.name]
    with node.store.read() as connection:
        stored = connection.execute(sa.select(retail_orders)).one()
        reading = Reading(connection, WINDOW, SystemClock().now_us(), node.store.keys)
        kept = personal_store.of(reading, [verdict.resource])
    assert "柳星遥".encode() not in b"".join(entry for entry in stored if isinstance(entry, bytes))
    assert list(kept[verdict.resource].persons) == list(row.persons)
    # The same order for another person is another order.
    row.persons[0].name = "别人"
    assert await window.outcomes(row) == ["REFUSED, DOCUMENT_KNOWN_WITH_OTHER_CONTENT"]
    with node.store.read() as connection:
        reading = Reading(connection, WINDOW, SystemClock().now_us(), node.store.keys)
        assert personal_store.of(reading, [verdict.resource])[verdict.resource].persons[0].name == "柳星遥"


async def test_an_enterprise_sees_its_own_an_institution_what_it_was_let_see(window: Window) -> None:
    await window.send(order("O"))
    exporter, rival, bank = person(ENTERPRISE, "EXPORTER"), person(RIVAL, "EXPORTER"), person(BANK, "BANK_MAKER")
    request = retail_pb2.GetRetailOrderRequest(name=(await window.order("O")).name)
    assert (await window.order("O", exporter)).enterprise == ENTERPRISE
    unknown = retail_pb2.GetRetailOrderRequest(name=f"retailOrders/{uuid.uuid4()}")
    for stranger, reason in ((rival, "NOT_FOUND"), (bank, "CONSENT_MISSING")):
        assert await window.refusal("GetRetailOrder", request, stranger) == reason
        assert await window.refusal("GetRetailOrder", unknown, stranger) == reason
        listed = await window.call("ListRetailOrders", retail_pb2.ListRetailOrdersRequest(), stranger)
        assert not listed.orders
    consent = declarations_pb2.Consent(institution=BANK, purpose="finance")
    consent.expire_time.FromMicroseconds(SystemClock().now_us() + 3_600_000_000)
    await window.call("CreateConsent", declarations_pb2.CreateConsentRequest(consent=consent), exporter)
    assert (await window.order("O", bank)).order_number == "O"
    listed = await window.call("ListRetailOrders", retail_pb2.ListRetailOrdersRequest(), bank)
    assert [entry.order_number for entry in listed.orders] == ["O"]
    # And the enterprise can see that it did.
    told = await window.call("ListDisclosures", consent_pb2.ListDisclosuresRequest(), exporter)
    assert sorted(disclosure.method for disclosure in told.disclosures) == ["GetRetailOrder", "ListRetailOrders"]
    assert {*itertools.chain(*(disclosure.resources for disclosure in told.disclosures))} == {request.name}


async def test_nothing_that_is_stored_names_a_person(window: Window) -> None:
    """D3: no column of any table has a word of a natural person."""
    rows = [fixture(name) for name in ("good_311", "good_411", "good_511")]
    words = {word for row in rows for entry in row.persons for _, word in entry.ListFields() if isinstance(word, str)}
    words -= {"1"}
    assert len(words) == 6
    assert await window.outcomes(*rows) == ["ACCEPTED"] * 3
    engine = window.platform.nodes[SERVICE.name].store
    with engine.read() as connection:
        found = sa.MetaData()
        found.reflect(connection)
        stored = [
            value for table in found.sorted_tables for row in connection.execute(sa.select(table)) for value in row
        ]
    kept = b"\0".join(one if isinstance(one, bytes) else str(one).encode() for one in stored)
    assert b"YL20261103000009" in kept
    assert [word for word in words if word.encode() in kept] == []


async def test_who_may_reads_the_persons_of_an_order(window: Window) -> None:
    row = order("H", persons=[personal_pb2.Person(part="BUYER", name="柳星遥")])
    (verdict,) = await window.send(row)
    request = personal_pb2.GetPersonalDataRequest(name=verdict.resource, reason="claim")
    found = await window.call("GetPersonalData", request, person(ENTERPRISE, "EXPORTER"))
    assert [entry.name for entry in found.persons] == ["柳星遥"]
    assert await window.refusal("GetPersonalData", request, person(RIVAL, "EXPORTER")) == "NOT_FOUND"
    assert await window.refusal("GetPersonalData", request, person(BANK, "BANK_MAKER")) == "CONSENT_MISSING"


async def test_orders_are_listed_page_by_page_and_by_filter(window: Window) -> None:
    rows = [order(f"P{index}") for index in range(7)]
    rows[0].platform_code = "OTHER"
    rows[1].merchant_code = "4101W60001"
    await window.send(*rows)
    request = retail_pb2.ListRetailOrdersRequest(page_size=3)
    found: list[str] = []
    while True:
        page = await window.call("ListRetailOrders", request)
        found += [entry.order_number for entry in page.orders]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert sorted(found) == [f"P{index}" for index in range(7)]

    async def numbers(**filters: Any) -> list[str]:
        answer = await window.call("ListRetailOrders", retail_pb2.ListRetailOrdersRequest(**filters))
        return sorted(entry.order_number for entry in answer.orders)

    assert await numbers(platform_code="OTHER") == ["P0"]
    # A customs code is no enterprise until a registry says whose it is.
    assert await numbers(merchant_code="4101W60001") == ["P1"]
    assert await numbers(enterprise=ENTERPRISE) == ["P0", "P2", "P3", "P4", "P5", "P6"]
    assert await numbers(match_state=State.MATCHED) == []


async def test_each_enterprise_is_told_of_its_own_orders_once_a_batch(window: Window) -> None:
    theirs = order("E3")
    theirs.merchant_code = RIVAL.removeprefix("enterprises/")
    await window.send(order("E1"), order("E2"), theirs, payment("E", "E1"))
    await window.send(order("E1"))
    stream = window.platform.channels[SERVICE.name].unary_stream(contract(SERVICE.name).path("Watch"))
    assertion = window.platform.signer.assertion(person(ENTERPRISE, "EXPORTER"), SERVICE.name, SystemClock().now_us())
    request = events_pb2.WatchRequest().SerializeToString()
    async for raw in stream(request, metadata=[(ASSERTION_KEY, assertion)], timeout=20):
        events = events_pb2.WatchResponse.FromString(raw).events
        if events:
            break
    (event,) = events
    told = retail_pb2.RetailOrdersTaken()
    assert event.payload.Unpack(told)
    assert (event.type, event.resource) == ("retail_orders.taken", "retailOrders/-")
    assert sorted(told.orders) == sorted([(await window.order(number)).name for number in ("E1", "E2")])


async def test_the_stream_answers_each_request_in_order(window: Window) -> None:
    method = "StreamRetailDocuments"
    channel = window.platform.channels[SERVICE.name]
    assertion = window.platform.signer.assertion(WINDOW, SERVICE.name, SystemClock().now_us())
    call = channel.stream_stream(contract(SERVICE.name).path(method))(metadata=[(ASSERTION_KEY, assertion)], timeout=20)
    for batch in range(3):
        rows = [wrapped(order(f"R{batch}-{index}")) for index in range(batch + 1)]
        request = declarations_pb2.BatchCreateRetailDocumentsRequest(request_id=str(uuid.uuid4()), documents=rows)
        await call.write(request.SerializeToString())
    await call.done_writing()
    answers = [declarations_pb2.BatchCreateRetailDocumentsResponse.FromString(raw) async for raw in call]
    assert [[verdict.outcome for verdict in answer.verdicts] for answer in answers] == [
        [Verdict.ACCEPTED] * count for count in (1, 2, 3)
    ]


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement that is run, as it is run; many parameters to one statement count once."""
    run: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        run.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    yield run
    sa.event.remove(sa.Engine, "before_cursor_execute", listen)


async def test_a_thousand_rows_cost_few_statements(window: Window, statements: list[str]) -> None:
    legs = [[waybill(f"Q{index}", f"Q{index}"), payment(f"Q{index}", f"Q{index}")] for index in range(500)]
    batches: list[list[Any]] = [[order(f"Q{index}") for index in range(1000)], [*itertools.chain(*legs)]]
    for batch in batches:
        statements.clear()
        await window.send(*batch)
        changes = [statement for statement in statements if "retail" in statement or "personal" in statement]
        assert len(changes) < 20, changes
    request = retail_pb2.ListRetailOrdersRequest(page_size=500, match_state=State.MATCHED)
    assert len((await window.call("ListRetailOrders", request)).orders) == 500
