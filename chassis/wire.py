"""Records on the wire and back: fields that bear the same name are copied, by the record's annotations.

`fill` makes a message of a record, `read` a record of a message. Each field is copied by name or given by keyword, and
a field that is neither is a mistake: the first call raises it, and a test makes that call for every `fill` and `read`.
Two names differ, everywhere alike: a moment in microseconds is a time, `create_us` is `create_time`; the text of
`revision` is `etag`. An enumeration is the value of the same name, None a field that isn't set. Properties count as
fields, so that `name` is filled.

`read` takes no field that the contract says is the platform's (IDENTIFIER, OUTPUT_ONLY): a caller can't approve its own
request by filling `checker`.
"""

import dataclasses
import datetime
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from operator import attrgetter
from typing import Any, TypeVar, cast

from aval.type.v1 import money_pb2
from google.api import field_behavior_pb2
from google.protobuf import message_factory, timestamp_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.type import date_pb2, decimal_pb2

from chassis import money, records, rpc
from chassis.clock import MICROSECONDS
from chassis.money import Money

Filled = TypeVar("Filled", bound=Message)
Record = TypeVar("Record")
Convert = Callable[[Any], Any]

TEXT_OF_REVISION = "etag"
MOMENT, TIME = "_us", "_time"
# What a request says about itself, not about the record that is made of it.
OF_REQUEST = frozenset({"request_id", "name", "etag"})
_PLATFORMS_OWN = {field_behavior_pb2.IDENTIFIER, field_behavior_pb2.OUTPUT_ONLY}
_PLAIN: Mapping[Any, Sequence[int]] = {
    str: (FieldDescriptor.CPPTYPE_STRING,),
    bytes: (FieldDescriptor.CPPTYPE_STRING,),
    bool: (FieldDescriptor.CPPTYPE_BOOL,),
    int: (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64),
}


class NotFilled(TypeError):
    """A field of a message or of a record is neither copied by its name nor given by keyword."""


def _money(amount: Money) -> dict[str, Any]:
    return {"currency_code": amount.currency, "minor_units": amount.minor_units}


def _date(day: datetime.date) -> dict[str, Any]:
    return {"year": day.year, "month": day.month, "day": day.day}


def _decimal(value: Decimal) -> dict[str, Any]:
    return {"value": format(value, "f")}


def _time(time_us: int) -> dict[str, Any]:
    return {"seconds": time_us // MICROSECONDS, "nanos": time_us % MICROSECONDS * 1000}


def _to_microseconds(message: timestamp_pb2.Timestamp) -> int:
    return message.ToMicroseconds()


# By annotation: the message that stands for it, the way there and the way back.
_MESSAGES: Mapping[Any, tuple[str, Convert, Convert]] = {
    Money: (money_pb2.Money.DESCRIPTOR.full_name, _money, money.from_proto),
    datetime.date: (date_pb2.Date.DESCRIPTOR.full_name, _date, rpc.to_date),
    Decimal: (decimal_pb2.Decimal.DESCRIPTOR.full_name, _decimal, rpc.to_decimal),
}
_VALUES: Mapping[type, Convert] = {annotation: there for annotation, (_, there, _) in _MESSAGES.items()}


def fill(message: type[Filled], record: object, **exceptions: Any) -> Filled:
    """Returns the message that stands for a record: fields of the same name copied, the others given by keyword.

    `fill(loans_pb2.Loan, loan, encumbrance=…)` copies `bank` as it is, `principal` as Money, `create_us` to
    `create_time`. A keyword's value is a Money, date or Decimal, or what the message takes; None leaves the field
    unset. Raises NotFilled.
    """
    values = _filling(message, type(record), tuple(exceptions)).values(record)
    for name, value in exceptions.items():
        convert = _VALUES.get(type(value))
        values[name] = convert(value) if convert else value
    return message(**values)


def read(record: type[Record], message: Message, **exceptions: Any) -> Record:
    """Returns the record that a checked message asks for: fields of the same name copied, the others by keyword.

    `read(Policy, request.policy, id=…, insurer=…, maker=…)` copies `enterprise` and the dates; a field that is in
    neither gets the record's default. Raises NotFilled; ValueError where a date is no day, InvalidOperation where a
    decimal is no number.
    """
    for name, attribute, convert in _reading(record, type(message), tuple(exceptions)):
        exceptions[name] = convert(message, attribute(message))
    return record(**exceptions)


@dataclasses.dataclass(frozen=True, slots=True)
class _Filling:
    """How a record fills a message: fields, what takes their values of the record, and which of them are converted."""

    fields: Sequence[str]
    take: Callable[[Any], tuple[Any, ...]]
    converted: Sequence[tuple[str, Convert]]

    def values(self, record: Any) -> dict[str, Any]:
        """Returns what the message is made of, by field; a field that is None stays unset."""
        values = dict(zip(self.fields, self.take(record), strict=True))
        for name, convert in self.converted:
            value = values[name]
            if value is not None:
                values[name] = convert(value)
        return values


def _plan_filling(message: Any, record: Any, exceptions: tuple[str, ...]) -> _Filling:
    """Plans how a record fills the fields of a message that aren't given. Raises NotFilled."""
    annotations, fields = _attributes(record), message.DESCRIPTOR.fields_by_name
    if strange := set(exceptions) - set(fields):
        raise NotFilled(f"{message.DESCRIPTOR.full_name} has no {sorted(strange)}")
    attributes, converted = {}, []
    for field in [field for name, field in fields.items() if name not in exceptions]:
        attribute = _attribute(field.name)
        if attribute not in annotations:
            raise NotFilled(f"{field.full_name}: {record.__name__} has no {attribute}; give {field.name} by keyword")
        attributes[field.name] = attribute
        if convert := _there(field, attribute, annotations[attribute]):
            converted.append((field.name, convert))
    return _Filling(list(attributes), _taker(list(attributes.values())), converted)


# Planned once: records go out by the thousand.
_filling: Callable[[Any, Any, tuple[str, ...]], _Filling] = cache(_plan_filling)


def _taker(attributes: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Returns what takes these attributes of a record, as a tuple however many there are."""
    if len(attributes) > 1:
        return cast(Callable[[Any], tuple[Any, ...]], attrgetter(*attributes))
    return lambda record: tuple(getattr(record, attribute) for attribute in attributes)


def _attribute(field: str) -> str:
    """Returns the attribute that a field is called in records: create_time is create_us, etag is revision."""
    if field == TEXT_OF_REVISION:
        return "revision"
    return field.removesuffix(TIME) + MOMENT if field.endswith(TIME) else field


@cache
def _attributes(record: Any) -> Mapping[str, Any]:
    """Returns the annotations of a record's fields, and of what its properties return."""
    properties = {
        name: typing.get_type_hints(value.fget).get("return")
        for name, value in vars(record).items()
        if isinstance(value, property) and value.fget
    }
    hints = typing.get_type_hints(record)
    return properties | {field.name: hints[field.name] for field in dataclasses.fields(record)}


def _there(field: Any, attribute: str, annotation: Any) -> Convert | None:
    """Returns the conversion of an attribute to a field; None where the value goes as it is. Raises NotFilled."""
    annotation, _ = records.plain(annotation)
    item = records.item(annotation)
    if field.is_repeated and item is not None:
        convert = _there_of_kind(field, item)
        return None if convert is None else lambda values: [convert(value) for value in values]
    if attribute == "revision" and field.name == TEXT_OF_REVISION:
        return str
    if attribute.endswith(MOMENT) and field.name.endswith(TIME):
        return _time
    return None if field.is_repeated else _there_of_kind(field, annotation)


def _there_of_kind(field: Any, annotation: Any) -> Convert | None:
    """Returns the conversion of one value by its annotation."""
    if field.cpp_type in _PLAIN.get(annotation, ()):
        return None
    if _is_message(field, annotation):
        return _MESSAGES[annotation][1]
    if _is_enumeration(field, annotation):
        return None if issubclass(annotation, str) else attrgetter("value")
    if dataclasses.is_dataclass(annotation) and field.message_type:
        return _filling(message_factory.GetMessageClass(field.message_type), annotation, ()).values
    raise NotFilled(f"{field.full_name} can't be filled by {annotation}; give it by keyword")


def _is_message(field: Any, annotation: Any) -> bool:
    """Whether the field is the message that stands for an annotation: google.type.Date for a date."""
    return annotation in _MESSAGES and field.message_type and field.message_type.full_name == _MESSAGES[annotation][0]


def _is_enumeration(field: Any, annotation: Any) -> bool:
    """Whether each member of an enumeration has a value of the field's enumeration by the same name."""
    if not (isinstance(annotation, type) and issubclass(annotation, enum.Enum) and field.enum_type):
        return False
    return {member.value for member in annotation} <= set(field.enum_type.values_by_name)


def _plan_reading(
    record: Any, message: Any, exceptions: tuple[str, ...]
) -> Sequence[tuple[str, Convert, Callable[[Message, Any], Any]]]:
    """Plans how a message makes a record: for each of its fields, the message's field and the conversion."""
    hints = typing.get_type_hints(record)
    fields = {_attribute(field.name): field for field in message.DESCRIPTOR.fields if not _is_platforms_own(field)}
    plan = []
    for wanted in [field for field in dataclasses.fields(record) if field.name not in exceptions]:
        field = fields.get(wanted.name)
        if field is not None and wanted.name != "revision":
            plan.append((wanted.name, attrgetter(field.name), _back(field, wanted.name, hints[wanted.name])))
        elif wanted.default is dataclasses.MISSING and wanted.default_factory is dataclasses.MISSING:
            raise NotFilled(f"{record.__name__}.{wanted.name}: {message.DESCRIPTOR.full_name} has no such input")
    return plan


_reading: Callable[[Any, Any, tuple[str, ...]], Any] = cache(_plan_reading)


def _is_platforms_own(field: Any) -> bool:
    behaviours: Any = field.GetOptions().Extensions[field_behavior_pb2.field_behavior]
    return not _PLATFORMS_OWN.isdisjoint(behaviours)


def _back(field: Any, attribute: str, annotation: Any) -> Callable[[Message, Any], Any]:
    """Returns the conversion of a field's value to the attribute of a record."""
    annotation, is_optional = records.plain(annotation)
    item = records.item(annotation)
    if field.is_repeated:
        each = _back_of_kind(field, item)
        return lambda _, values: tuple(each(value) for value in values)
    convert = _to_microseconds if attribute.endswith(MOMENT) else _back_of_kind(field, annotation)
    if is_optional and field.has_presence:
        return lambda message, value: convert(value) if message.HasField(field.name) else None
    return lambda _, value: convert(value)


def _back_of_kind(field: Any, annotation: Any) -> Convert:
    if field.cpp_type in _PLAIN.get(annotation, ()):
        return _as_it_is
    if _is_message(field, annotation):
        return _MESSAGES[annotation][2]
    if _is_enumeration(field, annotation):
        return lambda number: annotation(field.enum_type.values_by_number[number].name)
    if dataclasses.is_dataclass(annotation) and field.message_type:
        return partial(read, cast(type, annotation))
    raise NotFilled(f"{annotation} can't be read of {field.full_name}; give it by keyword")


def _as_it_is(value: Any) -> Any:
    return value


def check_filling(message: type[Message], record: type, exceptions: Sequence[str]) -> None:
    """Raises NotFilled where a record and these keywords don't fill each field of a message."""
    _filling(message, record, tuple(exceptions))


def unread(record: type, message: type[Message], exceptions: Sequence[str]) -> list[str]:
    """Returns the inputs of a message that a record made of it doesn't take. Raises NotFilled.

    Of CreateOfferRequest.offer read into terms of amount, rate and fee: tenor_days and expire_time.
    """
    taken = {name for name, _, _ in _reading(record, message, tuple(exceptions))}
    inputs = [field.name for field in message.DESCRIPTOR.fields if not _is_platforms_own(field)]
    return [name for name in inputs if _attribute(name) not in taken and name not in {*exceptions, *OF_REQUEST}]
