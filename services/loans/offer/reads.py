"""Listing offers: the bank its own, the exporter those that were offered to it."""

from aval.loans.v1 import loans_pb2

from chassis.service import Reading
from services.loans.offer.store import OFFERS
from services.loans.tables import offers


def list_(reading: Reading, request: loans_pb2.ListOffersRequest) -> loans_pb2.ListOffersResponse:
    """Returns a page of the offers that the caller may see, newest first; of one application, if it is named."""
    tenant = reading.caller.tenant
    named = [offers.c.application == request.application] if request.application else []
    page, token = OFFERS.page(reading, request, *named)
    views = OFFERS.views(reading.connection, page, tenant)
    return loans_pb2.ListOffersResponse(offers=views, next_page_token=token)
