"""Takes receipts that name a declaration by the window's unified number alone: resolved now, or kept until it comes."""

from collections.abc import Mapping, Sequence

from aval.declarations.v1 import declarations_pb2

from chassis.command import Transaction
from chassis.errors import Problem
from services.declarations.intake.refused import store as refused_store
from services.declarations.intake.takers import declarations as takers_declarations
from services.declarations.intake.takers import drafts as takers_drafts
from services.declarations.window import verdicts as window_verdicts

Verdict = declarations_pb2.IntakeVerdict
AT_ONCE = 500
NO_NUMBER = Problem(
    "declaration_number",
    "DECLARATION_NUMBER_MISSING",
    "The receipt names no declaration; give the customs number or the unified number.",
    "回执未指明报关单；请填写海关编号或统一编号。",
)


def create_receipts(
    transaction: Transaction, request: declarations_pb2.BatchCreateReceiptsRequest
) -> declarations_pb2.BatchCreateReceiptsResponse:
    """Takes receipts in any order and as often as they come, by the customs number or by the unified number."""
    unnumbered = {receipt.unified_number for receipt in request.receipts if not receipt.declaration_number}
    numbers = refused_store.declarations_of(transaction.connection, unnumbered - {""})
    receipts = [_numbered(receipt, numbers) for receipt in request.receipts]
    numbered = [index for index, receipt in enumerate(receipts) if receipt.declaration_number]
    resolved = declarations_pb2.BatchCreateReceiptsRequest(receipts=[receipts[index] for index in numbered])
    verdicts = dict(zip(numbered, takers_declarations.create_receipts(transaction, resolved).verdicts, strict=True))
    taken = [index for index, verdict in verdicts.items() if verdict.outcome != Verdict.REFUSED]
    takers_drafts.note_numbers(transaction, [receipts[index] for index in taken])
    verdicts |= _keep(transaction, {i: receipt for i, receipt in enumerate(receipts) if not receipt.declaration_number})
    for index, verdict in verdicts.items():
        verdict.document_id = str(index)
    return declarations_pb2.BatchCreateReceiptsResponse(verdicts=[verdicts[i] for i in range(len(receipts))])


def _numbered(receipt: declarations_pb2.Receipt, numbers: Mapping[str, str]) -> declarations_pb2.Receipt:
    number = numbers.get(receipt.unified_number)
    if receipt.declaration_number or number is None:
        return receipt
    named = declarations_pb2.Receipt(declaration_number=number)
    named.MergeFrom(receipt)
    return named


def _keep(
    transaction: Transaction, receipts: Mapping[int, declarations_pb2.Receipt]
) -> dict[int, declarations_pb2.IntakeVerdict]:
    """Keeps receipts of declarations that haven't come: each waits once."""
    waiting = refused_store.waiting_of(
        transaction.connection, {receipt.unified_number for receipt in receipts.values()}
    )
    added: dict[refused_store.Waiting, str] = {}
    verdicts = {}
    for index, receipt in receipts.items():
        if problems := _problems(receipt):
            verdicts[index] = window_verdicts.refused("", problems, transaction.caller.language)
            continue
        key = (receipt.unified_number, receipt.notice_time.ToMicroseconds(), receipt.channel_code)
        is_known = key in waiting or key in added
        verdicts[index] = window_verdicts.duplicate("") if is_known else window_verdicts.accepted("")
        if not is_known:
            added[key] = receipt.note
    refused_store.add_waiting(transaction.connection, added)
    return verdicts


def _problems(receipt: declarations_pb2.Receipt) -> Sequence[Problem]:
    problems = takers_declarations.receipt_problems(receipt)
    return problems if receipt.unified_number else [NO_NUMBER, *problems]


def attach_waiting(transaction: Transaction) -> bool:
    """Gives waiting receipts to declarations that have come, a batch at a time. Returns whether more may be left."""
    waiting = refused_store.attachable(transaction.connection, AT_ONCE)
    if waiting:
        takers_declarations.create_receipts(transaction, declarations_pb2.BatchCreateReceiptsRequest(receipts=waiting))
        refused_store.forget_waiting(transaction.connection, waiting)
    return len(waiting) == AT_ONCE
