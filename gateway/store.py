"""The gateway's store behind threads: one writes, a few read, so that the loop never waits for the disk."""

import asyncio
import pathlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from chassis import migrations
from chassis.database import Database
from chassis.ids import RandomBytes
from chassis.keyring import KeyRing

SCHEMA = "gateway"
VERSIONS = str(pathlib.Path(__file__).parent / "versions")
READERS = 4
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def open_database(url: str, random: RandomBytes, keys: KeyRing) -> Database:
    """Returns the gateway's store at its newest schema. Raises UnfitStore, such as OtherRing."""
    database = Database(url, SCHEMA, keys)
    try:
        migrations.upgrade(database, [VERSIONS], random)
    except BaseException:
        database.close()
        raise
    return database


class Store:
    """Runs functions of a connection in a transaction, off the loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="gateway-writer")
        # In memory there is one connection, so one thread uses it.
        shared = database.in_memory
        self._readers = self._writer if shared else ThreadPoolExecutor(READERS, thread_name_prefix="gateway-reader")

    @property
    def keys(self) -> KeyRing:
        """Returns the key ring that seals its values."""
        return self._database.keys

    async def write(
        self,
        function: Callable[Concatenate[sa.Connection, Parameters], Result],
        *arguments: Parameters.args,
        **named: Parameters.kwargs,
    ) -> Result:
        """Runs the function in a transaction. Returns its result, committed."""

        def work() -> Result:
            with self._database.write() as connection:
                return function(connection, *arguments, **named)

        return await asyncio.get_running_loop().run_in_executor(self._writer, work)

    async def read(
        self,
        function: Callable[Concatenate[sa.Connection, Parameters], Result],
        *arguments: Parameters.args,
        **named: Parameters.kwargs,
    ) -> Result:
        """Runs the function on one snapshot. Returns its result."""

        def work() -> Result:
            with self._database.read() as connection:
                return function(connection, *arguments, **named)

        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    def close(self) -> None:
        """Finishes what was begun and ends the connections."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._database.close()
