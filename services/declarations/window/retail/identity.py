"""Builds the ids of retail documents from the keys that make them unique."""

from aval.declarations.v1 import retail_pb2

from chassis import ids
from chassis.ids import derived


def order_id(direction: int, platform_code: str, order_number: str) -> str:
    """Returns the id below retailOrders/: of direction, platform (ebpCode) and order number."""
    return _id("retailOrders", retail_pb2.Direction.Name(direction), platform_code, order_number)


def waybill_id(carrier_code: str, waybill_number: str) -> str:
    """Returns the id below retailWaybills/: of carrier (logisticsCode) and waybill number."""
    return _id("retailWaybills", carrier_code, waybill_number)


def payment_id(payment_company_code: str, transaction_number: str) -> str:
    """Returns the id below retailPayments/: of payment company (payCode) and its number of the transaction."""
    return _id("retailPayments", payment_company_code, transaction_number)


def order_payment_id(platform_code: str, order_number: str, *numbers: str) -> str:
    """Returns the id below retailPayments/ of a payment whose own numbers don't suffice: with those of its order."""
    return _id("retailPayments", platform_code, order_number, *numbers)


def _id(*parts: str) -> str:
    # With the lengths, so that no slash in a number makes two documents one.
    return derived(*(f"{len(part)}:{part}" for part in parts))


def summary_id(merchant_code: str, enterprise_number: str) -> str:
    """Returns the id of a summary, by its natural key."""
    return ids.derived("retail summary", merchant_code, enterprise_number)
