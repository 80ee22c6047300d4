"""An example request of every method of every service, and who may make it: a new one on fresh resources each time."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from string import Template
from typing import Any

from aval.credit_insurance.v1 import credit_insurance_pb2 as credit_insurance
from aval.declarations.v1 import declarations_pb2 as declarations
from aval.declarations.v1 import fingerprint_pb2 as fingerprint
from aval.declarations.v1 import insight_pb2 as insight
from aval.declarations.v1 import intake_pb2 as intake
from aval.declarations.v1 import pool_pb2 as pools
from aval.declarations.v1 import pre_shipment_pb2, rebate_pb2, value_pb2
from aval.declarations.v1 import records_pb2 as records
from aval.declarations.v1 import reference_pb2 as reference
from aval.declarations.v1 import retail_list_pb2 as retail_list
from aval.declarations.v1 import retail_pb2 as retail
from aval.loans.v1 import loans_pb2 as loans
from aval.settlement.v1 import settlement_pb2 as settlement

from chassis import identity
from chassis.contracts import contract
from chassis.identity import Caller
from cli.demo import world as demo_world
from tests.conformance.world import (
    BANK,
    CAST,
    CREDIT_INSURANCE,
    ENTERPRISE,
    INSURER,
    LOANS_FOR_BANK,
    SETTLEMENT,
    SETTLEMENT_FOR_BANK,
    World,
    identifier,
    usd,
)

Example = tuple[Any, Any]
Make = Callable[[World], Awaitable[Example]]
Key = tuple[str, str]


def dec_message(world: World) -> bytes:
    """A DecMessage of the demo's world."""
    number = world.declaration_row().declaration_number
    template = Template(demo_world.template(demo_world.exporter("xuchang_hair")["declaration_template"]))
    text = template.substitute(declaration_number=number, unified_number=f"I{number[1:]}", export_date="20261102")
    return text.encode()


def sent(content: bytes) -> Any:
    """The import of one document."""
    document = declarations.Document(document_id="sent.xml", content=content)
    return declarations.ImportDocumentsRequest(request_id=identifier(), documents=[document])


async def import_documents(world: World) -> Example:
    """A declaration."""
    return CAST["WINDOW"], sent(dec_message(world))


async def resend_document(world: World) -> Example:
    """With what it lacked."""
    refused = await world.refused_document()
    return CAST["WINDOW"], declarations.ResendDocumentRequest(
        request_id=identifier(), name=refused.name, content=dec_message(world), etag=refused.etag
    )


async def discard_document(world: World) -> Example:
    """A refused one."""
    refused = await world.refused_document()
    return CAST["WINDOW"], intake.DiscardRefusedDocumentRequest(
        request_id=identifier(), name=refused.name, etag=refused.etag
    )


async def create_reference_records(world: World) -> Example:
    """One row."""
    record = reference.ReferenceRecord(source="conformance", key=identifier(), value=usd(100))
    record.record_date.year, record.record_date.month, record.record_date.day = 2025, 11, 2
    request = declarations.BatchCreateReferenceRecordsRequest(request_id=identifier(), reference_records=[record])
    return CAST["WINDOW"], request


async def create_declarations(world: World) -> Example:
    """One with a customs number, and one that has none yet."""
    rows = [world.declaration_row(), world.draft_row()]
    return CAST["WINDOW"], declarations.BatchCreateDeclarationsRequest(request_id=identifier(), declarations=rows)


async def create_receipts(world: World) -> Example:
    """A receipt of a declaration that stands."""
    return CAST["WINDOW"], world.receipts((await world.declared()).removeprefix("declarations/"), "K")


async def create_retail_documents(world: World) -> Example:
    """An order."""
    return CAST["WINDOW"], world.retail_orders()


async def report_warehouse_sale(world: World) -> Example:
    """Out of fresh stock abroad."""
    return CAST["EXPORTER"], await world.warehouse_sale()


async def report_store_sale(world: World) -> Example:
    """Reports the sale of fresh bonded goods."""
    made = await world.released_list(retail.IMPORT, "1210")
    sale = retail_list.StoreSale(retail_list=made.name, store="Zhengzhou No. 1", handover="SELF_PICKUP")
    sale.sale_time.FromSeconds(1_793_600_000)
    return CAST["EXPORTER"], retail_list.ReportStoreSaleRequest(request_id=identifier(), store_sale=sale)


async def create_pool(world: World) -> Example:
    """Creates the pool of a platform that has no other."""
    made = pools.Pool(currency_code="EUR", platform_code=identifier()[:18], display_name="conformance")
    return CAST["EXPORTER"], pools.CreatePoolRequest(request_id=identifier(), pool=made)


async def close_pool(world: World) -> Example:
    """Closes a fresh pool."""
    caller, request = await create_pool(world)
    made = await world.call("declarations", "CreatePool", request, caller)
    return caller, pools.ClosePoolRequest(request_id=identifier(), name=made.name, etag=made.etag)


async def apply_pool_settlement(world: World) -> Example:
    """Settlement's call."""
    return SETTLEMENT, await world.pool_settlement()


async def create_consent(world: World) -> Example:
    """For an institution that the cast has no use for."""
    return CAST["EXPORTER"], world.consent_request("banks/FOURCNB0")


async def revoke_consent(world: World) -> Example:
    """Revokes a fresh consent."""
    consent = await world.call("declarations", "CreateConsent", *reversed(await create_consent(world)))
    request = declarations.RevokeConsentRequest(request_id=identifier(), name=consent.name, etag=consent.etag)
    return CAST["EXPORTER"], request


async def reserve(world: World) -> Example:
    """Part of a fresh declaration."""
    return CAST["BANK_SYSTEM"], world.reservation(await world.declared())


async def reserve_many(world: World) -> Example:
    """One of them."""
    requests = [world.reservation(await world.declared())]
    return CAST["BANK_SYSTEM"], declarations.BatchReserveEncumbrancesRequest(request_id=identifier(), requests=requests)


async def confirm_encumbrance(world: World) -> Example:
    """Confirms a fresh reservation."""
    made = await world.reserved()
    request = declarations.ConfirmEncumbranceRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["BANK_SYSTEM"], request


async def release_encumbrance(world: World) -> Example:
    """Releases a fresh reservation."""
    made = await world.reserved()
    request = declarations.ReleaseEncumbranceRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["BANK_SYSTEM"], request


async def register_documents(world: World) -> Example:
    """One invoice."""
    return CAST["BANK_SYSTEM"], world.registration_request()


async def check_documents(world: World) -> Example:
    """One invoice."""
    request = fingerprint.CheckDocumentsRequest(
        request_id=identifier(), applicant=ENTERPRISE, documents=[world.invoice()]
    )
    return CAST["BANK_SYSTEM"], request


async def mark_financed(world: World) -> Example:
    """A fresh registration."""
    made = await world.registered()
    return CAST["BANK_SYSTEM"], fingerprint.MarkFinancedRequest(request_id=identifier(), name=made.name, etag=made.etag)


async def mark_repaid(world: World) -> Example:
    """A financed one."""
    financed = await world.call("declarations", "MarkFinanced", *reversed(await mark_financed(world)))
    request = fingerprint.MarkRepaidRequest(request_id=identifier(), name=financed.name, etag=financed.etag)
    return CAST["BANK_SYSTEM"], request


async def cancel_registration(world: World) -> Example:
    """A fresh one."""
    made = await world.registered()
    request = fingerprint.CancelRegistrationRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["BANK_SYSTEM"], request


def _reduction(made: Any) -> Any:
    """Less of an encumbrance's first asset."""
    item = declarations.EncumberedValue(asset=made.items[0].asset, amount=usd(100))
    fields = {"name": made.name, "etag": made.etag, "items": [item], "reason": "repaid in part"}
    return declarations.ReduceEncumbranceRequest(request_id=identifier(), **fields)


async def reduce_encumbrance(world: World) -> Example:
    """Reduces a fresh encumbrance."""
    return CAST["BANK_MAKER"], _reduction(await world.confirmed(await world.declared(), 1_000))


async def _prepared(world: World) -> dict[str, str]:
    """A reduction that waits for a checker."""
    caller, request = await reduce_encumbrance(world)
    made = await world.call("declarations", "ReduceEncumbrance", request, caller)
    return {"request_id": identifier(), "name": made.name, "etag": made.etag}


async def approve_reduction(world: World) -> Example:
    """Approves what a maker prepared."""
    return CAST["BANK_CHECKER"], declarations.ApproveReductionRequest(**await _prepared(world))


async def reject_reduction(world: World) -> Example:
    """Rejects what a maker prepared."""
    return CAST["BANK_CHECKER"], declarations.RejectReductionRequest(**await _prepared(world))


async def propose_resolution(world: World) -> Example:
    """Proposes the resolution of a fresh breach."""
    breach = await world.breached()
    resolution = value_pb2.BreachResolution(kind="REPAID", note="from the enterprise's own money")
    fields = {"name": breach.name, "etag": breach.etag, "resolution": resolution}
    return CAST["BANK_MAKER"], value_pb2.ProposeBreachResolutionRequest(request_id=identifier(), **fields)


async def resolve_breach(world: World) -> Example:
    """As a maker proposed."""
    caller, request = await propose_resolution(world)
    breach = await world.call("declarations", "ProposeBreachResolution", request, caller)
    fields = {"name": breach.name, "etag": breach.etag}
    return CAST["BANK_CHECKER"], value_pb2.ResolveBreachRequest(request_id=identifier(), **fields)


async def create_pre_shipment(world: World) -> Example:
    """An order."""
    return CAST["EXPORTER"], world.order_request()


async def link_pre_shipment(world: World) -> Example:
    """A fresh declaration to a fresh order."""
    order, declaration = await world.order(), await world.declared()
    fields = {"name": order.name, "declaration": declaration, "etag": order.etag}
    return CAST["EXPORTER"], pre_shipment_pb2.LinkPreShipmentRequest(request_id=identifier(), **fields)


async def roll_pre_shipment(world: World) -> Example:
    """An order that is financed and shipped."""
    caller, request = await link_pre_shipment(world)
    await world.confirmed(request.name, 1_000)
    order = await world.call("declarations", "LinkPreShipment", request, caller)
    fields = {"name": order.name, "etag": order.etag}
    return CAST["BANK_CHECKER"], pre_shipment_pb2.RollPreShipmentRequest(request_id=identifier(), **fields)


async def create_rebate(world: World) -> Example:
    """Creates the rebate of a fresh declaration."""
    return CAST["WINDOW"], world.rebate_request(await world.declared())


async def revise_rebate(world: World) -> Example:
    """Revises a fresh rebate."""
    rebate = await world.rebate()
    fields = {"name": rebate.name, "etag": rebate.etag, "amount": usd(1)}
    return CAST["WINDOW"], rebate_pb2.ReviseRebateRequest(request_id=identifier(), **fields)


async def apply_proceeds(world: World) -> Example:
    """Settlement's call."""
    request = declarations.ApplyProceedsRequest(
        request_id=identifier(), asset=await world.declared(), payment=identifier(), amount=usd(100)
    )
    return SETTLEMENT, request


async def restore_encumbrance(world: World) -> Example:
    """Settlement's call for the lender; nothing was settled, so nothing is put back."""
    held = world.standing["encumbrance"]
    request = declarations.RestoreEncumbranceRequest(
        request_id=identifier(),
        name=held.name,
        payment="incomingPayments/conformance",
        amount=usd(100),
        assets=[held.items[0].asset],
    )
    return SETTLEMENT_FOR_BANK, request


async def create_records(world: World) -> Example:
    """A bill."""
    rows = [world.bill_row()]
    return CAST["WINDOW"], declarations.BatchCreateRecordsRequest(request_id=identifier(), records=rows)


async def claim_bill(world: World) -> Example:
    """Settlement's call."""
    request = records.ClaimBillRequest(
        request_id=identifier(),
        name=await world.bill(),
        payment=f"billPayments/{identifier()}",
        enterprise=ENTERPRISE,
        currency_code="USD",
    )
    return SETTLEMENT, request


async def release_bill(world: World) -> Example:
    """Releases a fresh claim."""
    caller, claim = await claim_bill(world)
    await world.call("declarations", "ClaimBill", claim, caller)
    return caller, records.ReleaseBillRequest(request_id=identifier(), name=claim.name, payment=claim.payment)


async def confirm_bill(world: World) -> Example:
    """Confirms a fresh claim."""
    caller, claim = await claim_bill(world)
    await world.call("declarations", "ClaimBill", claim, caller)
    transfer = f"transfers/{identifier()}"
    request = records.ConfirmBillPaidRequest(
        request_id=identifier(), name=claim.name, payment=claim.payment, transfer=transfer
    )
    return caller, request


async def pay_bill(world: World) -> Example:
    """By the exporter."""
    return CAST["EXPORTER"], await world.bill_payment()


async def open_account(world: World) -> Example:
    """For a company that nobody else asks for."""
    owner = f"enterprises/{identifier().replace('-', '')[:18].upper()}"
    account = settlement.Account(owner=owner, currency_code="USD", kind="CURRENT")
    return CAST["BANK_MAKER"], settlement.OpenAccountRequest(request_id=identifier(), account=account)


async def number_account(world: World) -> Example:
    """The number that the bank itself has for a fresh account."""
    caller, opening = await open_account(world)
    account = await world.call("settlement", "OpenAccount", opening, caller)
    request = settlement.AssignAccountNumbersRequest(
        request_id=identifier(), name=account.name, account_number=identifier()[-12:]
    )
    return caller, request


async def create_transfer(world: World) -> Example:
    """Between two of the bank's accounts."""
    request = settlement.CreateTransferRequest(request_id=identifier(), transfer=world.transfer())
    return CAST["BANK_SYSTEM"], request


async def create_transfers(world: World) -> Example:
    """One of them."""
    transfer = world.transfer()
    transfer.transfer_id = identifier()
    request = settlement.BatchCreateTransfersRequest(request_id=identifier(), transfers=[transfer])
    return CAST["BANK_SYSTEM"], request


async def import_payment(world: World) -> Example:
    """A pacs.008 that will be parked."""
    return CAST["BANK_SYSTEM"], world.payment_in()


async def match_payment(world: World) -> Example:
    """A parked payment with a fresh declaration."""
    payment = await world.parked_payment()
    request = settlement.MatchIncomingPaymentRequest(
        request_id=identifier(), name=payment.name, declaration=await world.declared(), etag=payment.etag
    )
    return CAST["BANK_MAKER"], request


async def credit_payment(world: World) -> Example:
    """A parked payment that is for no declaration."""
    payment = await world.parked_payment()
    request = settlement.CreditIncomingPaymentRequest(
        request_id=identifier(), name=payment.name, reason="a fair's fee", etag=payment.etag
    )
    return CAST["BANK_MAKER"], request


async def return_payment(world: World) -> Example:
    """A parked payment that was sent by mistake."""
    payment = await world.parked_payment()
    request = settlement.ReturnIncomingPaymentRequest(
        request_id=identifier(), name=payment.name, reason="a mistake", etag=payment.etag
    )
    return CAST["BANK_MAKER"], request


async def approve_resolution(world: World) -> Example:
    """Approves what the maker prepared."""
    _, request = await credit_payment(world)
    prepared = await world.call("settlement", "CreditIncomingPayment", request, CAST["BANK_MAKER"])
    return CAST["BANK_CHECKER"], settlement.ApproveIncomingPaymentRequest(
        request_id=identifier(), name=prepared.name, etag=prepared.etag
    )


async def reject_resolution(world: World) -> Example:
    """Rejects what the maker prepared."""
    _, request = await return_payment(world)
    prepared = await world.call("settlement", "ReturnIncomingPayment", request, CAST["BANK_MAKER"])
    return CAST["BANK_CHECKER"], settlement.RejectIncomingPaymentRequest(
        request_id=identifier(), name=prepared.name, etag=prepared.etag
    )


async def pay_out(world: World) -> Example:
    """The exporter's payment."""
    return CAST["EXPORTER"], world.payment_out()


async def approve_payment(world: World) -> Example:
    """A payment that waits for its bank."""
    made = await world.call("settlement", "CreateOutgoingPayment", world.payment_out(), CAST["EXPORTER"])
    request = settlement.ApproveOutgoingPaymentRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["BANK_CHECKER"], request


async def withdraw_payment(world: World) -> Example:
    """A payment that waits for its bank."""
    made = await world.call("settlement", "CreateOutgoingPayment", world.payment_out(), CAST["EXPORTER"])
    request = settlement.WithdrawOutgoingPaymentRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["EXPORTER"], request


async def reject_payment(world: World) -> Example:
    """A payment that waits for its bank."""
    made = await world.call("settlement", "CreateOutgoingPayment", world.payment_out(), CAST["EXPORTER"])
    request = settlement.RejectOutgoingPaymentRequest(
        request_id=identifier(), name=made.name, etag=made.etag, reason="The contract is missing."
    )
    return CAST["BANK_CHECKER"], request


async def disburse(world: World) -> Example:
    """The loans service's call."""
    loan = f"loans/{identifier()}"
    request = settlement.DisburseRequest(
        request_id=identifier(), loan=loan, bank=BANK, enterprise=ENTERPRISE, amount=usd(100), fee=usd(1)
    )
    return LOANS_FOR_BANK, request


async def collect_premium(world: World) -> Example:
    """The insurance service's call."""
    shipment = f"coveredShipments/{identifier()}"
    request = settlement.CollectPremiumRequest(
        request_id=identifier(), covered_shipment=shipment, insurer=INSURER, enterprise=ENTERPRISE, amount=usd(1)
    )
    return CREDIT_INSURANCE, request


async def create_policy(world: World) -> Example:
    """By the insurer's maker."""
    return CAST["INSURER_MAKER"], world.policy_request()


async def approve_policy(world: World) -> Example:
    """By the insurer's checker."""
    made = await world.proposed_policy()
    request = credit_insurance.ApprovePolicyRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["INSURER_CHECKER"], request


async def request_limit(world: World) -> Example:
    """By the exporter."""
    return CAST["EXPORTER"], world.limit_request()


async def decide_limit(world: World) -> Example:
    """By the insurer's maker."""
    return CAST["INSURER_MAKER"], world.decision(await world.asked_limit())


async def approve_limit(world: World) -> Example:
    """By the insurer's checker."""
    made = await world.decided_limit()
    request = credit_insurance.ApproveBuyerLimitRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["INSURER_CHECKER"], request


async def cover_shipment(world: World) -> Example:
    """By the exporter."""
    return CAST["EXPORTER"], world.shipment_request(await world.declared())


async def hold_cover(world: World) -> Example:
    """The loans service's call, for the bank."""
    return LOANS_FOR_BANK, world.hold_request(world.standing["shipment"].declaration)


async def release_cover(world: World) -> Example:
    """Releases a fresh hold."""
    request = world.hold_request(world.standing["shipment"].declaration)
    await world.call("credit_insurance", "HoldCover", request, LOANS_FOR_BANK)
    return LOANS_FOR_BANK, credit_insurance.ReleaseCoverRequest(
        request_id=identifier(), cover_hold_id=request.cover_hold_id
    )


async def release_exposure(world: World) -> Example:
    """Settlement's call after a small payment."""
    declaration = world.standing["shipment"].declaration
    request = credit_insurance.ReleaseExposureRequest(
        request_id=identifier(), declaration=declaration, payment=identifier(), amount=usd(1)
    )
    return SETTLEMENT, request


async def apply(world: World) -> Example:
    """By the exporter."""
    return CAST["EXPORTER"], world.application_request(await world.declared())


async def withdraw(world: World) -> Example:
    """Withdraws a fresh application."""
    made = await world.application()
    request = loans.WithdrawApplicationRequest(request_id=identifier(), name=made.name, etag=made.etag)
    return CAST["EXPORTER"], request


async def create_offer(world: World) -> Example:
    """By the bank's maker."""
    return CAST["BANK_MAKER"], world.offer_request(await world.application())


async def approve_offer(world: World) -> Example:
    """By the bank's checker."""
    made = await world.proposed_offer()
    return CAST["BANK_CHECKER"], loans.ApproveOfferRequest(request_id=identifier(), name=made.name, etag=made.etag)


async def return_offer(world: World) -> Example:
    """By the bank's checker."""
    made = await world.proposed_offer()
    return CAST["BANK_CHECKER"], loans.ReturnOfferRequest(request_id=identifier(), name=made.name, etag=made.etag)


async def accept_offer(world: World) -> Example:
    """By the exporter."""
    made = await world.offer()
    return CAST["EXPORTER"], loans.AcceptOfferRequest(request_id=identifier(), name=made.name, etag=made.etag)


async def sign_loan(world: World) -> Example:
    """By the bank's checker."""
    return CAST["BANK_CHECKER"], world.signature(await world.agreed_loan())


async def create_repayment(world: World) -> Example:
    """Settlement's call."""
    return SETTLEMENT_FOR_BANK, world.repayment_request()


async def confirm_repayment(world: World) -> Example:
    """Confirms a fresh repayment."""
    request = world.repayment_request()
    await world.call("loans", "CreateRepayment", request, SETTLEMENT_FOR_BANK)
    return SETTLEMENT_FOR_BANK, loans.ConfirmRepaymentRequest(
        request_id=identifier(), repayment_id=request.repayment_id
    )


async def cancel_repayment(world: World) -> Example:
    """Cancels a fresh repayment."""
    request = world.repayment_request()
    await world.call("loans", "CreateRepayment", request, SETTLEMENT_FOR_BANK)
    return SETTLEMENT_FOR_BANK, loans.CancelRepaymentRequest(request_id=identifier(), repayment_id=request.repayment_id)


async def save_filter(world: World) -> Example:
    """By the exporter."""
    return CAST["EXPORTER"], world.filter_request()


async def delete_filter(world: World) -> Example:
    """A fresh one."""
    saved = await world.call("declarations", "CreateSavedFilter", world.filter_request(), CAST["EXPORTER"])
    return CAST["EXPORTER"], insight.DeleteSavedFilterRequest(request_id=identifier(), name=saved.name)


MUTATIONS: dict[Key, Make] = {
    ("declarations", "ImportDocuments"): import_documents,
    ("declarations", "ResendDocument"): resend_document,
    ("declarations", "DiscardRefusedDocument"): discard_document,
    ("declarations", "BatchCreateReferenceRecords"): create_reference_records,
    ("declarations", "BatchCreateDeclarations"): create_declarations,
    ("declarations", "BatchCreateReceipts"): create_receipts,
    ("declarations", "BatchCreateRetailDocuments"): create_retail_documents,
    ("declarations", "ReportWarehouseSale"): report_warehouse_sale,
    ("declarations", "ReportStoreSale"): report_store_sale,
    ("declarations", "CreatePool"): create_pool,
    ("declarations", "ClosePool"): close_pool,
    ("declarations", "ApplyPoolSettlement"): apply_pool_settlement,
    ("declarations", "CreateConsent"): create_consent,
    ("declarations", "RevokeConsent"): revoke_consent,
    ("declarations", "ReserveEncumbrance"): reserve,
    ("declarations", "BatchReserveEncumbrances"): reserve_many,
    ("declarations", "ConfirmEncumbrance"): confirm_encumbrance,
    ("declarations", "ReleaseEncumbrance"): release_encumbrance,
    ("declarations", "ApplyProceeds"): apply_proceeds,
    ("declarations", "RestoreEncumbrance"): restore_encumbrance,
    ("declarations", "RegisterDocuments"): register_documents,
    ("declarations", "CheckDocuments"): check_documents,
    ("declarations", "MarkFinanced"): mark_financed,
    ("declarations", "MarkRepaid"): mark_repaid,
    ("declarations", "CancelRegistration"): cancel_registration,
    ("declarations", "CreateSavedFilter"): save_filter,
    ("declarations", "DeleteSavedFilter"): delete_filter,
    ("declarations", "BatchCreateRecords"): create_records,
    ("declarations", "ClaimBill"): claim_bill,
    ("declarations", "ReleaseBill"): release_bill,
    ("declarations", "ConfirmBillPaid"): confirm_bill,
    ("declarations", "ReduceEncumbrance"): reduce_encumbrance,
    ("declarations", "ApproveReduction"): approve_reduction,
    ("declarations", "RejectReduction"): reject_reduction,
    ("declarations", "ProposeBreachResolution"): propose_resolution,
    ("declarations", "ResolveBreach"): resolve_breach,
    ("declarations", "CreatePreShipment"): create_pre_shipment,
    ("declarations", "LinkPreShipment"): link_pre_shipment,
    ("declarations", "RollPreShipment"): roll_pre_shipment,
    ("declarations", "CreateRebate"): create_rebate,
    ("declarations", "ReviseRebate"): revise_rebate,
    ("settlement", "OpenAccount"): open_account,
    ("settlement", "AssignAccountNumbers"): number_account,
    ("settlement", "CreateTransfer"): create_transfer,
    ("settlement", "BatchCreateTransfers"): create_transfers,
    ("settlement", "ImportPayment"): import_payment,
    ("settlement", "MatchIncomingPayment"): match_payment,
    ("settlement", "CreditIncomingPayment"): credit_payment,
    ("settlement", "ReturnIncomingPayment"): return_payment,
    ("settlement", "ApproveIncomingPayment"): approve_resolution,
    ("settlement", "RejectIncomingPayment"): reject_resolution,
    ("settlement", "CreateOutgoingPayment"): pay_out,
    ("settlement", "ApproveOutgoingPayment"): approve_payment,
    ("settlement", "WithdrawOutgoingPayment"): withdraw_payment,
    ("settlement", "RejectOutgoingPayment"): reject_payment,
    ("settlement", "PayBill"): pay_bill,
    ("settlement", "Disburse"): disburse,
    ("settlement", "CollectPremium"): collect_premium,
    ("credit_insurance", "CreatePolicy"): create_policy,
    ("credit_insurance", "ApprovePolicy"): approve_policy,
    ("credit_insurance", "RequestBuyerLimit"): request_limit,
    ("credit_insurance", "DecideBuyerLimit"): decide_limit,
    ("credit_insurance", "ApproveBuyerLimit"): approve_limit,
    ("credit_insurance", "CreateCoveredShipment"): cover_shipment,
    ("credit_insurance", "HoldCover"): hold_cover,
    ("credit_insurance", "ReleaseCover"): release_cover,
    ("credit_insurance", "ReleaseExposure"): release_exposure,
    ("loans", "CreateApplication"): apply,
    ("loans", "WithdrawApplication"): withdraw,
    ("loans", "CreateOffer"): create_offer,
    ("loans", "ApproveOffer"): approve_offer,
    ("loans", "ReturnOffer"): return_offer,
    ("loans", "AcceptOffer"): accept_offer,
    ("loans", "SignLoan"): sign_loan,
    ("loans", "CreateRepayment"): create_repayment,
    ("loans", "ConfirmRepayment"): confirm_repayment,
    ("loans", "CancelRepayment"): cancel_repayment,
}


def reader(key: Key) -> Caller:
    """Returns the caller that reads what the examples make: the exporter, or whoever else a method is for."""
    policy = identity.policy_of(contract(key[0]).method(key[1]))
    roles = policy.roles
    if policy.internal:
        return SETTLEMENT_FOR_BANK
    return CAST["EXPORTER" if "EXPORTER" in roles else min(roles)]


@dataclass(frozen=True, slots=True)
class Get:
    """A read of one standing resource: the key in `World.standing`, and whether it stands there by name only."""

    key: str
    field: str = "name"
    # What else it must say.
    said: tuple[tuple[str, str], ...] = ()

    def request(self, world: World, kind: Any) -> Any:
        """The request."""
        found = world.standing[self.key]
        return kind(**{self.field: found if isinstance(found, str) else found.name}, **dict(self.said))


# Public reference data: the same for everyone, whole in one answer.
REFERENCE = {("declarations", "ListTradeModes")}

GETS: dict[Key, Get] = {
    ("declarations", "GetDeclaration"): Get("declaration"),
    ("declarations", "GetReceivable"): Get("declaration"),
    ("declarations", "GetDraft"): Get("draft"),
    ("declarations", "GetRetailOrder"): Get("retail_order"),
    ("declarations", "GetRetailList"): Get("retail_list"),
    ("declarations", "GetRetailSummary"): Get("retail_summary"),
    ("declarations", "GetWarehouseSale"): Get("sale"),
    ("declarations", "GetPool"): Get("pool"),
    ("declarations", "ListPoolMovements"): Get("pool"),
    ("declarations", "GetEncumbrance"): Get("encumbrance"),
    ("declarations", "GetRiskPortrait"): Get("portrait"),
    ("declarations", "GetBreach"): Get("breach"),
    ("declarations", "GetPreShipment"): Get("order"),
    ("declarations", "GetRebate"): Get("rebate"),
    ("declarations", "GetPersonalData"): Get("declaration", said=(("reason", "a question about the declarant"),)),
    ("declarations", "GetRefusedDocument"): Get("refused_document"),
    ("declarations", "GetRegistration"): Get("registration"),
    ("declarations", "GetRecord"): Get("record"),
    ("declarations", "VerifyPermits"): Get("declaration", "declaration"),
    ("declarations", "GetEvidence"): Get("declaration", "declaration"),
    ("settlement", "GetAccount"): Get("current"),
    ("settlement", "GetBillPayment"): Get("bill_payment"),
    ("settlement", "ListTransfers"): Get("current", "account"),
    ("settlement", "GetIncomingPayment"): Get("payment"),
    ("credit_insurance", "GetPolicy"): Get("policy"),
    ("credit_insurance", "GetBuyerLimit"): Get("limit"),
    ("credit_insurance", "GetCoveredShipment"): Get("shipment"),
    ("loans", "GetApplication"): Get("application"),
    ("loans", "GetOffer"): Get("offer"),
    ("loans", "GetLoan"): Get("loan"),
    ("loans", "GetPayoff"): Get("loan"),
    ("declarations", "Explain"): Get("pool"),
    ("settlement", "Explain"): Get("bill_payment"),
    ("credit_insurance", "Explain"): Get("shipment"),
    ("loans", "Explain"): Get("offer"),
}

# Reads that are neither of one resource nor a list of resources: each with fields of its request.
QUERIES: dict[Key, dict[str, Any]] = {
    ("declarations", "ExportDeclarations"): {"page_size": 1},
    ("declarations", "QueryStatistics"): {"from_month": "2026-01", "to_month": "2026-12"},
    ("declarations", "QueryStatisticsChanges"): {"page_size": 1},
}
