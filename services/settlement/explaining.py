"""How the settlement service explains its amounts."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from services.settlement.bill_payment.store import BILL_PAYMENTS
from services.settlement.incoming_payment import rules as incoming_payment_rules
from services.settlement.incoming_payment.saga import RULES
from services.settlement.incoming_payment.store import INCOMING_PAYMENTS
from trade.derivations.explaining import Explaining, by_method
from trade.derivations.model import Value
from trade.derivations.store import of_rows


def _parts(connection: sa.Connection, payments: Sequence[str]) -> Mapping[tuple[str, str], Value]:
    """Returns the parts of payments as they are divided."""
    return {
        (payment.name, incoming_payment_rules.field(part.declaration)): part.amount
        for payment in INCOMING_PAYMENTS.load_many(connection, payments)
        for part in payment.parts
        if part.amount is not None
    }


EXPLAINING = Explaining(
    rules=RULES,
    seen={
        "incomingPayments": by_method("settlement", "GetIncomingPayment", INCOMING_PAYMENTS.get),
        "billPayments": by_method("settlement", "GetBillPayment", BILL_PAYMENTS.get),
    },
    present={"incomingPayments": _parts, "billPayments": of_rows(BILL_PAYMENTS, "amount")},
)
