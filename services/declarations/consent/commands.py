"""Granting and revoking consent; listing them."""

import dataclasses

from aval.declarations.v1 import declarations_pb2

from chassis import paging, records
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.service import Reading
from chassis.states import check_etag, moved
from services.declarations.consent import rpc, store
from services.declarations.consent.model import TRANSITIONS, Consent, State, Verb
from services.declarations.tables import consents

EXPIRED_ALREADY = Problem(
    "consent.expire_time", "EXPIRE_TIME_PAST", "Choose a time that is still to come.", "请选择未来的到期时间。"
)


def create(transaction: Transaction, request: declarations_pb2.CreateConsentRequest) -> declarations_pb2.Consent:
    """The calling enterprise lets an institution see its declarations."""
    expire_us = request.consent.expire_time.ToMicroseconds()
    if expire_us <= transaction.now_us:
        raise InvalidFields([EXPIRED_ALREADY])
    consent = Consent(
        transaction.ids.resource("consent"),
        transaction.caller.tenant,
        request.consent.institution,
        request.consent.purpose,
        expire_us,
        State.ACTIVE,
        1,
        transaction.now_us,
    )
    store.add(transaction, consent)
    return rpc.to_proto(consent)


def revoke(transaction: Transaction, request: declarations_pb2.RevokeConsentRequest) -> declarations_pb2.Consent:
    """Ends a consent at once."""
    consent = store.load(transaction.connection, request.name.removeprefix("consents/"))
    if consent is None or consent.enterprise != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, consent)
    state = moved(TRANSITIONS, consent, Verb.REVOKE)
    return rpc.to_proto(store.save(transaction, dataclasses.replace(consent, state=state), "consent.revoked"))


def list_(reading: Reading, request: declarations_pb2.ListConsentsRequest) -> declarations_pb2.ListConsentsResponse:
    """Those that the caller gave or was given."""
    query = paging.newest_first(store.of_party(reading.caller.tenant), consents.c.id, request)
    page, token = paging.cut(request, records.many(reading.connection, query, Consent), "id")
    return declarations_pb2.ListConsentsResponse(consents=map(rpc.to_proto, page), next_page_token=token)
