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
UNSECURED = Rule(
    name="loan.still_unsecured",
    function=repayment_model.still_unsecured,
    source="What receipts left unsecured, less what the register put back and what later receipts took over",
    parameters=(
        Parameter("unsecured", "无担保本金", is_list=True),
        Parameter("restored", "已恢复担保", is_list=True),
        Parameter("taken_over", "已由后续收款承接", is_list=True),
        Parameter("currency", "币种"),
    ),
    english="Left unsecured: {unsecured}; put back: {restored}; taken over by later receipts: {taken_over}",
    chinese="无担保本金：{unsecured}；已恢复担保：{restored}；已由后续收款承接：{taken_over}",
)
TAKEN_OVER = Rule(
    name="loan.taken_over",
    function=repayment_model.taken_over,
    source="A receipt repays what earlier receipts left unsecured, beside what it settled of the encumbrance",
    parameters=(
        Parameter("settled_by_payment", "本次收款清偿"),
        Parameter("settled", "累计清偿"),
        Parameter("repaid", "已还本金"),
        Parameter("unsecured", "无担保本金"),
    ),
    english="{unsecured} left unsecured by earlier receipts; {settled_by_payment} settled by this one, of {settled} in"
    " all; {repaid} of principal were repaid before",
    chinese="此前收款留下的无担保本金 {unsecured}；本次收款清偿 {settled_by_payment}，累计清偿 {settled}；"
    "此前已还本金 {repaid}",
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

RULES: Rules = {**SHARED, **table(OUTSTANDING, UNSECURED, TAKEN_OVER, PART)}
