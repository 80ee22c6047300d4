"""Takes results of summaries, which name each declaration's lists, in any order and however often they come."""

from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis import ids
from chassis.command import Transaction
from services.declarations.intake.takers import summaries as takers_summaries
from services.declarations.window import verdicts
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.result import store as result_store
from services.declarations.window.retail.result.model import Result
from services.declarations.window.retail.summary import store as summary_store

Rows = Sequence[tuple[str, retail_pb2.RetailSummaryResult]]


def take(transaction: Transaction, rows: Rows) -> list[declarations_pb2.IntakeVerdict]:
    """Takes results; returns the verdicts in order. Lists that went into a declaration count with it from now on."""
    list_store.lock(transaction, {row.merchant_code for _, row in rows})
    arrivals = [_record(row, transaction.now_us) for _, row in rows]
    stored = result_store.known(transaction.connection, {arrival.id for arrival in arrivals})
    verdicts_in_order, added = [], {}
    for (document_id, row), result in zip(rows, arrivals, strict=True):
        is_new = result.id not in stored and result.id not in added
        verdicts_in_order.append((verdicts.accepted if is_new else verdicts.duplicate)(document_id))
        if is_new:
            added[result.id] = (row, result)
    _add(transaction, [row for row, _ in added.values()], [result for _, result in added.values()])
    return verdicts_in_order


def _add(transaction: Transaction, rows: Sequence[retail_pb2.RetailSummaryResult], results: Sequence[Result]) -> None:
    pairs = [(number, row.unified_number) for row in rows for number in row.list_numbers]
    result_store.add(transaction.connection, results, pairs)
    takers_summaries.renumbered(transaction, {row.summary_number for row in rows}, {row.merchant_code for row in rows})
    unified = {row.unified_number for row in rows}
    named = result_store.lists_of_declarations(transaction.connection, unified)
    list_store.tell(transaction, summary_store.lists_numbered(transaction.connection, named).values())


def _record(row: retail_pb2.RetailSummaryResult, now_us: int) -> Result:
    body = retail_pb2.RetailSummaryResult()
    body.CopyFrom(row)
    # The lists are rows of their own.
    body.ClearField("list_numbers")
    return Result(
        id=ids.derived("retail summary result", row.SerializeToString(deterministic=True).hex()),
        summary_number=row.summary_number,
        merchant_code=row.merchant_code,
        unified_number=row.unified_number,
        declaration=row.declaration_number,
        state=row.declaration_state,
        process_us=row.process_time.ToMicroseconds(),
        body=body.SerializeToString(deterministic=True),
        create_us=now_us,
    )
