"""Reports: customs' answers to documents and words about parcels, kept beside the document that they are about.

A report never makes or changes a document. An answer to an application to cancel or return a list moves the list, by
data/application_receipt_codes.csv. Each is kept once, by its content, so that order and repetition don't matter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aval.declarations.v1 import retail_pb2

from services.declarations.customs.code_tables import code_table
from services.declarations.customs.receipt_machine import notice_date
from services.declarations.window.retail import identity
from services.declarations.window.retail.identity import summary_id
from services.declarations.window.retail.list import model as list_model

# The purpose of the application that a report answers, by message.
APPLICATIONS: Mapping[str, str] = {
    "CEB214": list_model.RETURN,
    "CEB606": list_model.CANCEL,
    "CEB624": list_model.CANCEL,
    "CEB626": list_model.RETURN,
}
SUMMARY_RECEIPT = "CEB702"
REFUSED, GRANTED = "REFUSED", "GRANTED"


@dataclass(frozen=True, slots=True)
class Report:
    """The row. `subject` is the name of the document that it is about, or the key that finds it; else empty."""

    id: str
    subject: str
    format: str
    status_code: str
    notice_us: int
    summary_number: str
    body: bytes
    create_us: int


def _order(direction: int) -> Callable[[Any], str]:
    def subject(row: Any) -> str:
        return f"retailOrders/{identity.order_id(direction, row.platform_code, row.order_number)}"

    return subject


def receipts_subject(merchant_code: str, order_number: str) -> str:
    """Returns the subject of a receipt of an export's payment, which names the order alone (CEB 404)."""
    return f"receipts/{merchant_code}/{order_number}"


def list_subject(list_number: str) -> str:
    """Returns the subject of a report that names a list by customs' number; empty for none."""
    return f"lists/{list_number}" if list_number else ""


def summary_subject(merchant_code: str, enterprise_number: str) -> str:
    """Returns the subject of a receipt of a summary: the summary's own name."""
    return f"retailSummaries/{summary_id(merchant_code, enterprise_number)}"


def _payment(row: Any) -> str:
    return f"retailPayments/{identity.payment_id(row.payment_company_code, row.transaction_number)}"


def _waybill(row: Any) -> str:
    numbers = list(row.waybill_numbers)
    return f"retailWaybills/{identity.waybill_id(row.carrier_code, numbers[0])}" if len(numbers) == 1 else ""


def _list(row: Any) -> str:
    return list_subject(row.list_number)


# By message; the others are about no document that is kept.
_SUBJECTS: Mapping[str, Callable[[Any], str]] = {
    "CEB304": _order(retail_pb2.EXPORT),
    "CEB312": _order(retail_pb2.IMPORT),
    "CEB404": lambda row: receipts_subject(row.merchant_code, row.order_number),
    "CEB412": _payment,
    **dict.fromkeys(("CEB216", "CEB506", "CEB512", "CEB513", "CEB514"), _waybill),
    **dict.fromkeys((*APPLICATIONS, "CEB215", "CEB816", "CEB818"), _list),
    SUMMARY_RECEIPT: lambda row: summary_subject(row.merchant_code, row.enterprise_number),
}


def subject(row: retail_pb2.RetailReport) -> str:
    """Returns the document that a report is about; empty where it is about none that is kept."""
    return _SUBJECTS.get(row.format, lambda _row: "")(row)


def is_moving(row: retail_pb2.RetailReport) -> bool:
    """Tells whether a report may move a list or a summary: an answer to an application, or to a summary."""
    return row.format in APPLICATIONS or row.format == SUMMARY_RECEIPT


def applied(row: retail_pb2.RetailReport) -> str:
    """Returns the code of the notice that a report gives its list; empty for none.

    CANCEL or RETURN where the application was granted, the same with _VOID where it was refused: 399 of CEB 606 is
    CANCEL, 100 of CEB 214 is RETURN_VOID.
    """
    application = APPLICATIONS.get(row.format)
    code = "-" if row.status_code.startswith("-") else row.status_code
    answer = code_table("application_receipt_codes").row(code, notice_date(row.notice_time.ToMicroseconds()))
    if application is None or answer is None:
        return ""
    return {GRANTED: application, REFUSED: list_model.VOIDS[application]}.get(answer["effect"], "")
