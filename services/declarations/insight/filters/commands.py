"""Saving, listing and deleting filters; using them."""

from collections.abc import Iterator
from typing import Any

from aval.declarations.v1 import insight_pb2
from sqlalchemy import Table

from chassis import paging, records
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound
from chassis.service import Reading
from services.declarations.consent import access
from services.declarations.insight.filters import rpc, store
from services.declarations.insight.filters.model import SavedFilter
from services.declarations.tables import saved_filters
from services.declarations.visibility import NOBODY


def create(transaction: Transaction, request: insight_pb2.CreateSavedFilterRequest) -> insight_pb2.SavedFilter:
    """A filter of the caller's tenant."""
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
    """Ends one of the tenant's."""
    saved = store.load(transaction.connection, transaction.caller.tenant, request.name)
    if saved is None:
        raise NotFound(resource=request.name)
    store.delete(transaction.connection, saved)
    return insight_pb2.DeleteSavedFilterResponse()


def list_(reading: Reading, request: insight_pb2.ListSavedFiltersRequest) -> insight_pb2.ListSavedFiltersResponse:
    """The tenant's, newest first."""
    query = paging.newest_first(store.of_tenant(reading.caller.tenant), saved_filters.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, SavedFilter), "id")
    return insight_pb2.ListSavedFiltersResponse(saved_filters=map(rpc.to_proto, page), next_page_token=token)


def conditions(reading: Reading, request: Any, rows: Table) -> Iterator[Any]:
    """What rows must meet by a request's `filter` and `saved_filter`. NotFound, InvalidFields."""
    rpc.check(request.filter, "filter")
    wanted = [request.filter]
    if request.saved_filter:
        saved = store.load(reading.connection, reading.caller.tenant, request.saved_filter)
        if saved is None:
            raise NotFound(resource=request.saved_filter)
        wanted.append(insight_pb2.DeclarationFilter.FromString(saved.content))
    # No index has the text: the rows of one enterprise are few enough to look at each.
    is_many = access.is_institution(reading.caller) or access.sees_all(reading.caller, NOBODY)
    is_named = any(one.enterprise for one in (request, *wanted) if _names(one))
    if is_many and not is_named and any(one.search_text for one in wanted):
        raise InvalidFields([rpc.TOO_WIDE])
    for one in wanted:
        yield from rpc.conditions(one, rows)


def _names(message: Any) -> bool:
    """Whether a request or a filter can name an enterprise."""
    return "enterprise" in message.DESCRIPTOR.fields_by_name
