"""A transfer as its row holds it, the same for both databases."""

import datetime
from collections.abc import Sequence
from typing import Any

from ledger.model import Kind, Transfer

# In the order in which `transfer` takes them.
COLUMNS = (
    "id", "debit_account", "credit_account", "amount", "kind", "pending_id", "timeout_us", "code", "reference",
    "value_date", "user_data", "booking_date",
)  # fmt: skip


def transfer(row: Sequence[Any]) -> Transfer:
    """Returns the transfer of a row's COLUMNS."""
    identifier, debit, credit, amount, kind, pending_id, timeout_us, code, reference, *added = row
    value_date, user_data, booking_date = added
    return Transfer(
        id=identifier,
        debit_account=debit,
        credit_account=credit,
        amount=amount,
        kind=Kind(kind),
        pending_id=pending_id,
        timeout_us=timeout_us,
        code=code,
        reference=reference,
        value_date=_date(value_date),
        user_data=int(user_data, 16),
        booking_date=_date(booking_date),
    )


def _date(text: str | None) -> datetime.date | None:
    return None if text is None else datetime.date.fromisoformat(text)


def bits(user_data: int) -> str:
    """Returns the caller's 128 bits as they are stored: 255 is "ff"."""
    return format(user_data, "x")
