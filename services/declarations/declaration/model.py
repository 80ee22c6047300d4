"""A customs declaration as the platform keeps it, and how its receipts move it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chassis.clock import business_date
from chassis.errors import Problem
from chassis.money import Money
from services.declarations import receipts

FINAL = "FINAL"
CONDITIONAL = "CONDITIONAL"


@dataclass(frozen=True, slots=True)
class Declaration:
    """The row: what is searched or judged, and the body as it came (a serialised Declaration)."""

    id: str
    unified_number: str
    enterprise: str
    trade_mode: str
    transport_mode: str
    value: Money
    status: str
    body: bytes
    digest: bytes
    create_us: int
    revision: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"declarations/{self.id}"

    def verdict(self, now_us: int) -> tuple[str, list[Problem]]:
        """What finance may do with it now (a name of Eligibility.Verdict), and why."""
        return receipts.eligibility(
            self.status,
            declaration_number=self.id,
            trade_mode=self.trade_mode,
            transport_mode=self.transport_mode,
            on=business_date(now_us),
        )


def with_receipts(declaration: Declaration, known: Iterable[tuple[str, int]]) -> Declaration:
    """The declaration as all its receipts (channel code, notice time in microseconds) leave it."""
    return replace(declaration, status=receipts.status_after(known))
