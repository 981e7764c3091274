"""What people of the desk do, in their browsers, with every process running."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import PATIENCE

LIVE = re.compile(r"/desk/live")
RAINSTORM, BAISHI, LIUXI, YUNTAI = "rainstorm", "990101002000", "990101003000", "990101004000"


async def write(one, *, level: str, township: str, path: str = "/alerts/new") -> None:
    """Fill the form of a warning from its template."""
    page = one.page
    await one.go(path)
    await page.select_option("#hazard", RAINSTORM)
    await page.check(f"input[name=level][value={level}]", timeout=PATIENCE)
    await page.check(f"#tree input[data-code='{township}']")
    await page.click("button[name=do][value=fill]")
    await expect(page.locator("[id='instruction:zh-CN']")).not_to_have_value("", timeout=PATIENCE)
    await page.click("button[data-plus='6']")


async def draft(one, *, level: str = "blue", township: str = BAISHI, path: str = "/alerts/new") -> int:
    """Write a warning and submit it; returns its number."""
    await write(one, level=level, township=township, path=path)
    await one.page.click("button[name=do][value=submit]")
    await one.page.wait_for_url(re.compile(r"/desk/alerts/\d+$"), timeout=PATIENCE)
    return int(one.page.url.rsplit("/", 1)[1])


async def prepare(one, alert: int, action: str, button: str = "button"):
    """Open an alert, prove what the form asks for, and return its button."""
    await one.go(f"/alerts/{alert}")
    form = one.page.locator(f"form[action$='/{action}']")
    for name in ("place", "count"):
        if await form.locator(f"input[name={name}]").count():
            shown = await form.locator(f"label[for={name}-{action}] .typed").inner_text()
            await form.locator(f"input[name={name}]").fill(shown)
    if await form.locator("input[name=code]").count():
        await form.locator("input[name=code]").fill(await one.demo.code(one.login))
    return form.locator(button).first


async def sign(one, alert: int, action: str = "approve", button: str = "button") -> None:
    """Prove, press, and see the page again."""
    pressed = await prepare(one, alert, action, button)
    await one.press(pressed)


async def state(one, alert: int) -> str:
    """What stands at the head of an alert's page."""
    await one.go(f"/alerts/{alert}")
    return await one.page.inner_text(".alert-head")


class TestAWarning:
    """W8: people who never saw the desk, in their browsers; W1: four eyes by two sessions."""

    async def test_goes_from_the_template_to_the_release_and_back_in_six_screens(self, seat):
        author, approver = await seat("demo-author"), await seat("demo-approver-2")
        screens = set()
        author.page.on("framenavigated", lambda frame: screens.add(frame.url))
        await author.go("/")
        await author.page.click("a[href='/desk/alerts/new']")
        alert = await draft(author)
        assert "待审核" in await state(author, alert)
        await sign(approver, alert, button="button[name=then][value=send]")
        assert "生效中" in await state(author, alert)

        await author.page.click("a[href*='/releases/']")
        await expect(author.page.locator("#live table").first).to_be_visible(timeout=PATIENCE)
        await author.page.click("[data-opens='ask-cancel']")
        await author.page.click("#ask-cancel button.danger")
        await author.page.wait_for_url(re.compile(r"/desk/alerts/\d+$"), timeout=PATIENCE)
        cancel = int(author.page.url.rsplit("/", 1)[1])
        await sign(approver, cancel)
        assert "已解除" in await state(author, alert)
        assert "生效中" in await state(author, cancel)
        assert len(screens) <= 6, screens

    async def test_takes_two_people_neither_of_whom_wrote_it(self, seat):
        author = await seat("demo-author")
        alert = await draft(author, level="orange", township=LIUXI)
        await author.go(f"/alerts/{alert}")
        assert await author.page.locator("form[action$='/approve'], form[action$='/release']").count() == 0
        first, second = await seat("demo-approver-1"), await seat("demo-approver-2")
        await sign(first, alert)
        assert "待审核" in await state(first, alert)
        assert await first.page.locator("form[action$='/approve'], form[action$='/release']").count() == 0
        await sign(second, alert, button="button[name=then][value=send]")
        assert "生效中" in await state(second, alert)

    async def test_signed_by_two_at_one_moment_is_released_once(self, seat):
        author = await seat("demo-author")
        alert = await draft(author, township=YUNTAI)
        both = [await seat("demo-approver-1"), await seat("demo-approver-2")]
        pressed = [await prepare(one, alert, "approve") for one in both]
        await asyncio.gather(*(one.press(button) for one, button in zip(both, pressed, strict=True)))
        if "生效中" not in await state(both[1], alert):
            await sign(both[1], alert, "release")
        assert "生效中" in await state(both[1], alert)

    async def test_shows_on_the_board_of_others_without_a_reload(self, seat):
        watcher, author, approver = (
            await seat("demo-registrar"),
            await seat("demo-author"),
            await seat("demo-approver-2"),
        )
        await watcher.go("/")
        card = watcher.page.locator("article.warning", has_text="长滩镇")
        assert await card.count() == 0
        alert = await draft(author, township="990101005000")
        await sign(approver, alert, button="button[name=then][value=send]")
        assert "生效中" in await state(approver, alert)
        await expect(card).to_have_count(1, timeout=PATIENCE)
        await expect(card.locator("progress")).not_to_have_attribute("value", "0", timeout=PATIENCE)


class TestADrill:
    async def test_looks_like_one_on_its_pages_and_takes_no_word_that_it_is_real(self, seat):
        operator, author = await seat("demo-approver-2"), await seat("demo-author")
        await operator.go("/drills")
        await operator.page.fill("#title", "虚构县防汛演练")
        await operator.page.click("form[action='/desk/drills'] button")
        await operator.press("#ask button[value=yes]")
        await author.go("/")
        assert "虚构县防汛演练" in await author.text()
        await write(author, level="yellow", township=BAISHI, path="/alerts/new?mode=drill")
        assert await author.page.locator("html.drill").count() == 1
        await author.page.fill("[id='description:zh-CN']", "这不是演习，请立即转移")
        await author.press("button[name=do][value=submit]")
        assert not re.search(r"/alerts/\d+$", author.page.url)
        await author.page.fill("[id='description:zh-CN']", "预计未来6小时降雨量将达50毫米以上")
        await author.page.click("button[name=do][value=submit]")
        await author.page.wait_for_url(re.compile(r"/desk/alerts/\d+$"), timeout=PATIENCE)
        assert await author.page.locator("html.drill .drill-mark").count() == 1
        assert "【演练】" in await author.text()
        await operator.go("/drills")
        await operator.page.click("form[action$='/end'] button")
        await operator.press("#ask button[value=yes]")
        await author.go("/alerts/new?mode=drill")
        assert await author.page.locator("#hazard").count() == 0


class TestAFileOfContacts:
    async def test_that_cannot_be_used_says_why_and_changes_nothing(self, seat):
        registrar = await seat("demo-registrar")
        page = registrar.page
        await registrar.go("/people")
        before = await registrar.text()
        for name, data in {
            "wrong.csv": "甲,乙\n1,2\n",
            "bad.csv": "姓名,行政区划代码,手机\n虚构甲,999999999999,19900000001\n虚构乙,990101001000,123\n",
        }.items():
            await registrar.go("/people/imports")
            await page.set_input_files(
                "#file", {"name": name, "mimeType": "text/csv", "buffer": data.encode()}
            )
            await page.click("form[action='/desk/people/imports'] button")
            await expect(page.locator("#import [role=alert]").first).to_be_visible(timeout=PATIENCE)
            assert await page.locator("form[action$='/confirm']").count() == 0
        await registrar.go("/people")
        assert re.findall(r"\d[\d,]*", before)[:1] == re.findall(r"\d[\d,]*", await registrar.text())[:1]


async def test_the_page_of_a_release_keeps_its_policy_while_its_figures_are_measured_again(seat):
    one = await seat("demo-author")
    await one.page.clock.install()
    await one.go("/releases/1")
    for _ in range(3):
        async with one.page.expect_response(re.compile(r"/releases/1/coverage"), timeout=PATIENCE):
            await one.page.clock.fast_forward(16_000)
    await expect(one.page.locator("#curve canvas")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize(("login", "path"), [("demo-author", "/"), ("demo-leader", "/lead")])
async def test_a_page_tells_when_the_connection_is_lost(seat, login, path):
    one = await seat(login)
    await one.context.route(LIVE, lambda route: route.abort())
    await one.go(path)
    await expect(one.page.locator("#lost")).to_be_visible(timeout=PATIENCE)
    assert await one.page.locator("body.stale").count() == 1
    await one.context.unroute(LIVE)
    await one.go(path)
    await expect(one.page.locator("#lost")).to_be_hidden()
    one.faults = [fault for fault in one.faults if "net::ERR_FAILED" not in fault]
