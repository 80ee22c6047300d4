"""Why the gateway itself refuses: one class per reason, its docstring the message."""

import grpc

from chassis.errors import DomainError


class SignInFailed(DomainError):
    """Login, password or one-time code isn't right. Operators add a one-time code; institutions come by certificate."""

    chinese = "用户名、密码或一次性验证码不正确。运营人员须同时输入一次性验证码；机构用户凭证书接入。"
    code = grpc.StatusCode.UNAUTHENTICATED


class TooManyAttempts(DomainError):
    """Too many failed attempts at the same time; try again in {seconds} seconds."""

    chinese = "同时失败的尝试过多，请在 {seconds} 秒后重试。"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class SignInsWaiting(DomainError):
    """Too many sign-ins from your address are waiting already; try again in a few seconds."""

    chinese = "来自您所在地址的登录请求过多，请几秒后重试。"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class PasswordUnfit(DomainError):
    """The new password needs {least} to {most} characters, and must be neither the old one nor the login."""

    chinese = "新密码须为 {least} 至 {most} 个字符，且不得与旧密码或用户名相同。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class NotSignedIn(DomainError):
    """Sign in first; there is no session, or it has expired."""

    chinese = "请先登录；会话不存在或已过期。"
    code = grpc.StatusCode.UNAUTHENTICATED


class OneTimeCodeInvalid(DomainError):
    """The one-time code isn't right, has expired or was used before; wait for the next one."""

    chinese = "一次性验证码不正确、已过期或已使用；请等待下一个验证码。"
    code = grpc.StatusCode.PERMISSION_DENIED


class CertificateUnknown(DomainError):
    """The certificate names {certificate}, which is no known principal."""

    chinese = "证书所载名称 {certificate} 不是已登记的主体。"
    code = grpc.StatusCode.UNAUTHENTICATED


class CertificateExpired(DomainError):
    """The certificate of {certificate} has expired; connect with a new one."""

    chinese = "{certificate} 的证书已过期，请使用新证书连接。"
    code = grpc.StatusCode.UNAUTHENTICATED


class IdempotencyKeyMissing(DomainError):
    """A change needs a request id: send request_id, or the header Idempotency-Key, with a new UUID."""

    chinese = "变更请求需要请求编号：请在 request_id 或 Idempotency-Key 请求头中提供新的 UUID。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class IdempotencyKeyInvalid(DomainError):
    """The header Idempotency-Key isn't a UUID; send a new UUID for each new request."""

    chinese = "Idempotency-Key 请求头不是 UUID；每个新请求请使用新的 UUID。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class CrossSiteRequest(DomainError):
    """The change may come from another site; send the header X-Aval-Request: 1 from this one."""

    chinese = "该变更可能来自其他网站；请从本站发送并附带请求头 X-Aval-Request: 1。"
    code = grpc.StatusCode.PERMISSION_DENIED


class FormExpired(DomainError):
    """The form is too old, or was opened in another session; open the page again and send it from there."""

    chinese = "表单已过期，或属于其他会话；请重新打开页面后再提交。"
    code = grpc.StatusCode.PERMISSION_DENIED


class TooManyFields(DomainError):
    """The request has more than {limit} fields; send fewer at a time."""

    chinese = "请求的字段超过 {limit} 个，请减少每次提交的内容。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class FramingAmbiguous(DomainError):
    """The request has both Content-Length and Transfer-Encoding; send one of them."""

    chinese = "请求同时含有 Content-Length 和 Transfer-Encoding，只能使用其中一个。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class HostUnknown(DomainError):
    """This server isn't {host}; use the name that it was given to you by."""

    chinese = "本服务器的名称不是 {host}，请使用正确的网址。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class RouteNotFound(DomainError):
    """There is no {path} here; /openapi.json lists what there is."""

    chinese = "此处没有 {path}；可用接口见 /openapi.json。"
    code = grpc.StatusCode.NOT_FOUND


class VerbNotAllowed(DomainError):
    """{path} isn't called with {verb}; it takes {allowed}."""

    chinese = "{path} 不支持 {verb}，可用方法为 {allowed}。"
    code = grpc.StatusCode.UNIMPLEMENTED


class CallerGone(DomainError):
    """The caller went away before its request was whole; send it again with the same request_id."""

    chinese = "请求尚未收齐，调用方已断开；请用同一 request_id 重新发送。"
    code = grpc.StatusCode.CANCELLED
