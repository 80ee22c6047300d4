"""Transfers between the wire and the ledger."""

from collections.abc import Mapping

from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis.clock import MICROSECONDS
from chassis.money import Money
from ledger.model import Kind, Transfer
from ledger.store import Line

TransferProto = settlement_pb2.Transfer

# Marks what banks ordered by hand: only such transfers may be posted, voided or reversed by hand.
CODE = "transfer"
KINDS: Mapping[int, Kind] = {
    TransferProto.KIND_UNSPECIFIED: Kind.POSTED,
    TransferProto.POSTED: Kind.POSTED,
    TransferProto.PENDING: Kind.PENDING,
    TransferProto.POST_PENDING: Kind.POST,
    TransferProto.VOID_PENDING: Kind.VOID,
    TransferProto.REVERSAL: Kind.REVERSAL,
}
# A hold that expired was given back.
NAMES: Mapping[Kind, TransferProto.Kind] = {
    Kind.POSTED: TransferProto.POSTED,
    Kind.PENDING: TransferProto.PENDING,
    Kind.POST: TransferProto.POST_PENDING,
    Kind.VOID: TransferProto.VOID_PENDING,
    Kind.EXPIRE: TransferProto.VOID_PENDING,
    Kind.REVERSAL: TransferProto.REVERSAL,
}


def to_ledger(message: settlement_pb2.Transfer, identifier: str, pending_id: str) -> Transfer:
    """Returns the transfer as the ledger takes it, under the ids that it keeps; what it isn't given stays empty."""
    return Transfer(
        identifier,
        message.debit_account.removeprefix("accounts/").lower(),
        message.credit_account.removeprefix("accounts/").lower(),
        message.amount.minor_units,
        KINDS.get(message.kind, Kind.POSTED),
        pending_id,
        message.timeout_seconds * MICROSECONDS,
        message.linked,
        CODE,
        message.reference,
    )


def created(message: settlement_pb2.Transfer, identifier: str, position: int, now_us: int) -> settlement_pb2.Transfer:
    """Returns the transfer that a request asked for, as it stands."""
    answer = settlement_pb2.Transfer()
    answer.CopyFrom(message)
    answer.transfer_id = identifier
    answer.position = position
    answer.create_time.FromMicroseconds(now_us)
    return answer


def line(stored: Line, currency: str) -> settlement_pb2.Transfer:
    """Returns the wire form of a ledger line, complete."""
    transfer = stored.transfer
    message = settlement_pb2.Transfer(
        transfer_id=transfer.id,
        debit_account=f"accounts/{transfer.debit_account}",
        credit_account=f"accounts/{transfer.credit_account}",
        amount=money.to_proto(Money(currency, transfer.amount)),
        kind=NAMES[transfer.kind],
        pending_id=transfer.pending_id,
        timeout_seconds=transfer.timeout_us // MICROSECONDS,
        reference=transfer.reference,
        position=stored.position,
    )
    message.create_time.FromMicroseconds(stored.create_us)
    return message
