"""Reads declarations: the enterprise its own, an institution what it was let see, the window all."""

from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from typing import Any

from aval.declarations.v1 import declarations_pb2
from aval.declarations.v1.insight_pb2 import DeclarationFilter
from aval.events.v1 import events_pb2

from chassis import money, paging, records
from chassis.identity import Caller
from chassis.money import Money, total
from chassis.service import Reading
from services.declarations.assets.sale import assets as sale_assets
from services.declarations.privacy import callers
from services.declarations.privacy import errors as privacy_errors
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent import store as consent_store
from services.declarations.privacy.consent.access import PendingDisclosure, is_institution
from services.declarations.privacy.consent.model import Purpose
from services.declarations.register.sale import store as sale_store
from services.declarations.register.sale.model import WAREHOUSE_MODE
from services.declarations.register.value import store as value_store
from services.declarations.views import declaration_messages as views_declaration_messages
from services.declarations.window.declaration import store as declaration_store
from services.declarations.window.declaration.assets import as_asset
from services.declarations.window.declaration.model import Declaration
from services.declarations.window.declaration.store import PLACE, Source
from services.declarations.window.filters import commands as filters_commands
from services.declarations.window.filters import rpc as filters_rpc


def get(reading: Reading, request: declarations_pb2.GetDeclarationRequest) -> declarations_pb2.Declaration:
    """Returns a declaration. Whoever may not see it can't tell it from one that doesn't exist."""
    declaration = seen(reading, request.name, "GetDeclaration")
    if request.HasField("as_of"):
        return _as_of(reading, declaration, request.as_of.ToMicroseconds())
    (message,) = views_declaration_messages.present(reading, [declaration])
    receipts = declaration_store.receipts_of(reading.connection, [declaration.id])
    views_declaration_messages.add_receipts(message, receipts.get(declaration.id, ()))
    return message


def receivable(reading: Reading, request: declarations_pb2.GetReceivableRequest) -> declarations_pb2.Receivable:
    """Returns what a buyer still owes, for the bank that was paid, and records a disclosure for SETTLEMENT.

    Raises DeclarationNotFound, also where the enterprise gave the bank no consent for that.
    """
    number = request.name.removeprefix("declarations/")
    declaration = declaration_store.load(reading.connection, [number]).get(number)
    consents = access.granted(reading, [declaration.enterprise] if declaration else [], Purpose.SETTLEMENT)
    if declaration is None or declaration.enterprise not in consents:
        raise privacy_errors.DeclarationNotFound(declaration=request.name)
    consent = consents[declaration.enterprise]
    reading.notes.append(
        PendingDisclosure(declaration.enterprise, consent, "GetReceivable", [declaration.name], Purpose.SETTLEMENT)
    )
    return declarations_pb2.Receivable(
        declaration=declaration.name,
        enterprise=declaration.enterprise,
        unpaid=money.to_proto(_unpaid(reading, declaration)),
    )


def _unpaid(reading: Reading, declaration: Declaration) -> Money:
    """Returns what buyers owe: for goods in an overseas warehouse the buyers of its sales, as the rest isn't sold."""
    assets = [as_asset(declaration, reading.business_date)]
    if declaration.trade_mode == WAREHOUSE_MODE:
        reported = sale_store.of_declarations(reading.connection, [declaration.id]).get(declaration.id, ())
        names = [sale.name for sale in reported]
        assets = list(sale_assets.load(reading.connection, names, reading.business_date).values())
    owed = [value_store.of(reading.connection, asset, reading.business_date).unpaid for asset in assets]
    return total(owed, declaration.value.currency)


def seen(reading: Reading, name: str, method: str) -> Declaration:
    """Returns the declaration, if the caller may see it, and records the disclosure by that method.

    Raises DeclarationNotFound, ConsentMissing.
    """
    number = name.removeprefix("declarations/")
    declaration = declaration_store.load(reading.connection, [number]).get(number)
    access.see(reading, declaration.enterprise if declaration else "", method, [name])
    if declaration is None or not _may_know(reading.caller, declaration):
        raise privacy_errors.DeclarationNotFound(declaration=name)
    return declaration


def _as_of(reading: Reading, declaration: Declaration, at_us: int) -> declarations_pb2.Declaration:
    """Returns the declaration as it was known then. Raises DeclarationNotFound for a time before it came."""
    if at_us < declaration.create_us:
        raise privacy_errors.DeclarationNotFound(declaration=declaration.name)
    (message,) = views_declaration_messages.earlier(reading, [declaration], at_us)
    return message


def _may_know(caller: Caller, declaration: Declaration) -> bool:
    own = caller.tenant == declaration.enterprise
    return own or is_institution(caller) or callers.is_platform(caller)


def page_of(
    reading: Reading, request: Any, method: str, sources: Sequence[Source] = declaration_store.PRESENT
) -> tuple[Sequence[Declaration], str]:
    """Returns a page of what the caller may see and the filters pick, and the next page's token.

    The latest day comes first, then the number. Shown to an institution it is a disclosure by the method. The rows of
    the sources are looked at together.
    """
    wanted = filters_commands.wanted(reading, request)
    owners = _narrowed_to(
        _owners(reading),
        {*(declaration_filter.enterprise for declaration_filter in wanted), getattr(request, "enterprise", "")} - {""},
    )

    looks = [_look(reading, request, source, owners, wanted) for source in sources]
    # Rows further down than another source was looked at aren't on this page: that source may have rows above them.
    horizon = max(horizon for _, horizon in looks)
    rows_above_horizon = [declaration for rows, _ in looks for declaration in rows if declaration.place >= horizon]
    page, token = paging.cut(
        request, sorted(rows_above_horizon, key=attrgetter("place"), reverse=True), "place", horizon
    )
    access.note_page(reading, method, ((declaration.name, declaration.enterprise) for declaration in page))
    return page, token


def _look(
    reading: Reading, request: Any, source: Source, owners: Sequence[str] | None, wanted: Sequence[DeclarationFilter]
) -> tuple[Sequence[Declaration], str]:
    """Returns the rows of a page that a source has, and the place down to which it was looked at; empty: to its end."""

    def scope(rows: Any) -> list[Any]:
        return [condition for declaration_filter in wanted for condition in filters_rpc.scope(declaration_filter, rows)]

    def sieve(rows: Any) -> list[Any]:
        return [
            *source.more(rows),
            *(condition for declaration_filter in wanted for condition in filters_rpc.sieve(declaration_filter, rows)),
        ]

    listing = paging.Listing(source.rows, "enterprise", PLACE, request, scope, sieve)
    query, horizon = listing.page(reading.connection, owners)
    return records.many(reading.connection, query, Declaration), horizon


def _owners(reading: Reading) -> Sequence[str] | None:
    """Returns the enterprises whose declarations the caller may see; None: all."""
    caller = reading.caller
    if is_institution(caller):
        return reading.connection.execute(consent_store.consenting(caller.tenant, reading.now_us)).scalars().all()
    return None if callers.is_window(caller) else [caller.tenant]


def _narrowed_to(owners: Sequence[str] | None, named: Collection[str]) -> Sequence[str] | None:
    """Narrows the visible enterprises to the one that is named. Naming two gives none."""
    if not named:
        return owners
    return [name for name in named if len(named) == 1 and (owners is None or name in owners)]


def list_(
    reading: Reading, request: declarations_pb2.ListDeclarationsRequest
) -> declarations_pb2.ListDeclarationsResponse:
    """Returns a page, latest day first; as of a time, of declarations known then as they were known."""
    if request.HasField("as_of"):
        at_us = request.as_of.ToMicroseconds()
        page, token = page_of(reading, request, "ListDeclarations", declaration_store.at(at_us))
        shown = views_declaration_messages.earlier(reading, page, at_us)
    else:
        page, token = page_of(reading, request, "ListDeclarations")
        shown = views_declaration_messages.present(reading, page)
    return declarations_pb2.ListDeclarationsResponse(declarations=shown, next_page_token=token)


def visible(reading: Reading, events: Sequence[events_pb2.Event]) -> list[events_pb2.Event]:
    """Returns the events of a tenant that it may see now: an institution a declaration's only while consent stands.

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
        if event.type == declaration_store.DECLARED:
            event.payload.Pack(declarations_pb2.DeclarationsDeclared(declarations=left))
        shown.append(event)
    return shown


def _named(event: events_pb2.Event) -> Sequence[str]:
    """Returns the declarations that an event speaks of; none where it speaks of something else."""
    if event.type == declaration_store.DECLARED:
        declared = declarations_pb2.DeclarationsDeclared()
        event.payload.Unpack(declared)
        return declared.declarations
    return [event.resource] if event.resource.startswith("declarations/") else []


def _visible_names(reading: Reading, numbers: Iterable[str]) -> set[str]:
    """Returns those declarations that the caller may see."""
    owners = declaration_store.enterprises(reading.connection, numbers)
    named = ((f"declarations/{number}", owner) for number, owner in owners.items())
    allowed = {reading.caller.tenant, *access.note_page(reading, "Watch", named)}
    is_everyone = callers.is_window(reading.caller)
    return {f"declarations/{number}" for number, owner in owners.items() if is_everyone or owner in allowed}
