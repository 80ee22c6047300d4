"""Transfers between the wire and the ledger."""

import datetime
import functools
from collections.abc import Mapping

from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis import rpc as chassis_rpc
from chassis.clock import MICROSECONDS
from chassis.money import Money
from ledger.model import Kind, Transfer
from ledger.store import Line

TransferProto = settlement_pb2.Transfer

# Marks what banks ordered by hand: only such transfers may be posted, voided or reversed by hand.
CODE = "transfer"
# Most transfers of a time bear the same dates. The messages are copied, never changed.
_wire_date = functools.lru_cache(maxsize=64)(chassis_rpc.date)
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
    Kind.FREEZE: TransferProto.FREEZE,
    Kind.UNFREEZE: TransferProto.UNFREEZE,
    Kind.CLOSE: TransferProto.CLOSE,
}


def to_ledger(message: settlement_pb2.Transfer, identifier: str, pending_id: str) -> Transfer:
    """Returns the transfer as the ledger takes it, under the ids that it keeps; what it isn't given stays empty."""
    return Transfer(
        id=identifier,
        debit_account=message.debit_account.removeprefix("accounts/").lower(),
        credit_account=message.credit_account.removeprefix("accounts/").lower(),
        amount=message.amount.minor_units,
        kind=KINDS.get(message.kind, Kind.POSTED),
        pending_id=pending_id,
        timeout_us=message.timeout_seconds * MICROSECONDS,
        linked=message.linked,
        code=CODE,
        reference=message.reference,
    )


def created(
    message: settlement_pb2.Transfer,
    standing: Transfer,
    position: int,
    create_us: int,
    booking_date: datetime.date | None,
) -> settlement_pb2.Transfer:
    """Returns the transfer that a request asked for, as it stands."""
    answer = settlement_pb2.Transfer()
    answer.CopyFrom(message)
    answer.transfer_id = standing.id
    answer.position = position
    answer.create_time.FromMicroseconds(create_us)
    _put_dates(answer, booking_date, standing.value_date)
    return answer


def _put_dates(
    message: settlement_pb2.Transfer, booking_date: datetime.date | None, value_date: datetime.date | None
) -> None:
    """Writes both dates: without a value date the booking date is that too; rows of before dates have neither."""
    if booking_date is None:
        message.ClearField("booking_date")
        message.ClearField("value_date")
        return
    message.booking_date.CopyFrom(_wire_date(booking_date))
    message.value_date.CopyFrom(_wire_date(value_date or booking_date))


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
    _put_dates(message, transfer.booking_date, transfer.value_date)
    return message
