"""Personal data leaves a document's row here, before anything else keeps the row."""

from collections.abc import Iterable
from typing import Any

from aval.declarations.v1 import personal_pb2

# A row with a field `persons`, with the name of the resource it becomes.
Named = tuple[str, Any]


def persons_of(rows: Iterable[Named]) -> dict[str, personal_pb2.PersonalData]:
    """The persons of those rows that name any, by resource name."""
    return {resource: personal_pb2.PersonalData(persons=row.persons) for resource, row in rows if row.persons}
