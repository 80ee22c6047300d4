"""Receipts of goods declarations as JSON Lines: one object a line, the fields of Receipt in either JSON spelling."""

import json
from collections.abc import Sequence

from aval.declarations.v1 import declarations_pb2
from google.protobuf import json_format

from chassis.errors import Problem
from services.declarations.formats.parsed import Parsed


def parse(content: bytes) -> Sequence[Parsed]:
    """The receipts of the lines, by line number from 1; blank lines are passed over."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [Parsed("", None, [line_malformed(str(error))])]
    lines = enumerate(text.splitlines(), 1)
    return [Parsed(str(number), *receipt(line)) for number, line in lines if line.strip()]


def receipt(line: str) -> tuple[declarations_pb2.Receipt | None, list[Problem]]:
    """The receipt of a line; None and why, where it is none."""
    try:
        data = json.loads(line)
        if not isinstance(data, dict):
            return None, [line_malformed(f"{type(data).__name__} instead of an object")]
        return json_format.ParseDict(data, declarations_pb2.Receipt()), []
    except (ValueError, json_format.ParseError) as error:
        return None, [line_malformed(str(error))]


def line_malformed(detail: str) -> Problem:
    """The problem of a line that is no such object; detail is the parser's own."""
    return Problem(
        "",
        "LINE_MALFORMED",
        f"The line is no JSON object of the expected fields; correct it ({detail}).",
        f"该行不是所需字段的 JSON 对象；请更正（{detail}）。",
    )
