"""Notifications on the wire."""

from aval.settlement.v1 import settlement_pb2

from chassis import wire
from services.settlement.notification.model import Notification


def to_proto(notification: Notification) -> settlement_pb2.Notification:
    """Returns the wire form."""
    return wire.fill(settlement_pb2.Notification, notification, account=f"accounts/{notification.account}")
