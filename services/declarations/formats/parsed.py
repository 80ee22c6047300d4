"""What every parser of a format gives: one Parsed for each document in the bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from google.protobuf.message import Message

from chassis.errors import Problem

# Many more than honest bytes of the largest message hold: what a document says shall fit the answer to it.
DOCUMENTS_MAX = 30_000
PROBLEMS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document: its own id or its place, and the row it became or everything that is wrong with it.

    document_id is empty where the bytes as a whole couldn't be read. A row has passed its room's checks.
    """

    document_id: str
    row: Message | None
    problems: Sequence[Problem]


def too_many(count: int) -> Problem:
    """The problem of bytes with more documents than an answer could tell of."""
    return Problem(
        "",
        "TOO_MANY_DOCUMENTS",
        f"There are {count} documents in it; send at most {DOCUMENTS_MAX} at once.",
        f"报文含有 {count} 份单证；每次最多发送 {DOCUMENTS_MAX} 份。",
    )


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
