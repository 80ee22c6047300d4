"""The ledger as a pure state machine: accounts and a batch of transfers in, results and balances out.

An account's balance can't be spent twice. Amounts are positive integers in minor units; each transfer moves one amount
from a debit to a credit account of one book and currency. A hold (PENDING) counts in availability until it is posted,
voided or expired; a transfer never changes, and is undone by a reversal at most once. An account is frozen or closed by
a transfer of its own, which moves nothing. The model follows TigerBeetle's published one.
"""

import datetime
import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

LARGEST = 2**63 - 1
USER_DATA_BITS = 128


class Limit(enum.IntEnum):
    """The side of an account that must not exceed the other, holds included. Both at once would let nothing move."""

    NONE = 0
    DEBITS_MUST_NOT_EXCEED_CREDITS = 1
    CREDITS_MUST_NOT_EXCEED_DEBITS = 2


_DEBITS_LIMITED = Limit.DEBITS_MUST_NOT_EXCEED_CREDITS
_CREDITS_LIMITED = Limit.CREDITS_MUST_NOT_EXCEED_DEBITS


class Flag(enum.IntEnum):
    """A standstill of an account, set by a transfer. FROZEN: no debits. CLOSED: neither debits nor credits."""

    NONE = 0
    FROZEN = 1
    CLOSED = 2


_NONE, _FROZEN, _CLOSED = Flag.NONE.value, Flag.FROZEN.value, Flag.CLOSED.value


class Kind(enum.StrEnum):
    """A transfer's effect: the first six move or hold an amount, the others set the flags of one account."""

    POSTED = "posted"
    PENDING = "pending"
    POST = "post"
    VOID = "void"
    EXPIRE = "expire"
    REVERSAL = "reversal"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    CLOSE = "close"


# The flag in which a transfer of each kind leaves its account.
LEAVES_FLAG: Mapping[Kind, Flag] = {Kind.FREEZE: Flag.FROZEN, Kind.UNFREEZE: Flag.NONE, Kind.CLOSE: Flag.CLOSED}


class HoldState(enum.StrEnum):
    """A hold's state; REVERSED marks a transfer that was reversed."""

    OPEN = "open"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"
    REVERSED = "reversed"


class Result(enum.StrEnum):
    """The outcome of a transfer. Where several refusals apply, the one listed first is given."""

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
    AMOUNT_NOT_ZERO = "AMOUNT_NOT_ZERO"
    AMOUNT_EXCEEDS_PENDING = "AMOUNT_EXCEEDS_PENDING"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    ACCOUNTS_NOT_DIFFERENT = "ACCOUNTS_NOT_DIFFERENT"
    ACCOUNTS_DIFFERENT = "ACCOUNTS_DIFFERENT"
    DEBIT_ACCOUNT_NOT_FOUND = "DEBIT_ACCOUNT_NOT_FOUND"
    CREDIT_ACCOUNT_NOT_FOUND = "CREDIT_ACCOUNT_NOT_FOUND"
    ACCOUNTS_OF_DIFFERENT_BOOKS = "ACCOUNTS_OF_DIFFERENT_BOOKS"
    USER_DATA_BEYOND_128_BITS = "USER_DATA_BEYOND_128_BITS"
    PENDING_ALREADY_POSTED = "PENDING_ALREADY_POSTED"
    PENDING_ALREADY_VOIDED = "PENDING_ALREADY_VOIDED"
    PENDING_EXPIRED = "PENDING_EXPIRED"
    PENDING_NOT_YET_EXPIRED = "PENDING_NOT_YET_EXPIRED"
    ALREADY_REVERSED = "ALREADY_REVERSED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    ACCOUNT_NOT_FROZEN = "ACCOUNT_NOT_FROZEN"
    BALANCE_OVERFLOWS = "BALANCE_OVERFLOWS"
    EXCEEDS_CREDITS = "EXCEEDS_CREDITS"
    EXCEEDS_DEBITS = "EXCEEDS_DEBITS"

    @property
    def stands(self) -> bool:
        """Returns whether the transfer is in the ledger."""
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
        Result.ACCOUNT_CLOSED,
        Result.ACCOUNT_FROZEN,
        Result.ACCOUNT_NOT_FROZEN,
        Result.BALANCE_OVERFLOWS,
        Result.EXCEEDS_CREDITS,
        Result.EXCEEDS_DEBITS,
    }
)


@dataclass(slots=True)
class Account:
    """An account with its four running totals, minor units of `currency`, each within int64, and its flag."""

    id: str
    book: str
    currency: str
    limit: int = Limit.NONE
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    flags: int = _NONE

    @property
    def balance(self) -> int:
        """Returns booked credits less debits."""
        return self.credits_posted - self.debits_posted

    @property
    def available_to_debit(self) -> int:
        """Returns the amount that may still be debited to an account that must not go below zero: holds count.

        With 100 credited, 30 debited and 20 held it is 50.
        """
        return self.credits_posted - self.debits_posted - self.debits_pending

    @property
    def available_to_credit(self) -> int:
        """Returns the amount that may still be credited to an account that must not go above zero: holds count."""
        return self.debits_posted - self.credits_posted - self.credits_pending


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer as its maker asks for it.

    `amount` 0 means the whole for POST, VOID, EXPIRE and REVERSAL, which also take their accounts
    from the transfer `pending_id` names. FREEZE, UNFREEZE and CLOSE name their one account on the debit side, with
    amount 0, and stand with it on both sides. `timeout_us` 0 is a hold without end. `linked` chains it
    with the next transfer of the batch. `value_date` None means the booking date; `user_data` are 128 bits
    of the maker's own. `booking_date` is filled in when the transfer is booked, whatever its maker writes there;
    None in the rows of before there were dates.
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
    value_date: datetime.date | None = None
    user_data: int = 0
    booking_date: datetime.date | None = None


def chained(transfers: Sequence[Transfer]) -> list[Transfer]:
    """Returns the transfers linked into one chain, which succeeds or fails together: all but the last are linked.

    Of a, b and c, a and b are linked; a lone one isn't.
    """
    return [replace(transfer, linked=True) for transfer in transfers[:-1]] + [*transfers[-1:]]


class Entry(NamedTuple):
    """A transfer that stands: complete, with the balances of both accounts right after it."""

    transfer: Transfer
    debit_balance: int
    credit_balance: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold's state; `expires_us` 0 is never."""

    state: HoldState
    expires_us: int = 0


@dataclass(slots=True)
class State:
    """The rows that a batch touches, as loaded: accounts by id, earlier transfers, holds and remembered refusals.

    `apply` changes it; after a database error a batch starts from a freshly loaded state. Transfers are booked on
    `booking_date`, the business date.
    """

    accounts: dict[str, Account]
    transfers: dict[str, Transfer] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    refused: dict[str, Result] = field(default_factory=dict)
    booking_date: datetime.date | None = None
    # The dates of what was booked since it was loaded: a transfer is dated as it is written, which is cheaper.
    booked: dict[str, datetime.date | None] = field(default_factory=dict)


@dataclass(slots=True)
class Changes:
    """The changes of a batch: a result for each transfer, and the rows to write."""

    results: list[Result]
    entries: list[Entry] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    refused: dict[str, Result] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    booking_date: datetime.date | None = None


def apply(state: State, batch: Sequence[Transfer], now_us: int, changes: Changes | None = None) -> Changes:
    """Applies a batch in order; linked chains succeed or fail together, all else stands by itself.

    Adds to `changes` where given, so that a batch can be applied in parts, each decided on the last.
    """
    changes = changes or Changes(results=[])
    chain: list[Transfer] = []
    for transfer in batch:
        if transfer.linked:
            chain.append(transfer)
        elif chain:
            changes.results += _apply_chain(state, [*chain, transfer], now_us, changes)
            chain = []
        else:
            changes.results.append(_apply_single(state, transfer, now_us, changes))
    if chain:
        changes.results += [Result.LINKED_TRANSFER_FAILED] * (len(chain) - 1) + [Result.LINKED_CHAIN_OPEN]
    return changes


def _apply_single(state: State, transfer: Transfer, now_us: int, changes: Changes) -> Result:
    """Applies a transfer outside a chain. It is refused before anything is booked: there is nothing to take back."""
    result = _apply_one(state, transfer, now_us, changes, None)
    if result in TRANSIENT:
        _remember(state, changes, [transfer], [result])
    return result


def _apply_chain(state: State, chain: Sequence[Transfer], now_us: int, changes: Changes) -> list[Result]:
    undo: list[_Undo] = []
    results: list[Result] = []
    for transfer in chain:
        results.append(_apply_one(state, replace(transfer, linked=False), now_us, changes, undo))
        if not results[-1].stands:
            _roll_back(state, changes, undo)
            return _refuse_chain(state, changes, chain, results)
    return results


def _refuse_chain(
    state: State, changes: Changes, chain: Sequence[Transfer], attempted: Sequence[Result]
) -> list[Result]:
    """Returns the results of a chain whose last attempted transfer was refused. A retry gets the same ones."""
    results = [Result.LINKED_TRANSFER_FAILED] * len(chain)
    results[len(attempted) - 1] = attempted[-1]
    results = [state.refused.get(transfer.id, result) for transfer, result in zip(chain, results, strict=True)]
    if attempted[-1] in TRANSIENT:
        _remember(state, changes, chain, results)
    return results


def _remember(state: State, changes: Changes, chain: Sequence[Transfer], results: Sequence[Result]) -> None:
    """Remembers refusals for a transient reason; those remembered before stay."""
    for transfer, result in zip(chain, results, strict=True):
        if transfer.id not in state.transfers and transfer.id not in state.refused:
            state.refused[transfer.id] = changes.refused[transfer.id] = result


@dataclass(slots=True)
class _Undo:
    """The rows before a transfer was applied, which take it back."""

    transfer: Transfer
    accounts: tuple[Account, Account]
    hold: tuple[str, Hold | None] | None


def _roll_back(state: State, changes: Changes, undo: list[_Undo]) -> None:
    """Takes a chain's transfers back in reverse order, since later ones build on earlier ones."""
    for step in reversed(undo):
        changes.entries.pop()
        del state.transfers[step.transfer.id], state.booked[step.transfer.id]
        for before in step.accounts:
            _restore(state.accounts[before.id], before)
        if step.hold:
            _restore_hold(state, changes, *step.hold)


def _restore(account: Account, before: Account) -> None:
    account.debits_pending, account.debits_posted = before.debits_pending, before.debits_posted
    account.credits_pending, account.credits_posted = before.credits_pending, before.credits_posted
    account.flags = before.flags


def _restore_hold(state: State, changes: Changes, hold_id: str, before: Hold | None) -> None:
    if before is None:
        del state.holds[hold_id]
        del changes.holds[hold_id]
    else:
        state.holds[hold_id] = changes.holds[hold_id] = before


def _apply_one(state: State, requested: Transfer, now_us: int, changes: Changes, undo: list[_Undo] | None) -> Result:
    """Applies a transfer, unless it stands already or is refused. Returns the result."""
    if requested.id in state.refused:
        return state.refused[requested.id]
    rule = _RULES[requested.kind]
    transfer, refusal = (requested, None) if rule.complete is None else rule.complete(state, requested)
    if requested.id in state.transfers:
        is_same = refusal is None and _is_same(state, transfer)
        return Result.EXISTS if is_same else Result.EXISTS_WITH_DIFFERENT_CONTENT
    debit, credit = state.accounts.get(transfer.debit_account), state.accounts.get(transfer.credit_account)
    refusal = refusal or rule.form(transfer, debit, credit)
    if refusal:
        return refusal
    assert debit is not None
    assert credit is not None
    refusal = rule.refusal(state, transfer, debit, credit, now_us)
    if refusal:
        return refusal
    if undo is not None:
        undo.append(_Undo(transfer, (replace(debit), replace(credit)), _hold_before(state, transfer)))
    _book(state, rule, transfer, debit, credit, changes)
    if rule.leaves:
        _move_hold(state, transfer, now_us, changes, rule.leaves)
    return Result.OK


def _book(state: State, rule: "_Rule", transfer: Transfer, debit: Account, credit: Account, changes: Changes) -> None:
    """Moves the balances and notes the rows to write."""
    rule.move(state, transfer, debit, credit)
    state.transfers[transfer.id] = transfer
    state.booked[transfer.id] = changes.booking_date = state.booking_date
    changes.accounts[debit.id], changes.accounts[credit.id] = debit, credit
    debit_balance = debit.credits_posted - debit.debits_posted
    credit_balance = credit.credits_posted - credit.debits_posted
    changes.entries.append(Entry(transfer, debit_balance, credit_balance))


def dated(transfer: Transfer, booking_date: datetime.date | None) -> Transfer:
    """Returns the transfer as booked on a date, which is its value date too where its maker gave none."""
    return replace(transfer, booking_date=booking_date, value_date=transfer.value_date or booking_date)


def _is_same(state: State, transfer: Transfer) -> bool:
    """Returns whether a transfer is the one that stands, on whatever date it is sent again.

    A row of before there were dates is compared without them.
    """
    standing = state.transfers[transfer.id]
    booking_date = state.booked.get(transfer.id) or standing.booking_date
    if booking_date is None:
        transfer = replace(transfer, value_date=standing.value_date)
    return dated(standing, booking_date) == dated(transfer, booking_date)


def _one_sided(_state: State, requested: Transfer) -> tuple[Transfer, Result | None]:
    """Returns the transfer with its one account on both sides."""
    return replace(requested, credit_account=requested.credit_account or requested.debit_account), None


def _completed(wanted: "_Original", state: State, requested: Transfer) -> tuple[Transfer, Result | None]:
    """Returns the transfer with accounts and amount taken from the one it refers to."""
    original = state.transfers.get(requested.pending_id)
    if original is None:
        return requested, Result.PENDING_NOT_FOUND
    if original.kind not in wanted.kinds:
        return requested, wanted.refusal
    sides = (original.debit_account, original.credit_account)
    debit, credit = sides if wanted.keeps_sides else reversed(sides)
    if requested.debit_account not in ("", debit) or requested.credit_account not in ("", credit):
        return requested, Result.PENDING_HAS_OTHER_ACCOUNTS
    complete = replace(
        requested, debit_account=debit, credit_account=credit, amount=requested.amount or original.amount
    )
    return complete, _amount_of_original(complete, original)


def _amount_of_original(transfer: Transfer, original: Transfer) -> Result | None:
    if not 0 < transfer.amount <= LARGEST:
        return Result.AMOUNT_NOT_POSITIVE
    if transfer.amount > original.amount:
        return Result.AMOUNT_EXCEEDS_PENDING
    if transfer.kind is not Kind.POST and transfer.amount != original.amount:
        return Result.AMOUNT_DIFFERS
    return None


def _form_of_flag(transfer: Transfer, account: Account | None, _credit: Account | None) -> Result | None:
    """Returns what is wrong with a transfer that sets a flag, whatever the flag is now."""
    if transfer.amount:
        return Result.AMOUNT_NOT_ZERO
    if transfer.debit_account != transfer.credit_account:
        return Result.ACCOUNTS_DIFFERENT
    if account is None:
        return Result.DEBIT_ACCOUNT_NOT_FOUND
    return Result.USER_DATA_BEYOND_128_BITS if transfer.user_data >> USER_DATA_BITS else None


def _form(transfer: Transfer, debit: Account | None, credit: Account | None) -> Result | None:
    """Returns what is wrong with a transfer whatever the balances are."""
    if not 0 < transfer.amount <= LARGEST:
        return Result.AMOUNT_NOT_POSITIVE
    if transfer.debit_account == transfer.credit_account:
        return Result.ACCOUNTS_NOT_DIFFERENT
    if debit is None:
        return Result.DEBIT_ACCOUNT_NOT_FOUND
    if credit is None:
        return Result.CREDIT_ACCOUNT_NOT_FOUND
    if debit.book != credit.book or debit.currency != credit.currency:
        return Result.ACCOUNTS_OF_DIFFERENT_BOOKS
    if transfer.user_data >> USER_DATA_BITS:
        return Result.USER_DATA_BEYOND_128_BITS
    return None


def _limits(_state: State, transfer: Transfer, debit: Account, credit: Account, _now_us: int) -> Result | None:
    """Returns why the accounts can't bear the transfer, holds included."""
    if debit.flags or credit.flags:
        refusal = standstill(debit.flags, credit.flags)
        if refusal:
            return refusal
    debits = debit.debits_posted + debit.debits_pending + transfer.amount
    credits = credit.credits_posted + credit.credits_pending + transfer.amount
    if debits > LARGEST or credits > LARGEST:
        return Result.BALANCE_OVERFLOWS
    if debit.limit == _DEBITS_LIMITED and debits > debit.credits_posted:
        return Result.EXCEEDS_CREDITS
    if credit.limit == _CREDITS_LIMITED and credits > credit.debits_posted:
        return Result.EXCEEDS_DEBITS
    return None


def standstill(debit_flags: int, credit_flags: int) -> Result | None:
    """Returns why no money may move between accounts of these flags.

    A closed account neither gives nor takes; a frozen one takes, but doesn't give.
    """
    if _CLOSED in (debit_flags, credit_flags):
        return Result.ACCOUNT_CLOSED
    return Result.ACCOUNT_FROZEN if debit_flags == _FROZEN else None


_ENDED: Mapping[HoldState, Result] = {
    HoldState.POSTED: Result.PENDING_ALREADY_POSTED,
    HoldState.VOIDED: Result.PENDING_ALREADY_VOIDED,
    HoldState.EXPIRED: Result.PENDING_EXPIRED,
}


def _ending(state: State, transfer: Transfer, debit: Account, credit: Account, now_us: int) -> Result | None:
    """Returns why the hold may not end this way. Its end takes nothing new; only a POST moves money."""
    hold = state.holds[transfer.pending_id]
    if hold.state is not HoldState.OPEN:
        return _ENDED[hold.state]
    is_over = 0 < hold.expires_us <= now_us
    if transfer.kind is Kind.EXPIRE:
        return None if is_over else Result.PENDING_NOT_YET_EXPIRED
    if transfer.kind is Kind.VOID:
        return None
    return Result.PENDING_EXPIRED if is_over else standstill(debit.flags, credit.flags)


def _once(state: State, transfer: Transfer, debit: Account, credit: Account, now_us: int) -> Result | None:
    """Returns why a reversal is refused: it isn't the first of its transfer, or the accounts can't bear it."""
    if transfer.pending_id in state.holds:
        return Result.ALREADY_REVERSED
    return _limits(state, transfer, debit, credit, now_us)


# The refusals of what sets a flag, by kind and present flag; the rest is allowed.
_FLAG_REFUSALS: Mapping[tuple[Kind, int], Result] = {
    **{(kind, _CLOSED): Result.ACCOUNT_CLOSED for kind in LEAVES_FLAG},
    (Kind.FREEZE, _FROZEN): Result.ACCOUNT_FROZEN,
    (Kind.CLOSE, _FROZEN): Result.ACCOUNT_FROZEN,
    (Kind.UNFREEZE, _NONE): Result.ACCOUNT_NOT_FROZEN,
}


def _flagging(_state: State, transfer: Transfer, account: Account, _credit: Account, _now_us: int) -> Result | None:
    return _FLAG_REFUSALS.get((transfer.kind, account.flags))


def _set_flag(_state: State, transfer: Transfer, account: Account, _credit: Account) -> None:
    account.flags = LEAVES_FLAG[transfer.kind].value


def _move_posted(_state: State, transfer: Transfer, debit: Account, credit: Account) -> None:
    debit.debits_posted += transfer.amount
    credit.credits_posted += transfer.amount


def _move_pending(_state: State, transfer: Transfer, debit: Account, credit: Account) -> None:
    debit.debits_pending += transfer.amount
    credit.credits_pending += transfer.amount


def _free(state: State, transfer: Transfer, debit: Account, credit: Account) -> None:
    held = state.transfers[transfer.pending_id].amount
    debit.debits_pending -= held
    credit.credits_pending -= held


def _post_held(state: State, transfer: Transfer, debit: Account, credit: Account) -> None:
    _free(state, transfer, debit, credit)
    _move_posted(state, transfer, debit, credit)


def _hold_before(state: State, transfer: Transfer) -> tuple[str, Hold | None] | None:
    if _RULES[transfer.kind].leaves is None:
        return None
    hold_id = transfer.id if transfer.kind is Kind.PENDING else transfer.pending_id
    return hold_id, state.holds.get(hold_id)


def _move_hold(state: State, transfer: Transfer, now_us: int, changes: Changes, leaves: HoldState) -> None:
    """Writes a new hold or the old one's end; a hold object itself never changes."""
    expires_us = min(now_us + transfer.timeout_us, LARGEST) if transfer.timeout_us else 0
    is_new = leaves is HoldState.OPEN
    hold_id, hold = (transfer.id, Hold(leaves, expires_us)) if is_new else (transfer.pending_id, Hold(leaves))
    state.holds[hold_id] = changes.holds[hold_id] = hold


@dataclass(frozen=True, slots=True)
class _Original:
    """The transfers that a kind refers to: of these kinds, refused otherwise, booked on the same sides or swapped."""

    kinds: frozenset[Kind]
    refusal: Result
    keeps_sides: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    """A kind of transfer: how it is completed, refused for its form and for the state, moves, and leaves its hold."""

    complete: Callable[[State, Transfer], tuple[Transfer, Result | None]] | None
    form: Callable[[Transfer, Account | None, Account | None], Result | None]
    refusal: Callable[[State, Transfer, Account, Account, int], Result | None]
    move: Callable[[State, Transfer, Account, Account], None]
    leaves: HoldState | None


_HELD = _Original(frozenset({Kind.PENDING}), Result.TRANSFER_NOT_PENDING, keeps_sides=True)
_BOOKED = _Original(frozenset({Kind.POSTED, Kind.POST}), Result.TRANSFER_NOT_POSTED, keeps_sides=False)
_of_hold, _of_booked = partial(_completed, _HELD), partial(_completed, _BOOKED)
_SETS_FLAG = _Rule(_one_sided, _form_of_flag, _flagging, _set_flag, None)
_RULES: Mapping[Kind, _Rule] = {
    Kind.POSTED: _Rule(None, _form, _limits, _move_posted, None),
    Kind.PENDING: _Rule(None, _form, _limits, _move_pending, HoldState.OPEN),
    Kind.POST: _Rule(_of_hold, _form, _ending, _post_held, HoldState.POSTED),
    Kind.VOID: _Rule(_of_hold, _form, _ending, _free, HoldState.VOIDED),
    Kind.EXPIRE: _Rule(_of_hold, _form, _ending, _free, HoldState.EXPIRED),
    Kind.REVERSAL: _Rule(_of_booked, _form, _once, _move_posted, HoldState.REVERSED),
    **dict.fromkeys(LEAVES_FLAG, _SETS_FLAG),
}


def touched(batch: Sequence[Transfer]) -> tuple[set[str], set[str], set[str]]:
    """Returns the ids to load for a batch: of its transfers, of those it refers to, and of the accounts it names."""
    ids = {transfer.id for transfer in batch}
    referred = {transfer.pending_id for transfer in batch if transfer.pending_id}
    accounts = {transfer.debit_account for transfer in batch} | {transfer.credit_account for transfer in batch}
    return ids, referred, accounts - {""}
