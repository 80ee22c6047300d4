"""Opening and withdrawing an application."""

from aval.loans.v1 import loans_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields
from chassis.states import after, check_etag
from services.loans.application import model, rpc
from services.loans.application.model import TRANSITIONS, Verb
from services.loans.application.store import APPLICATIONS
from services.loans.offer import store as offer_store


def create(transaction: Transaction, request: loans_pb2.CreateApplicationRequest) -> loans_pb2.Application:
    """Opens an application of the calling exporter to several banks. Raises InvalidFields, AmountAboveCap."""
    application = rpc.opened(
        request.application,
        identifier=transaction.ids.resource("application"),
        enterprise=transaction.caller.tenant,
        now_us=transaction.now_us,
    )
    today = transaction.business_date
    if problems := model.problems(application, today):
        raise InvalidFields(problems)
    model.check_cap(application, today)
    APPLICATIONS.add(transaction, application, "application.opened")
    return rpc.to_proto(application, application.enterprise)


def withdraw(transaction: Transaction, request: loans_pb2.WithdrawApplicationRequest) -> loans_pb2.Application:
    """Withdraws an application of the calling exporter. Raises NotFound, EtagMismatch, WrongState."""
    enterprise = transaction.caller.tenant
    application = APPLICATIONS.own(transaction.connection, request.name, enterprise=enterprise)
    check_etag(request.etag, application)
    withdrawn = after(TRANSITIONS, application, Verb.WITHDRAW)
    withdrawn = APPLICATIONS.save(transaction, withdrawn, "application.withdrawn")
    offer_store.decline_open(transaction, application.name)
    return rpc.to_proto(withdrawn, enterprise)
