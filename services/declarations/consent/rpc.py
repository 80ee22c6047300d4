"""Consents on the wire."""

from aval.declarations.v1 import declarations_pb2

from services.declarations.consent.model import Consent


def to_proto(consent: Consent) -> declarations_pb2.Consent:
    """The wire form."""
    message = declarations_pb2.Consent(
        name=consent.name,
        enterprise=consent.enterprise,
        institution=consent.institution,
        purpose=consent.purpose,
        state=consent.state.value,
        etag=str(consent.revision),
    )
    message.expire_time.FromMicroseconds(consent.expire_us)
    return message
