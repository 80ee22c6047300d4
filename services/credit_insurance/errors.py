"""Why the credit insurance service refuses: one class per reason, its docstring the message."""

import grpc

from chassis.errors import DomainError


class PolicyNotInForce(DomainError):
    """{policy} isn't in force on {date}; the insurer must approve or renew it."""

    chinese = "{policy} 在 {date} 未生效，请联系保险人批准或续保。"


class LimitNotInForce(DomainError):
    """{buyer_limit} isn't in force on {date}; ask the insurer for a limit that is."""

    chinese = "{buyer_limit} 在 {date} 未生效，请向保险人申请有效的限额。"


class LimitExceeded(DomainError):
    """Nothing is left to cover the shipment with: {available} {currency} is available."""

    chinese = "剩余可承保金额为 {available} {currency}，无法承保该笔出运。"


class PremiumRateMissing(DomainError):
    """The rate table has no rate for a term of {term_days} days at {insured_ratio}; agree on one with the insurer."""

    chinese = "费率表中没有账期 {term_days} 天、赔付比例 {insured_ratio} 的费率，请与保险人约定费率。"


class ShipmentDeclaredAlready(DomainError):
    """{declaration} is declared for cover already, as {covered_shipment}."""

    chinese = "{declaration} 已申报承保：{covered_shipment}。"
    code = grpc.StatusCode.ALREADY_EXISTS


class CoverMissing(DomainError):
    """{declaration} isn't covered; wait until its cover is in force."""

    chinese = "{declaration} 没有有效的保险保障，请等待保障生效。"


class CoverHeld(DomainError):
    """The cover of {declaration} has {available} {currency} left; the rest is held already."""

    chinese = "{declaration} 的保险保障剩余 {available} {currency}，其余已被占用。"


class CoverReleased(DomainError):
    """{cover_hold} was released; use a new id for a new hold."""

    chinese = "{cover_hold} 已被释放，新的占用请使用新的编号。"


class CoverHoldIdTaken(DomainError):
    """{cover_hold} stands with other content; use a new id for another hold."""

    chinese = "{cover_hold} 已存在且内容不同，请使用新的编号。"
    code = grpc.StatusCode.ALREADY_EXISTS
