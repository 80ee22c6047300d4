"""The ledger in a service's own database: every change of money, value, limits and exposure goes through here."""

import itertools
import operator
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import grpc
import sqlalchemy as sa

from chassis import bulk, database, ids, suites
from chassis.command import Transaction
from chassis.errors import DomainError
from chassis.service import Book
from ledger import chain, model, postgresql, sqlite, tables, transfer_rows
from ledger.model import Account, HoldState, Kind, Limit, Result, Transfer

DIALECTS: Mapping[str, ModuleType] = {"sqlite": sqlite, "postgresql": postgresql}
MIGRATIONS = str(pathlib.Path(__file__).parent / "versions")
EXPIRE_AT_ONCE = 1000
VERIFY_PAGE = 5000


class LedgerRefused(DomainError):
    """The ledger refused: {result} ({reference})."""

    chinese = "账本拒绝：{result}（{reference}）。"
    code = grpc.StatusCode.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to open: `id` is a UUID, best derived from what it stands for."""

    id: str
    book: str
    currency: str
    limit: Limit
    reference: str


class Verdict(NamedTuple):
    """The result of a transfer, and its position if it stands by this batch."""

    result: Result
    position: int = 0


def account_id(*parts: object) -> str:
    """Returns the id of the account that stands for these parts, always the same."""
    return ids.derived("ledger account", *parts)


def initialise(connection: sa.Connection) -> None:
    """Makes the chain's head in an empty store; safe to repeat, by several processes at once."""
    insert: Any = database.insert_for(connection)(tables.head)
    connection.execute(insert.values(id=1, block=0, position=0, hash=chain.GENESIS).on_conflict_do_nothing())


def open_accounts(connection: sa.Connection, accounts: Iterable[NewAccount]) -> None:
    """Opens the accounts that aren't open yet."""
    zeros = {"debits_pending": 0, "debits_posted": 0, "credits_pending": 0, "credits_posted": 0}
    rows = [_account_row(account) | zeros for account in accounts]
    if not rows:
        return
    insert: Any = database.insert_for(connection)(tables.accounts)
    connection.execute(insert.on_conflict_do_nothing(), rows)


def _account_row(account: NewAccount) -> dict[str, Any]:
    return {
        "id": account.id,
        "book": account.book,
        "currency": account.currency,
        "limits": int(account.limit),
        "reference": account.reference,
    }


class Sitting:
    """A batch applied in parts: loaded and locked at once, each part decided on the last, written at once."""

    def __init__(self, transaction: Transaction, candidates: Sequence[Transfer]) -> None:
        """Loads and locks the rows. `candidates` name every account and transfer that a part may touch.

        All is booked on the transaction's business date.
        """
        self._dialect = DIALECTS[transaction.connection.dialect.name]
        self._raw = transaction.connection.connection.driver_connection
        self._now_us = transaction.now_us
        self._state: model.State = self._dialect.load(self._raw, candidates)
        self._state.booking_date = transaction.business_date
        self._changes = model.Changes(results=[])

    def account(self, identifier: str) -> Account:
        """Returns an account as the parts so far have left it."""
        return self._state.accounts[identifier]

    def transfer(self, identifier: str) -> Transfer | None:
        """Returns a transfer that stands, among those that the candidates name."""
        transfer, state = self._state.transfers.get(identifier), self._state
        if transfer is None or identifier not in state.booked:
            return transfer
        return model.dated(transfer, state.booked[identifier])

    @property
    def attempted(self) -> int:
        """Returns how many transfers were attempted so far."""
        return len(self._changes.results)

    def attempt(self, part: Sequence[Transfer]) -> list[Result]:
        """Applies a part. Returns its results."""
        before = self.attempted
        model.apply(self._state, part, self._now_us, self._changes)
        return self._changes.results[before:]

    def write(self) -> list[Verdict]:
        """Writes all parts as one block. Returns a verdict for each transfer attempted."""
        positions = itertools.count(self._dialect.write(self._raw, self._changes, self._now_us))
        return [
            Verdict(result, next(positions)) if result is Result.OK else Verdict(result)
            for result in self._changes.results
        ]


def apply(transaction: Transaction, batch: Sequence[Transfer]) -> list[Verdict]:
    """Applies a batch within the transaction: one block. Returns a verdict for each transfer."""
    sitting = Sitting(transaction, batch)
    sitting.attempt(batch)
    return sitting.write()


def post(transaction: Transaction, *batch: Transfer) -> None:
    """Applies transfers that must all stand. Raises LedgerRefused otherwise, and the command fails with it."""
    verdicts = apply(transaction, batch)
    for transfer, verdict in zip(batch, verdicts, strict=True):
        if not verdict.result.stands:
            raise LedgerRefused(result=verdict.result.value, reference=transfer.reference or transfer.code)
        _trace(transaction, transfer, verdict)


def _trace(transaction: Transaction, transfer: Transfer, verdict: Verdict) -> None:
    """Adds the ledger line to the command's span: a trace ends there."""
    if transaction.span.is_recording():
        attributes: dict[str, str | int] = {
            "aval.ledger.transfer": transfer.id,
            "aval.ledger.position": verdict.position,
            "aval.ledger.code": transfer.code,
            "aval.ledger.amount_minor_units": transfer.amount,
            "aval.ledger.booking_date": str(transaction.business_date),
            "aval.ledger.value_date": str(transfer.value_date or transaction.business_date),
        }
        transaction.span.add_event("ledger line", attributes)


def accounts(connection: sa.Connection, wanted: Iterable[str]) -> dict[str, Account]:
    """Returns the accounts with these ids, by id, without those that aren't open."""
    rows, identifiers = tables.accounts, list(wanted)
    if not identifiers:
        return {}
    query = sa.select(rows).where(bulk.among(connection, rows.c.id, identifiers))
    return {row["id"]: _account(row) for row in connection.execute(query).mappings()}


def _account(row: Any) -> Account:
    return Account(
        id=row["id"],
        book=row["book"],
        currency=row["currency"],
        limit=row["limits"],
        debits_pending=row["debits_pending"],
        debits_posted=row["debits_posted"],
        credits_pending=row["credits_pending"],
        credits_posted=row["credits_posted"],
        flags=row["flags"],
    )


@dataclass(frozen=True, slots=True)
class Line:
    """A transfer that stands, as stored."""

    position: int
    transfer: Transfer
    debit_balance: int
    credit_balance: int
    create_us: int


_transfer_columns = operator.attrgetter(*transfer_rows.COLUMNS)


def _line(row: Any) -> Line:
    transfer = transfer_rows.transfer(_transfer_columns(row))
    return Line(row.position, transfer, row.debit_balance, row.credit_balance, row.create_us)


def stored(connection: sa.Connection, identifiers: Iterable[str]) -> dict[str, Line]:
    """Returns the transfers with these ids, by id, without those that don't stand."""
    rows, wanted = tables.transfers, list(identifiers)
    if not wanted:
        return {}
    return {row.id: _line(row) for row in connection.execute(sa.select(rows).where(rows.c.id.in_(wanted)))}


def booked_by_reference(connection: sa.Connection, accounts: Sequence[str]) -> dict[tuple[str, str], int]:
    """Returns booked credits less debits of each of these accounts by the transfers' reference."""
    rows, booked = tables.transfers, (Kind.POSTED.value, Kind.POST.value, Kind.REVERSAL.value)
    totals: dict[tuple[str, str], int] = {}
    for side, sign in ((rows.c.credit_account, 1), (rows.c.debit_account, -1)):
        query = sa.select(side, rows.c.reference, sa.func.sum(rows.c.amount)).group_by(side, rows.c.reference)
        for account, reference, amount in connection.execute(query.where(side.in_(accounts), rows.c.kind.in_(booked))):
            totals[account, reference] = totals.get((account, reference), 0) + sign * int(amount)
    return totals


def lines(connection: sa.Connection, account: str, before_position: int, limit: int) -> list[Line]:
    """Returns an account's newest transfers before a position (0: from the newest), newest first."""
    newest: dict[int, Line] = {}
    for side in ("debit", "credit"):
        query = lines_query(account, side, before_position, limit)
        newest |= {row.position: _line(row) for row in connection.execute(query)}
    return [newest[position] for position in sorted(newest, reverse=True)[:limit]]


def lines_query(account: str, side: str, before_position: int, limit: int) -> sa.Select[Any]:
    """Returns a query of the transfers of one side, "debit" or "credit", by that side's index."""
    rows = tables.transfers
    query = sa.select(rows).where(rows.c[f"{side}_account"] == account)
    if before_position:
        query = query.where(rows.c.position < before_position)
    return query.order_by(rows.c.position.desc()).limit(limit)


def expired_holds(connection: sa.Connection, now_us: int) -> list[Transfer]:
    """Returns the transfers that end the holds whose time is over."""
    rows = tables.holds
    is_due = sa.and_(rows.c.state == HoldState.OPEN.value, rows.c.expires_us > 0, rows.c.expires_us <= now_us)
    query = sa.select(rows.c.id).where(is_due).order_by(rows.c.expires_us).limit(EXPIRE_AT_ONCE)
    return [
        Transfer(ids.derived(hold, "expire"), kind=Kind.EXPIRE, pending_id=hold, code="expiry")
        for (hold,) in connection.execute(query)
    ]


def hold_states(connection: sa.Connection, identifiers: Sequence[str]) -> dict[str, HoldState]:
    """Returns the states of these holds; holds that were never made are left out."""
    rows = tables.holds
    states: dict[str, HoldState] = {}
    for start in range(0, len(identifiers), VERIFY_PAGE):
        page = identifiers[start : start + VERIFY_PAGE]
        query = sa.select(rows.c.id, rows.c.state).where(rows.c.id.in_(page))
        states |= {identifier: HoldState(state) for identifier, state in connection.execute(query)}
    return states


def latest_us(connection: sa.Connection) -> int:
    """Returns when the newest transfer was made, 0 where there is none."""
    rows = tables.transfers
    newest = sa.select(rows.c.create_us).order_by(rows.c.position.desc()).limit(1)
    return int(connection.execute(newest).scalar() or 0)


def head(connection: sa.Connection) -> tuple[int, bytes] | None:
    """Returns number and hash of the newest block."""
    row = connection.execute(sa.select(tables.head)).first()
    return None if row is None else (row.block, row.hash)


def books(connection: sa.Connection) -> list[Book]:
    """Returns booked debits and credits of each book and currency."""
    rows = tables.accounts
    place = (rows.c.book, rows.c.currency)
    sums = (*_halves(rows.c.debits_posted), *_halves(rows.c.credits_posted))
    query = sa.select(*place, *sums).group_by(*place).order_by(*place)
    return [
        Book(book, currency, (int(dh) << 32) + int(dl), (int(ch) << 32) + int(cl))
        for book, currency, dh, dl, ch, cl in connection.execute(query)
    ]


def _halves(column: sa.ColumnElement[int]) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    """Returns a sum's upper and lower 32 bits: SQLite's own sum fails beyond int64."""
    return sa.func.sum(column.op(">>")(sa.literal(32, sa.Integer))), sa.func.sum(
        column.op("&")(sa.literal(2**32 - 1, sa.BigInteger))
    )


def violations(connection: sa.Connection) -> list[str]:
    """Proves balances and chain from the rows alone: replays every transfer and compares. Returns the violations."""
    replay = _Replay()
    violated = list(replay.run(connection))
    violated += replay.differing_accounts(connection)
    for book in books(connection):
        if book.debits != book.credits:
            violated.append(f"ledger: book {book.book} {book.currency}: debits {book.debits}, credits {book.credits}")
    return violated


def _place(block: Any) -> str:
    return f"block {block.block} (positions {block.first_position} to {block.last_position})"


def _rows_hash(block: Any, lines_of_block: Iterable[Line]) -> bytes:
    """Returns the hash of a block's rows by the text of its version; empty where version or suite don't exist."""
    canonical = chain.CANONICAL.get(block.version)
    if canonical is None or block.suite not in suites.DIGEST_SUITES:
        return b""
    texts = (
        canonical(
            line.transfer, line.debit_balance, line.credit_balance, line.create_us, str(line.transfer.booking_date)
        )
        for line in lines_of_block
    )
    return chain.rows_hash(texts, block.suite)


def _block_hash(block: Any, previous: bytes, rows: bytes) -> bytes:
    """Returns a block's hash by its suite; empty where its rows have none."""
    return chain.block_hash(previous, rows, block.suite) if rows else b""


def _uncovered(block: Any, lines_of_block: Iterable[Line]) -> Iterator[str]:
    """Yields the rows that hold what the text of their block's version doesn't say: no hash proves it."""
    for line in lines_of_block:
        if not chain.is_covered(line.transfer, block.version):
            yield f"chain: position {line.position} holds what version {block.version} of the text doesn't cover"


class _Replay:
    """Totals of all accounts as the transfers alone give them."""

    def __init__(self) -> None:
        self.totals: dict[str, list[int]] = {}
        self.open_holds: dict[str, Transfer] = {}
        self.flags: dict[str, int] = {}

    def run(self, connection: sa.Connection) -> Iterator[str]:
        """Replays block by block. Yields the violations."""
        previous, position = chain.GENESIS, 0
        reading = _lines_in_order(connection)
        for block in connection.execute(sa.select(tables.blocks).order_by(tables.blocks.c.block)):
            lines_of_block = list(itertools.islice(reading, block.last_position - position))
            yield from self._rows(lines_of_block, position)
            yield from _uncovered(block, lines_of_block)
            digest = _rows_hash(block, lines_of_block)
            previous = _block_hash(block, previous, digest)
            if digest != block.rows_hash or previous != block.hash or block.first_position != position + 1:
                yield f"chain: {_place(block)} differs from its hash"
                previous = block.hash
            position = block.last_position
        yield from self._end(connection, previous, position, next(reading, None))

    def _end(self, connection: sa.Connection, digest: bytes, position: int, left: Line | None) -> Iterator[str]:
        newest = connection.execute(sa.select(tables.head)).one()
        if (newest.position, newest.hash) != (position, digest):
            yield f"chain: the head is at {newest.position}, the blocks end at {position}"
        if left:
            yield f"chain: position {left.position} is in no block"

    def _rows(self, rows: Sequence[Line], position: int) -> Iterator[str]:
        for expected, line in enumerate(rows, position + 1):
            if line.position != expected:
                yield f"chain: position {expected} is missing"
                return
            yield from self._row(line)

    def _row(self, line: Line) -> Iterator[str]:
        transfer = line.transfer
        yield from self._flags(line)
        debit = self.totals.setdefault(transfer.debit_account, [0, 0, 0, 0])
        credit = self.totals.setdefault(transfer.credit_account, [0, 0, 0, 0])
        if transfer.kind is Kind.PENDING:
            self.open_holds[transfer.id] = transfer
            debit[0] += transfer.amount
            credit[2] += transfer.amount
        elif transfer.kind in (Kind.POST, Kind.VOID, Kind.EXPIRE):
            held = self.open_holds.pop(transfer.pending_id, None)
            if held is None:
                yield f"ledger: position {line.position} closes a hold that isn't open"
                return
            debit[0] -= held.amount
            credit[2] -= held.amount
        if transfer.kind in (Kind.POSTED, Kind.POST, Kind.REVERSAL):
            debit[1] += transfer.amount
            credit[3] += transfer.amount
        after = (debit[3] - debit[1], credit[3] - credit[1])
        if after != (line.debit_balance, line.credit_balance):
            yield (
                f"ledger: position {line.position} (transfer {transfer.id}): balances "
                f"{line.debit_balance}, {line.credit_balance}; the transfers give {after[0]}, {after[1]}"
            )

    def _flags(self, line: Line) -> Iterator[str]:
        """Follows the flags. Yields a line that moved money although its accounts stood still."""
        transfer = line.transfer
        if transfer.kind in model.LEAVES_FLAG:
            self.flags[transfer.debit_account] = model.LEAVES_FLAG[transfer.kind].value
        elif transfer.kind not in (Kind.VOID, Kind.EXPIRE):
            debit, credit = (self.flags.get(side, 0) for side in (transfer.debit_account, transfer.credit_account))
            if refusal := model.standstill(debit, credit):
                yield f"ledger: position {line.position} (transfer {transfer.id}): {refusal.value}"

    def differing_accounts(self, connection: sa.Connection) -> list[str]:
        """Returns the accounts whose totals or flags aren't those of their transfers, or that break their limit."""
        differing = []
        for row in connection.execute(sa.select(tables.accounts)).mappings():
            account = _account(row)
            stored = [
                account.debits_pending,
                account.debits_posted,
                account.credits_pending,
                account.credits_posted,
            ]
            replayed = self.totals.pop(account.id, [0, 0, 0, 0])
            if stored != replayed:
                differing.append(
                    f"ledger: account {account.id} ({row['reference']}): {stored}, transfers give {replayed}"
                )
            if account.flags != (flags := self.flags.get(account.id, 0)):
                differing.append(
                    f"ledger: account {account.id} ({row['reference']}): flags {account.flags}, not {flags}"
                )
            if _breaks_limit(account):
                differing.append(f"ledger: account {account.id} ({row['reference']}) is beyond its limit")
        return differing + [f"ledger: account {account} has transfers but doesn't exist" for account in self.totals]


def _breaks_limit(account: Account) -> bool:
    if account.limit == Limit.DEBITS_MUST_NOT_EXCEED_CREDITS:
        return account.available_to_debit < 0
    return account.limit == Limit.CREDITS_MUST_NOT_EXCEED_DEBITS and account.available_to_credit < 0


def _lines_in_order(connection: sa.Connection) -> Iterator[Line]:
    rows, position = tables.transfers, 0
    while True:
        query = sa.select(rows).where(rows.c.position > position).order_by(rows.c.position).limit(VERIFY_PAGE)
        page = [_line(row) for row in connection.execute(query)]
        yield from page
        if len(page) < VERIFY_PAGE:
            return
        position = page[-1].position
