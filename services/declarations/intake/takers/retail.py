"""Takes retail documents as rows: each is checked by itself and goes to the room that its kind belongs to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aval.declarations.v1 import declarations_pb2, retail_pb2

from chassis import fields
from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.intake.takers import lists as takers_lists
from services.declarations.intake.takers import reports as takers_reports
from services.declarations.intake.takers import results as takers_results
from services.declarations.intake.takers import summaries as takers_summaries
from services.declarations.window import verdicts as window_verdicts
from services.declarations.window.retail.checks import check
from services.declarations.window.retail.flows.matching.store import names as locks
from services.declarations.window.retail.flows.order import commands as order_commands
from services.declarations.window.retail.flows.payment import commands as payment_commands
from services.declarations.window.retail.flows.waybill import commands as waybill_commands
from services.declarations.window.retail.identity import waybill_id
from services.declarations.window.retail.list import store as list_store
from services.declarations.window.retail.report.model import is_moving

Verdict = declarations_pb2.IntakeVerdict
Rows = Sequence[tuple[str, Any]]
Take = Callable[[Transaction, Rows], Sequence[declarations_pb2.IntakeVerdict]]

# The taker of checked rows of a kind, all of a batch at once, by the field of RetailDocument.
TAKERS: Mapping[str, Take] = {
    "order": order_commands.take,
    "waybill": waybill_commands.take,
    "payment": payment_commands.take,
    "list": takers_lists.take,
    "receipt": takers_lists.take_receipts,
    "cancellation": takers_lists.take_cancellations,
    "departure": takers_lists.take_departures,
    "summary": takers_summaries.take,
    "report": takers_reports.take,
    "summary_result": takers_results.take,
}
NOT_TAKEN = Problem(
    "",
    "DOCUMENT_NOT_TAKEN",
    "Documents of this kind aren't taken here yet; ask when they will be.",
    "暂不接收此类单证；请咨询开放时间。",
)
# The locks of a document: the orders that it may move, by number, the waybills that lists may tie to them, and the
# lists of its merchant. A departure doesn't say whose parcels left.
_LOCKS: Mapping[str, Callable[[Any], set[str]]] = {
    "order": lambda row: locks([row.order_number]),
    "waybill": lambda row: locks(filter(None, [row.order_number]), [waybill_commands.identify(row)]),
    "payment": lambda row: locks([row.order_number]),
    "list": lambda row: {
        *list_store.names([row.merchant_code]),
        *locks([row.order_number], [waybill_id(row.carrier_code, row.waybill_number)]),
    },
    "receipt": lambda row: list_store.names([row.merchant_code]),
    "cancellation": lambda row: list_store.names([row.merchant_code]),
    "departure": lambda _row: list_store.names([""]),
    "summary": lambda row: list_store.names([row.merchant_code]),
    "report": lambda row: list_store.names([row.merchant_code]) if is_moving(row) else set(),
    "summary_result": lambda row: list_store.names([row.merchant_code]),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of a request: its kind, its content, and its problems."""

    document_id: str
    kind: str
    row: Any
    problems: Sequence[Problem]


def rows(request: declarations_pb2.BatchCreateRetailDocumentsRequest) -> list[Candidate]:
    """Returns the rows of a request, checked; without a store."""
    return [_candidate(str(index), document) for index, document in enumerate(request.documents)]


def _candidate(document_id: str, document: retail_pb2.RetailDocument) -> Candidate:
    kind = document.WhichOneof("document") or ""
    row = getattr(document, kind) if kind else None
    return Candidate(document_id, kind, row, _problems(kind, row) if kind else fields.problems(document))


def _problems(kind: str, row: Any) -> list[Problem]:
    """Lists every broken rule, at its path from the document on."""
    if kind not in TAKERS:
        return [replace(NOT_TAKEN, path=kind)]
    return [replace(problem, path=f"{kind}.{problem.path}") for problem in fields.row_problems(row) or check(row)]


def names(request: declarations_pb2.BatchCreateRetailDocumentsRequest) -> Iterable[str]:
    """Returns the names that the documents may change."""
    kinds = ((document.WhichOneof("document") or "", document) for document in request.documents)
    return names_of((kind, getattr(document, kind)) for kind, document in kinds if kind)


def names_of(rows: Iterable[tuple[str, Any]]) -> set[str]:
    """Returns the names that rows of these kinds may change."""
    return set().union(*(_LOCKS[kind](row) for kind, row in rows if kind in _LOCKS))


def create_batch(
    transaction: Transaction, candidates: Sequence[Candidate]
) -> declarations_pb2.BatchCreateRetailDocumentsResponse:
    """Takes rows of all kinds: those of one kind together, in the order of TAKERS."""
    language = transaction.caller.language
    verdicts = {
        candidate.document_id: window_verdicts.refused(candidate.document_id, candidate.problems, language)
        for candidate in candidates
        if candidate.problems
    }
    for kind, take in TAKERS.items():
        sound = [
            (candidate.document_id, candidate.row)
            for candidate in candidates
            if candidate.kind == kind and not candidate.problems
        ]
        if sound:
            verdicts |= {verdict.document_id: verdict for verdict in take(transaction, sound)}
    in_order = [verdicts[candidate.document_id] for candidate in candidates]
    return declarations_pb2.BatchCreateRetailDocumentsResponse(verdicts=in_order)
