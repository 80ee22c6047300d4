"""Declarations as a caller sees them: now or as of a time, a page in a handful of statements."""

from collections.abc import Mapping, Sequence

from aval.declarations.v1 import declarations_pb2

from chassis.service import Reading
from services.declarations.privacy.consent.access import is_institution
from services.declarations.register.encumbrance.model import available_to
from services.declarations.register.preshipment import netting
from services.declarations.register.value import freezing
from services.declarations.register.value import store as value_store
from services.declarations.register.value.model import Value
from services.declarations.window.declaration import model as declaration_model
from services.declarations.window.declaration import rpc as declaration_rpc
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.assets import as_asset
from services.declarations.window.declaration.model import Declaration
from services.declarations.window.eligibility import hindrances
from trade.calendars import day_in_china


def present(reading: Reading, page: Sequence[Declaration]) -> list[declarations_pb2.Declaration]:
    """As they stand: the enterprise sees its value by what stands on it, an institution what is available to it."""
    connection, language, names = (
        reading.connection,
        reading.caller.language,
        [each_declaration.name for each_declaration in page],
    )
    hindered = hindrances.of(connection, page, reading.business_date)
    causes = value_store.frozen(connection, names)
    shown = _shown_values(reading, page)
    messages = []
    for declaration in page:
        message = declaration_rpc.to_proto(
            declaration, reading.business_date, language, hindered.get(declaration.id, ())
        )
        freezing.add_to(message.eligibility, causes.get(declaration.name, ()), language)
        if declaration.name in shown:
            message.value.CopyFrom(shown[declaration.name])
        messages.append(message)
    return messages


def _shown_values(reading: Reading, page: Sequence[Declaration]) -> Mapping[str, declarations_pb2.DeclaredValue]:
    """By name, as much of each value as the caller may know; nothing for who has no part in it."""
    tenant = reading.caller.tenant
    known = (
        page
        if is_institution(reading.caller)
        else [declaration for declaration in page if declaration.enterprise == tenant]
    )
    if not known:
        return {}
    on = reading.business_date
    found = value_store.of_many(reading.connection, [as_asset(declaration, on) for declaration in known], on)
    if is_institution(reading.caller):
        return _available(reading, found)
    return {name: declaration_rpc.value_to_proto(value) for name, value in found.items()}


def _available(reading: Reading, found: Mapping[str, Value]) -> Mapping[str, declarations_pb2.DeclaredValue]:
    standing = netting.holders_of(reading.connection, list(found))
    return {
        name: declaration_rpc.available_to_proto(available_to(reading.caller.tenant, value, standing.get(name, ())))
        for name, value in found.items()
    }


def earlier(reading: Reading, page: Sequence[Declaration], at_us: int) -> list[declarations_pb2.Declaration]:
    """As they were known at a time, by what had come in: content and receipts, without the value's parts."""
    connection, numbers = reading.connection, [declaration.id for declaration in page]
    receipts = declaration_store.receipts_of(connection, numbers)
    known = {
        number: [receipt for receipt in receipts.get(number, ()) if receipt.arrive_us <= at_us] for number in numbers
    }
    versions = declaration_store.versions_at(connection, numbers, at_us)
    then = [
        declaration_model.as_of(
            declaration, versions.get(declaration.id), (receipt.notice for receipt in known[declaration.id])
        )
        for declaration in page
    ]
    on = day_in_china(at_us)
    hindered = hindrances.of(connection, then, on, at_us)
    messages = [
        declaration_rpc.to_proto(declaration, on, reading.caller.language, hindered.get(declaration.id, ()))
        for declaration in then
    ]
    for message in messages:
        add_receipts(message, known[message.declaration_number])
    return messages


def add_receipts(message: declarations_pb2.Declaration, receipts: Sequence[declaration_store.Receipt]) -> None:
    """The receipts so far, by notice time."""
    for each_receipt in receipts:
        receipt = message.receipts.add(
            declaration_number=message.declaration_number,
            channel_code=each_receipt.channel_code,
            note=each_receipt.note,
        )
        receipt.notice_time.FromMicroseconds(each_receipt.notice_us)
