"""Reading buyer limits: their insurer and their enterprise do, nobody else."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from services.credit_insurance.buyer_limit import store


def get(reading: Reading, request: credit_insurance_pb2.GetBuyerLimitRequest) -> credit_insurance_pb2.BuyerLimit:
    """One limit."""
    limit = store.load(reading.connection, request.name)
    if limit is None or reading.caller.tenant not in tenants(limit):
        raise NotFound(resource=request.name)
    (message,) = store.views(reading.connection, [limit])
    return message


def list_(
    reading: Reading, request: credit_insurance_pb2.ListBuyerLimitsRequest
) -> credit_insurance_pb2.ListBuyerLimitsResponse:
    """A page of the caller's, newest first."""
    page, token = store.BUYER_LIMITS.page(reading.connection, reading.caller.tenant, request)
    views = store.views(reading.connection, page)
    return credit_insurance_pb2.ListBuyerLimitsResponse(buyer_limits=views, next_page_token=token)
