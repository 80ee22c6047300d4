"""Detached signatures: over exactly these bytes, by exactly this key."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
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


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _signed(algorithm: str, header: bytes, content: bytes = CONTENT, is_plain: bool = False) -> str:
    """A signature by the right key under any header; over the plain bytes as RFC 7797 would have it."""
    key = serialization.load_pem_private_key(PAIRS[algorithm][0], None)
    over = _encoded(header).encode() + b"." + (content if is_plain else _encoded(content).encode())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        made = key.sign(over)
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        r, s = utils.decode_dss_signature(key.sign(over, ec.ECDSA(hashes.SHA256())))
        made = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return f"{_encoded(header)}..{_encoded(made)}"


STRANGE_HEADERS = {
    "b64 over the encoded text": '{"alg":"%s","kid":"k","b64":false,"crit":["b64"]}',
    "b64 without crit": '{"alg":"%s","kid":"k","b64":false}',
    "b64 true": '{"alg":"%s","kid":"k","b64":true}',
    "alg twice": '{"alg":"none","alg":"%s","kid":"k"}',
    "alg twice, the same": '{"alg":"%s","alg":"%s","kid":"k"}',
    "kid twice": '{"alg":"%s","kid":"other","kid":"k"}',
    "a name twice by an escape": '{"alg":"%s","kid":"k","\\u0061lg":"HS256"}',
    "more": '{"alg":"%s","kid":"k","typ":"JOSE"}',
    "a key of its own": '{"alg":"%s","kid":"k","jwk":{"kty":"OKP"}}',
    "no kid": '{"alg":"%s"}',
    "a kid that is no text": '{"alg":"%s","kid":5}',
    "an array": '[["alg","%s"],["kid","k"]]',
    "more behind it": '{"alg":"%s","kid":"k"}{}',
}


@pytest.mark.parametrize("algorithm", PAIRS)
@pytest.mark.parametrize("strange", STRANGE_HEADERS)
@pytest.mark.parametrize("is_plain", [False, True])
def test_a_header_of_more_than_alg_and_kid_is_none(algorithm: str, strange: str, is_plain: bool) -> None:
    header = STRANGE_HEADERS[strange].replace("%s", algorithm).encode()
    detached = _signed(algorithm, header, is_plain=is_plain)
    assert not signatures.is_valid(CONTENT, detached, PAIRS[algorithm][1])


@pytest.mark.parametrize("algorithm", PAIRS)
def test_the_one_form_has_no_payload_and_no_other_spelling(algorithm: str) -> None:
    public = PAIRS[algorithm][1]
    right = _signed(algorithm, b'{"kid": "k", "alg": "%s"}' % algorithm.encode())
    assert signatures.is_valid(CONTENT, right, public)
    header, _, signature = right.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last letter of 64 bytes has two bits to spare.
    spare = last[last.index(signature[-1]) ^ 1]
    for other in (
        f"{header}.{_encoded(CONTENT)}.{signature}",
        f"{header}.{_encoded(b'another')}.{signature}",
        f"{header}..{signature}=",
        f"{header}..{signature[:-1]}{spare}",
        f"{header}..{signature}\n",
        f" {header}..{signature}",
        f"{header}..{signature}..",
        f"{header}..",
        f"{header}==..{signature}",
    ):
        assert not signatures.is_valid(CONTENT, other, public), other
