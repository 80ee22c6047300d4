"""Signing a loan: the bank's own signature over the contract starts the drawdown."""

from aval.loans.v1 import loans_pb2

from chassis import signatures
from chassis.command import Transaction
from chassis.states import after, check_etag
from services.loans import errors
from services.loans.breach import store as breach_store
from services.loans.loan import rpc
from services.loans.loan.model import TRANSITIONS, Loan, Verb
from services.loans.loan.store import LOANS


def sign(transaction: Transaction, request: loans_pb2.SignLoanRequest) -> loans_pb2.Loan:
    """Signs a loan for its bank, and keeps the signature with the key it was checked with.

    Raises NotFound, EtagMismatch, WrongState, InstructionDiffers, SignatureInvalid.
    """
    caller = transaction.caller
    loan = LOANS.own(transaction.connection, request.name, bank=caller.tenant)
    check_etag(request.etag, loan)
    signed = after(TRANSITIONS, loan, Verb.SIGN, signature=request.signature, public_key=caller.public_key)
    breach_store.check_none(transaction.connection, [item.declaration for item in loan.items])
    _check_signature(loan, request, caller.public_key)
    return rpc.to_proto(LOANS.save(transaction, signed, "loan.signed"))


def _check_signature(loan: Loan, request: loans_pb2.SignLoanRequest, public_key: str) -> None:
    """Raises InstructionDiffers where other bytes than the contract are signed, SignatureInvalid."""
    if request.instruction != loan.contract:
        raise errors.InstructionDiffers(loan=loan.name)
    if not public_key or not signatures.is_valid(loan.contract, request.signature, public_key.encode()):
        raise errors.SignatureInvalid(loan=loan.name)
