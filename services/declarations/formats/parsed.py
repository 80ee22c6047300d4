"""What every parser of a format gives: one Parsed for each document in the bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from chassis.errors import Problem


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document: its own id or its place, and the row it became or everything that is wrong with it.

    document_id is empty where the bytes as a whole couldn't be read. A row has passed its room's checks.
    """

    document_id: str
    row: Message | None
    problems: Sequence[Problem]
