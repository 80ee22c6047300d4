"""The services' contracts by name: services call each other by these, and never import each other."""

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

from aval.type.v1 import event_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor


class Contract:
    """One gRPC service as its descriptor declares it."""

    def __init__(self, descriptor: ServiceDescriptor) -> None:
        self.descriptor = descriptor

    def method(self, name: str) -> MethodDescriptor:
        """Returns a method by its short name. Raises KeyError if there is none."""
        return self.descriptor.methods_by_name[name]

    def path(self, name: str) -> str:
        """Returns the method's gRPC path."""
        return f"/{self.descriptor.full_name}/{name}"

    def request(self, name: str) -> Any:
        """Returns the method's request class."""
        return message_factory.GetMessageClass(self.method(name).input_type)

    def response(self, name: str) -> Any:
        """Returns the method's response class."""
        return message_factory.GetMessageClass(self.method(name).output_type)


@cache
def contract(service: str) -> Contract:
    """Returns the contract of a service: the one gRPC service of aval/<service>/v1/<service>.proto."""
    module = importlib.import_module(f"aval.{service}.v1.{service}_pb2")
    (descriptor,) = module.DESCRIPTOR.services_by_name.values()
    return Contract(descriptor)


@cache
def event_types(service: str) -> Mapping[str, str]:
    """Returns the types of a service's events, each with its payload's full name.

    They are the enum EventType of its event_types.proto. Example: loans has "loan.disbursed" with "aval.loans.v1.Loan".
    """
    module = importlib.import_module(f"aval.{service}.v1.event_types_pb2")
    values = module.DESCRIPTOR.enum_types_by_name["EventType"].values
    events = [value.GetOptions().Extensions[event_pb2.event] for value in values if value.number]
    return {event.type: event.payload for event in events}
