"""The banks' door: who comes in, what exists, and that what passes is untouched."""

import datetime
import uuid
from typing import Any

import grpc
import pytest
from aval.declarations.v1 import declarations_pb2 as pb
from aval.events.v1 import events_pb2
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.certificates import Authority, Credentials
from chassis.channel import channel_credentials
from chassis.contracts import contract
from chassis.identity import ASSERTION_KEY, Caller, policy_of
from chassis.status import TRAILER
from gateway.contracts import SERVICES
from gateway.door.reflection import public_pool
from tests.gateway_world import World, call, declare

CHECKER = "banks/LMHFCNB0/lmhf.checker"
SYSTEM = "banks/LMHFCNB0/lmhf.system"
WINDOW = "window/window.system"
# The world has one service.
SERVICES_HERE = ("declarations",)
LIST = pb.ListDeclarationsRequest()


def reason(error: grpc.RpcError) -> str:
    """The one ErrorInfo's reason."""
    details = dict(error.trailing_metadata())[TRAILER]
    found = []
    for detail in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            found.append(info.reason)
    (entry,) = found
    return str(entry)


async def refusal(channel: grpc.aio.Channel, method: str, request: Any, metadata: Any = ()) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await call(channel, method, request, metadata)
    return caught.value


async def test_a_known_certificate_comes_in_and_the_service_knows_who_it_is(world: World) -> None:
    await declare(world, "462020260000000001")
    answer = await call(world.door(CHECKER), "ListDeclarations", LIST)
    assert not answer.declarations
    listed = await call(world.door(WINDOW), "ListDeclarations", LIST)
    assert "462020260000000001" in [declaration.declaration_number for declaration in listed.declarations]


async def test_a_certificate_of_nobody_is_refused_with_a_reason(world: World) -> None:
    error = await refusal(world.door("banks/LMHFCNB0/stranger"), "ListDeclarations", LIST)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason(error) == "CERTIFICATE_UNKNOWN"


async def test_a_service_s_own_certificate_is_no_principal(world: World) -> None:
    error = await refusal(world.door("services/loans"), "ListDeclarations", LIST)
    assert reason(error) == "CERTIFICATE_UNKNOWN"


async def test_an_expired_certificate_opens_no_connection(world: World) -> None:
    world.platform.authority.issue("banks/LMHFCNB0/lmhf.expired", -datetime.timedelta(days=1))
    error = await refusal(world.door("banks/LMHFCNB0/lmhf.expired"), "ListDeclarations", LIST)
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_no_certificate_opens_no_connection(world: World) -> None:
    authority = Credentials.load(world.settings.certificates, "services/gateway").authority
    credentials = grpc.ssl_channel_credentials(authority)
    async with grpc.aio.secure_channel(world.addresses.door, credentials) as channel:
        error = await refusal(channel, "ListDeclarations", LIST)
    assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_another_authority_opens_no_connection(world: World, tmp_path: Any) -> None:
    foreign = Authority(tmp_path).issue(CHECKER)
    ours = Credentials.load(world.settings.certificates, "services/gateway").authority
    credentials = channel_credentials(Credentials(ours, foreign.certificate, foreign.key))
    async with grpc.aio.secure_channel(world.addresses.door, credentials) as channel:
        error = await refusal(channel, "ListDeclarations", LIST)
    assert error.code() is grpc.StatusCode.UNAVAILABLE


def internal_paths() -> list[str]:
    methods = [method for service in SERVICES for method in contract(service).descriptor.methods]
    found = [f"/{m.containing_service.full_name}/{m.name}" for m in methods if policy_of(m).internal]
    assert found
    return found


@pytest.mark.parametrize("path", [*internal_paths(), "/aval.declarations.v1.DeclarationsService/Nothing", "/a.B/C"])
async def test_internal_and_unknown_methods_do_not_exist(world: World, path: str) -> None:
    forward = world.door(SYSTEM).unary_unary(path)
    with pytest.raises(grpc.RpcError) as caught:
        await forward(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert caught.value.details() == "Method not found!"


async def test_forged_identities_are_removed(world: World) -> None:
    window = Caller("window/window.system", "window", frozenset({"WINDOW"}))
    forged = world.platform.signer.assertion(window, "declarations", 2_000_000_000_000_000)
    metadata = [(ASSERTION_KEY, forged), ("aval-on-behalf-of", "window"), ("aval-tenant", "services/loans")]
    answer = await call(world.door(CHECKER), "ListDeclarations", LIST, metadata)
    assert not answer.declarations


async def test_a_service_s_refusal_passes_unchanged(world: World) -> None:
    request = pb.GetDeclarationRequest(name="declarations/462020260000009999")
    caller = Caller(WINDOW, "window", frozenset({"WINDOW"}))
    error = await refusal(world.door(WINDOW), "GetDeclaration", request, [("accept-language", "zh-CN")])
    assertion = world.platform.signer.assertion(caller, "declarations", 1_800_000_000_000_000)
    direct = [(ASSERTION_KEY, assertion), ("accept-language", "zh-CN")]
    expected = await refusal(world.platform.channels["declarations"], "GetDeclaration", request, direct)
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert error.details() == expected.details()
    assert dict(error.trailing_metadata())[TRAILER] == dict(expected.trailing_metadata())[TRAILER]


async def test_roles_are_the_service_s_to_judge(world: World) -> None:
    request = pb.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()))
    error = await refusal(world.door(CHECKER), "BatchCreateReceipts", request)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert reason(error) == "ACCESS_DENIED"


async def test_streams_pass_both_ways(world: World) -> None:
    callee = contract("declarations")
    stream = world.door(WINDOW).stream_stream(
        callee.path("StreamReceipts"),
        request_serializer=pb.BatchCreateReceiptsRequest.SerializeToString,
        response_deserializer=pb.BatchCreateReceiptsResponse.FromString,
    )()
    for count in (1, 2, 3):
        request = pb.BatchCreateReceiptsRequest(request_id=str(uuid.uuid4()))
        for seconds in range(count):
            receipt = request.receipts.add(declaration_number="462020260000000777", channel_code="L")
            receipt.notice_time.FromSeconds(1_794_000_000 + seconds)
        await stream.write(request)
        response = await stream.read()
        assert len(response.verdicts) == count
    await stream.done_writing()
    assert await stream.read() is grpc.aio.EOF


async def test_watch_passes_as_it_comes(world: World) -> None:
    callee = contract("declarations")
    watch = world.door(WINDOW).unary_stream(
        callee.path("Watch"),
        request_serializer=events_pb2.WatchRequest.SerializeToString,
        response_deserializer=events_pb2.WatchResponse.FromString,
    )
    (ended,) = [response async for response in watch(events_pb2.WatchRequest(until_end=True), timeout=10)][-1:]
    stream = watch(events_pb2.WatchRequest(resume_token=ended.resume_token, log_epoch=ended.log_epoch))
    assert ended.resume_token
    stream.cancel()


async def test_a_refused_stream_has_its_reason(world: World) -> None:
    callee = contract("declarations")
    stream = world.door(CHECKER).stream_stream(callee.path("StreamReceipts"))()
    await stream.write(b"")
    await stream.done_writing()
    with pytest.raises(grpc.RpcError) as caught:
        await stream.read()
    assert reason(caught.value) == "ACCESS_DENIED"


async def test_health_and_reflection_show_the_services_without_what_is_internal(world: World) -> None:
    channel = world.door(CHECKER)
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    name = "aval.declarations.v1.DeclarationsService"
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=name),
    ]
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    listed, file = [answer async for answer in stub.ServerReflectionInfo(iter(requests), timeout=10)]
    assert name in [service.name for service in listed.list_services_response.service]
    files = b"".join(file.file_descriptor_response.file_descriptor_proto)
    assert b"GetDeclaration" in files
    assert b"\n\rApplyProceeds\x12" not in files


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_has_both_of_its_names_and_describes_itself(world: World, version: str) -> None:
    """As a client does that knows nothing: it asks, reads the files, and makes its messages of them."""
    service = f"grpc.reflection.{version}.ServerReflection"
    ask = world.door(CHECKER).stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    requests = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol=service),
    ]
    listed, told = [answer async for answer in ask(iter(requests), timeout=10)]
    names = [entry.name for entry in listed.list_services_response.service]
    assert service in names
    assert len(names) == len(set(names)) == len(SERVICES_HERE) + 3
    pool = descriptor_pool.DescriptorPool()
    for raw in told.file_descriptor_response.file_descriptor_proto:
        pool.AddSerializedFile(raw)
    (method,) = pool.FindServiceByName(service).methods
    assert method.input_type.full_name == f"grpc.reflection.{version}.ServerReflectionRequest"


def test_reflection_has_no_shape_that_only_internal_methods_speak_in() -> None:
    pool = public_pool(SERVICES)
    for name in (
        "aval.declarations.v1.ApplyProceedsRequest", "aval.declarations.v1.ApplyProceedsResponse",
        "aval.declarations.v1.SettledEncumbrance", "aval.settlement.v1.DisburseRequest",
        "aval.settlement.v1.CollectPremiumResponse", "aval.credit_insurance.v1.HoldCoverRequest",
        "aval.loans.v1.CreateRepaymentRequest",
    ):  # fmt: skip
        with pytest.raises(KeyError):
            pool.FindMessageTypeByName(name)
    for name in (
        "aval.declarations.v1.ReserveEncumbranceRequest", "aval.declarations.v1.Encumbrance", "aval.type.v1.Money",
        "aval.loans.v1.Loan", "aval.credit_insurance.v1.CoverHold", "aval.declarations.v1.RegistrationMatched",
        "aval.declarations.v1.DeclarationsDeclared", "aval.events.v1.WatchResponse",
    ):  # fmt: skip
        assert pool.FindMessageTypeByName(name)


async def test_unknown_fields_pass_untouched(world: World) -> None:
    """Bytes are never parsed at the door: what an older gateway doesn't know gets through."""
    request = pb.ListDeclarationsRequest(page_size=1).SerializeToString() + b"\xca\x3e\x03abc"
    forward = world.door(WINDOW).unary_unary(contract("declarations").path("ListDeclarations"))
    answer = pb.ListDeclarationsResponse.FromString(await forward(request, timeout=10))
    assert len(answer.declarations) == 1
