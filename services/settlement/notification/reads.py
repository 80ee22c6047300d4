"""Listing notifications: an account's owner and the bank that keeps it do."""

from aval.settlement.v1 import settlement_pb2

from chassis.service import Reading
from services.settlement.notification import rpc, store


def list_(
    reading: Reading, request: settlement_pb2.ListNotificationsRequest
) -> settlement_pb2.ListNotificationsResponse:
    """Returns a page of the caller's notifications, newest first."""
    page, token = store.NOTIFICATIONS.page(reading.connection, reading.caller.tenant, request)
    return settlement_pb2.ListNotificationsResponse(notifications=map(rpc.to_proto, page), next_page_token=token)
