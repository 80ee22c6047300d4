"""Whether rows and ledger agree, from the rows alone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from ledger import store as ledger_store
from ledger.model import Account
from services.credit_insurance.buyer_limit.store import BUYER_LIMITS
from services.credit_insurance.cover_hold import model as cover_hold_model
from services.credit_insurance.cover_hold import store as cover_hold_store
from services.credit_insurance.cover_hold.model import State as HoldState
from services.credit_insurance.covered_shipment import model, store
from services.credit_insurance.covered_shipment.model import RESERVING, CoveredShipment, State
from services.credit_insurance.explaining import EXPLAINING
from services.credit_insurance.policy.store import POLICIES
from trade.dated_tables import store as dated_tables_store

# The nouns that tenants take part in.
PARTICIPATIONS = tuple(rows.participation for rows in (POLICIES, BUYER_LIMITS, store.COVERED_SHIPMENTS))


def violations(connection: sa.Connection) -> Sequence[str]:
    """Returns everything that doesn't fit."""
    of_shipments = [text for page in store.pages(connection) for text in _of_page(connection, page)]
    of_parties = [text for participation in PARTICIPATIONS for text in participation.violations(connection)]
    shared = (ledger_store, dated_tables_store, EXPLAINING)
    of_shared = [text for room in shared for text in room.violations(connection)]
    return [*of_shared, *of_shipments, *of_parties]


def _of_page(connection: sa.Connection, shipments: Sequence[CoveredShipment]) -> Iterator[str]:
    """Yields what doesn't fit of some shipments, with what lenders hold of them."""
    named = (model.exposure_id, model.liability_id, cover_hold_model.available_id, cover_hold_model.held_id)
    accounts = ledger_store.accounts(
        connection, [account(shipment.name) for shipment in shipments for account in named]
    )
    for shipment in shipments:
        yield from _of_exposure(shipment, accounts)
    yield from _of_payments(connection, shipments, accounts)
    yield from _of_holds(connection, shipments, accounts)


def _of_exposure(shipment: CoveredShipment, accounts: Mapping[str, Account]) -> Iterator[str]:
    """Held while it is being covered, booked while covered, nothing otherwise; the same under both lines."""
    exposure, liability = accounts[model.exposure_id(shipment.name)], accounts[model.liability_id(shipment.name)]
    used = (exposure.credits_pending, exposure.balance)
    if used != (liability.credits_pending, liability.balance):
        yield f"{shipment.name}: uses {used} of its limit, another amount of its policy"
    if not _fits(shipment, *used):
        yield f"{shipment.name} is {shipment.state.value}, its exposure {used} (held, booked)"


def _fits(shipment: CoveredShipment, held: int, booked: int) -> bool:
    covered = shipment.covered_amount.minor_units
    if shipment.state in RESERVING:
        return (held, booked) == (covered, 0)
    if shipment.state is State.COVERED:
        return held == 0 and 0 < booked <= covered
    return (held, booked) == (0, 0)


def _of_payments(
    connection: sa.Connection, shipments: Sequence[CoveredShipment], accounts: Mapping[str, Account]
) -> Iterator[str]:
    """Under cover in force stands exactly what buyers still owe: no payment that was told is forgotten."""
    for shipment in shipments:
        if shipment.state is not State.COVERED:
            continue
        if shipment.insured_value is None or shipment.paid_before is None:
            yield f"{shipment.name} is COVERED without an insured value"
            continue
        currency, payments = shipment.insured_value.currency, store.payments(connection, shipment.declaration)
        told, _ = model.told(payments, currency)
        owed = model.owed_after(shipment, told)
        booked = accounts[model.exposure_id(shipment.name)].balance
        if booked != owed.minor_units:
            yield f"{shipment.name}: {owed.minor_units} is owed under cover, its exposure is {booked}"
        for payment in payments:
            if payment.amount is not None and payment.amount.currency != currency:
                yield f"{shipment.name}: {payment.payment} is of another currency than its cover, and frees nothing"


def _of_holds(
    connection: sa.Connection, shipments: Sequence[CoveredShipment], accounts: Mapping[str, Account]
) -> Iterator[str]:
    """Lenders hold what their holds say, and no more is available than is insured."""
    held: Counter[str] = Counter()
    for hold in cover_hold_store.of_shipments(connection, [shipment.name for shipment in shipments]):
        if hold.state is HoldState.HELD and hold.amount is not None:
            held[hold.covered_shipment] += hold.amount.minor_units
    for shipment in shipments:
        account = accounts.get(cover_hold_model.available_id(shipment.name))
        in_ledger = account.debits_pending if account else 0
        if in_ledger != held[shipment.name]:
            yield f"{shipment.name}: lenders hold {held[shipment.name]}, the ledger has {in_ledger}"
        insured = shipment.insured(model.exposure_of(accounts[model.exposure_id(shipment.name)]))
        if account and account.balance != max(insured.minor_units, in_ledger):
            yield f"{shipment.name}: {insured.minor_units} is insured, the ledger has {account.balance}"
