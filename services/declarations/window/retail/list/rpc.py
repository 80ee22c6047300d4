"""Lists and notices between the wire and the model."""

from aval.declarations.v1 import retail_pb2

from chassis import money
from chassis.keyring import KeyRing
from chassis.rpc import problem
from services.declarations.window.retail.list import model
from services.declarations.window.retail.list.model import Notice, RetailList
from services.declarations.window.retail.versions import Change

# What differs each time that a list is sent, and what is ours to set, never the sender's.
NOT_OURS = (
    "envelope", "name", "enterprise", "status", "summary", "pool", "reasons", "etag",
    "release_time", "departure_time", "duty_due_time", "store", "reports", "declaration_numbers",
)  # fmt: skip
# When something was said that doesn't say when: what is final counts before all else as well as after.
UNDATED_US = 1_533_081_600_000_000


def from_row(message: retail_pb2.RetailList, enterprise: str, keys: KeyRing, now_us: int) -> RetailList:
    """The record of a checked row, as it is without any notice. The digest is a token, since persons are in it."""
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
    """What everyone sees who may see the list at all."""
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
    """When a document said what ends a list."""
    return int(envelope.send_time.ToMicroseconds()) if envelope.HasField("send_time") else UNDATED_US


def notice_of_receipt(receipt: retail_pb2.RetailReceipt) -> Notice:
    """What a receipt of customs says."""
    return Notice(
        receipt.list_number,
        receipt.pre_number,
        receipt.merchant_code,
        receipt.enterprise_number,
        "",
        receipt.notice_time.ToMicroseconds(),
        receipt.status_code,
        receipt.note,
    )


def notice_of_deletion(row: retail_pb2.RetailList) -> Notice:
    """What a deletion says of its list."""
    numbers = (row.list_number, row.pre_number, row.merchant_code, row.enterprise_number, "")
    return Notice(*numbers, said_us(row.envelope), model.DELETE, "")


def notice_of_cancellation(asked: retail_pb2.RetailCancellation) -> Notice:
    """The notice that an application to cancel or return gives; its deletion withdraws it.

    Its preNo and copNo may be its own numbers, so each counts only where none before it is given.
    """
    is_named = asked.list_number or asked.pre_number
    code = model.RETURN if asked.is_return else model.CANCEL
    return Notice(
        asked.list_number,
        "" if asked.list_number else asked.pre_number,
        asked.merchant_code,
        "" if is_named else asked.enterprise_number,
        "",
        said_us(asked.envelope),
        model.VOIDS[code] if asked.envelope.change == retail_pb2.DELETE else code,
        asked.note,
    )


def notices_of_departure(departure: retail_pb2.RetailDeparture) -> list[Notice]:
    """What a departure says of each of its lists; nothing of those that it only says were loaded."""
    left_us = departure.departure_time.ToMicroseconds() if departure.HasField("departure_time") else UNDATED_US
    code = model.DEPART if departure.HasField("departure_time") else model.LOAD
    said = " ".join(part for part in (departure.bill_number, departure.voyage_number) if part)
    waybills = [model.waybill_key(departure.carrier_code, number) for number in departure.waybill_numbers]
    return [
        *(Notice(number, "", "", "", "", left_us, code, said) for number in departure.list_numbers),
        *(Notice("", "", "", "", waybill, left_us, code, said) for waybill in waybills),
    ]
