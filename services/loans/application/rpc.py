"""Applications on the wire: a bank sees itself among the banks and no other."""

from aval.loans.v1 import loans_pb2

from chassis import money
from chassis.command import Transaction
from services.loans.application.model import Application, State
from services.loans.products import INSURED_RECEIVABLE


def asked(transaction: Transaction, message: loans_pb2.Application) -> Application:
    """The application a request asks for."""
    return Application(
        transaction.ids.resource("application"),
        transaction.caller.tenant,
        INSURED_RECEIVABLE,
        tuple(message.declarations),
        money.from_proto(message.amount),
        message.tenor_days,
        tuple(message.banks),
        State.OPEN,
        1,
        transaction.now_us,
    )


def to_proto(application: Application, viewer: str) -> loans_pb2.Application:
    """The wire form as a tenant sees it."""
    sees_all = viewer == application.enterprise
    message = loans_pb2.Application(
        name=application.name,
        enterprise=application.enterprise,
        product=application.product,
        declarations=application.declarations,
        amount=money.to_proto(application.amount),
        tenor_days=application.tenor_days,
        banks=[bank for bank in application.banks if sees_all or bank == viewer],
        state=application.state.value,
        etag=str(application.revision),
    )
    message.create_time.FromMicroseconds(application.create_us)
    return message
