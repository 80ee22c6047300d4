"""Keyset pages: a token names the last row seen and the query it belongs to."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message

from chassis import bulk, records
from chassis.errors import InvalidPageToken

DEFAULT_SIZE = 50
# Of 64 bits, whoever made it.
_NUMBER = re.compile("[0-9]{1,18}")
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
    # Whoever made it: no key of ours is a text that no store takes.
    if digest != _query_digest(request) or not isinstance(key, str) or not key.isprintable():
        raise InvalidPageToken
    return key


def after_number(request: Any) -> int:
    """The number of the last row of the page before; 0 for the first page. InvalidPageToken."""
    key = after(request)
    if key and not _NUMBER.fullmatch(key):
        raise InvalidPageToken
    return int(key or 0)


def token(request: Message, key: str) -> str:
    """The token of the page that follows a row."""
    return base64.urlsafe_b64encode(json.dumps([_query_digest(request), key]).encode()).decode()


def newest_first(query: Any, column: sa.ColumnElement[Any], request: Any) -> Any:
    """The query for one page, descending by a unique column; one row more tells whether another follows."""
    key = after(request)
    if key:
        query = query.where(column < key)
    return query.order_by(column.desc()).limit(size_of(request) + 1)


def page(connection: sa.Connection, query: Any, record: type[Record], request: Any) -> tuple[list[Record], str]:
    """Returns a page of a query's records, descending by its column `id`, and the token of the next page."""
    query = newest_first(query, query.selected_columns.id, request)
    return cut(request, records.many(connection, query, record), "id")


def highest_first(query: Any, columns: Sequence[sa.ColumnElement[str]], request: Any) -> Any:
    """The query for one page, descending by several text columns; the key of a row is their values with slashes."""
    return _descending(query, columns, request).limit(size_of(request) + 1)


def _descending(query: Any, columns: Sequence[sa.ColumnElement[str]], request: Any) -> Any:
    """From the request's page on, without its end."""
    key = after(request)
    if key:
        place = key.split("/", len(columns) - 1)
        if len(place) != len(columns):
            raise InvalidPageToken
        query = query.where(sa.tuple_(*columns) < sa.tuple_(*place))
    return query.order_by(*(column.desc() for column in columns))


# So many rows a page looks at through a sieve, of each group its part.
MOST_LOOKED_AT = 50_000
# The highest rows of all soon have enough of more groups than this.
MANY_GROUPS = 1000


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that a request asks a page of: which rows, grouped by which column, highest first by which columns.

    `scope` and `sieve` give conditions of the rows, or of an alias of them: by an index of `order`, one of `group` and
    `order`, or one of its own the scope is found; row by row is looked at what passes the sieve.
    """

    rows: sa.Table | sa.Subquery
    group: str
    order: Sequence[str]
    request: Any
    scope: Callable[[Any], Sequence[Any]]
    sieve: Callable[[Any], Sequence[Any]]

    def page(self, connection: sa.Connection, groups: Sequence[str] | None) -> tuple[Any, str]:
        """The query for a page of these groups' rows, or of all, and the key down to which it looks; empty: all.

        Through a sieve a page looks at MOST_LOOKED_AT rows at most: where few pass it has fewer than were asked for,
        perhaps none, and the next one goes on from there.
        """
        is_sieved = bool(self.sieve(self.rows)) or self._are_many(groups)
        horizon = self._horizon(connection, groups) if is_sieved else ()

        def reached(rows: Any) -> list[Any]:
            above = [sa.tuple_(*self._columns(rows)) >= sa.tuple_(*horizon)] if horizon else []
            return [*self.scope(rows), *above]

        return replace(self, scope=reached)._query(connection, groups), "/".join(horizon)

    def _query(self, connection: sa.Connection, groups: Sequence[str] | None) -> Any:
        size = size_of(self.request) + 1
        if groups is None or not self._is_by_group(connection, groups):
            return self._page(self._of(connection, groups), self.rows)
        if len(groups) > size:
            # No group beyond as many as the page has rows, those with the highest rows, can be on the page.
            heads = self._of_each(connection, groups, lambda query, rows: self._page(query, rows).limit(1))
            groups = connection.execute(heads.limit(size)).scalars().all()
        wanted = self._of_each(connection, groups, self._page).limit(size).subquery()
        (key,) = self.rows.primary_key
        return self._page(sa.select(self.rows).where(key.in_(sa.select(wanted.c[key.name]))), self.rows)

    def _horizon(self, connection: sa.Connection, groups: Sequence[str] | None) -> Sequence[str]:
        """The place of the last row to look at, of several groups the highest of theirs; empty if none is so far."""
        if groups is None or not self._is_by_group(connection, groups):
            places = self._of(connection, None if self._are_many(groups) else groups)
            last = self._nth(MOST_LOOKED_AT, places.with_only_columns(*self._columns(self.rows)), self.rows)
        else:
            share = max(MOST_LOOKED_AT // len(groups), size_of(self.request) + 1)
            lasts = self._of_each(connection, groups, partial(self._nth, share)).limit(1).subquery()
            last = sa.select(*self._columns(lasts))
        return tuple(connection.execute(last).first() or ())

    def _nth(self, number: int, query: Any, rows: Any) -> Any:
        scope = query.where(*self.scope(rows))
        return _descending(scope, self._columns(rows), self.request).offset(number - 1).limit(1)

    def _page(self, query: Any, rows: Any) -> Any:
        passed = query.where(*self.scope(rows), *self.sieve(rows))
        return highest_first(passed, self._columns(rows), self.request)

    def _columns(self, rows: Any) -> list[Any]:
        return [rows.c[name] for name in self.order]

    @staticmethod
    def _are_many(groups: Sequence[str] | None) -> bool:
        """Whether the highest rows of all are looked at, where the groups' soon come."""
        return groups is not None and len(groups) > MANY_GROUPS

    def _is_by_group(self, connection: sa.Connection, groups: Sequence[str]) -> bool:
        """Whether each group is looked at by itself; SQLite has no LATERAL, and its stores are small."""
        return connection.dialect.name == "postgresql" and len(groups) > 1 and not self._are_many(groups)

    def _of(self, connection: sa.Connection, groups: Sequence[str] | None) -> Any:
        """All rows of the groups."""
        query, group = sa.select(self.rows), self.rows.c[self.group]
        if groups is None:
            return query
        return query.where(group == groups[0] if len(groups) == 1 else bulk.among(connection, group, groups))

    def _of_each(self, connection: sa.Connection, groups: Sequence[str], some: Callable[[Any, Any], Any]) -> Any:
        """What `some` takes of each group's rows, the highest of all first: the group, and `order`."""
        alike, each = self.rows.alias(), bulk.each(connection, self.rows.c[self.group], groups)
        found = some(sa.select(*self._columns(alike)).where(alike.c[self.group] == each.c.value), alike).lateral()
        every = sa.select(each.c.value, *found.c).select_from(each.join(found, sa.true()))
        return every.order_by(*(column.desc() for column in self._columns(found)))


def cut(request: Any, found: Sequence[Record], key: str, horizon: str = "") -> tuple[list[Record], str]:
    """The page's records and the token of the next page; `key` names the attribute it was ordered by.

    `horizon`: the key down to which the page looked, if not to the end.
    """
    size = size_of(request)
    page = list(found[:size])
    last = str(getattr(page[-1], key)) if len(found) > size else horizon
    return page, token(request, last) if last else ""
