"""Notifications on the wire."""

from aval.settlement.v1 import settlement_pb2

from chassis import money
from services.settlement.notification.model import Notification


def to_proto(notification: Notification) -> settlement_pb2.Notification:
    """Returns the wire form."""
    message = settlement_pb2.Notification(
        name=notification.name,
        account=f"accounts/{notification.account}",
        owner=notification.owner,
        payment=notification.payment,
        amount=money.to_proto(notification.amount),
        content=notification.content,
    )
    message.create_time.FromMicroseconds(notification.create_us)
    return message
