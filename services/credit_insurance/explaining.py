"""How the credit insurance service explains its amounts."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from chassis.money import Money
from ledger import store as ledger_store
from services.credit_insurance.cover_hold import model as cover_hold_model
from services.credit_insurance.covered_shipment.rules import INSURED_AMOUNT, INSURED_VALUE, RULES
from services.credit_insurance.covered_shipment.store import COVERED_SHIPMENTS
from trade.derivations.explaining import Explaining, by_method
from trade.derivations.model import Value
from trade.derivations.store import of_rows

_of_rows = of_rows(COVERED_SHIPMENTS, "premium", "covered_amount", INSURED_VALUE)


def _present(connection: sa.Connection, shipments: Sequence[str]) -> Mapping[tuple[str, str], Value]:
    """Returns the shipments' amounts, and the insured amounts that were booked."""
    return {**_of_rows(connection, shipments), **_booked(connection, shipments)}


def _booked(connection: sa.Connection, shipments: Sequence[str]) -> Mapping[tuple[str, str], Value]:
    openings = {cover_hold_model.opening_id(shipment): shipment for shipment in shipments}
    lines = ledger_store.stored(connection, list(openings))
    records = {shipment.name: shipment for shipment in COVERED_SHIPMENTS.load_many(connection, shipments)}
    return {
        (openings[key], INSURED_AMOUNT): Money(records[openings[key]].invoice_amount.currency, line.transfer.amount)
        for key, line in lines.items()
    }


EXPLAINING = Explaining(
    rules=RULES,
    seen={"coveredShipments": by_method("credit_insurance", "GetCoveredShipment", COVERED_SHIPMENTS.get)},
    present={"coveredShipments": _present},
    beside=frozenset({INSURED_AMOUNT, INSURED_VALUE}),
)
