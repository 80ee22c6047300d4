"""Holding cover for a lender, and giving it back."""

import dataclasses
from collections.abc import Iterator

from aval.credit_insurance.v1 import credit_insurance_pb2

from chassis import money
from chassis.command import Transaction
from chassis.errors import InvalidFields, NotFound, Problem
from chassis.states import moved
from services.credit_insurance import checks, errors
from services.credit_insurance.cover_hold import effects, rpc, store
from services.credit_insurance.cover_hold.model import TRANSITIONS, CoverHold, State, Verb
from services.credit_insurance.covered_shipment import store as shipments
from services.credit_insurance.covered_shipment.model import State as ShipmentState


def hold(transaction: Transaction, request: credit_insurance_pb2.HoldCoverRequest) -> credit_insurance_pb2.CoverHold:
    """The bank becomes loss payee for a part. CoverReleased, CoverHoldIdTaken, CoverMissing, CoverHeld."""
    if known := store.load(transaction.connection, request.cover_hold_id):
        return rpc.to_proto(_same(known, request))
    covered = shipments.of_declaration(transaction.connection, request.declaration, ShipmentState.COVERED)
    if not covered:
        raise errors.CoverMissing(declaration=request.declaration)
    (shipment,) = covered
    currency = shipment.invoice_amount.currency
    if problems := list(_problems(request, currency, transaction.caller.tenant)):
        raise InvalidFields(problems)
    asked = rpc.asked(request, shipment, transaction.now_us)
    available = effects.hold_amount(transaction, asked)
    if available is not None:
        raise errors.CoverHeld(declaration=request.declaration, available=available.major(), currency=currency)
    return store.add(transaction, asked, "cover_hold.held")


def _problems(request: credit_insurance_pb2.HoldCoverRequest, currency: str, tenant: str) -> Iterator[Problem]:
    yield from checks.amount("amount", request.amount, currency)
    if request.bank != tenant:
        yield Problem("bank", "BANK_DIFFERS", f"You act for {tenant}.", f"您代表的是 {tenant}。")


def _same(known: CoverHold, request: credit_insurance_pb2.HoldCoverRequest) -> CoverHold:
    """The hold that stands, if it is the same; a released id refuses a late hold."""
    if known.bank == request.bank and known.state is State.RELEASED:
        raise errors.CoverReleased(cover_hold=known.name)
    asked = (request.bank, request.loan, request.declaration, money.from_proto(request.amount))
    if asked != (known.bank, known.loan, known.declaration, known.amount):
        raise errors.CoverHoldIdTaken(cover_hold=known.name)
    return known


def release(
    transaction: Transaction, request: credit_insurance_pb2.ReleaseCoverRequest
) -> credit_insurance_pb2.CoverHold:
    """Gives a hold back; an unknown id leaves a tombstone."""
    known = store.load(transaction.connection, request.cover_hold_id)
    if known is None:
        return store.add(transaction, _tombstone(transaction, request.cover_hold_id), "cover_hold.released")
    if known.bank != transaction.caller.tenant:
        raise NotFound(resource=known.name)
    if known.state is State.RELEASED:
        return rpc.to_proto(known)
    state = moved(TRANSITIONS, known, Verb.RELEASE)
    shipment = shipments.load(transaction.connection, known.covered_shipment)
    assert shipment is not None, f"{known.name} has no shipment"
    effects.release_amount(transaction, known, shipment)
    return store.save(transaction, dataclasses.replace(known, state=state), "cover_hold.released")


def _tombstone(transaction: Transaction, identifier: str) -> CoverHold:
    """Refuses a hold that comes after its own release."""
    bank, now_us = transaction.caller.tenant, transaction.now_us
    return CoverHold(identifier, bank, "", "", "", "", "", None, None, State.RELEASED, 1, now_us)
