"""Transfers a second through the ledger's store alone and through its pure model, as one JSON document.

`python -m bench.ledger_store [--url URL]`: without a URL, a PostgreSQL server and a SQLite folder of its own.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from chassis import business_date, migrations, testing
from chassis.command import Transaction
from chassis.database import Database
from chassis.identity import Caller
from chassis.ids import Identifiers, system_random
from ledger import model, store, tables
from ledger.model import Account, Limit, State, Transfer

ACCOUNTS = 1000
BATCHES = (1, 64, 1000)
SECONDS = 2.0
ROUNDS = 3
NOW_US = 1_800_000_000_000_000
ANYONE = Caller("banks/BENCHBNK/bench", "banks/BENCHBNK", frozenset())


class Load:
    """Transfers between accounts chosen in turn, with time-ordered ids."""

    def __init__(self, accounts: int) -> None:
        self._now_us = NOW_US
        self._seed = system_random(16)
        ids = Identifiers(NOW_US, self._seed)
        self.accounts = [str(ids.uuid7()) for _ in range(accounts)]
        self._next = 0

    def batch(self, size: int) -> list[Transfer]:
        """Returns the next transfers, all of which are within limits, a few milliseconds after the ones before."""
        self._now_us += 5_000
        ids = Identifiers(self._now_us, self._seed)
        return [self._transfer(str(ids.uuid7())) for _ in range(size)]

    def _transfer(self, identifier: str) -> Transfer:
        self._next += 1
        debit = self.accounts[self._next * 7 % len(self.accounts)]
        credit = self.accounts[(self._next * 7 + 3) % len(self.accounts)]
        return Transfer(identifier, debit, credit, 100, code="payment", reference="bench")


def model_rate(size: int) -> int:
    """Returns the transfers a second through the pure model."""
    load = Load(ACCOUNTS)
    batches = [load.batch(size) for _ in range(max(20_000 // size, 1))]
    state = State({key: Account(key, "bench", "CNY") for key in load.accounts})
    started = time.perf_counter()
    for batch in batches:
        model.apply(state, batch, NOW_US)
    return round(size * len(batches) / (time.perf_counter() - started))


def store_rate(database: Database, size: int) -> int:
    """Returns the transfers a second through the store, one durable commit a batch."""
    load = Load(ACCOUNTS)
    accounts = [store.NewAccount(key, "bench", "CNY", Limit.NONE, key) for key in load.accounts]
    with database.write() as connection:
        store.open_accounts(connection, accounts)
    identifiers, today = Identifiers(NOW_US, b""), business_date.day(NOW_US)
    done, spent = 0, 0.0
    while spent < SECONDS:
        batch = load.batch(size)
        started = time.perf_counter()
        with database.write() as connection:
            store.apply(Transaction(connection, ANYONE, NOW_US, identifiers, business_date=today), batch)
        spent += time.perf_counter() - started
        done += size
    return round(done / spent)


@contextlib.contextmanager
def migrated(url: str) -> Iterator[Database]:
    """Gives an empty ledger at an address."""
    database = Database(url, "bench_ledger")
    migrations.upgrade(database, [store.MIGRATIONS], system_random)
    with database.write() as connection:
        for table in tables.metadata.sorted_tables:
            connection.execute(table.delete())
        store.initialise(connection)
    yield database
    database.close()


@contextlib.contextmanager
def addresses(url: str) -> Iterator[list[str]]:
    """Gives the addresses of the stores to measure: the URL's, or one of each kind."""
    if url:
        yield [url]
        return
    with testing.postgresql() as server, tempfile.TemporaryDirectory() as folder:
        yield [f"sqlite:///{folder}", server.new_database()]


def rows(url: str) -> Iterator[dict[str, Any]]:
    """Yields a row for each store and batch size: medians of a few rounds."""
    with addresses(url) as urls:
        for address in urls:
            with migrated(address) as database:
                for size in BATCHES:
                    rates = [store_rate(database, size) for _ in range(ROUNDS)]
                    yield {
                        "store": database.dialect,
                        "batch_size": size,
                        "store_transfers_per_second": round(statistics.median(rates)),
                        "model_transfers_per_second": max(model_rate(size) for _ in range(ROUNDS)),
                    }


def main() -> None:
    """Prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="sqlite:///FOLDER or postgresql://…; its ledger is emptied")
    print(json.dumps({"rows": list(rows(parser.parse_args().url))}, indent=2))


if __name__ == "__main__":
    main()
