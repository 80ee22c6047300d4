"""From a client's certificate to a principal, remembered for a minute by the certificate's bytes."""

from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from chassis import identity
from chassis.clock import MICROSECONDS, Clock
from chassis.identity import Caller
from gateway.assertions import Assertions
from gateway.directory.directory import Directory
from gateway.errors import CertificateExpired, CertificateUnknown

# So long a principal's removal may go unnoticed.
REMEMBERED_US = 60 * MICROSECONDS
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Identified:
    """A principal known by its certificate, and until when that is believed."""

    caller: Caller
    until_us: int


class Identification:
    """Gives the assertion of whoever is at the other end of a call."""

    def __init__(self, directory: Directory, assertions: Assertions, clock: Clock) -> None:
        self._directory, self._assertions, self._clock = directory, assertions, clock
        self._identified: dict[bytes, Identified] = {}

    async def assertion(self, context: Any, service: str) -> str:
        """Returns the caller's assertion for a service. Raises CertificateUnknown, CertificateExpired."""
        return self._assertions.of(await self.caller(context), service)

    async def caller(self, context: Any) -> Caller:
        """Returns the caller at the other end. Raises CertificateUnknown, CertificateExpired."""
        proof = context.auth_context()
        (certificate,) = proof["x509_pem_cert"]
        remembered = self._identified.get(certificate)
        if remembered is None or remembered.until_us <= self._clock.now_us():
            remembered = await self._remember(certificate, identity.peer_name(proof))
        return remembered.caller

    async def _remember(self, pem: bytes, name: str) -> Identified:
        self._identified.pop(pem, None)
        certificate, now_us = x509.load_pem_x509_certificate(pem), self._clock.now_us()
        expire_us = int(certificate.not_valid_after_utc.timestamp()) * MICROSECONDS
        # A connection may outlive the certificate it was opened with.
        if expire_us <= now_us:
            raise CertificateExpired(certificate=name)
        principal = await self._directory.by_certificate(name)
        if principal is None:
            raise CertificateUnknown(certificate=name)
        if len(self._identified) >= MOST_REMEMBERED:
            self._identified.clear()
        caller = principal.caller(public_key=_public_key(certificate))
        self._identified[pem] = Identified(caller, min(expire_us, now_us + REMEMBERED_US))
        return self._identified[pem]


def _public_key(certificate: x509.Certificate) -> str:
    """Returns the key that checks the principal's signatures, PEM."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return certificate.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()
