"""Reads rows as JSON Lines: one object a line, the fields of a row in either JSON spelling.

An object of one field that is a kind of row (declaration, retail_document …) is that row. A record is also recognised
by its content's field (permit, manifest, bill …); every other object is a receipt of a goods declaration.
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
    """Reads the rows of the lines, by line number from 1, passing over blank lines. One object may span all lines."""
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
    """Reads the row of a line and checks it by the rules of its kind; None and the problems where it is broken."""
    row, problems = read(line)
    broken = rows.problems(row) if row is not None and type(row) in rows.CHECKS else problems
    return (None if broken else row), list(broken)


def read(line: str) -> tuple[Message | None, list[Problem]]:
    """Reads the row of a line, as its room takes it; None and the problem where it holds none."""
    try:
        data = strict_json.loads(line)
        if not isinstance(data, dict):
            return None, [line_malformed(f"{type(data).__name__} instead of an object")]
        return _inner(json_format.ParseDict(data, kind(data)())), []
    except (ValueError, json_format.ParseError) as error:
        return None, [line_malformed(str(error))]


def kind(data: dict[str, Any]) -> type[Message]:
    """Returns the type of message that an object is: {"permit": …} is a Record, {"record": …} a Row."""
    if len(data) == 1 and _ROWS & data.keys() and isinstance(next(iter(data.values())), dict):
        return rows.Row
    return records_pb2.Record if _RECORDS & data.keys() else declarations_pb2.Receipt


def _inner(message: Any) -> Any:
    """Returns the row in a Row, and the document in a retail document. Raises ValueError where there is none."""
    for oneof in ("row", "document"):
        if oneof in message.DESCRIPTOR.oneofs_by_name:
            chosen = message.WhichOneof(oneof)
            if not chosen:
                raise ValueError(f"{message.DESCRIPTOR.name} has nothing in it")
            message = getattr(message, chosen)
    return message


def line_malformed(detail: str) -> Problem:
    """Returns the problem of a line that is no such object; detail is the parser's own."""
    return Problem(
        "",
        "LINE_MALFORMED",
        f"The line is no JSON object of the expected fields; correct it ({detail}).",
        f"该行不是所需字段的 JSON 对象；请更正（{detail}）。",
    )
