"""Refusals: one class per reason, its docstring the message, all problems of a request at once.

A rule raises a DomainError; the server's one interceptor turns it into a google.rpc.Status with
exactly one ErrorInfo, the field violations and a LocalizedMessage in the caller's language.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import grpc

DOMAIN = "aval"
LANGUAGES = ("en", "zh-CN")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where (a field or element path), a stable reason, what to do in both languages."""

    path: str
    reason: str
    english: str
    chinese: str

    def text(self, language: str) -> str:
        """Returns the message in a language of LANGUAGES."""
        return self.chinese if language == "zh-CN" else self.english


class DomainError(Exception):
    """The request was refused."""

    chinese: ClassVar[str] = "请求被拒绝。"
    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.FAILED_PRECONDITION
    reason: ClassVar[str] = ""

    def __init__(self, problems: Iterable[Problem] = (), **metadata: object) -> None:
        self.metadata: Mapping[str, str] = {name: str(value) for name, value in metadata.items()}
        self.problems: Sequence[Problem] = tuple(problems)
        super().__init__(self.text("en"))

    def __init_subclass__(cls) -> None:
        """Names the reason after the class, in upper snake case, unless it states its own."""
        if "reason" not in cls.__dict__:
            cls.reason = "".join(f"_{c}" if c.isupper() else c for c in cls.__name__).lstrip("_").upper()

    def text(self, language: str) -> str:
        """Returns the message in a language of LANGUAGES, its {names} filled from the metadata."""
        template = self.chinese if language == "zh-CN" else (type(self).__doc__ or "").split("\n\n")[0]
        return " ".join(template.split()).format_map(_Filled(self.metadata))


class _Filled(dict[str, str]):
    """Leaves a {name} in place that the metadata doesn't have."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


class InvalidFields(DomainError):
    """The request has invalid fields; each is listed with what to do."""

    chinese = "请求中有无效字段，逐项列出及改正方法。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFound(DomainError):
    """{resource} doesn't exist, or the caller may not know of it."""

    chinese = "{resource} 不存在，或您无权查看。"
    code = grpc.StatusCode.NOT_FOUND


class WrongState(DomainError):
    """{resource} is {state}; the call needs another state."""

    chinese = "{resource} 的状态为 {state}，不能执行此操作。"


class EtagMismatch(DomainError):
    """{resource} has changed since it was read; read it again and decide anew."""

    chinese = "{resource} 在您读取后已变更，请重新读取后再操作。"
    code = grpc.StatusCode.ABORTED


class RequestIdReused(DomainError):
    """The request_id was used before with other content; use a new UUID for a new request."""

    chinese = "request_id 已用于其他内容的请求，新请求请使用新的 UUID。"
    code = grpc.StatusCode.ALREADY_EXISTS


class Unauthenticated(DomainError):
    """The caller shows no valid identity: {detail}."""

    chinese = "无法确认调用方身份：{detail}。"
    code = grpc.StatusCode.UNAUTHENTICATED


class AccessDenied(DomainError):
    """The caller's roles don't allow {method}."""

    chinese = "调用方的角色不允许执行 {method}。"
    code = grpc.StatusCode.PERMISSION_DENIED


class SecondFactorRequired(DomainError):
    """{method} needs a fresh one-time code."""

    chinese = "{method} 需要新的一次性验证码。"
    code = grpc.StatusCode.PERMISSION_DENIED


class SamePerson(DomainError):
    """The one who prepared the decision can't approve it; another checker must."""

    chinese = "经办人不能复核自己的决定，须由他人复核。"
    code = grpc.StatusCode.PERMISSION_DENIED


class NothingPrepared(DomainError):
    """Nothing of {resource} waits for a checker; a maker prepares it first."""

    chinese = "{resource} 没有待复核的事项，须先由经办人提交。"


class LogRestored(DomainError):
    """The cursor belongs to another epoch of the log; start again from the beginning."""

    chinese = "游标属于日志的另一纪元，请从头开始。"
    code = grpc.StatusCode.OUT_OF_RANGE


class InvalidPageToken(DomainError):
    """The page_token is unknown or belongs to another query; start from the first page."""

    chinese = "page_token 无效或属于另一查询，请从第一页开始。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class Contended(DomainError):
    """Others are changing the same things just now; try again with the same request_id."""

    chinese = "其他请求正在变更相同内容，请用同一 request_id 重试。"
    code = grpc.StatusCode.ABORTED


class Overloaded(DomainError):
    """The service has more waiting commands than it can take; try again shortly with the same request_id."""

    chinese = "服务繁忙，请稍后用同一 request_id 重试。"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class BusinessDateAhead(DomainError):
    """The call counts on {date}, the business date here is {here}; it is taken once the dates between are closed."""

    chinese = "该调用的业务日期为 {date}，而此处的业务日期为 {here}；其间各日日终后方可受理。"
    code = grpc.StatusCode.UNAVAILABLE


class ServiceUnavailable(DomainError):
    """{service} can't be reached now; try again with the same request_id."""

    chinese = "{service} 暂时无法连接，请用同一 request_id 重试。"
    code = grpc.StatusCode.UNAVAILABLE
