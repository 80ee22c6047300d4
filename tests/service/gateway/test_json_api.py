"""The JSON API: every route, sessions, idempotency, second factor, cross-site requests, refusals."""

import json
import re
import uuid
from typing import Any

import pyotp
import pytest
from google.protobuf import message_factory

from chassis.errors import InvalidFields
from gateway import openapi
from gateway.json_api import transcoding
from gateway.json_api.routes import Route, find, routes
from tests.gateway_world import CONSENT, PASSWORD, SECRET, World, declare, declare_draft


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def path_of(route: Route) -> str:
    return re.sub(r"\{[a-z_]+=([^}]*)\}", r"\1", route.template).replace("*", "some-id")


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.method.descriptor.name)
def test_every_route_makes_its_request_and_gives_it_back(route: Route) -> None:
    found, variables = find(route.verb, path_of(route))
    assert found is route
    assert isinstance(variables, dict)
    request: Any = message_factory.GetMessageClass(route.method.descriptor.input_type)()
    made = transcoding.request_of(route, variables, [], b"{}" if route.body else b"")
    for name, value in variables.items():
        assert (
            getattr(made, name)
            == value
            == re.sub(r"^/v1/|[:].*$|/(payoff|transfers|evidence|movements)$", "", path_of(route))
        )
        setattr(request, name, value)
    if route.body and route.body != "*":
        getattr(request, route.body).SetInParent()
    assert made == request


@pytest.mark.parametrize("route", [r for r in routes() if not r.body], ids=lambda r: r.method.descriptor.name)
def test_query_parameters_reach_their_fields(route: Route) -> None:
    _, variables = find(route.verb, path_of(route))
    assert isinstance(variables, dict)
    fields = {f.name: f for f in route.method.descriptor.input_type.fields if f.name not in route.variables}
    sizes = {"page_size": "7"} if "page_size" in fields else {}
    dates = {"date.year": "2026", "date.month": "2"} if "date" in fields else {}
    made = transcoding.request_of(route, variables, [*sizes.items(), *dates.items()], b"")
    assert not sizes or made.page_size == 7
    assert not dates or (made.date.year, made.date.month) == (2026, 2)


@pytest.mark.parametrize(
    "body",
    [b'{"x":' * 100_000, b"[" * 100_000, b'{"institution":"\\ud800"}', b'{"purpose":"one","purpose":"other"}'],
    ids=range(4),
)
def test_a_hostile_body_is_refused(body: bytes) -> None:
    route, _ = find("POST", "/v1/consents")
    assert route is not None
    with pytest.raises(InvalidFields):
        transcoding.request_of(route, {}, [], body)


@pytest.mark.parametrize(
    "names",
    [("enterprise", "enterprise"), ("filter.from_date", "filter.from_date.year"), ("pageSize", "page_size")],
)
def test_a_parameter_given_twice_is_refused(names: tuple[str, str]) -> None:
    route, _ = find("GET", "/v1/declarations")
    assert route is not None
    with pytest.raises(InvalidFields) as refused:
        transcoding.request_of(route, {}, [(name, "5") for name in names], b"")
    assert [problem.path for problem in refused.value.problems] == [names[1]]


async def test_a_session_opens_tells_and_ends(world: World) -> None:
    async with world.signed_in() as client:
        told = (await client.get("/session")).json()
        assert told["tenant"] == "enterprises/91411023MAXY00112A"
        assert (await client.delete("/session")).status_code == 204
        answer = await client.get("/v1/declarations")
        assert (answer.status_code, answer.json()["reason"]) == (401, "NOT_SIGNED_IN")


async def test_the_cookie_is_not_for_scripts_and_its_hash_only_is_kept(world: World) -> None:
    async with world.browser() as client:
        answer = await client.post("/session", json={"login": "ruijia.li", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        token = client.cookies["aval_session"]
        with world.gateway.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT * FROM sessions").fetchall()
        assert token not in str(rows)


async def test_an_exporter_sees_its_drafts(world: World) -> None:
    await declare_draft(world, "CLIENT-JSON-1")
    async with world.signed_in() as client:
        listed = (await client.get("/v1/drafts?clientNumber=CLIENT-JSON-1")).json()["drafts"]
        (draft,) = listed
        assert (await client.get(f"/v1/{draft['name']}")).json() == draft
        assert (draft["state"], draft["waitsFor"]["reason"]) == ("WAITING", "UNIFIED_NUMBER_AWAITED")
        assert draft["content"]["declarationNumber"] == ""
    async with world.signed_in("other.wang") as client:
        assert (await client.get("/v1/drafts")).json().get("drafts", []) == []
        assert (await client.get(f"/v1/{draft['name']}")).status_code == 404


async def test_reading_and_changing(world: World) -> None:
    name = await declare(world, "462020260000000021")
    async with world.signed_in() as client:
        answer = await client.get(f"/v1/{name}")
        assert answer.json()["declaredValue"]["currencyCode"] == "USD"
        assert answer.json()["value"]["returned"]["minorUnits"] == "0"
        headers = key()
        first = await client.post("/v1/consents", json=CONSENT, headers=headers)
        again = await client.post("/v1/consents", json=CONSENT, headers=headers)
        assert first.json() == again.json()
        other = await client.post("/v1/consents", json=CONSENT | {"purpose": "else"}, headers=headers)
        assert (other.status_code, other.json()["reason"]) == (409, "REQUEST_ID_REUSED")
        consent = first.json()["name"]
        revoked = await client.post(f"/v1/{consent}:revoke", json={"requestId": str(uuid.uuid4())})
        assert revoked.json()["state"] == "REVOKED"


async def test_a_change_needs_a_request_id(world: World) -> None:
    async with world.signed_in() as client:
        missing = await client.post("/v1/consents", json=CONSENT)
        assert (missing.status_code, missing.json()["reason"]) == (400, "IDEMPOTENCY_KEY_MISSING")
        wrong = await client.post("/v1/consents", json=CONSENT, headers={"Idempotency-Key": "one"})
        assert (wrong.status_code, wrong.json()["reason"]) == (400, "IDEMPOTENCY_KEY_INVALID")


async def test_refusals_name_fields_in_the_caller_s_language(world: World) -> None:
    async with world.signed_in(language="zh-CN") as client:
        answer = await client.post("/v1/consents", json={"institution": "x"}, headers=key())
        assert answer.status_code == 400
        violations = answer.json()["details"][2]["fieldViolations"]
        assert {"consent.institution", "consent.purpose", "consent.expire_time"} == {v["field"] for v in violations}
        assert answer.json()["message"] == "请求中有无效字段，逐项列出及改正方法。"


@pytest.mark.parametrize(
    ("verb", "path", "body", "status", "reason"),
    [
        ("GET", "/v1/nothing", None, 404, "ROUTE_NOT_FOUND"),
        ("GET", "/nothing.json", None, 404, "ROUTE_NOT_FOUND"),
        ("DELETE", "/v1/declarations", None, 405, "VERB_NOT_ALLOWED"),
        ("GET", "/v1/declarations?pageSize=many", None, 400, "INVALID_FIELDS"),
        ("GET", "/v1/declarations?nothing=1", None, 400, "INVALID_FIELDS"),
        ("POST", "/v1/consents", b"{", 400, "INVALID_FIELDS"),
        ("POST", "/v1/consents", b"[]", 400, "INVALID_FIELDS"),
        ("POST", "/v1/consents", b'{"nothing": 1}', 400, "INVALID_FIELDS"),
        ("POST", "/v1/consents", b" " * 6_000_000, 413, "MESSAGE_TOO_LARGE"),
        ("GET", "/v1/declarations/000000000000000000", None, 404, "DECLARATION_NOT_FOUND"),
        ("POST", "/v1/receipts:batchCreate", b"{}", 403, "ACCESS_DENIED"),
        ("GET", "/v1/loans", None, 503, "SERVICE_UNAVAILABLE"),
    ],
)
async def test_refusals(world: World, verb: str, path: str, body: Any, status: int, reason: str) -> None:
    async with world.signed_in() as client:
        answer = await client.request(verb, path, content=body, headers=key())
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_a_change_from_another_site_is_refused(world: World) -> None:
    async with world.signed_in() as client:
        del client.headers["X-Aval-Request"]
        bare = await client.post("/v1/consents", json=CONSENT, headers=key())
        foreign = await client.post("/v1/consents", json=CONSENT, headers=key() | {"Origin": "https://evil.example"})
        own = await client.post("/v1/consents", json=CONSENT, headers=key() | {"Origin": str(client.base_url)})
        assert [bare.status_code, foreign.status_code, own.status_code] == [403, 403, 200]


async def test_the_second_factor(world: World) -> None:
    """The loans service isn't here: a right code gets as far as finding that out."""
    request_id, code = str(uuid.uuid4()), pyotp.TOTP(SECRET).now()

    async with world.signed_in() as client:

        async def accept(code: str, request_id: str) -> tuple[int, str]:
            headers = {"Aval-One-Time-Code": code}
            answer = await client.post("/v1/offers/offer-1:accept", json={"requestId": request_id}, headers=headers)
            return answer.status_code, answer.json()["reason"]

        assert await accept("000000", request_id) == (403, "ONE_TIME_CODE_INVALID")
        assert await accept(code, request_id) == (503, "SERVICE_UNAVAILABLE")
        # The same request again may come with its code; another may not.
        assert await accept(code, request_id) == (503, "SERVICE_UNAVAILABLE")
        assert await accept(code, str(uuid.uuid4())) == (403, "ONE_TIME_CODE_INVALID")


async def test_a_one_time_code_is_for_one_act(world: World) -> None:
    """The services aren't here: a request that may go on with its code gets as far as finding that out."""
    request_id, code = str(uuid.uuid4()), pyotp.TOTP(SECRET).now()
    payment = {
        "debitAccount": "accounts/a", "creditorName": "MALLORY", "creditorAccount": "1", "creditorAgentBic": "PCHTUSN0",
        "amount": {"currencyCode": "USD", "minorUnits": "1"}, "creditorTown": "Nowhere", "creditorCountry": "US",
    }  # fmt: skip
    refused = (403, "ONE_TIME_CODE_INVALID")

    async with world.signed_in("codes.zhao") as client:

        async def send(path: str, body: dict[str, Any]) -> tuple[int, str]:
            headers = {"Aval-One-Time-Code": code, "Idempotency-Key": request_id}
            answer = await client.post(path, json=body, headers=headers)
            return answer.status_code, answer.json()["reason"]

        # What no service takes uses up no code.
        assert await send("/v1/offers/offer-1:accept", {"etag": "x" * 65}) == (400, "INVALID_FIELDS")
        assert await send("/v1/offers/!:accept", {}) == (400, "INVALID_FIELDS")
        assert await send("/v1/outgoingPayments", {}) == (400, "INVALID_FIELDS")
        for _ in range(2):
            assert await send("/v1/offers/offer-1:accept", {"etag": "3"}) == (503, "SERVICE_UNAVAILABLE")
        # The same id for another offer, for the same as it has become, for another method, in another service.
        assert await send("/v1/offers/offer-2:accept", {"etag": "3"}) == refused
        assert await send("/v1/offers/offer-1:accept", {"etag": "4"}) == refused
        assert await send("/v1/outgoingPayments", payment) == refused
        assert await send("/v1/offers/offer-1:accept", {"etag": "3"}) == (503, "SERVICE_UNAVAILABLE")


async def test_openapi_describes_every_route(world: World) -> None:
    async with world.browser() as client:
        document = (await client.get("/openapi.json")).json()
    operations = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    of_sessions = ["SignIn", "GetSession", "SignOut", "EndSessions", "ChangePassword"]
    of_blobs = ["UploadBlob_declarations", "GetBlob_declarations"]
    assert sorted(operations) == sorted([*(route.operation for route in routes()), *of_sessions, *of_blobs])
    assert len(operations) == len(set(operations))
    references = set(re.findall(r"#/components/schemas/([^\"]+)", json.dumps(document)))
    assert references == set(document["components"]["schemas"])
    for path, item in document["paths"].items():
        for operation in item.values():
            named = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
            assert named == re.findall(r"\{(\w+)\}", path)
    assert document == json.loads(json.dumps(openapi.document()))


def test_openapi_has_the_protos_texts() -> None:
    schemas = openapi.document()["components"]["schemas"]
    declaration = schemas["aval.declarations.v1.Declaration"]
    assert declaration["properties"]["buyerName"]["description"] == "The buyer's name."
    assert declaration["properties"]["value"]["readOnly"]


async def test_health(world: World) -> None:
    async with world.browser() as client:
        assert (await client.get("/healthz")).text == "ok"
