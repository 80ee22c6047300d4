"""Field rules of transfers, checked by hand, since this is the hot path."""

import re

from aval.settlement.v1 import settlement_pb2

from chassis.errors import Problem
from ledger.model import Kind
from services.settlement.transfer import rpc
from trade import checks

REFERENCE_LENGTH_MAX = 128
TIMEOUT_SECONDS_MAX = 315_360_000
is_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def malformed(message: settlement_pb2.Transfer, identifier: str, path: str) -> list[Problem]:
    """Returns what no ledger can take: it would fail everyone's batch. `identifier` is the id that the bank gave."""
    refers = rpc.KINDS.get(message.kind, Kind.POSTED) not in (Kind.POSTED, Kind.PENDING)
    tests = (
        (is_uuid(identifier), "transfer_id", "Give a UUID.", "须为 UUID。"),
        (not message.pending_id or is_uuid(message.pending_id.lower()), "pending_id", "Give a UUID.", "须为 UUID。"),
        (refers == bool(message.pending_id), "pending_id", "It goes with kinds that refer to a transfer.",
         "仅用于引用其他转账的类型，且必填。"),
        (message.kind in rpc.KINDS, "kind", "Use a known kind.", "未知的类型。"),
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
        message.kind in (settlement_pb2.Transfer.KIND_UNSPECIFIED, settlement_pb2.Transfer.POSTED)
        and not message.pending_id
        and message.timeout_seconds == 0
        and len(message.reference) <= REFERENCE_LENGTH_MAX
        and "\0" not in message.reference
        and is_uuid(identifier)
    )


def currency_differs(path: str, currency: str) -> Problem:
    """Returns the problem of an amount in another currency than the account's."""
    return checks.currency_differs(f"{path}.amount", currency, checks.ACCOUNT)
