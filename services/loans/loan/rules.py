"""The rules of loans by which amounts come about, beside those that all services share."""

from chassis.money import Money, total
from services.loans.products import Component
from services.loans.repayment import model as repayment_model
from trade.derivations.rules import Parameter, Rule, Rules, table
from trade.derivations.shared import SHARED


def _outstanding(principal: Money, repaid: tuple[Money, ...]) -> Money:
    return principal - total(repaid, principal.currency)


def _part(component: str, order: str, amount: Money, interest: Money, principal: Money) -> Money:
    """Returns what of an amount pays a component: of 100.00, 30.00 interest first, it is 70.00 of the principal."""
    owed = {Component.INTEREST: interest, Component.PRINCIPAL: principal}
    return repayment_model.waterfall(amount, owed, [*map(Component, order.split())])[Component(component)]


OUTSTANDING = Rule(
    name="loan.outstanding",
    function=_outstanding,
    source="The principal less what was repaid of it",
    parameters=(Parameter("principal", "本金"), Parameter("repaid", "已还本金", is_list=True)),
    english="{principal}, of which repaid: {repaid}",
    chinese="{principal}，其中已还：{repaid}",
)
TO_REPAY = Rule(
    name="loan.to_repay",
    function=repayment_model.to_repay,
    source="A receipt repays what it settled of the encumbrance, and what interest took of earlier receipts",
    parameters=(
        Parameter("settled_by_payment", "本次收款清偿"),
        Parameter("settled", "累计清偿"),
        Parameter("repaid", "已还本金"),
        Parameter("interest", "已付利息"),
    ),
    english="{settled_by_payment} settled by this receipt, of {settled} in all; {repaid} of principal and {interest} of"
    " interest were paid before",
    chinese="本次收款清偿 {settled_by_payment}，累计清偿 {settled}；此前已还本金 {repaid}、利息 {interest}",
)
PART = Rule(
    name="loan.part",
    function=_part,
    source="The product's order of payment",
    parameters=(
        Parameter("component", "组成部分"),
        Parameter("order", "偿付顺序"),
        Parameter("amount", "金额"),
        Parameter("interest", "应付利息"),
        Parameter("principal", "应还本金"),
    ),
    english="The part of {amount} that pays {component}, in the order {order}; due are {interest} of interest and"
    " {principal} of principal",
    chinese="{amount} 按 {order} 的顺序偿付，其中用于 {component} 的部分；应付利息 {interest}，应还本金 {principal}",
)

RULES: Rules = {**SHARED, **table(OUTSTANDING, TO_REPAY, PART)}
