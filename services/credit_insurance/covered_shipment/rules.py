"""The rules of cover by which amounts come about, beside those that all services share; and how each is derived."""

from chassis.money import Money
from ledger.model import Account
from services.credit_insurance.covered_shipment import model
from services.credit_insurance.covered_shipment.model import CoveredShipment
from services.credit_insurance.covered_shipment.terms import Terms
from services.credit_insurance.premium_rates import PremiumRate
from trade.derivations import rules
from trade.derivations.model import Derivation
from trade.derivations.rules import TIMES, Leaf, Parameter, Rule, Rules, derived, table
from trade.derivations.shared import SHARED

PREMIUM_RATES = "credit_insurance/premium_rates"
INSURED_AMOUNT, INSURED_VALUE = "insured_amount", "insured_value"


def _covered(invoice_amount: Money, available: tuple[Money, ...]) -> Money:
    return min(invoice_amount, max(min(available), invoice_amount.zero()))


COVERED = Rule(
    name="cover.covered_amount",
    function=_covered,
    source="The invoice, as far as each line has something left",
    parameters=(Parameter("invoice_amount", "发票金额"), Parameter("available", "可用额度", is_list=True)),
    english="{invoice_amount}, as far as there is left: {available}",
    chinese="{invoice_amount}，以可用额度为限：{available}",
)
INSURED_PART = Rule(
    name="cover.insured_part",
    function=model.insured_part,
    source="Of the value reserved the part that stands for what is covered, rounded up",
    parameters=(Parameter("reserved", "预占价值"), Parameter("asked", "申请金额"), Parameter("covered", "承保金额")),
    english="{reserved} is reserved for {asked}, of which {covered} is covered",
    chinese="为 {asked} 预占 {reserved}，其中承保 {covered}",
    formula="{reserved} x {covered} / {asked}",
    mode="UP",
)

RULES: Rules = {**SHARED, **table(COVERED, INSURED_PART)}


def premium(shipment: str, terms: Terms, policy: str, rate: PremiumRate) -> Derivation:
    """Returns the premium of a shipment's invoice: USD 120,000.00 at 0.65 % is USD 780.00.

    The rate is the policy's own, or a row of the table of rates.
    """
    leaf = rules.row(rate.rate, PREMIUM_RATES, rate.row) if rate.row else rules.field(rate.rate, policy, "premium_rate")
    return derived(TIMES, amount=rules.field(terms.invoice_amount, shipment, "invoice_amount"), rate=leaf)


def covered_amount(shipment: CoveredShipment, limit: Account, policy: Account) -> Derivation:
    """Returns as much of an invoice as the lines of its buyer limit and its policy have left; zero where one has
    nothing.
    """
    return derived(
        COVERED,
        invoice_amount=rules.field(shipment.invoice_amount, shipment.name, "invoice_amount"),
        available=[_left(shipment.buyer_limit, limit), _left(shipment.policy, policy)],
    )


def _left(undertaking: str, line: Account) -> Leaf:
    return rules.field(Money(line.currency, line.available_to_debit), undertaking, "available")


def insured_amount(shipment: CoveredShipment) -> Derivation:
    """Returns the insured part of what is covered: 90 % of USD 120,000.00 is USD 108,000.00."""
    return derived(
        TIMES,
        amount=rules.field(shipment.covered_amount, shipment.name, "covered_amount"),
        rate=rules.field(shipment.insured_ratio, shipment.name, "insured_ratio"),
    )


def insured_value(shipment: CoveredShipment, reserved: Money, asked: Money) -> Derivation:
    """Returns the value that stands for the covered part, of what the register reserved for an amount asked for."""
    encumbrance = f"encumbrances/{shipment.encumbrance_id}"
    return derived(
        INSURED_PART,
        reserved=rules.field(reserved, encumbrance, "items.amount"),
        asked=rules.field(asked, encumbrance, "items.claimed"),
        covered=rules.field(shipment.covered_amount, shipment.name, "covered_amount"),
    )
