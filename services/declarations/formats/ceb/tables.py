"""The CEB messages: element, field of the row, kind. Element names are the format's own.

303 and 311 orders, 505 and 511 waybills, 403 and 411 payments, 603 and 621 lists, 604 and 622 receipts, 605,
623 and 625 applications, 607 and 509 departures, 701 summaries. Names of 403, 509, 605, 607, 623, 625 and 701:
as published by working client software.
"""

from collections.abc import Mapping

from aval.declarations.v1 import retail_pb2

from services.declarations.formats.ceb import kinds
from services.declarations.formats.ceb.message import EXPORT, IMPORT, Field, Message, PersonElements

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
    """The elements of a line; its name stands in an element of its own."""
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
    Field("orderType", "", kinds.flag, is_required=True),
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


def _waybill(number: str, direction: str) -> Message:
    fields = (
        *_SENT,
        Field("logisticsCode", "carrier_code", kinds.text, is_required=True),
        Field("logisticsName", "carrier_name", kinds.text),
        Field("logisticsNo", "waybill_number", kinds.text, is_required=True),
        Field("billNo", "bill_number", kinds.text),
        Field("orderNo", "order_number", kinds.text),
        Field("freight", "freight", kinds.money, currency=_CURRENCY),
        Field("insuredFee", "insurance", kinds.money, currency=_CURRENCY),
        Field("weight", "gross_weight_kilograms", kinds.weight, others=("grossWeight",)),
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


def _payment(number: str, direction: str, document: str, *others: str) -> Message:
    documents = (document, *others)
    # Money for an export comes through whom customs doesn't register: its senders leave both empty.
    is_numbered = direction == IMPORT
    fields = (
        *_SENT,
        Field("payCode", "payment_company_code", kinds.text, is_required=is_numbered),
        Field("payName", "payment_company_name", kinds.text),
        Field("payTransactionId", "transaction_number", kinds.text, is_required=is_numbered, others=("payNo",)),
        *_PLATFORM,
        Field("amountPaid", "amount", kinds.money, is_required=True, currency=_CURRENCY, others=("charge",)),
        Field("payTime", "pay_time", kinds.time, others=("accountingDate",)),
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
    Field("freight", "freight", kinds.money, currency=("fCurrency", "currency"), mark="fFlag"),
    Field("insuredFee", "insurance", kinds.money, currency=("iCurrency", "currency"), mark="iFlag"),
    Field("grossWeight", "gross_weight_kilograms", kinds.weight, is_required=True),
    Field("netWeight", "net_weight_kilograms", kinds.weight, is_required=True),
)


def _list(number: str, direction: str) -> Message:
    return Message(
        f"CEB{number}",
        ("Inventory",),
        retail_pb2.RetailList,
        _LIST,
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


def _application(number: str, document: str, *heads: str, is_return: bool = False) -> Message:
    fields = (
        *_SENT,
        Field("invtNo", "list_number", kinds.text),
        Field("preNo", "pre_number", kinds.text),
        Field("copNo", "enterprise_number", kinds.text),
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


_SUMMARY = Message(
    "CEB701",
    ("SummaryApply",),
    retail_pb2.RetailSummary,
    (
        *_SENT,
        Field("customsCode", "customs_office", kinds.text),
        Field("copNo", "enterprise_number", kinds.text, is_required=True),
        *_MERCHANT,
    ),
    heads=("SummaryApplyHead",),
    line="SummaryApplyList",
    references=(Field("invtNo", "list_numbers", kinds.text, is_required=True),),
)

# By the name of the root element.
MESSAGES: Mapping[str, Message] = {
    f"{message.format}Message": message
    for message in (
        _order("303", EXPORT),
        _order("311", IMPORT, *_IMPORT_ORDER),
        _payment("403", EXPORT, "Receipts", "Payment"),
        _payment("411", IMPORT, "Payment"),
        _waybill("505", EXPORT),
        _departure("509", "Departure"),
        _waybill("511", IMPORT),
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
