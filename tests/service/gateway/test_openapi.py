"""The OpenAPI document tells what is taken and how it may be refused, and the API keeps to it."""

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor

from chassis import fields
from gateway import field_rules, openapi, reasons
from gateway.json_api import transcoding
from gateway.json_api.routes import Route, find, routes
from tests.gateway_world import CONSENT, World

ROOT = Path(__file__).parents[3]
DOCUMENT = openapi.document()
OPERATIONS = {entry["operationId"]: entry for path in DOCUMENT["paths"].values() for entry in path.values()}


def schema(name: str) -> Any:
    return DOCUMENT["components"]["schemas"][name]


def reasons_of(operation: str) -> set[str]:
    answers = OPERATIONS[operation]["responses"].values()
    return {reason for answer in answers for reason in answer.get("x-aval-reasons", ())}


def test_the_field_rules_of_a_message() -> None:
    consent = schema("aval.declarations.v1.Consent.Input")
    assert consent["required"] == ["institution", "purpose", "expireTime"]
    assert consent["additionalProperties"] is False
    properties = consent["properties"]
    assert properties["institution"]["pattern"] == "^(banks|insurers)/[0-9A-Z]{8,20}$"
    assert (properties["purpose"]["minLength"], properties["purpose"]["maxLength"]) == (1, 200)
    assert (properties["purposes"]["maxItems"], properties["purposes"]["uniqueItems"]) == (10, True)
    assert not [name for name in properties["purposes"]["items"]["enum"] if "UNSPECIFIED" in name]
    assert "required" not in schema("aval.declarations.v1.Consent")


def test_the_rules_of_parameters() -> None:
    listed = {entry["name"]: entry["schema"] for entry in OPERATIONS["ListDeclarations"]["parameters"]}
    assert (listed["page_size"]["minimum"], listed["page_size"]["maximum"]) == (0, 500)
    assert listed["page_token"]["maxLength"] == 512
    (name, *_) = OPERATIONS["GetDeclaration"]["parameters"]
    assert (name["in"], name["schema"]["pattern"]) == ("path", "^[0-9]{18}$")


def test_every_change_needs_its_headers() -> None:
    for route in routes():
        headers = {entry["name"] for entry in OPERATIONS[route.operation]["parameters"] if entry["in"] == "header"}
        assert ("X-Aval-Request" in headers) == route.changes
        assert ("Aval-One-Time-Code" in headers) == route.method.policy.second_factor


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        (
            "AcceptOffer",
            {"ETAG_MISMATCH", "OFFER_EXPIRED", "WRONG_STATE", "ONE_TIME_CODE_INVALID", "TOO_MANY_ATTEMPTS"},
        ),
        ("GetDeclaration", {"DECLARATION_NOT_FOUND", "CONSENT_MISSING", "NOT_SIGNED_IN", "ACCESS_DENIED"}),
        ("ListLoans", {"INVALID_PAGE_TOKEN", "INVALID_FIELDS"}),
        ("CreateConsent", {"CROSS_SITE_REQUEST", "IDEMPOTENCY_KEY_MISSING", "REQUEST_ID_REUSED", "OVERLOADED"}),
        ("SignIn", {"SIGN_IN_FAILED", "TOO_MANY_ATTEMPTS", "SIGN_INS_WAITING", "MESSAGE_TOO_LARGE"}),
        ("ChangePassword", {"PASSWORD_UNFIT", "SIGN_IN_FAILED", "NOT_SIGNED_IN"}),
        ("CreateCoveredShipment", {"LIMIT_EXCEEDED", "POLICY_NOT_IN_FORCE", "SHIPMENT_DECLARED_ALREADY"}),
    ],
)
def test_the_reasons_of_an_operation(operation: str, named: set[str]) -> None:
    assert named <= reasons_of(operation)


def test_a_read_has_no_reasons_of_changes() -> None:
    assert not {"CROSS_SITE_REQUEST", "REQUEST_ID_REUSED", "ONE_TIME_CODE_INVALID"} & reasons_of("GetLoan")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_status_is_named(operation: str) -> None:
    answers = OPERATIONS[operation]["responses"]
    assert "default" not in answers
    assert {"421", "500"} <= set(answers)
    for status, answer in answers.items():
        if status >= "400":
            assert answer["x-aval-reasons"] == sorted(answer["x-aval-reasons"])


def test_reasons_of_services_are_of_the_present_code() -> None:
    command = [sys.executable, "scripts/generate_reasons.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _messages(message: Descriptor) -> set[Descriptor]:
    found, waiting = set(), [message]
    while waiting:
        each_message = waiting.pop()
        if each_message not in found:
            found.add(each_message)
            waiting += [field.message_type for field in each_message.fields if field.message_type is not None]
    return found


def test_every_rule_of_the_protos_has_its_place_in_the_schema() -> None:
    """The rules that aren't mapped are named here, so that a new kind of rule is seen."""
    elsewhere = {
        ("enum", "defined_only"),
        ("enum", "not_in"),
        ("repeated", "items"),
        ("map", "keys"),
        ("map", "values"),
        # No JSON schema says how long a text such as 90s lasts.
        ("duration", "gte"),
    }
    for route in routes():
        for message in _messages(route.method.descriptor.input_type):
            for field in message.fields:
                rules = field_rules.rules_of(field)
                kind = rules.WhichOneof("type")
                used = {(kind, rule.name) for rule, _ in getattr(rules, kind).ListFields()} if kind else set()
                assert used <= {*field_rules.RULES, *elsewhere}, field.full_name


def request_class_refuses(route: Route, name: str) -> bool:
    """Whether the validator misses a field in an empty request."""
    made = transcoding.request_of(route, {}, [], b"{}")
    target = made if route.body == "*" else getattr(made, route.body)
    return any(problem.path.split(".")[0] == name for problem in fields.problems(target))


@pytest.mark.parametrize(
    "route", [each_route for each_route in routes() if each_route.body], ids=lambda entry: entry.operation
)
def test_what_is_required_is_what_the_validator_misses(route: Route) -> None:
    message = route.method.descriptor.input_type
    target: Any = message if route.body == "*" else message.fields_by_name[route.body].message_type
    required = set(schema(f"{target.full_name}.Input").get("required", ()))
    for field in target.fields:
        if field.name not in ("request_id", *route.variables) and request_class_refuses(route, field.name):
            assert field.json_name in required, field.full_name


async def test_a_document_of_any_size_is_made_once(world: World) -> None:
    async with world.browser() as client:
        answer = await client.get("/openapi.json")
    assert answer.content == openapi.text()
    assert json.loads(answer.content) == DOCUMENT


async def test_answers_have_the_statuses_and_reasons_that_are_told(world: World) -> None:
    key = {"Idempotency-Key": str(uuid.uuid4())}
    async with world.signed_in() as client, world.browser() as nobody:
        tried = [
            ("CreateConsent", await client.post("/v1/consents", json=CONSENT)),
            ("CreateConsent", await client.post("/v1/consents", json={}, headers=key)),
            ("CreateConsent", await nobody.post("/v1/consents", json=CONSENT, headers=key)),
            ("RevokeConsent", await client.post("/v1/consents/none:revoke", json={}, headers=key)),
            ("GetDeclaration", await client.get("/v1/declarations/000000000000000000")),
            ("ListDeclarations", await client.get("/v1/declarations?page_token=forged")),
            ("ListLoans", await client.get("/v1/loans")),
            ("BatchCreateReceipts", await client.post("/v1/receipts:batchCreate", json={}, headers=key)),
        ]
    for operation, answer in tried:
        told = OPERATIONS[operation]["responses"][str(answer.status_code)]
        assert answer.json()["reason"] in told["x-aval-reasons"], (operation, answer.text)


def test_the_paths_that_are_described_are_those_that_are_found() -> None:
    for path, item in DOCUMENT["paths"].items():
        for verb in item:
            if path.startswith("/v1/"):
                assert find(verb.upper(), re.sub(r"\{\w+\}", "x1", path))[0], path


def test_status_codes_of_reasons() -> None:
    assert reasons.by_status(reasons.WITH_PAGE_TOKEN) == {400: ["INVALID_PAGE_TOKEN"]}
    assert reasons.by_status(reasons.WITH_BODY) == {413: ["MESSAGE_TOO_LARGE"], 499: ["CALLER_GONE"]}
