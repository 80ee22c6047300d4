"""The policies' rows: the only SQL of this room."""

import sqlalchemy as sa

from chassis import records
from chassis.command import Transaction
from chassis.participants import Participation, join, tenants
from services.credit_insurance.policy import rpc
from services.credit_insurance.policy.model import Policy
from services.credit_insurance.tables import policies

POLICIES = Participation("policies", policies, Policy)


def load(connection: sa.Connection, name: str) -> Policy | None:
    """A policy by its resource name."""
    return records.one(connection, policies, Policy, policies.c.id == name.removeprefix("policies/"))


def add(transaction: Transaction, policy: Policy) -> None:
    """A new policy, with its event."""
    records.insert(transaction.connection, policies, policy)
    join(transaction.connection, policy.name, policy.participants)
    transaction.append("policy.prepared", policy.name, rpc.to_proto(policy), tenants(policy))


def save(transaction: Transaction, policy: Policy, event: str) -> Policy:
    """A changed policy, with its event."""
    fresh = records.update(transaction.connection, policies, policy)
    transaction.append(event, fresh.name, rpc.to_proto(fresh), tenants(fresh))
    return fresh
