"""Reads orders: the enterprise its own, an institution those of enterprises that let it see, the window all."""

from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import retail_pb2

from chassis import paging, records
from chassis.service import Reading
from services.declarations.privacy.consent import access
from services.declarations.privacy.visibility import NOBODY, among_seen
from services.declarations.window.retail.flows.matching import store as matching_store
from services.declarations.window.retail.flows.model import Order
from services.declarations.window.retail.flows.order import rpc
from services.declarations.window.retail.flows.tables import retail_orders
from services.declarations.window.retail.report import reads as report_reads
from services.declarations.window.retail.report.model import receipts_subject


def get(reading: Reading, request: retail_pb2.GetRetailOrderRequest) -> retail_pb2.RetailOrder:
    """Returns an order with its match. One that the caller may not see looks like one that doesn't exist."""
    identifier = request.name.removeprefix("retailOrders/")
    order = records.one(reading.connection, retail_orders, Order, retail_orders.c.id == identifier)
    access.look(reading, (order.enterprise or NOBODY) if order else "", "GetRetailOrder", request.name)
    assert order is not None
    message = rpc.to_proto(order)
    order_match = matching_store.of(reading.connection, [identifier], reading.business_date)[identifier]
    message.match.CopyFrom(rpc.match_to_proto(order_match, reading.caller.language))
    subjects = [order.name, receipts_subject(order.merchant_code, order.order_number)]
    subjects += [*message.match.waybills, *message.match.payments]
    message.reports.extend(report_reads.told(reading, subjects))
    return message


def list_(reading: Reading, request: retail_pb2.ListRetailOrdersRequest) -> retail_pb2.ListRetailOrdersResponse:
    """Returns a page of orders, by descending name."""
    query = sa.select(retail_orders).where(among_seen(reading, retail_orders.c.enterprise))
    for condition in _conditions(request):
        query = query.where(condition)
    query = paging.newest_first(query, retail_orders.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Order), "id")
    access.note_page(reading, "ListRetailOrders", ((order.name, order.enterprise) for order in page))
    return retail_pb2.ListRetailOrdersResponse(orders=map(rpc.to_proto, page), next_page_token=token)


def _conditions(request: retail_pb2.ListRetailOrdersRequest) -> list[Any]:
    """Returns the conditions of the filters that are set."""
    state = retail_pb2.RetailMatch.State.Name(request.match_state) if request.match_state else ""
    wanted = {
        "enterprise": request.enterprise,
        "platform_code": request.platform_code,
        "merchant_code": request.merchant_code,
        "match_state": state,
    }
    return [retail_orders.c[name] == value for name, value in wanted.items() if value]
