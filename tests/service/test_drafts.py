"""Declarations before they have a customs number: kept, joined, declared, and seen by their enterprise alone."""

import asyncio
import datetime
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2, personal_pb2
from aval.events.v1 import events_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import SystemClock
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller
from chassis.ids import derived
from chassis.status import RemoteError
from services.declarations.window.draft import store as draft_store
from services.declarations.window.draft import store as window_draft_store
from tests.service.intake_world import WINDOW, Intake, document, intake, told

__all__ = ["intake"]

EXPORTER = Caller(
    "enterprises/91410100MA9F2K7T1P/lin", "enterprises/91410100MA9F2K7T1P", frozenset({"EXPORTER"}), second_factor=True
)
STRANGER = Caller(
    "enterprises/91411023MAXY00112A/wu", "enterprises/91411023MAXY00112A", frozenset({"EXPORTER"}), second_factor=True
)
BANK = Caller("banks/LMHFCNB0/teller", "banks/LMHFCNB0", frozenset({"BANK_SYSTEM"}), second_factor=True)
Draft, Verdict = declarations_pb2.Draft, declarations_pb2.IntakeVerdict
HEAD = (
    "<IEFlag>{flag}</IEFlag><ContrNo>EX-2026-001</ContrNo><IEDate>20260302</IEDate><DeclareName>{person}</DeclareName>"
    "<TradeName>河南示例制品有限公司</TradeName><TradeCoScc>{enterprise}</TradeCoScc><TradeCountry>USA</TradeCountry>"
    "<TradeMode>0110</TradeMode><TrafMode>2</TrafMode><TransMode>3</TransMode><EntryId>{number}</EntryId>"
    "<SeqNo>{unified}</SeqNo>"
)
LINE = (
    "<GNo>1</GNo><CodeTS>6704200000</CodeTS><GName>假发</GName><GQty>100</GQty><GUnit>007</GUnit>"
    "<DeclPrice>{price}</DeclPrice><DeclTotal>{price}00</DeclTotal><TradeCurr>USD</TradeCurr>"
    "<OriginCountry>USA</OriginCountry><DestinationCountry>CHN</DestinationCountry>"
)


def dec(
    client: str = "",
    unified: str = "",
    number: str = "",
    price: int = 12,
    signed: str = "",
    person: str = "",
    enterprise: str = "91410100MA9F2K7T1P",
    flag: str = "E",
) -> bytes:
    """A DecMessage; `price` tells its contents apart."""
    head = HEAD.format(flag=flag, person=person, enterprise=enterprise, number=number, unified=unified)
    sign = f"<ClientSeqNo>{client}</ClientSeqNo><SignDate>{signed}</SignDate>"
    return (
        f"<DecMessage><DecHead>{head}</DecHead><DecLists><DecList>{LINE.format(price=price)}</DecList></DecLists>"
        f"<DecSign>{sign}</DecSign></DecMessage>"
    ).encode()


def response(client: str, unified: str) -> bytes:
    """The window's answer to a client whose file it took."""
    return (
        '<DecImportResponse xmlns="http://www.chinaport.gov.cn/dec"><ResponseCode>0</ResponseCode>'
        f"<ErrorMessage>暂存成功</ErrorMessage><ClientSeqNo>{client}</ClientSeqNo><SeqNo>{unified}</SeqNo>"
        "</DecImportResponse>"
    ).encode()


def receipt(unified: str, number: str, channel: str = "L", time: str = "2026-03-03T10:00:00") -> bytes:
    """A receipt of customs."""
    return (
        f"<DEC_DATA><DEC_RESULT><CUS_CIQ_NO>{unified}</CUS_CIQ_NO><ENTRY_ID>{number}</ENTRY_ID>"
        f"<NOTICE_DATE>{time}</NOTICE_DATE><CHANNEL>{channel}</CHANNEL><NOTE>x</NOTE></DEC_RESULT></DEC_DATA>"
    ).encode()


@dataclass
class Numbers:
    """The numbers of one declaration, nobody else's."""

    client: str
    unified: str
    number: str


_counter = itertools.count(1)


def numbers(digit: str = "0") -> Numbers:
    """Numbers that no other test has."""
    count = next(_counter)
    return Numbers(f"QH{count:06}", f"E2026{count:013}", f"46042026{digit}{count:09}")


async def send(intake: Intake, *contents: bytes) -> list[tuple[str, str]]:
    """Sends documents, all in one import: their outcomes and what they became."""
    documents = [document(f"{place}.xml", content) for place, content in enumerate(contents)]
    verdicts = await intake.send(*documents)
    assert not [told(verdict) for verdict in verdicts if verdict.problems], [told(verdict) for verdict in verdicts]
    return [(Verdict.Outcome.Name(verdict.outcome), verdict.resource) for verdict in verdicts]


async def drafts(intake: Intake, caller: Caller = EXPORTER, **wanted: Any) -> list[Any]:
    """A caller's drafts."""
    return list((await intake.call("ListDrafts", declarations_pb2.ListDraftsRequest(**wanted), caller)).drafts)


async def draft_of(intake: Intake, each_numbers: Numbers) -> Any:
    """The one draft with a client's number."""
    (found,) = await drafts(intake, client_number=each_numbers.client)
    return found


async def declared(intake: Intake, number: str, caller: Caller = EXPORTER) -> Any:
    """A declaration."""
    return await intake.call(
        "GetDeclaration", declarations_pb2.GetDeclarationRequest(name=f"declarations/{number}"), caller
    )


async def persons(intake: Intake, name: str, caller: Caller = EXPORTER) -> list[str]:
    """The persons that a resource names."""
    request = personal_pb2.GetPersonalDataRequest(name=name, reason="a test")
    return [person.name for person in (await intake.call("GetPersonalData", request, caller)).persons]


async def refused(intake: Intake, method: str, request: Any, caller: Caller) -> str:
    """The reason of a refusal."""
    with pytest.raises(RemoteError) as caught:
        await intake.call(method, request, caller)
    return caught.value.reason


async def watched(intake: Intake, name: str, count: int) -> list[Any]:
    """The first events on a resource that its enterprise is told."""
    platform, found = intake.platform, list[Any]()
    watch = platform.channels["declarations"].unary_stream(contract("declarations").path("Watch"))
    assertion = platform.signer.assertion(EXPORTER, "declarations", SystemClock().now_us())
    request = events_pb2.WatchRequest(resource=name).SerializeToString()
    async with asyncio.timeout(20):
        async for raw in watch(request, metadata=[(ASSERTION_KEY, assertion)]):
            found += events_pb2.WatchResponse.FromString(raw).events
            if len(found) >= count:
                return found
    raise AssertionError


async def test_a_declaration_without_a_number_is_kept(intake: Intake) -> None:
    each_numbers = numbers()
    ((outcome, name),) = await send(intake, dec(each_numbers.client, signed="2026030110000000", person="陈示例"))
    assert (outcome, name.partition("/")[0]) == ("ACCEPTED", "drafts")
    draft = await intake.call("GetDraft", declarations_pb2.GetDraftRequest(name=name), EXPORTER)
    assert (draft.state, draft.client_number, draft.unified_number) == (Draft.WAITING, each_numbers.client, "")
    assert (draft.content.declaration_number, draft.content.contract_number) == ("", "EX-2026-001")
    assert (draft.content.lines[0].origin_country, draft.content.lines[0].destination_country) == ("CHN", "USA")
    assert draft.sign_time.ToJsonString() == "2026-03-01T02:00:00Z"
    assert draft.waits_for.reason == "UNIFIED_NUMBER_AWAITED"
    assert await send(intake, dec(each_numbers.client, signed="2026030110000000", person="陈示例")) == [
        ("DUPLICATE", name)
    ]
    assert await drafts(intake, client_number=each_numbers.client) == [draft]


async def test_joined_by_the_windows_answer_and_numbered_by_customs(intake: Intake) -> None:
    each_numbers = numbers()
    ((_, name),) = await send(intake, dec(each_numbers.client, person="陈示例"))
    assert await send(intake, response(each_numbers.client, each_numbers.unified)) == [("ACCEPTED", name)]
    assert (await draft_of(intake, each_numbers)).waits_for.reason == "CUSTOMS_NUMBER_AWAITED"
    assert await send(intake, response(each_numbers.client, each_numbers.unified)) == [("DUPLICATE", name)]
    await send(intake, receipt(each_numbers.unified, each_numbers.number, "P"))
    draft = await draft_of(intake, each_numbers)
    assert (draft.state, draft.declaration) == (Draft.DECLARED, f"declarations/{each_numbers.number}")
    assert not draft.HasField("waits_for")
    found = await declared(intake, each_numbers.number)
    assert found.status == declarations_pb2.Declaration.RELEASED
    assert found.eligibility.verdict == declarations_pb2.Eligibility.CONDITIONAL
    assert (found.unified_number, found.declared_value.minor_units) == (each_numbers.unified, 120_000)
    assert await persons(intake, found.name) == await persons(intake, draft.name) == ["陈示例"]
    # What comes with the number later and says the same is known.
    again = dec(unified=each_numbers.unified, number=each_numbers.number)
    assert await send(intake, again) == [("DUPLICATE", f"declarations/{each_numbers.number}")]


async def test_a_draft_is_financed_under_its_number_alone(intake: Intake) -> None:
    each_numbers = numbers()
    ((_, name),) = await send(intake, dec(each_numbers.client, each_numbers.unified))
    consent = declarations_pb2.CreateConsentRequest(
        consent=declarations_pb2.Consent(institution=BANK.tenant, purpose="tests")
    )
    consent.consent.expire_time.FromDatetime(datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC))
    await intake.call("CreateConsent", consent, EXPORTER)

    def reserve(asset: str) -> declarations_pb2.ReserveEncumbranceRequest:
        request = declarations_pb2.ReserveEncumbranceRequest(
            encumbrance_id=derived("drafts", each_numbers.number, asset)
        )
        item = request.encumbrance.items.add(asset=asset)
        item.amount.currency_code, item.amount.minor_units = "USD", 1000
        request.encumbrance.asset_class = declarations_pb2.Encumbrance.RECEIVABLE
        return request

    assert await refused(intake, "ReserveEncumbrance", reserve(name), BANK) == "INVALID_FIELDS"
    assert await refused(intake, "ReserveEncumbrance", reserve(f"declarations/{each_numbers.number}"), BANK) != ""
    await send(intake, receipt(each_numbers.unified, each_numbers.number, "P"))
    reserved = await intake.call("ReserveEncumbrance", reserve(f"declarations/{each_numbers.number}"), BANK)
    assert reserved.state == declarations_pb2.Encumbrance.RESERVED


async def test_others_see_no_drafts(intake: Intake) -> None:
    each_numbers = numbers()
    ((_, name),) = await send(intake, dec(each_numbers.client, person="陈示例"))
    assert await drafts(intake, STRANGER, client_number=each_numbers.client) == []
    assert [draft.name for draft in await drafts(intake, WINDOW, client_number=each_numbers.client)] == [name]
    get, data = declarations_pb2.GetDraftRequest(name=name), personal_pb2.GetPersonalDataRequest(name=name, reason="x")
    assert await refused(intake, "GetDraft", get, STRANGER) == "NOT_FOUND"
    assert await refused(intake, "GetPersonalData", data, STRANGER) == "NOT_FOUND"
    for caller in (BANK,):
        unknown = personal_pb2.GetPersonalDataRequest(name="drafts/none", reason="x")
        assert await refused(intake, "GetPersonalData", data, caller) == "CONSENT_MISSING"
        assert await refused(intake, "GetPersonalData", unknown, caller) == "CONSENT_MISSING"


async def test_what_a_draft_waits_for_is_told(intake: Intake) -> None:
    each_numbers, two = numbers(), numbers("1")
    ((_, name),) = await send(intake, dec(price=next(_counter)))
    (found,) = [draft for draft in await drafts(intake) if draft.name == name]
    assert found.waits_for.reason == "DRAFT_WITHOUT_NUMBERS"
    # A number of the other direction isn't its.
    await send(intake, dec(two.client, two.unified), receipt(two.unified, two.number))
    assert (await draft_of(intake, two)).waits_for.reason == "CUSTOMS_NUMBER_OF_ANOTHER"
    # The same client's number at two enterprises.
    await send(intake, dec(each_numbers.client), dec(each_numbers.client, enterprise="91411023MAXY00112A"))
    assert await send(intake, response(each_numbers.client, each_numbers.unified)) == [("ACCEPTED", "")]
    assert (await draft_of(intake, each_numbers)).waits_for.reason == "CLIENT_NUMBER_OF_SEVERAL"
    await send(
        intake,
        dec(each_numbers.client, each_numbers.unified, signed="2026030110000000"),
        receipt(each_numbers.unified, each_numbers.number),
    )
    assert (await draft_of(intake, each_numbers)).state == Draft.DECLARED
    (other,) = await drafts(intake, STRANGER, client_number=each_numbers.client)
    assert other.state == Draft.WAITING


async def test_an_answer_that_contradicts_one_before_is_refused(intake: Intake) -> None:
    each_numbers, two = numbers(), numbers()
    await send(intake, response(each_numbers.client, each_numbers.unified))
    (verdict,) = await intake.send(document("a.xml", response(each_numbers.client, two.unified)))
    assert told(verdict)[1:] == ("REFUSED", [("unified_number", "CLIENT_NUMBER_TIED_OTHERWISE")])


async def test_several_customs_numbers_are_none(intake: Intake) -> None:
    each_numbers, two = numbers(), numbers()
    await send(intake, receipt(each_numbers.unified, each_numbers.number), receipt(each_numbers.unified, two.number))
    await send(intake, dec(each_numbers.client, each_numbers.unified))
    assert (await draft_of(intake, each_numbers)).waits_for.reason == "CUSTOMS_NUMBERS_SEVERAL"
    # The declaration itself says which is right.
    await send(intake, dec(each_numbers.client, each_numbers.unified, each_numbers.number))
    assert (await draft_of(intake, each_numbers)).declaration == f"declarations/{each_numbers.number}"


async def test_rows_without_a_number_are_drafts_too(intake: Intake) -> None:
    each_numbers = numbers()
    row = declarations_pb2.Declaration(
        client_number=each_numbers.client,
        unified_number=each_numbers.unified,
        enterprise=EXPORTER.tenant,
        trade_mode="0110",
        transport_mode="2",
        destination_country="USA",
    )
    row.declared_value.currency_code, row.declared_value.minor_units = "USD", 1000
    line = row.lines.add(line_number=1, commodity_code="6704200000", goods_name="wigs", origin_country="CHN")
    line.quantity.value, line.unit_price.value = "3", "3.3333"
    line.total.CopyFrom(row.declared_value)
    request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
    (verdict,) = (await intake.call("BatchCreateDeclarations", request)).verdicts
    assert verdict.outcome == Verdict.ACCEPTED, verdict
    await send(intake, receipt(each_numbers.unified, each_numbers.number))
    assert (await declared(intake, each_numbers.number)).declared_value.minor_units == 1000


async def test_a_row_without_any_number_is_refused(intake: Intake) -> None:
    row = declarations_pb2.Declaration(enterprise=EXPORTER.tenant, trade_mode="0110", transport_mode="2")
    row.declared_value.currency_code, row.declared_value.minor_units = "USD", 1000
    line = row.lines.add(line_number=1, commodity_code="6704200000", goods_name="wigs")
    line.total.CopyFrom(row.declared_value)
    request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
    (verdict,) = (await intake.call("BatchCreateDeclarations", request)).verdicts
    assert told(verdict)[1:] == ("REFUSED", [("declaration_number", "DECLARATION_NUMBER_MISSING")])


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_client_number_alone_joins_a_draft_to_its_declaration(intake: Intake, is_first: bool) -> None:
    each_numbers = numbers()
    contents = [dec(each_numbers.client, price=12), dec(each_numbers.client, number=each_numbers.number, price=13)]
    for content in contents if is_first else reversed(contents):
        await send(intake, content)
    draft = await draft_of(intake, each_numbers)
    assert (draft.state, draft.declaration) == (Draft.DECLARED, f"declarations/{each_numbers.number}")
    assert (await declared(intake, each_numbers.number)).declared_value.minor_units == 130_000


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_receipts_by_a_unified_number_that_the_declaration_lacks(intake: Intake, order: Sequence[int]) -> None:
    each_numbers = numbers()
    contents = [
        dec(number=each_numbers.number),
        receipt(each_numbers.unified, each_numbers.number, "L", "2026-03-03T10:00:00"),
        receipt(each_numbers.unified, "", "P", "2026-03-03T11:00:00"),
    ]
    for place in order:
        await send(intake, contents[place])
    async with asyncio.timeout(20):
        while (await declared(intake, each_numbers.number)).status != declarations_pb2.Declaration.RELEASED:
            await asyncio.sleep(0.05)


async def test_events_tell_the_enterprise_alone(intake: Intake) -> None:
    each_numbers = numbers()
    ((_, name),) = await send(intake, dec(each_numbers.client, signed="2026030110000000"))
    await send(intake, dec(each_numbers.client, price=13, signed="2026030111000000"))
    await send(
        intake, response(each_numbers.client, each_numbers.unified), receipt(each_numbers.unified, each_numbers.number)
    )
    events = await watched(intake, name, 4)
    assert [event.type for event in events] == ["draft.created", "draft.changed", "draft.changed", "draft.declared"]
    shown = Draft()
    events[-1].payload.Unpack(shown)
    assert (shown.state, shown.content.declared_value.minor_units) == (Draft.DECLARED, 130_000)


def messages_of(each_numbers: Numbers) -> list[bytes]:
    """Returns the messages of one declaration: three of its draft, one too late, the window's answer, two receipts."""
    return [
        dec(each_numbers.client, price=12, signed="2026030110000000", person="陈示例"),
        dec(each_numbers.client, price=14, signed="2026030112000000", person="王示例"),
        dec(each_numbers.client, each_numbers.unified, price=13, signed="2026030111000000"),
        dec("", each_numbers.unified, price=15, signed="2026030109000000"),
        dec(each_numbers.client, price=99, signed="2026030409000000", person="赵示例"),
        response(each_numbers.client, each_numbers.unified),
        receipt(each_numbers.unified, each_numbers.number, "L", "2026-03-03T10:00:00"),
        receipt(each_numbers.unified, each_numbers.number, "P", "2026-03-03T11:00:00"),
    ]


def orders() -> st.SearchStrategy[tuple[list[int], list[int]]]:
    """An order of the messages with repetitions, and after which of them an import ends."""
    places = st.permutations(range(8)).flatmap(
        lambda order: st.lists(st.integers(0, 7), max_size=4).map(lambda more: [*order, *more])
    )
    return st.tuples(places, st.lists(st.integers(1, 11), max_size=4))


async def sent_in(intake: Intake, contents: Sequence[bytes], order: Sequence[int], cuts: Sequence[int]) -> None:
    """Sends messages in an order, in several imports."""
    bounds = [0, *sorted({cut for cut in cuts if cut < len(order)}), len(order)]
    for first, last in itertools.pairwise(bounds):
        await send(intake, *(contents[place] for place in order[first:last]))


async def state_of(intake: Intake, each_numbers: Numbers) -> tuple[Any, ...]:
    """Where a declaration and its draft stand, without what tells when and how often."""
    draft, found = await draft_of(intake, each_numbers), await declared(intake, each_numbers.number)
    lone = await drafts(intake, unified_number=each_numbers.unified)
    said = (found.declared_value.minor_units, found.unified_number == each_numbers.unified, found.status)
    drawn = (draft.state, draft.content.declared_value.minor_units, draft.sign_time.ToJsonString())
    return said, drawn, len(lone), await persons(intake, found.name), await persons(intake, draft.name)


RIGHT = (
    (140_000, True, declarations_pb2.Declaration.RELEASED),
    (Draft.DECLARED, 140_000, "2026-03-01T04:00:00Z"),
    1,
    ["王示例"],
    ["王示例"],
)


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_and_repetition_leads_to_the_same(intake: Intake, seed: int) -> None:
    """DR1: whatever comes first or twice, the same drafts are DECLARED by the same messages."""
    drawn, each_numbers = random.Random(seed), numbers()
    order = [*range(8), *drawn.choices(range(8), k=3)]
    drawn.shuffle(order)
    await sent_in(intake, messages_of(each_numbers), order, drawn.choices(range(1, 11), k=seed % 4))
    assert await state_of(intake, each_numbers) == RIGHT, order


async def test_any_order_by_hypothesis(intake: Intake) -> None:
    drawn: list[tuple[list[int], list[int]]] = []

    @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
    @given(orders())
    def draw(order: tuple[list[int], list[int]]) -> None:
        drawn.append(order)

    draw()
    for order, cuts in drawn:
        each_numbers = numbers()
        await sent_in(intake, messages_of(each_numbers), order, cuts)
        assert await state_of(intake, each_numbers) == RIGHT, (order, cuts)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_what_is_declared_under_the_number_counts(intake: Intake, order: Sequence[int]) -> None:
    each_numbers = numbers()
    contents = [
        dec(each_numbers.client, price=12, signed="2026030110000000", person="陈示例"),
        response(each_numbers.client, each_numbers.unified),
        receipt(each_numbers.unified, each_numbers.number, "P"),
        dec("", each_numbers.unified, each_numbers.number, price=11, person="李示例"),
    ]
    await sent_in(intake, contents, order, [1, 2, 3])
    found = await declared(intake, each_numbers.number)
    assert (found.declared_value.minor_units, found.status) == (110_000, declarations_pb2.Declaration.RELEASED)
    assert await persons(intake, found.name) == ["李示例"]
    draft = await draft_of(intake, each_numbers)
    assert (draft.state, draft.declaration) == (Draft.DECLARED, found.name)


@pytest.mark.parametrize("is_together", [True, False])
async def test_persons_of_a_declaration_that_says_what_its_draft_does(intake: Intake, is_together: bool) -> None:
    each_numbers = numbers()
    await send(
        intake,
        dec(each_numbers.client, each_numbers.unified, person="陈示例"),
        receipt(each_numbers.unified, each_numbers.number),
    )
    same, amended = [await declared(intake, each_numbers.number) for _ in range(2)]
    same.persons.add(part="DECLARANT", name="李示例")
    amended.persons.add(part="DECLARANT", name="孙示例")
    amended.amend_time.FromSeconds(1_800_000_000)
    for rows in [[amended, same]] if is_together else [[same], [amended]]:
        request = declarations_pb2.BatchCreateDeclarationsRequest(declarations=rows)
        verdicts = (await intake.call("BatchCreateDeclarations", request)).verdicts
        assert not [problem for verdict in verdicts for problem in verdict.problems], verdicts
        if rows == [same]:
            assert await persons(intake, f"declarations/{each_numbers.number}") == ["李示例"]
    assert await persons(intake, f"declarations/{each_numbers.number}") == ["孙示例"]


async def test_what_was_settled_isnt_told_again(intake: Intake) -> None:
    two = numbers("1")
    await send(intake, dec(two.client, two.unified), receipt(two.unified, two.number))
    before = await draft_of(intake, two)
    await send(intake, receipt(two.unified, two.number, "P"), dec(two.client, two.unified))
    assert await draft_of(intake, two) == before


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
async def test_of_unsigned_messages_the_one_of_less_value_counts(intake: Intake, order: Sequence[int]) -> None:
    each_numbers = numbers()
    contents = [dec(each_numbers.client, each_numbers.unified, price=price) for price in (12, 10)]
    await sent_in(intake, [*contents, receipt(each_numbers.unified, each_numbers.number)], order, [1, 2])
    assert (await declared(intake, each_numbers.number)).declared_value.minor_units == 100_000


async def test_what_others_took_in_at_the_same_time_is_joined_by_the_sweep(intake: Intake) -> None:
    each_numbers = numbers()
    await send(intake, dec(each_numbers.client, price=12))
    node = intake.platform.nodes["declarations"]
    # As another process leaves it that saw no draft: the numbers alone.
    with node.store.write() as connection:
        window_draft_store.add_unified_number(connection, each_numbers.client, each_numbers.unified)
        window_draft_store.add_numbers(
            connection, {(window_draft_store.of_unified(each_numbers.unified), each_numbers.number): 0}
        )
    await watched(intake, (await draft_of(intake, each_numbers)).name, 2)
    assert (await draft_of(intake, each_numbers)).state == Draft.DECLARED
    assert (await declared(intake, each_numbers.number)).declared_value.minor_units == 120_000


async def test_the_proof_names_a_draft_that_its_rows_contradict(intake: Intake) -> None:
    """DR1: a draft that is DECLARED without a declaration is named."""
    each_numbers = numbers()
    ((_, name),) = await send(intake, dec(each_numbers.client))
    node, identifier = intake.platform.nodes["declarations"], name.removeprefix("drafts/")
    for column, planted, before in (("state", "DECLARED", "WAITING"), ("declaration", "1" * 18, "")):
        _plant(node, identifier, column, planted)
        with node.store.read() as connection:
            found = [text for text in node.service.violations(connection) if name in text]
        assert bool(found) is (column == "state")
        _plant(node, identifier, column, before)


def _plant(node: Any, identifier: str, column: str, value: str) -> None:
    """Writes into a draft's row what no command does."""
    with node.store.write() as connection:
        connection.execute(
            sa.update(draft_store.drafts).where(draft_store.drafts.c.id == identifier).values({column: value})
        )


@pytest.fixture(autouse=True)
async def _no_violation(intake: Intake) -> AsyncIterator[None]:
    """The rows prove themselves after each test."""
    yield
    node = intake.platform.nodes["declarations"]
    with node.store.read() as connection:
        assert list(node.service.violations(connection)) == []
