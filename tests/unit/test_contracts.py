"""The contracts: every method says who may call it, every mutation carries a request id."""

import importlib

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor

from chassis import identity
from chassis.contracts import contract
from chassis.service import UPLOAD_BLOB, WATCH

SERVICES = ("declarations", "settlement", "credit_insurance", "loans")
METHODS = [method for name in SERVICES for method in contract(name).descriptor.methods]
READS = ("Explain", "Export", "Get", "List", "Query", "Verify", WATCH)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_method_has_an_access_policy_that_lets_somebody_in(method: MethodDescriptor) -> None:
    policy = identity.policy_of(method)
    assert policy.internal or policy.roles
    assert "ROLE_UNSPECIFIED" not in policy.roles


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_mutation_has_a_request_id_and_no_read_has_one(method: MethodDescriptor) -> None:
    field = method.input_type.fields_by_name.get("request_id")
    # A blob is known by its content: the same again is the same.
    if method.name.startswith(READS) or method.name == UPLOAD_BLOB:
        assert field is None
    else:
        assert field is not None
        assert field.type == FieldDescriptor.TYPE_STRING


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_a_stub_of_all_its_methods(name: str) -> None:
    """For clients in Python, beside the messages."""
    descriptor = contract(name).descriptor
    stubs = importlib.import_module(f"aval.{name}.v1.{name}_pb2_grpc")
    stub = getattr(stubs, f"{descriptor.name}Stub")(grpc.insecure_channel("127.0.0.1:9"))
    assert {method.name for method in descriptor.methods} == set(vars(stub))


def test_contracts_are_found_by_name() -> None:
    loans = contract("loans")
    assert loans.path("SignLoan") == "/aval.loans.v1.LoansService/SignLoan"
    assert loans.request("SignLoan").DESCRIPTOR is loans.method("SignLoan").input_type
    with pytest.raises(KeyError):
        loans.method("SignNothing")
