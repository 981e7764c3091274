"""S6: hostile text in every field of every form: no fault of ours, one line of log each, nothing evaluated.

The forms are taken from the pages themselves, so that one that is added is in it. How long each takes:
``pytest tests/web/console/test_every_form.py -m benchmark -s``.
"""

from __future__ import annotations

import io
import json
import logging
import re
import statistics
import time
from typing import TYPE_CHECKING

import pytest
import structlog
from lxml import html
from sqlalchemy import text

from gateway.feeds.intake import Intake
from gateway.ops import log
from tests.desk.conftest import ready, sent
from tests.feeds.conftest import item, message

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = (
    "/", "/alerts", "/alerts/new", "/alerts/1", "/alerts/2", "/alerts/2/edit", "/alerts/4", "/alerts/4/edit",
    "/releases/1", "/releases/1/receipts", "/releases/1/unreached", "/inbox", "/inbox/1", "/inbox/seismic",
    "/drills", "/duty", "/channels", "/sources", "/channels/test", "/me", "/me/absence", "/me/factor",
    "/people", "/people/new", "/people/1", "/people/1/edit", "/people/groups", "/people/groups/1",
    "/people/imports", "/admin", "/admin/people", "/admin/new-person", "/admin/people/author",
    "/admin/sessions", "/admin/authorisations", "/admin/absences", "/admin/keys", "/admin/audit",
    "/admin/settings", "/welcome",
)  # fmt: skip
ROLES = {"author", "approver", "releaser", "registrar", "administrator", "auditor"}
BREAKS = 'x\r\nBcc: evil@example.org\r\n\x1b[31mred"},{"event":"forged"}\u2028y'
HOSTILE = {
    "line, field and JSON breaks": BREAKS,
    "an expression": "{{7*7}}${7*7}{0.__class__.__mro__}{sender.__class__}%(name)s%n",
    "a size": "{0:>500000000}{{'x'*500000000}}{% for i in range(30000000) %}x{% endfor %}",
    "a null": "a\x00b",
    "half a character": "a%ED%A0%80b",
}
TEXT = {"text", "search", "email", "tel", "url", "password", "number", "datetime-local", "date", "hidden"}
KEPT = {"once", "digest", "version", "alert"}
"""Fields whose wrong value is refused before anything else is looked at."""
LEAVES = ("/sign-out", "/me/sessions/end", "/sign-in")
PROMISED_MS = 200


@pytest.fixture
def lines():
    """What is logged meanwhile, as written."""
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:], root.level
    log.setup("info", "json", stream)
    yield stream.getvalue
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
async def filled(console, desk, database, settings) -> None:
    """A draft, a warning in force, a message of a source, a group: something behind each page."""
    await sent(desk)
    await ready(desk)
    await desk.update(1, "author")
    await Intake(database, desk.clock, desk, settings).take("stranger", "cap", item(message("虚构-1")))
    async with database.begin() as connection:
        await connection.execute(text("INSERT INTO contact_groups (name) VALUES ('虚构组')"))


def forms(page: str) -> list[tuple[str, dict[str, str], set[str]]]:
    """Each form that posts: where to, its values, and the fields that take any text."""
    found = []
    for form in html.fromstring(page).xpath("//form[translate(@method,'POST','post')='post']"):
        values, free = {}, set()
        for one in form.xpath(".//input[@name] | .//textarea[@name] | .//select[@name] | .//button[@name]"):
            name, kind = one.get("name"), one.get("type", "text")
            if one.tag == "select":
                chosen = one.xpath("./option[@selected]/@value") or one.xpath(".//option/@value") or [""]
                values[name] = chosen[0]
            elif one.tag == "textarea" or kind in TEXT:
                values[name] = one.get("value") or one.text or ""
            else:
                values.setdefault(name, one.get("value", "on"))
            free.add(name)
        if form.get("action"):
            found.append((form.get("action"), values, free - KEPT))
    return found


def filled_in(
    values: dict[str, str], free: set[str], words: str
) -> Iterator[tuple[set[str], dict[str, str]]]:
    """The form with a text in all fields that take any, then in each of them alone."""
    for fields in (free, *({name} for name in free)):
        yield fields, values | dict.fromkeys(fields, words) | {"once": f"n{time.monotonic_ns()}"}


@pytest.fixture
async def known(filled, visitor, desk):
    """Every form that somebody sees, each once, and the browser of who sees it."""
    everybody = await visitor("all")
    found = {}
    for path in PAGES:
        answer = await everybody.get(path)
        assert answer.status == 200, path
        for action, values, free in forms(answer.text):
            key = (re.sub(r"\d+", "N", action), tuple(sorted(values)))
            if not action.endswith(LEAVES):
                found.setdefault(key, (action, values, free))
    return everybody, list(found.values())


@pytest.fixture
async def desk(desk):
    from gateway.store.desk import Person

    await desk.set_person(Person("all", "虚构 all", tuple(sorted(ROLES)), active=True))
    return desk


class TestEveryForm:
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
    async def test_takes_any_text_for_what_it_is(self, known, lines, hostile):
        browser, posts = known
        assert len(posts) > 25
        faults = []
        for action, values, free in posts:
            for fields, given in filled_in(values, free, hostile):
                answer = await browser.post(action, given)
                if answer.status >= 500:
                    faults.append((action, sorted(fields), answer.status))
                shown = answer.text or (await browser.get(answer.location)).text
                if "7*7" in hostile and re.search(r"(?<!\d)49\$|\$49", shown):
                    faults.append((action, sorted(fields), "evaluated"))
                assert "\n" not in answer.location
        assert faults == []
        for line in lines().splitlines():
            assert isinstance(json.loads(line)["event"], str)
            assert "forged" not in json.loads(line)["event"]

    @pytest.mark.benchmark
    @pytest.mark.timeout(1200)
    async def test_is_held_up_by_none(self, known):
        browser, posts = known
        slow = []
        for case, words in {"harmless": "虚构", **HOSTILE}.items():
            spent = []
            for action, values, free in posts:
                for fields, given in filled_in(values, free, words):
                    began = time.perf_counter()
                    await browser.post(action, given)
                    spent.append((time.perf_counter() - began) * 1000)
                    late = spent[-1] > PROMISED_MS and case in HOSTILE
                    slow += [(spent[-1], action, sorted(fields), case)] if late else []
            middle, worst = statistics.median(spent), max(spent)
            print(f"\n{case}: {len(spent)} posts, median {middle:.1f} ms, worst {worst:.0f} ms")  # noqa: T201
        assert slow == []
