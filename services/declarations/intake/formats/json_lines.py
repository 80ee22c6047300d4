"""Rows as JSON Lines: one object a line, the fields of a row in either JSON spelling.

An object of one field that is a kind of row (declaration, retail_document …) is that row. A record is also known
by what it is about (permit, manifest, bill …); every other object is a receipt of a goods declaration.
"""

from collections.abc import Sequence
from typing import Any

from aval.declarations.v1 import declarations_pb2, records_pb2
from google.protobuf import json_format
from google.protobuf.message import Message

from chassis import strict_json
from chassis.errors import Problem
from services.declarations.intake.formats import rows
from services.declarations.intake.formats.parsed import Parsed

_RECORDS = frozenset(
    name for field in records_pb2.Record.DESCRIPTOR.oneofs[0].fields for name in (field.name, field.json_name)
)
_ROWS = frozenset(name for field in rows.Row.DESCRIPTOR.fields for name in (field.name, field.json_name))


def parse(content: bytes) -> Sequence[Parsed]:
    """The rows of the lines, by line number from 1; blank lines are passed over. One object may span all lines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [Parsed("", None, [line_malformed(str(error))])]
    # Not splitlines: a text may hold U+2028 and its like.
    lines = [(1, text)] if _is_one_object(text) else enumerate(text.split("\n"), 1)
    return [Parsed(str(number), *checked(line)) for number, line in lines if line.strip()]


def _is_one_object(text: str) -> bool:
    try:
        return isinstance(strict_json.loads(text), dict)
    except ValueError:
        return False


def checked(line: str) -> tuple[Message | None, list[Problem]]:
    """The row of a line that has passed the checks of its kind; None and why, where it is none."""
    row, problems = read(line)
    found = rows.problems(row) if row is not None and type(row) in rows.CHECKS else problems
    return (None if found else row), list(found)


def read(line: str) -> tuple[Message | None, list[Problem]]:
    """The row of a line, as its room takes it; None and why, where it is none."""
    try:
        data = strict_json.loads(line)
        if not isinstance(data, dict):
            return None, [line_malformed(f"{type(data).__name__} instead of an object")]
        return _inner(json_format.ParseDict(data, kind(data)())), []
    except (ValueError, json_format.ParseError) as error:
        return None, [line_malformed(str(error))]


def kind(data: dict[str, Any]) -> type[Message]:
    """What an object is a message of."""
    if len(data) == 1 and _ROWS & data.keys() and isinstance(next(iter(data.values())), dict):
        return rows.Row
    return records_pb2.Record if _RECORDS & data.keys() else declarations_pb2.Receipt


def _inner(message: Any) -> Any:
    """The row in a Row, and the document in a retail document. ValueError where there is none."""
    for oneof in ("row", "document"):
        if oneof in message.DESCRIPTOR.oneofs_by_name:
            chosen = message.WhichOneof(oneof)
            if not chosen:
                raise ValueError(f"{message.DESCRIPTOR.name} has nothing in it")
            message = getattr(message, chosen)
    return message


def line_malformed(detail: str) -> Problem:
    """The problem of a line that is no such object; detail is the parser's own."""
    return Problem(
        "",
        "LINE_MALFORMED",
        f"The line is no JSON object of the expected fields; correct it ({detail}).",
        f"该行不是所需字段的 JSON 对象；请更正（{detail}）。",
    )
