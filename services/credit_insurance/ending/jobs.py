"""The jobs that end policies and buyer limits with the last day of their period."""

import datetime
import enum
from collections.abc import Sequence

import sqlalchemy as sa

from chassis import business_date
from chassis.command import Transaction
from chassis.jobs import Job, Page
from services.credit_insurance.buyer_limit import model as buyer_limit_model
from services.credit_insurance.ending import model, rpc, store
from services.credit_insurance.ending.model import Undertaking
from services.credit_insurance.policy import model as policy_model
from services.credit_insurance.tables import buyer_limits, policies

Approved = policy_model.Policy | buyer_limit_model.BuyerLimit


def _job(name: str, rows: sa.Table, collection: str, states: tuple[enum.StrEnum, enum.StrEnum], event: str) -> Job:
    """Returns the job that moves a collection's rows from the first state to the second once their period is over."""
    before, after = states

    def select(connection: sa.Connection, page: Page) -> Sequence[Undertaking]:
        return store.due(connection, rows, before.value, page)

    def end(transaction: Transaction, date: datetime.date, undertakings: Sequence[Undertaking]) -> None:
        store.save(transaction.connection, rows, undertakings, (before.value, after.value))
        payload = rpc.to_proto(collection, undertakings, date)
        transaction.append(event, f"{collection}/-", payload, model.tenants(undertakings))

    return Job(name=name, select=select, key=lambda undertaking: undertaking.id, apply=end)


def end_if_over(transaction: Transaction, job: Job, undertaking: Approved) -> bool:
    """Ends what is approved only after the last day of its period, whose close is over; returns whether it was."""
    today = transaction.business_date
    is_over = undertaking.end_date is not None and undertaking.end_date < today
    if is_over:
        ended = Undertaking(undertaking.id, undertaking.insurer, undertaking.enterprise)
        job.apply(transaction, today - business_date.DAY, [ended])
    return is_over


POLICIES = _job("end of policies", policies, "policies", policy_model.ENDING, "policies.ended")
BUYER_LIMITS = _job("end of buyer limits", buyer_limits, "buyerLimits", buyer_limit_model.ENDING, "buyer_limits.ended")
