"""Ends a holder's share of a breach, and nets anew for an order that it stood on."""

from aval.declarations.v1 import value_pb2

from chassis.command import Transaction
from services.declarations.register.breach import commands as breach_commands
from services.declarations.register.preshipment import netting


def resolve(transaction: Transaction, request: value_pb2.ResolveBreachRequest) -> value_pb2.Breach:
    """Approves that the caller gives its share up; what is netted for an order shrinks with it. Returns the breach."""
    resolved = breach_commands.resolve(transaction, request)
    netting.rebalance(transaction, [resolved.asset])
    return resolved
