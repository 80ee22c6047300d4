"""The rules by which a payment is divided, beside those that all services share; and how its parts are derived."""

from collections.abc import Iterator

from chassis.money import Money
from services.settlement.incoming_payment import division
from services.settlement.incoming_payment.model import IncomingPayment
from trade.derivations import rules
from trade.derivations.rules import Leaf, Parameter, Rule, derived, table
from trade.derivations.store import Entry


def _part(amount: Money, owed: tuple[Money, ...], place: int) -> Money:
    return division.divided(amount, owed)[place - 1]


PART = Rule(
    name="payment.part",
    function=_part,
    source="Each is paid what is owed on it, the last what is left; where there is too little, each its share",
    parameters=(
        Parameter("amount", "付款金额"),
        Parameter("owed", "应付金额", is_list=True),
        Parameter("place", "第几份"),
    ),
    english="Part {place} of {amount}, of which is owed: {owed}",
    chinese="{amount} 的第 {place} 份，各份应付：{owed}",
)

INCOMING = table(PART)


def field(declaration: str) -> str:
    """Returns the path of the amount of a payment's part: parts[declarations/1].amount."""
    return f"parts[{declaration}].amount"


def parts(payment: IncomingPayment) -> Iterator[Entry]:
    """Yields how the parts of a divided payment came about."""
    amount = rules.field(payment.amount, payment.name, "amount")
    zero = payment.amount.zero()
    owed = [rules.field(part.owed or zero, part.declaration, "value.unpaid") for part in payment.parts]
    for place, part in enumerate(payment.parts, 1):
        derivation = derived(PART, amount=amount, owed=owed, place=Leaf(place))
        yield Entry(payment.name, field(part.declaration), derivation)


def is_divided_now(before: IncomingPayment, after: IncomingPayment) -> bool:
    """Whether a step has divided a payment."""
    return _is_divided(after) and not _is_divided(before)


def _is_divided(payment: IncomingPayment) -> bool:
    return any(part.amount is not None for part in payment.parts)
