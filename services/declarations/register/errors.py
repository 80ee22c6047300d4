"""Refusals of the register."""

import grpc

from chassis.errors import DomainError


class ValuePaid(DomainError):
    """The buyer has paid of {declaration}; {available} {currency} is owed and not insured yet. Insure no more."""

    chinese = "{declaration} 的买方已付款；尚欠且未投保的金额为 {available} {currency}，投保不得超过该金额。"


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


class ReductionExceedsEncumbrance(DomainError):
    """{encumbrance} has less of {asset} outstanding than that, or none; name at most what is outstanding."""

    chinese = "{encumbrance} 在 {asset} 上的未结金额不足；请填写不超过未结金额的数额。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class ShareEnded(DomainError):
    """Your share of {breach} is over; there is nothing left to resolve."""

    chinese = "您在 {breach} 中的份额已结束，无需再处理。"


class PreShipmentKnownOtherwise(DomainError):
    """{pre_shipment} is registered for this contract with other content; the contract's value is there already."""

    chinese = "该合同已登记为 {pre_shipment}，内容不同；同一合同的价值只能登记一次。"
    code = grpc.StatusCode.ALREADY_EXISTS


class PreShipmentLinkedOtherwise(DomainError):
    """{declaration} is shipped under another order or credit already."""

    chinese = "{declaration} 已关联其他订单或信用证。"


class CurrencyOfPreShipmentDiffers(DomainError):
    """There is no rate between {declaration}'s currency and {currency}, the order's or credit's; link one that has."""

    chinese = "缺少 {declaration} 的币种与订单或信用证币种 {currency} 之间的汇率；请关联可折算的报关单。"


class NothingToRoll(DomainError):
    """Nothing that is financed under {pre_shipment} waits to be moved to a declaration."""

    chinese = "{pre_shipment} 下没有待转入报关单的融资。"


class SecondPersonRequired(DomainError):
    """{encumbrance} is confirmed: a maker reduces it with ReduceEncumbrance, and a checker approves that."""

    chinese = "{encumbrance} 已确认：须由经办人提交减少（ReduceEncumbrance），并由复核人批准。"
