"""The probe of a process that serves, and of one that has stopped."""

import asyncio
import pathlib

from chassis.probe import serves
from chassis.testing import Platform
from services.declarations.service import SERVICE as DECLARATIONS


async def test_a_process_serves_until_it_stops(tmp_path: pathlib.Path) -> None:
    """Asked with the process' own certificate; another authority's gets no answer."""
    platform = Platform(tmp_path, f"sqlite:///{tmp_path / 'store'}", [DECLARATIONS])
    stranger = Platform(tmp_path / "elsewhere", "sqlite://", []).authority.issue("services/declarations")
    own = platform.authority.issue("services/declarations")
    address = platform.addresses["declarations"]
    await platform.start()
    assert await asyncio.to_thread(serves, address, own)
    assert not await asyncio.to_thread(serves, address, stranger)
    await platform.stop()
    assert not await asyncio.to_thread(serves, address, own)
