"""Hostile text of strangers on every page of the console, in a real browser: nothing of it runs."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
from playwright.async_api import async_playwright
from sqlalchemy import text

from gateway.desk.compose import Changes
from gateway.desk.notes import consult
from gateway.feeds.intake import Intake
from gateway.store.desk import Person
from gateway.web.console.app import all_routes
from tests.browser.conftest import CHROMIUM, FLAGS
from tests.desk.conftest import area, fields
from tests.feeds.conftest import item, message
from tests.web.console.conftest import (  # noqa: F401 - fixtures
    ROLES,
    clock,
    console,
    database,
    desk,
    server,
    settings,
    visitor,
)

RUNS = (
    '"><img src=x onerror=window.ran=1>',
    "<script>window.ran=1</script>",
    "</textarea></title><svg onload=window.ran=1>",
    "'onmouseover='window.ran=1' autofocus onfocus='window.ran=1",
    '<a href="javascript:window.ran=1" id=main>x</a>',
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    '" hx-get="/desk/me" hx-trigger="load" hx-on:load="window.ran=1" x="',
    "<style>body{display:none}</style>",
    "{{7*7}}${7*7}<%= 7*7 %>",
)
HOSTILE = " ".join(RUNS)


async def fill(console, database, desk, settings) -> None:  # noqa: F811 - what the fixtures gave
    """Have a stranger's words wherever the console shows what came from outside or from people."""
    words = {"description": f"大雨 {HOSTILE}", "headline": HOSTILE, "areas": (area(name=HOSTILE[:300]),)}
    row = await submitted(desk, **words)
    for person in ("first", "second"):
        await desk.approve(row.id, row.digest, person)
    await desk.release(row.id, "sender")
    back = await submitted(desk, instruction=HOSTILE)
    await consult(desk, back.id, "author", held_at=desk.clock.now(), participants=HOSTILE, minutes=HOSTILE)
    again = await desk.submit(back.id, "author")
    await desk.reject(again.id, again.digest, "first", HOSTILE)
    await submitted(desk, description=HOSTILE)
    update = await desk.update(row.id, "author")
    await desk.edit(update.id, "author", Changes(note=HOSTILE, contact=HOSTILE))
    intake = Intake(database, desk.clock, desk, settings)
    await intake.take("stranger", "cap", item(message("hostile", headline=HOSTILE, description=HOSTILE)))
    await desk.set_person(Person("hostile", RUNS[0], ("author",), active=True))
    async with database.begin() as connection:
        for statement in (
            "UPDATE contacts SET name = :words",
            "UPDATE regions SET name = :words WHERE level = 'township'",
            "INSERT INTO contact_groups (name) VALUES (:words)",
            """INSERT INTO receipts (delivery_id, channel, ref, state, source, code, received_at, raw)
            SELECT id, channel, 'x', 8, 'provider', left(:words, 60), now(), :words FROM deliveries""",
            """INSERT INTO alarms (subject, code, sentence, raised_at, last_at, times)
            VALUES (:words, 'invented', :words, now(), now(), 1)""",
            "UPDATE sessions SET agent = :words",
        ):
            await connection.execute(text(statement), {"words": HOSTILE})


async def submitted(desk, **words):  # noqa: F811 - as above
    """An orange alert by mail alone, which carries long texts."""
    drafted = await desk.draft(fields(level="orange", **words), "author", Changes(channels=("email",)))
    return await desk.submit(drafted.id, "author")


def paths() -> list[str]:
    """Every page, with the numbers of what was filled in."""
    shown = []
    for route in all_routes():
        if (
            route.method == "GET"
            and not route.path.startswith(("/assets", "/live"))
            and "{token" not in route.path
        ):
            for number in ("1", "2", "3"):
                one = route.path
                while "{" in one:
                    begin = one.index("{")
                    depth, end = 0, begin
                    for end in range(begin, len(one)):
                        depth += {"{": 1, "}": -1}.get(one[end], 0)
                        if depth == 0:
                            break
                    name = one[begin + 1 : end].partition(":")[0]
                    one = (
                        one[:begin]
                        + {"login": "hostile", "channel": "sms", "mode": "live"}.get(name, number)
                        + one[end + 1 :]
                    )
                shown.append(one)
                if one == route.path:
                    break
    return list(dict.fromkeys(shown))


class TestWordsOfStrangers:
    """S4: nothing of it runs on any page."""

    @pytest.mark.parametrize("login", ["author", "admin", "registrar", "first"])
    async def test_run_on_no_page(self, console, database, desk, settings, server, visitor, login):  # noqa: F811
        await fill(console, database, desk, settings)
        browser_of = await visitor(login)
        url = browser_of.origin
        cookies = [{"name": one.key, "value": one.value, "url": url} for one in browser_of.session.cookie_jar]
        seen, ran, faults = [], [], []
        async with AsyncExitStack() as stack:
            playwright = await stack.enter_async_context(async_playwright())
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            stack.push_async_callback(chromium.close)
            context = await chromium.new_context(accept_downloads=True)
            await context.add_cookies(cookies)
            page = await context.new_page()
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on(
                "console",
                lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None,
            )
            page.on("dialog", lambda dialog: ran.append(dialog.message))
            for path in paths():
                answer = await page.request.get(f"{url}/desk{path}")
                if answer.status != 200 or "text/html" not in answer.headers["content-type"]:
                    continue
                await page.goto(f"{url}/desk{path}", wait_until="load")
                seen.append(path)
                if await page.evaluate(
                    "window.ran === 1 || document.querySelectorAll('img[src=x],iframe').length > 0"
                ):
                    ran.append(path)
        assert (ran, faults) == ([], [])
        assert len(seen) >= 8
