"""The door of the console: signing in and out, one-time codes, the own account, the second factor."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pyotp
import pytest
from multidict import MultiDict, MultiDictProxy
from yarl import URL

from gateway.accounts import invitations, sessions
from gateway.accounts.enrolment import enrol
from gateway.accounts.sealing import Owner
from gateway.accounts.sessions import Origin
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import SYSTEM, step
from gateway.store import accounts as store
from gateway.store import audit
from gateway.store.desk import Person
from gateway.web.console import app, proof
from gateway.web.console.routing import Routes
from gateway.web.console.visit import Visit

if TYPE_CHECKING:
    from gateway.web.console import Console

PASSWORD, KEY = "invented teapot over marsh", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
NEW = "another invented ladder, moon"


@pytest.fixture
def code(clock):
    return lambda key=KEY: pyotp.TOTP(key).at(clock.now())


@pytest.fixture
async def accounts(console: Console) -> None:
    async with console.database.begin() as connection:
        for login in ("author", "leader", "admin", "nobody"):
            await enrol(connection, console.sealing, login, PASSWORD, KEY, console.clock.now())


@pytest.fixture
async def come(visitor, accounts, code):
    """Signs somebody in through the page and returns browser and answer."""

    async def signed_in(login: str = "author", password: str = PASSWORD, digits: str | None = None, **more):
        browser = await visitor(None)
        form = {"login": login, "password": password, "code": code() if digits is None else digits} | more
        return browser, await browser.post("/sign-in", form)

    return signed_in


class TestComingIn:
    @pytest.mark.parametrize(
        ("login", "first_page"), [("author", "/desk/"), ("leader", "/desk/lead"), ("nobody", "/desk/me")]
    )
    async def test_the_first_page_is_one_that_the_roles_allow(self, come, login, first_page):
        browser, answer = await come(login)
        assert (answer.status, answer.location) == (303, first_page)
        assert (await browser.get("/me")).status == 200

    async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(self, come):
        _, answer = await come()
        for cookie in answer.headers.getall("Set-Cookie"):
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert "Path=/" in cookie
            assert "Domain" not in cookie

    async def test_by_tls_its_name_demands_tls(self, come, console, settings):
        settings.web.public_url = "https://desk.example.org"
        _, answer = await come()
        cookies = answer.headers.getall("Set-Cookie")
        assert all(one.startswith("__Host-tongda") and "Secure" in one for one in cookies)

    async def test_wrong_is_told_in_the_same_words_with_the_form(self, come):
        told = set()
        for login, password in (("author", "wrong"), ("nobody-such", PASSWORD), ("'; --", PASSWORD)):
            _, answer = await come(login, password)
            assert answer.status == 422
            assert PASSWORD not in answer.text
            told.add(re.search(r'role="alert">([^<]+)<', answer.text)[1])
        assert told == {"Login, password or code is wrong. Each code is taken once: wait for the next one."}

    async def test_too_many_tries_are_told_with_the_time_to_wait(self, come):
        for _ in range(3):
            await come(password="wrong")
        _, answer = await come()
        assert answer.status == 429
        assert "wait 2 seconds" in answer.text

    async def test_hostile_text_stands_there_as_text(self, come):
        _, answer = await come('"><script>alert(1)</script>{{7*7}}')
        assert "<script>alert" not in answer.text
        assert "{{7*7}}" in answer.text

    @pytest.mark.parametrize("field", ["login", "password", "code", "next"])
    async def test_what_no_database_keeps_is_refused(self, visitor, accounts, field):
        browser = await visitor(None)
        answer = await browser.post(
            "/sign-in", {"login": "author", "password": "x", "code": "1"} | {field: "a\0b"}
        )
        assert answer.status == 400

    async def test_one_leads_to_what_was_asked_for(self, come, visitor):
        asked = await (await visitor(None)).get("/alerts?state=draft")
        assert asked.location == "/desk/sign-in?next=/desk/alerts?state%3Ddraft"
        _, answer = await come(next="/desk/alerts?state=draft")
        assert answer.location == "/desk/alerts?state=draft"

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://elsewhere.example.org/desk/",
            "//elsewhere.example.org",
            "/desk//elsewhere.example.org",
            "/desk/\\elsewhere.example.org",
            "/desk/\r\nSet-Cookie: a=b",
            "/elsewhere",
            "javascript:alert(1)",
        ],
    )
    async def test_and_nowhere_else(self, come, elsewhere):
        _, answer = await come(next=elsewhere)
        assert answer.location == "/desk/"

    async def test_who_is_signed_in_is_not_asked_again(self, come):
        browser, _ = await come()
        assert (await browser.get("/sign-in?next=/desk/alerts")).location == "/desk/alerts"

    async def test_a_part_of_a_page_has_the_whole_page_changed(self, visitor):
        answer = await (await visitor(None)).get("/", **{"HX-Request": "true"})
        assert (answer.status, answer.headers["HX-Redirect"]) == (401, "/desk/sign-in")


class TestGoingOut:
    """S3: a cookie is worth nothing after signing out or being put out, and none can be planted."""

    async def test_the_cookie_is_worth_nothing_afterwards(self, come, server):
        browser, answer = await come()
        token = re.search(r"tongda=([^;]+)", answer.headers.getall("Set-Cookie")[0])[1]
        assert (await browser.post("/sign-out")).location == "/desk/sign-in"
        kept = await browser.get("/", Cookie=f"tongda={token}")
        assert kept.location == "/desk/sign-in"

    async def test_a_second_click_is_no_fault(self, come):
        browser, _ = await come()
        await browser.post("/sign-out")
        assert (await browser.post("/sign-out")).location == "/desk/sign-in"

    async def test_whoever_is_put_out_is_out_with_the_next_click(self, come, desk):
        browser, _ = await come()
        await desk.set_person(Person("author", "虚构", ("author",), active=False))
        assert (await browser.get("/")).location == "/desk/sign-in"

    async def test_a_token_that_was_planted_is_not_taken_over(self, visitor, accounts, code):
        browser = await visitor("first")
        planted = browser.session.cookie_jar.filter_cookies(URL(browser.origin))["tongda"].value
        await browser.post("/sign-in", {"login": "author", "password": PASSWORD, "code": code()})
        stranger = await visitor(None)
        assert (await stranger.get("/me", Cookie=f"tongda={planted}")).location.startswith("/desk/sign-in")
        given = browser.session.cookie_jar.filter_cookies(URL(browser.origin))["tongda"].value
        assert given != planted


class TestWelcome:
    async def test_three_steps_lead_from_the_code_to_the_board(self, visitor, console, code, desk):
        async with step(console.database, SYSTEM, console.clock.now(), console.office.policy) as one:
            invitation = await invitations.invite(one, "author", "invite")
        browser = await visitor(None)
        answer = await browser.post("/welcome", {"invitation": invitation})
        assert "虚构 author" in answer.text
        form = {"invitation": invitation, "password": NEW, "again": NEW}
        answer = await browser.post("/welcome/password", form | {"again": "other"})
        assert (answer.status, "The two passwords differ." in answer.text) == (422, True)
        answer = await browser.post("/welcome/password", form)
        key = re.search(r'class="mono">([A-Z2-7 ]+)<', answer.text)[1].replace(" ", "")
        answer = await browser.post("/welcome/factor", {"invitation": invitation, "code": "000000"})
        assert key in answer.text.replace(" ", "")
        answer = await browser.post("/welcome/factor", {"invitation": invitation, "code": code(key)})
        assert answer.location == "/desk/"
        assert (await browser.get("/")).status == 200

    async def test_a_first_administrator_chooses_login_and_name(self, visitor, console, code):
        invitation = await invitations.first_code(console.database, console.clock.now())
        browser = await visitor(None)
        assert 'name="login"' in (await browser.post("/welcome", {"invitation": invitation})).text
        form = {
            "invitation": invitation,
            "password": NEW,
            "again": NEW,
            "login": "li.ming",
            "name": "虚构 李明",
        }
        answer = await browser.post("/welcome/password", form)
        key = re.search(r'class="mono">([A-Z2-7 ]+)<', answer.text)[1].replace(" ", "")
        await browser.post("/welcome/factor", {"invitation": invitation, "code": code(key)})
        async with console.database.begin() as connection:
            sealed = (await store.account(connection, "li.ming")).totp_key
            assert console.sealing.open(sealed, Owner("account", "li.ming")) == key
            assert (await audit.verify(connection)).broken_at is None

    async def test_a_code_that_does_not_hold_says_so(self, visitor):
        answer = await (await visitor(None)).post("/welcome", {"invitation": "AAAAA-BBBBB"})
        assert "This code does not hold" in answer.text


class TestOneself:
    async def test_own_sessions_are_shown_and_ended(self, come, visitor):
        browser, _ = await come()
        other = await visitor("author")
        page = (await browser.get("/me")).text
        assert "invented browser" in page
        foreign = await visitor("first")
        theirs = re.search(r'name="session" value="(\d+)"', (await foreign.get("/me")).text)[1]
        assert (await browser.post("/me/sessions/end", {"session": theirs})).status == 422
        assert (await foreign.get("/me")).status == 200
        assert (await browser.post("/me/sessions/end", {"session": "others"})).status == 303
        assert (await other.get("/me")).status == 303
        assert (await browser.get("/me")).status == 200

    @pytest.mark.parametrize("number", ["", "x", "9" * 30, "-1"])
    async def test_what_is_no_session_is_refused(self, come, number):
        browser, _ = await come()
        assert (await browser.post("/me/sessions/end", {"session": number})).status == 422

    async def test_the_password_is_changed_with_the_old_one_and_a_code(self, come, clock, code):
        browser, _ = await come()
        form = {"current": PASSWORD, "password": NEW, "again": NEW, "code": code()}
        assert "wrong or was used" in (await browser.post("/me/password", form)).text
        clock.advance(30)
        assert (await browser.post("/me/password", form | {"code": code()})).status == 303
        clock.advance(30)
        _, answer = await come()
        assert answer.status == 422
        _, answer = await come(password=NEW)
        assert answer.status == 303

    async def test_another_phone_takes_the_code_of_the_old_one(self, come, clock, code):
        browser, _ = await come()
        clock.advance(600)
        answer = await browser.post("/me/factor/new")
        assert 'action="/desk/me/factor/new"' in answer.text
        assert (await browser.post("/me/factor/new", {"code": code()})).location == "/desk/me/factor"
        page = (await browser.get("/me/factor")).text
        key = re.search(r'class="mono">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
        clock.advance(30)
        assert (await browser.post("/me/factor", {"code": code()})).status == 422
        assert (await browser.post("/me/factor", {"code": code(key)})).status == 303
        clock.advance(30)
        _, answer = await come(digits=code(key))
        assert answer.status == 303

    async def test_a_key_that_was_offered_and_left_is_no_way_in_for_who_comes_later(
        self, come, clock, code, database, console
    ):
        browser, _ = await come()
        await browser.post("/me/factor/new")
        async with database.raw() as connection:
            sealed = await connection.fetchval("SELECT next_totp_key FROM accounts WHERE login = 'author'")
        key = console.sealing.open(sealed, Owner("offer", "author"))
        clock.advance(301)
        assert "data:image" not in (await browser.get("/me/factor")).text
        answer = await browser.post("/me/factor", {"code": code(key)})
        assert answer.status == 422
        assert "begin again" in answer.text
        async with database.raw() as connection:
            kept = await connection.fetchval("SELECT totp_key FROM accounts WHERE login = 'author'")
        assert console.sealing.open(kept, Owner("account", "author")) == KEY


class TestProof:
    @pytest.fixture
    def taken(self, monkeypatch) -> list[str]:
        """The console with one more step, which needs proof and keeps what it was sent."""
        routes, came = Routes(), []

        @routes.post("/invented/step", "draft", proved=True)
        async def take(visit: Visit):
            came.append(await visit.text("reason"))
            return visit.go("/")

        pages = (*app.PAGES, SimpleNamespace(routes=routes))
        monkeypatch.setattr(app, "PAGES", pages)
        return came

    async def test_a_step_waits_for_the_code_and_keeps_what_was_typed(self, taken, come, clock, code):
        browser, _ = await come()
        clock.advance(301)
        form = {"reason": '"><b>because', "once": "invented-number-1"}
        answer = await browser.post("/invented/step", form)
        assert answer.status == 422
        assert 'name="reason" value="&#34;&gt;&lt;b&gt;because"' in answer.text
        assert (await browser.post("/invented/step", form | {"code": "000000"})).status == 422
        assert taken == []
        for _ in range(2):  # a double click does it once
            assert (await browser.post("/invented/step", form | {"code": code()})).location == "/desk/"
        assert taken == ['"><b>because']

    async def test_a_code_of_a_moment_ago_is_enough_where_none_is_asked_for(self, taken, come, clock):
        browser, _ = await come()
        clock.advance(200)
        assert (await browser.post("/invented/step", {"reason": "a"})).status == 303

    async def visit(self, console, clock, form: dict[str, str]) -> Visit:
        async with console.database.begin() as connection:
            token = await sessions.open_session(
                connection, "author", clock.now(), Origin("127.0.0.1", "invented")
            )
        row = await sessions.find(console.database, token, clock.now())
        return Visit(console, None, clock.now(), row, "en", _form=MultiDictProxy(MultiDict(form)))  # type: ignore[arg-type]

    async def test_it_holds_for_five_minutes_unless_it_must_be_fresh(self, console, clock, accounts):
        visit = await self.visit(console, clock, {})
        assert await proof.proved(visit)
        assert not await proof.proved(visit, fresh=True)
        clock.advance(301)
        visit.now = clock.now()
        assert not await proof.proved(visit)

    async def test_a_right_code_in_the_form_is_fresh(self, console, clock, accounts, code):
        visit = await self.visit(console, clock, {"code": code()})
        assert await proof.proved(visit, fresh=True)

    async def test_a_wrong_one_is_refused_even_where_none_was_needed(self, console, clock, accounts):
        with pytest.raises(DeskRefused, match="code is wrong"):
            await proof.proved(await self.visit(console, clock, {"code": "000000"}))
