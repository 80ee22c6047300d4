"""JSON bodies and queries: what fits a message, told in our own words; whatever comes, nothing else."""

import contextlib
import json
import re
import uuid
from typing import Any

import pytest
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from chassis import strict_json
from chassis.errors import InvalidFields
from gateway.json_api import transcoding, values
from gateway.json_api.routes import Route, find, routes
from tests.gateway_world import World
from tests.support import LEAKS

# Words of Python and of its libraries.
PYTHON = re.compile(
    r"sys\.|int\(\)|literal|argument|codec|Expecting|Unterminated|delimiter|char \d|ParseError|KeyError|dict\b|NoneType"
    r"|str\b|bytes-like|Failed to|set_int_max|out of range for|does not match format|proto",
)
NOT_PLAIN = ["1_234", "+5", "5\n", " 5", "٥", "５", "1e3", "5.0", "0x5", "", "--5", "05", "９" * 3, "1" * 5_000]


def route(verb: str, path: str) -> Route:
    found, _ = find(verb, path)
    assert found
    return found


CONSENTS, LISTED = route("POST", "/v1/consents"), route("GET", "/v1/declarations")
ORDERS = route("POST", "/v1/preShipments")


def refused(route: Route, query: list[tuple[str, str]], body: bytes) -> dict[str, str]:
    """The problems by path, each in words of our own, in both languages."""
    with pytest.raises(InvalidFields) as error:
        transcoding.request_of(route, {}, query, body)
    for problem in error.value.problems:
        assert not PYTHON.search(problem.english), problem.english
        assert not LEAKS.search(problem.english), problem.english
        assert re.search("[\u4e00-\u9fff]", problem.chinese)
    return {problem.path: problem.reason for problem in error.value.problems}


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_a_number_is_plain_digits(text: str) -> None:
    assert refused(LISTED, [("page_size", text)], b"") == {"page_size": "MALFORMED"}
    body = json.dumps({"amount": {"minorUnits": text}}).encode()
    assert refused(ORDERS, [], body) == {"pre_shipment.amount.minor_units": "MALFORMED"}


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("5", True), ("0", True), ("-5", True), ("9223372036854775807", True), ("9223372036854775808", False),
        ("-9223372036854775808", True), (5, True), (5.0, True), (5.5, False), (1e300, False), (True, False),
        ([5], False), (2**53 + 2.0, False),
    ],
)  # fmt: skip
def test_whole_numbers_of_64_bits(value: Any, is_one: bool) -> None:
    assert values.is_integer(value, 64) == is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("2026-11-23T09:30:00Z", True), ("2026-11-23T17:30:00.123456789+08:00", True), ("2026-02-30T00:00:00Z", False),
        ("2026-11-23", False), ("2026-11-23T09:30:00", False), ("２026-11-23T09:30:00Z", False),
        ("0000-01-01T00:00:00Z", False), ("0001-01-01T00:00:00+08:00", False), ("9999-12-31T23:59:59-08:00", False),
        ("2026-11-23T09:30:00+99:00", False), ("2026-11-23T24:00:00Z", False), (5, False),
    ],
)  # fmt: skip
def test_moments(text: Any, is_one: bool) -> None:
    assert values.is_timestamp(text) == is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("", True), ("YQ==", True), ("YQ", True), ("Y", False), ("-_8", True), ("Y Q=", False), ("é", False), (1, False)],
)
def test_base64(text: Any, is_one: bool) -> None:
    assert values.is_base64(text) == is_one


@pytest.mark.parametrize(
    ("value", "is_one"),
    [("90s", True), ("0.5s", True), ("-1s", True), ("1", False), ("1_0s", False), ("9" * 20 + "s", False)],
)
def test_durations(value: str, is_one: bool) -> None:
    assert values.is_duration(value) == is_one


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (b'{"nothing": 1, "institution": 5, "expireTime": "soon"}', {
            "consent.nothing": "UNKNOWN_FIELD", "consent.institution": "MALFORMED", "consent.expire_time": "MALFORMED",
        }),
        (b'{"expireTime": {"seconds": 5}}', {"consent.expire_time": "MALFORMED"}),
        (b'{"purposes": "FINANCING"}', {"consent.purposes": "MALFORMED"}),
        (b'{"purposes": ["NOTHING", null]}', {"consent.purposes[0]": "MALFORMED", "consent.purposes[1]": "MALFORMED"}),
        (b'"consent"', {"": "MALFORMED"}),
        (b"[]", {"": "MALFORMED"}),
        (b"\xff\xfe\xfd", {"": "MALFORMED"}),
        (b'{"institution":' + b"9" * 5_000 + b"}", {"": "MALFORMED"}),
        (b'{"institution": NaN}', {"": "MALFORMED"}),
        (b'{"institution": "a', {"": "MALFORMED"}),
        (b'{"institution": "\\ud800"}', {"": "MALFORMED"}),
        (b'{"a": 1, "a": 2}', {"": "MALFORMED"}),
        (b"[" * 100_000, {"": "MALFORMED"}),
        (b"{" + b'"' + b"x" * 10_000 + b'": 1}', {"consent." + "x" * 60: "UNKNOWN_FIELD"}),
    ],
    ids=range(14),
)  # fmt: skip
def test_every_value_that_does_not_fit_is_told(body: bytes, problems: dict[str, str]) -> None:
    assert refused(CONSENTS, [], body) == problems


def test_problems_have_an_end() -> None:
    body = json.dumps({str(index): 1 for index in range(10_000)}).encode()
    assert len(refused(CONSENTS, [], body)) == values.MOST_PROBLEMS


def test_two_of_which_only_one_may_be_there() -> None:
    rows = route("POST", "/v1/retailDocuments:batchCreate")
    oneof = next(
        message
        for message in _messages(rows.method.descriptor.input_type)
        if message.oneofs and message.name == "RetailDocument"
    )
    names = [field.json_name for field in oneof.oneofs[0].fields][:2]
    body = json.dumps({"documents": [{name: {} for name in names}]}).encode()
    assert list(refused(rows, [], body)) == [f"documents[0].{oneof.oneofs[0].fields[1].name}"]


def _messages(message: Descriptor) -> list[Descriptor]:
    found = [message]
    for field in message.fields:
        if field.message_type is not None and field.message_type.full_name.startswith("aval."):
            found += _messages(field.message_type)
    return found


async def test_refusals_quote_no_python(world: World) -> None:
    bodies = [
        b"{",
        b'{"institution": ' + b"9" * 5_000 + b"}",
        b"\xff",
        b'{"expireTime": "2026-02-30T00:00:00Z"}',
        b'{"a" 1}',
    ]
    async with world.signed_in() as client:
        for body in bodies:
            for path in ("/v1/consents", "/session"):
                answer = await client.post(path, content=body, headers={"Idempotency-Key": str(uuid.uuid4())})
                assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_FIELDS")
                assert not PYTHON.search(answer.json()["message"] + str(answer.json()["details"][2])), answer.text
        for query in ("pageSize=1_0", "pageSize=" + "9" * 5_000, "filter.fromDate.year=٢٠٢٦"):
            answer = await client.get(f"/v1/declarations?{query}")
            assert answer.status_code == 400
            assert not PYTHON.search(str(answer.json()["details"][2])), answer.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
    | st.sampled_from(NOT_PLAIN) | st.sampled_from(["90s", "2026-11-23T09:30:00Z", "YQ==", "CLOSED", "5"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
with_bodies = [each_route for each_route in routes() if each_route.body]


@st.composite
def nearly_fitting(draw: st.DrawFn, message: Descriptor, depth: int = 0) -> Any:
    """An object with fields of a message, most of the right kind."""
    data: dict[str, Any] = {}
    for field in draw(st.lists(st.sampled_from(list(message.fields)), max_size=4)) if message.fields else ():
        data[field.json_name] = draw(_value_of(field, depth) | json_values)
    if draw(st.integers(0, 9)) == 0:
        data[draw(st.text(max_size=12))] = draw(json_values)
    return data


def _value_of(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None and field.message_type.full_name not in values.SCALARS and depth < 3:
        search_strategy: st.SearchStrategy[Any] = nearly_fitting(field.message_type, depth + 1)
    elif field.enum_type is not None:
        search_strategy = st.sampled_from([value.name for value in field.enum_type.values])
    else:
        search_strategy = json_values
    return st.lists(search_strategy, max_size=3) if field.is_repeated else search_strategy


@st.composite
def requests(draw: st.DrawFn) -> tuple[Route, Any]:
    chosen = draw(st.sampled_from(with_bodies))
    message = chosen.method.descriptor.input_type
    target: Any = message if chosen.body == "*" else message.fields_by_name[chosen.body].message_type
    return chosen, draw(nearly_fitting(target))


@given(requests())
def test_a_body_fits_or_is_refused_in_our_words(request: tuple[Route, Any]) -> None:
    """And what is taken gives the same message again as JSON."""
    chosen, data = request
    body = json.dumps(data).encode()
    try:
        made = transcoding.request_of(chosen, {}, [], body)
    except InvalidFields as error:
        for problem in error.problems:
            assert not LEAKS.search(problem.english.replace(problem.path, ""))
            assert problem.english != "isn't what /openapi.json describes", (data, problem)
        return
    again = message_factory.GetMessageClass(made.DESCRIPTOR)()
    json_format.Parse(transcoding.to_json(made), again)
    assert again == made


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        strict_json.loads(body)
    except ValueError as error:
        told = str(error)
    else:
        told = ""
    assert not PYTHON.search(told), told


NAMES = st.sampled_from(["page_size", "pageSize", "filter.statuses", "filter.from_date.year", "x.y", ""])


@given(st.lists(st.tuples(NAMES | st.text(max_size=30), st.text(max_size=30)), max_size=6))
def test_any_query_is_taken_or_refused(query: list[tuple[str, str]]) -> None:
    with contextlib.suppress(InvalidFields):
        transcoding.request_of(LISTED, {}, query, b"")
