"""Refusals of the window's documents."""

from chassis.errors import DomainError


class BillCurrencyDiffers(DomainError):
    """{bill} is in {currency}; pay it from an account in that currency."""

    chinese = "{bill} 币种为 {currency}，请使用该币种账户支付。"
