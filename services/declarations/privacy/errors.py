"""Refusals of who may not see."""

import grpc

from chassis.errors import DomainError


class DeclarationNotFound(DomainError):
    """{declaration} isn't known here, or the caller may not see it."""

    chinese = "本平台没有 {declaration}，或您无权查看。"
    code = grpc.StatusCode.NOT_FOUND


class ConsentMissing(DomainError):
    """The enterprise hasn't consented that you see its declarations; ask it to grant consent."""

    chinese = "企业尚未授权您查看其报关单，请联系企业授权。"
    code = grpc.StatusCode.PERMISSION_DENIED
