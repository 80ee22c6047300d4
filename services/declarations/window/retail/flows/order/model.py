"""An order of cross-border e-commerce as the platform keeps it."""

from collections.abc import Iterable
from dataclasses import dataclass

from chassis.money import Money
from services.declarations.window.retail.flows.matching.model import State
from services.declarations.window.retail.versions import Change


@dataclass(frozen=True, slots=True)
class Order:
    """The row: what is searched or matched, and the body as it came, without persons.

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
    """The names of orders by their enterprise, of those that are an enterprise's."""
    found: dict[str, list[str]] = {}
    for order in orders:
        if order.enterprise:
            found.setdefault(order.enterprise, []).append(order.name)
    return found
