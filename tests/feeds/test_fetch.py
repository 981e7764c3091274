"""The client against honest servers: conditions, compression, redirects, secrets, TLS, and every status."""

from __future__ import annotations

import gzip
import ssl
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import trustme
from aiohttp import web

from gateway.clock import HandClock
from gateway.feeds.fetch.address import Guard, system_lookup
from gateway.feeds.fetch.client import Client, open_session
from gateway.feeds.fetch.pace import LONGEST_WAIT, Pace, jittered, poll_pause, reconnect_pause, retry_after
from gateway.feeds.fetch.refused import FIXES, FetchRefused
from tests.feeds.servers import HOME, SENT, Feeds, serve

TOKEN = "an invented token"
BODY = "一份文件".encode() * 1000
OPEN = Guard(schemes=frozenset({"http", "https"}), allow_private=True)


async def to_home(host: str, port: int) -> list[str]:
    return [HOME]


@pytest.fixture
async def feeds():
    async with serve(Feeds()) as served:
        yield served


@pytest.fixture
def client_of(feeds):
    def make(guard: Guard = OPEN, own: str | None = None, **how):
        how = {"user_agent": "invented/1 (desk@example.org)", "clock": HandClock(SENT)} | how
        return Client(replace(guard, lookup=to_home), own or feeds.url("/feed"), **how)

    return make


@pytest.fixture
async def client(client_of):
    async with client_of(headers={"X-Token": TOKEN}) as opened:
        yield opened


async def refusal(client: Client, url: str, **how: str) -> FetchRefused:
    with pytest.raises(FetchRefused) as refused:
        await client.fetch(url, **how)
    return refused.value


class TestAnAnswer:
    async def test_has_the_body_and_what_to_ask_with_next_time(self, feeds, client):
        feeds.page("/feed", BODY, ETag='"one"', Last_Modified="Wed, 01 Jul 2026 02:00:00 GMT")
        got = await client.fetch(feeds.url("/feed"))
        assert (got.status, got.data, got.etag) == (200, BODY, '"one"')
        assert got.last_modified == "Wed, 01 Jul 2026 02:00:00 GMT"
        assert not got.unchanged
        assert got.certificate_until is None

    async def test_says_that_nothing_has_changed(self, feeds, client):
        feeds.page("/feed", BODY, ETag='"one"')
        got = await client.fetch(
            feeds.url("/feed"), etag='"one"', last_modified="Wed, 01 Jul 2026 02:00:00 GMT"
        )
        assert (got.status, got.data, got.unchanged) == (304, b"", True)
        assert feeds.asked[0].headers["If-Modified-Since"] == "Wed, 01 Jul 2026 02:00:00 GMT"

    async def test_may_not_be_304_where_nothing_was_asked_with(self, feeds, client):
        feeds.page("/feed", status=304)
        assert (await refusal(client, feeds.url("/feed"))).code == "status"

    @pytest.mark.parametrize(
        ("encoding", "body"),
        [
            ("gzip", gzip.compress(BODY, mtime=0)),
            ("x-gzip", gzip.compress(BODY, mtime=0)),
            ("GZIP", gzip.compress(BODY[:100], mtime=0) + gzip.compress(BODY[100:])),
            ("deflate", zlib.compress(BODY)),
            ("deflate", zlib.compress(BODY, wbits=-15)),
            ("identity", BODY),
        ],
    )
    async def test_is_decompressed(self, feeds, client, encoding, body):
        feeds.page("/feed", body, Content_Encoding=encoding)
        assert (await client.fetch(feeds.url("/feed"))).data == BODY

    async def test_is_asked_for_by_name_and_without_cookies(self, feeds, client):
        feeds.page("/feed", BODY, Set_Cookie="a=b")
        await client.fetch(feeds.url("/feed"))
        await client.fetch(feeds.url("/feed"))
        headers = feeds.asked[1].headers
        assert headers["User-Agent"] == "invented/1 (desk@example.org)"
        assert headers["Accept-Encoding"] == "gzip, deflate"
        assert "Cookie" not in headers

    async def test_has_no_validator_that_could_not_be_stored(self, feeds, client):
        feeds.page("/feed", BODY, ETag='"' + "x" * 5000 + '"')
        assert (await client.fetch(feeds.url("/feed"))).etag == ""


class TestAStatus:
    @pytest.mark.parametrize("status", [204, 404, 409, 410])
    async def test_that_a_kind_may_give_a_meaning_is_passed_on_without_a_body(self, feeds, client, status):
        feeds.page("/feed", b"" if status == 204 else BODY, status=status)
        got = await client.fetch(feeds.url("/feed"))
        assert (got.status, got.data) == (status, b"")

    @pytest.mark.parametrize(
        ("status", "code"),
        [(400, "status"), (401, "access"), (403, "access"), (413, "status"), (429, "throttled"),
         (500, "status"), (502, "status"), (503, "throttled"), (206, "status"), (203, "status"),
         (300, "status")],
    )  # fmt: skip
    async def test_of_another_kind_is_refused_with_the_way_out(self, feeds, client, status, code):
        feeds.page("/feed", BODY, status=status)
        refused = await refusal(client, feeds.url("/feed"))
        assert (refused.code, refused.status) == (code, status)
        assert str(refused).endswith(FIXES[code])

    async def test_may_ask_us_to_wait(self, feeds, client):
        feeds.page("/feed", status=429, Retry_After="90")
        assert (await refusal(client, feeds.url("/feed"))).retry_after == 90


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("90", 90),
            (" 0 ", 0),
            ("99999999999999999999", LONGEST_WAIT),
            (format_datetime(SENT + timedelta(minutes=2), usegmt=True), 120),
            (format_datetime(SENT - timedelta(minutes=2), usegmt=True), 0),
            (format_datetime(SENT + timedelta(days=9), usegmt=True), LONGEST_WAIT),
            ("soon", None),
            ("Wed, 01 Jul 20260000000000 02:00:00 GMT", None),
            ("Wed, 01 Jul 2026 02:00:00 +99999999999999999", None),
            ("-5", None),
            ("１２", None),
            ("", None),
            (None, None),
        ],
    )
    def test_is_seconds_or_a_date_and_bounded(self, header, seconds):
        assert retry_after(header, SENT) == seconds


class TestPauses:
    @pytest.mark.parametrize(
        ("interval", "failures", "asked", "pause"),
        [
            (60, 0, None, 60), (60, 1, None, 60), (60, 2, None, 120), (60, 4, None, 480), (60, 9, None, 600),
            (60, 10**6, None, 600), (300, 5, None, 900), (60, 0, 100, 100), (60, 0, 10, 60),
            (60, 1, 10**9, 3600),
        ],
    )  # fmt: skip
    def test_double_after_failures_up_to_ten_intervals_or_a_quarter_of_an_hour(
        self, interval, failures, asked, pause
    ):
        assert poll_pause(interval, failures, asked) == pause

    def test_are_spread_by_a_tenth(self):
        drawn = [jittered(100) for _ in range(200)]
        assert 90 <= min(drawn) < 95
        assert 105 < max(drawn) <= 110

    def test_of_a_stream_double_up_to_a_minute_and_have_chance_in_them(self):
        assert all(0.1 <= reconnect_pause(0) <= 1 for _ in range(50))
        assert all(6 <= reconnect_pause(10**6) <= 60 for _ in range(50))

    async def test_at_one_host_only_so_many_go_at_once(self):
        pace = Pace(2)
        async with pace.turn("one"), pace.turn("one"), pace.turn("other"):
            assert pace._hosts["one"].locked()
            assert not pace._hosts["other"].locked()


class TestARedirect:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    async def test_is_followed_on_the_same_host_with_the_token(self, feeds, client, status):
        feeds.page("/feed", status=status, Location="/moved")
        feeds.page("/moved", BODY)
        got = await client.fetch(feeds.url("/feed"))
        assert got.data == BODY
        assert got.url == feeds.url("/moved")
        assert [one.headers.get("X-Token") for one in feeds.asked] == [TOKEN, TOKEN]

    async def test_to_another_host_or_port_goes_without_the_token(self, feeds, client):
        async with serve(Feeds()) as other:
            other.page("/there", BODY)
            feeds.page("/feed", status=302, Location=other.url("/there"))
            feeds.page("/again", status=302, Location=feeds.url("/there", "mirror.example.org"))
            feeds.page("/there", BODY)
            await client.fetch(feeds.url("/feed"))
            await client.fetch(feeds.url("/again"))
        assert other.asked[0].path == "/there"
        assert "X-Token" not in other.asked[0].headers
        assert feeds.asked[2].headers["Host"].startswith("mirror")
        assert "X-Token" not in feeds.asked[2].headers

    async def test_is_followed_three_times_and_no_more(self, feeds, client):
        for number in range(9):
            feeds.page(f"/{number}", status=302, Location=f"/{number + 1}")
        feeds.page("/9", BODY)
        assert (await client.fetch(feeds.url("/6"))).data == BODY
        assert (await refusal(client, feeds.url("/5"))).code == "redirects"
        assert len(feeds.asked) == 4 + 4

    @pytest.mark.parametrize(
        ("location", "code"),
        [
            ("http://elsewhere.example.org/", "host"),
            ("ftp://127.0.0.1/", "scheme"),
            ("file:///etc/passwd", "url"),
            ("gopher://127.0.0.1/", "scheme"),
            ("http://user:word@127.0.0.1/", "userinfo"),
            ("http://[::1", "redirects"),
            ("http://127.1/", "address"),
        ],
    )
    async def test_is_checked_like_the_first_address(self, feeds, client_of, location, code):
        feeds.page("/feed", status=302, Location=location)
        async with client_of(replace(OPEN, hosts=frozenset({HOME, "127.1"}))) as client:
            assert (await refusal(client, feeds.url("/feed"))).code == code
        assert len(feeds.asked) == 1

    async def test_without_an_address_is_refused(self, feeds, client):
        feeds.page("/feed", status=302)
        assert (await refusal(client, feeds.url("/feed"))).code == "redirects"


class TestSecretHeaders:
    @pytest.mark.parametrize(
        ("own", "target", "goes"),
        [
            ("https://a.example.org/x", "https://a.example.org/y", True),
            ("https://a.example.org/x", "https://a.example.org:443/y", True),
            ("https://a.example.org/x", "https://A.example.org/y", True),
            ("https://a.example.org/x", "https://a.example.org:8443/y", False),
            ("https://a.example.org/x", "http://a.example.org/y", False),
            ("http://a.example.org/x", "https://a.example.org/y", True),
            ("https://a.example.org/x", "https://b.a.example.org/y", False),
            ("wss://a.example.org/x", "https://a.example.org/archive", True),
            ("wss://a.example.org/x", "http://a.example.org/archive", False),
        ],
    )
    def test_go_to_the_host_of_the_source_only_and_never_to_a_weaker_scheme(
        self, client_of, own, target, goes
    ):
        from yarl import URL

        client = client_of(own=own, headers={"X-Token": TOKEN})
        assert bool(client.headers_for(URL(target))) is goes

    @pytest.mark.parametrize(
        "how",
        [
            {"headers": {"X-Token": f"{TOKEN}\r\nX-Other: 1"}},
            {"headers": {"X-Token": f"{TOKEN}\0"}},
            {"headers": {"X Token": TOKEN}},
            {"headers": {"X-Token:": TOKEN}},
            {"headers": {"": TOKEN}},
            {"user_agent": "invented\nX-Other: 1"},
        ],
    )
    def test_that_would_begin_another_header_are_refused_in_words_without_them(self, client_of, how):
        with pytest.raises(FetchRefused) as refused:
            client_of(**how)
        assert refused.value.code == "headers"
        assert TOKEN not in str(refused.value)


class TestTls:
    @pytest.fixture
    def authority(self):
        return trustme.CA()

    @pytest.fixture
    def ca_file(self, authority, tmp_path):
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(path)
        return path

    @staticmethod
    def context(authority, *names, **how):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, **how).configure_cert(context)
        return context

    @pytest.mark.parametrize("body", [b"small", BODY * 20])
    async def test_tells_until_when_the_certificate_holds(self, authority, ca_file, client_of, body):
        end = datetime(2031, 5, 6, 7, 8, tzinfo=UTC)
        context = self.context(authority, "feed.example.org", not_after=end)
        async with serve(Feeds(), context=context) as feeds:
            feeds.page("/feed", body)
            async with client_of(ca_file=ca_file) as client:
                url = feeds.url("/feed", "feed.example.org")
                assert (await client.fetch(url)).certificate_until == end
                assert (await client.fetch(url)).certificate_until == end  # the connection is kept

    @pytest.mark.parametrize(
        ("name", "how", "words"),
        [
            ("other.example.org", {}, "is not valid"),
            ("feed.example.org", {"not_after": datetime(2001, 1, 1, tzinfo=UTC)}, "has expired"),
        ],
    )
    async def test_with_a_wrong_certificate_is_refused(self, authority, ca_file, client_of, name, how, words):
        async with serve(Feeds(), context=self.context(authority, name, **how)) as feeds:
            async with client_of(ca_file=ca_file) as client:
                refused = await refusal(client, feeds.url("/feed", "feed.example.org"))
            assert refused.code == "tls"
            assert words in refused.sentence
            assert not feeds.asked

    async def test_of_a_ca_that_is_not_trusted_is_refused(self, authority, client_of):
        async with (
            serve(Feeds(), context=self.context(authority, "feed.example.org")) as feeds,
            client_of() as client,
        ):
            assert (await refusal(client, feeds.url("/feed", "feed.example.org"))).code == "tls"

    async def test_with_a_ca_file_that_is_none_is_refused_in_words(self, tmp_path):
        path = tmp_path / "ca.pem"
        path.write_text("no certificate", encoding="ascii")
        with pytest.raises(FetchRefused, match="ca_file cannot be read"):
            open_session(OPEN, user_agent="invented", ca_file=path)


class TestTheGuardOfASource:
    def guard(self, **source):
        from gateway.feeds.reader import make_guard
        from gateway.settings import load_settings

        given = {"kind": "cap", "url": "https://feed.example.org/x"} | source
        return make_guard(load_settings(sources={"a": given}).sources["a"])

    def test_lets_it_reach_the_hosts_that_its_settings_name(self):
        guard = self.guard(
            kind="emsc",
            url="wss://One.Example.org/",
            more_urls=["wss://two.example.org:8443/"],
            archive_url="https://three.example.org/query",
            allow_hosts=["四.example.org"],
        )
        assert guard.hosts == {
            "one.example.org",
            "two.example.org",
            "three.example.org",
            "xn--wbs.example.org",
        }
        assert guard.schemes == {"https", "wss"}
        assert guard.url("https://四.example.org/x")

    def test_opens_what_the_settings_open(self):
        guard = self.guard(url="http://127.0.0.1/", allow_http=True, allow_private=True)
        assert guard.schemes == {"https", "wss", "http", "ws", "tcp"}
        assert guard.url("http://127.0.0.1/")

    @pytest.mark.parametrize("host", ["", "a b", "user@feed.example.org", "127.1"])
    def test_takes_no_host_that_is_none(self, host):
        with pytest.raises(FetchRefused):
            self.guard(allow_hosts=[host])

    async def test_asks_the_system_for_addresses(self):
        assert HOME in await system_lookup("localhost", 80)

    async def test_takes_no_document_from_the_address_of_a_stream(self, client_of):
        async with client_of(replace(OPEN, schemes=frozenset({"http", "ws", "tcp"}))) as client:
            assert (await refusal(client, "ws://127.0.0.1/")).code == "scheme"
            assert (await refusal(client, "tcp://127.0.0.1:1/")).code == "scheme"


class TestManyAtOnce:
    async def test_one_host_is_asked_four_times_at_once_and_no_more(self, feeds, client):
        import asyncio

        under_way, most = 0, 0
        go_on = asyncio.Event()

        async def slow(request):
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            if most == 4:
                go_on.set()
            await go_on.wait()
            await asyncio.sleep(0.01)
            under_way -= 1
            return web.Response(body=BODY)

        for number in range(12):
            feeds.pages[f"/{number}"] = slow
        got = await asyncio.gather(*(client.fetch(feeds.url(f"/{number}")) for number in range(12)))
        assert {one.status for one in got} == {200}
        assert most == 4
