"""Reflection: the contracts without their INTERNAL methods and their shapes, which don't exist outside.

It is served under both of its names, v1 and v1alpha, whose messages are the same bytes.
"""

from collections.abc import Iterable, Iterator

import grpc
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FileDescriptor, MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from chassis.contracts import contract
from chassis.identity import policy_of

ALPHA, V1 = "grpc.reflection.v1alpha", "grpc.reflection.v1"
SERVICES = tuple(f"{package}.ServerReflection" for package in (V1, ALPHA))
METHOD = "ServerReflectionInfo"


def add_reflection(server: grpc.aio.Server, names: Iterable[str], contracts: tuple[str, ...]) -> None:
    """Adds reflection to a server: of these gRPC services, by the named services' public contracts."""
    servicer = reflection.aio.ReflectionServicer([*names, *SERVICES], public_pool(contracts))
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    handlers = [grpc.method_handlers_generic_handler(service, {METHOD: handler}) for service in SERVICES]
    server.add_generic_rpc_handlers(tuple(handlers))


def public_pool(services: tuple[str, ...]) -> descriptor_pool.DescriptorPool:
    """Returns a pool of the services' files and all they import."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()
    ours = [contract(service).descriptor.file for service in services]
    hidden = _hidden(_files(ours))
    for file in (*ours, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        _add(pool, file, added, hidden)
    pool.Add(_first_version())
    return pool


def _first_version() -> descriptor_pb2.FileDescriptorProto:
    """Returns the file of reflection v1: that of v1alpha under its later name."""
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", V1
    for field in (field for message in file.message_type for field in message.field if field.type_name):
        field.type_name = _later_name(field.type_name)
    for method in (method for service in file.service for method in service.method):
        method.input_type, method.output_type = _later_name(method.input_type), _later_name(method.output_type)
    return file


def _later_name(name: str) -> str:
    return name.replace(f".{ALPHA}.", f".{V1}.")


def _files(files: Iterable[FileDescriptor]) -> dict[str, FileDescriptor]:
    """Returns our own files among these and all that they import, by name."""
    files_by_name: dict[str, FileDescriptor] = {}
    for file in files:
        if file.package.startswith("aval.") and file.name not in files_by_name:
            files_by_name[file.name] = file
            files_by_name |= _files(file.dependencies)
    return files_by_name


def _hidden(files: dict[str, FileDescriptor]) -> set[str]:
    """Returns the full names of the messages that only INTERNAL methods speak in.

    They are those methods' requests and responses, and what only these are made of. A resource that such a method
    answers with is shown, since it is told in events.
    """
    methods = [m for file in files.values() for service in file.services_by_name.values() for m in service.methods]
    public = {
        each_message.full_name
        for m in methods
        if not policy_of(m).internal
        for each_message in (m.input_type, m.output_type)
    }
    hidden = {name for m in methods if policy_of(m).internal for name in _shapes(m)} - public
    users: dict[str, set[str]] = {}
    for message in (message for file in files.values() for message in file.message_types_by_name.values()):
        for part in _parts(message):
            users.setdefault(part, set()).add(message.full_name)
    while (
        newly_hidden := {part for part, by in users.items() if by - {part} and by - {part} <= hidden} - hidden - public
    ):
        hidden |= newly_hidden
    return hidden


def _shapes(method: MethodDescriptor) -> Iterator[str]:
    yield method.input_type.full_name
    if not _is_resource(method.output_type):
        yield method.output_type.full_name


def _is_resource(message: Descriptor) -> bool:
    behaviours = [
        field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
        for field in message.fields
        if field.name == "name"
    ]
    return any(field_behavior_pb2.IDENTIFIER in found for found in behaviours)


def _parts(message: Descriptor) -> Iterator[str]:
    """Yields the outermost messages that the fields of a message, or of those within it, are of."""
    for field in message.fields:
        if field.message_type is not None:
            yield _outermost(field.message_type).full_name
        if field.enum_type is not None and field.enum_type.containing_type is not None:
            yield _outermost(field.enum_type.containing_type).full_name
    for nested in message.nested_types:
        yield from _parts(nested)


def _outermost(message: Descriptor) -> Descriptor:
    return message if message.containing_type is None else _outermost(message.containing_type)


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, added: set[str], hidden: set[str]) -> None:
    if file.name in added:
        return
    added.add(file.name)
    for imported in file.dependencies:
        _add(pool, imported, added, hidden)
    pool.Add(_without_internal(file, hidden))


def _without_internal(file: FileDescriptor, hidden: set[str]) -> descriptor_pb2.FileDescriptorProto:
    copy = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copy)
    for service in copy.service if file.package.startswith("aval.") else ():
        descriptor = file.services_by_name[service.name]
        public = [m for m in service.method if not policy_of(descriptor.methods_by_name[m.name]).internal]
        del service.method[:]
        service.method.extend(public)
    shown = [message for message in copy.message_type if f"{file.package}.{message.name}" not in hidden]
    del copy.message_type[:]
    copy.message_type.extend(shown)
    return copy
