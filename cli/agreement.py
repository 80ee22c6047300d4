"""Proofs across the stores of several services, which must agree on one sum of money; no service can make them alone.

The platform may run meanwhile. What is under way (a payment that isn't finished, a repayment whose money is still to
move) is left out, since its services have yet to come to the same. A payment that waits for a person isn't finished.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from chassis import bulk, business_date, records
from chassis.database import Database
from chassis.money import Money, total
from services.declarations.register.encumbrance import model as encumbrance_model
from services.declarations.register.encumbrance import store as encumbrance_store
from services.declarations.register.encumbrance.model import Encumbrance
from services.declarations.register.encumbrance.model import State as EncumbranceState
from services.loans.loan.model import Loan
from services.loans.loan.model import State as LoanState
from services.loans.repayment.model import Repayment, left_unsecured
from services.loans.repayment.model import State as RepaymentState
from services.loans.tables import loans as loan_rows
from services.loans.tables import repayments as repayment_rows
from services.settlement.incoming_payment.division import Collection
from services.settlement.incoming_payment.model import BEHIND_NO_RETURN, OWING, IncomingPayment
from services.settlement.tables import incoming_payments
from trade import value_dates
from trade.dated_tables import reads as dated_tables_reads
from trade.dated_tables import store as dated_tables_store
from trade.dated_tables.model import Edition
from trade.dated_tables.reads import TableUnfit

# Payments of which no money moves any more.
ENDED = BEHIND_NO_RETURN - OWING


@dataclass(frozen=True, slots=True)
class Stores:
    """Snapshots of the stores that have a part in a loan's money."""

    declarations: sa.Connection
    settlement: sa.Connection
    loans: sa.Connection


def violations(stores: Mapping[str, Database], now_us: int) -> list[str]:
    """Returns where the stores of a platform disagree, by service name; on money, only where all three have theirs."""
    differing = list(_dated_tables(stores))
    if not {"declarations", "settlement", "loans"} <= stores.keys():
        return differing
    # The books that follow are read before those that they follow: what comes meanwhile is in the latter.
    with (
        stores["loans"].read() as loans,
        stores["settlement"].read() as settlement,
        stores["declarations"].read() as declarations,
    ):
        return [*differing, *disagreements(Stores(declarations, settlement, loans), now_us)]


def _dated_tables(stores: Mapping[str, Database]) -> Iterator[str]:
    """Yields versions of dated tables that some services hold and others don't.

    "DT1: loans lacks holidays 2 (9f86d081884c) of settlement, declarations; load a version again".
    """
    holders: dict[Edition, list[str]] = {}
    for service, store in stores.items():
        with store.read() as connection:
            for edition in dated_tables_store.editions(connection):
                holders.setdefault(edition, []).append(service)
    for edition, services in holders.items():
        for service in stores:
            if service not in services:
                yield f"DT1: {service} lacks {edition} of {', '.join(services)}; load a version again: `aval data load`"


def disagreements(stores: Stores, now_us: int) -> Iterator[str]:
    """Yields each disagreement with the resource that it is about."""
    moving = _moving(stores)
    yield from _dates(stores, now_us)
    for payments in records.pages(stores.settlement, incoming_payments, IncomingPayment):
        yield from _collections(stores, payments)
        yield from _held(stores, payments)
    for loans in records.pages(stores.loans, loan_rows, Loan):
        yield from _secured(stores, [loan for loan in loans if loan.state is LoanState.ACTIVE], moving)


def _moving(stores: Stores) -> set[str]:
    """Returns the loans of which money is still to move."""
    owing = incoming_payments.c.state.in_([state.value for state in OWING])
    payments = records.many(stores.settlement, sa.select(incoming_payments).where(owing), IncomingPayment)
    pending = sa.select(repayment_rows.c.loan).where(repayment_rows.c.state == RepaymentState.PENDING.value)
    collected = {collection.loan for payment in payments for collection in payment.collections}
    return collected | set(stores.loans.execute(pending).scalars())


def _dates(stores: Stores, now_us: int) -> Iterator[str]:
    """Yields dates of money after the next working day: no money counts from a day that hasn't come."""
    kinds = (("settlement", stores.settlement, incoming_payments), ("loans", stores.loans, repayment_rows))
    for service, connection, table in kinds:
        try:
            calendar = dated_tables_reads.calendar(connection, value_dates.CALENDAR)
        except TableUnfit as fault:
            yield f"{service}: DT1: {fault}"
            continue
        latest = value_dates.latest(calendar, business_date.present(connection, now_us))
        late = sa.select(table.c.id, table.c.value_date).where(table.c.value_date > latest.isoformat())
        for row in connection.execute(late):
            yield f"{service}: {table.name} {row.id} counts from {row.value_date}, after {latest}"


def _collections(stores: Stores, payments: list[IncomingPayment]) -> Iterator[str]:
    """Yields repayments that don't belong to the holder of the encumbrance that was settled."""
    done = [payment for payment in payments if payment.state in BEHIND_NO_RETURN]
    taken = [
        (payment, each_collection)
        for payment in done
        for each_collection in payment.collections
        if each_collection.amount
    ]
    encumbrances = _encumbrances(stores, (each_collection.encumbrance for _, each_collection in taken))
    repayments = _repayments(stores, [each_collection.repayment_id for _, each_collection in taken])
    for payment, collection in taken:
        for fault in _faults(
            collection, encumbrances.get(collection.encumbrance), repayments.get(collection.repayment_id)
        ):
            given = f"{payment.name} gave {collection.amount} for {collection.loan} of {collection.bank}"
            yield f"settlement: {given}, {fault}"


def _held(stores: Stores, payments: list[IncomingPayment]) -> Iterator[str]:
    """Yields repayments that wait for money of a finished payment: their loans would never be repaid."""
    ended = {payment.name: payment for payment in payments if payment.state in ENDED}
    waiting = repayment_rows.c.state == RepaymentState.PENDING.value
    query = sa.select(repayment_rows).where(waiting, repayment_rows.c.payment.in_(ended))
    for repayment in records.many(stores.loans, query, Repayment):
        state = ended[repayment.payment].state.value
        yield f"loans: {repayment.name} of {repayment.loan} is PENDING, but {repayment.payment} is {state}"


def _encumbrances(stores: Stores, names: Iterator[str]) -> dict[str, Encumbrance]:
    identifiers = {name.removeprefix("encumbrances/") for name in names}
    return {
        encumbrance.name: encumbrance
        for encumbrance in encumbrance_store.load(stores.declarations, identifiers).values()
    }


def _repayments(stores: Stores, identifiers: list[str]) -> dict[str, Repayment]:
    query = sa.select(repayment_rows).where(repayment_rows.c.id.in_(identifiers))
    return {repayment.id: repayment for repayment in records.many(stores.loans, query, Repayment)}


def _faults(collection: Collection, encumbrance: Encumbrance | None, repayment: Repayment | None) -> Iterator[str]:
    if encumbrance is None or encumbrance.holder != collection.bank:
        yield f"but {collection.encumbrance} is held by {encumbrance.holder if encumbrance else 'nobody'}"
    elif encumbrance.reference != collection.loan:
        yield f"but {collection.encumbrance} secures {encumbrance.reference or 'no loan'}"
    if repayment is None or (repayment.bank, repayment.loan) != (collection.bank, collection.loan):
        yield f"but {collection.repayment_id} repays {repayment.loan if repayment else 'nothing'}"
    elif repayment.interest_part + repayment.principal_part != collection.amount:
        yield f"but {repayment.name} is of {repayment.interest_part + repayment.principal_part}"
    elif collection.is_confirmed and repayment.state is not RepaymentState.POSTED:
        yield f"but {repayment.name} is {repayment.state.value}"


def _secured(stores: Stores, loans: list[Loan], moving: set[str]) -> Iterator[str]:
    """Yields loans whose debt and encumbrance disagree beyond what is still to come or known to be unsecured."""
    still = [loan for loan in loans if loan.name not in moving]
    encumbrances = _encumbrances(stores, (f"encumbrances/{loan.encumbrance_id}" for loan in still))
    for loan in still:
        encumbrance = encumbrances.get(f"encumbrances/{loan.encumbrance_id}")
        if encumbrance is None or not encumbrance.items:
            yield f"loans: {loan.name} is ACTIVE without an encumbrance"
        else:
            yield from _due(stores, loan, encumbrance)


def _due(stores: Stores, loan: Loan, encumbrance: Encumbrance) -> Iterator[str]:
    if encumbrance.holder != loan.bank or encumbrance.reference != loan.name:
        yield f"loans: {loan.name} of {loan.bank} rests on {encumbrance.name} of {encumbrance.holder}"
    if encumbrance.state is not EncumbranceState.CONFIRMED:
        yield f"loans: {loan.name} is ACTIVE, {encumbrance.name} is {encumbrance.state.value}"
    repaid, settled = (
        loan.principal - loan.outstanding,
        encumbrance_model.settled_total(encumbrance, loan.principal.currency),
    )
    if settled < repaid:
        yield f"loans: {loan.name} is repaid {repaid}, of {encumbrance.name} {settled} is settled"
    elif settled > repaid and settled - repaid > (told := _accounted(stores, loan, encumbrance)):
        yield f"loans: {loan.name} is repaid {repaid} of {settled} settled, {told} are to come or known as unsecured"


def _accounted(stores: Stores, loan: Loan, encumbrance: Encumbrance) -> Money:
    """Returns how much may be settled of a loan's encumbrance that isn't repaid: what is to come, and is unsecured.

    Repaid 600.00 of 1,000.00 settled, of which a payment of 390.00 waits for a person and 10.00 are unsecured: 400.00.
    """
    return _to_come(stores, encumbrance, loan.principal.currency) + _unsecured(stores, loan)


def _unsecured(stores: Stores, loan: Loan) -> Money:
    """Returns the principal that the lender knows as unsecured: what receipts left and the register didn't put back.

    Interest comes first, and where no value is free the register puts nothing back for it. The next receipt repays that
    principal before anything else. A loan of which money is still to move isn't asked for.
    """
    posted = sa.select(repayment_rows).where(
        repayment_rows.c.loan == loan.name, repayment_rows.c.state == RepaymentState.POSTED.value
    )
    return left_unsecured(records.many(stores.loans, posted, Repayment), loan.principal.currency)


def _to_come(stores: Stores, encumbrance: Encumbrance, currency: str) -> Money:
    """Returns how much of an encumbrance was settled by payments whose money is still in suspense.

    The register counts a payment before settlement hears whose encumbrance it settled, and the lender refuses it while
    the loan is drawn down: then it waits, UNMATCHED, for a person who sends it on to the same loan. Its money is whole
    in suspense (M1), can't leave it for anywhere else once it is applied, and is moved on by a call or a person (M3):
    the loan is still to be repaid with it, and nothing more has to secure that part.
    """
    settled = encumbrance_store.settled_by_payment(stores.declarations, encumbrance, currency)
    gone = _out_of_suspense(stores, settled)
    return total([amount for payment, amount in settled.items() if payment not in gone], currency)


def _out_of_suspense(stores: Stores, payments: Iterable[str]) -> set[str]:
    """Returns those of some payments whose money has left suspense; one that settlement doesn't know yet hasn't."""
    identifiers = {payment.removeprefix("incomingPayments/") for payment in payments}
    rows, states = incoming_payments.c, [state.value for state in BEHIND_NO_RETURN]
    query = sa.select(rows.id).where(rows.state.in_(states), bulk.among(stores.settlement, rows.id, identifiers))
    return {f"incomingPayments/{identifier}" for identifier in stores.settlement.execute(query).scalars()}
