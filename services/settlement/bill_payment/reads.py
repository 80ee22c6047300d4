"""Reading payments of bills: the payer and its bank do, nobody else."""

from aval.settlement.v1 import settlement_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.settlement.bill_payment import rpc, store
from services.settlement.bill_payment.model import BillPayment
from services.settlement.tables import bill_payments


def get(reading: Reading, request: settlement_pb2.GetBillPaymentRequest) -> settlement_pb2.BillPayment:
    """One payment."""
    payment = store.load(reading.connection, request.name)
    if payment is None or reading.caller.tenant not in (payment.bank, payment.enterprise):
        raise NotFound(resource=request.name)
    return rpc.to_proto(payment)


def list_(reading: Reading, request: settlement_pb2.ListBillPaymentsRequest) -> settlement_pb2.ListBillPaymentsResponse:
    """A page of the caller's, newest first."""
    query = paging.newest_first(store.of_party(reading.caller.tenant), bill_payments.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, BillPayment), "id")
    return settlement_pb2.ListBillPaymentsResponse(bill_payments=map(rpc.to_proto, page), next_page_token=token)
