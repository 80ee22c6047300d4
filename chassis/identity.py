"""Callers: certificates between processes, signed assertions behind the gateway, access by descriptor.

A service trusts two things only: the name in the peer's certificate, and an assertion that came
over the gateway's own certificate. Access is default-deny: a method without a policy can't be served.
"""

import dataclasses
import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aval.type.v1 import access_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from chassis import ids
from chassis.clock import MICROSECONDS
from chassis.errors import AccessDenied, NotFound, SecondFactorRequired, Unauthenticated

TRUST_DOMAIN = "spiffe://aval/"
GATEWAY = "services/gateway"
ASSERTION_KEY = "aval-assertion"
ON_BEHALF_OF = "aval-on-behalf-of"
ON_BEHALF_OF_TENANT = "aval-tenant"
# The business date on which a service that calls has planned its call.
BUSINESS_DATE = "aval-business-date"
ASSERTION_SECONDS = 300
ALGORITHM = "Ed25519"

Role = access_pb2.Role


@dataclass(frozen=True, slots=True)
class Caller:
    """The principal of a call, its tenant and what it may do; `service` is set when a service calls."""

    principal: str
    tenant: str
    roles: frozenset[str] = frozenset()
    service: str = ""
    second_factor: bool = False
    # The public key of the certificate it showed at the door, PEM; its signatures are checked with it.
    public_key: str = ""
    language: str = "en"

    def kept_id(self, identifier: str) -> str:
        """Returns the id under which a thing is kept that this caller gives an id; a service's stays as it is."""
        return identifier if self.service else ids.owned(self.tenant, identifier)

    def to_text(self) -> str:
        """Returns the caller as text, for the store: the one that owes a task."""
        return json.dumps({**dataclasses.asdict(self), "roles": sorted(self.roles)})


def caller_from_text(text: str) -> Caller:
    """Returns the caller that `to_text` wrote."""
    values = json.loads(text)
    return Caller(**{**values, "roles": frozenset(values["roles"])})


def service_caller(service: str, principal: str = "", tenant: str = "") -> Caller:
    """Returns the caller of a service that calls as itself, on behalf of a principal and its tenant."""
    return Caller(principal or f"services/{service}", tenant or f"services/{service}", service=service)


@dataclass(frozen=True, slots=True)
class Policy:
    """The access policy of one method, from its option in the proto."""

    method: str
    internal: bool
    roles: frozenset[str]
    second_factor: bool

    def check(self, caller: Caller) -> None:
        """Raises NotFound for an internal method; AccessDenied, SecondFactorRequired."""
        if caller.service:
            return
        if self.internal:
            raise NotFound(resource=self.method)
        if self.roles.isdisjoint(caller.roles):
            raise AccessDenied(method=self.method)
        if self.second_factor and not caller.second_factor:
            raise SecondFactorRequired(method=self.method)


def policy_of(method: MethodDescriptor) -> Policy:
    """Returns the method's policy. Raises ValueError if it has none: default-deny."""
    access: Any = method.GetOptions().Extensions[access_pb2.access]  # type: ignore[index]
    if access.audience == access_pb2.AUDIENCE_UNSPECIFIED:
        raise ValueError(f"{method.full_name} has no access policy")
    names = access_pb2.Role.DESCRIPTOR.values_by_number
    roles = frozenset(names[number].name for number in access.roles)
    return Policy(method.full_name, access.audience == access_pb2.INTERNAL, roles, access.second_factor)


def policies(service: ServiceDescriptor) -> Mapping[str, Policy]:
    """Returns the policies of a service's methods by short name."""
    return {method.name: policy_of(method) for method in service.methods}


class Signer:
    """Signs assertions: the gateway's."""

    def __init__(self, private_key_pem: bytes, issuer: str = GATEWAY) -> None:
        self._key = OKPKey.import_key(private_key_pem)
        self._issuer = issuer

    def assertion(self, caller: Caller, audience: str, now_us: int) -> str:
        """Returns a JWT that says who calls, for one service, for at most five minutes."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "sub": caller.principal,
            "aud": audience,
            "tenant": caller.tenant,
            "roles": sorted(caller.roles),
            "second_factor": caller.second_factor,
            "public_key": caller.public_key,
            "exp": now_us // MICROSECONDS + ASSERTION_SECONDS,
        }
        return jwt.encode({"alg": ALGORITHM}, claims, self._key, algorithms=[ALGORITHM])


@dataclass
class Verifier:
    """Verifies assertions for one service, each once; then it remembers the caller until it expires."""

    public_key_pem: bytes
    audience: str
    _seen: dict[str, tuple[int, Caller]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._key = OKPKey.import_key(self.public_key_pem)

    def caller(self, assertion: str, now_us: int) -> Caller:
        """Returns the caller an assertion names. Raises Unauthenticated if it is forged, foreign or expired."""
        now = now_us // MICROSECONDS
        expiry, caller = self._seen.get(assertion) or self._remember(assertion)
        if expiry <= now:
            self._seen.pop(assertion, None)
            raise Unauthenticated(detail="the assertion has expired")
        return caller

    def _remember(self, assertion: str) -> tuple[int, Caller]:
        try:
            claims = jwt.decode(assertion, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise Unauthenticated(detail="the assertion isn't valid") from error
        if claims["aud"] != self.audience:
            raise Unauthenticated(detail="the assertion is for another service")
        roles = frozenset(claims["roles"])
        caller = Caller(claims["sub"], claims["tenant"], roles, "", claims["second_factor"], claims["public_key"])
        if len(self._seen) >= 10_000:
            self._seen.clear()
        self._seen[assertion] = (int(claims["exp"]), caller)
        return self._seen[assertion]


def peer_name(auth_context: Mapping[str, Any]) -> str:
    """Returns the name in the peer's certificate, without the trust domain; empty if it shows none."""
    for entry in auth_context.get("x509_subject_alternative_name", ()):
        text = entry.decode()
        if text.startswith(TRUST_DOMAIN):
            return str(text.removeprefix(TRUST_DOMAIN))
    return ""


def caller_of(peer: str, metadata: Mapping[str, str], verifier: Verifier, now_us: int) -> Caller:
    """Returns the caller of a call by its peer's certificate and its metadata. Raises Unauthenticated otherwise."""
    if peer == GATEWAY:
        assertion = metadata.get(ASSERTION_KEY)
        if not assertion:
            raise Unauthenticated(detail="the gateway sent no assertion")
        return verifier.caller(assertion, now_us)
    if peer.startswith("services/"):
        service = peer.removeprefix("services/")
        return service_caller(service, metadata.get(ON_BEHALF_OF, ""), metadata.get(ON_BEHALF_OF_TENANT, ""))
    raise Unauthenticated(detail="come through the door")


def date_of(caller: Caller, metadata: Mapping[str, str]) -> datetime.date | None:
    """Returns the business date that a service gives with its call, such as "2026-11-30"; nobody else's is believed.

    Raises Unauthenticated where it is no date.
    """
    text = metadata.get(BUSINESS_DATE, "") if caller.service else ""
    try:
        return datetime.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Unauthenticated(detail=f"{BUSINESS_DATE} is no date such as 2026-11-30") from error
