"""What every value of a request must keep, whatever its field: else no store takes it, or no calendar has it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.currencies import INT64_MAX
from chassis.errors import Problem

# PostgreSQL has no text with it.
NUL = "\0"
# A day within the years 1 to 9999, so that a moment has a calendar day in every time zone.
EARLIEST_SECONDS, LATEST_SECONDS = -62_135_596_800 + 86_400, 253_402_300_799 - 86_400

# By a message's full name: conditions on its expression under which it can't be stored.
CONDITIONS: Mapping[str, Sequence[str]] = {
    "google.protobuf.Timestamp": (
        f"not {EARLIEST_SECONDS} <= {{0}}.seconds <= {LATEST_SECONDS}",
        "not 0 <= {0}.nanos < 1_000_000_000",
    ),
    # The opposite of an amount is one too.
    "aval.type.v1.Money": (f"{{0}}.minor_units < {-INT64_MAX}",),
}
TEXT_NUL = ("TEXT_NUL", "Leave the NUL character out.", "请删除空字符（NUL）。")
_SAID: Mapping[str, tuple[str, str, str]] = {
    "google.protobuf.Timestamp": (
        "TIME_OUT_OF_RANGE",
        "Give a time within the years 1 to 9999.",
        "请填写公元 1 年至 9999 年之间的时间。",
    ),
    "aval.type.v1.Money": ("AMOUNT_OUT_OF_RANGE", "Give an amount that fits.", "金额超出范围；请更正。"),
}
_COMPILED = {
    name: eval(f"lambda value: {' or '.join(one.format('value') for one in conditions)}")  # noqa: S307 our own text
    for name, conditions in CONDITIONS.items()
}


def may_hold_nul(raw: bytes) -> bool:
    """Whether a text of a message with these bytes may hold NUL: seldom, and always where one does."""
    return b"\0" in raw


def problems(message: Message, prefix: str = "") -> Iterator[Problem]:
    """Every value in the message that can't be stored, but for rows that are judged by themselves."""
    name = message.DESCRIPTOR.full_name
    if name in _COMPILED and _COMPILED[name](message):
        yield Problem(prefix, *_SAID[name])
    for field, value in message.ListFields():
        path = f"{prefix}.{field.name}" if prefix else field.name
        for where, one in _values(field, value, path):
            if isinstance(one, Message):
                yield from problems(one, where)
            elif NUL in one:
                yield Problem(where, *TEXT_NUL)


def _values(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The texts and messages in a field that are judged here, each with its path."""
    rules: Any = field.GetOptions().Extensions[validate_pb2.field]  # type: ignore[index]
    if field.type not in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE):
        return
    if not field.is_repeated:
        yield path, value
    elif field.message_type and field.message_type.GetOptions().map_entry:
        pairs = ((key, one) for key, held in value.items() for one in (key, held) if isinstance(one, str | Message))
        yield from ((f"{path}[{key!r}]", one) for key, one in pairs)
    elif rules.repeated.items.ignore != validate_pb2.IGNORE_ALWAYS:
        yield from ((f"{path}[{index}]", one) for index, one in enumerate(value))
