"""The services' contracts by name: services call each other by these, and never import each other."""

import importlib
from functools import cache
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor


class Contract:
    """One gRPC service as its descriptor declares it."""

    def __init__(self, descriptor: ServiceDescriptor) -> None:
        self.descriptor = descriptor

    def method(self, name: str) -> MethodDescriptor:
        """A method by its short name. KeyError if there is none."""
        return self.descriptor.methods_by_name[name]

    def path(self, name: str) -> str:
        """The method's gRPC path."""
        return f"/{self.descriptor.full_name}/{name}"

    def request(self, name: str) -> Any:
        """The method's request class."""
        return message_factory.GetMessageClass(self.method(name).input_type)

    def response(self, name: str) -> Any:
        """The method's response class."""
        return message_factory.GetMessageClass(self.method(name).output_type)


@cache
def contract(service: str) -> Contract:
    """The contract of a service: the one gRPC service of aval/<service>/v1/<service>.proto."""
    module = importlib.import_module(f"aval.{service}.v1.{service}_pb2")
    (descriptor,) = module.DESCRIPTOR.services_by_name.values()
    return Contract(descriptor)
