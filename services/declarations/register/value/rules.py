"""The rule of margins, and how an asset's margin comes about."""

import datetime
from decimal import Decimal

from chassis.money import Money
from services.declarations.register import terms as register_terms
from services.declarations.register.asset import Asset
from services.declarations.register.value import model
from services.declarations.register.value.model import Value
from trade.derivations import rules
from trade.derivations.model import Derivation
from trade.derivations.rules import Parameter, Rule, derived, table
from trade.derivations.store import Entry

FIELD = "value.margin"


def _margin(declared: Money, settled: Money, returned: Money, cap: Decimal) -> Money:
    return max(min(model.margin_of(declared, cap), declared - settled - returned), declared.zero())


MARGIN = Rule(
    name="register.margin",
    function=_margin,
    source="The cap of the kind of asset, rounded up; at most what is still to be paid",
    parameters=(
        Parameter("declared", "申报价值"),
        Parameter("settled", "已收回"),
        Parameter("returned", "已退回"),
        Parameter("cap", "融资上限"),
    ),
    english="Of {declared}, {settled} paid and {returned} returned, at most {cap:%} may be financed",
    chinese="{declared}，已收回 {settled}，已退回 {returned}，最多可融资 {cap:%}",
    mode="UP",
)

VALUE = table(MARGIN)


def margin(asset: Asset, value: Value, on: datetime.date) -> Derivation:
    """Returns the margin that is due of an asset's value: 10.00 of 100.00 at a cap of 90 %."""
    row = register_terms.advance_cap_row(asset.collection, on)
    return derived(
        MARGIN,
        declared=rules.field(value.declared, asset.name, "declared_value"),
        settled=rules.field(value.settled, asset.name, "value.settled"),
        returned=rules.field(value.returned, asset.name, "value.returned"),
        cap=rules.row(Decimal(row["value"]), "declarations/terms", row),
    )


def opened(asset: Asset, on: datetime.date) -> Entry:
    """Returns how the margin comes about with which an asset's value is booked first."""
    cap = register_terms.advance_cap(asset.collection, on)
    return Entry(asset.name, FIELD, margin(asset, model.unencumbered(asset.value, cap), on))
