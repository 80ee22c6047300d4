"""A platform of one service with the gateway in front of it, and people who come in by either way."""

import contextlib
import dataclasses
import datetime
import pathlib
import string
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import pyotp
import pytest
from argon2 import PasswordHasher
from aval.declarations.v1 import declarations_pb2 as pb
from google.protobuf.message import Message

from chassis import keyring
from chassis.certificates import Credentials
from chassis.channel import channel_credentials
from chassis.contracts import contract
from chassis.ports import free_port
from chassis.testing import Platform
from gateway.directory import directory, model
from gateway.directory.model import NewPrincipal
from gateway.limits import LIMITS, Limits
from gateway.server import Addresses, Gateway
from gateway.settings import PAGES, GatewaySettings
from services.declarations.service import SERVICE

ENTERPRISE = "enterprises/91411023MAXY00112A"
PASSWORD = "a long enough password"
OPERATOR = "operator.qiao"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
TEMPLATE = pathlib.Path(__file__).parents[1] / "cli" / "demo" / "world" / "declarations" / "xuchang_hair.xml"


# A sign-in checks a password, and takes next to no time; whoever measures times asks for `costly_passwords`.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
COSTLY = model._hasher

CONSENT = {
    "institution": "banks/LMHFCNB0",
    "purpose": "finance",
    "expireTime": (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).isoformat(),
}


def principal(login: str, tenant: str, role: str, certificate: str = "") -> NewPrincipal:
    names = (login.title(), "示例", tenant, "龙门禾丰银行" if tenant.startswith("banks/") else tenant)
    return NewPrincipal(login, tenant, (role,), *names, certificate, PASSWORD, SECRET)


PRINCIPALS = [
    principal("ruijia.li", ENTERPRISE, "EXPORTER"),
    principal("other.wang", "enterprises/91411323MAXY003314", "EXPORTER"),
    principal("codes.zhao", "enterprises/91411323MAXY003314", "EXPORTER"),
    principal("lmhf.checker", "banks/LMHFCNB0", "BANK_CHECKER", "banks/LMHFCNB0/lmhf.checker"),
    principal("lmhf.system", "banks/LMHFCNB0", "BANK_SYSTEM", "banks/LMHFCNB0/lmhf.system"),
    principal("window.system", "window", "WINDOW", "window/window.system"),
    principal(OPERATOR, "operators", "OPERATOR", "operators/operator.qiao"),
]


@dataclass
class World:
    """The platform and gateway that tests call."""

    platform: Platform
    gateway: Gateway
    addresses: Addresses
    settings: GatewaySettings
    channels: list[grpc.aio.Channel] = field(default_factory=list)
    # Of those who sign in with a one-time code, which counts once.
    tokens: dict[str, str] = field(default_factory=dict)

    def door(self, name: str) -> grpc.aio.Channel:
        """A channel of a client with a certificate of this name, through the door."""
        return self.channel(self.platform.authority.issue(name))

    def channel(self, credentials: Credentials) -> grpc.aio.Channel:
        channel = grpc.aio.secure_channel(self.addresses.door, channel_credentials(credentials))
        self.channels.append(channel)
        return channel

    def browser(self, language: str = "en") -> httpx.AsyncClient:
        """A client without a session."""
        headers = {"X-Aval-Request": "1", "Accept-Language": language}
        return httpx.AsyncClient(base_url=f"http://{self.addresses.http}", headers=headers, timeout=10)

    @contextlib.asynccontextmanager
    async def signed_in(self, login: str = "ruijia.li", language: str = "en") -> AsyncIterator[httpx.AsyncClient]:
        """A client with a session."""
        async with self.browser(language) as client:
            if login in self.tokens:
                client.cookies.set("aval_session", self.tokens[login], domain="127.0.0.1")
            else:
                await open_session(client, login)
            if login == OPERATOR:
                self.tokens[login] = client.cookies["aval_session"]
            yield client


@contextlib.asynccontextmanager
async def pages_of(world: World, **changes: Any) -> AsyncIterator[str]:
    """Another process' pages on the same store, with settings or limits of their own; their host:port."""
    limits = {name: value for name, value in changes.items() if name in Limits.__dataclass_fields__}
    others = {name: value for name, value in changes.items() if name not in limits}
    settings = dataclasses.replace(world.settings, limits=dataclasses.replace(LIMITS, **limits), **others).only(PAGES)
    gateway = Gateway(dataclasses.replace(settings, http_listen=f"127.0.0.1:{free_port()}", otlp_listen=""))
    try:
        yield (await gateway.start()).http
    finally:
        await gateway.stop()


async def open_session(client: httpx.AsyncClient, login: str) -> None:
    """Signs in, as the operator with a one-time code."""
    code = {"oneTimeCode": pyotp.TOTP(SECRET).now()} if login == OPERATOR else {}
    answer = await client.post("/session", json={"login": login, "password": PASSWORD, **code})
    assert answer.status_code == 201, answer.text


async def declare(world: World, number: str) -> str:
    """A declaration of the enterprise, sent by the window through the door, with the receipt that closes it."""
    names = {"declaration_number": number, "unified_number": number, "export_date": "20261109"}
    content = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(names).encode()
    document = pb.Document(document_id="1", content=content)
    window = world.door("window/window.system")
    request = pb.ImportDocumentsRequest(request_id=str(uuid.uuid4()), documents=[document])
    answer = await call(window, "ImportDocuments", request)
    assert answer.verdicts[0].outcome == pb.IntakeVerdict.ACCEPTED, answer
    receipts = pb.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()))
    for seconds, code in enumerate(("7", "L", "P", "R")):
        receipt = receipts.receipts.add(declaration_number=number, channel_code=code)
        receipt.notice_time.FromSeconds(1_794_000_000 + seconds)
    await call(window, "BatchCreateReceipts", receipts)
    return f"declarations/{number}"


async def declare_draft(world: World, client_number: str) -> None:
    """A declaration of the enterprise before it has its customs number, sent by the window through the door."""
    names = {"declaration_number": "", "unified_number": "", "export_date": "20261109"}
    text = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(names)
    sign = f"</DecLists><DecSign><ClientSeqNo>{client_number}</ClientSeqNo></DecSign>"
    document = pb.Document(document_id="1", content=text.replace("</DecLists>", sign).encode())
    request = pb.ImportDocumentsRequest(request_id=str(uuid.uuid4()), documents=[document])
    answer = await call(world.door("window/window.system"), "ImportDocuments", request)
    assert answer.verdicts[0].outcome == pb.IntakeVerdict.ACCEPTED, answer


async def call(channel: grpc.aio.Channel, method: str, request: Message, metadata: Any = ()) -> Any:
    """A call of the declarations service on any channel."""
    callee = contract("declarations")
    forward = channel.unary_unary(
        callee.path(method),
        request_serializer=type(request).SerializeToString,
        response_deserializer=callee.response(method).FromString,
    )
    return await forward(request, metadata=metadata, timeout=10)


def hashed_by(hasher: PasswordHasher, patch: pytest.MonkeyPatch) -> None:
    """Makes this process' directory hash by another price; a hash says itself at which price it is checked."""
    patch.setattr(model, "_hasher", hasher)
    patch.setattr(model, "_NOBODY", hasher.hash("nobody"))


@pytest.fixture(scope="session")
def cheap_passwords() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        hashed_by(CHEAP, patch)
        yield


@pytest.fixture
def costly_passwords(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The price of a platform that runs, for principals that are entered from here on and for strangers."""
    hashed_by(COSTLY, monkeypatch)


@pytest.fixture(scope="session")
async def world(database: str, tmp_path_factory: pytest.TempPathFactory, cheap_passwords: None) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("gateway")
    platform = Platform(folder, database, [SERVICE])
    await platform.start()
    http, door, otlp = (f"127.0.0.1:{free_port()}" for _ in range(3))
    keyring.prepare(platform.authority.folder, "gateway", 0)
    settings = GatewaySettings(database, platform.authority.folder, platform.addresses, http, door, otlp)
    gateway = Gateway(settings)
    addresses = await gateway.start()
    directory.load_principals(gateway.database, PRINCIPALS)
    found = World(platform, gateway, addresses, settings)
    yield found
    for channel in found.channels:
        await channel.close()
    await gateway.stop()
    await platform.stop()
