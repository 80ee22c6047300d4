"""Declarations through the gRPC door on both databases: twins, amendments, what was known when, one event a batch."""

import itertools
import pathlib
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, personal_pb2
from aval.events.v1 import events_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.type import date_pb2, decimal_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import testing
from chassis.clock import SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from services.declarations.customs.receipts import receipt_row
from services.declarations.service import SERVICE
from tests.conformance.world import BANK, CAST, ENTERPRISE, RIVAL, person, usd

WINDOW, EXPORTER, TELLER = CAST["WINDOW"], CAST["EXPORTER"], CAST["BANK_SYSTEM"]
Verdict = declarations_pb2.IntakeVerdict
_numbers: Iterator[int] = iter(range(1, 10**9))


@pytest.fixture
async def platform(database_url: str, tmp_path: pathlib.Path) -> AsyncIterator[testing.Platform]:
    """The declarations service alone."""
    started = testing.Platform(tmp_path, database_url, [SERVICE])
    await started.start()
    yield started
    await started.stop()


def fresh_number() -> str:
    return f"46012026{next(_numbers):010}"


def row(number: str, cents: int = 500_00, enterprise: str = ENTERPRISE, **fields: Any) -> Any:
    """A sound row of one line."""
    line = declarations_pb2.DeclarationLine(
        line_number=1, commodity_code="6804221000", goods_name="GRINDING WHEELS", total=usd(cents), origin_country="CHN"
    )
    line.quantity.CopyFrom(decimal_pb2.Decimal(value="1"))
    line.unit_price.CopyFrom(decimal_pb2.Decimal(value=f"{cents // 100}.{cents % 100:02}"))
    return declarations_pb2.Declaration(
        declaration_number=number,
        enterprise=enterprise,
        trade_mode="0110",
        transport_mode="2",
        destination_country="DEU",
        export_date=date_pb2.Date(year=2026, month=11, day=2),
        declared_value=usd(cents),
        lines=[line],
        **fields,
    )


def at(seconds: int) -> Timestamp:
    return Timestamp(seconds=1_790_000_000 + seconds)


async def send(platform: testing.Platform, *rows: Any) -> list[Any]:
    request = declarations_pb2.BatchCreateDeclarationsRequest(request_id=str(uuid.uuid4()), declarations=rows)
    return list((await platform.call("declarations", "BatchCreateDeclarations", request, WINDOW)).verdicts)


async def receipts(platform: testing.Platform, number: str, *codes: tuple[str, int]) -> None:
    request = declarations_pb2.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()))
    for code, seconds in codes:
        request.receipts.add(declaration_number=number, channel_code=code, notice_time=at(seconds))
    await platform.call("declarations", "BatchCreateReceipts", request, WINDOW)


async def get(platform: testing.Platform, number: str, as_of: Timestamp | None = None) -> Any:
    request = declarations_pb2.GetDeclarationRequest(name=f"declarations/{number}", as_of=as_of)
    return await platform.call("declarations", "GetDeclaration", request, EXPORTER)


async def events(platform: testing.Platform, caller: Caller) -> list[events_pb2.Event]:
    """All events that the caller sees, up to the log's end."""
    stub = platform.channels["declarations"].unary_stream(
        contract("declarations").path("Watch"),
        request_serializer=events_pb2.WatchRequest.SerializeToString,
        response_deserializer=events_pb2.WatchResponse.FromString,
    )
    assertion = platform.signer.assertion(caller, "declarations", SystemClock().now_us())
    stream = stub(events_pb2.WatchRequest(until_end=True), metadata=[(ASSERTION_KEY, assertion)])
    return [event async for response in stream for event in response.events]


async def test_of_twins_in_one_batch_the_second_is_a_duplicate(platform: testing.Platform) -> None:
    number = fresh_number()
    first, second, third = await send(platform, row(number), row(number), row(number, 600_00))
    assert [entry.outcome for entry in (first, second, third)] == [Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.REFUSED]
    assert third.problems[0].reason == "DECLARATION_KNOWN_WITH_OTHER_CONTENT"


async def test_a_large_batch_is_copied_whole(platform: testing.Platform) -> None:
    numbers = [fresh_number() for _ in range(1000)]
    verdicts = await send(platform, *(row(number, contract_number='back\\slash "quote" 合同') for number in numbers))
    assert {verdict.outcome for verdict in verdicts} == {Verdict.ACCEPTED}
    assert (await get(platform, numbers[-1])).contract_number == 'back\\slash "quote" 合同'
    again = await send(platform, *(row(number, contract_number='back\\slash "quote" 合同') for number in numbers))
    assert {entry.outcome for entry in again} == {Verdict.DUPLICATE}


async def test_a_batch_is_one_event_and_each_reader_sees_its_own(platform: testing.Platform) -> None:
    own, others = [fresh_number() for _ in range(3)], [fresh_number() for _ in range(2)]
    await send(platform, *(row(n) for n in own), *(row(n, enterprise=RIVAL) for n in others))
    for caller, expected in ((EXPORTER, own), (person(RIVAL, "EXPORTER"), others), (TELLER, [])):
        named: list[str] = []
        for event in await events(platform, caller):
            declared = declarations_pb2.DeclarationsDeclared()
            assert event.type == "declarations.declared"
            event.payload.Unpack(declared)
            named += declared.declarations
        assert named == [f"declarations/{number}" for number in expected]


async def test_an_amendment_replaces_and_what_was_said_is_kept(platform: testing.Platform) -> None:
    number = fresh_number()
    await send(platform, row(number))
    before = Timestamp()
    before.FromMicroseconds(SystemClock().now_us())
    (verdict,) = await send(platform, row(number, 450_00, amend_time=at(10)))
    assert verdict.outcome == Verdict.ACCEPTED
    now, then = await get(platform, number), await get(platform, number, before)
    assert (now.declared_value.minor_units, now.version) == (450_00, 2)
    assert (then.declared_value.minor_units, then.version) == (500_00, 1)
    types = [event.type for event in await events(platform, EXPORTER)]
    assert types == ["declarations.declared", "declaration.amended"]


async def test_of_amendments_the_one_approved_last_counts(platform: testing.Platform) -> None:
    number = fresh_number()
    await send(platform, row(number))
    later, earlier = row(number, 300_00, amend_time=at(20)), row(number, 400_00, amend_time=at(10))
    await send(platform, later)
    (stale,) = await send(platform, earlier)
    assert stale.problems[0].reason == "AMENDMENT_SUPERSEDED"
    assert (await get(platform, number)).declared_value.minor_units == 300_00
    other = fresh_number()
    verdicts = await send(
        platform, row(other), row(other, 300_00, amend_time=at(20)), row(other, 400_00, amend_time=at(30))
    )
    assert [verdict.outcome for verdict in verdicts] == [Verdict.ACCEPTED] * 3
    assert (await get(platform, other)).version == 3


async def test_an_amendment_keeps_exporter_and_currency(platform: testing.Platform) -> None:
    number = fresh_number()
    await send(platform, row(number))
    (verdict,) = await send(platform, row(number, enterprise=RIVAL, amend_time=at(10)))
    assert verdict.problems[0].reason == "AMENDMENT_OF_ANOTHER_ENTERPRISE"


async def test_an_answer_as_of_a_time_knows_only_what_had_come(platform: testing.Platform) -> None:
    number = fresh_number()
    await send(platform, row(number))
    await receipts(platform, number, ("7", 1), ("P", 5))
    released = Timestamp()
    released.FromMicroseconds(SystemClock().now_us())
    # A notice from before that arrives later changes the present, not what was known.
    await receipts(platform, number, ("R", 6), ("L", 2))
    then, now = await get(platform, number, released), await get(platform, number)
    assert then.status == declarations_pb2.Declaration.RELEASED
    assert [receipt.channel_code for receipt in then.receipts] == ["7", "P"]
    assert now.status == declarations_pb2.Declaration.CLOSED
    with pytest.raises(Exception, match="isn't known"):
        await get(platform, number, at(0))


CODES = ("7", "L", "J", "C", "T", "K", "P", "R", "E", "D", "H", "Z")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_order_and_repetition_of_receipts_ends_in_the_same_state(
    platform: testing.Platform, data: st.DataObject
) -> None:
    """Through the intake and the store, the declaration itself anywhere among them."""
    notices = data.draw(st.lists(st.tuples(st.sampled_from(CODES), st.integers(0, 9)), min_size=1, max_size=8))
    assert all(receipt_row(code, at(seconds).ToMicroseconds()) for code, seconds in notices)
    shuffled = data.draw(st.permutations([*notices, *data.draw(st.lists(st.sampled_from(notices)))]))
    place = data.draw(st.integers(0, len(shuffled)))
    straight, mixed = fresh_number(), fresh_number()
    await send(platform, row(straight))
    await receipts(platform, straight, *notices)
    for part in (shuffled[:place], shuffled[place:]):
        if part:
            await receipts(platform, mixed, *part)
        if part is not shuffled[place:] or place == len(shuffled):
            await send(platform, row(mixed))
    await send(platform, row(mixed))
    first, second = await get(platform, straight), await get(platform, mixed)
    assert first.status == second.status
    assert [(receipt.channel_code, receipt.notice_time) for receipt in first.receipts] == [
        (receipt.channel_code, receipt.notice_time) for receipt in second.receipts
    ]


async def test_a_bank_sees_with_consent_what_was_declared_after(platform: testing.Platform) -> None:
    consent = declarations_pb2.CreateConsentRequest(request_id=str(uuid.uuid4()))
    consent.consent.institution, consent.consent.purpose = BANK, "financing"
    consent.consent.expire_time.FromMicroseconds(SystemClock().now_us() + 10**9)
    await platform.call("declarations", "CreateConsent", consent, EXPORTER)
    number, hidden = fresh_number(), fresh_number()
    await send(platform, row(number), row(hidden, enterprise=RIVAL))
    seen = [event for event in await events(platform, TELLER) if event.type == "declarations.declared"]
    declared = declarations_pb2.DeclarationsDeclared()
    seen[0].payload.Unpack(declared)
    assert list(declared.declarations) == [f"declarations/{number}"]


async def declarants(platform: testing.Platform, number: str) -> list[str]:
    """Returns the names of those who declared it, as they are sealed."""
    request = personal_pb2.GetPersonalDataRequest(name=f"declarations/{number}", reason="a test")
    found = await platform.call("declarations", "GetPersonalData", request, EXPORTER)
    return [person.name for person in found.persons]


def declarant(name: str) -> list[Any]:
    return [personal_pb2.Person(part="DECLARANT", name=name)]


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "new in the batch"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_persons_are_those_of_the_amendment_approved_last(
    platform: testing.Platform, order: tuple[int, ...], is_known: bool
) -> None:
    number = fresh_number()
    first = row(number, 100_00, persons=declarant("first"))
    amendments = [
        row(number, (place + 2) * 100_00, amend_time=at(place), persons=declarant(f"approved {place}"))
        for place in range(3)
    ]
    sent = [amendments[place] for place in order]
    requests = [[first], sent] if is_known else [[first, *sent]]
    verdicts = [verdict for rows in requests for verdict in await send(platform, *rows)]
    assert {verdict.outcome for verdict in verdicts} == {Verdict.ACCEPTED}
    assert (await get(platform, number)).declared_value.minor_units == 400_00
    assert await declarants(platform, number) == ["approved 2"]


async def test_an_amendment_that_changes_nothing_leaves_the_persons(platform: testing.Platform) -> None:
    number = fresh_number()
    await send(platform, row(number, 100_00, persons=declarant("first")))
    late = row(number, 300_00, amend_time=at(9), persons=declarant("late"))
    early = row(number, 200_00, amend_time=at(1), persons=declarant("early"))
    await send(platform, late)
    (verdict,) = await send(platform, early)
    assert [problem.reason for problem in verdict.problems] == ["AMENDMENT_SUPERSEDED"]
    assert await declarants(platform, number) == ["late"]
