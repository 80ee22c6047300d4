"""Documents as base64 in JSON; the window, which has a certificate and no session, sends them at the door."""

import base64
import json
import pathlib
import uuid
from typing import Any

import grpc
import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import intake_pb2

from gateway.json_api import transcoding
from gateway.json_api.routes import find
from tests.gateway_world import PASSWORD, World, call
from tests.service.intake_world import dec_message

WINDOW = "window/window.system"
FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures"


def body(*contents: bytes) -> dict[str, Any]:
    """An import as curl sends it: --json '{"documents": [{"documentId": …, "content": "<base64>"}]}'."""
    encoded = [base64.b64encode(content).decode() for content in contents]
    return {"documents": [{"documentId": f"{i}.xml", "content": text} for i, text in enumerate(encoded)]}


def import_of(path: str, sent: dict[str, Any]) -> Any:
    """The request that a JSON body makes."""
    route, variables = find("POST", path)
    assert route is not None
    assert isinstance(variables, dict)
    request = transcoding.request_of(route, variables, [], json.dumps(sent).encode())
    transcoding.complete_request_id(request, str(uuid.uuid4()))
    return request


@pytest.mark.parametrize("path", ["/v1/documents:import", "/v1/declarations:import"])
async def test_documents_come_in_as_base64(world: World, path: str) -> None:
    index = 800 + len(path)
    broken = (FIXTURES / "decmessage" / "bad_external_entity.xml").read_bytes()
    sent = body(dec_message(index), broken, b"\xef\xbb\xbf" + dec_message(index + 50))
    window, request, chinese = world.door(WINDOW), import_of(path, sent), [("accept-language", "zh-CN")]
    answer = await call(window, "ImportDocuments", request, chinese)
    assert [outcome(verdict) for verdict in answer.verdicts] == ["ACCEPTED", "REFUSED", "ACCEPTED"]
    (problem,) = answer.verdicts[1].problems
    assert (problem.reason, problem.message[:5]) == ("DTD_NOT_ALLOWED", "报文含有 ")
    assert await call(window, "ImportDocuments", request, chinese) == answer
    again = await call(window, "ImportDocuments", import_of(path, sent))
    assert [outcome(verdict) for verdict in again.verdicts] == ["DUPLICATE", "REFUSED", "DUPLICATE"]


async def test_refused_documents_are_listed_mended_and_given_up(world: World) -> None:
    window = world.door(WINDOW)
    await call(window, "ImportDocuments", import_of("/v1/documents:import", body(b"<One/>", b"<Two/>")))
    wanted = intake_pb2.ListRefusedDocumentsRequest(reason="FORMAT_UNKNOWN")
    listed = (await call(window, "ListRefusedDocuments", wanted)).refused_documents
    two, entry = sorted(listed, key=lambda found: found.document_id, reverse=True)[:2]
    found = await call(window, "GetRefusedDocument", intake_pb2.GetRefusedDocumentRequest(name=entry.name))
    assert found.content == b"<One/>"
    mended = pb.ResendDocumentRequest(request_id=str(uuid.uuid4()), name=entry.name, content=dec_message(900))
    answer = await call(window, "ResendDocument", mended)
    assert answer.refused_document.state == intake_pb2.RefusedDocument.MENDED
    discard = intake_pb2.DiscardRefusedDocumentRequest(request_id=str(uuid.uuid4()), name=two.name)
    assert (await call(window, "DiscardRefusedDocument", discard)).state == intake_pb2.RefusedDocument.DISCARDED


def outcome(verdict: Any) -> str:
    """An intake verdict's outcome by name."""
    return str(pb.IntakeVerdict.Outcome.Name(verdict.outcome))


async def test_the_window_has_no_session(world: World) -> None:
    async with world.browser() as client:
        answer = await client.post("/session", json={"login": "window.system", "password": PASSWORD})
        assert (answer.status_code, answer.json()["reason"]) == (401, "SIGN_IN_FAILED")


async def test_only_the_window_sends_documents(world: World) -> None:
    async with world.signed_in("ruijia.li") as client:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        answer = await client.post("/v1/documents:import", json=body(b"<One/>"), headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (403, "ACCESS_DENIED")
    bank = world.door("banks/LMHFCNB0/lmhf.system")
    request = pb.ImportDocumentsRequest(
        request_id=str(uuid.uuid4()), documents=[pb.Document(document_id="1", content=b"x")]
    )
    for method, message in (
        ("ImportDocuments", request),
        ("ListRefusedDocuments", intake_pb2.ListRefusedDocumentsRequest()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(bank, method, message)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_both_paths_lead_to_one_method() -> None:
    routes = [find("POST", f"/v1/{path}:import")[0] for path in ("documents", "declarations")]
    assert {route.method.descriptor.name for route in routes if route} == {"ImportDocuments"}
