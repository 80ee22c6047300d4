"""Preparing and approving policies."""

from collections.abc import Iterator

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, Problem
from chassis.rpc import to_decimal
from services.credit_insurance import opening, premium_rates
from services.credit_insurance.ending import jobs as ending_jobs
from services.credit_insurance.policy import rpc
from services.credit_insurance.policy.model import TRANSITIONS, Verb
from services.credit_insurance.policy.store import POLICIES
from trade import approval, checks


def create(transaction: Transaction, request: credit_insurance_pb2.CreatePolicyRequest) -> credit_insurance_pb2.Policy:
    """Prepares a policy of the calling insurer. Raises InvalidFields."""
    if problems := list(_problems(request.policy)):
        raise InvalidFields(problems)
    policy = rpc.prepared(
        request.policy,
        identifier=transaction.ids.resource("policy"),
        insurer=transaction.caller.tenant,
        maker=transaction.caller.principal,
        now_us=transaction.now_us,
    )
    return rpc.to_proto(POLICIES.add(transaction, policy, "policy.prepared"))


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
    """Yields PREMIUM_RATE_MISSING where a policy without a rate of its own insures a larger part than the table."""
    largest = premium_rates.largest_insured_ratio()
    if to_decimal(policy.insured_ratio) > largest:
        yield Problem(
            "policy.premium_rate",
            "PREMIUM_RATE_MISSING",
            f"The rate table ends at an insured ratio of {largest}; set a rate.",
            f"费率表的赔付比例最高为 {largest}；请填写费率。",
        )


def approve(
    transaction: Transaction, request: credit_insurance_pb2.ApprovePolicyRequest
) -> credit_insurance_pb2.Policy:
    """Puts a policy in force, by another of the insurer's people. Raises NotFound and what `approved` does."""
    caller = transaction.caller
    policy = POLICIES.own(transaction.connection, request.name, insurer=caller.tenant)
    approved = approval.approved(TRANSITIONS, policy, Verb.APPROVE, etag=request.etag, checker=caller.principal)
    opening.open_line(transaction, approved.name, approved.maximum_liability)
    saved = POLICIES.save(transaction, approved, "policy.in_force")
    if ending_jobs.end_if_over(transaction, ending_jobs.POLICIES, saved):
        saved = POLICIES.load(transaction.connection, saved.name) or saved
    return rpc.to_proto(saved)
