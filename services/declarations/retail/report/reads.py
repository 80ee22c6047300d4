"""What was reported of a document, told with it."""

from collections.abc import Collection

import sqlalchemy as sa
from aval.declarations.v1 import retail_pb2

from services.declarations.retail.report import store


def told(connection: sa.Connection, subjects: Collection[str]) -> list[retail_pb2.RetailReport]:
    """The newest reports of these subjects, the newest first."""
    found = store.of_subjects(connection, {one for one in subjects if one})
    return [retail_pb2.RetailReport.FromString(one.body) for one in found]
