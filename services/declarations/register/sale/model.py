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
        """Returns its resource name."""
        return f"warehouseSales/{self.id}"


def sale_id(declaration: str, sale_number: str) -> str:
    """Returns the id of a sale, by its natural key."""
    return ids.derived("warehouse sale", declaration, sale_number)


def value_of(amount: Money, left: Money, sold_before: Money) -> Money:
    """Returns how much of a sale makes value: all sales together at most what is left for them of the declared value.

    For example a sale of 60.00 with 100.00 left and 70.00 sold before makes 30.00.
    """
    return max(min(amount, left - sold_before), amount.zero())


def revalued(sales: Sequence[WarehouseSale], left: Money) -> list[WarehouseSale]:
    """Returns the sales of one declaration that are worth another amount by what is left, as they were reported.

    The sales that are worth less come first, so that what they lose is never held twice. For example sales of 60.00 and
    40.00 with 50.00 left are worth 50.00 and nothing.
    """
    changed, before = [], left.zero()
    for sale in sales:
        value = value_of(sale.amount, left, before)
        before += value
        if value != sale.value:
            changed.append((value > sale.value, replace(sale, value=value)))
    return [sale for _, sale in sorted(changed, key=lambda change: change[0])]
