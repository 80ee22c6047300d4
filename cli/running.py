"""`aval up` and `aval demo`: the processes, the world, the story."""

import asyncio
import contextlib
import datetime
import hashlib
import pathlib
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import asdict
from typing import Any

import pyotp

from chassis import keyring
from chassis.certificates import Authority
from chassis.ids import system_random
from chassis.keyring import KeyFile
from chassis.migrations import UnfitStore
from cli import dates, local, verification
from cli.demo import story, world
from cli.layout import DEFAULT_FOLDER, Addresses, CannotRun, Layout
from cli.supervisor import GATEWAY, Supervisor, choose_addresses, prepare_certificates
from cli.uptime import seconds_since_start
from gateway.directory.model import SESSION_ROLES
from gateway.store import open_database
from trade.calendars import day_in_china

STORY = "story.json"


@contextlib.asynccontextmanager
async def platform(layout: Layout, database: str, fixed_ports: bool) -> AsyncIterator[tuple[Authority, Addresses]]:
    """All processes, ready, with the demo's people known at the door."""
    held = layout.hold()
    try:
        authority = prepare_certificates(layout)
        supervisor = Supervisor(layout, choose_addresses(database, fixed_ports))
        try:
            await supervisor.start()
            yield authority, supervisor.addresses
        finally:
            await supervisor.stop()
    finally:
        held.close()


def enter_people(layout: Layout, authority: Authority, database: str) -> None:
    """The demo's people into the gateway's directory, before it serves. CannotRun where it has another key ring."""
    try:
        store = open_database(database, system_random, KeyFile(keyring.file_of(layout.keys, GATEWAY)))
    except UnfitStore as error:
        raise CannotRun(str(error)) from error
    world.enter_people(authority, store)
    store.close()


async def load_world(layout: Layout, addresses: Addresses) -> None:
    """The demo's accounts, policies and limits."""
    async with local.client(layout, dict(addresses.services)) as client:
        await world.load(client)


async def up(layout: Layout, database: str | None, demo: bool) -> None:
    """Serves until interrupted. A story that was begun and cut off is played to its end."""
    interrupted = _interruption()
    address = database or layout.database
    if demo or layout.read(STORY):
        enter_people(layout, prepare_certificates(layout), address)
    async with platform(layout, address, fixed_ports=True) as (authority, addresses):
        _print_addresses(addresses)
        await _unless(interrupted, _tell_story(layout, address, authority, addresses, demo))
        if not interrupted.is_set():
            print("Serving; interrupt with Ctrl-C.", flush=True)
        await interrupted.wait()
        print("Stopping.", flush=True)


def _print_addresses(addresses: Addresses) -> None:
    print(f"Aval is up after {seconds_since_start():.1f} s.")
    print(f"  pages and JSON API   {addresses.url}")
    print(f"  the banks' door      {addresses.door} (gRPC, mutual TLS)")
    print(f"  traces               {addresses.url}/operations/traces", flush=True)


async def _tell_story(layout: Layout, database: str, authority: Authority, addresses: Addresses, demo: bool) -> None:
    """Plays the story once a folder; goes on with one that was cut off."""
    kept = layout.read(STORY)
    if kept is None and not demo:
        return
    if kept is None or not kept["ended"]:
        script = _script(kept) if kept else _new_script(database)
        layout.write(STORY, {**asdict(script), "ended": False})
        await load_world(layout, addresses)
        played = await story.play(script, authority, addresses, _closing(database), _print_step)
        layout.write(STORY, {**asdict(script), "ended": played.ok})
        _print_end(played, addresses)
    _print_logins(layout)


def _new_script(database: str) -> story.Script:
    """A fresh store's story begins so far in the past that it ends today; on any other store it begins today."""
    begins = dates.show(database)
    if verification.is_untouched(database):
        begins = dates.hold(database, begins - story.PAID_AFTER)
    return story.new_script(begins)


def _script(kept: dict[str, Any]) -> story.Script:
    """The story that a folder keeps; one from before business dates began on its first day."""
    date = kept.get("date") or day_in_china(kept["started_us"]).isoformat()
    return story.Script(kept["story_id"], kept["started_us"], date)


def _closing(database: str) -> Callable[[datetime.date], None]:
    """Closes a store's business dates before a day; a story that goes on may have closed them before."""

    def close(until: datetime.date) -> None:
        if dates.show(database) < until:
            dates.close(database, until)

    return close


def _print_step(step: dict[str, Any]) -> None:
    print(f"  {'ok    ' if step['ok'] else 'FAILED'} {step['name']}: {step['detail']}", flush=True)


def _print_end(played: story.Played, addresses: Addresses) -> None:
    verdict = "ended well" if played.ok else "did not end well"
    print(f"The story {verdict} after {played.seconds:.1f} s.")
    print(f"  its trace            {addresses.url}/operations/traces/{played.script.trace_id}", flush=True)


def _print_logins(layout: Layout) -> None:
    exporters, operators = world.logins(["EXPORTER"]), world.logins(["OPERATOR"])
    print(f"Sign in as {', '.join(exporters)} (exporters) or {', '.join(operators)} (operator).")
    print(f"  password {world.PASSWORD}; a one-time code: aval code LOGIN --folder {layout.folder}", flush=True)


def _interruption() -> asyncio.Event:
    """Set by Ctrl-C or SIGTERM, from now on: also while the platform starts and the story is played."""
    interrupted = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupted.set)
    return interrupted


async def _unless(interrupted: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Does the work, or leaves it where it is when interrupted."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(interrupted.wait())
    await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if working.done():
        working.result()
    else:
        working.cancel()
        await asyncio.wait([working])


@contextlib.contextmanager
def _demo_layout(database: str | None) -> Iterator[Layout]:
    """All fresh; but the rows of a database, which stays, belong to the key rings that it was filled with."""
    with tempfile.TemporaryDirectory(prefix="aval-demo-") as fresh:
        yield Layout(pathlib.Path(fresh), _demo_keys(database) if database else None)


def _demo_keys(database: str) -> pathlib.Path:
    kept = DEFAULT_FOLDER / "demo" / hashlib.sha256(database.encode()).hexdigest()[:16]
    kept.mkdir(parents=True, exist_ok=True)
    return kept


async def demo(database: str | None, told: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Plays the story on free ports, proves the books, and stops."""
    started = time.monotonic()
    with _demo_layout(database) as layout:
        address = database or layout.database
        enter_people(layout, prepare_certificates(layout), address)
        async with platform(layout, address, fixed_ports=False) as (authority, addresses):
            script = _new_script(address)
            await load_world(layout, addresses)
            played = await story.play(script, authority, addresses, _closing(address), told)
        verify = verification.verify(address, is_whole=True, rings=layout.keys)
    return {
        "ok": played.ok and verify["ok"],
        "seconds": round(time.monotonic() - started, 3),
        "steps": played.steps,
        "trace_id": played.script.trace_id,
        "trace_services": played.trace_services,
        "second_financing": played.second_financing,
        "verify": verify,
    }


def one_time_code(layout: Layout, login: str) -> str:
    """A person's present one-time code on this platform. LookupError if there is no such platform or person."""
    if login not in world.logins(SESSION_ROLES):
        raise LookupError(f"the demo has nobody who signs in as {login}")
    if not layout.certificates.is_dir():
        raise LookupError(f"there is no platform in {layout.folder}; start `aval up --demo` or give --folder")
    return str(pyotp.TOTP(world.one_time_secret(Authority(layout.certificates), login)).now())
