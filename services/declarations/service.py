"""The declarations service: its contract's methods and the functions behind them."""

import pathlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from aval.events.v1 import events_pb2

from chassis.blobs import store as blob_store
from chassis.service import Command, Reading, Service
from chassis.tables import blob_parts, sealed_answers
from ledger import store as ledger_store
from services.declarations.assets.pool import commands as pool_commands
from services.declarations.assets.pool import reads as pool_reads
from services.declarations.assets.pool import store as pool_store
from services.declarations.assets.rebate import commands as rebate_commands
from services.declarations.assets.rebate import reads as rebate_reads
from services.declarations.assets.sale import commands as sale_commands
from services.declarations.assets.sale import proof as sale_proof
from services.declarations.customs import modes
from services.declarations.explaining import EXPLAINING
from services.declarations.fingerprint import commands as fingerprint_commands
from services.declarations.fingerprint import reads as fingerprint_reads
from services.declarations.insight.export import reads as export_reads
from services.declarations.insight.findings import reads as findings_reads
from services.declarations.insight.fold import commands as fold_commands
from services.declarations.insight.norms import commands as norms_commands
from services.declarations.insight.portrait import commands as portrait_commands
from services.declarations.insight.portrait import reads as portrait_reads
from services.declarations.insight.statistics import reads as statistics_reads
from services.declarations.intake import commands as intake_commands
from services.declarations.intake.merchants import commands as merchants_commands
from services.declarations.intake.refused import reads as refused_reads
from services.declarations.intake.refused import rpc as refused_rpc
from services.declarations.intake.refused import store as refused_store
from services.declarations.intake.refused.refused_rows import keeping_refused
from services.declarations.intake.refused.store import refused_told
from services.declarations.intake.takers import declarations as takers_declarations
from services.declarations.intake.takers import drafts as takers_drafts
from services.declarations.intake.takers import receipts as takers_receipts
from services.declarations.intake.takers import records as takers_records
from services.declarations.intake.takers import retail as takers_retail
from services.declarations.kinds import KINDS
from services.declarations.privacy import visibility
from services.declarations.privacy.consent import access
from services.declarations.privacy.consent import commands as consent_commands
from services.declarations.privacy.consent import reads as consent_reads
from services.declarations.privacy.personal.store import personal_data
from services.declarations.register import proof as register_proof
from services.declarations.register.breach import commands as breach_commands
from services.declarations.register.breach import reads as breach_reads
from services.declarations.register.encumbrance import reads as encumbrance_reads
from services.declarations.register.preshipment import commands as preshipment_commands
from services.declarations.register.preshipment import reads as preshipment_reads
from services.declarations.register.protocol import (
    carrying,
    confirming,
    releasing,
    reserving,
    resolving,
    restoring,
    settling,
)
from services.declarations.views import declarations as views_declarations
from services.declarations.views import drafts as views_drafts
from services.declarations.views import lists as views_lists
from services.declarations.views import persons as views_persons
from services.declarations.views import records as views_records
from services.declarations.views import store_sales as views_store_sales
from services.declarations.window.bill import commands as bill_commands
from services.declarations.window.bill import moves as bill_moves
from services.declarations.window.bill import store as bill_store
from services.declarations.window.declaration import proof as declaration_proof
from services.declarations.window.draft import store as draft_store
from services.declarations.window.eligibility import permit_uses
from services.declarations.window.filters import commands as filters_commands
from services.declarations.window.records import rpc as records_rpc
from services.declarations.window.records import store as records_store
from services.declarations.window.reference import commands as reference_commands
from services.declarations.window.retail.flows.order import reads as order_reads
from services.declarations.window.retail.summary import reads as summary_reads
from services.declarations.window.retail.summary import store as summary_store
from trade import tables as trade_tables
from trade.dated_tables import packaged as dated_tables_packaged
from trade.dated_tables import store as dated_tables_store
from trade.deadlines import store as deadlines_store
from trade.deadlines import sweep as deadlines_sweep

VERSIONS = str(pathlib.Path(__file__).parent / "versions")


def _receipts(request: Any) -> Iterable[str]:
    return (f"declarations/{receipt.declaration_number}" for receipt in request.receipts)


def _items(request: Any) -> Iterable[str]:
    return (item.asset for item in request.encumbrance.items)


def _batch(request: Any) -> Iterable[str]:
    return (item.asset for reservation in request.requests for item in reservation.encumbrance.items)


def _sold(request: Any) -> Iterable[str]:
    return [request.warehouse_sale.declaration]


def _pool(request: Any) -> Iterable[str]:
    return [request.pool]


def _sold_in_store(request: Any) -> Iterable[str]:
    return [request.store_sale.retail_list]


# The proofs of the rows: the ledger, the register, pools, summaries, records, bills, refused documents, derivations.
PROOFS: Sequence[Callable[[sa.Connection], Iterable[str]]] = (
    ledger_store.violations,
    dated_tables_store.violations,
    deadlines_store.violations,
    partial(register_proof.violations, KINDS),
    pool_store.violations,
    summary_store.violations,
    sale_proof.violations,
    records_store.violations,
    permit_uses.violations,
    declaration_proof.void_uses,
    draft_store.violations,
    bill_store.violations,
    refused_store.violations,
    EXPLAINING.violations,
)


def _violations(connection: sa.Connection) -> list[str]:
    return [violation for prove in PROOFS for violation in prove(connection)]


def _visible(reading: Reading, events: Sequence[events_pb2.Event]) -> Sequence[events_pb2.Event]:
    return visibility.visible(reading, views_declarations.visible(reading, events))


SERVICE = Service(
    name="declarations",
    migrations=[ledger_store.MIGRATIONS, trade_tables.MIGRATIONS, VERSIONS],
    commands={
        "BatchCreateDeclarations": keeping_refused(
            Command(run_batch=takers_drafts.create_batch, prepare=takers_declarations.rows), "declaration"
        ),
        "BatchCreateReceipts": keeping_refused(Command(takers_receipts.create_receipts, names=_receipts), "receipt"),
        "BatchCreateRetailDocuments": keeping_refused(
            Command(takers_retail.create_batch, names=takers_retail.names, prepare=takers_retail.rows),
            "retail_document",
        ),
        "ReportWarehouseSale": Command(sale_commands.report_warehouse_sale, names=_sold),
        "ReportStoreSale": Command(views_store_sales.report_store_sale, names=_sold_in_store),
        "CreatePool": Command(pool_commands.create),
        "ClosePool": Command(pool_commands.close),
        "ApplyPoolSettlement": Command(pool_commands.settle, names=_pool),
        "CreateConsent": Command(consent_commands.create),
        "RevokeConsent": Command(consent_commands.revoke),
        "ReserveEncumbrance": Command(run_batch=partial(reserving.reserve_batch, KINDS), names=_items),
        "BatchReserveEncumbrances": Command(partial(reserving.reserve_many, KINDS), names=_batch),
        "ConfirmEncumbrance": Command(partial(confirming.confirm, KINDS)),
        "ReleaseEncumbrance": Command(releasing.release),
        "ReduceEncumbrance": Command(releasing.reduce),
        "ApproveReduction": Command(releasing.approve_reduction),
        "RejectReduction": Command(releasing.reject_reduction),
        "BatchCreateRecords": keeping_refused(
            Command(takers_records.create_batch, names=records_rpc.names, prepare=takers_records.candidates),
            "record",
        ),
        "ClaimBill": Command(bill_commands.claim),
        "ReleaseBill": Command(bill_commands.release),
        "ConfirmBillPaid": Command(bill_commands.confirm),
        "ApplyProceeds": Command(partial(settling.apply_proceeds, KINDS), names=lambda request: [request.asset]),
        "RestoreEncumbrance": Command(restoring.restore, names=lambda request: [request.name, *request.assets]),
        "ProposeBreachResolution": Command(breach_commands.propose),
        "ResolveBreach": Command(resolving.resolve),
        "CreatePreShipment": Command(
            preshipment_commands.create, names=lambda request: [request.pre_shipment.contract_number]
        ),
        "LinkPreShipment": Command(
            partial(preshipment_commands.link, KINDS), names=lambda request: [request.name, request.declaration]
        ),
        "RollPreShipment": Command(partial(preshipment_commands.roll, KINDS)),
        "CreateRebate": Command(rebate_commands.create, names=lambda request: [request.rebate.enterprise]),
        "ReviseRebate": Command(rebate_commands.revise),
        "ImportDocuments": Command(
            intake_commands.import_documents, prepare=intake_commands.read, is_personal=refused_rpc.has_refused
        ),
        "ResendDocument": Command(intake_commands.resend, is_personal=refused_rpc.always),
        "DiscardRefusedDocument": Command(intake_commands.discard, is_personal=refused_rpc.always),
        "BatchCreateReferenceRecords": keeping_refused(Command(reference_commands.create_batch), "reference_record"),
        "RegisterDocuments": Command(
            run_batch=fingerprint_commands.register_batch, names=fingerprint_commands.contenders
        ),
        "CheckDocuments": Command(run_batch=fingerprint_commands.check_batch),
        "MarkFinanced": Command(fingerprint_commands.finance),
        "MarkRepaid": Command(fingerprint_commands.repay),
        "CancelRegistration": Command(fingerprint_commands.cancel),
        "CreateSavedFilter": Command(filters_commands.create),
        "DeleteSavedFilter": Command(filters_commands.delete),
    },
    reads={
        "GetRecord": views_records.get,
        "ListRecords": views_records.list_,
        "VerifyPermits": views_records.verify_permits,
        "GetEvidence": views_records.evidence,
        "GetDeclaration": views_declarations.get,
        "ListDeclarations": views_declarations.list_,
        "GetDraft": views_drafts.get,
        "ListDrafts": views_drafts.list_,
        "GetRetailOrder": order_reads.get,
        "ListRetailOrders": order_reads.list_,
        "ListConsents": consent_reads.list_,
        "ListDisclosures": consent_reads.list_disclosures,
        "GetPersonalData": views_persons.get,
        "ListTradeModes": modes.list_,
        "GetRetailList": views_lists.get,
        "ListRetailLists": views_lists.list_,
        "GetRetailSummary": summary_reads.get,
        "ListRetailSummaries": summary_reads.list_,
        "GetWarehouseSale": sale_commands.get,
        "GetPool": pool_reads.get,
        "ListPools": pool_reads.list_,
        "ListPoolMovements": pool_reads.list_movements,
        "GetReceivable": views_declarations.receivable,
        "GetEncumbrance": encumbrance_reads.get,
        "ListEncumbrances": encumbrance_reads.list_,
        "GetBreach": breach_reads.get,
        "ListBreaches": breach_reads.list_,
        "GetPreShipment": preshipment_reads.get,
        "ListPreShipments": preshipment_reads.list_,
        "GetRebate": rebate_reads.get,
        "ListRebates": rebate_reads.list_,
        "ListRefusedDocuments": refused_reads.list_,
        "GetRefusedDocument": refused_reads.get,
        "GetRegistration": fingerprint_reads.get,
        "ListRegistrations": fingerprint_reads.list_,
        "ListSavedFilters": filters_commands.list_,
        "ExportDeclarations": export_reads.export,
        "QueryStatistics": statistics_reads.query,
        "QueryStatisticsChanges": statistics_reads.changes,
        "GetRiskPortrait": portrait_reads.get,
        "ListTradeFindings": findings_reads.list_,
        "Explain": EXPLAINING.read,
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
    sealed=[personal_data, blob_parts, refused_told, sealed_answers],
    sweeps=[
        releasing.expire,
        carrying.carry_payments,
        pool_commands.gather,
        pool_commands.age,
        takers_drafts.join,
        takers_receipts.attach_waiting,
        merchants_commands.adopt,
        intake_commands.forget_old,
        blob_store.forget_uploads,
        deadlines_sweep.sweeping({"records": bill_moves.move}),
    ],
    derivations=[fold_commands.follow, norms_commands.seed, norms_commands.publish, portrait_commands.assess],
    prepare=[ledger_store.initialise, dated_tables_packaged.prepare],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
    visible=_visible,
)
