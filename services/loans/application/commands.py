"""Opening and withdrawing an application."""

import dataclasses

from aval.loans.v1 import loans_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound
from chassis.states import check_etag, moved
from services.loans.application import model, rpc, store
from services.loans.application.model import TRANSITIONS, Verb
from services.loans.offer import store as offers


def create(transaction: Transaction, request: loans_pb2.CreateApplicationRequest) -> loans_pb2.Application:
    """The calling exporter asks banks to finance its declarations."""
    application = rpc.asked(
        request.application,
        identifier=transaction.ids.resource("application"),
        enterprise=transaction.caller.tenant,
        now_us=transaction.now_us,
    )
    today = transaction.business_date
    if found := model.problems(application, today):
        raise InvalidFields(found)
    model.check_cap(application, today)
    store.add(transaction, application)
    return rpc.to_proto(application, application.enterprise)


def withdraw(transaction: Transaction, request: loans_pb2.WithdrawApplicationRequest) -> loans_pb2.Application:
    """The exporter asks no longer."""
    application = store.find(transaction.connection, request.name, transaction.caller.tenant)
    if application.enterprise != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, application)
    state = moved(TRANSITIONS, application, Verb.WITHDRAW)
    withdrawn = store.save(transaction, dataclasses.replace(application, state=state), "application.withdrawn")
    offers.decline_open(transaction, application.name)
    return rpc.to_proto(withdrawn, application.enterprise)
