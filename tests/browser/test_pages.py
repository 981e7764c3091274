"""Every page, in both languages and both schemes, at a desk and on a phone: seen by axe and by Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.crawl import WHO, Atlas, pages_of

AXE = Path(__file__).parent / "axe" / "axe.min.js"
RULES = (
    "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}"
)
CONTACTS = "姓名,行政区划代码,手机\n演练丁二,990101001000,19900009999\n演练丁三,990101001000,123\n"


@pytest.fixture
async def furnished(demo, seat) -> None:
    """A drill that was held and a file that was read, so that their pages are there; done once."""
    if demo.pages:
        return
    operator, registrar = await seat("demo-approver-2"), await seat("demo-registrar")
    await operator.go("/drills")
    await operator.page.fill("#title", "虚构县防汛演练（已结束）")
    for form in ("form[action='/desk/drills']", "form[action$='/end']"):
        await operator.page.click(f"{form} button")
        await operator.press("#ask button[value=yes]")
    await registrar.go("/people/imports")
    file = {"name": "contacts.csv", "mimeType": "text/csv", "buffer": CONTACTS.encode()}
    await registrar.page.set_input_files("#file", file)
    await registrar.page.click("form[action='/desk/people/imports'] button")
    await registrar.page.wait_for_selector("form[action$='/confirm']")


async def violations(page) -> list[str]:
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate(f"axe.run(document, {RULES}).then(done => done.violations)")
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]} {one['nodes'][0]['any'][:1]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.usefixtures("furnished")
@pytest.mark.parametrize("login", WHO)
class TestPages:
    @pytest.mark.parametrize(
        ("language", "scheme"), [("zh-CN", "light"), ("en", "dark"), ("zh-CN", "dark"), ("en", "light")]
    )
    async def test_have_no_serious_fault_for_who_cannot_see_or_hear_or_point(
        self, seat, login, language, scheme
    ):
        one = await seat(login, language=language, scheme=scheme, bypass_csp=True)
        found = {}
        for path in (await pages_of(one)).values():
            await one.go(path)
            await one.page.wait_for_timeout(300)
            if wrong := await violations(one.page):
                found[path] = wrong
        assert found == {}

    @pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
    async def test_nobody_scrolls_sideways(self, seat, login, size):
        one = await seat(login, size=size)
        wide = []
        for path in (await pages_of(one)).values():
            await one.go(path)
            wide += [path] if await one.sideways() else []
        assert wide == []


@pytest.mark.usefixtures("furnished")
async def test_every_page_of_the_console_was_found(seat, demo):
    for login in WHO:
        await pages_of(await seat(login))
    assert {route for found in demo.pages.values() for route in found} == Atlas().pages
