"""Requesting a limit on a buyer, deciding and approving it."""

import dataclasses
from collections.abc import Iterator, Mapping

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money, rpc
from chassis.command import Transaction
from chassis.errors import InvalidFields, Problem
from services.credit_insurance import errors, opening
from services.credit_insurance.buyer_limit.model import TRANSITIONS, BuyerLimit, State, Verb
from services.credit_insurance.buyer_limit.store import BUYER_LIMITS
from services.credit_insurance.ending import jobs as ending_jobs
from services.credit_insurance.policy.store import POLICIES
from trade import approval, checks


def request_limit(
    transaction: Transaction, request: credit_insurance_pb2.RequestBuyerLimitRequest
) -> credit_insurance_pb2.BuyerLimit:
    """Requests a limit under a policy of the calling exporter. Raises NotFound, PolicyNotInForce, InvalidFields."""
    policy = POLICIES.own(transaction.connection, request.policy, enterprise=transaction.caller.tenant)
    today = transaction.business_date
    if not policy.in_force(max(today, policy.start_date)):
        raise errors.PolicyNotInForce(policy=policy.name, date=today)
    if problems := list(checks.amount("amount", request.amount, policy.maximum_liability.currency)):
        raise InvalidFields(problems)
    limit = BuyerLimit(
        id=transaction.ids.resource("buyer-limit"),
        policy=policy.name,
        insurer=policy.insurer,
        enterprise=policy.enterprise,
        buyer_name=request.buyer_name,
        buyer_country=request.buyer_country,
        requested_amount=money.from_proto(request.amount),
        payment_term_days=request.payment_term_days,
        create_us=transaction.now_us,
    )
    return BUYER_LIMITS.view(transaction.connection, BUYER_LIMITS.add(transaction, limit, "buyer_limit.requested"))


def decide(
    transaction: Transaction, request: credit_insurance_pb2.DecideBuyerLimitRequest
) -> credit_insurance_pb2.BuyerLimit:
    """Proposes an amount and a period, or a refusal, by the insurer's maker. Raises InvalidFields and as `prepared`."""
    caller = transaction.caller
    limit = BUYER_LIMITS.own(transaction.connection, request.name, insurer=caller.tenant)
    proposal = approval.prepared(
        TRANSITIONS, limit, Verb.DECIDE, etag=request.etag, maker=caller.principal, refuse=request.refuse
    )
    if not request.refuse:
        proposal = _proposed(proposal, request)
    return BUYER_LIMITS.view(transaction.connection, BUYER_LIMITS.save(transaction, proposal, "buyer_limit.proposed"))


def _proposed(limit: BuyerLimit, request: credit_insurance_pb2.DecideBuyerLimitRequest) -> BuyerLimit:
    if problems := list(_proposal_problems(limit, request)):
        raise InvalidFields(problems)
    return dataclasses.replace(
        limit,
        amount=money.from_proto(request.amount),
        payment_term_days=request.payment_term_days,
        start_date=rpc.to_date(request.start_date),
        end_date=rpc.to_date(request.end_date),
    )


def _proposal_problems(limit: BuyerLimit, request: credit_insurance_pb2.DecideBuyerLimitRequest) -> Iterator[Problem]:
    yield from checks.amount("amount", request.amount, limit.requested_amount.currency)
    yield from checks.period("start_date", request.start_date, "end_date", request.end_date)


# By what was proposed: the verb, and the event.
APPROVALS: Mapping[bool, tuple[Verb, str]] = {
    False: (Verb.APPROVE, "buyer_limit.in_force"),
    True: (Verb.APPROVE_REFUSAL, "buyer_limit.refused"),
}


def approve(
    transaction: Transaction, request: credit_insurance_pb2.ApproveBuyerLimitRequest
) -> credit_insurance_pb2.BuyerLimit:
    """Approves exactly what was proposed, by another of the insurer's people. Raises NotFound and as `approved`."""
    caller = transaction.caller
    limit = BUYER_LIMITS.own(transaction.connection, request.name, insurer=caller.tenant)
    verb, event = APPROVALS[limit.refuse]
    approved = approval.approved(TRANSITIONS, limit, verb, etag=request.etag, checker=caller.principal)
    if approved.state is State.IN_FORCE:
        assert approved.amount is not None, f"{approved.name} has no amount"
        opening.open_line(transaction, approved.name, approved.amount)
    saved = BUYER_LIMITS.save(transaction, approved, event)
    if saved.state is State.IN_FORCE and ending_jobs.end_if_over(transaction, ending_jobs.BUYER_LIMITS, saved):
        saved = BUYER_LIMITS.load(transaction.connection, saved.name) or saved
    return BUYER_LIMITS.view(transaction.connection, saved)
