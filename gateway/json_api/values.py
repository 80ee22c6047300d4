"""Whether JSON fits a message, told in our own words: every value that doesn't, by its path.

Stricter than the library that fills the message: a number is plain digits, base64 has no other signs in it, a name
is the field's own. What passes here the library takes.
"""

import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from chassis.errors import Problem

MALFORMED, UNKNOWN_FIELD = "MALFORMED", "UNKNOWN_FIELD"
# More problems than this help nobody.
MOST_PROBLEMS = 100
LONGEST_NAME = 60

INTEGER = re.compile("-?(0|[1-9][0-9]{0,18})", re.ASCII)
BASE64 = re.compile("[A-Za-z0-9+/_-]*={0,2}", re.ASCII)
TIMESTAMP = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})T(?P<time>[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
DURATION = re.compile(r"-?(?P<seconds>[0-9]{1,12})(\.[0-9]{1,9})?s", re.ASCII)
LONGEST_DURATION_SECONDS = 315_576_000_000
BITS = {FieldDescriptor.TYPE_INT32: 32, FieldDescriptor.TYPE_INT64: 64}


def is_integer(value: Any, bits: int) -> bool:
    """Whether a value is a whole number of so many bits: 5, "5", 5.0 are; "+5", "1_000", "5\\n", "٥", "05" aren't."""
    if isinstance(value, float):
        # Beyond 2^53 a JSON number has lost digits.
        value = int(value) if value.is_integer() and abs(value) <= 2**53 else None
    if isinstance(value, str):
        value = int(value) if INTEGER.fullmatch(value) else None
    return type(value) is int and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


def is_base64(value: Any) -> bool:
    """Whether a value is base64, in either alphabet, with its padding or without."""
    return isinstance(value, str) and BASE64.fullmatch(value) is not None and len(value.rstrip("=")) % 4 != 1


def is_timestamp(value: Any) -> bool:
    """Whether a value is a moment such as 2026-11-23T09:30:00Z or 2026-11-23T17:30:00.5+08:00."""
    parts = TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        return False
    try:
        moment = datetime.datetime.fromisoformat(f"{parts['day']}T{parts['time']}{parts[4].replace('Z', '+00:00')}")
        moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return False
    return True


def is_duration(value: Any) -> bool:
    """Whether a value is a duration such as 90s or 0.5s."""
    parts = DURATION.fullmatch(value) if isinstance(value, str) else None
    return parts is not None and int(parts["seconds"]) <= LONGEST_DURATION_SECONDS


def is_enum(value: Any, enum: EnumDescriptor) -> bool:
    """Whether a value is an enumeration's name, or a number."""
    return is_integer(value, 32) if not isinstance(value, str) or value[:1].isdigit() else value in enum.values_by_name


Check = Callable[[Any], bool]
# By the field's type, or by the message that JSON writes as a text: the check, and what to do.
SCALARS: Mapping[Any, tuple[Check, str, str]] = {
    FieldDescriptor.TYPE_INT32: (
        lambda value: is_integer(value, 32),
        "must be a whole number in plain digits, from -2147483648 to 2147483647",
        "必须是 -2147483648 至 2147483647 之间的整数，只含数字。",
    ),
    FieldDescriptor.TYPE_INT64: (
        lambda value: is_integer(value, 64),
        'must be a whole number in plain digits, such as "123456"',
        '必须是只含数字的整数，例如 "123456"。',
    ),
    FieldDescriptor.TYPE_BOOL: (
        lambda value: isinstance(value, bool),
        "must be true or false",
        "必须是 true 或 false。",
    ),
    FieldDescriptor.TYPE_STRING: (lambda value: isinstance(value, str), "must be text", "必须是文本。"),
    FieldDescriptor.TYPE_BYTES: (is_base64, "must be base64", "必须是 base64 编码。"),
    "google.protobuf.Timestamp": (
        is_timestamp,
        "must be a moment such as 2026-11-23T09:30:00Z",
        "必须是时间，例如 2026-11-23T09:30:00Z。",
    ),
    "google.protobuf.Duration": (is_duration, "must be a duration such as 90s", "必须是时长，例如 90s。"),
}


def problems(data: Any, message: Descriptor, prefix: str = "") -> list[Problem]:
    """Returns every value of a JSON object that doesn't fit a message; paths begin with the prefix."""
    listed: list[Problem] = []
    for problem in _of_message(data, message, prefix):
        listed.append(problem)
        if len(listed) >= MOST_PROBLEMS:
            break
    return listed


def field_of(message: Descriptor, name: str) -> FieldDescriptor | None:
    """Returns the field of a name, in either spelling."""
    return message.fields_by_name.get(name) or message.fields_by_camelcase_name.get(name)


def _of_message(data: Any, message: Descriptor, path: str) -> Iterator[Problem]:
    if not isinstance(data, dict):
        yield _malformed(path, "must be an object", "必须是对象。")
        return
    chosen: dict[str, str] = {}
    for name, value in data.items():
        field = field_of(message, name)
        if field is None:
            yield Problem(_join(path, name[:LONGEST_NAME]), UNKNOWN_FIELD, "There is no such field.", "没有该字段。")
        elif value is not None:
            yield from _of_field(value, field, _join(path, field.name))
            oneof = field.containing_oneof
            first = chosen.setdefault(oneof.name, field.name) if oneof else field.name
            if first != field.name:
                english, chinese = f"can't be given together with {first}", f"不能与 {first} 同时提供。"
                yield _malformed(_join(path, field.name), english, chinese)


def _of_field(value: Any, field: FieldDescriptor, path: str) -> Iterator[Problem]:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from _of_map(value, field.message_type, path)
    elif not field.is_repeated:
        yield from _of_value(value, field, path)
    elif not isinstance(value, list):
        yield _malformed(path, "must be an array", "必须是数组。")
    else:
        for index, entry in enumerate(value):
            yield from _of_value(entry, field, f"{path}[{index}]")


def _of_map(value: Any, entry: Descriptor, path: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _malformed(path, "must be an object", "必须是对象。")
        return
    for name, row in value.items():
        yield from _of_value(row, entry.fields_by_name["value"], f"{path}[{name[:LONGEST_NAME]}]")


def _of_value(value: Any, field: FieldDescriptor, path: str) -> Iterator[Problem]:
    if field.enum_type is not None:
        if not is_enum(value, field.enum_type):
            yield _malformed(
                path, "must be one of the names that /openapi.json lists", "必须是 /openapi.json 所列的取值。"
            )
        return
    scalar = SCALARS.get(field.message_type.full_name if field.message_type is not None else field.type)
    if scalar is None:
        assert field.message_type is not None, field.full_name
        yield from _of_message(value, field.message_type, path)
    elif not scalar[0](value):
        yield _malformed(path, *scalar[1:])


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _malformed(path: str, english: str, chinese: str) -> Problem:
    return Problem(path, MALFORMED, english, chinese)
