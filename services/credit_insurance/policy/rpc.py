"""Policies on the wire."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import wire
from services.credit_insurance.policy.model import Policy


def to_proto(policy: Policy) -> credit_insurance_pb2.Policy:
    """Returns the wire form."""
    return wire.fill(credit_insurance_pb2.Policy, policy)


def prepared(message: credit_insurance_pb2.Policy, *, identifier: str, insurer: str, maker: str, now_us: int) -> Policy:
    """Returns the policy that an insurer's maker prepares by a checked message."""
    return wire.read(Policy, message, id=identifier, insurer=insurer, maker=maker, create_us=now_us)
