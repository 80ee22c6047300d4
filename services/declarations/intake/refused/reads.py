"""Reading refused documents: each sender its own."""

from typing import Any

from aval.declarations.v1 import intake_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations.intake.refused import rpc, store
from services.declarations.intake.refused.model import RefusedDocument
from services.declarations.intake.refused.store import refused_documents


def get(reading: Reading, request: intake_pb2.GetRefusedDocumentRequest) -> intake_pb2.RefusedDocument:
    """Reads a refused document with its content."""
    document = store.load(reading.connection, reading.caller.tenant, request.name)
    if document is None:
        raise NotFound(resource=request.name)
    told = store.told(reading, [document]).get(document.name)
    return rpc.to_proto(document, told, store.content(reading, document))


def list_(reading: Reading, request: intake_pb2.ListRefusedDocumentsRequest) -> intake_pb2.ListRefusedDocumentsResponse:
    """A page, the newest first."""
    query = _filtered(store.of_sender(reading.caller.tenant), request)
    query = paging.newest_first(query, refused_documents.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, RefusedDocument), "id")
    told = store.told(reading, page)
    return intake_pb2.ListRefusedDocumentsResponse(
        refused_documents=[rpc.to_proto(document, told.get(document.name)) for document in page], next_page_token=token
    )


def _filtered(query: Any, request: intake_pb2.ListRefusedDocumentsRequest) -> Any:
    rows = refused_documents.c
    if request.reason:
        query = query.where(store.with_reason(request.reason))
    if request.format:
        query = query.where(rows.format == request.format)
    if request.state:
        query = query.where(rows.state == intake_pb2.RefusedDocument.State.Name(request.state))
    if request.HasField("start_time"):
        query = query.where(rows.last_us >= request.start_time.ToMicroseconds())
    if request.HasField("end_time"):
        query = query.where(rows.last_us < request.end_time.ToMicroseconds())
    return query
