"""The terms on which an exporter declares a shipment for cover, and the shipment that they come to. Pure."""

from dataclasses import dataclass
from datetime import date

from chassis.money import Money
from services.credit_insurance.buyer_limit.model import BuyerLimit
from services.credit_insurance.covered_shipment import model
from services.credit_insurance.covered_shipment.model import CoveredShipment
from services.credit_insurance.policy.model import Policy
from services.credit_insurance.premium_rates import PremiumRate


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms on which an exporter declares a shipment; `declaration` is a resource name."""

    declaration: str
    invoice_amount: Money
    shipment_date: date
    due_date: date

    @property
    def term_days(self) -> int:
        """The days from shipment to payment."""
        return (self.due_date - self.shipment_date).days


def declared(
    identifier: str, terms: Terms, limit: BuyerLimit, policy: Policy, rate: PremiumRate, now_us: int
) -> CoveredShipment:
    """Returns the shipment that is declared on these terms, its whole invoice covered, with its premium.

    USD 120,000.00 at 0.65 %: a premium of USD 780.00.
    """
    return CoveredShipment(
        id=identifier,
        buyer_limit=limit.name,
        policy=policy.name,
        declaration=terms.declaration,
        insurer=policy.insurer,
        enterprise=policy.enterprise,
        invoice_amount=terms.invoice_amount,
        shipment_date=terms.shipment_date,
        due_date=terms.due_date,
        covered_amount=terms.invoice_amount,
        premium=model.premium(terms.invoice_amount, rate.rate),
        premium_rate=rate.rate,
        premium_rate_source=rate.source,
        insured_ratio=policy.insured_ratio,
        create_us=now_us,
    )
