"""Detached signatures over bytes kept exactly as sent (RFC 7515, appendix F), verifiable by anyone.

They have one form: base64url of {"alg", "kid"}, two dots, base64url of the signature. A header of anything else
(b64 of RFC 7797, crit, jwk, a name twice), a payload between the dots or another spelling of the same bits is none:
another verifier might read it otherwise.
"""

import base64
import json
import re
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from chassis import suites

# EdDSA is Ed25519's name before RFC 9864.
ALGORITHMS = [*suites.SIGNATURE_SUITES, "EdDSA"]
FORM = re.compile(r"[A-Za-z0-9_-]{1,1000}\.\.[A-Za-z0-9_-]{1,1000}")


def sign(content: bytes, private_key_pem: bytes, key_id: str, algorithm: str = suites.SIGNATURE) -> str:
    """Returns a detached JWS over the bytes: header..signature. Its `alg` is the suite's name."""
    key = suites.SIGNATURE_SUITES[algorithm].import_key(private_key_pem)
    compact = jws.serialize_compact({"alg": algorithm, "kid": key_id}, content, key, algorithms=ALGORITHMS)
    header, _, signature = compact.split(".")
    return f"{header}..{signature}"


def is_valid(content: bytes, detached: str, public_key_pem: bytes) -> bool:
    """Whether the text is a detached JWS of our form over exactly these bytes, by this key (Ed25519 or P-256)."""
    if not _has_form(detached):
        return False
    for kind in suites.SIGNATURE_SUITES.values():
        try:
            key = kind.import_key(public_key_pem)
            jws.deserialize_compact(_attach(detached, content), key, algorithms=ALGORITHMS)
        except (JoseError, ValueError, TypeError):
            continue
        return True
    return False


def _has_form(detached: str) -> bool:
    """Whether it is `header..signature` with a header of alg and kid alone, each part in its one spelling.

    For example 'eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoiayJ9..AA' has it, 'eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoiayJ9.e30.AA' not.
    """
    if not FORM.fullmatch(detached):
        return False
    header, _, signature = detached.split(".")
    decoded = _decoded(header)
    if decoded is None or _decoded(signature) is None:
        return False
    try:
        members = json.loads(decoded, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return False
    return _has_members(members)


def _has_members(members: Any) -> bool:
    """Whether the header's members, as pairs, are alg and kid, once each, and texts."""
    if not isinstance(members, list) or not all(isinstance(one, tuple) for one in members):
        return False
    return sorted(name for name, _ in members) == ["alg", "kid"] and all(isinstance(text, str) for _, text in members)


def _decoded(part: str) -> bytes | None:
    """Returns the bytes that the base64url stands for; None if they have another spelling than this."""
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return None
    return content if base64.urlsafe_b64encode(content).rstrip(b"=").decode() == part else None


def _attach(detached: str, content: bytes) -> str:
    """Returns the compact form with its payload put back."""
    header, _, signature = detached.split(".")
    payload = base64.urlsafe_b64encode(content).rstrip(b"=").decode()
    return f"{header}.{payload}.{signature}"
