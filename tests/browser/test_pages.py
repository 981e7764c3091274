"""Every page, in both languages and both schemes, at a desk and on a phone: seen by axe and by Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import DESKTOP, PHONE

AXE = Path(__file__).parent / "axe" / "axe.min.js"
PAGES = {
    None: ["/sign-in", "/welcome"],
    "demo-author": [
        *(
            "/",
            "/alerts",
            "/alerts/1",
            "/alerts/new",
            "/releases/1",
            "/inbox",
            "/channels",
            "/drills",
            "/duty",
            "/me",
        ),
    ],
    "demo-approver-1": ["/alerts/{waits}"],
    "demo-registrar": ["/people", "/people/groups", "/people/places", "/people/imports"],
    "demo-administrator": [
        *("/admin", "/admin/people", "/admin/authorisations", "/admin/absences", "/admin/keys"),
        *("/admin/audit", "/admin/settings"),
    ],
    "demo-leader": ["/lead"],
}
"""Login -> what that person looks at."""
RULES = (
    "{resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}"
)


async def violations(page) -> list[str]:
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate(f"axe.run(document, {RULES}).then(done => done.violations)")
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]} {one['nodes'][0]['any'][:1]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("language", "scheme"), [("zh-CN", "light"), ("en", "dark"), ("zh-CN", "dark"), ("en", "light")]
)
@pytest.mark.parametrize("login", PAGES)
class TestPages:
    async def test_have_no_serious_fault_for_who_cannot_see_or_hear_or_point(
        self, seat, login, language, scheme
    ):
        one = await seat(login, language=language, scheme=scheme, bypass_csp=True)
        found = {}
        for path in PAGES[login]:
            await one.go(path)
            await one.page.wait_for_timeout(300)
            if wrong := await violations(one.page):
                found[path] = wrong
        assert found == {}


@pytest.mark.parametrize("login", PAGES)
class TestSizes:
    @pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
    async def test_nobody_scrolls_sideways(self, seat, login, size):
        one = await seat(login, size=size)
        wide = []
        for path in PAGES[login]:
            await one.go(path)
            wide += [path] if await one.sideways() else []
        assert wide == []
