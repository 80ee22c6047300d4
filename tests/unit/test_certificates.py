"""The development authority."""

import pathlib

from cryptography import x509

from chassis.certificates import Authority


def test_names_with_dots_have_certificates_of_their_own(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path)
    issued = [authority.issue(f"banks/LMHFCNB0/lmhf.{role}") for role in ("maker", "checker")]
    names = [x509.load_pem_x509_certificate(one.certificate).subject.rfc4514_string() for one in issued]
    assert names == ["CN=banks/LMHFCNB0/lmhf.maker", "CN=banks/LMHFCNB0/lmhf.checker"]


def test_a_signing_key_is_made_once_and_its_public_half_lies_beside_it(tmp_path: pathlib.Path) -> None:
    authority = Authority(tmp_path)
    assert authority.signing_key("services/a.b") == authority.signing_key("services/a.b")
    assert authority.signing_key("services/a.b") != authority.signing_key("services/a.c")
    assert (tmp_path / "services_a.b.pub").read_bytes() == authority.public_key("services/a.b")
