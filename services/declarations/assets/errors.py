"""Refusals of assets that documents become."""

import grpc

from chassis.errors import DomainError


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


class PoolEncumbered(DomainError):
    """Something is reserved or financed on {pool}; close it once all of that is released or repaid."""

    chinese = "{pool} 上仍有预占或融资；请在全部解除或偿还后关闭。"


class RebateKnownOtherwise(DomainError):
    """{rebate} is registered with another amount; revise it."""

    chinese = "{rebate} 已登记且金额不同；请使用修订。"
    code = grpc.StatusCode.ALREADY_EXISTS
