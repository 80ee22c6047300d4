"""Transfers between the wire and the ledger; checked by hand, since this is the hot path."""

import re
from collections.abc import Mapping

from aval.settlement.v1 import settlement_pb2

from chassis import money
from chassis import rpc as chassis_rpc
from chassis.clock import MICROSECONDS
from chassis.errors import Problem
from chassis.money import Money
from ledger.model import Kind, Transfer
from ledger.store import Line

TransferProto = settlement_pb2.Transfer

# Marks what banks ordered by hand: only such transfers may be posted, voided or reversed by hand.
CODE = "transfer"
REFERENCE_LENGTH_MAX = 128
TIMEOUT_SECONDS_MAX = 315_360_000
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
is_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def to_ledger(message: settlement_pb2.Transfer, identifier: str, pending_id: str) -> Transfer:
    """The transfer as the ledger takes it, under the ids that it keeps; what it isn't given stays empty."""
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


def malformed(message: settlement_pb2.Transfer, identifier: str, path: str) -> list[Problem]:
    """What no ledger can take: one such row would fail everyone's batch. `identifier`: the id that the bank gave it."""
    refers = KINDS.get(message.kind, Kind.POSTED) not in (Kind.POSTED, Kind.PENDING)
    tests = (
        (is_uuid(identifier), "transfer_id", "Give a UUID.", "须为 UUID。"),
        (not message.pending_id or is_uuid(message.pending_id.lower()), "pending_id", "Give a UUID.", "须为 UUID。"),
        (refers == bool(message.pending_id), "pending_id", "It goes with kinds that refer to a transfer.",
         "仅用于引用其他转账的类型，且必填。"),
        (message.kind in KINDS, "kind", "Use a known kind.", "未知的类型。"),
        (len(message.reference) <= REFERENCE_LENGTH_MAX and "\0" not in message.reference, "reference",
         "At most 128 printable characters.", "最多 128 个可打印字符。"),
        (0 <= message.timeout_seconds <= TIMEOUT_SECONDS_MAX, "timeout_seconds", "0 to ten years.", "0 至十年。"),
    )  # fmt: skip
    return [
        Problem(f"{path}.{field}", "FIELD_INVALID", english, chinese)
        for is_right, field, english, chinese in tests
        if not is_right
    ]


def is_sound(message: settlement_pb2.Transfer, identifier: str) -> bool:
    """Whether `malformed` finds nothing, for the most frequent kind and at a tenth of the price."""
    return bool(
        message.kind in (TransferProto.KIND_UNSPECIFIED, TransferProto.POSTED)
        and not message.pending_id
        and message.timeout_seconds == 0
        and len(message.reference) <= REFERENCE_LENGTH_MAX
        and "\0" not in message.reference
        and is_uuid(identifier)
    )


def currency_differs(path: str, currency: str) -> Problem:
    """The problem of an amount in another currency than the account's."""
    english = f"The account is in {currency}; give the amount in that currency."
    return Problem(f"{path}.amount", "CURRENCY_DIFFERS", english, f"账户币种为 {currency}，请使用该币种。")


def created(
    message: settlement_pb2.Transfer, standing: Transfer, position: int, create_us: int
) -> settlement_pb2.Transfer:
    """Returns the transfer that a request asked for, as it stands."""
    answer = settlement_pb2.Transfer()
    answer.CopyFrom(message)
    answer.transfer_id = standing.id
    answer.position = position
    answer.create_time.FromMicroseconds(create_us)
    _put_dates(answer, standing)
    return answer


def _put_dates(message: settlement_pb2.Transfer, standing: Transfer) -> None:
    """Those of before there were dates have none."""
    for field in ("booking_date", "value_date"):
        day = getattr(standing, field)
        message.ClearField(field)
        if day is not None:
            getattr(message, field).CopyFrom(chassis_rpc.date(day))


def line(found: Line, currency: str) -> settlement_pb2.Transfer:
    """Returns a ledger line, complete."""
    transfer = found.transfer
    message = settlement_pb2.Transfer(
        transfer_id=transfer.id,
        debit_account=f"accounts/{transfer.debit_account}",
        credit_account=f"accounts/{transfer.credit_account}",
        amount=money.to_proto(Money(currency, transfer.amount)),
        kind=NAMES[transfer.kind],
        pending_id=transfer.pending_id,
        timeout_seconds=transfer.timeout_us // MICROSECONDS,
        reference=transfer.reference,
        position=found.position,
    )
    message.create_time.FromMicroseconds(found.create_us)
    _put_dates(message, transfer)
    return message
