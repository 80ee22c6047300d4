"""Rows as JSON Lines: one object a line, the fields of a receipt or of a record in either JSON spelling.

A record is known by what it is about (permit, manifest, bill …); every other object is a receipt of a goods
declaration.
"""

from collections.abc import Sequence
from typing import Any

from aval.declarations.v1 import declarations_pb2, records_pb2
from google.protobuf import json_format

from chassis import strict_json
from chassis.errors import Problem
from services.declarations.formats.parsed import Parsed

Row = declarations_pb2.Receipt | records_pb2.Record
_RECORDS = frozenset(
    name for field in records_pb2.Record.DESCRIPTOR.oneofs[0].fields for name in (field.name, field.json_name)
)


def parse(content: bytes) -> Sequence[Parsed]:
    """The rows of the lines, by line number from 1; blank lines are passed over."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [Parsed("", None, [line_malformed(str(error))])]
    # Not splitlines: a text may hold U+2028 and its like.
    lines = enumerate(text.split("\n"), 1)
    return [Parsed(str(number), *row(line)) for number, line in lines if line.strip()]


def row(line: str) -> tuple[Row | None, list[Problem]]:
    """The row of a line; None and why, where it is none."""
    try:
        data = strict_json.loads(line)
        if not isinstance(data, dict):
            return None, [line_malformed(f"{type(data).__name__} instead of an object")]
        return json_format.ParseDict(data, kind(data)()), []
    except (ValueError, json_format.ParseError) as error:
        return None, [line_malformed(str(error))]


def kind(data: Any) -> type[Row]:
    """What an object is a row of."""
    return records_pb2.Record if isinstance(data, dict) and _RECORDS & data.keys() else declarations_pb2.Receipt


def line_malformed(detail: str) -> Problem:
    """The problem of a line that is no such object; detail is the parser's own."""
    return Problem(
        "",
        "LINE_MALFORMED",
        f"The line is no JSON object of the expected fields; correct it ({detail}).",
        f"该行不是所需字段的 JSON 对象；请更正（{detail}）。",
    )
