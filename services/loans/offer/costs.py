"""The costs of an offer over its whole tenor, and how each comes about."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from chassis.codetables import code_table
from chassis.money import Money
from trade.derivations import interest, rules
from trade.derivations.interest import BASIS, SIMPLE_RATE
from trade.derivations.model import Derivation
from trade.derivations.rules import DIFFERENCE, derived
from trade.derivations.store import Entry


@dataclass(frozen=True, slots=True)
class Costs:
    """Interest, interest and fee, and both over the amount paid out, per year."""

    day_count_basis: int
    interest: Derivation
    all_in_cost: Derivation
    simple_rate: Derivation

    def entries(self, offer: str) -> list[Entry]:
        """Returns them as the derivations of an offer's fields."""
        return [
            Entry(offer, "interest", self.interest),
            Entry(offer, "all_in_cost", self.all_in_cost),
            Entry(offer, "simple_rate", self.simple_rate),
        ]


def costs(offer: str, amount: Money, annual_rate: Decimal, fee: Money, tenor_days: int, on: date) -> Costs:
    """Returns the costs of an offer (its name) on these terms, by the day count of a business date.

    USD 80,000.00 at 4.35 % for 90 days of 360, with a fee of USD 100.00: interest USD 870.00, in all USD 970.00.
    """
    basis, days = _basis(amount.currency, on), rules.field(tenor_days, offer, "tenor_days")
    principal, kept_back = rules.field(amount, offer, "amount"), rules.field(fee, offer, "fee")
    rate = rules.field(annual_rate, offer, "annual_rate")
    owed = interest.accrued([interest.stretch(principal, days)], rate, basis, amount.currency)
    cost = rules.summed([owed, kept_back], amount.currency)
    paid_out = derived(DIFFERENCE, minuend=principal, subtrahend=kept_back)
    simple_rate = derived(SIMPLE_RATE, all_in_cost=cost, paid_out=paid_out, days=days, basis=basis)
    return Costs(basis.count, owed, cost, simple_rate)


def _basis(currency: str, on: date) -> Derivation:
    """Returns the days of a year for interest in a currency, by the row that says how its days are counted."""
    row = code_table("trade", "day_count_bases").row(currency, on)
    assert row is not None, "the currency wasn't checked"
    return derived(BASIS, day_count=rules.row(row["value"], "trade/day_count_bases", row))
