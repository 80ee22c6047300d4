"""Why a method may be refused over HTTP: reasons by status, from what its service's code names and what we add."""

import json
import pathlib
from collections.abc import Iterable, Mapping
from functools import cache

import grpc
from google.protobuf.descriptor import Descriptor

from chassis import errors, server
from chassis.blobs import errors as blob_errors
from chassis.errors import DomainError
from gateway import errors as ours
from gateway.json_api.routes import Route
from gateway.json_api.transcoding import REQUEST_ID
from gateway.web import status_of

# Written by scripts/generate_reasons.py.
FILE = pathlib.Path(__file__).parent / "data" / "reasons.json"

Refusals = tuple[type[DomainError], ...]
ALWAYS: Refusals = (ours.HostUnknown, ours.FramingAmbiguous, server.Internal)
SIGNED_IN: Refusals = (ours.NotSignedIn, errors.AccessDenied, errors.InvalidFields, ours.TooManyFields)
CALLED: Refusals = (errors.NotFound, errors.ServiceUnavailable, server.MessageTooLarge)
CHANGES: Refusals = (ours.CrossSiteRequest,)
WITH_BODY: Refusals = (server.MessageTooLarge, ours.CallerGone)
WITH_REQUEST_ID: Refusals = (
    ours.IdempotencyKeyMissing,
    ours.IdempotencyKeyInvalid,
    errors.RequestIdReused,
    errors.Contended,
    errors.Overloaded,
)
WITH_CODE: Refusals = (errors.SecondFactorRequired, ours.OneTimeCodeInvalid, ours.TooManyAttempts)
WITH_PAGE_TOKEN: Refusals = (errors.InvalidPageToken,)
WITH_ETAG: Refusals = (errors.EtagMismatch,)
SIGN_IN: Refusals = (
    *ALWAYS, *CHANGES, *WITH_BODY, errors.InvalidFields, ours.SignInFailed, ours.TooManyAttempts, ours.SignInsWaiting,
)  # fmt: skip
BLOBS: Refusals = (ours.NotSignedIn, errors.AccessDenied, errors.InvalidFields, errors.ServiceUnavailable)
UPLOADS: Refusals = (
    ours.CallerGone,
    blob_errors.BlobTooLarge,
    blob_errors.BlobsFull,
    blob_errors.UploadIncomplete,
    blob_errors.UploadLate,
    errors.Overloaded,
)
# A call whose outcome isn't known has the code's name for a reason.
UNKNOWN_OUTCOME = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


@cache
def _of_services() -> Mapping[str, Mapping[str, str | list[str]]]:
    found: Mapping[str, Mapping[str, str | list[str]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def by_status(refusals: Refusals) -> dict[int, list[str]]:
    """The reasons of refusals by HTTP status."""
    return _sorted((status_of(refusal.code, refusal.reason), refusal.reason) for refusal in refusals)


def _sorted(pairs: Iterable[tuple[int, str]]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for status, reason in sorted(set(pairs)):
        found.setdefault(status, []).append(reason)
    return found


def of_route(route: Route) -> dict[int, list[str]]:
    """The reasons for which a call of a route may be refused, by HTTP status."""
    methods, codes = _of_services()["methods"], _of_services()["codes"]
    named = methods[route.method.descriptor.full_name]
    pairs = [(status_of(grpc.StatusCode[str(codes[reason])], reason), reason) for reason in named]
    pairs += [(status_of(code, ""), code.name) for code in UNKNOWN_OUTCOME]
    pairs += [(status, reason) for status, found in by_status(_of_gateway(route)).items() for reason in found]
    return _sorted(pairs)


def _of_gateway(route: Route) -> Refusals:
    """What the gateway and the chassis refuse, by what the route is."""
    fields = _names(route.method.descriptor.input_type)
    wanted = {
        CHANGES: route.changes,
        WITH_BODY: bool(route.body),
        WITH_REQUEST_ID: REQUEST_ID in fields,
        WITH_CODE: route.method.policy.second_factor,
        WITH_PAGE_TOKEN: "page_token" in fields,
        WITH_ETAG: "etag" in fields,
    }
    return (*ALWAYS, *SIGNED_IN, *CALLED, *(entry for kind, is_so in wanted.items() if is_so for entry in kind))


def _names(message: Descriptor) -> set[str]:
    return {field.name for field in message.fields}
