"""Lists consents, and what was disclosed by them."""

from aval.declarations.v1 import consent_pb2, declarations_pb2

from chassis import paging, records
from chassis.service import Reading
from services.declarations.privacy.consent import rpc, store
from services.declarations.privacy.consent.model import Consent, Disclosure
from services.declarations.privacy.consent.store import consents, disclosures


def list_(reading: Reading, request: declarations_pb2.ListConsentsRequest) -> declarations_pb2.ListConsentsResponse:
    """Returns a page of the consents that the caller gave or was given, newest first."""
    query = paging.newest_first(store.of_party(reading.caller.tenant), consents.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Consent), "id")
    return declarations_pb2.ListConsentsResponse(consents=map(rpc.to_proto, page), next_page_token=token)


def list_disclosures(
    reading: Reading, request: consent_pb2.ListDisclosuresRequest
) -> consent_pb2.ListDisclosuresResponse:
    """Returns a page of what was disclosed of the calling enterprise's data, newest first."""
    query = store.disclosed(reading.caller.tenant)
    if request.reader:
        query = query.where(disclosures.c.reader == request.reader)
    query = paging.newest_first(query, disclosures.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Disclosure), "id")
    messages = map(rpc.disclosure_to_proto, page)
    return consent_pb2.ListDisclosuresResponse(disclosures=messages, next_page_token=token)
