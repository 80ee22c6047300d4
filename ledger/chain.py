"""The chain of blocks over the transfers: a later change of any row breaks it."""

import hashlib
from collections.abc import Iterable

from ledger.model import Transfer

GENESIS = hashlib.sha256(b"aval ledger").digest()


def canonical(transfer: Transfer, debit_balance: int, credit_balance: int, create_us: int) -> str:
    """One row as text; free text is preceded by its length, so that no two rows read alike."""
    t = transfer
    return (
        f"{t.id} {t.debit_account} {t.credit_account} {t.amount} {t.kind} {t.pending_id} {t.timeout_us} "
        f"{debit_balance} {credit_balance} {create_us} {len(t.code)} {t.code} {len(t.reference)} {t.reference}\n"
    )


def rows_hash(rows: Iterable[str]) -> bytes:
    """SHA-256 over a block's rows in order."""
    return hashlib.sha256("".join(rows).encode()).digest()


def block_hash(previous: bytes, rows: bytes) -> bytes:
    """A block's hash: SHA-256 over the previous block's hash and its rows' hash."""
    return hashlib.sha256(previous + rows).digest()
