"""Reading covered shipments: their insurer and their enterprise do, nobody else."""

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis.errors import NotFound
from chassis.participants import tenants
from chassis.service import Reading
from services.credit_insurance.covered_shipment import store


def get(
    reading: Reading, request: credit_insurance_pb2.GetCoveredShipmentRequest
) -> credit_insurance_pb2.CoveredShipment:
    """One shipment."""
    shipment = store.load(reading.connection, request.name)
    if shipment is None or reading.caller.tenant not in tenants(shipment):
        raise NotFound(resource=request.name)
    (message,) = store.views(reading.connection, [shipment])
    return message


def list_(
    reading: Reading, request: credit_insurance_pb2.ListCoveredShipmentsRequest
) -> credit_insurance_pb2.ListCoveredShipmentsResponse:
    """A page of the caller's, newest first."""
    page, token = store.COVERED_SHIPMENTS.page(reading.connection, reading.caller.tenant, request)
    views = store.views(reading.connection, page)
    return credit_insurance_pb2.ListCoveredShipmentsResponse(covered_shipments=views, next_page_token=token)
