"""Notifications as rows."""

from chassis.command import Transaction
from chassis.rows import Rows, alike
from services.settlement.account.model import Account
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.notification import model, rpc
from services.settlement.notification.model import Credit, Notification
from services.settlement.tables import notifications

NOTIFICATIONS = Rows(
    table=notifications,
    record=Notification,
    prefix="notifications/",
    views=alike(rpc.to_proto),
)


def add(transaction: Transaction, account: Account, credit: Credit, payment: IncomingPayment) -> None:
    """Makes and adds the notification of a credit, with its event."""
    identifier = transaction.ids.resource("notification")
    content = model.content(identifier, account.number, credit, payment, transaction.now_us, transaction.business_date)
    notification = Notification(
        id=identifier,
        bank=account.bank,
        owner=account.owner,
        account=account.id,
        payment=payment.name,
        amount=credit.amount,
        content=content,
        create_us=transaction.now_us,
    )
    NOTIFICATIONS.add(transaction, notification, "notification.created")
