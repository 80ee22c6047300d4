"""Listing payments out: the exporter's, or those of the bank's customers."""

from aval.settlement.v1 import settlement_pb2

from chassis import paging, records
from chassis.service import Reading
from services.settlement.outgoing_payment import rpc, store
from services.settlement.outgoing_payment.model import OutgoingPayment
from services.settlement.tables import outgoing_payments


def list_(
    reading: Reading, request: settlement_pb2.ListOutgoingPaymentsRequest
) -> settlement_pb2.ListOutgoingPaymentsResponse:
    """A page of the caller's, newest first."""
    query = paging.newest_first(store.of_party(reading.caller.tenant), outgoing_payments.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, OutgoingPayment), "id")
    return settlement_pb2.ListOutgoingPaymentsResponse(outgoing_payments=map(rpc.to_proto, page), next_page_token=token)
