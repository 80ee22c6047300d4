"""Rules that every value of a request must keep, whatever its field: else no store takes it, or no calendar has it.

An amount is one of a currency that is paid in, wherever it stands: the rule of Money itself.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from chassis.currencies import INT64_MAX, currencies, minor_digits
from chassis.errors import Problem

# PostgreSQL has no text with it.
NUL = "\0"
# A day within the years 1 to 9999, so that a moment has a calendar day in every time zone.
EARLIEST_SECONDS, LATEST_SECONDS = -62_135_596_800 + 86_400, 253_402_300_799 - 86_400

NANOSECONDS = 1_000_000_000

# By a message's full name: conditions on its expression under which it can't be stored.
CONDITIONS: Mapping[str, Sequence[str]] = {
    "google.protobuf.Timestamp": (
        f"not {EARLIEST_SECONDS} <= {{0}}.seconds <= {LATEST_SECONDS}",
        f"not 0 <= {{0}}.nanos < {NANOSECONDS}",
    ),
    # The opposite of an amount is one too.
    "aval.type.v1.Money": (f"{{0}}.minor_units < {-INT64_MAX}", "{0}.currency_code not in CURRENCIES"),
}
# What the conditions name.
NAMES: Mapping[str, Any] = {"CURRENCIES": currencies()}
TEXT_NUL = ("TEXT_NUL", "Leave the NUL character out.", "请删除空字符（NUL）。")
TIME_OUT_OF_RANGE = (
    "TIME_OUT_OF_RANGE",
    "Give a time within the years 1 to 9999.",
    "请填写公元 1 年至 9999 年之间的时间。",
)
AMOUNT_OUT_OF_RANGE = ("AMOUNT_OUT_OF_RANGE", "Give an amount that fits.", "金额超出范围；请更正。")
# The form of a code, which the field's own pattern asks for.
_CODE = re.compile("[A-Z]{3}", re.ASCII)


def may_hold_nul(raw: bytes) -> bool:
    """Whether a text of a message with these bytes may hold NUL: seldom, and always where one does."""
    return b"\0" in raw


def _of_time(value: Any, path: str) -> Iterator[Problem]:
    if not EARLIEST_SECONDS <= value.seconds <= LATEST_SECONDS or not 0 <= value.nanos < NANOSECONDS:
        yield Problem(path, *TIME_OUT_OF_RANGE)


def _of_money(value: Any, path: str) -> Iterator[Problem]:
    """Yields an amount's problems: 5 XTS at `amount` gives amount.currency_code CURRENCY_UNKNOWN.

    The validator refuses a code of another form.
    """
    if value.minor_units < -INT64_MAX:
        yield Problem(path, *AMOUNT_OUT_OF_RANGE)
    code = value.currency_code
    if _CODE.fullmatch(code) and minor_digits(code) is None:
        yield Problem(
            f"{path}.currency_code".lstrip("."),
            "CURRENCY_UNKNOWN",
            f"{code} is no currency that is paid in; use a code of ISO 4217, for example USD.",
            f"{code} 不是现行有效币种；请使用 ISO 4217 字母代码，如 USD。",
        )


def _nothing(_value: Any, _path: str) -> Iterator[Problem]:
    yield from ()


# By a message's full name: what breaks its conditions, in words.
_EXPLAINED: Mapping[str, Callable[[Any, str], Iterator[Problem]]] = {
    "google.protobuf.Timestamp": _of_time,
    "aval.type.v1.Money": _of_money,
}


def problems(message: Message, prefix: str = "") -> Iterator[Problem]:
    """Yields every value in the message that can't be stored, but for rows that are judged by themselves."""
    yield from _EXPLAINED.get(message.DESCRIPTOR.full_name, _nothing)(message, prefix)
    for field, value in message.ListFields():
        path = f"{prefix}.{field.name}" if prefix else field.name
        for where, one in _values(field, value, path):
            if isinstance(one, Message):
                yield from problems(one, where)
            elif NUL in one:
                yield Problem(where, *TEXT_NUL)


def _values(field: FieldDescriptor, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields the texts and messages in a field that are judged here, each with its path."""
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
