"""Streams: places by tenant, turns between tenants, and looks that are written down once."""

import asyncio
import threading

import pytest

from chassis.identity import Caller, service_caller
from chassis.looks import MOST_KEPT, SAME_LOOK_US, Lately
from chassis.streams import READERS, Places, QuotaExceeded, Turns

BANK, RIVAL = Caller("banks/A/system", "banks/A"), Caller("banks/B/system", "banks/B")


def test_a_tenant_has_so_many_places_and_gets_them_back() -> None:
    places = Places(2)
    with places.of(BANK):
        with places.of(Caller("banks/A/another", "banks/A")):
            with pytest.raises(QuotaExceeded) as refused, places.of(BANK):
                pass
            # Another's places, and the same tenant's elsewhere, are others.
            with places.of(RIVAL), places.taken(BANK.tenant, "elsewhere"):
                pass
        with places.of(BANK):
            pass
    assert refused.value.metadata == {"tenant": "banks/A", "limit": "2"}
    assert not places._taken


def test_a_place_is_given_back_after_a_failure() -> None:
    places = Places(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), places.of(BANK):
            raise ZeroDivisionError


def test_services_need_no_places() -> None:
    places, service = Places(0), service_caller("loans")
    with places.of(service), places.of(service):
        pass


async def test_a_tenant_with_many_reads_lets_others_go_before_them() -> None:
    turns, done = Turns(), list[str]()
    gate = threading.Event()

    async def read(tenant: str, number: int) -> None:
        def work() -> None:
            gate.wait()
            done.append(f"{tenant}{number}")

        await turns.run(tenant, work)

    greedy = [asyncio.create_task(read("greedy", number)) for number in range(40)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(read(f"other{number}-", 0)) for number in range(3)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*others)
    # One read of the greedy at a time, and each other's turn comes before the greedy's next but a few.
    assert sum(name.startswith("greedy") for name in done) <= 1 + len(others)
    await asyncio.gather(*greedy)
    assert [name for name in done if name.startswith("greedy")] == [f"greedy{number}" for number in range(40)]
    turns.close()


async def test_reads_of_one_tenant_never_take_all_threads() -> None:
    turns, held, gate = Turns(), threading.Semaphore(0), threading.Event()

    def work() -> None:
        held.release()
        gate.wait()

    greedy = [asyncio.create_task(turns.run("greedy", work)) for _ in range(READERS + 3)]
    assert await asyncio.to_thread(held.acquire, timeout=10)
    assert await turns.run("other", lambda: "answered") == "answered"
    gate.set()
    await asyncio.gather(*greedy)
    assert not turns._locks
    turns.close()


async def test_a_cancelled_turn_is_left() -> None:
    turns, gate = Turns(), threading.Event()
    first = asyncio.create_task(turns.run("a", gate.wait))
    waiting = asyncio.create_task(turns.run("a", lambda: "never"))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.set()
    await first
    assert await turns.run("a", lambda: "next") == "next"
    turns.close()


def test_what_was_shown_is_fresh_again_after_a_while_to_others_and_until_it_is_written_down() -> None:
    lately = Lately()
    first = lately.look(BANK, 0)
    assert [first.is_fresh(key) for key in ("x", "y")] == [True, True]
    assert lately.look(BANK, 1).is_fresh("x")
    first.keep()
    assert not lately.look(BANK, SAME_LOOK_US - 1).is_fresh("x")
    assert lately.look(BANK, SAME_LOOK_US).is_fresh("x")
    assert lately.look(RIVAL, 1).is_fresh("x")
    assert lately.look(Caller("banks/A/another", "banks/A"), 1).is_fresh("x")


def test_what_is_kept_is_bounded_and_then_written_down_again() -> None:
    lately = Lately()
    for start in range(0, MOST_KEPT + 1, MOST_KEPT // 2):
        look = lately.look(BANK, 0)
        assert all(look.is_fresh(number) for number in range(start, start + MOST_KEPT // 2))
        look.keep()
    assert len(lately.until_us) <= MOST_KEPT
