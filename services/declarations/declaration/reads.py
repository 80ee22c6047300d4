"""Reading declarations: the enterprise its own, an institution what it was let see, the window all."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2

from chassis import bulk, paging, records
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations import errors
from services.declarations.consent import access
from services.declarations.consent import store as consents
from services.declarations.consent.access import is_institution
from services.declarations.declaration import store, views
from services.declarations.declaration.model import Declaration
from services.declarations.insight.filters import commands as filters
from services.declarations.tables import declarations

SEES_ALL = "WINDOW"


def get(reading: Reading, request: declarations_pb2.GetDeclarationRequest) -> declarations_pb2.Declaration:
    """One declaration. Who may not see it can't tell it from one that doesn't exist."""
    declaration = seen(reading, request.name, "GetDeclaration")
    if request.HasField("as_of"):
        return _as_of(reading, declaration, request.as_of.ToMicroseconds())
    (message,) = views.present(reading, [declaration])
    receipts = store.receipts_of(reading.connection, [declaration.id])
    views.add_receipts(message, receipts.get(declaration.id, ()))
    return message


def seen(reading: Reading, name: str, method: str) -> Declaration:
    """The declaration, if the caller may see it: a disclosure by that method. DeclarationNotFound, ConsentMissing."""
    number = name.removeprefix("declarations/")
    declaration = store.load(reading.connection, [number]).get(number)
    access.see(reading, declaration.enterprise if declaration else "", method, [name])
    if declaration is None or not _may_know(reading.caller, declaration):
        raise errors.DeclarationNotFound(declaration=name)
    return declaration


def _as_of(reading: Reading, declaration: Declaration, at_us: int) -> declarations_pb2.Declaration:
    """What was known then; nothing before it came."""
    if at_us < declaration.create_us:
        raise errors.DeclarationNotFound(declaration=declaration.name)
    (message,) = views.earlier(reading, [declaration], at_us)
    return message


def _may_know(caller: Caller, declaration: Declaration) -> bool:
    own = caller.tenant == declaration.enterprise
    return own or is_institution(caller) or SEES_ALL in caller.roles or caller.tenant.startswith("services/")


# Lists go by day and then by number.
ORDER = ("declared_on", "id")
# With consents of more enterprises than this, the newest declarations of all soon have enough of them.
MANY_ENTERPRISES = 1000


def page_of(
    reading: Reading, request: Any, more: Callable[[Any], Sequence[Any]] = lambda _rows: (), source: Any = declarations
) -> Any:
    """The query of a page, latest day first and then by number, of what the caller may see and the filters pick.

    `more` gives further conditions on the rows; `source` is the table or something alike.
    """
    caller, connection = reading.caller, reading.connection

    def page(query: Any, rows: Any) -> Any:
        query = query.where(*filters.conditions(reading, request, rows), *more(rows))
        return paging.highest_first(query, tuple(rows.c[name] for name in ORDER), request)

    if is_institution(caller):
        consenting = list(connection.execute(consents.consenting(caller.tenant, reading.now_us)).scalars())
        if len(consenting) <= MANY_ENTERPRISES:
            return paging.highest_of_each(connection, source, "enterprise", consenting, ORDER, page)
        among = bulk.among(connection, source.c.enterprise, consenting)
        return page(sa.select(source).where(among), source)
    query = sa.select(source)
    if SEES_ALL not in caller.roles:
        query = query.where(source.c.enterprise == caller.tenant)
    return page(query, source)


def list_(
    reading: Reading, request: declarations_pb2.ListDeclarationsRequest
) -> declarations_pb2.ListDeclarationsResponse:
    """A page, latest day first; of those known at a time, as they were known then."""
    page, token = paging.cut(request, _found(reading, request), "place")
    access.note_page(reading, "ListDeclarations", ((one.name, one.enterprise) for one in page))
    shown = (
        views.earlier(reading, page, request.as_of.ToMicroseconds())
        if request.HasField("as_of")
        else views.present(reading, page)
    )
    return declarations_pb2.ListDeclarationsResponse(declarations=shown, next_page_token=token)


def _found(reading: Reading, request: declarations_pb2.ListDeclarationsRequest) -> list[Declaration]:
    """The rows of a page and one more, now or as they were known at a time: filters pick by what was known then."""
    is_earlier = request.HasField("as_of")
    sources = store.at(request.as_of.ToMicroseconds()) if is_earlier else [declarations]
    narrowed = partial(_narrowed, request)
    queries = [page_of(reading, request, narrowed, source) for source in sources]
    found = [one for query in queries for one in records.many(reading.connection, query, Declaration)]
    return sorted(found, key=attrgetter(*ORDER), reverse=True)


def _narrowed(request: declarations_pb2.ListDeclarationsRequest, rows: Any) -> list[Any]:
    """One enterprise's only, where the request says so."""
    return [rows.c.enterprise == request.enterprise] if request.enterprise else []


def visible(reading: Reading, events: Sequence[events_pb2.Event]) -> list[events_pb2.Event]:
    """Of a tenant's events those that it may see now: an institution a declaration's only while consent stands.

    An event on many declarations names only those.
    """
    named = {event.event_id: _named(event) for event in events}
    numbers = {name.removeprefix("declarations/") for names in named.values() for name in names}
    seen = _visible_names(reading, numbers) if numbers else set()
    shown = []
    for event in events:
        left = [name for name in named[event.event_id] if name in seen]
        if not left and named[event.event_id]:
            continue
        if event.type == store.DECLARED:
            event.payload.Pack(declarations_pb2.DeclarationsDeclared(declarations=left))
        shown.append(event)
    return shown


def _named(event: events_pb2.Event) -> Sequence[str]:
    """The declarations that an event speaks of; none where it speaks of something else."""
    if event.type == store.DECLARED:
        declared = declarations_pb2.DeclarationsDeclared()
        event.payload.Unpack(declared)
        return declared.declarations
    return [event.resource] if event.resource.startswith("declarations/") else []


def _visible_names(reading: Reading, numbers: Iterable[str]) -> set[str]:
    """Those declarations that the caller may see."""
    owners = store.enterprises(reading.connection, numbers)
    named = ((f"declarations/{number}", owner) for number, owner in owners.items())
    allowed = {reading.caller.tenant, *access.note_page(reading, "Watch", named)}
    is_everyone = SEES_ALL in reading.caller.roles
    return {f"declarations/{number}" for number, owner in owners.items() if is_everyone or owner in allowed}
