"""Why the settlement service refuses: one class per reason, its docstring the message."""

from chassis.errors import DomainError


class UetrKnown(DomainError):
    """This bank took the payment with UETR {uetr} before; a payment counts once."""

    chinese = "UETR 为 {uetr} 的付款本行已入账，同一笔付款只计一次。"


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


class AccountNumberTaken(DomainError):
    """{number} is the number of another account of this bank; give each account its own."""

    chinese = "{number} 已是本行另一账户的号码，请为每个账户指定各自的号码。"


class AccountNumbered(DomainError):
    """{account} already has the number {number}; change it by AssignAccountNumbers."""

    chinese = "{account} 已有号码 {number}，如需更改请调用 AssignAccountNumbers。"


class OutgoingPaymentOver(DomainError):
    """{payment} ended by itself at {expire_time} and its money is free again; prepare it anew."""

    chinese = "{payment} 已于 {expire_time} 自动到期，资金已释放，请重新制单。"
