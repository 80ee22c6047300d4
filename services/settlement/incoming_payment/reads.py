"""Reading payments in: the bank that received them and the exporter do, nobody else."""

from aval.settlement.v1 import settlement_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from services.settlement.incoming_payment import rpc, store


def get(reading: Reading, request: settlement_pb2.GetIncomingPaymentRequest) -> settlement_pb2.IncomingPayment:
    """One payment."""
    payment = store.load(reading.connection, request.name)
    if payment is None or reading.caller.tenant not in tenants(payment):
        raise NotFound(resource=request.name)
    return rpc.to_proto(payment, reading.caller.tenant)


def list_(
    reading: Reading, request: settlement_pb2.ListIncomingPaymentsRequest
) -> settlement_pb2.ListIncomingPaymentsResponse:
    """A page of the caller's, newest first."""
    page, token = store.INCOMING_PAYMENTS.page(reading.connection, reading.caller.tenant, request)
    messages = [rpc.to_proto(payment, reading.caller.tenant) for payment in page]
    return settlement_pb2.ListIncomingPaymentsResponse(incoming_payments=messages, next_page_token=token)
