"""The types of events are a contract: what code tells is declared in the protos, and what is declared is told."""

import ast
import importlib
import pathlib
import re
from collections.abc import Iterator

import pytest
from aval.declarations.v1 import records_pb2
from google.protobuf.descriptor import Descriptor

from chassis.contracts import event_types
from cli.explaining import EXPLAINING

ROOT = pathlib.Path(__file__).parents[2]
SERVICES = ("credit_insurance", "declarations", "loans", "settlement")
# Noun and past participle.
FORM = re.compile(r"[a-z][A-Za-z_]*\.[a-z_]+")
# Texts of the same form that name something else: rules of protovalidate, packages, code systems, schemes of messages.
OTHERS = ("string.", "int32.", "repeated.", "services.", "country.", "currency.", "unit.", "swift.")
# One f-string tells records of every kind.
RECORDED = {f"{field.name}.recorded" for field in records_pb2.Record.DESCRIPTOR.oneofs_by_name["content"].fields}


def texts(service: str) -> set[str]:
    """The texts in a service's code that have the form of an event's type."""
    files = [file for file in (ROOT / "services" / service).rglob("*.py") if "versions" not in file.parts]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    found = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in found if FORM.fullmatch(text)}


def descriptors(service: str) -> Iterator[Descriptor]:
    """The messages of a service's protos, nested ones too."""
    for file in (ROOT / "protos" / "aval" / service / "v1").glob("*.proto"):
        module = importlib.import_module(f"aval.{service}.v1.{file.stem}_pb2")
        for message in module.DESCRIPTOR.message_types_by_name.values():
            yield message
            yield from message.nested_types


def fields(service: str) -> set[str]:
    """The names of their fields, which paths of problems end with."""
    money = {"minor_units", "currency_code"}
    return money | {field.name for message in descriptors(service) for field in message.fields}


@pytest.mark.parametrize("service", SERVICES)
def test_every_type_that_code_tells_is_declared(service: str) -> None:
    known = event_types(service)
    told = {text for text in texts(service) if not text.startswith(OTHERS)} - EXPLAINING[service].rules.keys()
    named = {field for each_service in SERVICES for field in fields(each_service)}
    undeclared = {text for text in told - known.keys() if text.rpartition(".")[2] not in named}
    assert sorted(undeclared) == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_declared_type_is_told_by_code(service: str) -> None:
    known = event_types(service)
    assert len(known) > 15
    assert sorted(known.keys() - texts(service) - (RECORDED if service == "declarations" else set())) == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_payload_is_a_message_of_the_service(service: str) -> None:
    messages = {message.full_name for message in descriptors(service)}
    assert sorted(set(event_types(service).values()) - messages) == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_types_constant_is_named_after_it(service: str) -> None:
    module = importlib.import_module(f"aval.{service}.v1.event_types_pb2")
    values = module.DESCRIPTOR.enum_types_by_name["EventType"].values
    names = [
        re.sub(r"(?<=[a-z])([A-Z])", r"_\1", event_type).replace(".", "_").upper()
        for event_type in event_types(service)
    ]
    assert [value.name for value in values] == ["EVENT_TYPE_UNSPECIFIED", *names]


def test_each_kind_of_record_has_its_type() -> None:
    assert event_types("declarations").keys() >= RECORDED


def test_a_type_belongs_to_one_service() -> None:
    declared = [event_type for service in SERVICES for event_type in event_types(service)]
    assert len(declared) == len(set(declared))
