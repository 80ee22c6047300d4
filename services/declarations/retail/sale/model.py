"""Sales that make value or duty: out of an overseas warehouse (9810), and of bonded goods in a store (1210, 1239)."""

from dataclasses import dataclass

from chassis import ids
from chassis.money import Money

WAREHOUSE_MODE = "9810"


@dataclass(frozen=True, slots=True)
class WarehouseSale:
    """A sale of goods that one declaration brought abroad; `value` is the part that finance may stand on."""

    id: str
    declaration: str
    sale_number: str
    enterprise: str
    amount: Money
    value: Money
    sale_us: int
    create_us: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"warehouseSales/{self.id}"


def sale_id(declaration: str, sale_number: str) -> str:
    """The id of a sale, by its natural key."""
    return ids.derived("warehouse sale", declaration, sale_number)


def value_of(amount: Money, declared: Money, sold_before: Money) -> Money:
    """What of a sale makes value: all sales together never more than was declared."""
    return max(min(amount, declared - sold_before), amount.zero())
