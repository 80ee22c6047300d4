"""Reads lists: the enterprise its own, an institution those of enterprises that let it see, the window all."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import retail_list_pb2, retail_pb2

from chassis import paging, records
from chassis.service import Reading
from services.declarations.assets.pool import store as pool_store
from services.declarations.customs import modes
from services.declarations.customs.receipt_machine import notice_date
from services.declarations.privacy import visibility
from services.declarations.privacy.consent import access
from services.declarations.register.sale import store as sale_store
from services.declarations.window.retail.list import rpc as list_rpc
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.list.model import RetailList
from services.declarations.window.retail.list.store import retail_lists
from services.declarations.window.retail.report import reads as report_reads
from services.declarations.window.retail.report.model import list_subject
from services.declarations.window.retail.result import store as result_store
from services.declarations.window.retail.summary import store as summary_store
from trade.calendars import day_in_china


def get(reading: Reading, request: retail_list_pb2.GetRetailListRequest) -> retail_pb2.RetailList:
    """Returns a list. Whoever may not see it can't tell it from one that doesn't exist."""
    identifier = request.name.removeprefix("retailLists/")
    retail_list = list_store.load(reading.connection, [identifier]).get(identifier)
    access.look(
        reading, (retail_list.enterprise or visibility.NOBODY) if retail_list else "", "GetRetailList", request.name
    )
    assert retail_list is not None
    message = views(reading.connection, [retail_list], reading.caller.language, _institution(reading))[0]
    message.reports.extend(report_reads.told(reading, [list_subject(retail_list.list_number or "")]))
    return message


def list_(reading: Reading, request: retail_list_pb2.ListRetailListsRequest) -> retail_list_pb2.ListRetailListsResponse:
    """Returns a page, by descending id."""
    seen = visibility.among_seen(reading, retail_lists.c.enterprise)
    query = list_store.matching(seen, *_conditions(request, _institution(reading)))
    query = paging.newest_first(query, retail_lists.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, RetailList), "id")
    access.note_page(reading, "ListRetailLists", ((retail_list.name, retail_list.enterprise) for retail_list in page))
    messages = views(reading.connection, page, reading.caller.language, _institution(reading))
    return retail_list_pb2.ListRetailListsResponse(retail_lists=messages, next_page_token=token)


def _institution(reading: Reading) -> str:
    """Returns the institution that reads, which sees no pool that another finances; empty for others."""
    return reading.caller.tenant if access.is_institution(reading.caller) else ""


def _conditions(request: retail_list_pb2.ListRetailListsRequest, institution: str) -> list[Any]:
    """Returns the conditions of the filters that are set."""
    rows, conditions = retail_lists, []
    if request.enterprise:
        conditions.append(rows.c.enterprise == request.enterprise)
    if request.status:
        conditions.append(rows.c.status == retail_pb2.RetailList.Status.Name(request.status))
    if request.pool:
        pool = request.pool.removeprefix("pools/")
        conditions.append(rows.c.id.in_(pool_store.ever_in(pool, institution)))
    if request.summary:
        backing = summary_store.backing(request.summary.removeprefix("retailSummaries/"))
        conditions.append(rows.c.list_number.in_(backing))
    return conditions


def views(
    connection: sa.Connection, lists: Sequence[RetailList], language: str, institution: str = ""
) -> list[retail_pb2.RetailList]:
    """Returns lists with what other rooms hold about them, as far as an institution may know it."""
    backed = summary_store.of_lists(connection, lists)
    pooled = pool_store.pool_of(connection, [retail_list.id for retail_list in lists], institution)
    sold = sale_store.store_sale(connection, [retail_list.id for retail_list in lists])
    declared = result_store.declarations_of_lists(
        connection, [retail_list.list_number for retail_list in lists if retail_list.list_number]
    )
    messages = []
    for retail_list in lists:
        message = list_rpc.to_proto(retail_list, language)
        message.summary = f"retailSummaries/{backed[retail_list.id]}" if retail_list.id in backed else ""
        message.pool = f"pools/{pooled[retail_list.id]}" if retail_list.id in pooled else ""
        message.store, sale_us = sold.get(retail_list.id, ("", None))
        message.declaration_numbers.extend(declared.get(retail_list.list_number or "", ()))
        _add_duty(message, retail_list, sale_us)
        messages.append(message)
    return messages


def _add_duty(message: retail_pb2.RetailList, retail_list: RetailList, sale_us: int | None) -> None:
    """Adds when the duty of bonded goods falls due: with their sale in a store, else with their release."""
    due_us = sale_us if sale_us is not None else retail_list.release_us
    on = day_in_china(retail_list.create_us) if due_us is None else notice_date(due_us)
    mode = modes.mode(retail_list.trade_mode, retail_list.direction, on)
    if due_us is not None and mode and mode.is_bonded_import:
        message.duty_due_time.FromMicroseconds(due_us)
