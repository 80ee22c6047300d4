"""The three flows of cross-border e-commerce as the platform keeps them: orders, payments and waybills."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from chassis.money import Money
from services.declarations.window.retail.versions import Change


class State(enum.StrEnum):
    """The degree to which the three flows of an order agree (RetailMatch.State)."""

    MATCHED = "MATCHED"
    INCOMPLETE = "INCOMPLETE"
    DIFFERENT = "DIFFERENT"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Waybill:
    """The row: the columns that are searched or matched, and the body as it came, without persons.

    order_number: empty where the waybill doesn't say it, and a list must.
    """

    id: str
    direction: str
    carrier_code: str
    waybill_number: str
    order_number: str
    send_us: int
    change: Change
    digest: bytes
    body: bytes
    create_us: int
    revision: int


@dataclass(frozen=True, slots=True)
class Order:
    """The row: the columns that are searched or matched, and the body as it came, without persons.

    enterprise: enterprises/{social credit code}, empty where the merchant isn't one of the platform's. value: of
    the goods. due: what payments must come to; times in microseconds since 1970 UTC.
    """

    id: str
    enterprise: str
    direction: str
    platform_code: str
    order_number: str
    merchant_code: str
    value: Money
    due: Money
    match_state: State
    send_us: int
    change: Change
    digest: bytes
    body: bytes
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"retailOrders/{self.id}"


def by_enterprise(orders: Iterable[Order]) -> dict[str, list[str]]:
    """Returns the names of orders by their enterprise, of those that belong to an enterprise."""
    names: dict[str, list[str]] = {}
    for order in orders:
        if order.enterprise:
            names.setdefault(order.enterprise, []).append(order.name)
    return names


@dataclass(frozen=True, slots=True)
class Payment:
    """The row: the columns that are searched or matched, and the body as it came, without persons.

    platform_code: empty where the payment doesn't say it, and so are an export's payment company and transaction
    number. pay_us: when it was paid, else when it was sent.
    """

    id: str
    direction: str
    payment_company_code: str
    transaction_number: str
    order_number: str
    platform_code: str
    amount: Money
    pay_us: int
    send_us: int
    change: Change
    digest: bytes
    body: bytes
    create_us: int
    revision: int
