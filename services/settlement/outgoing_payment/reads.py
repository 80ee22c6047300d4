"""Listing payments out: the exporter's, or those of the bank's customers."""

from aval.settlement.v1 import settlement_pb2

from chassis.service import Reading
from services.settlement.outgoing_payment import rpc, store


def list_(
    reading: Reading, request: settlement_pb2.ListOutgoingPaymentsRequest
) -> settlement_pb2.ListOutgoingPaymentsResponse:
    """A page of the caller's, newest first."""
    page, token = store.OUTGOING_PAYMENTS.page(reading.connection, reading.caller.tenant, request)
    return settlement_pb2.ListOutgoingPaymentsResponse(outgoing_payments=map(rpc.to_proto, page), next_page_token=token)
