"""The ledger's rules alone: every kind against every state of its hold, precedence, chains, refusals kept."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import model
from ledger.model import LARGEST, LEAVES_FLAG, TRANSIENT, Account, Flag, HoldState, Kind, Limit, Result, State, Transfer

NOW_US = 1000
CLOSING = (Kind.POST, Kind.VOID, Kind.EXPIRE)


def _state(*accounts: Account) -> State:
    known = accounts or tuple(Account(name, "books", "CNY") for name in "ab")
    return State({account.id: account for account in known})


def _run(state: State, *batch: Transfer, now_us: int = NOW_US) -> list[Result]:
    return model.apply(state, batch, now_us).results


def _totals(state: State) -> dict[str, tuple[int, int, int, int, int]]:
    return {
        key: (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted, a.flags)
        for key, a in state.accounts.items()
    }


def _hold(identifier: str = "h", amount: int = 100, timeout_us: int = 0, **more: Any) -> Transfer:
    return Transfer(identifier, "a", "b", amount, Kind.PENDING, timeout_us=timeout_us, **more)


# What brings a hold into each state, and the time after which everything is asked.
PREPARED = {
    "open": [],
    "due": [],
    "posted": [Transfer("p", kind=Kind.POST, pending_id="h", amount=60)],
    "voided": [Transfer("v", kind=Kind.VOID, pending_id="h")],
    "expired": [Transfer("e", kind=Kind.EXPIRE, pending_id="h")],
}
# (kind, state): the result of a transfer of that kind that refers to the hold.
TABLE = {
    (Kind.POST, "open"): Result.OK,
    (Kind.POST, "due"): Result.PENDING_EXPIRED,
    (Kind.POST, "posted"): Result.PENDING_ALREADY_POSTED,
    (Kind.POST, "voided"): Result.PENDING_ALREADY_VOIDED,
    (Kind.POST, "expired"): Result.PENDING_EXPIRED,
    (Kind.VOID, "open"): Result.OK,
    (Kind.VOID, "due"): Result.OK,
    (Kind.VOID, "posted"): Result.PENDING_ALREADY_POSTED,
    (Kind.VOID, "voided"): Result.PENDING_ALREADY_VOIDED,
    (Kind.VOID, "expired"): Result.PENDING_EXPIRED,
    (Kind.EXPIRE, "open"): Result.PENDING_NOT_YET_EXPIRED,
    (Kind.EXPIRE, "due"): Result.OK,
    (Kind.EXPIRE, "posted"): Result.PENDING_ALREADY_POSTED,
    (Kind.EXPIRE, "voided"): Result.PENDING_ALREADY_VOIDED,
    (Kind.EXPIRE, "expired"): Result.PENDING_EXPIRED,
    **{(Kind.REVERSAL, state): Result.TRANSFER_NOT_POSTED for state in PREPARED},
    **{(Kind.POSTED, state): Result.OK for state in PREPARED},
    **{(Kind.PENDING, state): Result.OK for state in PREPARED},
    **{(kind, state): Result.OK for state in PREPARED for kind in (Kind.FREEZE, Kind.CLOSE)},
    **{(Kind.UNFREEZE, state): Result.ACCOUNT_NOT_FROZEN for state in PREPARED},
}


@pytest.mark.parametrize("state_name", PREPARED)
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_against_every_state_of_a_hold(kind: Kind, state_name: str) -> None:
    """L3: a hold that was voided, expired or posted is never posted."""
    state = _state()
    _run(state, _hold(timeout_us=500))
    later_us = NOW_US + 500 if state_name in ("due", "expired") else NOW_US + 499
    assert _run(state, *PREPARED[state_name], now_us=later_us) == [Result.OK] * len(PREPARED[state_name])
    before = _totals(state)
    sides = {Kind.POSTED: ("a", "b", 7), Kind.PENDING: ("a", "b", 7)} | dict.fromkeys(LEAVES_FLAG, ("a", "a", 0))
    result = _run(state, Transfer("x", *sides.get(kind, ("", "", 0)), kind=kind, pending_id="h"), now_us=later_us)
    assert result == [TABLE[kind, state_name]]
    assert (before == _totals(state)) == (result != [Result.OK])


def test_the_table_is_complete() -> None:
    assert set(TABLE) == {(kind, state) for kind in Kind for state in PREPARED}


@pytest.mark.parametrize("kind", Kind)
def test_what_may_be_reversed(kind: Kind) -> None:
    """L3: a posted transfer is reversed once, and no other is."""
    state = _state()
    _run(state, _hold("h"), _hold("h2"), Transfer("o", "a", "b", 5), Transfer("r", kind=Kind.REVERSAL, pending_id="o"))
    _run(state, _hold("h3", timeout_us=1), Transfer("p", kind=Kind.POST, pending_id="h"))
    _run(state, Transfer("v", kind=Kind.VOID, pending_id="h2"))
    _run(state, Transfer("e", kind=Kind.EXPIRE, pending_id="h3"), Transfer("o2", "a", "b", 5), now_us=NOW_US + 1)
    _run(state, *(Transfer(kind.value, "b", kind=kind) for kind in LEAVES_FLAG), now_us=NOW_US + 1)
    state.accounts["b"].flags = Flag.NONE
    of_kind = {kind.value: kind.value for kind in LEAVES_FLAG} | {
        "posted": "o2",
        "pending": "h",
        "post": "p",
        "void": "v",
        "expire": "e",
        "reversal": "r",
    }
    asked = [Transfer(f"x{n}", kind=Kind.REVERSAL, pending_id=of_kind[kind]) for n in range(2)]
    expected = [Result.TRANSFER_NOT_POSTED] * 2
    if kind in (Kind.POSTED, Kind.POST):
        expected = [Result.OK, Result.ALREADY_REVERSED]
    assert _run(state, *asked) == expected


# Each step cures the refusal before it, in the order in which they are listed.
CURES: list[tuple[dict[str, Any], Result]] = [
    ({}, Result.PENDING_NOT_FOUND),
    ({"pending_id": "posted"}, Result.TRANSFER_NOT_PENDING),
    ({"pending_id": "h"}, Result.PENDING_HAS_OTHER_ACCOUNTS),
    ({"debit_account": ""}, Result.AMOUNT_NOT_POSITIVE),
    ({"amount": 101}, Result.AMOUNT_EXCEEDS_PENDING),
    ({"amount": 99}, Result.AMOUNT_DIFFERS),
    ({"amount": 100}, Result.PENDING_NOT_YET_EXPIRED),
]


def test_the_refusal_listed_first_is_given_of_what_refers_to_a_hold() -> None:
    asked = Transfer("x", "z", "", -1, Kind.EXPIRE, pending_id="none")
    seen = []
    for change, _expected in CURES:
        asked = replace(asked, id=f"{asked.id}x", **change)
        state = _state()
        _run(state, _hold(timeout_us=5), Transfer("posted", "a", "b", 1))
        seen += _run(state, asked)
    assert seen == [expected for _, expected in CURES]
    assert [list(Result).index(result) for result in seen] == sorted(list(Result).index(result) for result in seen)


@pytest.mark.parametrize("kind", [Kind.POSTED, Kind.PENDING])
def test_the_refusal_listed_first_is_given_of_what_is_new(kind: Kind) -> None:
    limited = Account("d", "books", "CNY", Limit.DEBITS_MUST_NOT_EXCEED_CREDITS, debits_posted=LARGEST - 5)
    limited.credits_posted = LARGEST - 5
    other = Account("c", "books", "CNY", Limit.CREDITS_MUST_NOT_EXCEED_DEBITS)
    accounts = (limited, other, Account("usd", "books", "USD"), Account("else", "other", "CNY"))
    steps = [
        (("d", "d", 0), Result.AMOUNT_NOT_POSITIVE),
        (("d", "d", LARGEST + 1), Result.AMOUNT_NOT_POSITIVE),
        (("x", "x", 9), Result.ACCOUNTS_NOT_DIFFERENT),
        (("x", "y", 9), Result.DEBIT_ACCOUNT_NOT_FOUND),
        (("d", "y", 9), Result.CREDIT_ACCOUNT_NOT_FOUND),
        (("d", "usd", 9), Result.ACCOUNTS_OF_DIFFERENT_BOOKS),
        (("d", "else", 9), Result.ACCOUNTS_OF_DIFFERENT_BOOKS),
        (("d", "c", 9), Result.BALANCE_OVERFLOWS),
        (("d", "c", 5), Result.EXCEEDS_CREDITS),
    ]
    state = _state(*accounts)
    assert [_run(state, Transfer(f"t{n}", *said, kind=kind))[0] for n, (said, _) in enumerate(steps)] == [
        expected for _, expected in steps
    ]
    limited.credits_posted = LARGEST
    assert _run(state, Transfer("last", "d", "c", 5, kind)) == [Result.EXCEEDS_DEBITS]


@given(st.lists(st.sampled_from(["post", "hold", "close", "twice"]), min_size=1, max_size=8), st.data())
def test_a_failed_chain_is_taken_back_whole_in_reverse_order(steps: list[str], data: st.DataObject) -> None:
    state = _state()
    _run(state, _hold("h0"), Transfer("t0", "a", "b", 40))
    before = _totals(state), dict(state.transfers), dict(state.holds)
    holds, chain = ["h0"], []
    for number, step in enumerate(steps):
        name = f"c{number}"
        if step == "hold":
            holds.append(name)
            chain.append(_hold(name, number + 1, linked=True))
        elif step == "close" and holds:
            kind = data.draw(st.sampled_from([Kind.POST, Kind.VOID]))
            chain.append(Transfer(name, kind=kind, pending_id=holds.pop(), linked=True))
        elif step == "twice" and chain:
            chain.append(replace(chain[-1]))
        else:
            chain.append(Transfer(name, "a", "b", 3, linked=True))
    changes = model.apply(state, [*chain, Transfer("bad", "a", "a", 1)], NOW_US)
    assert changes.results == [Result.LINKED_TRANSFER_FAILED] * len(chain) + [Result.ACCOUNTS_NOT_DIFFERENT]
    assert (_totals(state), state.transfers, state.holds) == before
    assert changes.entries == []
    good = [*chain, Transfer("good", "a", "b", 1)]
    assert set(_run(state, *good)) <= {Result.OK, Result.EXISTS}
    assert _run(state, *good) == [Result.EXISTS] * len(good)


def test_a_chain_left_open_is_refused() -> None:
    state = _state()
    results = _run(state, Transfer("1", "a", "b", 1), Transfer("2", "a", "b", 1, linked=True), _hold("3", linked=True))
    assert results == [Result.OK, Result.LINKED_TRANSFER_FAILED, Result.LINKED_CHAIN_OPEN]
    assert set(state.transfers) == {"1"}


def test_a_rejected_id_stays_rejected_when_there_is_money_later() -> None:
    """L4: the verdict on an id stands for ever; the same transfer under another id goes through."""
    poor = Account("a", "books", "CNY", Limit.DEBITS_MUST_NOT_EXCEED_CREDITS)
    state = _state(poor, Account("b", "books", "CNY"))
    asked = Transfer("x", "a", "b", 10)
    assert _run(state, asked) == [Result.EXCEEDS_CREDITS]
    assert _run(state, Transfer("fund", "b", "a", 100), asked) == [Result.OK, Result.EXCEEDS_CREDITS]
    assert _run(state, replace(asked, id="y")) == [Result.OK]


def test_a_refused_chain_gets_the_same_answers_again_and_keeps_nothing_twice() -> None:
    poor = Account("a", "books", "CNY", Limit.DEBITS_MUST_NOT_EXCEED_CREDITS)
    state = _state(poor, Account("b", "books", "CNY"))
    chain = [Transfer("1", "b", "a", 5, linked=True), Transfer("2", "a", "b", 10, linked=True), _hold("3", 1)]
    first = model.apply(state, chain, NOW_US)
    again = model.apply(state, chain, NOW_US)
    linked = Result.LINKED_TRANSFER_FAILED
    assert first.results == again.results == [linked, Result.EXCEEDS_CREDITS, linked]
    assert first.refused == {"1": linked, "2": Result.EXCEEDS_CREDITS, "3": linked}
    assert again.refused == {}


def test_only_what_time_could_turn_is_remembered() -> None:
    state = _state()
    _run(state, _hold(timeout_us=5), Transfer("x", kind=Kind.EXPIRE, pending_id="h"), Transfer("y", "a", "b", 0))
    assert state.refused == {}
    _run(state, Transfer("z", kind=Kind.POST, pending_id="none"))
    assert state.refused == {"z": Result.PENDING_NOT_FOUND}
    assert all(not result.stands for result in TRANSIENT)


def test_a_partial_post_frees_the_rest() -> None:
    state = _state()
    changes = model.apply(state, [_hold(), Transfer("p", kind=Kind.POST, pending_id="h", amount=30)], NOW_US)
    assert changes.results == [Result.OK, Result.OK]
    assert _totals(state) == {"a": (0, 30, 0, 0, 0), "b": (0, 0, 0, 30, 0)}
    assert changes.holds["h"].state is HoldState.POSTED
    assert [entry[1:] for entry in changes.entries] == [(0, 0), (-30, 30)]


def test_a_hold_that_would_end_after_all_time_ends_at_its_last_moment() -> None:
    state = _state()
    _run(state, _hold(timeout_us=LARGEST))
    assert state.holds["h"].expires_us == LARGEST


@pytest.mark.parametrize("count", range(4))
def test_a_chain_links_all_but_its_last(count: int) -> None:
    transfers = [Transfer(str(number), "a", "b", 1) for number in range(count)]
    chain = model.chained(transfers)
    assert [transfer.linked for transfer in chain] == [True] * (count - 1) + [False] * bool(count)
    assert [replace(transfer, linked=False) for transfer in chain] == transfers


def test_a_chain_succeeds_or_fails_together() -> None:
    state = _state()
    beyond = [Transfer("1", "a", "b", 1), Transfer("2", "a", "nobody", 1)]
    assert _run(state, *model.chained(beyond)) == [Result.LINKED_TRANSFER_FAILED, Result.CREDIT_ACCOUNT_NOT_FOUND]
    assert _totals(state) == _totals(_state())


FROZEN, CLOSED = Flag.FROZEN, Flag.CLOSED
# What moves or holds money, and is refused by flags: (debit side, credit side), the rest is OK.
STANDSTILLS = {
    (FROZEN, Flag.NONE): Result.ACCOUNT_FROZEN,
    (FROZEN, FROZEN): Result.ACCOUNT_FROZEN,
    **{(CLOSED, flag): Result.ACCOUNT_CLOSED for flag in Flag},
    **{(flag, CLOSED): Result.ACCOUNT_CLOSED for flag in Flag},
}
# What sets a flag: (kind, the flag before) to its result and the flag after.
FLAG_TABLE = {
    (Kind.FREEZE, Flag.NONE): (Result.OK, FROZEN),
    (Kind.FREEZE, FROZEN): (Result.ACCOUNT_FROZEN, FROZEN),
    (Kind.FREEZE, CLOSED): (Result.ACCOUNT_CLOSED, CLOSED),
    (Kind.UNFREEZE, Flag.NONE): (Result.ACCOUNT_NOT_FROZEN, Flag.NONE),
    (Kind.UNFREEZE, FROZEN): (Result.OK, Flag.NONE),
    (Kind.UNFREEZE, CLOSED): (Result.ACCOUNT_CLOSED, CLOSED),
    (Kind.CLOSE, Flag.NONE): (Result.OK, CLOSED),
    (Kind.CLOSE, FROZEN): (Result.ACCOUNT_FROZEN, FROZEN),
    (Kind.CLOSE, CLOSED): (Result.ACCOUNT_CLOSED, CLOSED),
}
# The transfer of each kind that moves, holds or frees an amount, debiting a and crediting b.
MOVING = {
    Kind.POSTED: Transfer("x", "a", "b", 1),
    Kind.PENDING: Transfer("x", "a", "b", 1, Kind.PENDING),
    Kind.POST: Transfer("x", kind=Kind.POST, pending_id="held"),
    Kind.VOID: Transfer("x", kind=Kind.VOID, pending_id="held"),
    Kind.EXPIRE: Transfer("x", kind=Kind.EXPIRE, pending_id="due"),
    Kind.REVERSAL: Transfer("x", kind=Kind.REVERSAL, pending_id="booked"),
}


@pytest.mark.parametrize("credit", Flag)
@pytest.mark.parametrize("debit", Flag)
@pytest.mark.parametrize("kind", MOVING)
def test_every_kind_against_every_standstill(kind: Kind, debit: Flag, credit: Flag) -> None:
    state = _state()
    _run(state, _hold("held"), _hold("due", timeout_us=1), Transfer("booked", "b", "a", 5))
    state.accounts["a"].flags, state.accounts["b"].flags = debit, credit
    frees = kind in (Kind.VOID, Kind.EXPIRE)
    expected = Result.OK if frees else STANDSTILLS.get((debit, credit), Result.OK)
    assert _run(state, MOVING[kind], now_us=NOW_US + 1) == [expected]


@pytest.mark.parametrize("before", Flag)
@pytest.mark.parametrize("kind", LEAVES_FLAG)
def test_every_flag_against_what_sets_flags(kind: Kind, before: Flag) -> None:
    state = _state()
    state.accounts["a"].flags = before
    result, after = FLAG_TABLE[kind, before]
    assert _run(state, Transfer("x", "a", kind=kind)) == [result]
    assert (state.accounts["a"].flags, state.accounts["b"].flags) == (after, Flag.NONE)


def test_the_tables_of_flags_are_complete() -> None:
    assert set(FLAG_TABLE) == {(kind, flag) for kind in LEAVES_FLAG for flag in Flag}
    assert set(MOVING) | set(LEAVES_FLAG) == set(Kind)


@pytest.mark.parametrize("kind", LEAVES_FLAG)
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"debit_account": "b", "amount": 1}, Result.AMOUNT_NOT_ZERO),
        ({"debit_account": "b", "credit_account": "a"}, Result.ACCOUNTS_DIFFERENT),
        ({"debit_account": "nobody"}, Result.DEBIT_ACCOUNT_NOT_FOUND),
        ({"debit_account": "a", "user_data": 2**128}, Result.USER_DATA_BEYOND_128_BITS),
    ],
)
def test_what_sets_a_flag_names_one_account_and_no_amount(kind: Kind, change: dict[str, Any], expected: Result) -> None:
    assert _run(_state(), Transfer("x", kind=kind, **change)) == [expected]


def test_a_failed_chain_takes_its_flags_back() -> None:
    state = _state()
    chain = [Transfer("f", "a", kind=Kind.FREEZE), Transfer("x", "a", "b", 1)]
    assert _run(state, *model.chained(chain)) == [Result.LINKED_TRANSFER_FAILED, Result.ACCOUNT_FROZEN]
    assert _totals(state) == _totals(_state())
    assert _run(state, Transfer("y", "a", "b", 1), Transfer("f2", "a", kind=Kind.FREEZE)) == [Result.OK] * 2


FLAG_STEPS = st.lists(st.tuples(st.sampled_from(Kind), st.sampled_from("abc"), st.sampled_from("abc")), max_size=30)


@given(FLAG_STEPS)
def test_nothing_leaves_a_frozen_account_and_nothing_touches_a_closed_one(steps: list[tuple[Kind, str, str]]) -> None:
    state = _state(*(Account(name, "books", "CNY") for name in "abc"))
    holds = [_hold("h0"), Transfer("t0", "a", "b", 1)]
    _run(state, *holds)
    for number, (kind, debit, credit) in enumerate(steps):
        before = _totals(state)
        refers = {Kind.POST: "h0", Kind.VOID: "h0", Kind.EXPIRE: "h0", Kind.REVERSAL: "t0"}.get(kind, "")
        credit_side = "" if kind in LEAVES_FLAG else credit
        asked = Transfer(f"x{number}", *(("", "") if refers else (debit, credit_side)), kind=kind, pending_id=refers)
        _run(state, asked if refers or kind in LEAVES_FLAG else replace(asked, amount=1))
        for name, (debits_pending, debits, credits_pending, credits, flags) in before.items():
            after = _totals(state)[name]
            if flags:
                assert after[0] <= debits_pending
                assert after[1] == debits
            if flags == CLOSED:
                assert after[2] <= credits_pending
                assert after[3:] == (credits, CLOSED)
