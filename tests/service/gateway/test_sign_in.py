"""Signing in: who may, by which proof; strangers slow down nobody but themselves; forms and sessions."""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pyotp
import pytest
import sqlalchemy as sa

from chassis.clock import MICROSECONDS
from gateway.directory import directory
from gateway.directory.brake import Brake
from gateway.directory.model import NewPrincipal, token_hash
from gateway.directory.queue import FairQueue
from gateway.errors import SignInsWaiting
from gateway.tables import attempts, sessions
from tests.gateway_world import ENTERPRISE, OPERATOR, PASSWORD, World, pages_of

WRONG = "a wrong password"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
REFUSED = (401, "SIGN_IN_FAILED")
ROLES = [
    ("banks/LMHFCNB0", "BANK_MAKER"),
    ("banks/LMHFCNB0", "BANK_CHECKER"),
    ("banks/LMHFCNB0", "BANK_SYSTEM"),
    ("insurers/ZZZZ00HYXB2026000141", "INSURER_MAKER"),
    ("insurers/ZZZZ00HYXB2026000141", "INSURER_CHECKER"),
    ("windows/henan", "WINDOW"),
    ("regulators/4600", "REGULATOR"),
]


def enter(world: World, tenant: str, *roles: str) -> str:
    """A new principal with a password and a one-time secret, whatever its role; its login."""
    login = f"somebody.{uuid.uuid4().hex[:8]}"
    new = NewPrincipal(login, tenant, roles, login, login, password=PASSWORD, totp_secret=SECRET)
    directory.load_principals(world.gateway.database, [new])
    return login


async def sign_in(client: httpx.AsyncClient, login: str, password: str = PASSWORD, **more: Any) -> tuple[int, str]:
    answer = await client.post("/session", json={"login": login, "password": password, **more})
    return answer.status_code, answer.json().get("reason", "")


def code(steps_ahead: int = 0) -> str:
    return str(pyotp.TOTP(SECRET).at(int(time.time()) + 30 * steps_ahead))


@contextlib.asynccontextmanager
async def coming_from(world: World, source: str, address: str = "") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.AsyncHTTPTransport(local_address=source)
    url = f"http://{address or world.addresses.http}"
    headers = {"X-Aval-Request": "1"}
    async with httpx.AsyncClient(base_url=url, headers=headers, transport=transport, timeout=120) as client:
        yield client


@pytest.mark.parametrize(("tenant", "role"), ROLES)
async def test_institutions_have_no_session(world: World, tenant: str, role: str) -> None:
    login = enter(world, tenant, role)
    async with coming_from(world, "127.0.0.20") as client:
        assert await sign_in(client, login) == REFUSED
        assert await sign_in(client, login, oneTimeCode=code()) == REFUSED
        page = await client.get("/sign-in")
        form = {"login": login, "password": PASSWORD, "one_time_code": code(), "form_token": token_of(page)}
        assert (await client.post("/sign-in", data=form)).status_code == 401
        assert "aval_session" not in client.cookies


@pytest.mark.parametrize("roles", [("EXPORTER", "BANK_CHECKER"), ("OPERATOR", "WINDOW"), ()])
async def test_one_role_without_a_session_is_enough(world: World, roles: tuple[str, ...]) -> None:
    login = enter(world, ENTERPRISE, *roles)
    async with coming_from(world, "127.0.0.21") as client:
        assert await sign_in(client, login, oneTimeCode=code()) == REFUSED


async def test_an_operator_adds_a_one_time_code_that_counts_once(world: World) -> None:
    login = enter(world, "operators", "OPERATOR")
    async with coming_from(world, "127.0.0.22") as client:
        assert await sign_in(client, login) == REFUSED
        assert await sign_in(client, login, oneTimeCode="000000") == REFUSED
        assert await sign_in(client, login, WRONG, oneTimeCode=code()) == REFUSED
        used = code()
        assert (await sign_in(client, login, oneTimeCode=used))[0] == 201
        assert await sign_in(client, login, oneTimeCode=used) == REFUSED
        assert (await sign_in(client, login, oneTimeCode=code(1)))[0] == 201


async def test_an_operator_signs_in_by_the_form_too(world: World) -> None:
    login = enter(world, "operators", "OPERATOR")
    async with coming_from(world, "127.0.0.23") as client:
        page = await client.get("/sign-in")
        form = {"login": login, "password": PASSWORD, "form_token": token_of(page)}
        assert (await client.post("/sign-in", data=form)).status_code == 401
        entered = await client.post("/sign-in", data={**form, "one_time_code": code()})
        assert (entered.status_code, entered.headers["location"]) == (303, "/")


async def test_a_session_ends_when_its_principal_may_have_none(world: World) -> None:
    login = enter(world, ENTERPRISE, "EXPORTER")
    async with coming_from(world, "127.0.0.24") as client:
        assert (await sign_in(client, login))[0] == 201
        changed = NewPrincipal(login, "banks/LMHFCNB0", ("BANK_MAKER",), login, login, totp_secret=SECRET)
        directory.load_principals(world.gateway.database, [changed])
        assert (await client.get("/session")).status_code == 401


async def test_a_stranger_locks_nobody_out(world: World) -> None:
    login = enter(world, ENTERPRISE, "EXPORTER")
    async with (
        pages_of(world, longest_delay_seconds=2) as address,
        coming_from(world, "127.0.0.30", address) as stranger,
        coming_from(world, "127.0.0.31", address) as owner,
    ):
        guesses = await asyncio.gather(*(sign_in(stranger, login, WRONG) for _ in range(12)))
        assert {status for status, _ in guesses} <= {401, 429}
        start = time.monotonic()
        assert (await sign_in(owner, login))[0] == 201
        assert time.monotonic() - start < 2
        # Even where the stranger sits it is delayed, not refused for good.
        assert await sign_in(stranger, login) == (201, "")


async def test_failures_delay_the_next_attempt_of_the_same_source(world: World) -> None:
    login = enter(world, ENTERPRISE, "EXPORTER")
    async with (
        pages_of(world, free_attempts_per_login=2, longest_delay_seconds=1) as address,
        coming_from(world, "127.0.0.32", address) as client,
    ):
        start = time.monotonic()
        for _ in range(4):
            assert await sign_in(client, login, WRONG) == REFUSED
        # The third comes half a second after the second, the fourth a second later.
        assert time.monotonic() - start >= 1.5
        assert (await sign_in(client, login))[0] == 201
        # A success begins anew.
        with world.gateway.database.write() as connection:
            connection.execute(sa.delete(attempts).where(attempts.c.failures == 1))
        assert await sign_in(client, login, WRONG) == REFUSED
        with world.gateway.database.read() as connection:
            failures = connection.execute(sa.select(attempts.c.failures)).scalars().all()
        assert 1 in failures


async def test_made_up_logins_count_for_their_source(world: World) -> None:
    async with (
        pages_of(world, free_attempts_per_source=3, longest_delay_seconds=1) as address,
        coming_from(world, "127.0.0.33", address) as client,
    ):
        start = time.monotonic()
        for number in range(5):
            assert await sign_in(client, f"nobody.{number}", WRONG) == REFUSED
        assert time.monotonic() - start >= 1.5


async def test_who_comes_too_often_is_told_when_to_come_again(world: World) -> None:
    limits = {"free_attempts_per_login": 1, "longest_delay_seconds": 1}
    async with pages_of(world, **limits) as address, coming_from(world, "127.0.0.34", address) as client:
        sent = {"login": "nobody.at.all", "password": WRONG}
        answers = await asyncio.gather(*(client.post("/session", json=sent) for _ in range(10)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert all(answer.json()["reason"] == "TOO_MANY_ATTEMPTS" for answer in refused)
        assert all(1 <= int(answer.headers["retry-after"]) <= 3 for answer in refused)


async def test_made_up_and_known_logins_look_alike(world: World, costly_passwords: None) -> None:
    known, bank = enter(world, ENTERPRISE, "EXPORTER"), enter(world, "banks/LMHFCNB0", "BANK_MAKER")
    seconds: dict[str, list[float]] = {}
    async with (
        pages_of(world, free_attempts_per_login=100, free_attempts_per_source=1_000) as address,
        coming_from(world, "127.0.0.35", address) as client,
    ):
        for login in (known, bank, "nobody.here") * 7:
            start = time.monotonic()
            assert await sign_in(client, login, WRONG) == REFUSED
            seconds.setdefault(login, []).append(time.monotonic() - start)
    medians = [sorted(found)[len(found) // 2] for found in seconds.values()]
    assert max(medians) < 4 * min(medians)


async def test_twenty_made_up_logins_do_not_hold_up_a_person_elsewhere(world: World, costly_passwords: None) -> None:
    login = enter(world, ENTERPRISE, "EXPORTER")
    async with coming_from(world, "127.0.0.36") as stranger, coming_from(world, "127.0.0.37") as person:
        attack = [asyncio.create_task(sign_in(stranger, f"nobody.{number}", WRONG)) for number in range(20)]
        await asyncio.wait(attack, return_when=asyncio.FIRST_COMPLETED)
        assert (await sign_in(person, login))[0] == 201
        # It came after all of them, and is served before most of them.
        assert sum(task.done() for task in attack) < 15
        await asyncio.gather(*attack)


async def test_checks_come_by_turns_of_their_sources() -> None:
    queue = FairQueue(per_source=4, in_all=6)
    order: list[str] = []
    begun = [asyncio.create_task(queue.run("many", order.append, f"many {number}")) for number in range(4)]
    begun.append(asyncio.create_task(queue.run("one", order.append, "one")))
    await asyncio.sleep(0)
    with pytest.raises(SignInsWaiting):
        await asyncio.gather(*(queue.run("many", order.append, "too many") for _ in range(2)))
    await asyncio.gather(*begun)
    queue.close()
    assert order.index("one") <= 1


async def test_a_check_that_fails_fails_alone() -> None:
    queue = FairQueue(per_source=2, in_all=2)
    with pytest.raises(ZeroDivisionError):
        await queue.run("one", lambda: 1 // 0)
    assert await queue.run("one", lambda: 1) == 1
    queue.close()


def test_delays_double_up_to_the_longest() -> None:
    brake = Brake(free=5, longest_delay_us=8 * MICROSECONDS, window_us=0)
    delays = [brake.delay_us(failures) / MICROSECONDS for failures in (0, 4, 5, 6, 7, 8, 9, 10, 1_000)]
    assert delays == [0, 0, 0.5, 1, 2, 4, 8, 8, 8]
    assert brake.turn_us(6, 10 * MICROSECONDS, 10 * MICROSECONDS) == 11 * MICROSECONDS
    assert brake.turn_us(6, 10 * MICROSECONDS, 20 * MICROSECONDS) == 20 * MICROSECONDS


async def test_attempts_are_forgotten_after_the_window(world: World) -> None:
    async with world.browser() as client:
        await sign_in(client, "nobody.once", WRONG)
        with world.gateway.database.write() as connection:
            connection.execute(sa.update(attempts).values(turn_us=0))
        await sign_in(client, "nobody.twice", WRONG)
        with world.gateway.database.read() as connection:
            counted = connection.execute(sa.select(attempts.c.failures)).scalars().all()
    assert counted == [1, 1]


def token_of(page: httpx.Response, action: str = "/sign-in") -> str:
    found = re.search(rf'action="{action}"[^>]*>.*?name="form_token" value="([0-9a-f]+)"', page.text, re.S)
    assert found, page.text
    return found[1]


async def test_another_site_signs_nobody_in(world: World) -> None:
    """The victim's browser sends no cookie of ours, and the other site's name."""
    async with world.browser() as attacker:
        page = await attacker.get("/sign-in")
    form = {"login": "ruijia.li", "password": PASSWORD, "form_token": token_of(page)}
    foreign = {"Origin": "https://evil.example"}
    async with httpx.AsyncClient(base_url=f"http://{world.addresses.http}") as victim:
        for headers in (foreign, {}, {"Origin": "null"}, {"Origin": "http://localhost.evil.example"}):
            answer = await victim.post("/sign-in", data=form, headers=headers)
            assert answer.status_code == 403
            assert "aval_session" not in victim.cookies
        own = await victim.post("/sign-in", data=form, headers={"Origin": str(victim.base_url).rstrip("/")})
        # The attacker's token is of the attacker's visit.
        assert own.status_code == 403
        assert "aval_session" not in victim.cookies


async def test_no_two_visitors_and_no_two_forms_have_one_token(world: World) -> None:
    async with world.browser() as async_client, world.browser() as other, world.signed_in() as somebody:
        visits = [token_of(await client.get("/sign-in")) for client in (async_client, other)]
        assert visits[0] != visits[1]
        assert token_of(await async_client.get("/sign-in")) == visits[0]
        account = await somebody.get("/account")
        actions = ("/sign-out", "/account/password", "/account/end-sessions")
        tokens = [token_of(account, action) for action in actions]
        assert len({*tokens, *visits}) == 5
        for action in actions[1:]:
            wrong = await somebody.post(action, data={"form_token": tokens[0]})
            assert wrong.status_code == 403
            assert "too old" in wrong.text
        assert (await somebody.get("/session")).status_code == 200


async def test_the_visit_s_cookie_is_not_for_scripts(world: World) -> None:
    async with world.browser() as client:
        cookie = (await client.get("/sign-in")).headers["set-cookie"]
        assert cookie.startswith("aval_visit=")
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "set-cookie" not in (await client.get("/sign-in")).headers


@pytest.mark.parametrize("action", ["/sign-in", "/sign-out", "/applications/new", "/account/password"])
async def test_every_form_comes_from_this_site(world: World, action: str) -> None:
    async with world.signed_in() as client:
        page = await client.get("/account")
        token = token_of(page, action) if f'action="{action}"' in page.text else "0"
        del client.headers["X-Aval-Request"]
        answer = await client.post(action, data={"form_token": token})
        assert answer.status_code == 403


async def test_an_idle_session_ends_and_a_used_one_stays(world: World) -> None:
    async with world.signed_in() as client:
        this = sessions.c.token_hash == token_hash(client.cookies["aval_session"])

        def used_minutes_ago(minutes: int) -> None:
            with world.gateway.database.write() as connection:
                moment = time.time_ns() // 1_000 - minutes * 60 * MICROSECONDS
                connection.execute(sa.update(sessions).where(this).values(use_us=moment))

        used_minutes_ago(29)
        # A page that is left open asks for events, which is no use of the session.
        async with client.stream("GET", "/events") as stream:
            assert stream.status_code == 200
        used_minutes_ago(29)
        assert (await client.get("/session")).status_code == 200
        with world.gateway.database.read() as connection:
            used_us = connection.execute(sa.select(sessions.c.use_us).where(this)).scalar_one()
        assert used_us > time.time_ns() // 1_000 - 60 * MICROSECONDS
        used_minutes_ago(31)
        assert (await client.get("/session")).status_code == 401
        assert (await client.get("/events")).status_code == 401


async def test_events_do_not_keep_a_session_open(world: World) -> None:
    async with world.signed_in() as client:
        this = sessions.c.token_hash == token_hash(client.cookies["aval_session"])
        moment = time.time_ns() // 1_000 - 20 * 60 * MICROSECONDS
        with world.gateway.database.write() as connection:
            connection.execute(sa.update(sessions).where(this).values(use_us=moment))
        assert (await client.head("/events")).status_code == 200
        with world.gateway.database.read() as connection:
            assert connection.execute(sa.select(sessions.c.use_us).where(this)).scalar_one() == moment


async def test_all_sessions_end_at_once(world: World) -> None:
    login = enter(world, ENTERPRISE, "EXPORTER")
    async with coming_from(world, "127.0.0.40") as async_client, coming_from(world, "127.0.0.40") as other:
        for client in (async_client, other):
            assert (await sign_in(client, login))[0] == 201
        async with world.signed_in() as somebody:
            assert (await async_client.post("/session:endAll")).status_code == 204
            assert [(await client.get("/session")).status_code for client in (async_client, other)] == [401, 401]
            assert (await somebody.get("/session")).status_code == 200
        assert (await async_client.post("/session:endAll")).status_code == 401


async def test_a_changed_password_ends_all_other_sessions(world: World) -> None:
    login, new = enter(world, ENTERPRISE, "EXPORTER"), "another long password "
    async with coming_from(world, "127.0.0.41") as async_client, coming_from(world, "127.0.0.41") as other:
        for client in (async_client, other):
            assert (await sign_in(client, login))[0] == 201

        async def change(present: str, coming: str) -> tuple[int, str]:
            body = {"password": present, "newPassword": coming}
            answer = await async_client.post("/session:changePassword", json=body)
            return answer.status_code, answer.json().get("reason", "")

        assert await change(WRONG, new) == REFUSED
        for unfit in ("short", PASSWORD, login, "x" * 129):
            assert await change(PASSWORD, unfit) == (400, "PASSWORD_UNFIT")
        assert await change(PASSWORD, new) == (200, "")
        assert [(await client.get("/session")).status_code for client in (async_client, other)] == [200, 401]
        assert await sign_in(other, login) == REFUSED
        assert (await sign_in(other, login, new))[0] == 201


async def test_the_account_page_changes_a_password_and_ends_sessions(world: World) -> None:
    login, new = enter(world, ENTERPRISE, "EXPORTER"), "another long password"
    async with coming_from(world, "127.0.0.42") as client:
        assert (await sign_in(client, login))[0] == 201
        page = await client.get("/account")
        form = {"form_token": token_of(page, "/account/password"), "password": PASSWORD, "new_password": "short"}
        refused = await client.post("/account/password", data=form)
        assert (refused.status_code, "needs 12 to 128 characters" in refused.text) == (400, True)
        changed = await client.post("/account/password", data={**form, "new_password": new})
        assert (changed.status_code, "was changed" in changed.text) == (200, True)
        page = await client.get("/account")
        ended = await client.post("/account/end-sessions", data={"form_token": token_of(page, "/account/end-sessions")})
        assert ended.headers["location"] == "/sign-in"
        assert (await client.get("/session")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"login": 1, "password": PASSWORD},
        {"login": ["ruijia.li"], "password": PASSWORD},
        {"login": "ruijia.li"},
        {"login": "ruijia.li", "password": None},
        {"login": "ruijia.li", "password": PASSWORD, "admin": True},
        {"login": "x" * 1_025, "password": PASSWORD},
    ],
    ids=range(6),
)
async def test_a_sign_in_is_two_texts(world: World, body: Any) -> None:
    async with world.browser() as client:
        answer = await client.post("/session", json=body)
        assert (answer.status_code, answer.json()["reason"]) == (400, "INVALID_FIELDS")


async def test_the_operator_has_the_traces_only(world: World) -> None:
    async with world.signed_in(OPERATOR) as client:
        assert (await client.get("/operations/traces")).status_code == 200
        assert (await client.get("/v1/declarations")).status_code == 403
