"""The document register over real ports: two processes of the service, several institutions, both databases."""

import asyncio
import contextlib
import itertools
import pathlib
import uuid
import zlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from aval.declarations.v1 import consent_pb2, declarations_pb2, fingerprint_pb2
from aval.events.v1 import events_pb2
from google.type import date_pb2, decimal_pb2
from sqlalchemy import event

from chassis import testing
from chassis.clock import MICROSECONDS, SystemClock
from chassis.contracts import contract
from chassis.database import Database
from chassis.identity import ASSERTION_KEY, Caller
from chassis.money import Money, to_proto
from chassis.status import RemoteError
from services.declarations.fingerprint import store as fingerprint_store
from services.declarations.fingerprint.model import Span
from services.declarations.fingerprint.store import answered_documents
from services.declarations.schema import metadata
from services.declarations.service import SERVICE

WINDOW = Caller("window/system", "window", frozenset({"WINDOW"}))
ENTERPRISE, RIVAL = "enterprises/91411023MAXY00112A", "enterprises/91410105MAXY002277"
BUYER = "Atlantic Hair Co., Ltd."
SELLER = "Henan Wigs Export Company Limited"
DAY_US = 86_400 * MICROSECONDS
MINUTE_MAX = 600
ROOM = ("registrations", "registered_documents", "document_tokens", "answered_documents", "consents")


def system(tenant: str) -> Caller:
    """An institution's system."""
    role = "BANK_SYSTEM" if tenant.startswith("banks/") else "INSURER_MAKER"
    return Caller(f"{tenant}/system", tenant, frozenset({role}))


def exporter(enterprise: str) -> Caller:
    """Somebody of an enterprise."""
    return Caller(f"{enterprise}/lin", enterprise, frozenset({"EXPORTER"}))


def amount_of(number: str) -> int:
    """An amount that goes with a number, however that is written."""
    digits = "".join(filter(str.isdigit, number.upper().replace("O", "0")))
    return 10_000 + zlib.crc32(digits.encode()) % 10**9


def invoice(number: str, minor_units: int | None = None, day: int = 2, **parties: Any) -> Any:
    """An invoice of the enterprise to its buyer."""
    minor_units = amount_of(number) if minor_units is None else minor_units
    found = fingerprint_pb2.FinancedDocument()
    found.invoice.seller.enterprise = parties.get("enterprise", ENTERPRISE)
    found.invoice.seller.name = parties.get("seller", SELLER)
    found.invoice.buyer.name = parties.get("buyer", BUYER)
    found.invoice.number = number
    found.invoice.date.CopyFrom(date_pb2.Date(year=2026, month=11, day=day))
    found.invoice.amount.CopyFrom(to_proto(Money("USD", minor_units)))
    return found


class Market:
    """Two processes of the register, and the institutions that use it."""

    def __init__(self, platforms: list[testing.Platform]) -> None:
        self.platforms = platforms
        self._banks = itertools.count(1)
        self._numbers = itertools.count(1)

    async def call(self, method: str, request: Any, caller: Caller, process: int = 0) -> Any:
        """A call at one of the processes."""
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        return await self.platforms[process].call(SERVICE.name, method, request, caller)

    async def bank(self, kind: str = "banks", enterprise: str = ENTERPRISE, purposes: Sequence[str] = ()) -> Caller:
        """A new institution that an enterprise lets see: its limits are untouched."""
        index = next(self._banks)
        name = f"LMHFCN{index:02}" if kind == "banks" else f"ZZZZ00HYXB20260{index:05}"
        consent = declarations_pb2.Consent(institution=f"{kind}/{name}", purpose="trade finance", purposes=purposes)
        consent.expire_time.FromMicroseconds(SystemClock().now_us() + DAY_US)
        request = declarations_pb2.CreateConsentRequest(consent=consent)
        await self.call("CreateConsent", request, exporter(enterprise))
        return system(consent.institution)

    def number(self) -> str:
        """A number that no test used, and unlike all that were."""
        return f"INV-2026-{zlib.crc32(str(next(self._numbers)).encode()):010}"

    async def register(self, caller: Caller, *documents: Any, process: int = 0, **fields: Any) -> Any:
        """A registration and what the register knows."""
        registration = fingerprint_pb2.Registration(
            applicant=fields.get("applicant", ENTERPRISE), amount=to_proto(Money("USD", 1_000_00)), documents=documents
        )
        identifier = fields.get("identifier") or str(uuid.uuid4())
        request = fingerprint_pb2.RegisterDocumentsRequest(registration_id=identifier, registration=registration)
        return await self.call("RegisterDocuments", request, caller, process)

    async def check(self, caller: Caller, *documents: Any, applicant: str = ENTERPRISE, request_id: str = "") -> Any:
        """Returns what the register knows of documents."""
        request = fingerprint_pb2.CheckDocumentsRequest(request_id=request_id, applicant=applicant, documents=documents)
        return await self.call("CheckDocuments", request, caller)

    async def declare(self, enterprise: str) -> str:
        """The number of an enterprise's declaration."""
        row = declarations_pb2.Declaration(
            declaration_number=f"46012026{next(self._numbers):010}",
            enterprise=enterprise,
            trade_mode="0110",
            transport_mode="2",
            destination_country="USA",
            export_date=date_pb2.Date(year=2026, month=11, day=2),
            declared_value=to_proto(Money("USD", 100_00)),
        )
        entry = decimal_pb2.Decimal(value="1")
        row.lines.add(
            line_number=1,
            commodity_code="6704200000",
            goods_name="WIGS",
            quantity=entry,
            unit_price=decimal_pb2.Decimal(value="100"),
            total=to_proto(Money("USD", 100_00)),
            origin_country="CHN",
        )
        batch = declarations_pb2.BatchCreateDeclarationsRequest(declarations=[row])
        answer = await self.call("BatchCreateDeclarations", batch, WINDOW)
        assert answer.verdicts[0].outcome == declarations_pb2.IntakeVerdict.ACCEPTED, answer
        return str(row.declaration_number)

    async def events(self, caller: Caller) -> list[Any]:
        """All that its stream tells an institution."""
        platform, path = self.platforms[0], contract(SERVICE.name).path("Watch")
        assertion = platform.signer.assertion(caller, SERVICE.name, SystemClock().now_us())
        stream = platform.channels[SERVICE.name].unary_stream(path)
        request = events_pb2.WatchRequest(until_end=True).SerializeToString()
        told: list[Any] = []
        async for raw in stream(request, metadata=[(ASSERTION_KEY, assertion)], timeout=20):
            told += events_pb2.WatchResponse.FromString(raw).events
        return told


async def refusal(awaited: Any) -> RemoteError:
    """Why a call is refused."""
    with pytest.raises(RemoteError) as refused:
        await awaited
    return refused.value


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
async def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Market]:
    folder: pathlib.Path = tmp_path_factory.mktemp("register")
    database = f"sqlite:///{folder / 'store'}"
    if request.param == "postgresql":
        database = request.getfixturevalue("postgresql_server").new_database()
    platforms = [testing.Platform(folder, database, [SERVICE]) for _ in range(2)]
    for platform in platforms:
        await platform.start()
    yield Market(platforms)
    for platform in platforms:
        await platform.stop()


def state(match: Any) -> str:
    """The name of a match's state."""
    return str(fingerprint_pb2.Registration.State.Name(match.state))


async def test_a_second_institution_learns_what_is_registered_and_not_by_whom(market: Market) -> None:
    """PD5: score, reasons and state are told, the other institution isn't."""
    first, second, insurer = await market.bank(), await market.bank(), await market.bank("insurers")
    number = market.number()
    made = await market.register(first, invoice(number))
    assert not made.documents[0].matches

    (match,) = (await market.register(second, invoice(f" {number.lower()}"))).documents[0].matches
    assert (match.tier, match.score, state(match)) == (match.EXACT, 100, "REGISTERED")
    assert {reason.reason for reason in match.reasons} == {"NUMBER_SAME", "PARTY_SAME", "AMOUNT_SAME", "DATE_SAME"}
    assert all(reason.english and reason.chinese for reason in match.reasons)
    assert match.registered_month.month
    assert not match.registered_month.day
    assert first.tenant.encode() not in match.SerializeToString()
    assert not match.registration

    near = (
        (await market.check(insurer, invoice(number.replace("0", "O"), amount_of(number) * 1005 // 1000, day=6)))
        .documents[0]
        .matches
    )
    assert [(entry.tier, entry.registration) for entry in near] == [(entry.NEAR, "") for entry in near]
    assert len(near) == 2
    assert {reason.reason for reason in near[0].reasons} == {
        "NUMBER_FOLDED", "PARTY_SAME", "AMOUNT_NEAR", "DATE_NEAR"
    }  # fmt: skip
    own = (await market.check(first, invoice(number))).documents[0].matches
    assert sorted(entry.registration for entry in own) == ["", made.registration.name]


async def test_states_as_others_see_them(market: Market) -> None:
    holder, other = await market.bank(), await market.bank()
    number = market.number()
    made = (await market.register(holder, invoice(number))).registration
    seen = []
    for verb in ("MarkFinanced", "MarkRepaid"):
        request = getattr(fingerprint_pb2, f"{verb}Request")(name=made.name, etag=made.etag)
        made = await market.call(verb, request, holder)
        seen.append(state((await market.check(other, invoice(number))).documents[0].matches[0]))
    assert seen == ["FINANCED", "REPAID"]
    stale = fingerprint_pb2.CancelRegistrationRequest(name=made.name, etag="1")
    assert (await refusal(market.call("CancelRegistration", stale, holder))).reason == "ETAG_MISMATCH"
    wrong = fingerprint_pb2.CancelRegistrationRequest(name=made.name)
    assert (await refusal(market.call("CancelRegistration", wrong, holder))).reason == "WRONG_STATE"

    number = market.number()
    made = (await market.register(holder, invoice(number))).registration
    await market.call("CancelRegistration", fingerprint_pb2.CancelRegistrationRequest(name=made.name), holder)
    assert state((await market.check(other, invoice(number))).documents[0].matches[0]) == "CANCELLED"
    types = [entry.type for entry in await market.events(holder) if entry.type.startswith("registration.")]
    assert types == [
        "registration.registered", "registration.financed", "registration.repaid",
        "registration.registered", "registration.cancelled",
    ]  # fmt: skip


async def test_the_earlier_one_is_alerted_and_not_told_by_whom(market: Market) -> None:
    first, second = await market.bank(), await market.bank()
    number = market.number()
    made = await market.register(first, invoice(market.number()), invoice(number))
    await market.check(second, invoice(number))
    assert "registration.matched" not in [entry.type for entry in await market.events(first)]
    later = await market.register(second, invoice(number))
    alerts = [entry for entry in await market.events(first) if entry.type == "registration.matched"]
    assert [alert.resource for alert in alerts] == [made.registration.name]
    payload = fingerprint_pb2.RegistrationMatched()
    alerts[0].payload.Unpack(payload)
    assert (payload.registration, payload.document_index) == (made.registration.name, 1)
    assert (payload.match.score, state(payload.match), payload.match.registration) == (100, "REGISTERED", "")
    told = alerts[0].SerializeToString()
    for trace in (second.tenant, later.registration.name, number):
        assert trace.encode() not in told
    assert not alerts[0].traceparent
    for stranger in (second, exporter(ENTERPRISE)):
        assert all("matched" not in entry.type for entry in await market.events(stranger))


async def test_who_registers_again_what_is_his_alerts_nobody(market: Market) -> None:
    holder, number = await market.bank(), market.number()
    first = await market.register(holder, invoice(number))
    (match,) = (await market.register(holder, invoice(number))).documents[0].matches
    assert match.registration == first.registration.name
    assert "registration.matched" not in [entry.type for entry in await market.events(holder)]


async def test_the_same_registration_again_is_the_same(market: Market) -> None:
    holder, number = await market.bank(), market.number()
    made = await market.register(holder, invoice(number))
    identifier = made.registration.name.removeprefix("registrations/")
    again = await market.register(holder, invoice(number), identifier=identifier)
    assert again == made
    refused = await refusal(market.register(holder, invoice(market.number()), identifier=identifier))
    assert refused.reason == "REGISTRATION_ID_TAKEN"
    assert [entry.type for entry in await market.events(holder)].count("registration.registered") == 1


async def test_two_holders_registrations_may_have_the_same_id(market: Market) -> None:
    """It tells neither that the other's is there, and each calls its own by it."""
    holder, other, identifier = await market.bank(), await market.bank(), str(uuid.uuid4())
    made = [
        (await market.register(caller, invoice(market.number()), identifier=identifier)).registration
        for caller in (holder, other)
    ]
    assert made[0].name != made[1].name
    for caller, own in zip((holder, other), made, strict=True):
        request = fingerprint_pb2.GetRegistrationRequest(name=f"registrations/{identifier}")
        assert await market.call("GetRegistration", request, caller) == own
    financed = fingerprint_pb2.MarkFinancedRequest(request_id=str(uuid.uuid4()), name=f"registrations/{identifier}")
    assert (await market.call("MarkFinanced", financed, other)).name == made[1].name


async def test_only_the_holder_reads_and_moves_a_registration(market: Market) -> None:
    holder, other = await market.bank(), await market.bank()
    made = [(await market.register(holder, invoice(market.number()))).registration for _ in range(3)]
    page = await market.call("ListRegistrations", fingerprint_pb2.ListRegistrationsRequest(page_size=2), holder)
    rest = fingerprint_pb2.ListRegistrationsRequest(page_size=2, page_token=page.next_page_token)
    listed = [*page.registrations, *(await market.call("ListRegistrations", rest, holder)).registrations]
    assert listed == made[::-1]
    get = fingerprint_pb2.GetRegistrationRequest(name=made[0].name)
    assert await market.call("GetRegistration", get, holder) == made[0]
    assert not made[0].documents
    assert made[0].kinds == [fingerprint_pb2.FinancedDocument.INVOICE]
    for method in ("GetRegistration", "MarkFinanced", "MarkRepaid", "CancelRegistration"):
        request = getattr(fingerprint_pb2, f"{method}Request")(name=made[0].name)
        strange = await refusal(market.call(method, request, other))
        unknown = type(request)(name=f"registrations/{uuid.uuid4()}")
        assert (strange.reason, strange.code) == (
            (await refusal(market.call(method, unknown, other))).reason,
            strange.code,
        )
    listing = fingerprint_pb2.ListRegistrationsRequest()
    assert not (await market.call("ListRegistrations", listing, other)).registrations
    # The applicant sees what was made for it, and another enterprise doesn't.
    assert await market.call("GetRegistration", get, exporter(ENTERPRISE)) == made[0]
    assert (await market.call("ListRegistrations", listing, exporter(ENTERPRISE))).registrations[:3] == made[::-1]
    assert (await refusal(market.call("GetRegistration", get, exporter(RIVAL)))).reason == "NOT_FOUND"
    assert not (await market.call("ListRegistrations", listing, exporter(RIVAL))).registrations


async def test_nobody_is_answered_without_the_applicants_consent(market: Market) -> None:
    stranger = system("banks/STRANGE0")
    document = invoice(market.number())
    for asked in (market.register(stranger, document), market.check(stranger, document)):
        assert (await refusal(asked)).reason == "CONSENT_MISSING"
    # The consent of one enterprise opens nothing of another's.
    bank = await market.bank(enterprise=RIVAL)
    refused = await refusal(market.check(bank, document, applicant=RIVAL))
    assert [problem.reason for problem in refused.problems] == ["APPLICANT_NOT_PARTY"]


async def test_consent_is_for_a_purpose_and_every_answer_is_written_down(market: Market) -> None:
    bank, insurer = await market.bank(), await market.bank("insurers", purposes=["FINANCING"])
    number = market.number()
    assert (await refusal(market.check(insurer, invoice(number)))).reason == "CONSENT_MISSING"
    await market.check(bank, invoice(number))
    made = await market.register(bank, invoice(number))
    await refusal(market.check(bank, invoice("-")))
    request = consent_pb2.ListDisclosuresRequest(reader=bank.tenant)
    told = (await market.call("ListDisclosures", request, exporter(ENTERPRISE))).disclosures
    assert [(entry.method, list(entry.resources)) for entry in told] == [
        ("RegisterDocuments", [made.registration.name]),
        ("CheckDocuments", ["registrations/-"]),
    ]


async def test_a_declaration_must_be_the_applicants_and_an_unknown_one_looks_like_anothers(market: Market) -> None:
    bank, other = await market.bank(), await market.bank()
    own, rivals = await market.declare(ENTERPRISE), await market.declare(RIVAL)
    document = fingerprint_pb2.FinancedDocument(declaration_number=own)
    assert not (await market.register(bank, document)).documents[0].matches
    spaced = f" {own[:4]} {own[4:]}"
    (match,) = (await market.check(other, type(document)(declaration_number=spaced))).documents[0].matches
    assert match.score == 100
    refusals = [
        await refusal(market.check(other, type(document)(declaration_number=number)))
        for number in (rivals, "460120260999999999")
    ]
    for refused in refusals:
        assert [(problem.path, problem.reason) for problem in refused.problems] == [
            ("documents[0].declaration_number", "DECLARATION_NOT_APPLICANTS")
        ]


async def test_bills_and_orders_are_found_too(market: Market) -> None:
    bank, other = await market.bank(), await market.bank()
    date = date_pb2.Date(year=2026, month=11, day=2)
    bill, order = fingerprint_pb2.FinancedDocument(), fingerprint_pb2.FinancedDocument()
    bill.transport_document.carrier, bill.transport_document.number = "Maersk Line A/S", "MAEU-584920117"
    bill.transport_document.date.CopyFrom(date)
    order.order.issuer.name, order.order.number = "Atlantic Hair Co Ltd", "PO 4500012345"
    order.order.date.CopyFrom(date)
    order.order.amount.CopyFrom(to_proto(Money("USD", 4_000_00)))
    made = await market.register(bank, bill, order)
    assert [len(document.matches) for document in made.documents] == [0, 0]
    bill.transport_document.number, order.order.number = "maeu584920117", "P0-4500012345"
    found = await market.check(other, bill, order)
    assert [[match.score for match in each.matches] for each in found.documents] == [[95], [98]]


async def test_every_problem_of_a_request_is_told_at_once(market: Market) -> None:
    bank = await market.bank()
    wrong = invoice("---", minor_units=0, enterprise=RIVAL)
    wrong.invoice.date.CopyFrom(date_pb2.Date(year=2026, month=2, day=30))
    twice = invoice(market.number())
    refused = await refusal(market.check(bank, wrong, twice, twice))
    assert [(problem.path, problem.reason) for problem in refused.problems] == [
        ("documents[0].invoice.seller.enterprise", "APPLICANT_NOT_PARTY"),
        ("documents[0].invoice.number", "NUMBER_EMPTY"),
        ("documents[0].invoice.date", "DATE_INVALID"),
        ("documents[0].invoice.amount", "AMOUNT_INVALID"),
        ("documents[2]", "DOCUMENT_REPEATED"),
    ]


async def test_of_institutions_that_register_at_once_exactly_one_learns_nothing(market: Market) -> None:
    """B1: eight institutions at two processes register the same twelve invoices: each sees all before it."""
    banks = [await market.bank() for _ in range(8)]
    numbers = [market.number() for _ in range(12)]

    async def race(number: str) -> list[Any]:
        ways = (number, number.lower(), number.replace("-", "/"), number.replace("0", "O"))
        return await asyncio.gather(
            *(market.register(bank, invoice(ways[index % 4]), process=index % 2) for index, bank in enumerate(banks))
        )

    for answers in await asyncio.gather(*map(race, numbers)):
        found = [answer.documents[0].matches for answer in answers]
        assert sorted(map(len, found)) == list(range(8))
        assert all(match.score >= 98 for matches in found for match in matches)


async def test_what_runs_on_is_a_fixed_number_of_statements(market: Market) -> None:
    bank = await market.bank()
    statements: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    counts = []
    for size in (2, 50):
        documents = [invoice(market.number()) for _ in range(size)]
        await market.register(bank, *documents)
        event.listen(sa.Engine, "before_cursor_execute", listen)
        statements.clear()
        found = await market.register(bank, *documents)
        event.remove(sa.Engine, "before_cursor_execute", listen)
        assert [len(document.matches) for document in found.documents] == [1] * size
        counts.append(sum(any(table in statement for table in ROOM) for statement in statements))
    # The rows of documents and tokens go in by the driver: two more.
    assert 0 < counts[0] == counts[1] <= 8, statements


async def test_the_register_answers_so_many_documents_and_then_says_when_to_ask_again(market: Market) -> None:
    bank, request_id = await market.bank(), str(uuid.uuid4())
    documents = [invoice(market.number()) for _ in range(50)]
    first = await market.check(bank, *documents, request_id=request_id)
    refused = None
    # A new minute may begin on the way, once.
    for _ in range(2 * MINUTE_MAX // len(documents)):
        try:
            await market.check(bank, *documents)
        except RemoteError as error:
            refused = error
            break
    assert refused is not None
    assert (refused.reason, refused.code.name) == ("TOO_MANY_DOCUMENTS", "RESOURCE_EXHAUSTED")
    retry = sa.DateTime().python_type.fromisoformat(refused.metadata["retry_time"])
    assert 0 <= retry.timestamp() * MICROSECONDS - SystemClock().now_us() + 5 * MICROSECONDS <= 65 * MICROSECONDS
    # What was answered stays answered, and others are answered as before.
    assert await market.check(bank, *documents, request_id=request_id) == first
    assert await market.check(await market.bank(), *documents)


async def test_requests_at_once_are_answered_up_to_the_limit(market: Market) -> None:
    """One batch of the writer: what fits is answered, the rest is refused and not counted."""
    documents = [invoice(market.number()) for _ in range(50)]
    few = [invoice(market.number()) for _ in range(25)]
    # A new minute may begin on the way, once.
    for _ in range(2):
        bank, neighbour = await market.bank(), await market.bank()
        asked = [market.check(bank, *documents) for _ in range(MINUTE_MAX // 50 - 1)]
        asked += [market.check(bank, *few), market.check(neighbour, *few), market.check(bank, *documents)]
        asked += [market.check(bank, *few), market.check(bank, few[0])]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        refused = [index for index, base_exception in enumerate(outcomes) if isinstance(base_exception, RemoteError)]
        if refused:
            break
    assert refused == [len(asked) - 3, len(asked) - 1]
    with market.platforms[0].nodes[SERVICE.name].store.read() as connection:
        counted = sa.select(answered_documents.c.documents).where(answered_documents.c.institution == bank.tenant)
        assert list(connection.execute(counted).scalars()) == [MINUTE_MAX, MINUTE_MAX]


def another_process(market: Market) -> Database:
    """The store as one more process has it."""
    return Database(market.platforms[0].nodes[SERVICE.name].store.url, SERVICE.name)


def test_counting_is_exact_under_concurrency(market: Market) -> None:
    """B3: the writers of two processes count together: exactly as many stand as may."""
    window = fingerprint_store.Window(Span.MINUTE, 0, 30)

    def count(database: Database) -> int:
        granted = 0
        for _ in range(40):
            with database.write() as connection:
                granted += not fingerprint_store.count(connection, "banks/COUNTING", [window], 1)
        database.close()
        return granted

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(count, [another_process(market), another_process(market)])) == 30


def test_a_new_window_starts_from_nothing_and_a_refusal_counts_nothing(market: Market) -> None:
    with contextlib.closing(another_process(market)) as database, database.write() as connection:

        def count(start_us: int, documents: int) -> bool:
            window = fingerprint_store.Window(Span.DAY, start_us, 100)
            return not fingerprint_store.count(connection, "banks/WINDOWS0", [window], documents)

        assert not count(0, 101)
        assert [count(0, 60), count(0, 60), count(0, 40), count(0, 1)] == [True, False, True, False]
        # A clock that was read just before the window changed counts in the new one.
        assert [count(60, 90), count(0, 10), count(60, 1)] == [True, True, False]


async def test_the_store_holds_no_number_and_no_name(market: Market) -> None:
    """B2: neither the rows of any table nor the database's files hold a registered number, name or amount."""
    bank, other = await market.bank(), await market.bank()
    secrets = ("QX7Z-88121", "QX7Z88121", "Zanzibar Perruques", "zanzibarperruques", "Kilimanjaro Carrier", "KLMJ77120")
    date = date_pb2.Date(year=2026, month=11, day=2)
    document = invoice(secrets[0], 9_173_551, buyer=secrets[2])
    bill = fingerprint_pb2.FinancedDocument()
    bill.transport_document.carrier, bill.transport_document.number = secrets[4], secrets[5]
    bill.transport_document.date.CopyFrom(date)
    for caller in (bank, other):
        await market.register(caller, document, bill)
        await market.check(caller, document, bill)
    content = _content(market)
    assert b"registration.matched" in content
    for secret in (*secrets, "9173551"):
        for form in (secret, secret.lower(), secret.upper()):
            assert form.encode() not in content, form


def _content(market: Market) -> bytes:
    """All rows of all tables, and the files of the embedded database as they are."""
    database = market.platforms[0].nodes[SERVICE.name].store
    found = []
    with database.read() as connection:
        tables = set(sa.inspect(connection).get_table_names(schema=None)) | set(metadata.tables)
        for table in sorted(tables):
            rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()
            found += [value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row]
    if database.dialect == "sqlite":
        folder = pathlib.Path(database.url.removeprefix("sqlite:///"))
        found += [file.read_bytes() for file in folder.glob("declarations.sqlite*")]
    return b"\n".join(found)
