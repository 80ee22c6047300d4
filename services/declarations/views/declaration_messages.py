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
    """Returns declarations as they stand now.

    The enterprise sees its value by what stands on it, an institution what is available to it.
    """
    connection, language, names = (
        reading.connection,
        reading.caller.language,
        [declaration.name for declaration in page],
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
    """Returns by name as much of each value as the caller may know; nothing for callers that have no part in it."""
    tenant = reading.caller.tenant
    visible = (
        page
        if is_institution(reading.caller)
        else [declaration for declaration in page if declaration.enterprise == tenant]
    )
    if not visible:
        return {}
    on = reading.business_date
    values = value_store.of_many(reading.connection, [as_asset(declaration, on) for declaration in visible], on)
    if is_institution(reading.caller):
        return _available(reading, values)
    return {name: declaration_rpc.value_to_proto(value) for name, value in values.items()}


def _available(reading: Reading, values: Mapping[str, Value]) -> Mapping[str, declarations_pb2.DeclaredValue]:
    standing = netting.holders_of(reading.connection, list(values))
    return {
        name: declaration_rpc.available_to_proto(available_to(reading.caller.tenant, value, standing.get(name, ())))
        for name, value in values.items()
    }


def earlier(reading: Reading, page: Sequence[Declaration], at_us: int) -> list[declarations_pb2.Declaration]:
    """Returns declarations as they were known at a time, by what had come in: without the value's parts."""
    connection, numbers = reading.connection, [declaration.id for declaration in page]
    receipts = declaration_store.receipts_of(connection, numbers)
    receipts_by_number = {
        number: [receipt for receipt in receipts.get(number, ()) if receipt.arrive_us <= at_us] for number in numbers
    }
    versions = declaration_store.versions_at(connection, numbers, at_us)
    then = [
        declaration_model.as_of(
            declaration,
            versions.get(declaration.id),
            (receipt.notice for receipt in receipts_by_number[declaration.id]),
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
        add_receipts(message, receipts_by_number[message.declaration_number])
    return messages


def add_receipts(message: declarations_pb2.Declaration, receipts: Sequence[declaration_store.Receipt]) -> None:
    """Adds the receipts so far, by notice time."""
    for receipt in receipts:
        message_receipt = message.receipts.add(
            declaration_number=message.declaration_number,
            channel_code=receipt.channel_code,
            note=receipt.note,
        )
        message_receipt.notice_time.FromMicroseconds(receipt.notice_us)
