"""Refusals on the wire: DomainError to google.rpc.Status and back."""

import re
from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2, message
from google.rpc import error_details_pb2, status_pb2

from chassis import errors
from chassis.errors import DOMAIN, DomainError, Problem

TRAILER = "grpc-status-details-bin"
# The languages that callers ask for, by the first part of their tags, and which of ours they get.
OURS = {"en": errors.LANGUAGES[0], "zh": errors.LANGUAGES[1]}
LONGEST_HEADER = 200
WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?", re.ASCII)
CODES = {code.value[0]: code for code in grpc.StatusCode}
# Outcomes that say nothing about whether the call happened: the same call again is the only answer.
UNKNOWN_OUTCOME = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.UNAUTHENTICATED,
}


class RemoteError(DomainError):
    """Another service refused, or couldn't be reached."""

    def __init__(self, status: status_pb2.Status) -> None:
        info, violations, localized = _details(status)
        self.code = CODES.get(status.code, grpc.StatusCode.UNKNOWN)  # type: ignore[misc]
        self.reason = info.reason or self.code.name  # type: ignore[misc]
        self._texts = {"en": status.message, **localized}
        problems = [Problem(v.field, v.reason, v.description, v.description) for v in violations]
        super().__init__(problems, **dict(info.metadata))

    def text(self, language: str) -> str:
        """Returns the message as the other side gave it."""
        return str(self._texts.get(language, self._texts["en"]))


def _details(
    status: status_pb2.Status,
) -> tuple[error_details_pb2.ErrorInfo, list[error_details_pb2.BadRequest.FieldViolation], dict[str, str]]:
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    localized = error_details_pb2.LocalizedMessage()
    kinds: Iterable[message.Message] = (info, bad_request, localized)
    for detail in status.details:
        for kind in kinds:
            detail.Unpack(kind)
    texts = {localized.locale: localized.message} if localized.locale else {}
    return info, list(bad_request.field_violations), texts


def to_status(error: DomainError, language: str) -> status_pb2.Status:
    """Returns the refusal as a status: an ErrorInfo, all field violations, the message in the caller's language."""
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata),
        error_details_pb2.LocalizedMessage(locale=language, message=error.text(language)),
    ]
    if error.problems:
        details.append(_bad_request(error.problems, language))
    return status_pb2.Status(
        code=error.code.value[0], message=error.text("en"), details=[_packed(detail) for detail in details]
    )


def _bad_request(problems: Iterable[Problem], language: str) -> error_details_pb2.BadRequest:
    violation = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[
            violation(field=problem.path, reason=problem.reason, description=problem.text(language))
            for problem in problems
        ]
    )


def _packed(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def from_rpc_error(error: grpc.RpcError) -> RemoteError:
    """Returns the refusal of a failed call, with its details where the other side is of Aval."""
    for key, value in error.trailing_metadata() or ():
        if key == TRAILER:
            return RemoteError(status_pb2.Status.FromString(value))
    code, text = error.code(), error.details()
    return RemoteError(status_pb2.Status(code=code.value[0], message=text or ""))


def language_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Returns the caller's language: that of ours which accept-language weighs most; English if it asks for none.

    "fr, zh;q=0.8" is Chinese, "zh;q=0.4, en" English, "zh;q=0" English. Of equal weights the first counts.
    """
    most, language = 0.0, errors.LANGUAGES[0]
    for key, value in metadata:
        for text in str(value)[:LONGEST_HEADER].split(",") if key == "accept-language" else ():
            tag, weight = _weighed(text)
            if tag in OURS and weight > most:
                most, language = weight, OURS[tag]
    return language


def _weighed(text: str) -> tuple[str, float]:
    """Returns a language's first part and its weight: "zh-Hans-CN;q=0.8" is zh and 0.8.

    A weight that is none counts 0.
    """
    name, *parameters = (part.strip().lower() for part in text.split(";"))
    weights = [parameter[2:] for parameter in parameters if parameter.startswith("q=")]
    tag = name.split("-")[0]
    if not weights:
        return tag, 1.0
    return tag, float(weights[0]) if WEIGHT.fullmatch(weights[0]) else 0.0
