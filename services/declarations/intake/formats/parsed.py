"""The outcome of every parser of a format: one Parsed for each document in the bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from chassis.errors import Problem

# More than honest bytes of the largest message hold, so that a message is soon read and its problems fit an answer.
DOCUMENTS_MAX, ROWS_MAX, LINES_MAX = 10_000, 30_000, 60_000
PROBLEMS_MAX = 1_000
# The encodings that senders of customs' documents write under the header of UTF-8.
MISDECLARED = ("gb18030",)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document: its own id or its place, and the row it became or everything that is wrong with it.

    document_id is empty where the bytes as a whole couldn't be read. A row has passed its room's checks.
    """

    document_id: str
    row: Message | None
    problems: Sequence[Problem]


def too_many(count: int, most: int = DOCUMENTS_MAX) -> list[Problem]:
    """Returns the problem of bytes with more documents, rows or lines than are read at once; else nothing."""
    english = f"It has {count} documents, rows or lines; send at most {most} at once."
    chinese = f"报文含有 {count} 份单证、行或明细；每次最多发送 {most}。"
    return [Problem("", "TOO_MANY_DOCUMENTS", english, chinese)] if count > most else []


def told(parts: Sequence[Parsed]) -> list[Parsed]:
    """Returns the parts with the document's first PROBLEMS_MAX problems, and with the number of those left out.

    A part after those still tells its own first problem.
    """
    left, shortened = PROBLEMS_MAX, []
    for part in parts:
        shortened.append(_first_only(part) if left <= 0 else _first(part, left))
        left -= len(part.problems)
    return shortened


def _first(part: Parsed, most: int) -> Parsed:
    left = len(part.problems) - most
    if left <= 0:
        return part
    more = Problem(
        "",
        "MORE_PROBLEMS",
        f"There are at least {left} problems more; mend these and send it again.",
        f"另有至少 {left} 个问题；请更正以上问题后重新发送。",
    )
    return replace(part, problems=[*part.problems[:most], more])


def _first_only(part: Parsed) -> Parsed:
    more = len(part.problems) - 1
    if more <= 0:
        return part
    first = part.problems[0]
    english, chinese = f"{first.english} And at least {more} more.", f"{first.chinese}另有至少 {more} 个问题。"
    return replace(part, problems=[replace(first, english=english, chinese=chinese)])
