"""Documents over the JSON API, base64 in JSON, by the certificate that the window has; and refused ones at the door."""

import base64
import pathlib
import uuid
from typing import Any

import grpc
import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from aval.declarations.v1 import intake_pb2

from gateway.json_api.routes import find
from tests.gateway_world import World, call
from tests.service.intake_world import dec_message

FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures"


def body(*contents: bytes) -> dict[str, Any]:
    """An import as curl sends it: --json '{"documents": [{"documentId": …, "content": "<base64>"}]}'."""
    encoded = [base64.b64encode(content).decode() for content in contents]
    return {"documents": [{"documentId": f"{i}.xml", "content": text} for i, text in enumerate(encoded)]}


@pytest.mark.parametrize("path", ["/v1/documents:import", "/v1/declarations:import"])
async def test_documents_come_in_as_base64(world: World, path: str) -> None:
    index = 800 + len(path)
    broken = (FIXTURES / "decmessage" / "bad_external_entity.xml").read_bytes()
    sent = body(dec_message(index), broken, b"\xef\xbb\xbf" + dec_message(index + 50))
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    async with world.signed_in("window.system", "zh-CN") as client:
        answer = await client.post(path, json=sent, headers=headers)
        assert answer.status_code == 200, answer.text
        verdicts = answer.json()["verdicts"]
        assert [verdict["outcome"] for verdict in verdicts] == ["ACCEPTED", "REFUSED", "ACCEPTED"]
        (problem,) = verdicts[1]["problems"]
        assert (problem["reason"], problem["message"][:5]) == ("DTD_NOT_ALLOWED", "报文含有 ")
        assert (await client.post(path, json=sent, headers=headers)).json() == answer.json()
        again = await client.post(path, json=sent, headers={"Idempotency-Key": str(uuid.uuid4())})
        assert [verdict["outcome"] for verdict in again.json()["verdicts"]] == ["DUPLICATE", "REFUSED", "DUPLICATE"]


async def test_refused_documents_are_listed_mended_and_given_up(world: World) -> None:
    async with world.signed_in("window.system") as client:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        await client.post("/v1/documents:import", json=body(b"<One/>", b"<Two/>"), headers=key)
        listed = (await client.get("/v1/refusedDocuments", params={"reason": "FORMAT_UNKNOWN"})).json()
        two, one = sorted(listed["refusedDocuments"], key=lambda found: found["documentId"], reverse=True)
        found = (await client.get(f"/v1/{one['name']}")).json()
        assert base64.b64decode(found["content"]) == b"<One/>"
        mended = {"requestId": str(uuid.uuid4()), "content": base64.b64encode(dec_message(900)).decode()}
        answer = await client.post(f"/v1/{one['name']}:resend", json=mended)
        assert answer.json()["refusedDocument"]["state"] == "MENDED"
        answer = await client.post(f"/v1/{two['name']}:discard", json={"requestId": str(uuid.uuid4())})
        assert answer.json()["state"] == "DISCARDED"


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
