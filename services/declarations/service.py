"""The declarations service: its contract's methods and the functions behind them."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

import ledger
from chassis.service import Command, Service
from ledger import store as ledger_store
from services.declarations.breach import commands as breach
from services.declarations.breach import reads as breach_reads
from services.declarations.consent import access
from services.declarations.consent import commands as consent
from services.declarations.consent import reads as consent_reads
from services.declarations.declaration import commands as declaration
from services.declarations.declaration import reads as declaration_reads
from services.declarations.encumbrance import commands as encumbrance
from services.declarations.encumbrance import reads as encumbrance_reads
from services.declarations.insight.export import reads as export
from services.declarations.insight.filters import commands as filters
from services.declarations.insight.findings import reads as findings
from services.declarations.insight.fold import commands as fold
from services.declarations.insight.norms import commands as norms
from services.declarations.insight.portrait import commands as portraits
from services.declarations.insight.portrait import reads as portrait_reads
from services.declarations.insight.statistics import reads as statistics
from services.declarations.personal import reads as personal_reads
from services.declarations.preshipment import commands as pre_shipment
from services.declarations.preshipment import reads as pre_shipment_reads
from services.declarations.rebate import commands as rebate
from services.declarations.rebate import reads as rebate_reads
from services.declarations.retail import commands as retail
from services.declarations.retail.order import reads as retail_order_reads
from services.declarations.tables import personal_data
from services.declarations.value import proof

LEDGER_VERSIONS = str(pathlib.Path(ledger.__file__).parent / "versions")
VERSIONS = str(pathlib.Path(__file__).parent / "versions")


def _receipts(request: Any) -> Iterable[str]:
    return (f"declarations/{receipt.declaration_number}" for receipt in request.receipts)


def _items(request: Any) -> Iterable[str]:
    return (item.asset for item in request.encumbrance.items)


def _batch(request: Any) -> Iterable[str]:
    return (item.asset for one in request.requests for item in one.encumbrance.items)


def _name(request: Any) -> Iterable[str]:
    return [request.name]


def _violations(connection: sa.Connection) -> Sequence[str]:
    """The ledger's proof, and the register's."""
    return [*ledger_store.violations(connection), *proof.violations(connection)]


SERVICE = Service(
    name="declarations",
    migrations=[LEDGER_VERSIONS, VERSIONS],
    commands={
        "ImportDeclarations": Command(run_batch=declaration.import_documents, prepare=declaration.documents),
        "BatchCreateDeclarations": Command(run_batch=declaration.create_batch, prepare=declaration.rows),
        "BatchCreateReceipts": Command(declaration.create_receipts, names=_receipts),
        "BatchCreateRetailDocuments": Command(retail.create_batch, names=retail.names, prepare=retail.rows),
        "CreateConsent": Command(consent.create),
        "RevokeConsent": Command(consent.revoke, names=lambda request: [request.name]),
        "ReserveEncumbrance": Command(run_batch=encumbrance.reserve_batch, names=_items),
        "BatchReserveEncumbrances": Command(encumbrance.reserve_many, names=_batch),
        "ConfirmEncumbrance": Command(encumbrance.confirm, names=lambda request: [request.name]),
        "ReleaseEncumbrance": Command(encumbrance.release, names=lambda request: [request.name]),
        "ReduceEncumbrance": Command(encumbrance.reduce, names=_name),
        "ApproveReduction": Command(encumbrance.approve_reduction, names=_name),
        "RejectReduction": Command(encumbrance.reject_reduction, names=_name),
        "ApplyProceeds": Command(encumbrance.apply_proceeds, names=lambda request: [request.asset]),
        "ProposeBreachResolution": Command(breach.propose, names=_name),
        "ResolveBreach": Command(breach.resolve, names=_name),
        "CreatePreShipment": Command(pre_shipment.create, names=lambda request: [request.pre_shipment.contract_number]),
        "LinkPreShipment": Command(pre_shipment.link, names=lambda request: [request.name, request.declaration]),
        "RollPreShipment": Command(pre_shipment.roll, names=_name),
        "CreateRebate": Command(rebate.create, names=lambda request: [request.rebate.enterprise]),
        "ReviseRebate": Command(rebate.revise, names=_name),
        "CreateSavedFilter": Command(filters.create),
        "DeleteSavedFilter": Command(filters.delete, names=lambda request: [request.name]),
    },
    reads={
        "GetDeclaration": declaration_reads.get,
        "ListDeclarations": declaration_reads.list_,
        "GetRetailOrder": retail_order_reads.get,
        "ListRetailOrders": retail_order_reads.list_,
        "ListConsents": consent_reads.list_,
        "ListDisclosures": consent_reads.list_disclosures,
        "GetPersonalData": personal_reads.get,
        "GetEncumbrance": encumbrance_reads.get,
        "ListEncumbrances": encumbrance_reads.list_,
        "GetBreach": breach_reads.get,
        "ListBreaches": breach_reads.list_,
        "GetPreShipment": pre_shipment_reads.get,
        "ListPreShipments": pre_shipment_reads.list_,
        "GetRebate": rebate_reads.get,
        "ListRebates": rebate_reads.list_,
        "ListSavedFilters": filters.list_,
        "ExportDeclarations": export.export,
        "QueryStatistics": statistics.query,
        "QueryStatisticsChanges": statistics.changes,
        "GetRiskPortrait": portrait_reads.get,
        "ListTradeFindings": findings.list_,
    },
    streams={
        "StreamDeclarations": "BatchCreateDeclarations",
        "StreamReceipts": "BatchCreateReceipts",
        "StreamRetailDocuments": "BatchCreateRetailDocuments",
        "StreamEncumbrances": "BatchReserveEncumbrances",
    },
    note=access.note,
    sweeps=[encumbrance.expire],
    derivations=[fold.follow, norms.publish, portraits.assess],
    sealed=[personal_data],
    prepare=[ledger_store.initialise],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
    visible=declaration_reads.visible,
)
