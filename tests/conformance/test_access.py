"""Access to methods, as the policy in the contract says it and nothing else; and what no service takes in."""

import pytest
from google.protobuf.descriptor import MethodDescriptor

from chassis import identity
from chassis.contracts import contract
from chassis.identity import Caller, Role
from chassis.server import LARGEST_MESSAGE
from cli.stores import SERVICES
from tests.conformance.world import CAST, World

METHODS = {(service.name, m.name): m for service in SERVICES for m in service.contract.descriptor.methods}
UNARY = [key for key, m in METHODS.items() if not m.client_streaming and not m.server_streaming]
CALLED_BY_SERVICES = [key for key, m in METHODS.items() if identity.policy_of(m).internal]
SECOND_FACTOR = [key for key, m in METHODS.items() if identity.policy_of(m).second_factor]


def outsiders(method: MethodDescriptor) -> list[Caller]:
    """Everyone whose role the method's policy doesn't name; nobody at all among them."""
    roles = identity.policy_of(method).roles
    without = Caller("banks/LMHFCNB0/nobody", "banks/LMHFCNB0")
    return [without, *(caller for role, caller in CAST.items() if role not in roles)]


def test_the_cast_has_every_role() -> None:
    assert {*CAST} | {"ROLE_UNSPECIFIED"} == {*Role.keys()}
    assert CALLED_BY_SERVICES
    assert SECOND_FACTOR


@pytest.mark.parametrize("key", METHODS, ids=".".join)
async def test_a_role_that_the_policy_doesnt_name_is_denied(world: World, key: tuple[str, str]) -> None:
    method = METHODS[key]
    expected = ("NOT_FOUND", "NOT_FOUND") if key in CALLED_BY_SERVICES else ("PERMISSION_DENIED", "ACCESS_DENIED")
    for caller in outsiders(method):
        refusal = await world.refused(*key, b"", caller)
        assert (refusal.code, refusal.reason) == expected, caller


@pytest.mark.parametrize("key", SECOND_FACTOR, ids=".".join)
async def test_a_second_factor_is_asked_for(world: World, key: tuple[str, str]) -> None:
    (role,) = identity.policy_of(METHODS[key]).roles
    plain = Caller(CAST[role].principal, CAST[role].tenant, CAST[role].roles)
    refusal = await world.refused(*key, b"", plain)
    assert (refusal.code, refusal.reason) == ("PERMISSION_DENIED", "SECOND_FACTOR_REQUIRED")


def allowed(key: tuple[str, str]) -> Caller:
    """Somebody who may call it."""
    policy = identity.policy_of(METHODS[key])
    return identity.service_caller("loans") if policy.internal else CAST[sorted(policy.roles)[0]]


@pytest.mark.parametrize("key", UNARY, ids=".".join)
async def test_what_is_no_message_or_too_large_or_empty(world: World, key: tuple[str, str]) -> None:
    caller = allowed(key)
    refusal = await world.refused(*key, bytes(LARGEST_MESSAGE + 1), caller)
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "MESSAGE_TOO_LARGE")
    refusal = await world.refused(*key, b"\xff\xff\xff", caller)
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
    required = [field for field in ("request_id", "name", "account") if field in fields_of(key)]
    if required:
        refusal = await world.refused(*key, b"", caller)
        assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELDS")
        # All at once, not the first only.
        assert {*required} <= {*refusal.violations}


def fields_of(key: tuple[str, str]) -> set[str]:
    """The fields of a method's request."""
    return set(contract(key[0]).request(key[1]).DESCRIPTOR.fields_by_name)
