"""The runner over real ports, on both databases: a peer that hangs holds up nobody, nothing is repeated in haste."""

import asyncio
import contextlib
import datetime
import logging
import pathlib
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from chassis import business_date, runner, tables, tasks
from chassis.certificates import Authority
from tests.service.runner_world import (
    ERRANDS,
    HANGING,
    PROMPT,
    CountingDatabase,
    Peer,
    accepting,
    opened,
    serving,
    until,
)
from tests.support import migrate, ring

logger = logging.getLogger(__name__)


@pytest.fixture
def authority(tmp_path: pathlib.Path) -> Authority:
    return Authority(tmp_path / "certificates")


@pytest.fixture
def store(database_url: str) -> Iterator[CountingDatabase]:
    opened = CountingDatabase(database_url, "books", ring())
    migrate(opened)
    with opened.write() as connection:
        ERRANDS.metadata.create_all(connection)
    yield opened
    opened.close()


Hang = Callable[[Authority, Peer], contextlib.AbstractAsyncContextManager[str]]
SILENT = "accepts and says nothing"
HANGS: dict[str, Hang] = {
    SILENT: lambda _authority, _peer: accepting(),
    "takes calls and never answers": lambda authority, peer: serving(authority, HANGING, peer),
}


@pytest.mark.parametrize("hang", HANGS)
async def test_a_peer_that_hangs_never_holds_up_calls_to_the_others(
    store: CountingDatabase, authority: Authority, hang: str
) -> None:
    """T3: a peer that hangs never holds up calls to the others."""
    silent = Peer(hangs=True)
    async with (
        HANGS[hang](authority, silent) as hanging,
        serving(authority, PROMPT, Peer(hangs=False)) as prompt,
        opened(store, authority, declarations=hanging, settlement=prompt) as office,
    ):
        await office.create(f"{PROMPT}-warm")
        await until(lambda: f"{PROMPT}-warm" in office.done)
        usual = await office.usual_seconds(f"{PROMPT}-a")
        await asyncio.gather(*(office.create(f"{HANGING}-{number}") for number in range(2 * tasks.AT_ONCE)))
        await until(lambda: hang == SILENT or silent.now == tasks.AT_ONCE)
        beside = await office.usual_seconds(f"{PROMPT}-b")
        is_silent = not any(errand.startswith(HANGING) for errand in office.done)
    figures = f"median {usual * 1000:.1f} ms without, {beside * 1000:.1f} ms beside it"
    logger.info("%s, a peer that %s: %s", store.dialect, hang, figures)
    assert is_silent
    assert silent.most in (0, tasks.AT_ONCE)
    assert beside < 2 * usual + 0.1


async def test_a_call_carries_the_business_date_on_which_it_was_planned(
    store: CountingDatabase, authority: Authority
) -> None:
    peer = Peer(hangs=False)
    async with (
        serving(authority, PROMPT, peer) as prompt,
        opened(store, authority, settlement=prompt) as office,
    ):
        with store.write() as connection:
            business_date.hold(connection, datetime.date(2030, 2, 28))
        await office.create(f"{PROMPT}-1")
        await until(lambda: f"{PROMPT}-1" in office.done)
        with store.write() as connection:
            connection.execute(sa.delete(tables.business_dates))
    (metadata,) = peer.metadata
    assert metadata["aval-business-date"] == "2030-02-28"
    assert metadata["aval-tenant"] == "banks/X"


async def test_a_call_that_is_under_way_is_no_reason_to_look_again(
    store: CountingDatabase, authority: Authority
) -> None:
    peer = Peer(hangs=True)
    async with (
        serving(authority, HANGING, peer) as hanging,
        opened(store, authority, declarations=hanging) as office,
    ):
        await office.create(f"{HANGING}-1")
        await until(lambda: peer.now == 1)
        begun, before = time.monotonic(), store.reads
        await until(lambda: store.reads >= before + 3)
        seconds = time.monotonic() - begun
    # The third look comes after two waits at least.
    assert seconds > 1.5 * runner.POLL_SECONDS


async def test_an_attempt_that_cant_be_counted_is_repeated_ever_more_slowly(
    store: CountingDatabase, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """T5: the row's caller can't be read: neither the call nor its count can be made."""
    async with opened(store, authority) as office:
        await office.create(f"{PROMPT}-1")
        with store.write() as connection:
            connection.execute(sa.update(tables.tasks).values(caller="nobody", due_us=0, attempts=0, parked=None))

        def uncounted() -> int:
            return sum("can't be counted" in record.getMessage() for record in caplog.records)

        await until(lambda: uncounted() >= 1)
        begun = time.monotonic()
        await until(lambda: uncounted() >= 4)
        seconds = time.monotonic() - begun
    task = office.task(f"{PROMPT}-1")
    waits_us = sum(tasks.retry_us(task, task.attempts + uncounted) for uncounted in (1, 2, 3))
    assert seconds > 0.9 * waits_us / 1_000_000


async def test_a_store_that_is_out_of_reach_for_a_while_ends_no_runner(
    store: CountingDatabase, authority: Authority
) -> None:
    async with (
        serving(authority, PROMPT, Peer(hangs=False)) as prompt,
        opened(store, authority, settlement=prompt) as office,
    ):
        store.is_gone = True
        before = store.reads
        await until(lambda: store.reads >= before + 1)
        await office.create(f"{PROMPT}-1")
        store.is_gone = False
        await until(lambda: f"{PROMPT}-1" in office.done)
