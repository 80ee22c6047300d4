"""Personal data leaves a document's row here, before anything else keeps the row."""

from collections.abc import Iterable
from typing import Any

from aval.declarations.v1 import personal_pb2


def take_off(row: Any) -> personal_pb2.PersonalData | None:
    """Takes `persons` off a row that has the field; None where it names nobody."""
    if not row.persons:
        return None
    data = personal_pb2.PersonalData(persons=row.persons)
    row.ClearField("persons")
    return data


def taken_off(rows: Iterable[tuple[str, Any]]) -> dict[str, personal_pb2.PersonalData]:
    """Takes `persons` off rows, given with the names of the resources they become; what was taken, by name."""
    return {resource: data for resource, row in rows if (data := take_off(row))}
