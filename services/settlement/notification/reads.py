"""Listing notifications: an account's owner and the bank that keeps it do."""

from aval.settlement.v1 import settlement_pb2

from chassis import paging, records
from chassis.service import Reading
from services.settlement.notification import rpc, store
from services.settlement.notification.model import Notification
from services.settlement.tables import notifications


def list_(
    reading: Reading, request: settlement_pb2.ListNotificationsRequest
) -> settlement_pb2.ListNotificationsResponse:
    """Returns a page of the caller's notifications, newest first."""
    query = paging.newest_first(store.of_party(reading.caller.tenant), notifications.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Notification), "id")
    return settlement_pb2.ListNotificationsResponse(notifications=map(rpc.to_proto, page), next_page_token=token)
