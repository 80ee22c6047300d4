"""Why the loans service refuses: one class per reason, its docstring the message."""

import grpc

from chassis.errors import DomainError


class AmountAboveCap(DomainError):
    """At most {cap} may be asked for with this product; ask for less."""

    chinese = "该产品每笔申请最高 {cap}，请减少申请金额。"


class OfferExpired(DomainError):
    """{offer} has expired; ask the bank for a new offer."""

    chinese = "{offer} 已过期，请向银行索取新的报价。"


class DeclarationBreached(DomainError):
    """There is less value than stands on {declarations}: nothing more is lent on it until that breach has ended."""

    chinese = "{declarations} 的价值低于其上的权利金额，违约状态解除前不能再发放融资。"


class InstructionDiffers(DomainError):
    """The instruction isn't the contract of {loan}; sign exactly the bytes that GetLoan gives."""

    chinese = "指令内容与 {loan} 的合同不一致，请对 GetLoan 给出的原始字节签名。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class SignatureInvalid(DomainError):
    """The signature isn't one over the contract of {loan} by the key of the certificate you showed."""

    chinese = "签名与 {loan} 的合同或您所出示证书的密钥不符。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class NothingOwed(DomainError):
    """Nothing is owed on {loan} that this receipt is to repay and another repayment doesn't already pay."""

    chinese = "{loan} 没有应由这笔收款偿还的款项。"


class RepaymentCancelled(DomainError):
    """{repayment} was cancelled; use a new id for a new repayment."""

    chinese = "{repayment} 已取消，新的还款请使用新的编号。"


class RepaymentIdTaken(DomainError):
    """{repayment} stands with other content; use a new id for another repayment."""

    chinese = "{repayment} 已存在且内容不同，请使用新的编号。"
    code = grpc.StatusCode.ALREADY_EXISTS
