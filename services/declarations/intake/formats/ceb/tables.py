"""The CEB messages: element, field of the row, kind. Element names are the format's own.

303 and 311 orders, 505 and 511 waybills, 403 and 411 payments, 603 and 621 lists, 604 and 622 receipts, 213, 605,
623 and 625 applications, 607 and 509 departures, 701 summaries, 792 their results; all others are reports.
Source: customs' specification of cross-border e-commerce messages, 202205, chapters 2 and 3. Names of 403, 509, 605,
607, 623, 625 and 701 also as published by working client software.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from aval.declarations.v1 import retail_pb2

from services.declarations.intake.formats.ceb import kinds
from services.declarations.intake.formats.ceb.message import EXPORT, IMPORT, Field, Message, PersonElements

_DIRECTIONS = {EXPORT: retail_pb2.EXPORT, IMPORT: retail_pb2.IMPORT}

_SENT = (
    Field("guid", "envelope.document_id", kinds.text),
    Field("appType", "envelope.change", kinds.change, is_required=True),
    Field("appTime", "envelope.send_time", kinds.time, is_required=True),
    Field("appStatus", "", kinds.declared),
)
_PLATFORM = (
    Field("orderNo", "order_number", kinds.text, is_required=True),
    Field("ebpCode", "platform_code", kinds.text, is_required=True),
)
_MERCHANT = (
    Field("ebcCode", "merchant_code", kinds.text, is_required=True),
    Field("ebcName", "merchant_name", kinds.text),
)
_CURRENCY = ("currency",)


def _goods(name: str, *more: Field) -> tuple[Field, ...]:
    """Returns the elements of a line; its name stands in an element of its own."""
    return (
        Field("gnum", "line_number", kinds.whole_number, is_required=True),
        Field("itemNo", "item_number", kinds.text),
        Field(name, "goods_name", kinds.text, is_required=True),
        Field("qty", "quantity", kinds.decimal, is_required=True),
        Field("unit", "unit", kinds.text),
        Field("price", "unit_price", kinds.decimal, is_required=True),
        Field("totalPrice", "total", kinds.money, is_required=True, currency=_CURRENCY),
        Field("country", "country", kinds.country),
        *more,
    )


_ORDER = (
    *_SENT,
    Field("orderType", "order_type", kinds.order_type, is_required=True),
    *_PLATFORM,
    Field("ebpName", "platform_name", kinds.text),
    *_MERCHANT,
    Field("goodsValue", "goods_value", kinds.money, is_required=True, currency=_CURRENCY),
    Field("freight", "freight", kinds.money, currency=_CURRENCY),
)
_IMPORT_ORDER = (
    Field("discount", "discount", kinds.money, currency=_CURRENCY),
    Field("taxTotal", "tax", kinds.money, currency=_CURRENCY),
    # The format's own spelling, and the right one.
    Field("acturalPaid", "paid", kinds.money, currency=_CURRENCY, others=("actualPaid",)),
)
_BUYER = PersonElements(
    "BUYER",
    {
        "name": "buyerName",
        "identity_type": "buyerIdType",
        "identity_number": "buyerIdNumber",
        "telephone": "buyerTelephone",
    },
)
_CONSIGNEE = PersonElements(
    "CONSIGNEE", {"name": "consignee", "telephone": "consigneeTelephone", "address": "consigneeAddress"}
)
_PAYER = PersonElements(
    "PAYER",
    {
        "name": "payerName",
        "identity_type": "payerIdType",
        "identity_number": "payerIdNumber",
        "telephone": "telephone",
    },
)


def _order(number: str, direction: str, *fields: Field) -> Message:
    return Message(
        f"CEB{number}",
        ("Order",),
        retail_pb2.RetailOrder,
        (*_ORDER, *fields),
        heads=("OrderHead",),
        line="OrderList",
        line_fields=_goods("itemName"),
        persons=(_BUYER, _CONSIGNEE),
        direction=direction,
        constants={"direction": _DIRECTIONS[direction]},
    )


def _waybill(number: str, direction: str, weight: str, *others: str) -> Message:
    """Returns the message of a waybill.

    weight: the element of the gross weight; others: those that senders of the other direction write.
    """
    fields = (
        *_SENT,
        Field("logisticsCode", "carrier_code", kinds.text, is_required=True),
        Field("logisticsName", "carrier_name", kinds.text),
        Field("logisticsNo", "waybill_number", kinds.text, is_required=True),
        Field("billNo", "bill_number", kinds.text),
        Field("orderNo", "order_number", kinds.text),
        Field("freight", "freight", kinds.money, currency=_CURRENCY),
        Field("insuredFee", "insurance", kinds.money, currency=_CURRENCY),
        Field(weight, "gross_weight_kilograms", kinds.weight, others=others),
        Field("packNo", "packages", kinds.whole_number),
        Field("goodsInfo", "goods", kinds.text),
    )
    return Message(
        f"CEB{number}",
        ("Logistics",),
        retail_pb2.RetailWaybill,
        fields,
        heads=("LogisticsHead",),
        persons=(_CONSIGNEE,),
        direction=direction,
        constants={"direction": _DIRECTIONS[direction]},
    )


# The elements of a payment's transaction, amount and time: those of its own direction come first.
_PAYMENT_ELEMENTS: Mapping[str, Sequence[tuple[str, str]]] = {
    EXPORT: (("payNo", "payTransactionId"), ("charge", "amountPaid"), ("accountingDate", "payTime")),
    IMPORT: (("payTransactionId", "payNo"), ("amountPaid", "charge"), ("payTime", "accountingDate")),
}


def _payment(number: str, direction: str, document: str, *others: str) -> Message:
    documents = (document, *others)
    # Those who pay for exports aren't registered with customs: their senders leave both empty.
    is_numbered = direction == IMPORT
    (transaction, other), (amount, *amounts), (time, *times) = _PAYMENT_ELEMENTS[direction]
    fields = (
        *_SENT,
        Field("payCode", "payment_company_code", kinds.text, is_required=is_numbered),
        Field("payName", "payment_company_name", kinds.text),
        Field(transaction, "transaction_number", kinds.text, is_required=is_numbered, others=(other,)),
        *_PLATFORM,
        Field(amount, "amount", kinds.money, is_required=True, currency=_CURRENCY, others=amounts),
        Field(time, "pay_time", kinds.time, others=times),
    )
    return Message(
        f"CEB{number}",
        documents,
        retail_pb2.RetailPayment,
        fields,
        heads=tuple(f"{name}Head" for name in documents),
        persons=(_PAYER,),
        direction=direction,
        constants={"direction": _DIRECTIONS[direction]},
    )


_LIST = (
    *_SENT,
    Field("ieFlag", "", kinds.flag, is_required=True),
    Field("customsCode", "customs_office", kinds.text),
    *_PLATFORM,
    *_MERCHANT,
    Field("logisticsCode", "carrier_code", kinds.text),
    Field("logisticsNo", "waybill_number", kinds.text),
    Field("copNo", "enterprise_number", kinds.text, is_required=True),
    Field("preNo", "pre_number", kinds.text),
    Field("invtNo", "list_number", kinds.text),
    Field("ieDate", "trade_date", kinds.day),
    Field("emsNo", "bonded_books_number", kinds.text),
    Field("tradeMode", "trade_mode", kinds.text, is_required=True),
    Field("trafMode", "transport_mode", kinds.text),
    Field("billNo", "bill_number", kinds.text),
    Field("country", "country", kinds.country),
    Field("grossWeight", "gross_weight_kilograms", kinds.weight, is_required=True),
    Field("netWeight", "net_weight_kilograms", kinds.weight, is_required=True),
)


# Freight and insurance of an export have currencies of their own, and may be a rate or a price of a ton.
_LIST_CHARGES: Mapping[str, tuple[Field, ...]] = {
    EXPORT: (
        Field("freight", "freight", kinds.money, currency=("fCurrency", "currency"), mark="fFlag"),
        Field("insuredFee", "insurance", kinds.money, currency=("iCurrency", "currency"), mark="iFlag"),
    ),
    IMPORT: (
        Field("freight", "freight", kinds.money, currency=("currency", "fCurrency"), mark="fFlag"),
        Field("insuredFee", "insurance", kinds.money, currency=("currency", "iCurrency"), mark="iFlag"),
    ),
}


def _list(number: str, direction: str) -> Message:
    return Message(
        f"CEB{number}",
        ("Inventory",),
        retail_pb2.RetailList,
        (*_LIST, *_LIST_CHARGES[direction]),
        heads=("InventoryHead",),
        line="InventoryList",
        line_fields=_goods("gname", Field("gcode", "commodity_code", kinds.text, is_required=True)),
        persons=(_BUYER, PersonElements("CONSIGNEE", {"address": "consigneeAddress"})),
        direction=direction,
        total="value",
        constants={"direction": _DIRECTIONS[direction]},
    )


def _receipt(number: str) -> Message:
    fields = (
        Field("invtNo", "list_number", kinds.text),
        Field("preNo", "pre_number", kinds.text),
        Field("copNo", "enterprise_number", kinds.text),
        Field("ebcCode", "merchant_code", kinds.text),
        Field("customsCode", "customs_office", kinds.text),
        Field("returnStatus", "status_code", kinds.text, is_required=True),
        Field("returnTime", "notice_time", kinds.time, is_required=True),
        Field("returnInfo", "note", kinds.text),
    )
    return Message(f"CEB{number}", ("InventoryReturn",), retail_pb2.RetailReceipt, fields)


def _application(
    number: str,
    document: str,
    *heads: str,
    is_return: bool = False,
    own_number: str = "copNo",
    is_numbered: bool = False,
) -> Message:
    """Returns the message of an application to cancel or return a list.

    own_number: the element of the enterprise's own number. is_numbered: whether it must name customs' number.
    """
    fields = (
        *_SENT,
        Field("invtNo", "list_number", kinds.text, is_required=is_numbered),
        Field("preNo", "pre_number", kinds.text),
        Field(own_number, "enterprise_number", kinds.text),
        Field("ebcCode", "merchant_code", kinds.text),
        Field("reason", "note", kinds.text),
    )
    constants = {"is_return": is_return}
    return Message(f"CEB{number}", (document,), retail_pb2.RetailCancellation, fields, heads=heads, constants=constants)


def _departure(number: str, document: str) -> Message:
    fields = (
        *_SENT,
        Field("billNo", "bill_number", kinds.text),
        Field("voyageNo", "voyage_number", kinds.text),
        Field("leaveTime", "departure_time", kinds.time),
        Field("logisticsCode", "carrier_code", kinds.text),
    )
    references = (
        Field("invtNo", "list_numbers", kinds.text),
        Field("logisticsNo", "waybill_numbers", kinds.text),
    )
    return Message(
        f"CEB{number}",
        (document,),
        retail_pb2.RetailDeparture,
        fields,
        heads=(f"{document}Head",),
        line=f"{document}List",
        references=references,
    )


_PART = (
    Field("msgSeqNo", "part_number", kinds.whole_number),
    Field("msgCount", "part_count", kinds.whole_number),
)
_SUMMARY = Message(
    "CEB701",
    ("SummaryApply",),
    retail_pb2.RetailSummary,
    (
        *_SENT,
        Field("customsCode", "customs_office", kinds.text),
        Field("copNo", "enterprise_number", kinds.text, is_required=True),
        *_MERCHANT,
        Field("startTime", "start_time", kinds.time),
        Field("endTime", "end_time", kinds.time),
        *_PART,
    ),
    heads=("SummaryApplyHead",),
    line="SummaryApplyList",
    references=(Field("invtNo", "list_numbers", kinds.text, is_required=True),),
)
_SUMMARY_RESULT = Message(
    "CEB792",
    ("SummaryResult",),
    retail_pb2.RetailSummaryResult,
    (
        Field("sumNo", "summary_number", kinds.text, is_required=True),
        Field("declSeqNo", "unified_number", kinds.text, is_required=True),
        Field("entryId", "declaration_number", kinds.text),
        Field("decState", "declaration_state", kinds.text),
        Field("opDate", "process_time", kinds.time, is_required=True),
        Field("customsCode", "customs_office", kinds.text),
        Field("ebcCode", "merchant_code", kinds.text, is_required=True),
        Field("grossWeight", "gross_weight_kilograms", kinds.weight),
        Field("netWeight", "net_weight_kilograms", kinds.weight),
        *_PART,
    ),
    heads=("SummaryResultHead",),
    line="SummaryResultList",
    references=(Field("invtNo", "list_numbers", kinds.text, is_required=True),),
)

_REPORTED = (
    Field("orderNo", "order_number", kinds.text),
    Field("ebpCode", "platform_code", kinds.text),
    Field("ebcCode", "merchant_code", kinds.text),
    Field("payCode", "payment_company_code", kinds.text),
    Field("payTransactionId", "transaction_number", kinds.text, others=("payNo",)),
    Field("logisticsCode", "carrier_code", kinds.text),
    Field("invtNo", "list_number", kinds.text),
    Field("copNo", "enterprise_number", kinds.text, others=("coElNo",)),
    Field("preNo", "pre_number", kinds.text),
    Field("sumNo", "summary_number", kinds.text),
    Field("billNo", "bill_number", kinds.text),
    Field("msgSeqNo", "part_number", kinds.whole_number),
    Field("agentCode", "agent_code", kinds.text),
    Field("operatorCode", "operator_code", kinds.text),
    Field("rkdNo", "entry_number", kinds.text),
    Field("taxNo", "tax_number", kinds.text),
    Field("entDutyNo", "duty_number", kinds.text),
    Field("customsTax", "customs_duty", kinds.decimal),
    Field("valueAddedTax", "value_added_tax", kinds.decimal),
    Field("consumptionTax", "consumption_tax", kinds.decimal),
    Field("oriMessageType", "answered_format", kinds.text),
    Field("oriCopMsgId", "answered_message", kinds.text),
    Field("customsCode", "customs_office", kinds.text),
)
_WAYBILL = Field("logisticsNo", "waybill_numbers", kinds.texts)


def _report(number: str, *documents: str, status: str, time: str, note: str = "note", **rest: Any) -> Message:
    """Returns the message of a report; status, time and note are its elements, status empty for none."""
    fields = (
        Field(status, "status_code", kinds.text, is_required=bool(status)),
        Field(time, "notice_time", kinds.time, is_required=True),
        Field(note, "note", kinds.text),
        *_REPORTED,
    )
    own = (_WAYBILL,) if not rest.get("line") else ()
    constants = {"format": f"CEB{number}"}
    return Message(f"CEB{number}", documents, retail_pb2.RetailReport, (*fields, *own), constants=constants, **rest)


def _answer(number: str, *documents: str) -> Message:
    """Returns the message of customs' answer to a document."""
    return _report(number, *documents, status="returnStatus", time="returnTime", note="returnInfo")


def _parcels(number: str, document: str, note: str = "note") -> Message:
    """Returns the message of supervised premises about the parcels there."""
    return _report(
        number,
        document,
        status="",
        time="appTime",
        note=note,
        heads=(f"{document}Head",),
        line=f"{document}List",
        references=(Field("logisticsNo", "waybill_numbers", kinds.text),),
    )


def _duty(number: str, head: str) -> Message:
    """Returns the message of the duty on an import's list, or of its bill's state."""
    return _report(number, "Tax", status="status", time="returnTime", heads=(head,))


# By the name of the root element.
MESSAGES: Mapping[str, Message] = {
    f"{message.format}Message": message
    for message in (
        _application("213", "InvtRefund", "InvtRefundHead", is_return=True, own_number="coElNo", is_numbered=True),
        _answer("214", "RefundReturn"),
        _report("215", "InvtRefundDetail", status="", time="appTime"),
        _answer("216", "InvtRefundDetailReturn"),
        _answer("304", "OrderReturn"),
        _answer("312", "OrderReturn"),
        _answer("404", "ReceiptsReturn"),
        _answer("412", "PaymentReturn"),
        _answer("506", "LogisticsReturn"),
        _parcels("507", "Arrival"),
        _answer("508", "ArrivalReturn"),
        _answer("510", "DepartureReturn"),
        _answer("512", "LogisticsReturn"),
        _report("513", "LogisticsStatus", status="logisticsStatus", time="logisticsTime"),
        _answer("514", "LogisticsStatusReturn"),
        _answer("606", "InvtCancelReturn"),
        _answer("608", "WayBillReturn"),
        _answer("624", "InvtCancelReturn"),
        # The specification's schema has the one spelling, its text the other.
        _answer("626", "InvtRefundReturn", "InvtRefoundReturn"),
        _answer("702", "SummaryReturn"),
        _parcels("711", "Delivery"),
        _answer("712", "DeliveryReturn"),
        _SUMMARY_RESULT,
        _duty("816", "TaxHeadRd"),
        _duty("818", "TaxHeadStatus"),
        _answer("900", "MessageReturn"),
        _order("303", EXPORT),
        _order("311", IMPORT, *_IMPORT_ORDER),
        _payment("403", EXPORT, "Receipts", "Payment"),
        _payment("411", IMPORT, "Payment"),
        _waybill("505", EXPORT, "grossWeight", "weight"),
        _departure("509", "Departure"),
        _waybill("511", IMPORT, "weight", "grossWeight"),
        _list("603", EXPORT),
        _receipt("604"),
        _application("605", "InvtCancel"),
        _departure("607", "WayBill"),
        _list("621", IMPORT),
        _receipt("622"),
        _application("623", "InvtCancel"),
        _application("625", "InvtRefund", "InvtRefundHead", is_return=True),
        _SUMMARY,
    )
}
# The specification's own sample of 214 has a root without "Message".
MESSAGES = {**MESSAGES, "CEB214": MESSAGES["CEB214Message"]}
