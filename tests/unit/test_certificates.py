"""The development authority: private keys for their owner only, names in the trust domain, true expiry."""

import datetime
import pathlib

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from chassis.certificates import Authority, Credentials

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> Authority:
    return Authority(tmp_path / "certificates")


def _certificate(credentials: Credentials) -> x509.Certificate:
    return x509.load_pem_x509_certificate(credentials.certificate)


def test_whatever_holds_a_private_key_is_readable_by_its_owner_only(authority: Authority) -> None:
    authority.issue("services/loans")
    authority.signing_key("services/loans")
    files = {file.name: file for file in authority.folder.iterdir()}
    private = {name for name, file in files.items() if b"PRIVATE KEY" in file.read_bytes()}
    assert private == {"ca.key", "services_loans.key", "services_loans.signing"}
    assert {files[name].stat().st_mode & 0o777 for name in private} == {0o600}
    assert authority.folder.stat().st_mode & 0o777 == 0o700


def test_a_certificate_carries_its_name_and_comes_from_the_authority(authority: Authority) -> None:
    credentials = authority.issue("banks/ABCDCNBA/system")
    certificate = _certificate(credentials)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(credentials.authority))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://aval/banks/ABCDCNBA/system"]
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_an_expired_certificate_can_be_made_and_is_expired(authority: Authority) -> None:
    certificate = _certificate(authority.issue("banks/LATE", lifetime=-HOUR))
    now = datetime.datetime.now(datetime.UTC)
    assert certificate.not_valid_before_utc < certificate.not_valid_after_utc < now


def test_what_was_issued_is_kept_until_it_is_renewed(authority: Authority) -> None:
    first = authority.issue("services/loans")
    assert Authority(authority.folder).issue("services/loans").certificate == first.certificate
    assert authority.issue("services/loans", renew=True).certificate != first.certificate
    assert authority.signing_key("a") == Authority(authority.folder).signing_key("a")


def test_another_authority_did_not_issue_it(authority: Authority, tmp_path: pathlib.Path) -> None:
    other = Authority(tmp_path / "other").issue("services/loans")
    certificate = _certificate(authority.issue("services/loans"))
    with pytest.raises(InvalidSignature):
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(other.authority))


def test_names_with_dots_have_certificates_of_their_own(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path)
    issued = [authority.issue(f"banks/LMHFCNB0/lmhf.{role}") for role in ("maker", "checker")]
    names = [x509.load_pem_x509_certificate(credentials.certificate).subject.rfc4514_string() for credentials in issued]
    assert names == ["CN=banks/LMHFCNB0/lmhf.maker", "CN=banks/LMHFCNB0/lmhf.checker"]


def test_a_signing_key_is_made_once_and_its_public_half_lies_beside_it(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path)
    assert authority.signing_key("services/a.b") == authority.signing_key("services/a.b")
    assert authority.signing_key("services/a.b") != authority.signing_key("services/a.c")
    assert (tmp_path / "services_a.b.pub").read_bytes() == authority.public_key("services/a.b")
