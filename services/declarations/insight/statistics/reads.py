"""Answers questions for totals: an enterprise's for its own, the window's and the regulator's for all."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from aval.declarations.v1 import insight_pb2

from chassis import inbox, paging
from chassis.currencies import INT64_MAX
from chassis.errors import InvalidPageToken
from chassis.service import Reading
from services.declarations.customs import direction as customs_direction
from services.declarations.insight import access
from services.declarations.insight.counting.store import SOURCE, counted_until
from services.declarations.insight.statistics import rpc, store
from services.declarations.insight.statistics.model import DIMENSIONS, Total, year_after, year_before
from services.declarations.insight.statistics.store import Groups, Query

Request = insight_pb2.QueryStatisticsRequest
DIMENSION_NAMES = {
    Request.MONTH: "month",
    Request.DIRECTION: "direction",
    Request.TRADE_MODE: "trade_mode",
    Request.COUNTRY: "country",
    Request.CHAPTER: "chapter",
    Request.DOCUMENT: "outcome",
}
# The documents that are counted where the request names none.
ONCE = (insight_pb2.DECLARATION, insight_pb2.LIST)
# The place before every cell of a position.
FIRST = ("",) * (len(DIMENSIONS) + 1)


def query(reading: Reading, request: insight_pb2.QueryStatisticsRequest) -> insight_pb2.QueryStatisticsResponse:
    """Returns a page of totals with those of the year before."""
    wanted = _query(reading, request)
    now = store.totals(reading.connection, wanted, request.from_month, request.to_month)
    first, last = year_before(request.from_month), year_before(request.to_month)
    before = _moved_on(store.totals(reading.connection, wanted, first, last))
    keys = [key for key in sorted({*now, *before}) if "/".join(key) > paging.after(request)]
    size = paging.size_of(request)
    nothing = Total()
    rows = [rpc.compared(key, now.get(key, nothing), before.get(key, nothing)) for key in keys[:size]]
    token = paging.token(request, "/".join(keys[size - 1])) if len(keys) > size else ""
    response = insight_pb2.QueryStatisticsResponse(rows=rows, next_page_token=token)
    response.as_of_time.FromMicroseconds(counted_until(reading.connection, reading.now_us))
    # Positions would tell an enterprise how much its rivals declare.
    if access.sees_all(reading.caller):
        _, response.through_position = inbox.cursor(reading.connection, SOURCE)
    return response


def _query(reading: Reading, request: insight_pb2.QueryStatisticsRequest) -> Query:
    enterprise = request.enterprise if access.sees_all(reading.caller) else reading.caller.tenant
    direction = customs_direction.digit(request.direction)
    values: dict[str, Sequence[str]] = {
        "trade_mode": request.trade_modes,
        "country": request.countries,
        "chapter": request.chapters,
        "direction": [direction] if direction else [],
        "currency": [request.currency_code] if request.currency_code else [],
        "outcome": [rpc.DOCUMENTS[statistics_document] for statistics_document in request.documents or ONCE],
    }
    given = {name: list(wanted) for name, wanted in values.items() if wanted}
    return Query(enterprise, frozenset(DIMENSION_NAMES[dimension] for dimension in request.group_by), given)


def _moved_on(before: Groups) -> Groups:
    """Returns the groups of the year before under the keys of this year: only the month tells them apart."""
    return {(key[0] and year_after(key[0]), *key[1:]): total for key, total in before.items()}


def changes(
    reading: Reading, request: insight_pb2.QueryStatisticsChangesRequest
) -> insight_pb2.QueryStatisticsChangesResponse:
    """Returns the cells that have changed since a token."""
    position, *key = _opened(request.resume_token)
    size = paging.size_of(request)
    changed = store.changed(reading.connection, position, key, size + 1)
    cells = [
        rpc.row([getattr(cell, name) for name in (*DIMENSIONS, "currency")], store.total_of(cell))
        for cell in changed[:size]
    ]
    token = request.resume_token
    if cells:
        last = changed[:size][-1]
        token = _sealed([last.changed, *(getattr(last, name) for name in (*DIMENSIONS, "currency"))])
    has_more = len(changed) > size
    response = insight_pb2.QueryStatisticsChangesResponse(cells=cells, resume_token=token, has_more=has_more)
    response.as_of_time.FromMicroseconds(counted_until(reading.connection, reading.now_us))
    return response


def _sealed(place: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode()


def _opened(token: str) -> Any:
    """Returns position and cell of a token. Raises InvalidPageToken."""
    if not token:
        return [0, *FIRST]
    try:
        place = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as error:
        raise InvalidPageToken from error
    shape = [int, *(str for _ in FIRST)]
    if not isinstance(place, list) or [type(part) for part in place] != shape:
        raise InvalidPageToken
    if not 0 <= place[0] <= INT64_MAX or not "".join(place[1:]).isprintable():
        raise InvalidPageToken
    return place
