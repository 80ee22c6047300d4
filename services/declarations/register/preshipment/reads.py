"""Reads orders and credits: the enterprise its own, an institution what it was let see."""

from aval.declarations.v1 import pre_shipment_pb2

from chassis import paging, records
from chassis.service import Reading
from services.declarations.privacy.consent import access
from services.declarations.privacy.visibility import among_seen
from services.declarations.register.preshipment import available as preshipment_available
from services.declarations.register.preshipment import rpc, store
from services.declarations.register.preshipment.assets import as_asset
from services.declarations.register.preshipment.model import PreShipment, counting
from services.declarations.register.preshipment.store import pre_shipments


def get(reading: Reading, request: pre_shipment_pb2.GetPreShipmentRequest) -> pre_shipment_pb2.PreShipment:
    """Returns an order or credit. Whoever may not see it can't tell it from one that doesn't exist."""
    identifier = request.name.removeprefix("preShipments/")
    order = store.load(reading.connection, [identifier]).get(identifier)
    access.look(reading, order.enterprise if order else "", "GetPreShipment", request.name)
    assert order is not None
    return _views(reading, [order])[0]


def list_(
    reading: Reading, request: pre_shipment_pb2.ListPreShipmentsRequest
) -> pre_shipment_pb2.ListPreShipmentsResponse:
    """Returns a page of the orders and credits that the caller may see, newest first."""
    rows = pre_shipments.c
    query = paging.newest_first(store.matching(among_seen(reading, rows.enterprise)), rows.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, PreShipment), "id")
    access.note_page(reading, "ListPreShipments", ((order.name, order.enterprise) for order in page))
    return pre_shipment_pb2.ListPreShipmentsResponse(pre_shipments=_views(reading, page), next_page_token=token)


def _views(reading: Reading, page: list[PreShipment]) -> list[pre_shipment_pb2.PreShipment]:
    all_links = store.links(reading.connection, [order.name for order in page])
    links = {order.name: counting(all_links, order) for order in page}
    available = preshipment_available.available(
        reading, [as_asset(order, links[order.name], reading.business_date) for order in page]
    )
    tenant = reading.caller.tenant
    return [rpc.to_proto(order, links[order.name], tenant, available[order.name]) for order in page]
