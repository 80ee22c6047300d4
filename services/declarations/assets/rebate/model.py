"""An expected export rebate: an asset of its own, beside the receivable (I4)."""

from dataclasses import dataclass

from chassis import ids
from chassis.money import Money


@dataclass(frozen=True, slots=True)
class Rebate:
    """A rebate that an enterprise may expect for one declaration (its name) or one tax period (yyyyMM)."""

    id: str
    enterprise: str
    declaration: str
    period: str
    amount: Money
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Returns its resource name."""
        return f"rebates/{self.id}"


def identifier(enterprise: str, declaration: str, period: str) -> str:
    """Returns the id of the rebate of a declaration or a period, the same however often it is registered."""
    return ids.derived("rebate", enterprise, declaration, period)
