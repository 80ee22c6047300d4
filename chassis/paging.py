"""Keyset pages: a token names the last row seen and the query it belongs to."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message

from chassis import bulk
from chassis.errors import InvalidPageToken

DEFAULT_SIZE = 50
Record = TypeVar("Record")


def _query_digest(request: Message) -> str:
    """What the query is, without its page."""
    bare = type(request)()
    bare.CopyFrom(request)
    for field in ("page_token", "page_size"):
        bare.ClearField(field)
    # Lists without a filter have the same bytes: the name tells them apart.
    content = bare.DESCRIPTOR.full_name.encode() + bare.SerializeToString(deterministic=True)
    return hashlib.sha256(content).hexdigest()[:16]


def size_of(request: Any) -> int:
    """How many rows the page shall have."""
    return request.page_size or DEFAULT_SIZE


def after(request: Any) -> str:
    """The key of the last row of the page before; empty for the first page. InvalidPageToken."""
    if not request.page_token:
        return ""
    try:
        digest, key = json.loads(base64.urlsafe_b64decode(request.page_token))
    except (ValueError, TypeError) as error:
        raise InvalidPageToken from error
    if digest != _query_digest(request):
        raise InvalidPageToken
    return str(key)


def token(request: Message, key: str) -> str:
    """The token of the page that follows a row."""
    return base64.urlsafe_b64encode(json.dumps([_query_digest(request), key]).encode()).decode()


def newest_first(query: Any, column: sa.ColumnElement[Any], request: Any) -> Any:
    """The query for one page, descending by a unique column; one row more tells whether another follows."""
    key = after(request)
    if key:
        query = query.where(column < key)
    return query.order_by(column.desc()).limit(size_of(request) + 1)


def highest_first(query: Any, columns: Sequence[sa.ColumnElement[str]], request: Any) -> Any:
    """The query for one page, descending by several text columns; the key of a row is their values with slashes."""
    key = after(request)
    if key:
        place = key.split("/", len(columns) - 1)
        if len(place) != len(columns):
            raise InvalidPageToken
        query = query.where(sa.tuple_(*columns) < sa.tuple_(*place))
    return query.order_by(*(column.desc() for column in columns)).limit(size_of(request) + 1)


Page = Callable[[Any, Any], Any]
# A table, or a query of one.
Rows = sa.Table | sa.Subquery


def highest_of_each(
    connection: sa.Connection, rows: Rows, group: str, groups: Sequence[str], order: Sequence[str], page: Page
) -> Any:
    """The query for one page over some groups of rows: the highest of each group, of which the highest make the page.

    An index of the column `group` and then `order` gives each at once, however thinly they lie among the others.
    `page` narrows a query over `rows`, or over an alias of it, to one page, highest first by the columns `order`.
    """
    if connection.dialect.name != "postgresql":
        # It has no LATERAL; its stores are small.
        return page(sa.select(rows).where(bulk.among(connection, rows.c[group], groups)), rows)
    leading = _leading(connection, rows, group, groups, order, page)
    (key,) = rows.primary_key
    wanted = _of_each(connection, rows, group, leading, [key.name], page)
    return page(sa.select(rows).where(key.in_(sa.select(wanted.c[key.name]))), rows)


def _leading(
    connection: sa.Connection, rows: Rows, group: str, groups: Sequence[str], order: Sequence[str], page: Page
) -> Sequence[str]:
    """The groups that can have a row on the page: as many as it has rows, those whose highest rows are the highest."""
    size = page(sa.select(rows), rows)._limit
    if len(groups) <= size:
        return groups
    heads = _of_each(connection, rows, group, groups, order, lambda query, alike: page(query, alike).limit(1))
    highest_first = sa.select(heads.c.value).order_by(*(heads.c[name].desc() for name in order)).limit(size)
    return connection.execute(highest_first).scalars().all()


def _of_each(
    connection: sa.Connection, rows: Rows, group: str, groups: Sequence[str], columns: Sequence[str], page: Page
) -> Any:
    """The pages of all groups: `value`, the group, and these columns."""
    alike, each = rows.alias(), bulk.each(connection, rows.c[group], groups)
    found = page(sa.select(*(alike.c[name] for name in columns)).where(alike.c[group] == each.c.value), alike).lateral()
    return sa.select(each.c.value, *found.c).select_from(each.join(found, sa.true())).subquery()


def cut(request: Any, found: Sequence[Record], key: str) -> tuple[list[Record], str]:
    """The page's records and the token of the next page; `key` names the attribute it was ordered by."""
    size = size_of(request)
    page = list(found[:size])
    following = token(request, getattr(page[-1], key)) if len(found) > size else ""
    return page, following
