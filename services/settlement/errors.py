"""Why the settlement service refuses: one class per reason, its docstring the message."""

from chassis.errors import DomainError


class UetrKnown(DomainError):
    """The payment with UETR {uetr} was taken before; a payment counts once."""

    chinese = "UETR 为 {uetr} 的付款已入账，同一笔付款只计一次。"


class InsufficientFunds(DomainError):
    """{account} hasn't enough available for this; pay in or choose a smaller amount."""

    chinese = "{account} 可用余额不足，请先入账或减少金额。"


class AccountMissing(DomainError):
    """{owner} has no current account in {currency}; open one first."""

    chinese = "{owner} 没有 {currency} 结算账户，请先开户。"


class DeclarationApplied(DomainError):
    """{payment} already counts for {declaration}; match it, it can't be credited or returned whole."""

    chinese = "{payment} 已计入 {declaration}，请予以匹配，不能整笔入账或退回。"


class OtherDeclarationApplied(DomainError):
    """{payment} already counts for {declaration}; match it with that one."""

    chinese = "{payment} 已计入 {declaration}，请匹配该报关单。"
