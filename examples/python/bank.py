"""A small bank's client, with plain grpcio and the generated messages: reads, watches, reserves.

    python bank.py ADDRESS CERTIFICATE_FOLDER CERTIFICATE_NAME DECLARATION_NUMBER [EVENTS] [MINOR_UNITS]

Prints one JSON document a line: the declaration; then EVENTS of its events, over a cut after each, which the resume
token bridges; then, where MINOR_UNITS are given, the reservation of so much of its value, or why it was refused.
Needs the packages grpcio and protobuf, and build/gen on the path, which `make setup` makes of protos/.
"""

import json
import pathlib
import sys
import time
import uuid
from collections.abc import Iterator

import grpc
from aval.declarations.v1 import declarations_pb2 as declarations
from aval.declarations.v1 import declarations_pb2_grpc
from aval.events.v1 import events_pb2 as events
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2, status_pb2

PATIENCE_SECONDS = 30
PAUSE_SECONDS = 0.5
# What says nothing about the stream but that it is over.
RESUMED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


def connect(address: str, folder: pathlib.Path, name: str) -> grpc.Channel:
    """A connection that shows the bank's certificate."""
    file = folder / name.replace("/", "_")
    key, certificate = (file.with_name(file.name + ending).read_bytes() for ending in (".key", ".crt"))
    return grpc.secure_channel(
        address, grpc.ssl_channel_credentials((folder / "ca.crt").read_bytes(), key, certificate)
    )


class Bank:
    """The calls that this bank makes."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.service = declarations_pb2_grpc.DeclarationsServiceStub(channel)

    def watch(self, resource: str) -> Iterator[events.Event]:
        """The events of a resource for ever.

        A stream may end at any time, and does after five minutes: by an error or, just as well, by a plain end. The
        resume token of its last response goes on where it ended. grpc.RpcError for what isn't mended by that.
        """
        token = ""
        while True:
            request = events.WatchRequest(resource=resource, resume_token=token)
            stream = self.service.Watch(request, timeout=PATIENCE_SECONDS)
            try:
                for response in stream:
                    yield from response.events
                    # Kept only now, when all the events before it have been dealt with.
                    token = response.resume_token
                    if response.events:
                        stream.cancel()
                        break
            except grpc.RpcError as error:
                if error.code() not in RESUMED:
                    raise
            time.sleep(PAUSE_SECONDS)


def refusal(error: grpc.RpcError) -> dict[str, object]:
    """What a refusal says: its code, its reason and what belongs to it, and a message for people."""
    status, info = status_pb2.Status(), error_details_pb2.ErrorInfo()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status.ParseFromString(value)
    for detail in status.details:
        detail.Unpack(info)
    return {
        "code": error.code().name,
        "reason": info.reason,
        "metadata": dict(info.metadata),
        "message": status.message,
    }


def show(value: object) -> None:
    """One line."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def main(address: str, folder: str, name: str, number: str, count: str = "0", minor_units: str = "") -> int:
    """Reads, watches, reserves; 1 where it may not even read."""
    resource = f"declarations/{number}"
    with connect(address, pathlib.Path(folder), name) as channel:
        bank = Bank(channel)
        try:
            found = bank.service.GetDeclaration(
                declarations.GetDeclarationRequest(name=resource), timeout=PATIENCE_SECONDS
            )
        except grpc.RpcError as error:
            show({"refused": refusal(error)})
            return 1
        show({"declaration": found.name, "value": MessageToDict(found.value)})
        watched = bank.watch(resource)
        for _ in range(int(count)):
            event = next(watched)
            show({"event": event.type, "id": event.event_id})
        if minor_units:
            show(reserve(bank, found, int(minor_units)))
    return 0


def reserve(bank: Bank, declaration: declarations.Declaration, minor_units: int) -> dict[str, object]:
    """Reserves value for this bank. The ids are made here: sent again, the same request has the same answer."""
    item = declarations.EncumberedValue(asset=declaration.name)
    item.amount.currency_code, item.amount.minor_units = declaration.declared_value.currency_code, minor_units
    request = declarations.ReserveEncumbranceRequest(
        request_id=str(uuid.uuid4()),
        encumbrance_id=str(uuid.uuid4()),
        encumbrance=declarations.Encumbrance(asset_class="RECEIVABLE", items=[item]),
    )
    try:
        made = bank.service.ReserveEncumbrance(request, timeout=PATIENCE_SECONDS)
    except grpc.RpcError as error:
        return {"refused": refusal(error)}
    return {"encumbrance": made.name, "state": declarations.Encumbrance.State.Name(made.state)}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
