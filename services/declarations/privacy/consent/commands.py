"""Granting and revoking consent."""

import dataclasses

from aval.declarations.v1 import declarations_pb2

from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.states import check_etag, moved
from services.declarations.privacy.consent import rpc, store
from services.declarations.privacy.consent.model import TRANSITIONS, Consent, State, Verb

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
        rpc.purposes(request.consent),
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
