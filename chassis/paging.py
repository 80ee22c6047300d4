"""Keyset pages: a token names the last row seen and the query it belongs to."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that a request asks a page of: which rows, highest first by which text columns, narrowed how.

    `conditions` are those of the rows, or of an alias of them.
    """

    rows: sa.Table
    order: Sequence[str]
    request: Any
    conditions: Callable[[Any], Iterable[Any]]

    def page(self, query: Any, rows: Any) -> Any:
        """A query over the rows, or over an alias of them, narrowed to the page."""
        columns = tuple(rows.c[name] for name in self.order)
        return highest_first(query.where(*self.conditions(rows)), columns, self.request)

    def page_of_each(self, connection: sa.Connection, group: str, groups: Sequence[str]) -> Any:
        """The query for the page of some groups of rows: the highest of each group, of which the highest make it.

        An index of the column `group` and then `order` gives each at once, however thinly they lie among the others.
        """
        if connection.dialect.name != "postgresql":
            # It has no LATERAL; its stores are small.
            return self.page(sa.select(self.rows).where(bulk.among(connection, self.rows.c[group], groups)), self.rows)
        size = size_of(self.request) + 1
        leading = groups
        if len(groups) > size:
            # No other group can have a row on the page.
            heads = self._highest(connection, group, groups, 1)
            leading = connection.execute(sa.select(heads.c.value)).scalars().all()
        wanted = self._highest(connection, group, leading, size)
        (key,) = self.rows.primary_key.columns
        return self.page(sa.select(self.rows).where(key.in_(sa.select(wanted.c[key.name]))), self.rows)

    def _highest(self, connection: sa.Connection, group: str, groups: Sequence[str], most: int) -> Any:
        """At most so many of each group, of which the highest fill a page: `value`, the group, and `order`."""
        alike, each = self.rows.alias(), bulk.each(connection, self.rows.c[group], groups)
        of_one = sa.select(*(alike.c[name] for name in self.order)).where(alike.c[group] == each.c.value)
        found = self.page(of_one, alike).limit(most).lateral()
        every = sa.select(each.c.value, *found.c).select_from(each.join(found, sa.true()))
        highest = every.order_by(*(found.c[name].desc() for name in self.order))
        return highest.limit(size_of(self.request) + 1).subquery()


def cut(request: Any, found: Sequence[Record], key: str) -> tuple[list[Record], str]:
    """The page's records and the token of the next page; `key` names the attribute it was ordered by."""
    size = size_of(request)
    page = list(found[:size])
    following = token(request, getattr(page[-1], key)) if len(found) > size else ""
    return page, following
