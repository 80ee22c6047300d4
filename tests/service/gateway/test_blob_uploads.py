"""Documents over HTTP: sent in chunks, cut off, too large, of another type; read as files by their owner alone."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import sqlalchemy as sa
from aval.blobs.v1 import blobs_pb2
from aval.declarations.v1 import declarations_pb2_grpc

from chassis import tables
from tests.gateway_world import ENTERPRISE, World, pages_of
from tests.support import refusal_of

PATIENCE_SECONDS = 15
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 3000 + b"\n%%EOF\n"
SHA256 = hashlib.sha256(PDF).hexdigest()
TYPE = {"Content-Type": "application/pdf"}
UPLOADS = "/blobs/declarations"


async def chunks(content: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def kept(world: World, owner: str = ENTERPRISE) -> list[Any]:
    """The rows of an owner's blobs, those under way too."""
    with world.platform.nodes["declarations"].store.read() as connection:
        return list(connection.execute(sa.select(tables.blobs).where(tables.blobs.c.owner == owner)))


async def test_a_document_is_sent_in_chunks_and_read_as_a_file(world: World) -> None:
    async with world.signed_in() as client:
        for content in (chunks(PDF), PDF):
            answer = await client.post(UPLOADS, content=content, headers=TYPE)
            assert answer.status_code == 201, answer.text
            assert answer.headers["location"] == f"{UPLOADS}/{SHA256}"
            found = answer.json()
            assert (found["name"], found["size"], found["mediaType"]) == (
                f"blobs/{SHA256}",
                str(len(PDF)),
                "application/pdf",
            )
        assert len([row for row in kept(world) if row.size == len(PDF)]) == 1
        answer = await client.get(answer.headers["location"])
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-length"] == str(len(PDF))
        assert answer.headers["content-disposition"] == f'attachment; filename="{SHA256}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        head = await client.head(f"{UPLOADS}/{SHA256}")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(PDF))


async def test_for_others_a_document_isnt_there(world: World) -> None:
    async with world.signed_in() as client:
        assert (await client.post(UPLOADS, content=PDF, headers=TYPE)).status_code == 201
    async with world.signed_in("other.wang") as client:
        theirs, never = [await client.get(f"{UPLOADS}/{sha256}") for sha256 in (SHA256, "0" * 64)]
        assert (theirs.status_code, never.status_code) == (404, 404)
        assert theirs.text.replace(SHA256, "") == never.text.replace("0" * 64, "")
        assert {*theirs.headers} == {*never.headers}
    async with world.signed_in("operator.qiao") as client:
        answer = await client.get(f"{UPLOADS}/{SHA256}")
        assert (answer.status_code, answer.json()["reason"]) == (403, "ACCESS_DENIED")
        assert (await client.post(UPLOADS, content=PDF, headers=TYPE)).json()["reason"] == "ACCESS_DENIED"
    async with world.browser() as client:
        answer = await client.get(f"{UPLOADS}/{SHA256}")
        assert (answer.status_code, answer.json()["reason"]) == (401, "NOT_SIGNED_IN")
        assert (await client.post(UPLOADS, content=PDF, headers=TYPE)).json()["reason"] == "NOT_SIGNED_IN"


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason", "fields"),
    [
        (PDF, {"Content-Type": "image/png"}, 400, "INVALID_FIELDS", ["media_type"]),
        (PDF, {"Content-Type": "application/x-msdownload"}, 400, "INVALID_FIELDS", ["media_type"]),
        (PDF, {}, 400, "INVALID_FIELDS", ["media_type"]),
        (b"", TYPE, 400, "INVALID_FIELDS", ["content", "media_type"]),
        (PDF, TYPE | {"Content-Digest": "sha-256=:AAAA:"}, 400, "INVALID_FIELDS", ["Content-Digest"]),
        (
            PDF,
            TYPE | {"Content-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"},
            400,
            "INVALID_FIELDS",
            ["sha256"],
        ),
    ],
)
async def test_what_is_refused_leaves_nothing(
    world: World, content: bytes, headers: dict[str, str], status: int, reason: str, fields: list[str]
) -> None:
    before = len(kept(world))
    for language in ("en", "zh-CN"):
        async with world.signed_in(language=language) as client:
            answer = await client.post(UPLOADS, content=content, headers=headers)
            told = answer.json()
            assert (answer.status_code, told["reason"]) == (status, reason)
            (violations,) = [detail["fieldViolations"] for detail in told["details"] if "fieldViolations" in detail]
            assert [violation["field"] for violation in violations] == fields
    assert len(kept(world)) == before


async def test_a_digest_that_agrees_is_taken(world: World) -> None:
    digest = base64.b64encode(hashlib.sha256(PDF).digest()).decode()
    async with world.signed_in() as client:
        headers = TYPE | {"Content-Digest": f"sha-512=:AAAA:, sha-256=:{digest}:"}
        assert (await client.post(UPLOADS, content=PDF, headers=headers)).status_code == 201


async def test_a_change_from_another_site_is_refused(world: World) -> None:
    async with world.signed_in() as client:
        answer = await client.post(UPLOADS, content=PDF, headers=TYPE | {"Origin": "https://elsewhere.example"})
        assert (answer.status_code, answer.json()["reason"]) == (403, "CROSS_SITE_REQUEST")


@pytest.mark.parametrize("path", ["/blobs/loans", "/blobs/nothing", "/blobs/"])
async def test_only_services_that_take_blobs_have_a_path(world: World, path: str) -> None:
    async with world.signed_in() as client:
        answer = await client.post(path, content=PDF, headers=TYPE)
        assert (answer.status_code, answer.json()["reason"]) == (404, "ROUTE_NOT_FOUND")


async def test_a_digest_that_is_none_is_refused(world: World) -> None:
    async with world.signed_in() as client:
        answer = await client.get(f"{UPLOADS}/{SHA256[:-1]}")
        assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_FIELDS")


async def test_a_document_over_the_limit_isnt_read(world: World) -> None:
    before = len(kept(world))
    async with (
        world.signed_in() as client,
        pages_of(world, blob_bytes=300_000) as host,
        httpx.AsyncClient(base_url=f"http://{host}", headers=client.headers, cookies=client.cookies) as small,
    ):
        for content in (PDF, chunks(PDF)):
            answer = await small.post(UPLOADS, content=content, headers=TYPE)
            assert (answer.status_code, answer.json()["reason"]) == (413, "BLOB_TOO_LARGE")
            assert "300000" in answer.json()["message"]
    assert len(kept(world)) == before


async def begun(world: World, host: str, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has sent so much of a document and no more."""
    async with world.signed_in() as client:
        cookie = f"aval_session={client.cookies['aval_session']}"
    reader, writer = await asyncio.open_connection(*host.rsplit(":", 1))
    head = f"POST {UPLOADS} HTTP/1.1\r\nHost: {host}\r\nX-Aval-Request: 1\r\nCookie: {cookie}\r\n"
    head += f"Content-Type: application/pdf\r\nContent-Length: {len(PDF)}\r\n\r\n"
    writer.write(head.encode() + sent)
    await writer.drain()
    return reader, writer


async def until(world: World, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len([row for row in kept(world) if not row.is_done]) != count:
            await asyncio.sleep(0.01)


async def test_a_connection_that_is_cut_leaves_nothing(world: World) -> None:
    _, writer = await begun(world, world.addresses.http, PDF[:600_000])
    await until(world, 1)
    writer.close()
    await until(world, 0)


async def test_an_upload_has_a_time_of_its_own(world: World) -> None:
    async with pages_of(world, body_seconds=1, upload_seconds=2) as host:
        loop = asyncio.get_running_loop()
        started = loop.time()
        reader, writer = await begun(world, host, PDF[:300_000])
        assert await reader.read() == b""
        assert 1.9 < loop.time() - started < PATIENCE_SECONDS
        writer.close()
    await until(world, 0)


async def test_a_client_of_the_door_sends_and_reads_a_document(world: World) -> None:
    """With the stubs that the contract gives."""
    stub: Any = declarations_pb2_grpc.DeclarationsServiceStub(world.door("window/window.system"))  # type: ignore[no-untyped-call]
    blob = await stub.UploadBlob(parts(PDF), timeout=PATIENCE_SECONDS)
    assert (blob.name, blob.size) == (f"blobs/{SHA256}", len(PDF))
    request = blobs_pb2.GetBlobRequest(name=blob.name)
    found = [part async for part in stub.GetBlob(request, timeout=PATIENCE_SECONDS)]
    assert b"".join(part.content for part in found) == PDF
    assert found[-1].sha256 == SHA256
    # The enterprise's own is another one.
    assert [row.owner for row in kept(world, "window") if row.size == len(PDF)] == ["window"]


@pytest.mark.parametrize(
    ("client", "media_type", "reason"),
    [
        ("window/window.system", "image/png", "INVALID_FIELDS"),
        ("window/window.system", "application/x-msdownload", "INVALID_FIELDS"),
        ("banks/LMHFCNB0/lmhf.system", "application/pdf", "ACCESS_DENIED"),
    ],
)
async def test_a_client_of_the_door_is_told_why_a_document_is_refused(
    world: World, client: str, media_type: str, reason: str
) -> None:
    stub: Any = declarations_pb2_grpc.DeclarationsServiceStub(world.door(client))  # type: ignore[no-untyped-call]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.UploadBlob(parts(PDF, media_type), timeout=PATIENCE_SECONDS)
    assert refusal_of(refused.value, "en").reason == reason


async def parts(content: bytes, media_type: str = "application/pdf") -> AsyncIterator[blobs_pb2.BlobPart]:
    """A document in pieces, as a client sends it."""
    yield blobs_pb2.BlobPart(media_type=media_type)
    async for chunk in chunks(content):
        yield blobs_pb2.BlobPart(content=chunk)
    yield blobs_pb2.BlobPart(sha256=hashlib.sha256(content).hexdigest())
