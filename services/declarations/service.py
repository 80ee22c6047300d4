"""The declarations service: its contract's methods and the functions behind them."""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from aval.events.v1 import events_pb2

import ledger
from chassis.service import Check, Command, Reading, Service
from chassis.tables import sealed_answers
from ledger import store as ledger_store
from services.declarations import visibility
from services.declarations.bill import commands as bill
from services.declarations.bill import store as bill_store
from services.declarations.breach import commands as breach
from services.declarations.breach import reads as breach_reads
from services.declarations.consent import access
from services.declarations.consent import commands as consent
from services.declarations.consent import reads as consent_reads
from services.declarations.declaration import commands as declaration
from services.declarations.declaration import reads as declaration_reads
from services.declarations.draft import commands as draft
from services.declarations.draft import reads as draft_reads
from services.declarations.draft import store as draft_store
from services.declarations.encumbrance import carrying as encumbrance_carrying
from services.declarations.encumbrance import commands as encumbrance
from services.declarations.encumbrance import reads as encumbrance_reads
from services.declarations.fingerprint import commands as fingerprint
from services.declarations.fingerprint import reads as fingerprint_reads
from services.declarations.insight.export import reads as export
from services.declarations.insight.filters import commands as filters
from services.declarations.insight.findings import reads as findings
from services.declarations.insight.fold import commands as fold
from services.declarations.insight.norms import commands as norms
from services.declarations.insight.portrait import commands as portraits
from services.declarations.insight.portrait import reads as portrait_reads
from services.declarations.insight.statistics import reads as statistics
from services.declarations.intake import commands as intake
from services.declarations.intake import reads as intake_reads
from services.declarations.intake import rpc as intake_rpc
from services.declarations.intake import store as intake_store
from services.declarations.intake import unified
from services.declarations.intake.refused_rows import keeping_refused
from services.declarations.personal import reads as personal_reads
from services.declarations.pool import commands as pool
from services.declarations.pool import reads as pool_reads
from services.declarations.pool import store as pools
from services.declarations.preshipment import commands as pre_shipment
from services.declarations.preshipment import reads as pre_shipment_reads
from services.declarations.rebate import commands as rebate
from services.declarations.rebate import reads as rebate_reads
from services.declarations.records import commands as records
from services.declarations.records import permit_uses
from services.declarations.records import reads as record_reads
from services.declarations.records import rpc as record_rpc
from services.declarations.records import store as record_store
from services.declarations.reference import commands as reference
from services.declarations.retail import commands as retail
from services.declarations.retail import modes
from services.declarations.retail.list import reads as retail_list_reads
from services.declarations.retail.merchant import commands as merchants
from services.declarations.retail.order import reads as retail_order_reads
from services.declarations.retail.sale import commands as sale
from services.declarations.retail.sale import store as sales
from services.declarations.retail.summary import reads as summary_reads
from services.declarations.retail.summary import store as summaries
from services.declarations.tables import personal_data, refused_contents, refused_told
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


def _sold(request: Any) -> Iterable[str]:
    return [request.warehouse_sale.declaration]


def _pool(request: Any) -> Iterable[str]:
    return [request.pool]


def _sold_in_store(request: Any) -> Iterable[str]:
    return [request.store_sale.retail_list]


# What proves the rows: the ledger, the register, pools, summaries, records, bills, what was refused.
PROOFS: Sequence[Check] = (
    ledger_store.violations,
    proof.violations,
    pools.violations,
    summaries.violations,
    sales.violations,
    record_store.violations,
    permit_uses.violations,
    draft_store.violations,
    bill_store.violations,
    intake_store.violations,
)


def _violations(connection: sa.Connection) -> list[str]:
    return [found for prove in PROOFS for found in prove(connection)]


def _visible(reading: Reading, events: Sequence[events_pb2.Event]) -> Sequence[events_pb2.Event]:
    return visibility.visible(reading, declaration_reads.visible(reading, events))


SERVICE = Service(
    name="declarations",
    migrations=[LEDGER_VERSIONS, VERSIONS],
    commands={
        "BatchCreateDeclarations": keeping_refused(
            Command(run_batch=draft.create_batch, prepare=declaration.rows), "declaration"
        ),
        "BatchCreateReceipts": keeping_refused(Command(unified.create_receipts, names=_receipts), "receipt"),
        "BatchCreateRetailDocuments": keeping_refused(
            Command(retail.create_batch, names=retail.names, prepare=retail.rows), "retail_document"
        ),
        "ReportWarehouseSale": Command(sale.report_warehouse_sale, names=_sold),
        "ReportStoreSale": Command(sale.report_store_sale, names=_sold_in_store),
        "CreatePool": Command(pool.create),
        "ClosePool": Command(pool.close, names=_name),
        "ApplyPoolSettlement": Command(pool.settle, names=_pool),
        "CreateConsent": Command(consent.create),
        "RevokeConsent": Command(consent.revoke, names=lambda request: [request.name]),
        "ReserveEncumbrance": Command(run_batch=encumbrance.reserve_batch, names=_items),
        "BatchReserveEncumbrances": Command(encumbrance.reserve_many, names=_batch),
        "ConfirmEncumbrance": Command(encumbrance.confirm, names=lambda request: [request.name]),
        "ReleaseEncumbrance": Command(encumbrance.release, names=lambda request: [request.name]),
        "ReduceEncumbrance": Command(encumbrance.reduce, names=_name),
        "ApproveReduction": Command(encumbrance.approve_reduction, names=_name),
        "RejectReduction": Command(encumbrance.reject_reduction, names=_name),
        "BatchCreateRecords": keeping_refused(
            Command(records.create_batch, names=record_rpc.names, prepare=records.candidates), "record"
        ),
        "ClaimBill": Command(bill.claim, names=_name),
        "ReleaseBill": Command(bill.release, names=_name),
        "ConfirmBillPaid": Command(bill.confirm, names=_name),
        "ApplyProceeds": Command(encumbrance.apply_proceeds, names=lambda request: [request.asset]),
        "RestoreEncumbrance": Command(encumbrance.restore, names=lambda request: [request.name, *request.assets]),
        "ProposeBreachResolution": Command(breach.propose, names=_name),
        "ResolveBreach": Command(breach.resolve, names=_name),
        "CreatePreShipment": Command(pre_shipment.create, names=lambda request: [request.pre_shipment.contract_number]),
        "LinkPreShipment": Command(pre_shipment.link, names=lambda request: [request.name, request.declaration]),
        "RollPreShipment": Command(pre_shipment.roll, names=_name),
        "CreateRebate": Command(rebate.create, names=lambda request: [request.rebate.enterprise]),
        "ReviseRebate": Command(rebate.revise, names=_name),
        "ImportDocuments": Command(intake.import_documents, prepare=intake.read, is_personal=intake_rpc.has_refused),
        "ResendDocument": Command(intake.resend, names=_name, is_personal=intake_rpc.always),
        "DiscardRefusedDocument": Command(intake.discard, names=_name, is_personal=intake_rpc.always),
        "BatchCreateReferenceRecords": keeping_refused(Command(reference.create_batch), "reference_record"),
        "RegisterDocuments": Command(run_batch=fingerprint.register_batch, names=fingerprint.contenders),
        "CheckDocuments": Command(run_batch=fingerprint.check_batch),
        "MarkFinanced": Command(fingerprint.finance, names=_name),
        "MarkRepaid": Command(fingerprint.repay, names=_name),
        "CancelRegistration": Command(fingerprint.cancel, names=_name),
        "CreateSavedFilter": Command(filters.create),
        "DeleteSavedFilter": Command(filters.delete, names=lambda request: [request.name]),
    },
    reads={
        "GetRecord": record_reads.get,
        "ListRecords": record_reads.list_,
        "VerifyPermits": record_reads.verify_permits,
        "GetEvidence": record_reads.evidence,
        "GetDeclaration": declaration_reads.get,
        "ListDeclarations": declaration_reads.list_,
        "GetDraft": draft_reads.get,
        "ListDrafts": draft_reads.list_,
        "GetRetailOrder": retail_order_reads.get,
        "ListRetailOrders": retail_order_reads.list_,
        "ListConsents": consent_reads.list_,
        "ListDisclosures": consent_reads.list_disclosures,
        "GetPersonalData": personal_reads.get,
        "ListTradeModes": modes.list_,
        "GetRetailList": retail_list_reads.get,
        "ListRetailLists": retail_list_reads.list_,
        "GetRetailSummary": summary_reads.get,
        "ListRetailSummaries": summary_reads.list_,
        "GetWarehouseSale": sale.get,
        "GetPool": pool_reads.get,
        "ListPools": pool_reads.list_,
        "ListPoolMovements": pool_reads.list_movements,
        "GetReceivable": declaration_reads.receivable,
        "GetEncumbrance": encumbrance_reads.get,
        "ListEncumbrances": encumbrance_reads.list_,
        "GetBreach": breach_reads.get,
        "ListBreaches": breach_reads.list_,
        "GetPreShipment": pre_shipment_reads.get,
        "ListPreShipments": pre_shipment_reads.list_,
        "GetRebate": rebate_reads.get,
        "ListRebates": rebate_reads.list_,
        "ListRefusedDocuments": intake_reads.list_,
        "GetRefusedDocument": intake_reads.get,
        "GetRegistration": fingerprint_reads.get,
        "ListRegistrations": fingerprint_reads.list_,
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
        "StreamRecords": "BatchCreateRecords",
        "StreamEncumbrances": "BatchReserveEncumbrances",
        "StreamReferenceRecords": "BatchCreateReferenceRecords",
    },
    note=access.note,
    sealed=[personal_data, refused_contents, refused_told, sealed_answers],
    sweeps=[
        encumbrance.expire,
        encumbrance_carrying.carry_payments,
        pool.gather,
        pool.age,
        draft.join,
        unified.attach_waiting,
        merchants.adopt,
        intake.forget_old,
    ],
    derivations=[fold.follow, norms.seed, norms.publish, portraits.assess],
    prepare=[ledger_store.initialise],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
    visible=_visible,
)
