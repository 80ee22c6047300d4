"""Consents on the wire."""

from aval.declarations.v1 import consent_pb2, declarations_pb2

from services.declarations.privacy.consent.model import USUAL_PURPOSES, Consent, Disclosure, Purpose


def to_proto(consent: Consent) -> declarations_pb2.Consent:
    """Returns the consent on the wire."""
    message = declarations_pb2.Consent(
        name=consent.name,
        enterprise=consent.enterprise,
        institution=consent.institution,
        purpose=consent.purpose,
        state=consent.state.value,
        etag=str(consent.revision),
        purposes=[purpose.value for purpose in consent.allowed],
    )
    message.expire_time.FromMicroseconds(consent.expire_us)
    return message


def purposes(message: declarations_pb2.Consent) -> tuple[Purpose, ...]:
    """Returns the purposes of a requested consent; the usual where it names none."""
    named = tuple(Purpose(consent_pb2.ConsentPurpose.Name(number)) for number in message.purposes)
    return named or USUAL_PURPOSES


def disclosure_to_proto(disclosure: Disclosure) -> consent_pb2.Disclosure:
    """Returns the disclosure as the enterprise is told it: the reader's house, not its employee."""
    message = consent_pb2.Disclosure(
        name=f"disclosures/{disclosure.id}",
        enterprise=disclosure.enterprise,
        reader=disclosure.reader,
        consent=disclosure.consent,
        purposes=[purpose.value for purpose in disclosure.purposes],
        method=disclosure.method,
        resources=disclosure.resources,
        reason=disclosure.reason,
    )
    message.create_time.FromMicroseconds(disclosure.create_us)
    return message
