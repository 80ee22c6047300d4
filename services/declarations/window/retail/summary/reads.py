"""Reads summaries, and how each of their lists stands."""

from collections.abc import Iterator

from aval.declarations.v1 import retail_list_pb2, retail_pb2

from chassis import paging, records
from chassis.errors import Problem
from chassis.service import Reading
from services.declarations.privacy import visibility
from services.declarations.privacy.consent import access
from services.declarations.window.retail.report import reads as report_reads
from services.declarations.window.retail.report import store as report_store
from services.declarations.window.retail.result import store as result_store
from services.declarations.window.retail.summary import model, rpc, store
from services.declarations.window.retail.summary.model import RetailSummary
from services.declarations.window.retail.summary.store import retail_summaries


def get(reading: Reading, request: retail_list_pb2.GetRetailSummaryRequest) -> retail_pb2.RetailSummary:
    """Returns a summary with its lists. One that the caller may not see looks like one that doesn't exist."""
    identifier = request.name.removeprefix("retailSummaries/")
    summary = store.load(reading.connection, [identifier]).get(identifier)
    enterprise = (summary.enterprise or visibility.NOBODY) if summary else ""
    access.look(reading, enterprise, "GetRetailSummary", request.name)
    assert summary is not None
    numbers = sorted(store.numbers_of(reading.connection, [identifier])[identifier])
    message = rpc.to_proto(summary, numbers, list(_differences(reading, summary, numbers)), reading.caller.language)
    _add_results(reading, message)
    return message


def _add_results(reading: Reading, message: retail_pb2.RetailSummary) -> None:
    """Adds to a summary the reports of it, customs' number and the declarations that customs made."""
    identifier = message.name.removeprefix("retailSummaries/")
    own = report_store.summary_numbers(reading.connection, [identifier]).get(identifier, [])
    message.summary_number = own[0] if own else ""
    declared = result_store.declarations_of_summaries(reading.connection, own)
    message.declaration_numbers.extend(number or unified for unified, number in declared)
    # Where customs made a single declaration of it, the summary became that.
    if len(declared) == 1 and not message.declaration_number:
        message.declaration_number = declared[0][1]
    message.reports.extend(report_reads.told(reading, [message.name]))


def _differences(reading: Reading, summary: RetailSummary, numbers: list[str]) -> Iterator[Problem]:
    """Yields everything that isn't reconciled."""
    parts = model.counting(store.parts_of(reading.connection, [summary.id])[summary.id])
    yield from model.missing_parts(parts)
    if rpc.is_by_time(parts) and not numbers:
        yield model.RESULTS_MISSING
    by_number = store.lists_numbered(reading.connection, numbers)
    for index, number in enumerate(numbers):
        path, retail_list = f"list_numbers[{index}]", by_number.get(number)
        yield from model.misfits(path, summary, retail_list)
        yield from model.differences(path, number, retail_list)
    total = rpc.declared_total(summary)
    if total is not None and total != summary.value.minor_units:
        yield model.total_difference(total, summary.value.minor_units, summary.value.currency)


def list_(
    reading: Reading, request: retail_list_pb2.ListRetailSummariesRequest
) -> retail_list_pb2.ListRetailSummariesResponse:
    """Returns a page of summaries, by descending id."""
    query = store.matching(visibility.among_seen(reading, retail_summaries.c.enterprise))
    if request.enterprise:
        query = query.where(retail_summaries.c.enterprise == request.enterprise)
    query = paging.newest_first(query, retail_summaries.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, RetailSummary), "id")
    access.note_page(reading, "ListRetailSummaries", ((summary.name, summary.enterprise) for summary in page))
    messages = [rpc.to_proto(summary, (), (), reading.caller.language) for summary in page]
    return retail_list_pb2.ListRetailSummariesResponse(retail_summaries=messages, next_page_token=token)
