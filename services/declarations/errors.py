"""Why the declarations service refuses: one class per reason, its docstring the message."""

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


class ValueEncumbered(DomainError):
    """Of the value of {declaration}, {available} is available to you; the rest can't be encumbered again."""

    chinese = "{declaration} 可供您使用的金额为 {available}，其余部分不能重复占用。"


class ValueNotEligible(DomainError):
    """{declaration} can't be used for this now: {explanation}"""

    chinese = "{declaration} 目前不能用于此操作：{explanation}"


class EncumbranceReleased(DomainError):
    """{encumbrance} was released before it was reserved; use a new id for a new reservation."""

    chinese = "{encumbrance} 在占用之前已被释放，新的占用请使用新的编号。"


class EncumbranceIdTaken(DomainError):
    """{encumbrance} stands with other content; use a new id for another encumbrance."""

    chinese = "{encumbrance} 已存在且内容不同，请使用新的编号。"
    code = grpc.StatusCode.ALREADY_EXISTS


class EncumbranceExpired(DomainError):
    """{encumbrance} was not confirmed in time; reserve anew."""

    chinese = "{encumbrance} 未在期限内确认，请重新占用。"


class AmountExceedsReservation(DomainError):
    """More of {declaration} was confirmed than {encumbrance} reserves."""

    chinese = "确认的 {declaration} 金额超过 {encumbrance} 的占用金额。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class TooManyDocuments(DomainError):
    """You have asked about as many documents as the register answers for now; ask again at {retry_time}."""

    chinese = "您查询的单证数量已达登记系统的上限，请于 {retry_time} 之后再试。"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class RegistrationIdTaken(DomainError):
    """{registration} stands with other content; use a new id for another registration."""

    chinese = "{registration} 已存在且内容不同，请使用新的编号。"
    code = grpc.StatusCode.ALREADY_EXISTS
