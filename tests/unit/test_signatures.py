"""Detached signatures: over exactly these bytes, by exactly this key."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from chassis import signatures

CONTENT = '{"amount":"100000.00","currency":"USD","受益人":"许昌"}'.encode()
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


def _pair(key: PrivateKey) -> tuple[bytes, bytes]:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


PAIRS = {
    "Ed25519": _pair(ed25519.Ed25519PrivateKey.generate()),
    "ES256": _pair(ec.generate_private_key(ec.SECP256R1())),
}


@pytest.mark.parametrize("algorithm", PAIRS)
def test_a_signature_is_over_exactly_these_bytes(algorithm: str) -> None:
    private, public = PAIRS[algorithm]
    detached = signatures.sign(CONTENT, private, "banks/ABCDCNBA", algorithm)
    header, payload, _ = detached.split(".")
    assert payload == ""
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": algorithm, "kid": "banks/ABCDCNBA"}
    assert signatures.is_valid(CONTENT, detached, public)


@pytest.mark.parametrize("algorithm", PAIRS)
def test_one_changed_byte_of_the_content_fails(algorithm: str) -> None:
    private, public = PAIRS[algorithm]
    detached = signatures.sign(CONTENT, private, "k", algorithm)
    for index in range(len(CONTENT)):
        changed = CONTENT[:index] + bytes([CONTENT[index] ^ 1]) + CONTENT[index + 1 :]
        assert not signatures.is_valid(changed, detached, public)
    assert not signatures.is_valid(CONTENT + b" ", detached, public)


@pytest.mark.parametrize("algorithm", PAIRS)
def test_another_key_and_another_kind_of_key_fail(algorithm: str) -> None:
    detached = signatures.sign(CONTENT, PAIRS[algorithm][0], "k", algorithm)
    other = {"Ed25519": "ES256", "ES256": "Ed25519"}[algorithm]
    fresh: dict[str, PrivateKey] = {
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
    }
    assert not signatures.is_valid(CONTENT, detached, PAIRS[other][1])
    assert not signatures.is_valid(CONTENT, detached, _pair(fresh[algorithm])[1])


@pytest.mark.parametrize("algorithm", PAIRS)
def test_a_changed_signature_or_header_fails(algorithm: str) -> None:
    private, public = PAIRS[algorithm]
    header, _, signature = signatures.sign(CONTENT, private, "k", algorithm).split(".")
    flipped = ("A" if signature[5] != "A" else "B").join([signature[:5], signature[6:]])
    assert not signatures.is_valid(CONTENT, f"{header}..{flipped}", public)
    other = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "kid": "x"}).encode()).rstrip(b"=").decode()
    assert not signatures.is_valid(CONTENT, f"{other}..{signature}", public)


HEADERS = [{}, [], 5, None, {"alg": "none"}, {"alg": "HS256"}, {"alg": 5}, {"alg": "Ed25519", "crit": ["x"]}]


@pytest.mark.parametrize("header", HEADERS, ids=str)
def test_a_header_that_names_no_algorithm_of_ours_is_invalid_not_an_error(header: object) -> None:
    text = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    for _, public in PAIRS.values():
        assert not signatures.is_valid(CONTENT, f"{text}..AAAA", public)


@given(st.text(max_size=60))
def test_any_text_is_no_signature(text: str) -> None:
    assert not signatures.is_valid(CONTENT, text, PAIRS["ES256"][1])


def test_a_key_that_is_none_verifies_nothing() -> None:
    detached = signatures.sign(CONTENT, PAIRS["Ed25519"][0], "k")
    assert not signatures.is_valid(CONTENT, detached, b"")
    assert not signatures.is_valid(CONTENT, detached, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
