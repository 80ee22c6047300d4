"""A service that follows another's log is killed and started again: each event takes effect once, on both databases."""

import asyncio
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis import keyring
from chassis.clock import SystemClock
from chassis.database import Database
from chassis.ports import free_port
from chassis.settings import Settings
from chassis.testing import Platform
from cli import breaches, owed
from services.declarations.service import SERVICE as DECLARATIONS
from tests.service.test_breach_of_a_loan import encumber
from tests.service.test_loans import BANKS
from tests.service.test_loans_platform import Market

PATIENCE_SECONDS = 60
KILLS, BREACHES = 3, 4


def follow(settings: Settings) -> subprocess.Popen[bytes]:
    """Starts the process of the loans service."""
    ring = {"AVAL_KEYS": str(keyring.file_of(settings.certificates, "loans"))}
    environment = {**os.environ, **settings.to_environment(), **ring}
    return subprocess.Popen([sys.executable, "-m", "services.loans"], env=environment)


class Follower:
    """The process of the loans service beside a platform of declarations; it may be killed and started again."""

    def __init__(self, platform: Platform, database_url: str) -> None:
        self._database_url, authority = database_url, platform.authority
        authority.issue("services/loans")
        authority.signing_key("services/loans")
        keyring.prepare(authority.folder, "loans", SystemClock().now_us())
        address = platform.addresses["loans"]
        self._settings = Settings(database_url, address, authority.folder, platform.addresses)
        self.start()

    def start(self) -> None:
        self._process = follow(self._settings)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def until_taken(self) -> int:
        """Returns the position up to which loans have followed, once no event is left."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (told := await asyncio.to_thread(self._followed)) or told["waiting"]:
            assert time.monotonic() < deadline, told
            await asyncio.sleep(0.05)
        return int(told["position"])

    def _followed(self) -> dict[str, Any] | None:
        report = owed.report(self._database_url, SystemClock().now_us())
        return next((told for told in report["followed"] if told["service"] == "loans"), None)


@pytest.fixture
async def market(tmp_path: pathlib.Path, database_url: str) -> AsyncIterator[Market]:
    """Declarations in this process, with the address of loans."""
    platform = Platform(tmp_path, database_url, [DECLARATIONS])
    platform.addresses["loans"] = f"127.0.0.1:{free_port()}"
    await platform.start()
    yield Market(platform)
    await platform.stop()


async def breach(market: Market, number: int) -> None:
    """Customs lowers the value of a new declaration below what is encumbered."""
    await encumber(market, await market.declare(number), 50_000_00)
    await market.amend(number, 30_000_00)


async def test_a_follower_that_is_killed_goes_on_where_it_was(market: Market, database_url: str) -> None:
    await market.consent(BANKS[0])
    follower = Follower(market.platform, database_url)
    try:
        positions = [await follower.until_taken()]
        for kill in range(KILLS):
            for index in range(BREACHES):
                await breach(market, 100 * kill + index + 1)
                if index == BREACHES // 2:
                    follower.kill()
            follower.start()
            positions.append(await follower.until_taken())
            await market.amend(100 * kill + 1, 100_000_00)
        positions.append(await follower.until_taken())
    finally:
        follower.kill()
    assert positions == sorted(set(positions))
    store = Database(database_url, "loans")
    assert breaches.violations({"declarations": market.platform.nodes["declarations"].store, "loans": store}) == []
    store.close()
