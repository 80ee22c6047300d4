"""The development authority: certificates for processes and institutions, keys readable by their owner only.

A process' certificate is a server's and a client's, under a name that no other process and no institution can
have: NAME.aval.internal. An institution's certificate is a client's alone and has no name of a host.
"""

import datetime
import ipaddress
import os
import pathlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chassis.identity import GATEWAY, TRUST_DOMAIN

PROCESSES = "services/"
SERVER_DOMAIN = "aval.internal"
# Institutions and browsers know the gateway by the name of a host, not by ours: on one machine, and in a cluster.
GATEWAY_HOSTS = ("gateway", "localhost")
GATEWAY_ADDRESSES = ("127.0.0.1",)
# Stands in the authority's name. Certificates of an earlier profile made everybody a server: none of them counts.
PROFILE = 2
AUTHORITY = f"Aval development authority, profile {PROFILE}"
YEAR = datetime.timedelta(days=365)
SKEW = datetime.timedelta(minutes=5)


def server_name(name: str) -> str:
    """Returns the host name by which only this process can be a server, such as credit-insurance.aval.internal.

    `name` is with or without services/ in front.
    """
    return f"{name.removeprefix(PROCESSES).replace('_', '-').lower()}.{SERVER_DOMAIN}"


class Authority:
    """A certificate authority in a folder: ca.crt, ca.key, and NAME.crt, NAME.key for each certificate.

    An authority of an earlier profile is replaced by a new one, and each certificate that it issued when that is
    next asked for.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._is_current():
            self._create()
        self._key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        self._certificate = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())

    def _is_current(self) -> bool:
        """Whether the folder has an authority, and one of this profile."""
        file = self.folder / "ca.crt"
        if not (file.exists() and (self.folder / "ca.key").exists()):
            return False
        return x509.load_pem_x509_certificate(file.read_bytes()).subject == _name(AUTHORITY)

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(AUTHORITY)
        certificate = (
            _builder(name, name, key.public_key(), 10 * YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_secret(self.folder / "ca.key", _private_pem(key))
        write_secret(self.folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def issue(self, name: str, lifetime: datetime.timedelta = YEAR, renew: bool = False) -> "Credentials":
        """Issues a certificate for a name such as services/loans or banks/ABCDCNBA/system, kept for the next time."""
        file = self.folder / name.replace("/", "_")
        if renew or not self._has_issued(_beside(file, ".crt")):
            self._issue(name, file, lifetime)
        return Credentials.load(self.folder, name)

    def _has_issued(self, file: pathlib.Path) -> bool:
        """Whether the file is there and comes from this authority, not from one that it replaced."""
        if not file.exists():
            return False
        try:
            x509.load_pem_x509_certificate(file.read_bytes()).verify_directly_issued_by(self._certificate)
        except (ValueError, InvalidSignature):
            return False
        return True

    def _issue(self, name: str, file: pathlib.Path, lifetime: datetime.timedelta) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.UniformResourceIdentifier(TRUST_DOMAIN + name), *_hosts(name)]
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if name.startswith(PROCESSES):
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        certificate = (
            _builder(_name(name[:64]), self._certificate.subject, key.public_key(), lifetime)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .sign(self._key, hashes.SHA256())  # type: ignore[arg-type]
        )
        write_secret(_beside(file, ".key"), _private_pem(key))
        write_secret(_beside(file, ".crt"), certificate.public_bytes(serialization.Encoding.PEM), 0o644)

    def signing_key(self, name: str) -> bytes:
        """Returns an Ed25519 private key as PEM, made once; its public half is NAME.pub."""
        base = self.folder / name.replace("/", "_")
        file = _beside(base, ".signing")
        if not file.exists():
            key = ed25519.Ed25519PrivateKey.generate()
            public = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            write_secret(_beside(base, ".pub"), public, 0o644)
            write_secret(file, _private_pem(key))
        return file.read_bytes()

    def public_key(self, name: str) -> bytes:
        """Returns the public half of a signing key, as PEM."""
        self.signing_key(name)
        return (self.folder / f"{name.replace('/', '_')}.pub").read_bytes()


class NoServerCertificate(Exception):
    """The process' certificate doesn't let it be a server under its own name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the certificate of {name} isn't for {server_name(name)}; issue the folder's certificates anew (aval ca)"
        )


class Credentials:
    """A certificate with its key and the authority that others' certificates must come from, as PEM."""

    def __init__(self, authority: bytes, certificate: bytes, key: bytes) -> None:
        self.authority, self.certificate, self.key = authority, certificate, key

    @property
    def name(self) -> str:
        """Returns the name in the certificate, without the trust domain, such as services/loans."""
        uris = self._alternatives().get_values_for_type(x509.UniformResourceIdentifier)
        return next(uri.removeprefix(TRUST_DOMAIN) for uri in uris if uri.startswith(TRUST_DOMAIN))

    def check_server(self) -> None:
        """Raises NoServerCertificate unless others will take the process with this certificate for the one it is."""
        if server_name(self.name) not in self._alternatives().get_values_for_type(x509.DNSName):
            raise NoServerCertificate(self.name)

    def _alternatives(self) -> x509.SubjectAlternativeName:
        certificate = x509.load_pem_x509_certificate(self.certificate)
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    @classmethod
    def load(cls, folder: pathlib.Path, name: str) -> "Credentials":
        """Reads what `Authority.issue` wrote."""
        file = folder / name.replace("/", "_")
        authority = (folder / "ca.crt").read_bytes()
        return cls(authority, _beside(file, ".crt").read_bytes(), _beside(file, ".key").read_bytes())


def _hosts(name: str) -> list[x509.GeneralName]:
    """Returns the hosts that a certificate may speak for: none for an institution's."""
    if not name.startswith(PROCESSES):
        return []
    own: list[x509.GeneralName] = [x509.DNSName(server_name(name))]
    if name != GATEWAY:
        return own
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in GATEWAY_ADDRESSES]
    return [*own, *map(x509.DNSName, GATEWAY_HOSTS), *addresses]


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    # A negative lifetime makes an expired certificate, which tests of the door need.
    start = min(now, now + lifetime) - SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(now + lifetime)
    )


def _usage(sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _beside(file: pathlib.Path, ending: str) -> pathlib.Path:
    """Returns the file of a name with an ending; a name may have dots of its own, which with_suffix would cut off."""
    return file.with_name(file.name + ending)


def write_secret(file: pathlib.Path, content: bytes, mode: int = 0o600) -> None:
    """Writes whole or not at all: a killed process leaves no half key."""
    partial = file.with_name(file.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    os.replace(partial, file)
