"""What every parser of a format gives: one Parsed for each document in the bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from chassis.errors import Problem

# More than honest bytes of the largest message hold, so that what a message says is soon read and fits an answer.
DOCUMENTS_MAX, ROWS_MAX, LINES_MAX = 10_000, 30_000, 60_000
PROBLEMS_MAX = 1_000
# What senders of customs' documents write under the header of UTF-8.
MISDECLARED = ("gb18030",)


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document: its own id or its place, and the row it became or everything that is wrong with it.

    document_id is empty where the bytes as a whole couldn't be read. A row has passed its room's checks.
    """

    document_id: str
    row: Message | None
    problems: Sequence[Problem]


def too_many(count: int, most: int = DOCUMENTS_MAX) -> list[Problem]:
    """The problem of bytes with more documents, rows or lines than are read at once; none where there are fewer."""
    english = f"It has {count} documents, rows or lines; send at most {most} at once."
    chinese = f"报文含有 {count} 份单证、行或明细；每次最多发送 {most}。"
    return [Problem("", "TOO_MANY_DOCUMENTS", english, chinese)] if count > most else []


def told(parsed: Parsed) -> Parsed:
    """With the first of its problems, and how many more there are."""
    left = len(parsed.problems) - PROBLEMS_MAX
    if left <= 0:
        return parsed
    more = Problem(
        "",
        "MORE_PROBLEMS",
        f"There are {left} problems more; mend these and send it again.",
        f"另有 {left} 个问题；请更正以上问题后重新发送。",
    )
    return replace(parsed, problems=[*parsed.problems[:PROBLEMS_MAX], more])
