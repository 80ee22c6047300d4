"""Lists and notices between the wire and the model."""

from dataclasses import replace

from aval.declarations.v1 import retail_pb2

from chassis import money
from chassis.keyring import KeyRing
from chassis.rpc import problem
from services.declarations.window.retail.list import model
from services.declarations.window.retail.list.model import Notice, RetailList
from services.declarations.window.retail.versions import Change

# The fields that differ each time that a list is sent, and those that are ours to set, never the sender's.
NOT_OURS = (
    "envelope", "name", "enterprise", "status", "summary", "pool", "reasons", "etag",
    "release_time", "departure_time", "duty_due_time", "store", "reports", "declaration_numbers",
)  # fmt: skip
# The time of an undated statement: a final one counts before all else as well as after.
UNDATED_US = 1_533_081_600_000_000


def from_row(message: retail_pb2.RetailList, enterprise: str, keys: KeyRing, now_us: int) -> RetailList:
    """Returns the record of a checked row, without any notice. The digest is a token, since persons are in it."""
    body = retail_pb2.RetailList()
    body.CopyFrom(message)
    for field in NOT_OURS:
        body.ClearField(field)
    digest = keys.token("retailLists", body.SerializeToString(deterministic=True))
    body.ClearField("persons")
    body.envelope.format = message.envelope.format
    direction, envelope = retail_pb2.Direction.Name(message.direction), message.envelope
    return RetailList(
        id=model.list_id(direction, message.merchant_code, message.enterprise_number),
        direction=direction,
        merchant_code=message.merchant_code,
        enterprise_number=message.enterprise_number,
        list_number=message.list_number or None,
        pre_number=message.pre_number or None,
        enterprise=enterprise,
        order_number=message.order_number,
        platform_code=message.platform_code,
        waybill=model.waybill_key(message.carrier_code, message.waybill_number),
        trade_mode=message.trade_mode,
        country=message.country,
        value=money.from_proto(message.value),
        status=model.MACHINE.initial,
        release_us=None,
        departure_us=None,
        send_us=envelope.send_time.ToMicroseconds() if envelope.HasField("send_time") else now_us,
        change=Change(retail_pb2.Change.Name(envelope.change)),
        body=body.SerializeToString(deterministic=True),
        digest=digest,
        create_us=now_us,
        revision=1,
    )


def to_proto(retail_list: RetailList, language: str = "en") -> retail_pb2.RetailList:
    """Returns the list as everyone sees it who may see it at all."""
    message = retail_pb2.RetailList.FromString(retail_list.body)
    message.name, message.enterprise, message.etag = retail_list.name, retail_list.enterprise, str(retail_list.revision)
    message.list_number, message.pre_number = retail_list.list_number or "", retail_list.pre_number or ""
    message.MergeFrom(retail_pb2.RetailList(status=retail_list.status))
    message.reasons.extend(problem(reason, language) for reason in model.reasons(retail_list.status))
    for field, microseconds in (("release_time", retail_list.release_us), ("departure_time", retail_list.departure_us)):
        if microseconds is not None:
            getattr(message, field).FromMicroseconds(microseconds)
    return message


def said_us(envelope: retail_pb2.RetailEnvelope) -> int:
    """Returns the time at which a document stated what ends a list."""
    return int(envelope.send_time.ToMicroseconds()) if envelope.HasField("send_time") else UNDATED_US


def notice_of_receipt(receipt: retail_pb2.RetailReceipt) -> Notice:
    """Returns the notice that a receipt of customs gives."""
    return Notice(
        list_number=receipt.list_number,
        pre_number=receipt.pre_number,
        merchant_code=receipt.merchant_code,
        enterprise_number=receipt.enterprise_number,
        waybill="",
        notice_us=receipt.notice_time.ToMicroseconds(),
        code=receipt.status_code,
        note=receipt.note,
    )


def notice_of_deletion(row: retail_pb2.RetailList) -> Notice:
    """Returns the notice that a deletion gives of its list."""
    numbers = (row.list_number, row.pre_number, row.merchant_code, row.enterprise_number, "")
    return Notice(*numbers, said_us(row.envelope), model.DELETE, "")


def notice_of_cancellation(application: retail_pb2.RetailCancellation) -> Notice:
    """Returns the notice that an application to cancel or return gives; its deletion withdraws it.

    Its preNo and copNo may be its own numbers, so each counts only where none before it is given.
    """
    is_named = application.list_number or application.pre_number
    code = model.RETURN if application.is_return else model.CANCEL
    return Notice(
        list_number=application.list_number,
        pre_number="" if application.list_number else application.pre_number,
        merchant_code=application.merchant_code,
        enterprise_number="" if is_named else application.enterprise_number,
        waybill="",
        notice_us=said_us(application.envelope),
        code=model.VOIDS[code] if application.envelope.change == retail_pb2.DELETE else code,
        note=application.note,
    )


def notices_of_departure(departure: retail_pb2.RetailDeparture) -> list[Notice]:
    """Returns a notice for each list of a departure: that it left, or that it was loaded where no time is given."""
    left_us = departure.departure_time.ToMicroseconds() if departure.HasField("departure_time") else UNDATED_US
    code = model.DEPART if departure.HasField("departure_time") else model.LOAD
    said = " ".join(part for part in (departure.bill_number, departure.voyage_number) if part)
    waybills = [model.waybill_key(departure.carrier_code, number) for number in departure.waybill_numbers]
    notice = Notice("", "", "", "", waybill="", notice_us=left_us, code=code, note=said)
    return [
        *(replace(notice, list_number=number) for number in departure.list_numbers),
        *(replace(notice, waybill=waybill) for waybill in waybills),
    ]
