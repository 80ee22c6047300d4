"""Reading payments in: the bank that received them and the exporter do, nobody else."""

import sqlalchemy as sa
from aval.settlement.v1 import settlement_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.settlement.incoming_payment import rpc, store
from services.settlement.incoming_payment.model import IncomingPayment
from services.settlement.tables import incoming_payments


def get(reading: Reading, request: settlement_pb2.GetIncomingPaymentRequest) -> settlement_pb2.IncomingPayment:
    """One payment."""
    payment = store.load(reading.connection, request.name)
    if payment is None or reading.caller.tenant not in (payment.bank, payment.enterprise):
        raise NotFound(resource=request.name)
    return rpc.to_proto(payment, reading.caller.tenant)


def list_(
    reading: Reading, request: settlement_pb2.ListIncomingPaymentsRequest
) -> settlement_pb2.ListIncomingPaymentsResponse:
    """A page of the caller's, newest first."""
    rows, tenant = incoming_payments, reading.caller.tenant
    query = sa.select(rows).where(sa.or_(rows.c.bank == tenant, rows.c.enterprise == tenant))
    query = paging.newest_first(query, rows.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, IncomingPayment), "id")
    messages = [rpc.to_proto(payment, tenant) for payment in page]
    return settlement_pb2.ListIncomingPaymentsResponse(incoming_payments=messages, next_page_token=token)
