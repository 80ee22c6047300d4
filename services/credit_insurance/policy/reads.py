"""Reading policies: their insurer and their enterprise do, nobody else."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from services.credit_insurance.policy import rpc, store


def get(reading: Reading, request: credit_insurance_pb2.GetPolicyRequest) -> credit_insurance_pb2.Policy:
    """One policy."""
    policy = store.load(reading.connection, request.name)
    if policy is None or reading.caller.tenant not in tenants(policy):
        raise NotFound(resource=request.name)
    return rpc.to_proto(policy)


def list_(
    reading: Reading, request: credit_insurance_pb2.ListPoliciesRequest
) -> credit_insurance_pb2.ListPoliciesResponse:
    """A page of the caller's, newest first."""
    page, token = store.POLICIES.page(reading.connection, reading.caller.tenant, request)
    return credit_insurance_pb2.ListPoliciesResponse(policies=map(rpc.to_proto, page), next_page_token=token)
