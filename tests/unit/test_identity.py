"""Identity of callers: nobody gets in by a forged, foreign or expired assertion, and what isn't allowed is denied."""

import pathlib

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from chassis import identity
from chassis.certificates import Authority
from chassis.clock import MICROSECONDS
from chassis.errors import AccessDenied, NotFound, SecondFactorRequired, Unauthenticated
from chassis.identity import ASSERTION_KEY, ASSERTION_SECONDS, Caller, Policy, Signer, Verifier
from tests.support import NOW_US

CALLER = Caller(
    "banks/ABCDCNBA/alice", "banks/ABCDCNBA", frozenset({"BANK_MAKER"}), second_factor=True, public_key="PEM"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def _signer(authority: Authority, name: str = "services/gateway") -> Signer:
    return Signer(authority.signing_key(name))


def _verifier(authority: Authority, audience: str = "loans") -> Verifier:
    return Verifier(authority.public_key("services/gateway"), audience)


def test_an_assertion_brings_the_whole_caller(authority: Authority) -> None:
    assertion = _signer(authority).assertion(CALLER, "loans", NOW_US)
    verifier = _verifier(authority)
    assert verifier.caller(assertion, NOW_US) == CALLER
    assert identity.caller_of(identity.GATEWAY, {ASSERTION_KEY: assertion}, verifier, NOW_US) == CALLER


@pytest.mark.parametrize("seen_before", [False, True])
def test_an_expired_assertion_counts_no_longer_even_when_it_was_seen(authority: Authority, seen_before: bool) -> None:
    assertion, verifier = _signer(authority).assertion(CALLER, "loans", NOW_US), _verifier(authority)
    end_us = NOW_US + ASSERTION_SECONDS * MICROSECONDS
    if seen_before:
        assert verifier.caller(assertion, end_us - 1) == CALLER
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.caller(assertion, end_us)


def test_a_forged_assertion_is_refused(authority: Authority) -> None:
    with pytest.raises(Unauthenticated, match="isn't valid"):
        _verifier(authority).caller(_signer(authority, "services/mallory").assertion(CALLER, "loans", NOW_US), NOW_US)


def test_every_changed_byte_of_an_assertion_is_noticed(authority: Authority) -> None:
    assertion, verifier = _signer(authority).assertion(CALLER, "loans", NOW_US), _verifier(authority)
    # The last letter carries unused bits, which decoders differ about.
    for index in range(0, len(assertion) - 1, 7):
        changed = assertion[:index] + ("A" if assertion[index] != "A" else "B") + assertion[index + 1 :]
        with pytest.raises(Unauthenticated):
            verifier.caller(changed, NOW_US)


@pytest.mark.parametrize("assertion", ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_assertion_is_refused(authority: Authority, assertion: str) -> None:
    with pytest.raises(Unauthenticated):
        identity.caller_of(identity.GATEWAY, {ASSERTION_KEY: assertion}, _verifier(authority), NOW_US)


def test_an_assertion_for_another_service_is_refused(authority: Authority) -> None:
    assertion = _signer(authority).assertion(CALLER, "settlement", NOW_US)
    with pytest.raises(Unauthenticated, match="another service"):
        _verifier(authority).caller(assertion, NOW_US)


@pytest.mark.parametrize("peer", ["", "banks/ABCDCNBA/system", "servicesgateway"])
def test_an_assertion_counts_only_over_the_gateways_own_certificate(authority: Authority, peer: str) -> None:
    metadata = {ASSERTION_KEY: _signer(authority).assertion(CALLER, "loans", NOW_US)}
    with pytest.raises(Unauthenticated):
        identity.caller_of(peer, metadata, _verifier(authority), NOW_US)


def test_a_service_calls_as_itself_on_behalf_of_another(authority: Authority) -> None:
    metadata = {identity.ON_BEHALF_OF: "banks/ABCDCNBA/alice", identity.ON_BEHALF_OF_TENANT: "banks/ABCDCNBA"}
    caller = identity.caller_of("services/loans", metadata, _verifier(authority), NOW_US)
    assert (caller.principal, caller.tenant, caller.service) == ("banks/ABCDCNBA/alice", "banks/ABCDCNBA", "loans")


def test_the_peers_name_is_that_of_our_trust_domain() -> None:
    context = {"x509_subject_alternative_name": [b"localhost", b"spiffe://other/x", b"spiffe://aval/services/loans"]}
    assert identity.peer_name(context) == "services/loans"
    assert identity.peer_name({}) == ""


def test_a_policy_grants_what_it_names_and_nothing_else() -> None:
    policy = Policy("m", internal=False, roles=frozenset({"BANK_MAKER"}), second_factor=True)
    policy.check(CALLER)
    policy.check(identity.service_caller("loans"))
    with pytest.raises(AccessDenied):
        policy.check(Caller("p", "t", frozenset({"EXPORTER"}), second_factor=True))
    with pytest.raises(SecondFactorRequired):
        policy.check(Caller("p", "t", frozenset({"BANK_MAKER"})))
    with pytest.raises(AccessDenied):
        Policy("m", internal=False, roles=frozenset(), second_factor=False).check(CALLER)


def test_an_internal_method_does_not_exist_for_outsiders() -> None:
    policy = Policy("m", internal=True, roles=frozenset({"BANK_MAKER"}), second_factor=False)
    policy.check(identity.service_caller("loans"))
    with pytest.raises(NotFound):
        policy.check(CALLER)


def test_a_method_without_a_policy_cannot_be_served() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="bare.proto", package="bare", syntax="proto3")
    file.message_type.add(name="Nothing")
    file.service.add(name="Bare").method.add(name="Do", input_type=".bare.Nothing", output_type=".bare.Nothing")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    method = pool.FindServiceByName("bare.Bare").methods_by_name["Do"]
    with pytest.raises(ValueError, match="no access policy"):
        identity.policy_of(method)


def test_a_caller_survives_the_store(tmp_path: pathlib.Path) -> None:
    assert identity.caller_from_text(CALLER.to_text()) == CALLER
