"""Certificates of peers: an institution's is a client's, a process' speaks for that process alone."""

import datetime
import pathlib
import shutil

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health, health_pb2

from chassis import server
from chassis.certificates import Authority, Credentials, NoServerCertificate, server_name
from chassis.channel import Channels, channel_credentials
from chassis.ports import free_port
from chassis.testing import Platform
from services.declarations.service import SERVICE as DECLARATIONS

CHECK = "/grpc.health.v1.Health/Check"
BANK = "banks/LMHFCNB0/lmhf.system"
# What a Kubernetes cluster calls the services; principals may be called the same.
IMPOSTORS = (BANK, "banks/LMHFCNB0/declarations", "banks/LMHFCNB0/loans", "banks/LMHFCNB0/gateway", "services/loans")


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> Authority:
    return Authority(tmp_path / "certificates")


async def _serve(credentials: Credentials, address: str) -> grpc.aio.Server:
    """A health service behind a certificate, whatever that is for."""
    serving = health.aio.HealthServicer()
    await serving.set("", health_pb2.HealthCheckResponse.SERVING)
    running = server.build_server([], [], serving)
    pair = [(credentials.key, credentials.certificate)]
    running.add_secure_port(address, grpc.ssl_server_credentials(pair, credentials.authority, require_client_auth=True))
    await running.start()
    return running


async def _answers(channel: grpc.aio.Channel) -> bool:
    call = channel.unary_unary(CHECK, Empty.SerializeToString, health_pb2.HealthCheckResponse.FromString)
    try:
        await call(Empty(), timeout=5)
    except grpc.RpcError:
        return False
    return True


@pytest.mark.parametrize("name", IMPOSTORS)
async def test_nobody_else_plays_a_service_or_the_door(authority: Authority, name: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    running = await _serve(authority.issue(name), address)
    channels = Channels(authority.issue("services/gateway"), {"declarations": address})
    assert not await _answers(channels["declarations"])
    await channels.close()
    # As a bank calls the door: by the name of a host, and the authority alone.
    client = channel_credentials(authority.issue("banks/YUHECNB0/yuhe.system"))
    for host in (address, address.replace("127.0.0.1", "localhost")):
        async with grpc.aio.secure_channel(host, client) as door:
            assert not await _answers(door)
    await running.stop(0)


@pytest.mark.parametrize("name", ["declarations", "credit_insurance", "gateway"])
async def test_a_process_is_taken_for_itself(authority: Authority, name: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    running = await _serve(authority.issue(f"services/{name}"), address)
    channels = Channels(authority.issue("services/loans"), {name: address})
    assert await _answers(channels[name])
    await channels.close()
    async with grpc.aio.secure_channel(address, channel_credentials(authority.issue(BANK))) as door:
        assert await _answers(door) == (name == "gateway")
    await running.stop(0)


@pytest.mark.parametrize("name", [*IMPOSTORS[:4], "insurers/5493001KJTIIGC8Y1R12/loans", "window/window.system"])
def test_an_institutions_certificate_is_a_clients_and_names_no_host(authority: Authority, name: str) -> None:
    certificate = x509.load_pem_x509_certificate(authority.issue(name).certificate)
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [type(entry) for entry in names] == [x509.UniformResourceIdentifier]


def test_each_process_has_a_name_of_its_own(authority: Authority) -> None:
    names = ("declarations", "settlement", "credit_insurance", "loans", "gateway")
    issued = [authority.issue(f"services/{name}") for name in names]
    for credentials in issued:
        credentials.check_server()
    hosts = [
        set(
            x509.load_pem_x509_certificate(each_credentials.certificate)
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value.get_values_for_type(x509.DNSName)
        )
        for each_credentials in issued
    ]
    assert hosts[2] == {"credit-insurance.aval.internal"} == {server_name("services/credit_insurance")}
    assert hosts[-1] == {"gateway.aval.internal", "gateway", "localhost"}
    assert sum(map(len, hosts)) == len(set().union(*hosts))


def _as_before(folder: pathlib.Path, *names: str) -> None:
    """An authority and certificates as they were made before: everybody a server on this host."""
    folder.mkdir(parents=True)
    now = datetime.datetime.now(datetime.UTC)
    signer, issuer = ec.generate_private_key(ec.SECP256R1()), "Aval development authority"

    def issue(file: str, name: str, key: ec.EllipticCurvePrivateKey, *more: tuple[x509.ExtensionType, bool]) -> None:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in more:
            builder = builder.add_extension(extension, critical)
        pem = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (folder / f"{file}.crt").write_bytes(pem)
        form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{file}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))

    issue("ca", issuer, signer, (x509.BasicConstraints(ca=True, path_length=0), True))
    for name in names:
        alternatives = [
            x509.UniformResourceIdentifier(f"spiffe://aval/{name}"),
            x509.DNSName("localhost"),
            x509.DNSName(name.rsplit("/", 1)[-1]),
        ]
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        key = ec.generate_private_key(ec.SECP256R1())
        issue(name.replace("/", "_"), name, key, (x509.SubjectAlternativeName(alternatives), False), (both, False))


async def test_a_folder_from_before_is_issued_anew_and_its_certificates_count_no_more(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "certificates"
    _as_before(folder, "services/declarations", "services/gateway", BANK)
    old = shutil.copytree(folder, tmp_path / "old")
    assert Credentials.load(folder, BANK).name == BANK
    platform = Platform(tmp_path, f"sqlite:///{tmp_path / 'store'}", [DECLARATIONS])
    await platform.start()
    assert await _answers(platform.channels["declarations"])
    stale = Credentials.load(old, "services/gateway")
    stale.authority = platform.authority.issue(BANK).authority
    channels = Channels(stale, platform.addresses)
    assert not await _answers(channels["declarations"])
    await channels.close()
    await platform.stop()


def test_a_process_with_a_certificate_from_before_says_so(tmp_path: pathlib.Path) -> None:
    _as_before(tmp_path / "old", "services/loans", BANK)
    for name in ("services/loans", BANK):
        with pytest.raises(NoServerCertificate, match=r"issue the folder's certificates anew"):
            server.server_credentials(Credentials.load(tmp_path / "old", name))
