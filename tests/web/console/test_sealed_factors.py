"""S7: what somebody is shown to scan lies nowhere in the database, at whatever page they stop."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack

import pyotp
import pytest
from aiohttp import ClientSession, CookieJar
from aiohttp.test_utils import TestServer
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.accounts import invitations
from gateway.accounts.sealing import Sealing
from gateway.desk.steps import SYSTEM, step
from gateway.web import make_app
from tests.accounts.canary import files_with, shapes, tables_with
from tests.web.conftest import RecordingSink
from tests.web.console.conftest import Answer, Visitor

PASSWORD = "an invented teapot over marsh"


def shown(answer: Answer) -> str:
    """The key that a page shows for those who type it."""
    return re.search(r'class="mono">([A-Z2-7 ]+)<', answer.text)[1].replace(" ", "")


@pytest.fixture
def code(clock):
    return lambda key: pyotp.TOTP(key).at(clock.now())


@pytest.fixture
def welcome(visitor, console):
    """Leads somebody with a new code as far as the key, and returns browser, code and key."""

    async def begin(who: str | None, **more: str) -> tuple[Visitor, str, str]:
        if who is None:
            invitation = await invitations.first_code(console.database, console.clock.now())
        else:
            async with step(console.database, SYSTEM, console.clock.now(), console.office.policy) as one:
                invitation = await invitations.invite(one, who, "invite")
        browser = await visitor(None)
        form = {"invitation": invitation, "password": PASSWORD, "again": PASSWORD} | more
        return browser, invitation, shown(await browser.post("/welcome/password", form))

    return begin


@pytest.fixture
def enrolled(welcome, code, clock):
    """Makes an account through the pages, and returns the browser that is signed in, and the key."""

    async def enrol(who: str | None, **more: str) -> tuple[Visitor, str]:
        browser, invitation, key = await welcome(who, **more)
        answer = await browser.post("/welcome/factor", {"invitation": invitation, "code": code(key)})
        assert answer.status == 303
        clock.advance(30)
        return browser, key

    return enrol


class TestACanary:
    async def test_is_nowhere_from_the_invitation_to_another_phone(
        self, welcome, enrolled, visitor, code, clock, database
    ):
        with capture_logs() as lines:
            _, _, left = await welcome("first")
            browser, key = await enrolled("author")
            form = {"login": "author", "password": PASSWORD, "code": code(key)}
            assert (await (await visitor(None)).post("/sign-in", form)).status == 303
            clock.advance(30)
            assert (await browser.post("/me/factor/new", {"code": code(key)})).location == "/desk/me/factor"
            offered = shown(await browser.get("/me/factor"))
            keys = (left, key, offered)
            assert len(set(keys)) == 3
            assert await tables_with(database, *keys) == set()
            assert (await browser.post("/me/factor", {"code": code(offered)})).status == 303
        assert await tables_with(database, *keys) == set()
        assert await files_with(database, *keys) == set()
        assert not [one for key in keys for one in shapes(key) if one in repr(lines)]

    async def test_of_the_first_administrator_is_nowhere(self, enrolled, database):
        _, key = await enrolled(None, login="li.ming", name="虚构 李明")
        assert await tables_with(database, key) == set()


class TestAnotherHost:
    """The same database, served with other keys."""

    @pytest.fixture
    async def host(self, console, redis_url):
        """Serves the console with other keys, and returns the browser of a stranger there."""
        async with AsyncExitStack() as stack:
            redis = await stack.enter_async_context(Redis.from_url(redis_url))

            async def serve(sealing: Sealing) -> Visitor:
                other = console._replace(sealing=sealing)
                app = make_app(
                    console.settings, console.database, redis, RecordingSink(), console.clock, console=other
                )
                server = await stack.enter_async_context(TestServer(app))
                jar = CookieJar(unsafe=True)
                session = ClientSession(cookies={"tongda_language": "en"}, cookie_jar=jar)
                await stack.enter_async_context(session)
                return Visitor(session, str(server.make_url("")).rstrip("/"))

            yield serve

    async def test_with_a_newer_key_and_this_one_goes_on_where_this_one_stopped(
        self, host, welcome, code, clock, console
    ):
        _, invitation, key = await welcome("author")
        ours = (console.settings.state_dir / "keys" / "factor_key").read_bytes()
        there = await host(Sealing(b"an invented newer key", [ours]))
        answer = await there.post("/welcome/factor", {"invitation": invitation, "code": code(key)})
        assert answer.status == 303
        clock.advance(30)
        assert (await there.post("/me/factor/new", {"code": code(key)})).location == "/desk/me/factor"

    async def test_without_this_key_lets_nobody_in_in_the_ordinary_words(self, host, enrolled, visitor, code):
        browser, key = await enrolled("author")
        form = {"login": "author", "password": PASSWORD, "code": code(key)}
        there = await host(Sealing(b"an invented key of another host"))
        with capture_logs() as lines:
            answer = await there.post("/sign-in", form)
        assert (answer.status, "Login, password or code is wrong." in answer.text) == (422, True)
        assert [line["login"] for line in lines if line["log_level"] == "error"] == ["author"]
        assert (await (await visitor(None)).post("/sign-in", form)).status == 303
        assert (await browser.get("/me")).status == 200
