"""Personal data leaves a document's row here, before anything else keeps the row."""

from collections.abc import Iterable
from typing import Any

from aval.declarations.v1 import personal_pb2


def taken_off(rows: Iterable[tuple[str, Any]]) -> dict[str, personal_pb2.PersonalData]:
    """Takes `persons` off rows that have the field, given with their resource names; those that had any, by name."""
    taken: dict[str, personal_pb2.PersonalData] = {}
    for resource, row in rows:
        if row.persons:
            taken[resource] = personal_pb2.PersonalData(persons=row.persons)
            row.ClearField("persons")
    return taken
