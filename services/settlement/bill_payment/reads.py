"""Reading payments of bills: the payer and its bank do, nobody else."""

from aval.settlement.v1 import settlement_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from services.settlement.bill_payment import rpc, store


def get(reading: Reading, request: settlement_pb2.GetBillPaymentRequest) -> settlement_pb2.BillPayment:
    """One payment."""
    payment = store.load(reading.connection, request.name)
    if payment is None or reading.caller.tenant not in tenants(payment):
        raise NotFound(resource=request.name)
    return rpc.to_proto(payment)


def list_(reading: Reading, request: settlement_pb2.ListBillPaymentsRequest) -> settlement_pb2.ListBillPaymentsResponse:
    """A page of the caller's, newest first."""
    page, token = store.BILL_PAYMENTS.page(reading.connection, reading.caller.tenant, request)
    return settlement_pb2.ListBillPaymentsResponse(bill_payments=map(rpc.to_proto, page), next_page_token=token)
