"""Compiled field rules: an acceptor says the same as the validator, for every message of the contracts."""

from collections.abc import Callable
from typing import Any

import pytest
from aval.declarations.v1 import declarations_pb2, retail_pb2
from aval.events.v1 import events_pb2
from google.protobuf import message_factory, struct_pb2
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis import fields
from chassis.acceptors import UnknownRule, acceptor
from chassis.contracts import contract

TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "CNY",
            "usd",
            "46012026" + "0" * 10,
            "enterprises/91410100MA40XRQ85B",
            "0110",
            "6804221000",
            "DEU",
            "DEU\n",
        ]
    ),
    st.text(max_size=300),
)


def fill(message: Message, draw: Callable[[Any], Any], depth: int = 0) -> Message:
    """Any message: fields set or not, to likely and unlikely values."""
    for field in message.DESCRIPTOR.fields:
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map or not draw(st.booleans()):
            continue
        if field.message_type:
            if depth < 3 and field.is_repeated:
                for _ in range(draw(st.integers(0, 2))):
                    fill(getattr(message, field.name).add(), draw, depth + 1)
            elif depth < 3:
                getattr(message, field.name).SetInParent()
                fill(getattr(message, field.name), draw, depth + 1)
            continue
        strategy = VALUES.get(field.type)
        if strategy is None:
            continue
        if field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(strategy, max_size=3)))
        else:
            setattr(message, field.name, draw(strategy))
    return message


VALUES = {
    9: TEXTS,
    12: st.binary(max_size=20),
    5: st.integers(-3, 60),
    3: st.integers(-3, 10**12),
    8: st.booleans(),
    14: st.integers(0, 9),
}


@given(st.data())
@pytest.mark.parametrize(
    "kind",
    [
        declarations_pb2.Declaration,
        declarations_pb2.Receipt,
        declarations_pb2.Consent,
        declarations_pb2.ReserveEncumbranceRequest,
        retail_pb2.RetailDocument,
        retail_pb2.RetailSummary,
        events_pb2.WatchRequest,
    ],
)
def test_an_acceptor_says_what_the_validator_says(kind: type[Message], data: st.DataObject) -> None:
    message = fill(kind(), data.draw)
    # NUL is looked for in the bytes, of all texts at once.
    broken = [problem for problem in fields.problems(message) if problem.reason != "TEXT_NUL"]
    assert acceptor(kind.DESCRIPTOR)(message) is (broken == [])


REQUESTS = {
    method.input_type.full_name: message_factory.GetMessageClass(method.input_type)
    for name in ("declarations", "settlement", "credit_insurance", "loans")
    for method in contract(name).descriptor.methods
}


@given(st.data())
@settings(max_examples=5)
@pytest.mark.parametrize("kind", REQUESTS.values(), ids=REQUESTS)
def test_every_request_is_judged_as_the_validator_does(kind: type[Message], data: st.DataObject) -> None:
    message = fill(kind(), data.draw)
    assert fields.row_problems(message) == fields.problems(message)


def test_a_row_that_is_not_accepted_is_explained() -> None:
    row = declarations_pb2.Declaration(declaration_number="46012026")
    assert {problem.path for problem in fields.row_problems(row)} >= {"declaration_number", "enterprise", "trade_mode"}


def test_a_line_break_at_the_end_does_not_pass_a_pattern() -> None:
    row = declarations_pb2.Receipt(declaration_number="460120260000000001\n", channel_code="P")
    row.notice_time.seconds = 1
    assert not acceptor(row.DESCRIPTOR)(row)


def test_a_message_that_contains_itself_is_left_to_the_validator() -> None:
    with pytest.raises(UnknownRule):
        acceptor(struct_pb2.Struct.DESCRIPTOR)
