"""Detached signatures over bytes kept exactly as sent (RFC 7515, appendix F), verifiable by anyone."""

import base64

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

# By the kind of key: Ed25519 and P-256.
KINDS: dict[str, type[OKPKey] | type[ECKey]] = {"Ed25519": OKPKey, "ES256": ECKey}
ALGORITHMS = [*KINDS, "EdDSA"]


def sign(content: bytes, private_key_pem: bytes, key_id: str, algorithm: str = "Ed25519") -> str:
    """A detached JWS over the bytes: header..signature."""
    key = KINDS[algorithm].import_key(private_key_pem)
    compact = jws.serialize_compact({"alg": algorithm, "kid": key_id}, content, key, algorithms=ALGORITHMS)
    header, _, signature = compact.split(".")
    return f"{header}..{signature}"


def is_valid(content: bytes, detached: str, public_key_pem: bytes) -> bool:
    """Whether the detached JWS is over exactly these bytes, by this key (Ed25519 or P-256)."""
    for kind in KINDS.values():
        try:
            key = kind.import_key(public_key_pem)
            jws.deserialize_compact(_attach(detached, content), key, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError):
            continue
        return True
    return False


def _attach(detached: str, content: bytes) -> str:
    """The compact form with its payload put back."""
    header, _, signature = detached.split(".")
    payload = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    return f"{header}.{payload}.{signature}"
