"""Pages of what the caller is a party to, as insurer or as enterprise."""

from typing import Any, TypeVar

import sqlalchemy as sa

from chassis import paging, records
from chassis.service import Reading

Record = TypeVar("Record")


def page(reading: Reading, rows: sa.Table, record: type[Record], request: Any) -> tuple[list[Record], str]:
    """One page, newest first, and the token of the next."""
    tenant = reading.caller.tenant
    query = sa.select(rows).where(sa.or_(rows.c.insurer == tenant, rows.c.enterprise == tenant))
    query = paging.newest_first(query, rows.c.id, request)
    return paging.cut(request, records.many(reading.connection, query, record), "id")
