"""The proof from the rows alone: whatever is changed by hand afterwards is found, and where."""

import pytest
import sqlalchemy as sa

from chassis.database import Database
from ledger import store as ledger
from ledger.model import LARGEST, Flag, Kind, Limit, Transfer
from tests.support import Stores, apply, open_accounts, uid, violations


@pytest.fixture
def database(store: Stores) -> Database:
    """A ledger with two blocks: money in, a hold posted in part."""
    opened = store("books", [ledger.MIGRATIONS])
    open_accounts(opened, "world")
    open_accounts(opened, "purse", limit=Limit.DEBITS_MUST_NOT_EXCEED_CREDITS)
    world, purse = uid("world"), uid("purse")
    assert apply(opened, Transfer(uid(1), world, purse, 100), Transfer(uid(2), world, purse, 50)) == ["OK", "OK"]
    hold = Transfer(uid(3), purse, world, 30, Kind.PENDING)
    assert apply(opened, hold, Transfer(uid(4), kind=Kind.POST, pending_id=uid(3), amount=10)) == ["OK", "OK"]
    assert violations(opened) == []
    return opened


TAMPERED = {
    "amount": ("UPDATE ledger_transfers SET amount = 60 WHERE position = 2", "positions 1 to 2"),
    "amount, balances": ("UPDATE ledger_transfers SET amount = 60 WHERE position = 2", "position 2 (transfer"),
    "balance": ("UPDATE ledger_transfers SET credit_balance = 151 WHERE position = 2", "position 2 (transfer"),
    "balance's block": ("UPDATE ledger_transfers SET credit_balance = 151 WHERE position = 2", "block 1"),
    "reference": ("UPDATE ledger_transfers SET reference = 'x' WHERE position = 3", "block 2 (positions 3 to 4)"),
    "code": ("UPDATE ledger_transfers SET code = 'x' WHERE position = 3", "block 2 (positions 3 to 4)"),
    "value date": (
        "UPDATE ledger_transfers SET value_date = '2020-01-01' WHERE position = 3",
        "block 2 (positions 3 to 4)",
    ),
    "booking date": (
        "UPDATE ledger_transfers SET booking_date = '2020-01-01' WHERE position = 3",
        "block 2 (positions 3 to 4)",
    ),
    "dates": ("UPDATE ledger_transfers SET booking_date = NULL, value_date = NULL WHERE position = 3", "block 2"),
    "user data": ("UPDATE ledger_transfers SET user_data = 'ff' WHERE position = 3", "block 2 (positions 3 to 4)"),
    "version": ("UPDATE ledger_blocks SET version = 1 WHERE block = 1", "block 1 (positions 1 to 2)"),
    "no version": ("UPDATE ledger_blocks SET version = 3 WHERE block = 1", "block 1 (positions 1 to 2)"),
    "time": ("UPDATE ledger_transfers SET create_us = 1 WHERE position = 1", "block 1 (positions 1 to 2)"),
    "total": ("UPDATE ledger_accounts SET credits_posted = 151 WHERE reference = 'purse'", "(purse)"),
    "held": ("UPDATE ledger_accounts SET debits_pending = 5 WHERE reference = 'purse'", "(purse)"),
    "book": ("UPDATE ledger_accounts SET credits_posted = 151 WHERE reference = 'purse'", "book books CNY"),
    "limit": ("UPDATE ledger_accounts SET debits_posted = 151 WHERE reference = 'purse'", "(purse) is beyond"),
    "removed": ("DELETE FROM ledger_transfers WHERE position = 2", "position 2 is missing"),
    "block": ("DELETE FROM ledger_blocks WHERE block = 2", "the head is at 4, the blocks end at 2"),
    "beyond": ("DELETE FROM ledger_blocks WHERE block = 2", "position 3 is in no block"),
    "account": ("DELETE FROM ledger_accounts WHERE reference = 'world'", "doesn't exist"),
    "hash": ("UPDATE ledger_blocks SET hash = rows_hash WHERE block = 1", "block 1"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_changed_by_hand_is_found_where_it_is(database: Database, name: str) -> None:
    """L1, L2: a transfer, a balance or a block that is changed behind the ledger is named where it stands."""
    statement, place = TAMPERED[name]
    with database.write() as connection:
        assert connection.execute(sa.text(statement)).rowcount == 1
    found = violations(database)
    assert any(place in text for text in found), found


def test_books_are_summed_beyond_int64(database: Database) -> None:
    open_accounts(database, "a", "b", "c", book="large")
    batch = [Transfer(uid("large", n), uid("a"), uid(to), LARGEST // 2) for n, to in enumerate("bc")]
    assert apply(database, *batch, Transfer(uid("more"), uid("b"), uid("c"), LARGEST // 2)) == ["OK"] * 3
    with database.read() as connection:
        (large,) = (book for book in ledger.books(connection) if book.book == "large")
    assert large.debits == large.credits == 3 * (LARGEST // 2) > LARGEST
    assert violations(database) == []


def test_a_ledger_without_its_head_loses_nothing_silently(database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("DELETE FROM ledger_head"))
    with pytest.raises((AssertionError, TypeError)):
        apply(database, Transfer(uid("late"), uid("world"), uid("purse"), 1))


def test_flags_are_followed_from_the_transfers_alone(database: Database) -> None:
    """L6: flags are followed from the transfers alone."""
    world, purse = uid("world"), uid("purse")
    frozen = Transfer(uid("freeze"), purse, kind=Kind.FREEZE)
    assert apply(database, frozen, Transfer(uid("out"), purse, world, 1)) == ["OK", "ACCOUNT_FROZEN"]
    assert apply(database, Transfer(uid("in"), world, purse, 1)) == ["OK"]
    assert violations(database) == []
    with database.read() as connection:
        newest = ledger.lines(connection, purse, 0, 2)
        assert [line.transfer.kind for line in newest] == [Kind.POSTED, Kind.FREEZE]
        assert ledger.accounts(connection, [purse])[purse].flags == Flag.FROZEN
    with database.write() as connection:
        connection.execute(sa.text("UPDATE ledger_accounts SET flags = 0 WHERE reference = 'purse'"))
    assert violations(database) == [f"ledger: account {purse} (purse): flags 0, not 1"]
    # Unfrozen by hand, it gives money: the transfers tell.
    assert apply(database, Transfer(uid("theft"), purse, world, 1)) == ["OK"]
    assert any("ACCOUNT_FROZEN" in text and uid("theft") in text for text in violations(database))


def test_a_closed_account_keeps_its_hold_until_that_is_given_back(database: Database) -> None:
    world, purse = uid("world"), uid("purse")
    held = Transfer(uid("held"), purse, world, 5, Kind.PENDING)
    assert apply(database, held, Transfer(uid("close"), purse, kind=Kind.CLOSE)) == ["OK", "OK"]
    posted = Transfer(uid("posted"), kind=Kind.POST, pending_id=held.id)
    assert apply(database, posted, Transfer(uid("in"), world, purse, 1)) == ["ACCOUNT_CLOSED"] * 2
    assert apply(database, Transfer(uid("void"), kind=Kind.VOID, pending_id=held.id)) == ["OK"]
    assert violations(database) == []
