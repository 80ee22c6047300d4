"""Saves, lists and deletes filters; finds those that a request uses."""

from typing import Any

from aval.declarations.v1 import insight_pb2

from chassis import paging, records
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations.window.filters import rpc, store
from services.declarations.window.filters.model import SavedFilter
from services.declarations.window.filters.store import saved_filters


def create(transaction: Transaction, request: insight_pb2.CreateSavedFilterRequest) -> insight_pb2.SavedFilter:
    """Saves a filter for the caller's tenant."""
    wanted = request.saved_filter
    rpc.check(wanted.filter, "saved_filter.filter")
    saved = SavedFilter(
        transaction.ids.resource("filter"),
        transaction.caller.tenant,
        wanted.title,
        wanted.filter.SerializeToString(deterministic=True),
        transaction.now_us,
    )
    store.add(transaction.connection, saved)
    return rpc.to_proto(saved)


def delete(
    transaction: Transaction, request: insight_pb2.DeleteSavedFilterRequest
) -> insight_pb2.DeleteSavedFilterResponse:
    """Deletes a filter of the tenant. Raises NotFound."""
    saved = store.load(transaction.connection, transaction.caller.tenant, request.name)
    if saved is None:
        raise NotFound(resource=request.name)
    store.delete(transaction.connection, saved)
    return insight_pb2.DeleteSavedFilterResponse()


def list_(reading: Reading, request: insight_pb2.ListSavedFiltersRequest) -> insight_pb2.ListSavedFiltersResponse:
    """Lists the tenant's filters, newest first."""
    query = paging.newest_first(store.of_tenant(reading.caller.tenant), saved_filters.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, SavedFilter), "id")
    return insight_pb2.ListSavedFiltersResponse(saved_filters=map(rpc.to_proto, page), next_page_token=token)


def wanted(reading: Reading, request: Any) -> list[insight_pb2.DeclarationFilter]:
    """Returns the filters that a request's `filter` and `saved_filter` ask for. Raises NotFound and InvalidFields."""
    rpc.check(request.filter, "filter")
    if not request.saved_filter:
        return [request.filter]
    saved = store.load(reading.connection, reading.caller.tenant, request.saved_filter)
    if saved is None:
        raise NotFound(resource=request.saved_filter)
    return [request.filter, insight_pb2.DeclarationFilter.FromString(saved.content)]
