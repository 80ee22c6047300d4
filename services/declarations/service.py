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
from services.declarations.bill import commands as bill_commands
from services.declarations.bill import store as bill_store
from services.declarations.breach import commands as breach_commands
from services.declarations.breach import reads as breach_reads
from services.declarations.consent import access
from services.declarations.consent import commands as consent_commands
from services.declarations.consent import reads as consent_reads
from services.declarations.declaration import commands as declaration_commands
from services.declarations.declaration import reads as declaration_reads
from services.declarations.draft import commands as draft_commands
from services.declarations.draft import reads as draft_reads
from services.declarations.draft import store as draft_store
from services.declarations.encumbrance import carrying as encumbrance_carrying
from services.declarations.encumbrance import commands as encumbrance_commands
from services.declarations.encumbrance import reads as encumbrance_reads
from services.declarations.fingerprint import commands as fingerprint_commands
from services.declarations.fingerprint import reads as fingerprint_reads
from services.declarations.insight.export import reads as export_reads
from services.declarations.insight.filters import commands as filters_commands
from services.declarations.insight.findings import reads as findings_reads
from services.declarations.insight.fold import commands as fold_commands
from services.declarations.insight.norms import commands as norms_commands
from services.declarations.insight.portrait import commands as portrait_commands
from services.declarations.insight.portrait import reads as portrait_reads
from services.declarations.insight.statistics import reads as statistics_reads
from services.declarations.intake import commands as intake_commands
from services.declarations.intake import reads as intake_reads
from services.declarations.intake import rpc as intake_rpc
from services.declarations.intake import store as intake_store
from services.declarations.intake import unified
from services.declarations.intake.refused_rows import keeping_refused
from services.declarations.intake.store import refused_contents, refused_told
from services.declarations.personal import reads as personal_reads
from services.declarations.personal.store import personal_data
from services.declarations.pool import commands as pool_commands
from services.declarations.pool import reads as pool_reads
from services.declarations.pool import store as pool_store
from services.declarations.preshipment import commands as preshipment_commands
from services.declarations.preshipment import reads as preshipment_reads
from services.declarations.rebate import commands as rebate_commands
from services.declarations.rebate import reads as rebate_reads
from services.declarations.records import commands as records_commands
from services.declarations.records import permit_uses
from services.declarations.records import reads as records_reads
from services.declarations.records import rpc as records_rpc
from services.declarations.records import store as records_store
from services.declarations.reference import commands as reference_commands
from services.declarations.retail import commands as retail_commands
from services.declarations.retail import modes
from services.declarations.retail.list import reads as list_reads
from services.declarations.retail.merchant import commands as merchant_commands
from services.declarations.retail.order import reads as order_reads
from services.declarations.retail.sale import commands as sale_commands
from services.declarations.retail.sale import store as sale_store
from services.declarations.retail.summary import reads as summary_reads
from services.declarations.retail.summary import store as summary_store
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
    pool_store.violations,
    summary_store.violations,
    sale_store.violations,
    records_store.violations,
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
            Command(run_batch=draft_commands.create_batch, prepare=declaration_commands.rows), "declaration"
        ),
        "BatchCreateReceipts": keeping_refused(Command(unified.create_receipts, names=_receipts), "receipt"),
        "BatchCreateRetailDocuments": keeping_refused(
            Command(retail_commands.create_batch, names=retail_commands.names, prepare=retail_commands.rows),
            "retail_document",
        ),
        "ReportWarehouseSale": Command(sale_commands.report_warehouse_sale, names=_sold),
        "ReportStoreSale": Command(sale_commands.report_store_sale, names=_sold_in_store),
        "CreatePool": Command(pool_commands.create),
        "ClosePool": Command(pool_commands.close, names=_name),
        "ApplyPoolSettlement": Command(pool_commands.settle, names=_pool),
        "CreateConsent": Command(consent_commands.create),
        "RevokeConsent": Command(consent_commands.revoke, names=lambda request: [request.name]),
        "ReserveEncumbrance": Command(run_batch=encumbrance_commands.reserve_batch, names=_items),
        "BatchReserveEncumbrances": Command(encumbrance_commands.reserve_many, names=_batch),
        "ConfirmEncumbrance": Command(encumbrance_commands.confirm, names=lambda request: [request.name]),
        "ReleaseEncumbrance": Command(encumbrance_commands.release, names=lambda request: [request.name]),
        "ReduceEncumbrance": Command(encumbrance_commands.reduce, names=_name),
        "ApproveReduction": Command(encumbrance_commands.approve_reduction, names=_name),
        "RejectReduction": Command(encumbrance_commands.reject_reduction, names=_name),
        "BatchCreateRecords": keeping_refused(
            Command(records_commands.create_batch, names=records_rpc.names, prepare=records_commands.candidates),
            "record",
        ),
        "ClaimBill": Command(bill_commands.claim, names=_name),
        "ReleaseBill": Command(bill_commands.release, names=_name),
        "ConfirmBillPaid": Command(bill_commands.confirm, names=_name),
        "ApplyProceeds": Command(encumbrance_commands.apply_proceeds, names=lambda request: [request.asset]),
        "RestoreEncumbrance": Command(
            encumbrance_commands.restore, names=lambda request: [request.name, *request.assets]
        ),
        "ProposeBreachResolution": Command(breach_commands.propose, names=_name),
        "ResolveBreach": Command(breach_commands.resolve, names=_name),
        "CreatePreShipment": Command(
            preshipment_commands.create, names=lambda request: [request.pre_shipment.contract_number]
        ),
        "LinkPreShipment": Command(
            preshipment_commands.link, names=lambda request: [request.name, request.declaration]
        ),
        "RollPreShipment": Command(preshipment_commands.roll, names=_name),
        "CreateRebate": Command(rebate_commands.create, names=lambda request: [request.rebate.enterprise]),
        "ReviseRebate": Command(rebate_commands.revise, names=_name),
        "ImportDocuments": Command(
            intake_commands.import_documents, prepare=intake_commands.read, is_personal=intake_rpc.has_refused
        ),
        "ResendDocument": Command(intake_commands.resend, names=_name, is_personal=intake_rpc.always),
        "DiscardRefusedDocument": Command(intake_commands.discard, names=_name, is_personal=intake_rpc.always),
        "BatchCreateReferenceRecords": keeping_refused(Command(reference_commands.create_batch), "reference_record"),
        "RegisterDocuments": Command(
            run_batch=fingerprint_commands.register_batch, names=fingerprint_commands.contenders
        ),
        "CheckDocuments": Command(run_batch=fingerprint_commands.check_batch),
        "MarkFinanced": Command(fingerprint_commands.finance, names=_name),
        "MarkRepaid": Command(fingerprint_commands.repay, names=_name),
        "CancelRegistration": Command(fingerprint_commands.cancel, names=_name),
        "CreateSavedFilter": Command(filters_commands.create),
        "DeleteSavedFilter": Command(filters_commands.delete, names=lambda request: [request.name]),
    },
    reads={
        "GetRecord": records_reads.get,
        "ListRecords": records_reads.list_,
        "VerifyPermits": records_reads.verify_permits,
        "GetEvidence": records_reads.evidence,
        "GetDeclaration": declaration_reads.get,
        "ListDeclarations": declaration_reads.list_,
        "GetDraft": draft_reads.get,
        "ListDrafts": draft_reads.list_,
        "GetRetailOrder": order_reads.get,
        "ListRetailOrders": order_reads.list_,
        "ListConsents": consent_reads.list_,
        "ListDisclosures": consent_reads.list_disclosures,
        "GetPersonalData": personal_reads.get,
        "ListTradeModes": modes.list_,
        "GetRetailList": list_reads.get,
        "ListRetailLists": list_reads.list_,
        "GetRetailSummary": summary_reads.get,
        "ListRetailSummaries": summary_reads.list_,
        "GetWarehouseSale": sale_commands.get,
        "GetPool": pool_reads.get,
        "ListPools": pool_reads.list_,
        "ListPoolMovements": pool_reads.list_movements,
        "GetReceivable": declaration_reads.receivable,
        "GetEncumbrance": encumbrance_reads.get,
        "ListEncumbrances": encumbrance_reads.list_,
        "GetBreach": breach_reads.get,
        "ListBreaches": breach_reads.list_,
        "GetPreShipment": preshipment_reads.get,
        "ListPreShipments": preshipment_reads.list_,
        "GetRebate": rebate_reads.get,
        "ListRebates": rebate_reads.list_,
        "ListRefusedDocuments": intake_reads.list_,
        "GetRefusedDocument": intake_reads.get,
        "GetRegistration": fingerprint_reads.get,
        "ListRegistrations": fingerprint_reads.list_,
        "ListSavedFilters": filters_commands.list_,
        "ExportDeclarations": export_reads.export,
        "QueryStatistics": statistics_reads.query,
        "QueryStatisticsChanges": statistics_reads.changes,
        "GetRiskPortrait": portrait_reads.get,
        "ListTradeFindings": findings_reads.list_,
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
        encumbrance_commands.expire,
        encumbrance_carrying.carry_payments,
        pool_commands.gather,
        pool_commands.age,
        draft_commands.join,
        unified.attach_waiting,
        merchant_commands.adopt,
        intake_commands.forget_old,
    ],
    derivations=[fold_commands.follow, norms_commands.seed, norms_commands.publish, portrait_commands.assess],
    prepare=[ledger_store.initialise],
    violations=_violations,
    books=ledger_store.books,
    ledger_head=ledger_store.head,
    visible=_visible,
)
