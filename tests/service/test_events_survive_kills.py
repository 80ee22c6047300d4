"""A service that follows another's log is killed and started again: each event takes effect once, on both databases."""

import asyncio
import os
import pathlib
import subprocess
import sys
import time

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


async def test_a_follower_that_is_killed_goes_on_where_it_was(tmp_path: pathlib.Path, database_url: str) -> None:
    platform = Platform(tmp_path, database_url, [DECLARATIONS])
    platform.addresses["loans"] = f"127.0.0.1:{free_port()}"
    await platform.start()
    platform.authority.issue("services/loans")
    platform.authority.signing_key("services/loans")
    keyring.prepare(platform.authority.folder, "loans", SystemClock().now_us())
    settings = Settings(database_url, platform.addresses["loans"], platform.authority.folder, platform.addresses)
    market, process = Market(platform), follow(settings)
    follower = Database(database_url, "loans")
    await market.consent(BANKS[0])

    async def lag() -> tuple[int, int]:
        """The position up to which loans have followed, and the events that they have yet to take."""
        report = await asyncio.to_thread(owed.report, database_url, SystemClock().now_us())
        followed = [told for told in report["followed"] if told["service"] == "loans"]
        return (followed[0]["position"], followed[0]["waiting"]) if followed else (0, -1)

    async def until_taken() -> int:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (told := await lag())[1] != 0:
            assert time.monotonic() < deadline, told
            await asyncio.sleep(0.05)
        return told[0]

    try:
        positions = [await until_taken()]
        for kill in range(KILLS):
            for index in range(BREACHES):
                number = 100 * kill + index + 1
                declaration = await market.declare(number)
                await encumber(market, declaration, 50_000_00)
                await market.amend(number, 30_000_00)
                if index == BREACHES // 2:
                    process.kill()
                    process.wait()
            process = follow(settings)
            positions.append(await until_taken())
            await market.amend(100 * kill + 1, 100_000_00)
        positions.append(await until_taken())
        assert positions == sorted(set(positions))
        stores = {"declarations": platform.nodes["declarations"].store, "loans": follower}
        assert breaches.violations(stores) == []
    finally:
        process.kill()
        process.wait()
        follower.close()
        await platform.stop()
