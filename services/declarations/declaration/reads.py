"""Reading declarations: the enterprise its own, an institution what it was let see, the window all."""

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import paging, records
from chassis.identity import Caller
from chassis.service import Reading
from services.declarations import errors
from services.declarations.consent import store as consents
from services.declarations.declaration import rpc, store
from services.declarations.declaration.model import Declaration
from services.declarations.declaration.assets import as_asset
from services.declarations.encumbrance.model import available_to
from services.declarations.preshipment import netting
from services.declarations.value import freezing
from services.declarations.value import store as values
from services.declarations.tables import declarations

SEES_ALL = "WINDOW"


def get(reading: Reading, request: declarations_pb2.GetDeclarationRequest) -> declarations_pb2.Declaration:
    """One declaration. Who may not see it can't tell it from one that doesn't exist, unless it is an institution."""
    number = request.name.removeprefix("declarations/")
    declaration = store.load(reading.connection, [number]).get(number)
    if declaration is None or not _may_know(reading.caller, declaration):
        raise errors.DeclarationNotFound(declaration=request.name)
    if _is_institution(reading.caller) and not consents.stands(
        reading.connection, declaration.enterprise, reading.caller.tenant, reading.now_us
    ):
        raise errors.ConsentMissing
    return _view(reading, declaration, with_receipts=True)


def _is_institution(caller: Caller) -> bool:
    return caller.tenant.startswith(("banks/", "insurers/"))


def _may_know(caller: Caller, declaration: Declaration) -> bool:
    own = caller.tenant == declaration.enterprise
    return own or _is_institution(caller) or SEES_ALL in caller.roles or caller.tenant.startswith("services/")


def _view(reading: Reading, declaration: Declaration, with_receipts: bool) -> declarations_pb2.Declaration:
    message = rpc.to_proto(declaration, reading.now_us, reading.caller.language)
    value = values.of(reading.connection, as_asset(declaration, reading.now_us), reading.now_us)
    causes = values.frozen(reading.connection, [declaration.name]).get(declaration.name, ())
    freezing.add_to(message.eligibility, causes, reading.caller.language)
    if reading.caller.tenant == declaration.enterprise:
        message.value.CopyFrom(rpc.value_to_proto(value))
    elif _is_institution(reading.caller):
        standing = netting.holders_of(reading.connection, [declaration.name]).get(declaration.name, ())
        message.value.CopyFrom(rpc.available_to_proto(available_to(reading.caller.tenant, value, standing)))
    if with_receipts:
        _add_receipts(reading, message)
    return message


def _add_receipts(reading: Reading, message: declarations_pb2.Declaration) -> None:
    number = message.declaration_number
    for code, notice_us, note in store.receipts_of(reading.connection, [number]).get(number, ()):
        receipt = message.receipts.add(declaration_number=number, channel_code=code, note=note)
        receipt.notice_time.FromMicroseconds(notice_us)


def list_(
    reading: Reading, request: declarations_pb2.ListDeclarationsRequest
) -> declarations_pb2.ListDeclarationsResponse:
    """A page, newest number first."""
    query, caller = sa.select(declarations), reading.caller
    if _is_institution(caller):
        query = query.where(declarations.c.enterprise.in_(consents.consenting(caller.tenant, reading.now_us)))
    elif SEES_ALL not in caller.roles:
        query = query.where(declarations.c.enterprise == caller.tenant)
    if request.enterprise:
        query = query.where(declarations.c.enterprise == request.enterprise)
    query = paging.newest_first(query, declarations.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Declaration), "id")
    views = [_view(reading, declaration, with_receipts=False) for declaration in page]
    return declarations_pb2.ListDeclarationsResponse(declarations=views, next_page_token=token)
