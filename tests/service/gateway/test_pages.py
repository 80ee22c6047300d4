"""Pages, live events, the receiver of spans and the operators' traces."""

import asyncio
import html
import json
import re
import uuid

import httpx
import pytest
from aval.declarations.v1 import declarations_pb2
from aval.loans.v1 import loans_pb2
from aval.type.v1 import money_pb2
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from chassis.certificates import Credentials
from chassis.channel import channel_credentials
from chassis.money import Money
from gateway.pages.page import Form, environment
from gateway.pages.texts import texts
from tests.gateway_world import PASSWORD, World, declare

ENUMS = {
    "status": declarations_pb2.Declaration.Status,
    "verdict": declarations_pb2.Eligibility.Verdict,
    "application_state": loans_pb2.Application.State,
    "offer_state": loans_pb2.Offer.State,
    "loan_state": loans_pb2.Loan.State,
}


def test_both_languages_have_the_same_texts() -> None:
    assert texts("en").keys() == texts("zh-CN").keys()
    assert all(value.strip() for language in ("en", "zh-CN") for value in texts(language).values())


@pytest.mark.parametrize("kind", ENUMS)
def test_every_state_has_a_text(kind: str) -> None:
    states = [name for name, number in ENUMS[kind].items() if number]
    assert states
    assert all(f"{kind}.{name}" in texts("en") for name in states)


def form_token(page: httpx.Response, action: str = "/sign-in") -> str:
    """The token of a page's form for a path."""
    found = re.search(rf'action="{action}"[^>]*>.*?name="form_token" value="([0-9a-f]+)"', page.text, re.S)
    assert found
    return found[1]


async def test_signing_in_by_the_form(world: World) -> None:
    async with world.browser("zh-CN") as client:
        assert (await client.get("/")).headers["location"] == "/sign-in"
        page = await client.get("/sign-in")
        form = {"login": "ruijia.li", "password": "wrong", "form_token": form_token(page)}
        refused = await client.post("/sign-in", data=form)
        assert refused.status_code == 401
        assert "用户名、密码或一次性验证码不正确。" in refused.text
        forged = await client.post("/sign-in", data=form | {"form_token": "0"})
        assert forged.status_code == 403
        entered = await client.post("/sign-in", data=form | {"password": PASSWORD})
        assert entered.status_code == 303
        assert "报关单" in (await client.get("/declarations")).text


async def test_a_declaration_s_page_has_its_exact_amounts(world: World) -> None:
    name = await declare(world, "462020260000000031")
    async with world.signed_in() as client:
        page = await client.get(f"/{name}")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        value = (await client.get(f"/v1/{name}")).json()
        amount = int(value["value"]["free"]["minorUnits"]) / 100
        assert f"USD {amount:,.2f}" in page.text
        assert page.text.count("<rect") >= 8
        chinese = await client.get(f"/language/zh-CN?back=/{name}")
        assert chinese.headers["location"] == f"/{name}"
        assert "申报价值的占用情况" in (await client.get(f"/{name}")).text
        elsewhere = await client.get("/language/en?back=//evil.example")
        assert elsewhere.headers["location"] == "/"


async def test_another_s_declaration_is_not_found(world: World) -> None:
    async with world.signed_in("operator.qiao") as client:
        assert (await client.get("/declarations/462020260000000001")).status_code == 403
        assert (await client.get("/nothing")).status_code == 404


async def test_the_application_form_shows_what_is_wrong_beside_its_field(world: World) -> None:
    name = await declare(world, "462020260000000032")
    async with world.signed_in() as client:
        page = await client.get(f"/applications/new?declaration={name}")
        assert "龙门禾丰" in page.text or "LMHF" in page.text
        form = {
            "form_token": form_token(page, "/applications/new"),
            "request_id": str(uuid.uuid4()),
            "declarations": name,
        }
        wrong = await client.post("/applications/new", data=form | {"amount": "1.234", "tenor_days": "x"})
        assert wrong.status_code == 400
        for field, key in (("amount", "amount"), ("tenor_days", "whole_number"), ("banks", "choose")):
            assert f'id="{field}-problem" role="alert">{html.escape(texts("en")[f"error.{key}"])}' in wrong.text
        right = form | {"amount": "100.00", "tenor_days": "90", "banks": "banks/LMHFCNB0"}
        sent = await client.post("/applications/new", data=right)
        assert sent.status_code == 503
        assert "loans can" in html.unescape(sent.text)


async def test_live_events_tell_of_a_new_declaration(world: World) -> None:
    async with world.signed_in() as client:
        async with client.stream("GET", "/events?services=declarations") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            last_id = ""
            async for line in lines:
                if line.startswith("id: "):
                    last_id = line[4:]
                    break
            await declare(world, "462020260000000033")
            told = await asyncio.wait_for(anext(name async for name in lines if name.startswith("data: ")), 10)
            event = json.loads(told[6:])
            assert (event["type"], event["service"]) == ("declarations.declared", "declarations")
        headers = {"Last-Event-ID": last_id}
        async with client.stream("GET", "/events?services=declarations", headers=headers) as answer:
            lines = answer.aiter_lines()
            again = await asyncio.wait_for(anext(name async for name in lines if name.startswith("data: ")), 10)
            assert json.loads(again[6:])["resource"] == event["resource"]


async def test_events_need_a_session(world: World) -> None:
    async with world.browser() as client:
        assert (await client.get("/events")).status_code == 401


def exporter(world: World, name: str) -> OTLPSpanExporter:
    credentials = Credentials.load(world.settings.certificates, name)
    return OTLPSpanExporter(
        endpoint=f"https://{world.addresses.otlp}", credentials=channel_credentials(credentials), timeout=5
    )


def export_trace(world: World) -> str:
    """A trace of two services by the real exporter, as the services send theirs."""
    sender = exporter(world, "services/declarations")
    tracers = {}
    providers = []
    for service in ("gateway", "declarations"):
        provider = TracerProvider(resource=Resource.create({"service.name": service}))
        provider.add_span_processor(SimpleSpanProcessor(sender))
        providers.append(provider)
        tracers[service] = provider.get_tracer("test")
    with tracers["gateway"].start_as_current_span("POST /v1/applications") as outer:
        outer.set_attribute("aval.declaration.number", ["462020260000000041", "462020260000000042"])
        with tracers["declarations"].start_as_current_span("aval.Reserve") as inner:
            inner.add_event("ledger line", {"aval.ledger.book": "declarations"})
    for provider in providers:
        provider.shutdown()
    return f"{outer.get_span_context().trace_id:032x}"


async def test_spans_are_kept_and_found_by_declaration(world: World) -> None:
    trace_id = await asyncio.to_thread(export_trace, world)
    async with world.signed_in("operator.qiao") as client:
        listed = await client.get("/operations/traces?declaration=462020260000000042")
        assert trace_id in listed.text
        assert trace_id in (await client.get("/operations/traces")).text
        assert trace_id not in (await client.get("/operations/traces?declaration=462020260000000043")).text
        page = await client.get(f"/operations/traces/{trace_id}")
        assert "ledger line" in page.text
        assert page.text.count('class="service-') >= 4
        found = (await client.get(f"/operations/traces/{trace_id}.json")).json()
        assert found["services"] == ["gateway", "declarations"]
        (root,) = [span for span in found["spans"] if not span["parentSpanId"]]
        (child,) = [span for span in found["spans"] if span["parentSpanId"]]
        assert child["parentSpanId"] == root["spanId"]
        assert child["events"][0]["name"] == "ledger line"
        missing = await client.get(f"/operations/traces/{'0' * 32}.json")
        assert missing.status_code == 404


async def test_traces_are_for_operators(world: World) -> None:
    async with world.signed_in() as client:
        assert (await client.get("/operations/traces")).status_code == 403


async def test_only_the_platform_s_processes_send_spans(world: World) -> None:
    world.platform.authority.issue("banks/LMHFCNB0/lmhf.system")
    sender = exporter(world, "banks/LMHFCNB0/lmhf.system")
    provider = TracerProvider()
    span = provider.get_tracer("test").start_span("forged")
    span.end()
    assert await asyncio.to_thread(sender.export, [span]) is SpanExportResult.FAILURE  # type: ignore[list-item]
    sender.shutdown()


def shown(template: str, language: str, **values: object) -> str:
    common = {
        "text": texts(language),
        "language": language,
        "principal": None,
        "path": "/",
        "form_token": lambda _action: "t",
    }
    return environment.get_template(template).render({**common, "form": Form(), "live": "", "banks": {}, **values})


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_offers_stand_by_all_in_cost_and_only_open_ones_can_be_accepted(language: str) -> None:
    application = loans_pb2.Application(name="applications/a", declarations=["declarations/1"], state="OPEN")
    cheap = loans_pb2.Offer(name="offers/1", bank="banks/A", state="OFFERED")
    cheap.all_in_cost.CopyFrom(money_pb2.Money(currency_code="USD", minor_units=123_456))
    cheap.simple_rate.value, cheap.effective_rate.value = "0.049465", "0.051108"
    closed = loans_pb2.Offer(name="offers/2", bank="banks/B", state="EXPIRED")
    explanations = {"offers/1": {"simple_rate": "0.0609: all in"}, "offers/2": {}}
    page = shown(
        "application.html", language, application=application, offers=[cheap, closed], explanations=explanations
    )
    assert "USD 1,234.56" in page
    assert page.count(texts(language)["cheapest"]) == 1
    assert f"{texts(language)['simple_rate']} 4.95% · {texts(language)['effective_rate']} 5.11%" in page
    assert page.count(texts(language)["effective_rate"]) == 1
    assert page.count("<details") == page.count("0.0609: all in") == 1
    assert page.count('action="/offers/') == 1


@pytest.mark.parametrize("state", [name for name, number in loans_pb2.Loan.State.items() if number])
def test_a_loan_in_every_state_has_a_page(state: str) -> None:
    loan = loans_pb2.Loan(name="loans/a", declarations=["declarations/1"], state=state)
    payoff = loans_pb2.Payoff(derivation="100.00 x 4.5% x 10/360")
    explanations = {"payoff.interest": "JPY 5: Interest at 4.5 %\n  basis 360"}
    page = shown("loan.html", "en", loan=loan, payoff=payoff, repaid=Money("JPY", 5), explanations=explanations)
    assert "<details" in page
    assert explanations["payoff.interest"] in page
    assert texts("en")[f"loan_state.{state}"] in page
    assert "JPY 5" in page
