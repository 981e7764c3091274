"""The console on a real port: an invented county, its desk, and browsers of its people."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pyotp
import pytest
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis
from sqlalchemy import insert

from gateway.accounts.sealing import Owner, sealing_of
from gateway.accounts.sessions import Origin, open_session
from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.feeds.by_hand import ByHand
from gateway.settings import Settings, load_settings
from gateway.store.console_tables import accounts
from gateway.store.database import Database
from gateway.store.desk import Person
from gateway.web import make_app
from gateway.web.console import Console
from tests.desk.conftest import PEOPLE, START, fill, make_office
from tests.web.conftest import CONFIRM, RecordingSink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROLES = PEOPLE | {
    "admin": ("administrator",),
    "registrar": ("registrar",),
    "leader": ("leader",),
    "nobody": (),
}
"""Everybody of the invented desk, by login."""
KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
"""An invented second factor, the same for everybody of the invented desk."""


class Answer:
    """What a page said."""

    def __init__(self, status: int, text: str, headers, url: str) -> None:
        self.status, self.text, self.headers, self.url = status, text, headers, url

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    def once(self) -> str:
        """The number of the first form that has one."""
        return re.search(r'name="once" value="([^"]+)"', self.text)[1]


def form_of(page: Answer, action: str) -> dict[str, str]:
    """The hidden fields of the page's form for an address, as a browser sends them."""
    inside = page.text.partition(f'action="/desk{action}"')[2].partition("</form>")[0]
    assert inside, action
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', inside)
    return {name: html.unescape(value) for name, value in fields}


class Visitor:
    """A browser of one person; redirects are shown and not followed."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self.session, self.origin = session, origin

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._ask("GET", path, None, headers)

    async def post(self, path: str, form: dict | None = None, **headers: str) -> Answer:
        return await self._ask("POST", path, form or {}, {"Origin": self.origin} | headers)

    async def press(self, page: str, action: str, form: dict | None = None) -> Answer:
        """Send a form of a page with its hidden fields, as a click does."""
        return await self.post(action, form_of(await self.get(page), action) | (form or {}))

    async def _ask(self, method: str, path: str, form: object, headers: dict[str, str]) -> Answer:
        url = f"{self.origin}{path if path.startswith('/desk') else f'/desk{path}'}"
        async with self.session.request(
            method, url, data=form, headers=headers, allow_redirects=False
        ) as response:
            return Answer(response.status, await response.text(), response.headers, str(response.url))


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(state_dir=tmp_path / "state", secrets={"confirm_key": CONFIRM})


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=12) as opened:
        await fill(opened)
        yield opened


@pytest.fixture
async def desk(database: Database, clock: HandClock) -> Desk:
    made = Desk(database, clock, make_office())
    for login, roles in ROLES.items():
        await made.set_person(Person(login, f"虚构 {login}", roles, active=True))
    return made


@pytest.fixture
async def code(database, desk, clock, settings) -> str:
    """One code, which each person may use once."""
    async with database.begin() as connection:
        for login in ("first", "second", "third", "sender", "author"):
            sealed = sealing_of(settings).seal(KEY, Owner("account", login))
            row = {"login": login, "totp_key": sealed, "created_at": clock.now()}
            await connection.execute(insert(accounts).values(row))
    clock.advance(30)
    return pyotp.TOTP(KEY).at(int(clock.now().timestamp()))


@pytest.fixture
def console(settings, database, desk, clock) -> Console:
    by_hand = ByHand(database, clock, desk, settings)
    return Console(settings, database, desk, by_hand, clock, sealing_of(settings))


@pytest.fixture
async def server(console: Console, redis_url: str) -> AsyncIterator[TestServer]:
    async with Redis.from_url(redis_url) as redis:
        app = make_app(
            console.settings, console.database, redis, RecordingSink(), console.clock, console=console
        )
        async with TestServer(app) as started:
            yield started


@pytest.fixture
async def visitor(server: TestServer, console: Console):
    """Gives the browser of a person who is signed in, or of a stranger."""
    opened: list[ClientSession] = []

    async def visit(login: str | None, language: str = "en") -> Visitor:
        cookies = {"tongda_language": language}
        if login is not None:
            async with console.database.begin() as connection:
                origin = Origin("127.0.0.1", "invented browser")
                cookies["tongda"] = await open_session(connection, login, console.clock.now(), origin)
        session = ClientSession(cookies=cookies, cookie_jar=CookieJar(unsafe=True))
        opened.append(session)
        return Visitor(session, str(server.make_url("")).rstrip("/"))

    yield visit
    for session in opened:
        await session.close()
