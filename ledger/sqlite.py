"""The ledger's hot path on SQLite: bulk reads through json_each, bulk writes by executemany."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from ledger import chain, transfer_rows
from ledger.model import Account, Changes, Entry, Hold, HoldState, Result, State, Transfer, touched

SELECT_TRANSFERS = """SELECT id, debit_account, credit_account, amount, kind, pending_id, timeout_us, code, reference,
  value_date, user_data, booking_date
FROM ledger_transfers WHERE id IN (SELECT value FROM json_each(?))"""
SELECT_HOLDS = "SELECT id, state, expires_us FROM ledger_holds WHERE id IN (SELECT value FROM json_each(?))"
SELECT_REFUSALS = "SELECT id, result FROM ledger_refusals WHERE id IN (SELECT value FROM json_each(?))"
SELECT_ACCOUNTS = """SELECT id, book, currency, limits,
  debits_pending, debits_posted, credits_pending, credits_posted, flags
FROM ledger_accounts WHERE id IN (SELECT value FROM json_each(?))"""
UPDATE_ACCOUNT = """UPDATE ledger_accounts
SET debits_pending = ?, debits_posted = ?, credits_pending = ?, credits_posted = ?, flags = ? WHERE id = ?"""
INSERT_TRANSFER = "INSERT INTO ledger_transfers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
PUT_HOLD = "INSERT OR REPLACE INTO ledger_holds VALUES (?, ?, ?)"
INSERT_REFUSAL = "INSERT INTO ledger_refusals VALUES (?, ?)"
SELECT_HEAD = "SELECT block, position, hash FROM ledger_head"
UPDATE_HEAD = "UPDATE ledger_head SET block = ?, position = ?, hash = ?"
INSERT_BLOCK = "INSERT INTO ledger_blocks VALUES (?, ?, ?, ?, ?, ?, ?)"


def _bulk(raw: sqlite3.Connection, query: str, ids: Iterable[str]) -> list[Any]:
    wanted = list(ids)
    return raw.execute(query, (json.dumps(wanted),)).fetchall() if wanted else []


def load(raw: sqlite3.Connection, batch: Sequence[Transfer]) -> State:
    """Loads the rows that the batch touches."""
    ids, referred, accounts = touched(batch)
    transfers = {row[0]: transfer_rows.transfer(row) for row in _bulk(raw, SELECT_TRANSFERS, ids | referred)}
    accounts |= {side for t in transfers.values() for side in (t.debit_account, t.credit_account)}
    return State(
        accounts={row[0]: Account(*row) for row in _bulk(raw, SELECT_ACCOUNTS, accounts)},
        transfers=transfers,
        holds={row[0]: Hold(HoldState(row[1]), row[2]) for row in _bulk(raw, SELECT_HOLDS, referred)},
        refused={row[0]: Result(row[1]) for row in _bulk(raw, SELECT_REFUSALS, ids)},
    )


def write(raw: sqlite3.Connection, changes: Changes, now_us: int) -> int:
    """Writes the changes of a batch. Returns the position of its first entry."""
    first = _append(raw, changes, now_us) if changes.entries else 0
    raw.executemany(UPDATE_ACCOUNT, [_balances(account) for account in changes.accounts.values()])
    if changes.holds:
        raw.executemany(PUT_HOLD, [(key, hold.state.value, hold.expires_us) for key, hold in changes.holds.items()])
    if changes.refused:
        raw.executemany(INSERT_REFUSAL, [(key, result.value) for key, result in changes.refused.items()])
    return first


def _balances(account: Account) -> tuple[int, int, int, int, int, str]:
    return (
        account.debits_pending,
        account.debits_posted,
        account.credits_pending,
        account.credits_posted,
        account.flags,
        account.id,
    )


def _append(raw: sqlite3.Connection, changes: Changes, now_us: int) -> int:
    entries, booking_date = changes.entries, str(changes.booking_date)
    block, position, previous = raw.execute(SELECT_HEAD).fetchone()
    content = chain.rows_hash([chain.canonical(*entry, now_us, booking_date) for entry in entries], chain.SUITE)
    digest, last = chain.block_hash(previous, content, chain.SUITE), position + len(entries)
    raw.executemany(INSERT_TRANSFER, [_row(position + n, e, now_us, booking_date) for n, e in enumerate(entries, 1)])
    raw.execute(INSERT_BLOCK, (block + 1, position + 1, last, content, digest, chain.VERSION, chain.SUITE))
    raw.execute(UPDATE_HEAD, (block + 1, last, digest))
    return int(position) + 1


def _row(position: int, entry: Entry, now_us: int, booking_date: str) -> tuple[Any, ...]:
    t = entry.transfer
    sides = (t.debit_account, t.credit_account)
    said = (t.amount, t.kind.value, t.pending_id, t.timeout_us, t.code, t.reference)
    added = (str(t.value_date or booking_date), booking_date, transfer_rows.bits(t.user_data))
    return (position, t.id, *sides, *said, entry.debit_balance, entry.credit_balance, now_us, *added)
