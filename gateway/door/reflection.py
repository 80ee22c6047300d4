"""What reflection shows: the contracts without their INTERNAL methods, which don't exist outside."""

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from chassis.contracts import contract
from chassis.identity import policy_of


def public_pool(services: tuple[str, ...]) -> descriptor_pool.DescriptorPool:
    """A pool of the services' files and all they import."""
    pool = descriptor_pool.DescriptorPool()
    added: set[str] = set()
    ours = [contract(service).descriptor.file for service in services]
    for file in (*ours, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        _add(pool, file, added)
    return pool


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, added: set[str]) -> None:
    if file.name in added:
        return
    added.add(file.name)
    for imported in file.dependencies:
        _add(pool, imported, added)
    pool.Add(_without_internal(file))


def _without_internal(file: FileDescriptor) -> descriptor_pb2.FileDescriptorProto:
    copy = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(copy)
    for service in copy.service if file.package.startswith("aval.") else ():
        descriptor = file.services_by_name[service.name]
        public = [m for m in service.method if not policy_of(descriptor.methods_by_name[m.name]).internal]
        del service.method[:]
        service.method.extend(public)
    return copy
