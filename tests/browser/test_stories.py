"""What people of the desk do, in their browsers, with every process running."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

PATIENCE = 30_000
"""Milliseconds that a page may take on a machine that does other things as well."""


async def draft(
    one, *, level: str = "blue", hazard: str = "rainstorm", township: str = "990101002000"
) -> int:
    """Write a warning from the template and submit it; returns its number."""
    page = one.page
    await one.go("/")
    await page.click("a[href='/desk/alerts/new']")
    await page.select_option("#hazard", hazard)
    await page.wait_for_selector(f"input[name=level][value={level}]")
    await page.check(f"input[name=level][value={level}]")
    await page.check(f"#tree input[data-code='{township}']")
    await page.click("button[name=do][value=fill]")
    await expect(page.locator("[id='instruction:zh-CN']")).not_to_have_value("", timeout=PATIENCE)
    await page.click("button[data-plus='6']")
    await page.click("button[name=do][value=submit]")
    await page.wait_for_url(re.compile(r"/desk/alerts/\d+$"), timeout=PATIENCE)
    return int(page.url.rsplit("/", 1)[1])


async def sign(one, alert: int, button: str) -> None:
    """Prove what the page asks for, and press."""
    page = one.page
    await one.go(f"/alerts/{alert}")
    form = page.locator(f"form:has(button:has-text('{button}'))").first
    for name in ("place", "count"):
        if await form.locator(f"input[name={name}]").count():
            shown = await form.locator(f"label:has(+ input[name={name}]) .typed").inner_text()
            await form.locator(f"input[name={name}]").fill(shown)
    if await form.locator("input[name=code]").count():
        await form.locator("input[name=code]").fill(await one.demo.code(one.login))
    await form.locator(f"button:has-text('{button}')").first.click()
    await page.wait_for_load_state("load")


async def state(one, alert: int) -> str:
    await one.go(f"/alerts/{alert}")
    return await one.page.inner_text(".alert-head")


class TestAWarning:
    async def test_goes_from_the_template_to_the_release_and_back_by_people_who_never_did_it(self, seat):
        author = await seat("demo-author")
        alert = await draft(author)
        assert "待审核" in await state(author, alert)
        assert await author.page.locator("form[action$='/approve']").count() == 0
        approver = await seat("demo-approver-2")
        await sign(approver, alert, "签发并发送") if await self.has(approver, alert, "签发并发送") else None
        assert "生效中" in await state(author, alert)
        await author.page.click("a[href*='/releases/']")
        await author.page.wait_for_selector("#live table")
        # two clicks: the prepared Cancel, and yes
        await author.page.click("a[data-opens='ask-cancel']")
        await author.page.click("#ask-cancel button.danger")
        await author.page.wait_for_load_state("load")
        cancel = int(re.search(r"/desk/alerts/(\d+)", author.page.url + await author.page.content())[1])
        assert cancel != alert or "已解除" in await state(author, alert)

    @staticmethod
    async def has(one, alert: int, button: str) -> bool:
        await one.go(f"/alerts/{alert}")
        return bool(await one.page.locator(f"button:has-text('{button}')").count())


@pytest.mark.parametrize("login", ["demo-author", "demo-leader"])
async def test_a_page_tells_when_the_connection_is_lost(seat, login):
    one = await seat(login)
    await one.go("/lead" if login == "demo-leader" else "/")
    await one.page.wait_for_timeout(1500)
    assert await one.page.locator("#lost").is_hidden()
    await one.context.set_offline(True)
    await one.page.wait_for_selector("#lost:not([hidden])", timeout=PATIENCE)
    await one.context.set_offline(False)
    await one.page.wait_for_selector("#lost", state="hidden", timeout=PATIENCE)
    one.faults = [fault for fault in one.faults if "ERR_INTERNET_DISCONNECTED" not in fault]
