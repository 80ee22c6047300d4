"""Notifications: made, told and listed."""

import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2

from chassis import money, paging, records
from chassis.command import Transaction
from chassis.service import Reading
from services.settlement.account.model import Account
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.notification import model
from services.settlement.notification.model import Credit, Notification
from services.settlement.tables import notifications


def add(transaction: Transaction, account: Account, credit: Credit, payment: IncomingPayment) -> None:
    """A new notification, with its event."""
    identifier = transaction.ids.resource("notification")
    content = model.content(identifier, credit, payment, transaction.now_us, transaction.business_date)
    notification = Notification(
        identifier,
        account.bank,
        account.owner,
        account.id,
        payment.name,
        credit.amount,
        content,
        transaction.now_us,
    )
    records.insert(transaction.connection, notifications, notification)
    parties = (account.owner, account.bank)
    transaction.append("notification.created", notification.name, to_proto(notification), parties)


def to_proto(notification: Notification) -> settlement_pb2.Notification:
    """The wire form."""
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


def list_(
    reading: Reading, request: settlement_pb2.ListNotificationsRequest
) -> settlement_pb2.ListNotificationsResponse:
    """A page of those about accounts that the caller owns or keeps, newest first."""
    rows, tenant = notifications, reading.caller.tenant
    query = sa.select(rows).where(sa.or_(rows.c.owner == tenant, rows.c.bank == tenant))
    query = paging.newest_first(query, rows.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Notification), "id")
    return settlement_pb2.ListNotificationsResponse(notifications=map(to_proto, page), next_page_token=token)
