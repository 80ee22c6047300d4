"""The natural persons of documents, sealed: the only way into the table and out of it."""

from collections.abc import Collection, Mapping

import sqlalchemy as sa
from aval.declarations.v1 import personal_pb2

from chassis import sealing
from chassis.sealing import Opened
from services.declarations.schema import metadata

# personal: the natural persons of a document (a serialised PersonalData), sealed.
personal_data = sealing.table("personal_data", metadata)


def put(transaction: Opened, persons: Mapping[str, personal_pb2.PersonalData]) -> None:
    """Seals the persons of resources, in place of those they had; set-based."""
    plain = {resource: data.SerializeToString(deterministic=True) for resource, data in persons.items()}
    sealing.put(transaction, personal_data, plain)


def of(reading: Opened, resources: Collection[str]) -> dict[str, personal_pb2.PersonalData]:
    """Returns the persons of those resources that have any."""
    sealed_persons = sealing.of(reading, personal_data, resources)
    return {resource: personal_pb2.PersonalData.FromString(plain) for resource, plain in sealed_persons.items()}


def enterprise(connection: sa.Connection, source: sa.Table, identifier: str) -> str:
    """Returns the enterprise of the resource with this id in a table, empty where there is none."""
    owner: str | None = connection.execute(sa.select(source.c.enterprise).where(source.c.id == identifier)).scalar()
    return owner or ""
