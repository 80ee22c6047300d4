"""The contracts that exist outside: the services behind the door and their PUBLIC methods, from the descriptors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import MethodDescriptor

from chassis.contracts import contract
from chassis.identity import Policy, policy_of

SERVICES = ("declarations", "settlement", "credit_insurance", "loans")


@dataclass(frozen=True)
class PublicMethod:
    """A method that exists at the door: the service's short name, its descriptor, path and policy."""

    service: str
    descriptor: MethodDescriptor
    path: str
    policy: Policy


def _of_service(service: str) -> Iterator[PublicMethod]:
    found = contract(service)
    for method in found.descriptor.methods:
        policy = policy_of(method)
        if not policy.internal:
            yield PublicMethod(service, method, found.path(method.name), policy)


@cache
def public_methods() -> tuple[PublicMethod, ...]:
    """Returns all public methods, in the protos' order."""
    return tuple(method for service in SERVICES for method in _of_service(service))
