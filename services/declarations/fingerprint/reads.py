"""Reads registrations: their holder and the applicant do, nobody else."""

from aval.declarations.v1 import fingerprint_pb2

from chassis import paging, records
from chassis.errors import NotFound
from chassis.service import Reading
from services.declarations.fingerprint import rpc, store
from services.declarations.fingerprint.model import Registration
from services.declarations.fingerprint.store import registrations


def get(reading: Reading, request: fingerprint_pb2.GetRegistrationRequest) -> fingerprint_pb2.Registration:
    """Returns a registration. Raises NotFound for all but its holder and applicant."""
    identifier = request.name.removeprefix("registrations/")
    registration = store.named(reading.connection, reading.caller, identifier)
    if registration is None:
        raise NotFound(resource=request.name)
    return rpc.to_proto(registration)


def list_(
    reading: Reading, request: fingerprint_pb2.ListRegistrationsRequest
) -> fingerprint_pb2.ListRegistrationsResponse:
    """Returns a page of the caller's registrations, newest first."""
    query = paging.newest_first(store.of_party(reading.caller.tenant), registrations.c.listed, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Registration), "listed")
    return fingerprint_pb2.ListRegistrationsResponse(registrations=map(rpc.to_proto, page), next_page_token=token)
