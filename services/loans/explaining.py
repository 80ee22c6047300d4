"""How the loans service explains its amounts."""

from collections.abc import Iterator

from chassis.service import Reading
from services.loans.loan.model import DISBURSED
from services.loans.loan.payoff import due
from services.loans.loan.rules import RULES
from services.loans.loan.store import LOANS
from services.loans.offer.store import OFFERS
from services.loans.repayment import reads as repayment_reads
from services.loans.repayment import store as repayment_store
from services.loans.repayment.model import State
from services.loans.repayment.store import REPAYMENTS
from trade.derivations.explaining import Explaining, by_method
from trade.derivations.rules import summed
from trade.derivations.store import Entry, of_rows


def _payoff(reading: Reading, name: str) -> Iterator[Entry]:
    """Yields how what repays a loan today comes about, after the repayments whose money has moved."""
    loan = LOANS.load(reading.connection, name)
    if loan is None or loan.state not in DISBURSED:
        return
    posted = repayment_store.of_loan(reading.connection, loan.name, [State.POSTED])
    owed = due(loan, posted, reading.business_date)
    yield Entry(name, "payoff.interest", owed.owed)
    yield Entry(name, "payoff.principal", owed.outstanding)
    yield Entry(name, "payoff.total", summed([owed.outstanding, owed.owed], loan.principal.currency))


EXPLAINING = Explaining(
    rules=RULES,
    seen={
        "loans": by_method("loans", "GetLoan", LOANS.get),
        "offers": by_method("loans", "GetOffer", OFFERS.get),
        "repayments": repayment_reads.seen,
    },
    on_request={"loans": _payoff},
    present={
        "offers": of_rows(OFFERS, "interest", "all_in_cost", "simple_rate"),
        "repayments": of_rows(REPAYMENTS, "interest", "principal", "unsecured"),
    },
    beside=frozenset({"payoff.interest", "payoff.principal", "payoff.total"}),
)
