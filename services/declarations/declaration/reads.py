"""Reading declarations: the enterprise its own, an institution what it was let see, the window all."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2
from aval.events.v1 import events_pb2

from chassis import paging, records
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations import errors
from services.declarations.consent import access
from services.declarations.consent import store as consents
from services.declarations.consent.access import is_institution
from services.declarations.declaration import model, rpc, store
from services.declarations.declaration.assets import as_asset
from services.declarations.declaration.model import Declaration
from services.declarations.encumbrance.model import available_to
from services.declarations.preshipment import netting
from services.declarations.records import hindrances
from services.declarations.tables import declarations
from services.declarations.value import freezing
from services.declarations.value import store as values

SEES_ALL = "WINDOW"


def get(reading: Reading, request: declarations_pb2.GetDeclarationRequest) -> declarations_pb2.Declaration:
    """One declaration. Who may not see it can't tell it from one that doesn't exist."""
    declaration = seen(reading, request.name, "GetDeclaration")
    if request.HasField("as_of"):
        return _as_of(reading, declaration, request.as_of.ToMicroseconds())
    hindered = hindrances.of(reading.connection, [declaration], reading.now_us)
    return _view(reading, declaration, hindered.get(declaration.id, ()), with_receipts=True)


def seen(reading: Reading, name: str, method: str) -> Declaration:
    """The declaration, if the caller may see it: a disclosure by that method. DeclarationNotFound, ConsentMissing."""
    number = name.removeprefix("declarations/")
    declaration = store.load(reading.connection, [number]).get(number)
    access.see(reading, declaration.enterprise if declaration else "", method, [name])
    if declaration is None or not _may_know(reading.caller, declaration):
        raise errors.DeclarationNotFound(declaration=name)
    return declaration


def _as_of(reading: Reading, declaration: Declaration, at_us: int) -> declarations_pb2.Declaration:
    """What was known then, by what had come in: content and receipts, without the value's parts."""
    if at_us < declaration.create_us:
        raise errors.DeclarationNotFound(declaration=declaration.name)
    known = [one for one in _receipts(reading, declaration.id) if one.arrive_us <= at_us]
    version = store.version_at(reading.connection, declaration.id, at_us)
    then = model.as_of(declaration, version, (one.notice for one in known))
    hindered = hindrances.of(reading.connection, [then], at_us, at_us)
    message = rpc.to_proto(then, at_us, reading.caller.language, hindered.get(then.id, ()))
    _add_receipts(message, known)
    return message


def _may_know(caller: Caller, declaration: Declaration) -> bool:
    own = caller.tenant == declaration.enterprise
    return own or is_institution(caller) or SEES_ALL in caller.roles or caller.tenant.startswith("services/")


def _view(
    reading: Reading, declaration: Declaration, hindered: Sequence[model.Hindrance], with_receipts: bool
) -> declarations_pb2.Declaration:
    message = rpc.to_proto(declaration, reading.now_us, reading.caller.language, hindered)
    value = values.of(reading.connection, as_asset(declaration, reading.now_us), reading.now_us)
    causes = values.frozen(reading.connection, [declaration.name]).get(declaration.name, ())
    freezing.add_to(message.eligibility, causes, reading.caller.language)
    if reading.caller.tenant == declaration.enterprise:
        message.value.CopyFrom(rpc.value_to_proto(value))
    elif is_institution(reading.caller):
        standing = netting.holders_of(reading.connection, [declaration.name]).get(declaration.name, ())
        message.value.CopyFrom(rpc.available_to_proto(available_to(reading.caller.tenant, value, standing)))
    if with_receipts:
        _add_receipts(message, _receipts(reading, declaration.id))
    return message


def _receipts(reading: Reading, number: str) -> Sequence[store.Receipt]:
    return store.receipts_of(reading.connection, [number]).get(number, ())


def _add_receipts(message: declarations_pb2.Declaration, receipts: Iterable[store.Receipt]) -> None:
    for one in receipts:
        receipt = message.receipts.add(
            declaration_number=message.declaration_number, channel_code=one.channel_code, note=one.note
        )
        receipt.notice_time.FromMicroseconds(one.notice_us)


def list_(
    reading: Reading, request: declarations_pb2.ListDeclarationsRequest
) -> declarations_pb2.ListDeclarationsResponse:
    """A page, newest number first."""
    query, caller = sa.select(declarations), reading.caller
    if is_institution(caller):
        query = query.where(declarations.c.enterprise.in_(consents.consenting(caller.tenant, reading.now_us)))
    elif SEES_ALL not in caller.roles:
        query = query.where(declarations.c.enterprise == caller.tenant)
    if request.enterprise:
        query = query.where(declarations.c.enterprise == request.enterprise)
    query = paging.newest_first(query, declarations.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Declaration), "id")
    access.note_page(reading, "ListDeclarations", ((one.name, one.enterprise) for one in page))
    hindered = hindrances.of(reading.connection, page, reading.now_us)
    views = [_view(reading, one, hindered.get(one.id, ()), with_receipts=False) for one in page]
    return declarations_pb2.ListDeclarationsResponse(declarations=views, next_page_token=token)


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
