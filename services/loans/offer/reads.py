"""Reading offers: the bank its own, the exporter those that were offered to it."""

from aval.loans.v1 import loans_pb2

from chassis.service import Reading
from services.loans.offer import rpc, store


def get(reading: Reading, request: loans_pb2.GetOfferRequest) -> loans_pb2.Offer:
    """One offer."""
    tenant = reading.caller.tenant
    return rpc.to_proto(store.find(reading.connection, request.name, tenant), tenant)


def list_(reading: Reading, request: loans_pb2.ListOffersRequest) -> loans_pb2.ListOffersResponse:
    """A page of those the caller may see, newest first."""
    tenant = reading.caller.tenant
    page, token = store.page(reading.connection, tenant, request)
    views = [rpc.to_proto(offer, tenant) for offer in page]
    return loans_pb2.ListOffersResponse(offers=views, next_page_token=token)
