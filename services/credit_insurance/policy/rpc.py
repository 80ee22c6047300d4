"""Policies on the wire."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money, rpc
from services.credit_insurance.policy.model import Policy, State


def to_proto(policy: Policy) -> credit_insurance_pb2.Policy:
    """The wire form."""
    message = credit_insurance_pb2.Policy(
        name=policy.name,
        insurer=policy.insurer,
        enterprise=policy.enterprise,
        insured_ratio=rpc.decimal(policy.insured_ratio),
        maximum_liability=money.to_proto(policy.maximum_liability),
        start_date=rpc.date(policy.start_date),
        end_date=rpc.date(policy.end_date),
        state=policy.state.value,
        maker=policy.maker,
        checker=policy.checker,
        etag=str(policy.revision),
    )
    if policy.premium_rate is not None:
        message.premium_rate.CopyFrom(rpc.decimal(policy.premium_rate))
    message.create_time.FromMicroseconds(policy.create_us)
    return message


def asked(message: credit_insurance_pb2.Policy, identifier: str, insurer: str, maker: str, now_us: int) -> Policy:
    """The policy that a checked message asks for."""
    return Policy(
        identifier,
        insurer,
        message.enterprise,
        rpc.to_decimal(message.insured_ratio),
        money.from_proto(message.maximum_liability),
        rpc.to_date(message.start_date),
        rpc.to_date(message.end_date),
        rpc.to_decimal(message.premium_rate) if message.HasField("premium_rate") else None,
        State.PENDING_APPROVAL,
        maker,
        "",
        1,
        now_us,
    )
