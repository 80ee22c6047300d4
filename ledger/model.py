"""The ledger as a pure state machine: accounts and a batch of transfers in, results and balances out.

What may not be spent twice is an account's balance. Amounts are positive integers in minor units;
each transfer moves one amount from a debit to a credit account of one book and currency. A hold
(PENDING) counts in availability until it is posted, voided or expired; a transfer never changes,
and is undone by a reversal at most once. The model follows TigerBeetle's published one.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

LARGEST = 2**63 - 1


class Limit(enum.IntFlag):
    """What an account's balance may not do, holds included."""

    NONE = 0
    DEBITS_MUST_NOT_EXCEED_CREDITS = 1
    CREDITS_MUST_NOT_EXCEED_DEBITS = 2


class Kind(enum.StrEnum):
    """What a transfer does."""

    POSTED = "posted"
    PENDING = "pending"
    POST = "post"
    VOID = "void"
    EXPIRE = "expire"
    REVERSAL = "reversal"


class HoldState(enum.StrEnum):
    """Where a hold stands; REVERSED marks a transfer that was reversed."""

    OPEN = "open"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"
    REVERSED = "reversed"


class Result(enum.StrEnum):
    """What became of a transfer. Where several refusals apply, the one listed first is given."""

    OK = "OK"
    EXISTS = "EXISTS"
    LINKED_TRANSFER_FAILED = "LINKED_TRANSFER_FAILED"
    LINKED_CHAIN_OPEN = "LINKED_CHAIN_OPEN"
    EXISTS_WITH_DIFFERENT_CONTENT = "EXISTS_WITH_DIFFERENT_CONTENT"
    PENDING_NOT_FOUND = "PENDING_NOT_FOUND"
    TRANSFER_NOT_PENDING = "TRANSFER_NOT_PENDING"
    TRANSFER_NOT_POSTED = "TRANSFER_NOT_POSTED"
    PENDING_HAS_OTHER_ACCOUNTS = "PENDING_HAS_OTHER_ACCOUNTS"
    AMOUNT_NOT_POSITIVE = "AMOUNT_NOT_POSITIVE"
    AMOUNT_EXCEEDS_PENDING = "AMOUNT_EXCEEDS_PENDING"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    ACCOUNTS_NOT_DIFFERENT = "ACCOUNTS_NOT_DIFFERENT"
    DEBIT_ACCOUNT_NOT_FOUND = "DEBIT_ACCOUNT_NOT_FOUND"
    CREDIT_ACCOUNT_NOT_FOUND = "CREDIT_ACCOUNT_NOT_FOUND"
    ACCOUNTS_OF_DIFFERENT_BOOKS = "ACCOUNTS_OF_DIFFERENT_BOOKS"
    PENDING_ALREADY_POSTED = "PENDING_ALREADY_POSTED"
    PENDING_ALREADY_VOIDED = "PENDING_ALREADY_VOIDED"
    PENDING_EXPIRED = "PENDING_EXPIRED"
    PENDING_NOT_YET_EXPIRED = "PENDING_NOT_YET_EXPIRED"
    ALREADY_REVERSED = "ALREADY_REVERSED"
    BALANCE_OVERFLOWS = "BALANCE_OVERFLOWS"
    EXCEEDS_CREDITS = "EXCEEDS_CREDITS"
    EXCEEDS_DEBITS = "EXCEEDS_DEBITS"

    @property
    def stands(self) -> bool:
        """Whether the transfer is in the ledger."""
        return self in (Result.OK, Result.EXISTS)


# Refusals that another moment could turn: they are remembered with the id, so that a late duplicate
# of a refused transfer can't succeed behind the caller's back.
TRANSIENT = frozenset(
    {
        Result.DEBIT_ACCOUNT_NOT_FOUND,
        Result.CREDIT_ACCOUNT_NOT_FOUND,
        Result.PENDING_NOT_FOUND,
        Result.PENDING_ALREADY_POSTED,
        Result.PENDING_ALREADY_VOIDED,
        Result.PENDING_EXPIRED,
        Result.ALREADY_REVERSED,
        Result.BALANCE_OVERFLOWS,
        Result.EXCEEDS_CREDITS,
        Result.EXCEEDS_DEBITS,
    }
)


@dataclass(slots=True)
class Account:
    """An account with its four running totals, minor units of `currency`, each within int64."""

    id: str
    book: str
    currency: str
    limit: Limit = Limit.NONE
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def balance(self) -> int:
        """Booked credits less debits."""
        return self.credits_posted - self.debits_posted

    @property
    def available_to_debit(self) -> int:
        """What may still be debited of an account that must not go below zero: holds count."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    @property
    def available_to_credit(self) -> int:
        """The same of an account on the other side."""
        return self.debits_posted - self.credits_posted - self.credits_pending


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer as its maker asks for it.

    `amount` 0 means the whole for POST, VOID, EXPIRE and REVERSAL, which also take their accounts
    from the transfer `pending_id` names. `timeout_us` 0 is a hold without end. `linked` chains it
    with the next transfer of the batch.
    """

    id: str
    debit_account: str = ""
    credit_account: str = ""
    amount: int = 0
    kind: Kind = Kind.POSTED
    pending_id: str = ""
    timeout_us: int = 0
    linked: bool = False
    code: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A transfer that stands: complete, with the balances of both accounts right after it."""

    transfer: Transfer
    debit_balance: int
    credit_balance: int


@dataclass(slots=True)
class Hold:
    """A hold's state; `expires_us` 0 is never."""

    state: HoldState
    expires_us: int = 0


@dataclass(slots=True)
class State:
    """What a batch touches, as loaded: accounts by id, earlier transfers, holds and remembered refusals.

    `apply` changes it; after a database error a batch starts from a freshly loaded one.
    """

    accounts: dict[str, Account]
    transfers: dict[str, Transfer] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    refused: dict[str, Result] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """What a batch did: a result for each transfer, and what has to be written."""

    results: list[Result]
    entries: list[Entry] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    refused: dict[str, Result] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)


def apply(state: State, batch: Sequence[Transfer], now_us: int, changes: Changes | None = None) -> Changes:
    """Applies a batch in order; linked chains succeed or fail together, all else stands by itself.

    Adds to `changes` where given, so that a batch can be applied in parts, each decided on the last.
    """
    changes = changes or Changes(results=[])
    index = 0
    while index < len(batch):
        end = index
        while end < len(batch) and batch[end].linked:
            end += 1
        _apply_chain(state, batch[index : end + 1], now_us, changes)
        index = end + 1
    return changes


def _apply_chain(state: State, chain: Sequence[Transfer], now_us: int, changes: Changes) -> None:
    if chain[-1].linked:
        results = [Result.LINKED_TRANSFER_FAILED] * (len(chain) - 1) + [Result.LINKED_CHAIN_OPEN]
        changes.results.extend(results)
        return
    # A transfer alone is refused before it is booked: only chains need to be taken back.
    undo: list[_Undo] | None = [] if len(chain) > 1 else None
    results = []
    for transfer in chain:
        results.append(_apply_one(state, transfer, now_us, changes, undo))
        if not results[-1].stands:
            break
    if not results[-1].stands:
        _roll_back(state, changes, undo or [])
        results = _failed(results, len(chain))
        _remember(state, changes, chain, results)
    changes.results.extend(results)


def _failed(results: list[Result], length: int) -> list[Result]:
    """The results of a chain whose last attempted transfer was refused."""
    before = [Result.LINKED_TRANSFER_FAILED] * (len(results) - 1)
    behind = [Result.LINKED_TRANSFER_FAILED] * (length - len(results))
    return [*before, results[-1], *behind]


def _remember(state: State, changes: Changes, chain: Sequence[Transfer], results: Sequence[Result]) -> None:
    """Keeps the refusals of a chain that was refused for a transient reason."""
    if not any(result in TRANSIENT for result in results):
        return
    for transfer, result in zip(chain, results, strict=True):
        if transfer.id not in state.transfers:
            state.refused[transfer.id] = changes.refused[transfer.id] = result


@dataclass(slots=True)
class _Undo:
    """What takes one applied transfer back."""

    transfer: Transfer
    accounts: tuple[Account, ...]
    hold: tuple[str, Hold | None] | None


def _roll_back(state: State, changes: Changes, undo: list[_Undo]) -> None:
    """In reverse order, since later transfers of a chain build on earlier ones."""
    for step in reversed(undo):
        changes.entries.pop()
        del state.transfers[step.transfer.id]
        for before in step.accounts:
            _restore(state.accounts[before.id], before)
        if step.hold:
            _restore_hold(state, changes, *step.hold)


def _restore(account: Account, before: Account) -> None:
    account.debits_pending, account.debits_posted = before.debits_pending, before.debits_posted
    account.credits_pending, account.credits_posted = before.credits_pending, before.credits_posted


def _restore_hold(state: State, changes: Changes, hold_id: str, before: Hold | None) -> None:
    if before is None:
        del state.holds[hold_id]
        del changes.holds[hold_id]
    else:
        state.holds[hold_id] = changes.holds[hold_id] = before


def _apply_one(state: State, asked: Transfer, now_us: int, changes: Changes, undo: list[_Undo] | None) -> Result:
    """One transfer: known already, refused, or applied."""
    if asked.id in state.refused:
        return state.refused[asked.id]
    transfer, refusal = _completed(state, asked)
    if asked.id in state.transfers:
        same = refusal is None and state.transfers[asked.id] == transfer
        return Result.EXISTS if same else Result.EXISTS_WITH_DIFFERENT_CONTENT
    refusal = refusal or _form(state, transfer) or _timing(state, transfer, now_us) or _limits(state, transfer)
    if refusal:
        return refusal
    _book(state, transfer, now_us, changes, undo)
    return Result.OK


def _completed(state: State, asked: Transfer) -> tuple[Transfer, Result | None]:
    """The transfer with accounts and amount taken from the one it refers to, and without its link."""
    transfer = replace(asked, linked=False) if asked.linked else asked
    if transfer.kind in (Kind.POSTED, Kind.PENDING):
        return transfer, None
    original = state.transfers.get(transfer.pending_id)
    if original is None:
        return transfer, Result.PENDING_NOT_FOUND
    is_reversal = transfer.kind is Kind.REVERSAL
    if is_reversal and original.kind not in (Kind.POSTED, Kind.POST):
        return transfer, Result.TRANSFER_NOT_POSTED
    if not is_reversal and original.kind is not Kind.PENDING:
        return transfer, Result.TRANSFER_NOT_PENDING
    sides = (original.debit_account, original.credit_account)
    debit, credit = reversed(sides) if is_reversal else sides
    if transfer.debit_account not in ("", debit) or transfer.credit_account not in ("", credit):
        return transfer, Result.PENDING_HAS_OTHER_ACCOUNTS
    amount = transfer.amount or original.amount
    complete = replace(transfer, debit_account=debit, credit_account=credit, amount=amount)
    return complete, _amount_of_original(transfer, original)


def _amount_of_original(transfer: Transfer, original: Transfer) -> Result | None:
    if transfer.amount > original.amount:
        return Result.AMOUNT_EXCEEDS_PENDING
    if transfer.kind is not Kind.POST and transfer.amount not in (0, original.amount):
        return Result.AMOUNT_DIFFERS
    return None


def _form(state: State, transfer: Transfer) -> Result | None:
    """What is wrong with a transfer whatever the balances are."""
    if not 0 < transfer.amount <= LARGEST:
        return Result.AMOUNT_NOT_POSITIVE
    if transfer.debit_account == transfer.credit_account:
        return Result.ACCOUNTS_NOT_DIFFERENT
    debit, credit = state.accounts.get(transfer.debit_account), state.accounts.get(transfer.credit_account)
    if debit is None:
        return Result.DEBIT_ACCOUNT_NOT_FOUND
    if credit is None:
        return Result.CREDIT_ACCOUNT_NOT_FOUND
    if (debit.book, debit.currency) != (credit.book, credit.currency):
        return Result.ACCOUNTS_OF_DIFFERENT_BOOKS
    return None


_CLOSED: Mapping[HoldState, Result] = {
    HoldState.POSTED: Result.PENDING_ALREADY_POSTED,
    HoldState.VOIDED: Result.PENDING_ALREADY_VOIDED,
    HoldState.EXPIRED: Result.PENDING_EXPIRED,
}


def _timing(state: State, transfer: Transfer, now_us: int) -> Result | None:
    """Whether the hold is still open, the original not yet reversed."""
    hold = state.holds.get(transfer.pending_id)
    if transfer.kind in (Kind.POSTED, Kind.PENDING):
        return None
    if transfer.kind is Kind.REVERSAL:
        return Result.ALREADY_REVERSED if hold and hold.state is HoldState.REVERSED else None
    assert hold is not None, f"hold {transfer.pending_id} was not loaded"
    if hold.state is not HoldState.OPEN:
        return _CLOSED[hold.state]
    is_over = 0 < hold.expires_us <= now_us
    if transfer.kind is Kind.EXPIRE:
        return None if is_over else Result.PENDING_NOT_YET_EXPIRED
    return Result.PENDING_EXPIRED if is_over and transfer.kind is Kind.POST else None


def _limits(state: State, transfer: Transfer) -> Result | None:
    """Whether the accounts can bear the transfer. What closes a hold takes nothing new."""
    if transfer.kind in (Kind.POST, Kind.VOID, Kind.EXPIRE):
        return None
    debit, credit = state.accounts[transfer.debit_account], state.accounts[transfer.credit_account]
    amount = transfer.amount
    if max(debit.debits_posted + debit.debits_pending, credit.credits_posted + credit.credits_pending) > (
        LARGEST - amount
    ):
        return Result.BALANCE_OVERFLOWS
    if debit.limit & Limit.DEBITS_MUST_NOT_EXCEED_CREDITS and amount > debit.available_to_debit:
        return Result.EXCEEDS_CREDITS
    if credit.limit & Limit.CREDITS_MUST_NOT_EXCEED_DEBITS and amount > credit.available_to_credit:
        return Result.EXCEEDS_DEBITS
    return None


def _book(state: State, transfer: Transfer, now_us: int, changes: Changes, undo: list[_Undo] | None) -> None:
    """Moves the balances and notes what has to be written."""
    debit, credit = state.accounts[transfer.debit_account], state.accounts[transfer.credit_account]
    if undo is not None:
        undo.append(_Undo(transfer, (replace(debit), replace(credit)), _hold_before(state, transfer)))
    _move(state, transfer, debit, credit)
    _move_hold(state, transfer, now_us, changes)
    state.transfers[transfer.id] = transfer
    changes.accounts[debit.id], changes.accounts[credit.id] = debit, credit
    changes.entries.append(Entry(transfer, debit.balance, credit.balance))


def _hold_before(state: State, transfer: Transfer) -> tuple[str, Hold | None] | None:
    if transfer.kind is Kind.POSTED:
        return None
    hold_id = transfer.id if transfer.kind is Kind.PENDING else transfer.pending_id
    hold = state.holds.get(hold_id)
    return hold_id, replace(hold) if hold else None


def _move(state: State, transfer: Transfer, debit: Account, credit: Account) -> None:
    amount = transfer.amount
    if transfer.kind is Kind.PENDING:
        debit.debits_pending += amount
        credit.credits_pending += amount
        return
    if transfer.kind in (Kind.POST, Kind.VOID, Kind.EXPIRE):
        held = state.transfers[transfer.pending_id].amount
        debit.debits_pending -= held
        credit.credits_pending -= held
    if transfer.kind in (Kind.POSTED, Kind.POST, Kind.REVERSAL):
        debit.debits_posted += amount
        credit.credits_posted += amount


_AFTER: Mapping[Kind, HoldState] = {
    Kind.POST: HoldState.POSTED,
    Kind.VOID: HoldState.VOIDED,
    Kind.EXPIRE: HoldState.EXPIRED,
    Kind.REVERSAL: HoldState.REVERSED,
}


def _move_hold(state: State, transfer: Transfer, now_us: int, changes: Changes) -> None:
    if transfer.kind is Kind.POSTED:
        return
    if transfer.kind is Kind.PENDING:
        hold_id, hold = transfer.id, Hold(HoldState.OPEN, now_us + transfer.timeout_us if transfer.timeout_us else 0)
    else:
        hold_id, hold = transfer.pending_id, Hold(_AFTER[transfer.kind])
    state.holds[hold_id] = changes.holds[hold_id] = hold


def touched(batch: Sequence[Transfer]) -> tuple[set[str], set[str], set[str]]:
    """What has to be loaded for a batch: transfer ids, ids referred to, account ids named."""
    ids = {transfer.id for transfer in batch}
    referred = {transfer.pending_id for transfer in batch if transfer.pending_id}
    accounts = {transfer.debit_account for transfer in batch} | {transfer.credit_account for transfer in batch}
    return ids, referred, accounts - {""}
