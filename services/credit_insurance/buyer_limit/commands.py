"""Asking for a limit on a buyer, deciding and approving it."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money
from chassis import rpc as wire
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem, SamePerson
from chassis.states import check_etag, moved
from services.credit_insurance import checks, errors, opening
from services.credit_insurance.buyer_limit import store
from services.credit_insurance.buyer_limit.model import TRANSITIONS, BuyerLimit, State, Verb
from services.credit_insurance.ending import jobs as ending_jobs
from services.credit_insurance.policy import store as policies


def request_limit(
    transaction: Transaction, request: credit_insurance_pb2.RequestBuyerLimitRequest
) -> credit_insurance_pb2.BuyerLimit:
    """The exporter asks for a limit under its policy. NotFound, PolicyNotInForce, InvalidFields."""
    policy = policies.load(transaction.connection, request.policy)
    if policy is None or policy.enterprise != transaction.caller.tenant:
        raise NotFound(resource=request.policy)
    today = transaction.business_date
    if not policy.in_force(max(today, policy.start_date)):
        raise errors.PolicyNotInForce(policy=policy.name, date=today)
    if problems := list(checks.amount("amount", request.amount, policy.maximum_liability.currency)):
        raise InvalidFields(problems)
    limit = BuyerLimit(
        transaction.ids.resource("buyer-limit"),
        policy.name,
        policy.insurer,
        policy.enterprise,
        request.buyer_name,
        request.buyer_country,
        money.from_proto(request.amount),
        None,
        request.payment_term_days,
        None,
        None,
        False,
        State.REQUESTED,
        "",
        "",
        1,
        transaction.now_us,
    )
    return store.add(transaction, limit)


def _of_insurer(transaction: Transaction, name: str, etag: str) -> BuyerLimit:
    """The calling insurer's limit as the caller last saw it. NotFound, EtagMismatch."""
    limit = store.load(transaction.connection, name)
    if limit is None or limit.insurer != transaction.caller.tenant:
        raise NotFound(resource=name)
    check_etag(etag, limit)
    return limit


def decide(
    transaction: Transaction, request: credit_insurance_pb2.DecideBuyerLimitRequest
) -> credit_insurance_pb2.BuyerLimit:
    """The insurer's maker proposes an amount and a time, or to refuse."""
    limit = _of_insurer(transaction, request.name, request.etag)
    state = moved(TRANSITIONS, limit, Verb.DECIDE)
    proposal = dataclasses.replace(limit, state=state, refuse=request.refuse, maker=transaction.caller.principal)
    if not request.refuse:
        proposal = _proposed(proposal, request)
    return store.save(transaction, proposal, "buyer_limit.proposed")


def _proposed(limit: BuyerLimit, request: credit_insurance_pb2.DecideBuyerLimitRequest) -> BuyerLimit:
    if problems := list(_proposal_problems(limit, request)):
        raise InvalidFields(problems)
    return dataclasses.replace(
        limit,
        amount=money.from_proto(request.amount),
        payment_term_days=request.payment_term_days,
        start_date=wire.to_date(request.start_date),
        end_date=wire.to_date(request.end_date),
    )


def _proposal_problems(limit: BuyerLimit, request: credit_insurance_pb2.DecideBuyerLimitRequest) -> Iterator[Problem]:
    yield from checks.amount("amount", request.amount, limit.requested_amount.currency)
    yield from checks.period("start_date", request.start_date, "end_date", request.end_date)


def _open_line(transaction: Transaction, limit: BuyerLimit) -> None:
    assert limit.amount is not None, f"{limit.name} has no amount"
    opening.open_line(transaction, limit.name, limit.amount)


def _nothing(_transaction: Transaction, _limit: BuyerLimit) -> None:
    """A refused limit has no line."""


# By what was proposed: the verb, the event, and what it does in the ledger.
APPROVALS: Mapping[bool, tuple[Verb, str, Callable[[Transaction, BuyerLimit], None]]] = {
    False: (Verb.APPROVE, "buyer_limit.in_force", _open_line),
    True: (Verb.APPROVE_REFUSAL, "buyer_limit.refused", _nothing),
}


def approve(
    transaction: Transaction, request: credit_insurance_pb2.ApproveBuyerLimitRequest
) -> credit_insurance_pb2.BuyerLimit:
    """Another of the insurer's people approves exactly what was proposed."""
    limit = _of_insurer(transaction, request.name, request.etag)
    verb, event, book = APPROVALS[limit.refuse]
    state = moved(TRANSITIONS, limit, verb)
    if transaction.caller.principal == limit.maker:
        raise SamePerson
    book(transaction, limit)
    approved = dataclasses.replace(limit, state=state, checker=transaction.caller.principal)
    message = store.save(transaction, approved, event)
    if state is State.IN_FORCE and ending_jobs.end_if_over(transaction, ending_jobs.BUYER_LIMITS, approved):
        message = store.view(transaction.connection, approved.name)
    return message
