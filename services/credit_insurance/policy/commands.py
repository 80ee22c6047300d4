"""Preparing and approving policies."""

import dataclasses
from collections.abc import Iterator

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import rpc as wire
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem, SamePerson
from chassis.states import check_etag, moved
from services.credit_insurance import checks, opening, premium_rates
from services.credit_insurance.ending import jobs as ending_jobs
from services.credit_insurance.policy import rpc, store
from services.credit_insurance.policy.model import TRANSITIONS, Verb


def create(transaction: Transaction, request: credit_insurance_pb2.CreatePolicyRequest) -> credit_insurance_pb2.Policy:
    """The insurer's maker prepares a policy. InvalidFields with all that is wrong."""
    if problems := list(_problems(request.policy)):
        raise InvalidFields(problems)
    caller, identifier = transaction.caller, transaction.ids.resource("policy")
    policy = rpc.asked(request.policy, identifier, caller.tenant, caller.principal, transaction.now_us)
    store.add(transaction, policy)
    return rpc.to_proto(policy)


def _problems(policy: credit_insurance_pb2.Policy) -> Iterator[Problem]:
    ratio_problems = list(checks.fraction("policy.insured_ratio", policy.insured_ratio))
    yield from ratio_problems
    yield from checks.amount("policy.maximum_liability", policy.maximum_liability)
    yield from checks.period("policy.start_date", policy.start_date, "policy.end_date", policy.end_date)
    if policy.HasField("premium_rate"):
        yield from checks.fraction("policy.premium_rate", policy.premium_rate)
    elif not ratio_problems:
        yield from _table_problems(policy)


def _table_problems(policy: credit_insurance_pb2.Policy) -> Iterator[Problem]:
    """Without a rate of its own the policy needs one of the table."""
    largest = premium_rates.largest_insured_ratio()
    if wire.to_decimal(policy.insured_ratio) > largest:
        yield Problem(
            "policy.premium_rate",
            "PREMIUM_RATE_MISSING",
            f"The rate table ends at an insured ratio of {largest}; set a rate.",
            f"费率表的赔付比例最高为 {largest}；请填写费率。",
        )


def approve(
    transaction: Transaction, request: credit_insurance_pb2.ApprovePolicyRequest
) -> credit_insurance_pb2.Policy:
    """Another of the insurer's people puts it in force."""
    policy = store.load(transaction.connection, request.name)
    if policy is None or policy.insurer != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, policy)
    state = moved(TRANSITIONS, policy, Verb.APPROVE)
    if transaction.caller.principal == policy.maker:
        raise SamePerson
    opening.open_line(transaction, policy.name, policy.maximum_liability)
    approved = dataclasses.replace(policy, state=state, checker=transaction.caller.principal)
    saved = store.save(transaction, approved, "policy.in_force")
    if ending_jobs.end_if_over(transaction, ending_jobs.POLICIES, saved):
        saved = store.load(transaction.connection, saved.name) or saved
    return rpc.to_proto(saved)
