"""Grants and revokes consent."""

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
    """Grants an institution the calling enterprise's consent. Raises InvalidFields for a time that is past."""
    expire_us = request.consent.expire_time.ToMicroseconds()
    if expire_us <= transaction.now_us:
        raise InvalidFields([EXPIRED_ALREADY])
    consent = Consent(
        id=transaction.ids.resource("consent"),
        enterprise=transaction.caller.tenant,
        institution=request.consent.institution,
        purpose=request.consent.purpose,
        expire_us=expire_us,
        state=State.ACTIVE,
        revision=1,
        create_us=transaction.now_us,
        purposes=rpc.purposes(request.consent),
    )
    store.add(transaction, consent)
    return rpc.to_proto(consent)


def revoke(transaction: Transaction, request: declarations_pb2.RevokeConsentRequest) -> declarations_pb2.Consent:
    """Ends a consent at once. Raises NotFound for all but its enterprise."""
    consent = store.load(transaction.connection, request.name.removeprefix("consents/"))
    if consent is None or consent.enterprise != transaction.caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, consent)
    state = moved(TRANSITIONS, consent, Verb.REVOKE)
    return rpc.to_proto(store.save(transaction, dataclasses.replace(consent, state=state), "consent.revoked"))
