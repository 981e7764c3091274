"""What every request to the console goes through, over every route that there is."""

from __future__ import annotations

import re
from io import BytesIO
from types import SimpleNamespace

import pytest
from aiohttp import ClientSession, web

from gateway.store.desk import Person
from gateway.web.console import app, once
from gateway.web.console.errors import LARGEST_FORM
from gateway.web.console.routing import Routes
from tests.web.console.test_rights import filled

POSTS = [route for route in app.all_routes() if route.method == "POST"]
PAGES_FOR_STRANGERS = [
    route for route in app.all_routes() if route.method == "GET" and "anyone" in route.rights
]


class TestForeignPages:
    """S4: no step is taken for another site."""

    async def test_no_step_is_taken_for_one(self, visitor):
        browser = await visitor("both")
        own, done = browser.origin, []
        for route in POSTS:
            for headers in (
                {"Origin": "https://elsewhere.example.org"},
                {"Origin": "null"},
                {"Origin": own + ".elsewhere.example.org"},
                {"Origin": own, "Sec-Fetch-Site": "cross-site"},
                {"Origin": own, "Sec-Fetch-Site": "same-site"},
            ):
                answer = await browser.post(filled(route.path), {}, **headers)
                if answer.status != 403 or "another page than ours" not in answer.text:
                    done.append((route.path, headers, answer.status))
        assert done == []

    async def test_without_any_origin_nothing_is_done(self, visitor):
        browser = await visitor("author")
        async with browser.session.post(f"{browser.origin}/desk/sign-out", allow_redirects=False) as answer:
            assert answer.status == 403
        assert (await browser.get("/me")).status == 200


class TestHeaders:
    """S4: a strict policy on every page, no inline script or style."""

    @pytest.mark.parametrize("route", PAGES_FOR_STRANGERS, ids=lambda route: route.path)
    async def test_every_answer_has_them(self, visitor, route):
        answer = await (await visitor(None)).get(filled(route.path))
        policy = answer.headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"):
            assert part in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert not [name for name in answer.headers if name.startswith("Access-Control")]

    @pytest.mark.parametrize("path", ["/", "/me", "/sign-in", "/welcome", "/no-such-page"])
    async def test_pages_have_no_inline_script_or_style_and_are_not_kept(self, visitor, path):
        answer = await (await visitor("author" if path in {"/", "/me"} else None)).get(path)
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)
        assert answer.headers["Cache-Control"] == "no-store"

    @pytest.fixture
    def by_tls(self, settings) -> None:
        settings.web.public_url = "https://desk.example.org"

    async def test_by_tls_browsers_are_told_to_stay_with_it(self, by_tls, visitor):
        answer = await (await visitor(None)).get("/sign-in")
        assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


class TestErrors:
    @pytest.fixture
    def faulty(self, monkeypatch) -> None:
        """The console with pages that fail in each way."""
        routes = Routes()

        @routes.get("/invented/broken", "see")
        async def broken(visit):
            raise RuntimeError("an invented secret of our inside")

        @routes.get("/invented/foreign", "see")
        async def foreign(visit):
            raise web.HTTPNotFound

        @routes.get(r"/invented/{id:\d+}", "see")
        async def number(visit):
            return visit.go(f"/{visit.number()}")

        @routes.post("/invented/form", "draft")
        async def form(visit):
            await visit.form()
            return visit.go("/")

        monkeypatch.setattr(app, "PAGES", (*app.PAGES, SimpleNamespace(routes=routes)))

    @pytest.mark.parametrize(
        ("method", "path", "status", "words"),
        [
            ("get", "/no/such/page", 404, "此处没有内容"),
            ("get", "/invented/foreign", 404, "此处没有内容"),
            ("get", "/invented/99999999999999999999", 404, "此处没有内容"),
            ("post", "/", 405, "不接受该操作"),
            ("get", "/invented/broken", 500, "系统内部出错"),
        ],
    )
    async def test_each_is_a_page_in_the_persons_language(self, faulty, visitor, method, path, status, words):
        answer = await getattr(await visitor("author", "zh-CN"), method)(path)
        assert answer.status == status
        assert words in answer.text
        assert "虚构 author" in answer.text
        assert "RuntimeError" not in answer.text
        assert "invented secret" not in answer.text
        assert answer.headers["Content-Type"].startswith("text/html")

    async def test_strangers_see_them_without_the_desk(self, visitor):
        answer = await (await visitor(None)).get("/no/such/page")
        assert answer.status == 404
        assert "Watch board" not in answer.text

    async def test_a_form_with_its_files_may_be_large_but_not_too_large(self, faulty, visitor):
        browser = await visitor("author")
        small, large = (BytesIO(b"a" * (LARGEST_FORM + more)) for more in (-(2**20), 2**20))
        assert (await browser.post("/invented/form", {"file": small})).status == 303
        answer = await browser.post("/invented/form", {"file": large})
        assert answer.status == 413
        assert "at most 12 MB" in answer.text

    async def test_a_strangers_form_is_small(self, visitor):
        answer = await (await visitor(None)).post("/sign-in", {"login": BytesIO(b"a" * 2**21)})
        assert answer.status == 413

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/x-www-form-urlencoded", b"reason=\xff\xfe"),
            ("application/x-www-form-urlencoded; charset=no-such", b"reason=a"),
            ("application/x-www-form-urlencoded", b"reason=a%00b"),
            ("multipart/form-data", b"no boundary"),
            ("multipart/form-data; boundary=x", b"--x\r\nbroken"),
        ],
    )
    async def test_what_is_no_form_is_refused_with_a_page(self, faulty, visitor, kind, body):
        browser = await visitor("author")
        async with browser.session.post(
            f"{browser.origin}/desk/invented/form",
            data=body,
            headers={"Content-Type": kind, "Origin": browser.origin},
            allow_redirects=False,
        ) as answer:
            assert answer.status == 400
            assert "cannot be read" in await answer.text()

    async def test_an_address_with_what_no_database_keeps_is_refused_too(self, visitor):
        answer = await (await visitor("registrar")).get("/people?q=%00")
        assert answer.status == 400
        assert "cannot be read" in answer.text


class TestOneForm:
    """A form's own number, when people share a machine and when the database goes away."""

    @pytest.fixture
    def taken(self, console, monkeypatch) -> list[str]:
        """The console with one more step, which breaks off the database as its form says."""
        routes, came = Routes(), []

        @routes.post("/invented/step", "see")
        async def take(visit):
            came.append(visit.login)
            match await visit.text("after"):
                case "cut":
                    raise OSError("an invented line that broke")
                case "gone":
                    async with console.database.raw() as connection:
                        await connection.execute("DROP TABLE posts_done")
            return visit.go("/done")

        monkeypatch.setattr(app, "PAGES", (*app.PAGES, SimpleNamespace(routes=routes)))
        monkeypatch.setattr(once, "_LOOKS", 1)
        return came

    async def test_of_another_person_is_another_one(self, taken, visitor):
        form = {"once": once.number()}
        for login in ("author", "first", "author"):
            answer = await (await visitor(login)).post("/invented/step", form)
            assert answer.location == "/desk/done"
        assert taken == ["author", "first"]

    async def test_whose_outcome_nobody_knows_is_not_sent_again(self, taken, visitor):
        browser, form = await visitor("author"), {"once": once.number(), "after": "cut"}
        answer = await browser.post("/invented/step", form)
        assert answer.status == 503
        assert "Look whether it was done" in answer.text
        assert (await browser.post("/invented/step", form)).status == 409
        assert taken == ["author"]

    async def test_what_was_done_is_told_even_where_it_cannot_be_noted(self, taken, visitor):
        form = {"once": once.number(), "after": "gone"}
        answer = await (await visitor("author")).post("/invented/step", form)
        assert answer.location == "/desk/done"


class TestOpenLines:
    @pytest.mark.parametrize(
        "host", ["192.0.2.7:8080", "desk.example.org", "[2001:db8::1]:8080", "x y", "127.evil.example.org"]
    )
    async def test_without_tls_the_console_is_for_this_machine(self, visitor, host):
        browser = await visitor("author")
        for answer in (await browser.get("/", Host=host), await browser.get("/sign-in", Host=host)):
            assert answer.status in {400, 403}
            assert 'name="password"' not in answer.text

    @pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "[::1]:8080", "127.8.9.1"])
    async def test_of_this_machine_are(self, visitor, host):
        assert (await (await visitor("author")).get("/me", Host=host)).status == 200

    async def test_where_it_is_allowed_every_page_warns_of_it(self, settings, visitor):
        settings.console.plain_http = True
        answer = await (await visitor(None)).get("/sign-in", Host="desk.example.org")
        assert "Everybody on the network can read" in answer.text
        answer = await (await visitor(None)).get("/sign-in")
        assert "Everybody on the network can read" not in answer.text

    async def test_and_a_form_of_ours_is_known_by_its_origin(self, settings, visitor):
        settings.console.plain_http = True
        browser = await visitor("author")
        here = {"Host": "desk.example.org:8080"}
        own = {"Origin": "http://desk.example.org:8080"}
        assert (await browser.post("/language", {"language": "en"}, **here, **own)).status == 303
        foreign = {"Origin": "http://elsewhere.example.org:8080"}
        assert (await browser.post("/language", {"language": "en"}, **here, **foreign)).status == 403

    async def test_behind_a_proxy_its_word_about_the_address_counts_if_set(self, settings, visitor, database):
        for behind, kept in ((False, "127.0.0.1"), (True, "203.0.113.5")):
            settings.console.behind_proxy = behind
            for _ in range(3):
                form = {"login": "author", "password": "wrong", "code": "1"}
                browser = await visitor(None)
                answer = await browser.post(
                    "/sign-in", form, **{"X-Forwarded-For": f"198.51.100.{_}, 203.0.113.5"}
                )
                assert answer.status == 422, kept
            answer = await browser.post("/sign-in", form, **{"X-Forwarded-For": "192.0.2.1, 203.0.113.5"})
            assert answer.status == 429


class TestSessions:
    async def test_each_limit_is_the_settings(self, settings, visitor, clock):
        settings.console.idle_minutes = 30
        browser = await visitor("author")
        clock.advance(29 * 60)
        assert (await browser.get("/me")).status == 200
        clock.advance(31 * 60)
        assert (await browser.get("/me")).location.startswith("/desk/sign-in")

    @pytest.mark.parametrize("headers", [{"HX-Request": "true"}, {"Accept": "text/event-stream"}], ids=str)
    async def test_an_open_page_does_not_keep_one_alive(self, visitor, clock, headers):
        browser = await visitor("author")
        for _ in range(3):
            clock.advance(50 * 60)
            await browser.get("/channels", **headers)
        assert (await browser.get("/me")).location.startswith("/desk/sign-in")

    async def test_somebody_without_a_second_factor_can_only_set_one_up(self, visitor, console, database):
        browser = await visitor("author")
        async with database.raw() as connection:
            await connection.execute("UPDATE sessions SET limited = true")
        assert (await browser.get("/")).location == "/desk/me/factor"
        assert (await browser.post("/language", {"language": "en"})).status == 303
        assert (await browser.post("/me/factor/new")).location == "/desk/me/factor"
        assert "You can work here once" in (await browser.get("/me/factor")).text

    async def test_random_tokens_open_nothing(self, server):
        url = server.make_url("/desk/me")
        async with ClientSession() as session:
            for token in ("", "x", "a" * 43, "' OR 1=1 --", "%00", "é"):
                headers = {"Cookie": f"tongda={token}"}
                async with session.get(url, headers=headers, allow_redirects=False) as answer:
                    assert answer.status == 303

    async def test_rights_are_those_of_this_moment(self, visitor, desk):
        browser = await visitor("auditor")
        assert (await browser.get("/")).status == 200
        await desk.set_person(Person("auditor", "虚构", (), active=True))
        assert (await browser.get("/")).status == 303
