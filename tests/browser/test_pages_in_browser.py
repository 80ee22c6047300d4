"""The exporter's pages in Chromium, on a phone, in both languages."""

import asyncio
import os
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pyotp
import pytest
from playwright.async_api import Page, async_playwright

from tests.gateway_world import OPERATOR, PASSWORD, SECRET, World, declare

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE = {"width": 390, "height": 844}
# Where pictures are left for people to look at, if set.
PICTURES = os.environ.get("AVAL_TEST_PICTURES", "")


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Any]:
    if not pathlib.Path(CHROMIUM).exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CHROMIUM} is missing")
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("locale", "heading", "bar"),
    [
        ("zh-CN", "登录", "申报价值的占用情况"),
        ("en", "Sign in", "How the declared value is used"),
    ],
)
async def test_an_exporter_sees_a_declaration(world: World, browser: Any, locale: str, heading: str, bar: str) -> None:
    number = f"46202026000000005{len(locale)}"
    name = await declare(world, number)
    context = await browser.new_context(locale=locale, viewport=PHONE, device_scale_factor=2)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"http://{world.addresses.http}/")
    assert await page.inner_text("h1") == heading
    await picture(page, f"sign_in_{locale}")
    await page.fill("#login", "ruijia.li")
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    await page.wait_for_url("**/declarations")
    await picture(page, f"declarations_{locale}")
    await page.click(f'a[href="/{name}"]')
    await page.wait_for_url(f"**/{name}")
    assert await page.inner_text("#picture") == bar
    widths = [int(str(await entry.get_attribute("width"))) for entry in await page.query_selector_all(".bar rect")]
    assert sum(widths) == 1000
    # Nothing is wider than the phone.
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    await picture(page, f"declaration_{locale}")
    await page.click('a[href^="/applications/new"]')
    await page.wait_for_selector("#amount")
    await picture(page, f"apply_{locale}")
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert complaints == []
    await context.close()


async def test_a_list_shows_what_comes_in_without_being_asked(world: World, browser: Any) -> None:
    context = await browser.new_context(locale="en", viewport=PHONE)
    page = await context.new_page()
    await page.goto(f"http://{world.addresses.http}/sign-in")
    await page.fill("#login", "ruijia.li")
    await page.fill("#password", PASSWORD)
    async with page.expect_response(lambda answer: "/events" in answer.url):
        await page.click("main button")
    await asyncio.sleep(0)
    name = await declare(world, "462020260000000061")
    await page.wait_for_selector(f'a[href="/{name}"]', timeout=10_000)
    await context.close()


@pytest.mark.parametrize(("locale", "heading"), [("zh-CN", "我的账户"), ("en", "My account")])
async def test_an_account_is_changed_on_a_phone(world: World, browser: Any, locale: str, heading: str) -> None:
    context = await browser.new_context(locale=locale, viewport=PHONE, device_scale_factor=2)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"http://{world.addresses.http}/sign-in")
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    await page.fill("#login", "ruijia.li")
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    await page.wait_for_url("**/declarations")
    await page.click("a.who")
    await page.wait_for_url("**/account")
    assert await page.inner_text("h1") == heading
    await picture(page, f"account_{locale}")
    assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    await page.fill("#password", PASSWORD)
    await page.fill("#new_password", PASSWORD)
    await page.click('form[action="/account/password"] button')
    await page.wait_for_selector("#form-problem")
    await page.click('form[action="/account/end-sessions"] button')
    await page.wait_for_url("**/sign-in")
    await page.goto(f"http://{world.addresses.http}/declarations")
    await page.wait_for_url("**/sign-in")
    assert complaints == []
    await context.close()


async def test_an_operator_signs_in_with_a_code(world: World, browser: Any) -> None:
    context = await browser.new_context(locale="en", viewport=PHONE)
    page = await context.new_page()
    await page.goto(f"http://{world.addresses.http}/sign-in")
    await page.fill("#login", OPERATOR)
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    await page.wait_for_selector("#form-problem")
    await page.fill("#password", PASSWORD)
    await page.fill("#one_time_code", pyotp.TOTP(SECRET).now())
    await page.click("main button")
    await page.wait_for_url("**/operations/traces")
    await context.close()
