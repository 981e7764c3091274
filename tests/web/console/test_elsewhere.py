"""Signing in by way of an OpenID Connect provider: one of our own, on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets

import orjson
import pyotp
import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from yarl import URL

from gateway.accounts.enrolment import enrol
from gateway.accounts.settings import OidcSettings
from gateway.store.desk import Person

CLIENT, SECRET = "tongda", "an invented secret of a client"
OURS, FOREIGN = (RSAKey.generate_key(2048, {"kid": "invented"}, auto_kid=False) for _ in range(2))


class Provider:
    """Says who somebody is, rightly or, as told, wrongly."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.login = "author"
        self.claims: dict = {}
        self.header = {"alg": "RS256", "kid": "invented"}
        self.key = OURS
        self.about: dict = {}
        self.status = 200
        self._asked: dict = {}

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._describe),
                web.get("/authorize", self._authorize),
                web.post("/token", self._token),
                web.get("/keys", self._keys),
            ]
        )
        return app

    async def _describe(self, request: web.Request) -> web.Response:
        self.url = f"http://{request.host}"
        about = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }
        return web.json_response(about | self.about)

    async def _authorize(self, request: web.Request) -> web.Response:
        code = secrets.token_urlsafe(8)
        self._asked[code] = dict(request.query)
        back = URL(request.query["redirect_uri"]).with_query(code=code, state=request.query["state"])
        return web.Response(status=302, headers={"Location": str(back)})

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self._asked.pop(form["code"], {})
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        fits = asked.get("code_challenge") == challenge.rstrip(b"=").decode()
        known = request.headers["Authorization"] == encode_basic_auth(CLIENT, SECRET)
        if not fits or not known or form["redirect_uri"] != asked["redirect_uri"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "preferred_username": self.login,
        }
        token = jwt.encode(self.header, claims | self.claims, self.key, algorithms=[self.header["alg"]])
        return web.json_response({"id_token": token, "access_token": "x"}, status=self.status)

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        """Give the keys in pieces, as a long answer comes."""
        response = web.StreamResponse()
        await response.prepare(request)
        for part in (b'{"keys": [', orjson.dumps(OURS.as_dict(private=False)), b"]}"):
            await response.write(part)
            await asyncio.sleep(0.02)
        return response


@pytest.fixture
async def provider(clock, settings):
    made = Provider(clock)
    async with TestServer(made.application()) as server:
        settings.console.oidc = OidcSettings(
            issuer=str(server.make_url("")).rstrip("/"), client_id=CLIENT, client_secret=SECRET
        )
        yield made


@pytest.fixture
async def come(provider, visitor, settings, server):
    """Goes to the provider and back; returns the browser and the answer."""
    settings.web.public_url = str(server.make_url("")).rstrip("/")

    async def through(way: str = "", **changed: str):
        browser = await visitor(None)
        left = await browser.get(f"/sign-in/elsewhere?next={way}")
        assert left.status == 303, left.text
        async with browser.session.get(left.location, allow_redirects=False) as answer:
            back = URL(answer.headers["Location"])
        return browser, await browser.get(str(back.update_query(changed).relative()))

    return through


class TestTheWay:
    async def test_who_works_here_is_let_in_and_led_on(self, come, console, clock):
        async with console.database.begin() as connection:
            key = pyotp.random_base32()
            await enrol(connection, console.sealing, "author", "unused invented ladder", key, clock.now())
        browser, answer = await come("/desk/alerts")
        assert answer.status == 200
        assert 'url=/desk/alerts"' in answer.text
        assert (await browser.get("/alerts")).status == 200

    async def test_without_our_second_factor_one_is_set_up_first(self, come, clock):
        browser, answer = await come()
        assert 'url=/desk/me/factor"' in answer.text
        assert (await browser.get("/")).location == "/desk/me/factor"
        await browser.post("/me/factor/new")
        page = (await browser.get("/me/factor")).text
        key = re.search(r'class="mono">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
        await browser.post("/me/factor", {"code": pyotp.TOTP(key).at(clock.now())})
        assert (await browser.get("/")).status == 200

    async def test_the_provider_is_no_proof_of_our_second_factor(self, come, console):
        await come()
        async with console.database.raw() as connection:
            proved, created = await connection.fetchrow("SELECT proved_at, created_at FROM sessions")
        assert (created - proved).total_seconds() > 300

    async def test_without_the_setting_there_is_no_such_way(self, visitor):
        browser = await visitor(None)
        assert (await browser.get("/sign-in/elsewhere")).status == 404
        assert (await browser.get("/sign-in/back?code=a&state=b")).status == 404
        assert "by way of" not in (await browser.get("/sign-in")).text

    async def test_the_sign_in_page_leads_there(self, provider, visitor):
        assert "/desk/sign-in/elsewhere" in (await (await visitor(None)).get("/sign-in")).text


class TestRefusals:
    @pytest.mark.parametrize(
        ("login", "words"),
        [
            ("stranger", "do not work at this desk"),
            ("gone", "do not work at this desk"),
            (None, "do not work at this desk"),
            (["author"], "do not work at this desk"),
        ],
    )
    async def test_who_does_not_work_here_is_not_let_in(self, come, provider, desk, login, words):
        await desk.set_person(Person("gone", "虚构", ("author",), active=False))
        provider.login = login
        browser, answer = await come()
        assert (answer.status, words in answer.text) == (403, True)
        assert (await browser.get("/")).status == 303

    @pytest.mark.parametrize("login", ["\N{KELVIN SIGN}im", "kim\0", " kim"])
    async def test_a_login_that_only_looks_like_one_of_ours_is_nobodys(self, come, provider, desk, login):
        await desk.set_person(Person("kim", "虚构", ("author",), active=True))
        provider.login = login
        _, answer = await come()
        assert (answer.status, "do not work at this desk" in answer.text) == (403, True)

    async def test_a_cookie_of_no_letters_is_no_ticket(self, provider, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        host = f"Host: 127.0.0.1:{server.port}\r\nConnection: close\r\n".encode()
        asked = b"GET /desk/sign-in/back?state=x HTTP/1.1\r\n" + host
        writer.write(asked + b"Cookie: tongda-ticket=\xff.b.c\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 403 ")
        writer.close()
        await writer.wait_closed()

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "https://elsewhere.example.org"},
            {"aud": "another"},
            {"aud": [CLIENT, "another"], "azp": "another"},
            {"exp": 1},
            {"nonce": "another"},
            {"nonce": None},
            {"iat": 2**40},
        ],
        ids=str,
    )
    async def test_a_token_that_is_not_for_this_question_is_refused(self, come, provider, claims):
        provider.claims = claims
        browser, answer = await come()
        assert (answer.status, "did not work" in answer.text) == (403, True)
        assert (await browser.get("/")).status == 303

    @pytest.mark.parametrize(
        ("key", "header"),
        [
            (FOREIGN, {"alg": "RS256", "kid": "invented"}),
            (OctKey.import_key("invented key of thirty-two bytes"), {"alg": "HS256", "kid": "invented"}),
            (OctKey.import_key("x" * 32), {"alg": "none"}),
            (ECKey.generate_key("P-256"), {"alg": "ES256", "kid": "other"}),
        ],
        ids=["another key", "a shared secret", "unsigned", "an unknown key"],
    )
    async def test_a_signature_that_is_not_the_providers_is_refused(self, come, provider, key, header):
        provider.key, provider.header = key, header
        _, answer = await come()
        assert answer.status == 403

    @pytest.mark.parametrize(
        "changed",
        [{"state": "another"}, {"code": "another"}, {"iss": "https://elsewhere.example.org"}],
        ids=str,
    )
    async def test_an_answer_to_another_question_is_refused(self, come, changed):
        _, answer = await come(**changed)
        assert answer.status == 403

    async def test_a_foreign_browser_is_not_signed_in_with_it(self, come, visitor, server):
        _, answer = await come()
        query = URL(answer.url).query_string
        assert (await (await visitor(None)).get(f"/sign-in/back?{query}")).status == 403

    @pytest.mark.parametrize(
        "about",
        [
            {"issuer": "https://elsewhere.example.org"},
            {"authorization_endpoint": "http://elsewhere.example.org/authorize"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": None},
        ],
        ids=str,
    )
    async def test_a_provider_that_is_not_itself_is_not_gone_to(self, provider, visitor, about):
        provider.about = about
        answer = await (await visitor(None)).get("/sign-in/elsewhere")
        assert (answer.status, "did not work" in answer.text) == (502, True)

    async def test_a_provider_that_is_away_leaves_the_own_form(self, visitor, settings, unused_tcp_port):
        settings.console.oidc = OidcSettings(
            issuer=f"http://127.0.0.1:{unused_tcp_port}", client_id=CLIENT, client_secret=SECRET
        )
        answer = await (await visitor(None)).get("/sign-in/elsewhere")
        assert answer.status == 502
        assert 'name="password"' in answer.text
