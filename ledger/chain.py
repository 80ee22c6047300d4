"""The chain of blocks over the transfers: a later change of any row breaks it.

Each block knows the version of its rows' text and the suite of its hashes, so that heads of every version and suite
verify in one chain.
"""

from collections.abc import Callable, Iterable, Mapping

from chassis import suites
from ledger.model import Transfer

GENESIS = suites.DIGEST_SUITES["SHA-256"](b"aval ledger")
VERSION = 2
# The suite of new blocks.
SUITE = suites.DIGEST


def canonical(transfer: Transfer, debit_balance: int, credit_balance: int, create_us: int, booking_date: str) -> str:
    """Returns one row as text of today's version, which begins with the version.

    Free text is preceded by its length, so that no two rows read alike. A payment of 5 to the account of one's own:
    "2 ID DEBIT CREDIT 5 posted  0 -5 5 1800000000000000 2026-11-02 2026-11-01 0 7 payment 1 x".
    """
    t = transfer
    return (
        f"2 {t.id} {t.debit_account} {t.credit_account} {t.amount} {t.kind} {t.pending_id} {t.timeout_us} "
        f"{debit_balance} {credit_balance} {create_us} {booking_date} {t.value_date or booking_date} {t.user_data} "
        f"{len(t.code)} {t.code} {len(t.reference)} {t.reference}\n"
    )


def _without_version(
    transfer: Transfer, debit_balance: int, credit_balance: int, create_us: int, _booking_date: str
) -> str:
    """Returns one row as text of version 1, which began with the id, a UUID: it reads like no later version's."""
    t = transfer
    return (
        f"{t.id} {t.debit_account} {t.credit_account} {t.amount} {t.kind} {t.pending_id} {t.timeout_us} "
        f"{debit_balance} {credit_balance} {create_us} {len(t.code)} {t.code} {len(t.reference)} {t.reference}\n"
    )


# By the version that a block bears.
CANONICAL: Mapping[int, Callable[[Transfer, int, int, int, str], str]] = {
    1: _without_version,
    VERSION: canonical,
}


def is_covered(transfer: Transfer, version: int) -> bool:
    """Returns whether a version's text covers all that the transfer holds: version 1 has no dates and no user data."""
    return version > 1 or (transfer.booking_date, transfer.value_date, transfer.user_data) == (None, None, 0)


def rows_hash(rows: Iterable[str], suite: str) -> bytes:
    """Returns the hash over a block's rows in order, by a suite."""
    return suites.DIGEST_SUITES[suite]("".join(rows).encode())


def block_hash(previous: bytes, rows: bytes, suite: str) -> bytes:
    """Returns a block's hash, by a suite: over the previous block's hash, of whichever suite, and its rows' hash."""
    return suites.DIGEST_SUITES[suite](previous + rows)
