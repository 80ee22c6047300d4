"""The ledger's hot path on PostgreSQL: two pipelined round trips of set-based statements over arrays.

Locks are taken in one order: holds, accounts, the head last. What is looked up without a lock is read
after the accounts are locked, so that it is seen as the last owner of the lock left it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from chassis.bulk import array_of_texts
from chassis.records import Conflict
from ledger import chain, transfer_rows
from ledger.model import Account, Changes, Hold, HoldState, Kind, Result, State, Transfer, touched

LOCK_HOLDS = "SELECT 1 FROM ledger_holds WHERE id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE"
LOCK_ACCOUNTS = """SELECT id::text, book, currency, limits,
  debits_pending, debits_posted, credits_pending, credits_posted, flags
FROM ledger_accounts WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"""
# The accounts of holds and originals are known from their transfers only.
LOCK_ACCOUNTS_REFERRED = """SELECT id::text, book, currency, limits,
  debits_pending, debits_posted, credits_pending, credits_posted, flags
FROM ledger_accounts WHERE id = ANY(ARRAY(
  SELECT unnest(%s::uuid[])
  UNION SELECT debit_account FROM ledger_transfers WHERE id = ANY(%s::uuid[])
  UNION SELECT credit_account FROM ledger_transfers WHERE id = ANY(%s::uuid[])))
ORDER BY id FOR NO KEY UPDATE"""
SELECT_HOLDS = "SELECT id::text, state, expires_us FROM ledger_holds WHERE id = ANY(%s::uuid[])"
SELECT_TRANSFERS = """SELECT id::text, debit_account::text, credit_account::text, amount, kind, pending_id,
  timeout_us, code, reference, value_date, user_data, booking_date
FROM ledger_transfers WHERE id = ANY(%s::uuid[])"""
SELECT_REFUSALS = "SELECT id::text, result FROM ledger_refusals WHERE id = ANY(%s::uuid[])"
UPDATE_ACCOUNTS = """UPDATE ledger_accounts AS a
SET debits_pending = n.dp, debits_posted = n.d, credits_pending = n.cp, credits_posted = n.c, flags = n.f
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) AS n(id, dp, d, cp, c, f)
WHERE a.id = n.id"""
PUT_HOLDS = """INSERT INTO ledger_holds SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bigint[])
ON CONFLICT (id) DO UPDATE SET state = excluded.state, expires_us = excluded.expires_us"""
INSERT_REFUSALS = "INSERT INTO ledger_refusals SELECT * FROM unnest(%s::uuid[], %s::text[])"
ADVANCE_HEAD = """UPDATE ledger_head
SET block = block + 1, position = position + %s, hash = sha256(hash || %s) RETURNING position"""
INSERT_BLOCK = """INSERT INTO ledger_blocks
SELECT block, position - %s + 1, position, %s, hash, %s, %s FROM ledger_head"""
# The database makes hashes of this suite itself, which spares a round trip.
SUITE_OF_DATABASE = "SHA-256"
LOCK_HEAD = "SELECT hash FROM ledger_head FOR UPDATE"
SET_HEAD = """UPDATE ledger_head SET block = block + 1, position = position + %s, hash = %s RETURNING position"""
INSERT_TRANSFERS = """INSERT INTO ledger_transfers
SELECT h.position - %s + n.ordinality, n.id, n.debit, n.credit, n.amount, n.kind, n.pending, n.timeout, n.code,
  n.reference, n.debit_balance, n.credit_balance, %s, n.value_date, n.booking_date, n.user_data
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[],
  %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY
  AS n(id, debit, credit, amount, kind, pending, timeout, code, reference, debit_balance, credit_balance,
    value_date, booking_date, user_data, ordinality),
  ledger_head AS h"""


def _ids(values: Iterable[str]) -> str:
    """Returns an array literal of ids or other words, which need no quotes."""
    return "{" + ",".join(values) + "}"


def _numbers(values: Iterable[int]) -> str:
    """Returns an array literal of whole numbers."""
    return "{" + ",".join(map(str, values)) + "}"


def load(raw: psycopg.Connection[Any], batch: Sequence[Transfer]) -> State:
    """Loads and locks the rows that the batch touches, in one round trip.

    Raises Conflict if another writer was just making them.
    """
    ids, referred, accounts = touched(batch)
    names, references = _ids(sorted(accounts)), _ids(sorted(referred))
    with raw.pipeline():
        holds = _lock_holds(raw, references) if referred else None
        accounts_locked = _lock_accounts(raw, names, references, bool(referred))
        if holds:
            holds = raw.execute(SELECT_HOLDS, (references,), prepare=True)
        transfers = raw.execute(SELECT_TRANSFERS, (_ids(ids | referred),), prepare=True)
        refusals = raw.execute(SELECT_REFUSALS, (_ids(ids),), prepare=True)
    state = State(
        accounts={row[0]: Account(*row) for row in accounts_locked.fetchall()},
        transfers={row[0]: transfer_rows.transfer(row) for row in transfers.fetchall()},
        holds={row[0]: Hold(HoldState(row[1]), row[2]) for row in holds.fetchall()} if holds else {},
        refused={row[0]: Result(row[1]) for row in refusals.fetchall()},
    )
    check_complete(state, referred)
    return state


def check_complete(state: State, referred: Iterable[str]) -> None:
    """Checks that the transfers referred to were loaded with their holds and accounts.

    Raises Conflict where a transfer was committed after its hold or its accounts were looked for.
    """
    for original in (state.transfers[key] for key in referred if key in state.transfers):
        has_accounts = original.debit_account in state.accounts and original.credit_account in state.accounts
        if not has_accounts or (original.kind is Kind.PENDING and original.id not in state.holds):
            raise Conflict(f"transfer {original.id}")


def _lock_holds(raw: psycopg.Connection[Any], references: str) -> psycopg.Cursor[Any]:
    return raw.execute(LOCK_HOLDS, (references,), prepare=True)


def _lock_accounts(
    raw: psycopg.Connection[Any], names: str, references: str, has_references: bool
) -> psycopg.Cursor[Any]:
    if has_references:
        return raw.execute(LOCK_ACCOUNTS_REFERRED, (names, references, references), prepare=True)
    return raw.execute(LOCK_ACCOUNTS, (names,), prepare=True)


def write(raw: psycopg.Connection[Any], changes: Changes, now_us: int) -> int:
    """Writes the changes of a batch in one round trip. Returns the position of its first entry."""
    head: psycopg.Cursor[Any] | None = None
    with raw.pipeline():
        if changes.accounts:
            _update_accounts(raw, list(changes.accounts.values()))
        if changes.holds:
            _put_holds(raw, changes)
        if changes.refused:
            raw.execute(INSERT_REFUSALS, (_ids(changes.refused), _ids(changes.refused.values())), prepare=True)
        if changes.entries:
            head = _append(raw, changes, now_us)
    return _first_position(head, len(changes.entries)) if head else 0


def _first_position(head: psycopg.Cursor[Any], count: int) -> int:
    row = head.fetchone()
    assert row is not None, "the ledger has no head: initialise it"
    return int(row[0]) - count + 1


def _put_holds(raw: psycopg.Connection[Any], changes: Changes) -> None:
    holds = changes.holds.values()
    columns = (_ids(changes.holds), _ids(hold.state for hold in holds), _numbers(hold.expires_us for hold in holds))
    raw.execute(PUT_HOLDS, columns, prepare=True)


def _update_accounts(raw: psycopg.Connection[Any], accounts: Sequence[Account]) -> None:
    columns = (
        _ids([account.id for account in accounts]),
        _numbers([account.debits_pending for account in accounts]),
        _numbers([account.debits_posted for account in accounts]),
        _numbers([account.credits_pending for account in accounts]),
        _numbers([account.credits_posted for account in accounts]),
        _numbers([account.flags for account in accounts]),
    )
    raw.execute(UPDATE_ACCOUNTS, columns, prepare=True)


def _append(raw: psycopg.Connection[Any], changes: Changes, now_us: int) -> psycopg.Cursor[Any]:
    entries, count, booking_date = changes.entries, len(changes.entries), str(changes.booking_date)
    transfers = [entry.transfer for entry in entries]
    digest = chain.rows_hash([chain.canonical(*entry, now_us, booking_date) for entry in entries], chain.SUITE)
    head = _advance_head(raw, count, digest)
    columns = (
        _ids([t.id for t in transfers]),
        _ids([t.debit_account for t in transfers]),
        _ids([t.credit_account for t in transfers]),
        _numbers([t.amount for t in transfers]),
        _ids([t.kind for t in transfers]),
        array_of_texts([t.pending_id for t in transfers]),
        _numbers([t.timeout_us for t in transfers]),
        array_of_texts([t.code for t in transfers]),
        array_of_texts([t.reference for t in transfers]),
        _numbers([entry.debit_balance for entry in entries]),
        _numbers([entry.credit_balance for entry in entries]),
        _ids([str(t.value_date or booking_date) for t in transfers]),
        _ids([booking_date] * count),
        _ids([transfer_rows.bits(t.user_data) for t in transfers]),
    )
    raw.execute(INSERT_TRANSFERS, (count, now_us, *columns), prepare=True)
    raw.execute(INSERT_BLOCK, (count, digest, chain.VERSION, chain.SUITE), prepare=True)
    return head


def _advance_head(raw: psycopg.Connection[Any], count: int, rows: bytes) -> psycopg.Cursor[Any]:
    """Moves the head on by a block of these rows. Returns a cursor on its position."""
    if chain.SUITE == SUITE_OF_DATABASE:
        return raw.execute(ADVANCE_HEAD, (count, rows), prepare=True)
    (previous,) = raw.execute(LOCK_HEAD).fetchone() or (b"",)
    return raw.execute(SET_HEAD, (count, chain.block_hash(previous, rows, chain.SUITE)))
