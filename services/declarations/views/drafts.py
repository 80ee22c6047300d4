"""Reads drafts: the enterprise its own, the window all. Institutions see none: there is nothing to finance."""

from typing import Any

import sqlalchemy as sa
from aval.declarations.v1 import declarations_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations.privacy.consent import access
from services.declarations.window.draft import rpc as draft_rpc
from services.declarations.window.draft import store as draft_store
from services.declarations.window.draft.model import Draft
from services.declarations.window.draft.store import DRAFT_PLACE, drafts


def get(reading: Reading, request: declarations_pb2.GetDraftRequest) -> declarations_pb2.Draft:
    """Returns a draft. Raises NotFound, also where it is another's."""
    identifier = request.name.removeprefix("drafts/")
    draft = draft_store.load(reading.connection, [identifier]).get(identifier)
    if draft is None or not access.sees_all(reading.caller, draft.enterprise):
        raise NotFound(resource=request.name)
    return draft_rpc.to_proto(draft, reading.caller.language)


def list_(reading: Reading, request: declarations_pb2.ListDraftsRequest) -> declarations_pb2.ListDraftsResponse:
    """Returns a page, by the day they came, the last first, then by id."""
    query = sa.select(drafts).where(*_wanted(reading, request))
    query = paging.highest_first(query, [drafts.c[name] for name in DRAFT_PLACE], request)
    page, token = paging.cut(request, records.many(reading.connection, query, Draft), "place")
    shown = [draft_rpc.to_proto(draft, reading.caller.language) for draft in page]
    return declarations_pb2.ListDraftsResponse(drafts=shown, next_page_token=token)


def _wanted(reading: Reading, request: declarations_pb2.ListDraftsRequest) -> list[Any]:
    conditions: list[Any] = []
    if not access.sees_all(reading.caller, ""):
        conditions.append(drafts.c.enterprise == reading.caller.tenant)
    if request.state:
        conditions.append(drafts.c.state == declarations_pb2.Draft.State.Name(request.state))
    for name in ("client_number", "unified_number"):
        if value := getattr(request, name):
            conditions.append(drafts.c[name] == value)
    return conditions
