"""How the declarations service explains its amounts and dates."""

from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from chassis.service import Reading
from services.declarations.assets.pool import reads as pool_reads
from services.declarations.assets.pool import rules as pool_rules
from services.declarations.assets.pool import store as pool_store
from services.declarations.assets.pool.model import State as PoolState
from services.declarations.register.value import rules as value_rules
from services.declarations.register.value import store as value_store
from services.declarations.views import declarations as views_declarations
from services.declarations.views import records as views_records
from services.declarations.window.bill import rules as bill_rules
from services.declarations.window.bill import store as bill_store
from services.declarations.window.declaration import assets as declaration_assets
from trade.derivations.explaining import Explaining, by_method
from trade.derivations.model import Value
from trade.derivations.rules import Rules
from trade.derivations.store import Entry

RULES: Rules = {**bill_rules.BILL, **value_rules.VALUE, **pool_rules.POOL}


def _margin(reading: Reading, name: str) -> Iterator[Entry]:
    """Yields how the margin comes about that a declaration has now, where it is the margin that is due."""
    on = reading.business_date
    for asset in declaration_assets.load(reading.connection, [name], on).values():
        value = value_store.of(reading.connection, asset, on)
        derivation = value_rules.margin(asset, value, on)
        if derivation.result == value.margin:
            yield Entry(name, value_rules.FIELD, derivation)


def _base(reading: Reading, name: str) -> Iterator[Entry]:
    """Yields how the base of an open pool comes about; a closed one's is nothing."""
    identifier = name.removeprefix("pools/")
    for pool in pool_store.load(reading.connection, [identifier]).values():
        if pool.state is PoolState.OPEN:
            totals = pool_store.totals(reading.connection, [pool.id])[pool.id]
            yield Entry(name, pool_rules.FIELD, pool_rules.base(pool, totals))


def _of_bills(connection: sa.Connection, records: Sequence[str]) -> Mapping[tuple[str, str], Value]:
    """Returns when bills are due, and the late fees that are paid with those that are claimed."""
    bills = bill_store.load(connection, [name.removeprefix("records/") for name in records]).values()
    fees = {(bill.name, bill_rules.LATE_FEE): bill.late_fee for bill in bills if bill.late_fee is not None}
    dates = {(bill.name, bill_rules.DUE_DATE): bill.due_date for bill in bills if bill.due_rule != "STATED"}
    return {**dates, **fees}


def _of_values(connection: sa.Connection, assets: Sequence[str]) -> Mapping[tuple[str, str], Value]:
    """Returns the margins with which assets' values were booked first."""
    margins = value_store.opened_margins(connection, assets)
    return {(asset, value_rules.FIELD): margin for asset, margin in margins.items()}


EXPLAINING = Explaining(
    rules=RULES,
    seen={
        "declarations": by_method("declarations", "GetDeclaration", views_declarations.get),
        "pools": by_method("declarations", "GetPool", pool_reads.get),
        "records": by_method("declarations", "GetRecord", views_records.get),
    },
    on_request={"declarations": _margin, "pools": _base},
    present={
        "records": _of_bills,
        **dict.fromkeys(("declarations", "pools", "preShipments", "rebates", "warehouseSales"), _of_values),
    },
)
