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


class TooManyDocuments(DomainError):
    """You have asked about as many documents as the register answers for now; ask again at {retry_time}."""

    chinese = "您查询的单证数量已达登记系统的上限，请于 {retry_time} 之后再试。"
    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class RegistrationIdTaken(DomainError):
    """{registration} stands with other content; use a new id for another registration."""

    chinese = "{registration} 已存在且内容不同，请使用新的编号。"


class BillCurrencyDiffers(DomainError):
    """{bill} is in {currency}; pay it from an account in that currency."""

    chinese = "{bill} 币种为 {currency}，请使用该币种账户支付。"


class NotWarehouseGoods(DomainError):
    """{declaration} brought no goods into an overseas warehouse (mode 9810); its value begins with its release."""

    chinese = "{declaration} 不是海外仓出口（9810）报关单；其价值自放行起形成。"


class WarehouseSaleKnown(DomainError):
    """{sale} was reported with another amount or time; give another sale another number."""

    chinese = "{sale} 已以不同金额或时间报告；其他销售请使用其他编号。"
    code = grpc.StatusCode.ALREADY_EXISTS


class NotBondedGoods(DomainError):
    """{list} sells no bonded goods (import of mode 1210 or 1239)."""

    chinese = "{list} 不是网购保税进口（1210、1239）清单。"


class StoreSaleKnown(DomainError):
    """The goods of {list} were sold in a store before."""

    chinese = "{list} 的货物已在门店售出。"


class ReductionExceedsEncumbrance(DomainError):
    """{encumbrance} has less of {asset} outstanding than that, or none; name at most what is outstanding."""

    chinese = "{encumbrance} 在 {asset} 上的未结金额不足；请填写不超过未结金额的数额。"
    code = grpc.StatusCode.INVALID_ARGUMENT


class ShareEnded(DomainError):
    """Your share of {breach} is over; there is nothing left to resolve."""

    chinese = "您在 {breach} 中的份额已结束，无需再处理。"


class PoolEncumbered(DomainError):
    """Something is reserved or financed on {pool}; close it once all of that is released or repaid."""

    chinese = "{pool} 上仍有预占或融资；请在全部解除或偿还后关闭。"


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


class RebateKnownOtherwise(DomainError):
    """{rebate} is registered with another amount; revise it."""

    chinese = "{rebate} 已登记且金额不同；请使用修订。"
    code = grpc.StatusCode.ALREADY_EXISTS


class SecondPersonRequired(DomainError):
    """{encumbrance} is confirmed: a maker reduces it with ReduceEncumbrance, and a checker approves that."""

    chinese = "{encumbrance} 已确认：须由经办人提交减少（ReduceEncumbrance），并由复核人批准。"


class MendedRowNeeded(DomainError):
    """{document} is no row yet: send it mended, as JSON, or mend its file and import that again."""

    chinese = "{document} 尚不是一行有效数据；请以 JSON 发送更正后的内容，或更正文件后重新导入。"
