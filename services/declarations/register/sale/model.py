"""Sales that make value or duty: out of an overseas warehouse (9810), and of bonded goods in a store (1210, 1239)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def value_of(amount: Money, left: Money, sold_before: Money) -> Money:
    """What of a sale makes value: all sales together never more than is left for them of what was declared."""
    return max(min(amount, left - sold_before), amount.zero())


def revalued(sales: Sequence[WarehouseSale], left: Money) -> list[WarehouseSale]:
    """The sales of one declaration, in the order they were reported, that are worth another amount by what is left.

    Those that are worth less come first, so that what one loses is never held twice.
    """
    changed, before = [], left.zero()
    for sale in sales:
        value = value_of(sale.amount, left, before)
        before += value
        if value != sale.value:
            changed.append((value > sale.value, replace(sale, value=value)))
    return [each_sale for _, each_sale in sorted(changed, key=lambda pair: pair[0])]
