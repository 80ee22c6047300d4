"""Each mutating method locks the resource that its request names."""

from typing import Any

import pytest
from aval.loans.v1 import loans_pb2

from chassis.command import by_name
from cli.stores import SERVICES

NAMED = [
    pytest.param(service, method, id=f"{service.name}.{method}")
    for service in SERVICES
    for method in service.commands
    if "name" in service.contract.request(method).DESCRIPTOR.fields_by_name
]


def test_a_request_without_a_name_locks_nothing_by_itself() -> None:
    assert list(by_name(loans_pb2.SignLoanRequest(name="loans/1"))) == ["loans/1"]
    assert list(by_name(loans_pb2.CreateOfferRequest())) == []


@pytest.mark.parametrize(("service", "method"), NAMED)
def test_the_resource_that_a_request_names_is_locked(service: Any, method: str) -> None:
    """WF3: the resource that a request names is locked."""
    assert len(NAMED) > 20
    request = service.contract.request(method)(name="nouns/1")
    assert "nouns/1" in set(service.operation(method).names(request))
