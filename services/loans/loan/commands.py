"""Signing a loan: the bank's own signature over the contract starts the drawdown."""

import dataclasses

from aval.loans.v1 import loans_pb2

from chassis import signatures
from chassis.command import Transaction
from chassis.errors import NotFound
from chassis.states import check_etag, moved
from services.loans import errors
from services.loans.breach import store as breach_store
from services.loans.loan import rpc, store
from services.loans.loan.model import TRANSITIONS, Loan, Verb


def sign(transaction: Transaction, request: loans_pb2.SignLoanRequest) -> loans_pb2.Loan:
    """Keeps the bank's signature with the key it was checked with."""
    caller = transaction.caller
    loan = store.find(transaction.connection, request.name, caller.tenant)
    if loan.bank != caller.tenant:
        raise NotFound(resource=request.name)
    check_etag(request.etag, loan)
    state = moved(TRANSITIONS, loan, Verb.SIGN)
    breach_store.check_none(transaction.connection, [item.declaration for item in loan.items])
    _check_signature(loan, request, caller.public_key)
    signed = dataclasses.replace(loan, state=state, signature=request.signature, public_key=caller.public_key)
    return rpc.to_proto(store.save(transaction, signed, "loan.signed"))


def _check_signature(loan: Loan, request: loans_pb2.SignLoanRequest, public_key: str) -> None:
    """InstructionDiffers, SignatureInvalid."""
    if request.instruction != loan.contract:
        raise errors.InstructionDiffers(loan=loan.name)
    if not public_key or not signatures.is_valid(loan.contract, request.signature, public_key.encode()):
        raise errors.SignatureInvalid(loan=loan.name)
