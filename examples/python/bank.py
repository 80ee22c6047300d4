"""A bank's client: reads a declaration and watches the register, with nothing but the protos and a certificate.

    python bank.py ADDRESS CERTIFICATE_FOLDER CERTIFICATE_NAME DECLARATION_NUMBER [EVENTS]

The protos come as build/aval.binpb, the descriptor image that `make setup` builds of protos/ and their
imports; a bank may as well generate code from protos/ with its own tools. Needs grpcio, protobuf and
googleapis-common-protos. Prints one JSON document a line: the declaration, then each event that the bank
may see, from the beginning, and ends after EVENTS of them.
"""

import json
import pathlib
import sys
import time
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2, status_pb2

IMAGE = pathlib.Path(__file__).parents[2] / "build" / "aval.binpb"
SERVICE = "aval.declarations.v1.DeclarationsService"
AGAIN_SECONDS = 0.5


def load_contract() -> Any:
    """The service's descriptor, from the image."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(IMAGE.read_bytes()).file:
        pool.Add(file)
    return pool.FindServiceByName(SERVICE)


def connect(address: str, folder: pathlib.Path, name: str) -> grpc.Channel:
    """The door, by mutual TLS."""
    base = name.replace("/", "_")
    parts = ((folder / file).read_bytes() for file in ("ca.crt", f"{base}.key", f"{base}.crt"))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*parts))


def method_of(channel: grpc.Channel, contract: Any, name: str) -> tuple[Any, type]:
    """A method to call, and the class of its requests."""
    method = contract.methods_by_name[name]
    request, response = (message_factory.GetMessageClass(one) for one in (method.input_type, method.output_type))
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = make(f"/{SERVICE}/{name}", request_serializer=request.SerializeToString,
                response_deserializer=response.FromString)  # fmt: skip
    return call, request


def reason_of(error: grpc.RpcError) -> str:
    """The stable reason of a refusal: the one ErrorInfo of its google.rpc.Status."""
    trailer = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    for detail in status_pb2.Status.FromString(trailer).details:
        found = error_details_pb2.ErrorInfo()
        if detail.Unpack(found):
            return str(found.reason)
    return str(error.code().name)


def show(value: dict[str, Any]) -> None:
    """One line."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def watch(call: Any, request: type, left: int) -> None:
    """A stream may end at any time; the resume token of its last response goes on where it ended."""
    token = ""
    while left > 0:
        try:
            for response in call(request(resume_token=token)):
                token = response.resume_token or token
                for event in response.events[:left]:
                    show({"event": event.type, "resource": event.resource, "id": event.event_id})
                left -= len(response.events)
                if left <= 0:
                    return
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(AGAIN_SECONDS)


def main(address: str, folder: str, name: str, number: str, events: str = "0") -> None:
    """Reads, then watches."""
    contract, resource = load_contract(), f"declarations/{number}"
    with connect(address, pathlib.Path(folder), name) as channel:
        get, get_request = method_of(channel, contract, "GetDeclaration")
        try:
            declaration = get(get_request(name=resource), timeout=10)
            value = declaration.declared_value
            show({"declaration": declaration.name, "value": f"{value.currency_code} {value.minor_units}"})
            watch(*method_of(channel, contract, "Watch"), int(events))
        except grpc.RpcError as error:
            show({"error": error.code().name, "reason": reason_of(error), "message": error.details()})
            sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
