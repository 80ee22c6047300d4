"""Bills on the wire: their records, with how far they are paid, findings and late fee."""

from collections.abc import Iterable

from aval.declarations.v1 import records_pb2

from chassis import money
from chassis.rpc import date, problem
from services.declarations.window.bill.charges import Finding
from services.declarations.window.bill.late_fees import LateFee
from services.declarations.window.bill.model import Bill
from services.declarations.window.records import rpc as records_rpc
from services.declarations.window.records.model import Record


def to_proto(
    record: Record, bill: Bill, findings: Iterable[Finding], fee: LateFee | None, language: str
) -> records_pb2.Record:
    """Returns the record of a bill on the wire."""
    message = records_rpc.to_proto(record)
    message.bill.MergeFrom(
        records_pb2.Bill(
            due_date=date(bill.due_date),
            due_rule=bill.due_rule,
            due_date_provisional=bill.is_due_provisional,
            state=bill.state.value,
            payment=bill.payment,
            transfer=bill.transfer,
            findings=[_finding(finding, language) for finding in findings],
            late_fee=_late_fee(fee) if fee else None,
            claim_date=date(bill.claim_date) if bill.claim_date else None,
        )
    )
    return message


def _late_fee(fee: LateFee) -> records_pb2.LateFee:
    amount = money.to_proto(fee.amount)
    return records_pb2.LateFee(days=fee.days, amount=amount, waived=fee.is_waived, rule=fee.rule, bill=fee.bill)


def _finding(finding: Finding, language: str) -> records_pb2.ChargeFinding:
    message = records_pb2.ChargeFinding(
        problem=problem(finding.problem, language), charged=money.to_proto(finding.charged), tariff=finding.tariff
    )
    if finding.published is not None:
        message.published.CopyFrom(money.to_proto(finding.published))
        message.difference.CopyFrom(money.to_proto(finding.charged - finding.published))
    return message
