"""Lists the findings."""

import json
from typing import Any

from aval.declarations.v1 import insight_pb2

from chassis import paging
from chassis.service import Reading
from services.declarations.insight import access
from services.declarations.insight.counting.store import counted_until
from services.declarations.insight.findings import model, store
from services.declarations.insight.findings.store import trade_findings
from services.declarations.privacy.consent.access import note_page
from trade.calendars import day_in_china


def list_(reading: Reading, request: insight_pb2.ListTradeFindingsRequest) -> insight_pb2.ListTradeFindingsResponse:
    """Returns a page of the findings that the caller may see, the highest id first."""
    rows = trade_findings
    query = access.restricted(reading, store.query(), rows.c.enterprise)
    if request.enterprise:
        query = query.where(rows.c.enterprise == request.enterprise)
    if request.declaration:
        query = query.where(rows.c.declaration == request.declaration.removeprefix("declarations/"))
    query = paging.newest_first(query, rows.c.id, request)
    page, token = paging.cut(request, reading.connection.execute(query).all(), "id")
    note_page(reading, "ListTradeFindings", ((f"tradeFindings/{row.id}", row.enterprise) for row in page))
    response = insight_pb2.ListTradeFindingsResponse(trade_findings=map(_to_proto, page), next_page_token=token)
    response.as_of_time.FromMicroseconds(counted_until(reading.connection, reading.now_us))
    return response


def _to_proto(row: Any) -> insight_pb2.TradeFinding:
    english, chinese = model.text(row.code, json.loads(row.facts), day_in_china(row.find_us))
    message = insight_pb2.TradeFinding(
        name=f"tradeFindings/{row.id}",
        enterprise=row.enterprise,
        declaration=f"declarations/{row.declaration}" if row.declaration else "",
        line_number=row.line_number,
        code=row.code,
        explanation=english,
        explanation_chinese=chinese,
    )
    message.find_time.FromMicroseconds(row.find_us)
    return message
