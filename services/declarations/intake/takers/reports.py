"""Takes reports: each is kept once, and moves the list or summary that it answers."""

from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis import ids
from chassis.command import Transaction
from services.declarations.intake.takers import lists as takers_lists
from services.declarations.intake.takers import summaries as takers_summaries
from services.declarations.window import verdicts
from services.declarations.window.retail.list.model import Notice
from services.declarations.window.retail.report import model as report_model
from services.declarations.window.retail.report import store as report_store
from services.declarations.window.retail.report.model import Report

# So much of a report's words stays with the list; the report has all of them.
NOTE_MOST = 1_000
Rows = Sequence[tuple[str, retail_pb2.RetailReport]]


def take(transaction: Transaction, rows: Rows) -> list[declarations_pb2.IntakeVerdict]:
    """Takes reports, in any order and however often they come; returns the verdicts in order."""
    arrivals = [_record(row, transaction.now_us) for _, row in rows]
    stored = report_store.known(transaction.connection, {arrival.id for arrival in arrivals})
    verdicts_in_order, added = [], {}
    for (document_id, row), report in zip(rows, arrivals, strict=True):
        is_new = report.id not in stored and report.id not in added
        verdicts_in_order.append((verdicts.accepted if is_new else verdicts.duplicate)(document_id))
        if is_new:
            added[report.id] = (row, report)
    report_store.add(transaction.connection, [report for _, report in added.values()])
    _apply(transaction, [row for row, _ in added.values()])
    return verdicts_in_order


def _apply(transaction: Transaction, rows: Sequence[retail_pb2.RetailReport]) -> None:
    """Moves lists by the answers to their applications, and summaries by the numbers that customs gave them."""
    if notices := [notice for row in rows if (notice := _notice(row)) is not None]:
        takers_lists.note_all(transaction, notices)
    numbered = {row.merchant_code for row in rows if row.format == report_model.SUMMARY_RECEIPT and row.summary_number}
    if numbered:
        takers_summaries.renumbered(transaction, {row.summary_number for row in rows if row.summary_number}, numbered)


def _notice(row: retail_pb2.RetailReport) -> Notice | None:
    """Returns the notice of an answer, by its list's number alone: the other numbers are the application's."""
    code = report_model.applied(row)
    if not code or not row.list_number:
        return None
    return Notice(
        list_number=row.list_number,
        pre_number="",
        merchant_code=row.merchant_code,
        enterprise_number="",
        waybill="",
        notice_us=row.notice_time.ToMicroseconds(),
        code=code,
        note=row.note[:NOTE_MOST],
    )


def _record(row: retail_pb2.RetailReport, now_us: int) -> Report:
    body = row.SerializeToString(deterministic=True)
    return Report(
        id=ids.derived("retail report", body.hex()),
        subject=report_model.subject(row),
        format=row.format,
        status_code=row.status_code,
        notice_us=row.notice_time.ToMicroseconds(),
        summary_number=row.summary_number,
        body=body,
        create_us=now_us,
    )
