"""Holding cover for a lender, and giving it back."""

from collections.abc import Iterator

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, Problem
from chassis.states import after
from services.credit_insurance import errors
from services.credit_insurance.cover_hold import effects, rpc
from services.credit_insurance.cover_hold.model import TRANSITIONS, CoverHold, State, Verb
from services.credit_insurance.cover_hold.store import COVER_HOLDS
from services.credit_insurance.covered_shipment import store as covered_shipment_store
from services.credit_insurance.covered_shipment.model import State as ShipmentState
from trade import checks
from trade.reservation import Reservations

RESERVATIONS = Reservations(
    noun="cover_hold", given_back=State.RELEASED, over=errors.CoverReleased, taken=errors.CoverHoldIdTaken
)


def hold(transaction: Transaction, request: credit_insurance_pb2.HoldCoverRequest) -> credit_insurance_pb2.CoverHold:
    """Makes the bank loss payee for a part of the cover.

    Raises CoverReleased, CoverHoldIdTaken, CoverMissing, InvalidFields, CoverHeld.
    """
    if standing := COVER_HOLDS.load(transaction.connection, request.cover_hold_id):
        return rpc.to_proto(_same(standing, request))
    covered = covered_shipment_store.of_declaration(transaction.connection, request.declaration, ShipmentState.COVERED)
    if not covered:
        raise errors.CoverMissing(declaration=request.declaration)
    (shipment,) = covered
    currency = shipment.invoice_amount.currency
    if problems := list(_problems(request, currency, transaction.caller.tenant)):
        raise InvalidFields(problems)
    cover_hold = rpc.held(request, shipment, transaction.now_us)
    available = effects.hold_amount(transaction, cover_hold)
    if available is not None:
        raise errors.CoverHeld(declaration=request.declaration, available=available.major(), currency=currency)
    return rpc.to_proto(COVER_HOLDS.add(transaction, cover_hold, "cover_hold.held"))


def _problems(request: credit_insurance_pb2.HoldCoverRequest, currency: str, tenant: str) -> Iterator[Problem]:
    yield from checks.amount("amount", request.amount, currency)
    if request.bank != tenant:
        yield Problem("bank", "BANK_DIFFERS", f"You act for {tenant}.", f"您代表的是 {tenant}。")


def _same(standing: CoverHold, request: credit_insurance_pb2.HoldCoverRequest) -> CoverHold:
    """Returns the hold that stands, if the request asks for the same. Raises CoverReleased, CoverHoldIdTaken."""
    return RESERVATIONS.same(
        standing,
        request.bank,
        loan=request.loan,
        declaration=request.declaration,
        amount=money.from_proto(request.amount),
    )


def release(
    transaction: Transaction, request: credit_insurance_pb2.ReleaseCoverRequest
) -> credit_insurance_pb2.CoverHold:
    """Gives a hold back; an unknown id leaves a tombstone. Raises NotFound for another bank's hold."""
    bank, identifier = transaction.caller.tenant, request.cover_hold_id
    standing = COVER_HOLDS.load(transaction.connection, identifier)
    if standing is None:
        tombstone = CoverHold(id=identifier, bank=bank, state=State.RELEASED, create_us=transaction.now_us)
        return rpc.to_proto(COVER_HOLDS.add(transaction, tombstone, "cover_hold.released"))
    if RESERVATIONS.is_given_back(standing, bank):
        return rpc.to_proto(standing)
    released = after(TRANSITIONS, standing, Verb.RELEASE)
    shipment = covered_shipment_store.COVERED_SHIPMENTS.load(transaction.connection, standing.covered_shipment)
    assert shipment is not None, f"{standing.name} has no shipment"
    effects.release_amount(transaction, standing, shipment)
    return rpc.to_proto(COVER_HOLDS.save(transaction, released, "cover_hold.released"))
