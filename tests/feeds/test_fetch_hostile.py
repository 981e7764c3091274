"""Hostile servers, names and links: nothing is taken, nothing inside our network is touched, memory stays."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import zlib
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.feeds.document import LARGEST
from gateway.feeds.fetch import client as clients
from gateway.feeds.fetch.address import Guard, check_url, forbidden
from gateway.feeds.fetch.body import MOST_MEMBERS, Body
from gateway.feeds.fetch.client import Client
from gateway.feeds.fetch.refused import FetchRefused
from gateway.feeds.fetch.wire import open_wire
from tests.feeds.servers import FORBIDDEN, HOME, WITHIN, Feeds, head, says, serve, wild

ROOT = Path(__file__).resolve().parents[2]
HTTP = frozenset({"http", "https", "ws", "tcp"})
DEADLINE = 0.5
"""Seconds: the real one is long."""

INSIDE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.127.255.255", "198.18.0.1", "198.19.255.255", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd12:3456::1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",
]  # fmt: skip
"""Loopback, private and link-local addresses, as they are or through NAT64, 6to4 and Teredo."""
NOBODY = [
    "0.0.0.0", "0.1.2.3", "192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.1.2.3", "240.0.0.1", "255.255.255.255", "192.88.99.1", "::", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "ff02::1", "2001:db8::1", "2001:20::1", "3fff::1",
    "fec0::1", "100::1", "64:ff9b:1::1", "2002:e000:1::", "", "no address", "127.1", "0x7f.1",
]  # fmt: skip
"""What no server has, and what is no address."""
OUTSIDE = [
    "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "198.20.0.1", "2606:4700::1111",
    "2a00:1450::1", "64:ff9b::8.8.8.8", "2002:808:808::1", "240e::1", "2400:3200::1",
]  # fmt: skip
ODD_HOSTS = [
    "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.1", "127.0.1", "0177.0.0.1", "127.0.0.01",
    "0", "1.2.3.4.5", "example.org.1", "example.0x1", "127.0.0.1.", "256.1.1.1", "１２７.1",
]  # fmt: skip
"""Hosts that some resolver reads as an address although they are none in the usual way."""


class TestAddresses:
    @pytest.mark.parametrize("address", INSIDE)
    def test_inside_our_network_need_a_word_of_the_settings(self, address):
        assert forbidden(address)
        assert not forbidden(address, allow_private=True)

    @pytest.mark.parametrize("address", NOBODY)
    def test_of_nobody_are_never_reached(self, address):
        assert forbidden(address)
        assert forbidden(address, allow_private=True)

    @pytest.mark.parametrize("address", OUTSIDE)
    def test_of_the_public_network_are_reached(self, address):
        assert not forbidden(address)


class TestUrls:
    @pytest.mark.parametrize("host", [one for one in ODD_HOSTS if one != "127.0.0.1."])
    def test_with_an_odd_way_to_write_an_address_are_refused(self, host):
        with pytest.raises(FetchRefused) as refused:
            check_url(f"http://{host}/", schemes=HTTP)
        assert refused.value.code == "address"

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1.", "[::1]", "[::ffff:127.0.0.1]", "①②⑦.0.0.1"])
    def test_with_an_address_are_judged_by_it(self, host):
        with pytest.raises(FetchRefused, match="the host has"):
            Guard(schemes=HTTP).url(f"http://{host}/")

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("file:///etc/passwd", "url"),
            ("gopher://feed.example.org:70/x", "scheme"),
            ("ftp://feed.example.org/", "scheme"),
            ("http://feed.example.org/", "scheme"),
            ("javascript:alert(1)", "url"),
            ("data:text/xml,<a/>", "url"),
            ("dict://feed.example.org/", "scheme"),
            ("jar:https://feed.example.org!/", "url"),
            ("/relative", "url"),
            ("//feed.example.org/x", "scheme"),
            ("https:///x", "url"),
            ("https://", "url"),
            ("", "url"),
            ("https:feed", "url"),
            ("https://user@feed.example.org/", "userinfo"),
            ("https://user:word@feed.example.org/", "userinfo"),
            ("https://@feed.example.org/", "userinfo"),
            ("https://feed.example.org\\@evil.example.org/", "url"),
            ("https://feed.example.org/\r\nHost: evil", "url"),
            ("https://feed.example.org/\x00", "url"),
            ("https://feed .example.org/", "url"),
            ("https://%66eed.example.org/", "url"),
            ("https://[fe80::1%25lo]/", "url"),
            ("https://-feed.example.org/", "url"),
            ("https://feed..example.org/", "url"),
            ("https://" + "a" * 300, "url"),
            ("https://feed.example.org:99999/", "url"),
            ("https://feed.example.org:x/", "url"),
            ("https://[::1", "url"),
            ("https://evil.example.org/", "host"),
            ("https://feed.example.org.evil.example/", "host"),
        ],
    )
    def test_that_lead_astray_are_refused(self, url, code):
        with pytest.raises(FetchRefused) as refused:
            Guard(hosts=frozenset({"feed.example.org"})).url(url)
        assert refused.value.code == code
        assert "evil" not in refused.value.sentence or code == "host"

    @pytest.mark.parametrize(
        "url",
        ["https://feed.example.org/x?a=b#c", "https://FEED.example.org./x", "https://feed.example.org:8443/"],
    )
    def test_of_the_source_are_taken(self, url):
        assert Guard(hosts=frozenset({"feed.example.org"})).url(url)


async def to_home(host: str, port: int) -> list[str]:
    """Every name is this machine, which alone may be reached."""
    return [HOME]


ALONE = Guard(schemes=HTTP, reachable=frozenset({HOME}), lookup=to_home)
"""The hostile server is at home; every other private address stands for our own network."""


class Forbidden:
    """Counts who comes to an address that nobody may come to."""

    def __init__(self) -> None:
        self.port = 0
        self.connections: list[tuple[str, int]] = []


@pytest.fixture
async def inside():
    async def talk(reader, writer):
        writer.write(head(Content_Length="6") + b"secret")

    async with wild(talk, FORBIDDEN) as server:
        yield server


@pytest.fixture
async def client():
    async with Client(ALONE, "http://feed.example.org/", user_agent="invented", deadline=DEADLINE) as opened:
        yield opened


async def refused_by(talk, *, guard: Guard = ALONE, deadline: float = DEADLINE) -> FetchRefused:
    async with (
        wild(talk) as server,
        Client(
            guard, f"http://feed.example.org:{server.port}/", user_agent="invented", deadline=deadline
        ) as client,
    ):
        async with asyncio.timeout(WITHIN):
            with pytest.raises(FetchRefused) as refused:
                await client.fetch(f"http://feed.example.org:{server.port}/")
    return refused.value


BOMB = gzip.compress(gzip.compress(bytes(LARGEST * 40)))
GZIP = {"Content_Encoding": "gzip"}


def zeros(size: int) -> bytes:
    """That many zero bytes, deflated in a thousandth of it."""
    deflater = zlib.compressobj(9, wbits=31)
    return b"".join([*(deflater.compress(bytes(2**20)) for _ in range(size // 2**20)), deflater.flush()])


class TestHostileServers:
    @pytest.mark.parametrize(
        ("talk", "code"),
        [
            pytest.param(says(head(**GZIP) + zeros(64 * 2**20)), "too_large", id="gzip bomb"),
            pytest.param(
                says(head(**GZIP) + zeros(LARGEST + 2**20)), "too_large", id="gzip a little too large"
            ),
            pytest.param(
                says(head(**GZIP, Content_Length="99999999999") + zeros(2**26)), "too_large", id="length"
            ),
            pytest.param(says(head(), b"x" * 65536, for_ever=True), "too_large", id="endless body"),
            pytest.param(
                says(head(Transfer_Encoding="chunked"), b"10000\r\n" + b"x" * 65536 + b"\r\n", for_ever=True),
                "too_large",
                id="endless chunks",
            ),
            pytest.param(says(head() + b"x", b"x", for_ever=True, pause=0.05), "too_slow", id="trickle"),
            pytest.param(
                says(b"HTTP/1.1 200 OK\r\n", b"x", for_ever=True, pause=0.05), "too_slow", id="header trickle"
            ),
            pytest.param(says(hang=True), "too_slow", id="no answer"),
            pytest.param(says(head(), hang=True), "too_slow", id="no body"),
            pytest.param(
                says(head("103 Early Hints"), for_ever=True, pause=0.01), "too_slow", id="hints for ever"
            ),
            pytest.param(says(head(Content_Encoding="br") + b"x"), "encoding", id="brotli"),
            pytest.param(says(head(Content_Encoding="zstd") + b"x"), "encoding", id="zstd"),
            pytest.param(
                says(head(Content_Encoding="gzip, gzip") + BOMB), "encoding", id="gzip in gzip, told"
            ),
            pytest.param(
                says(head(**GZIP) + gzip.compress(b"") * (MOST_MEMBERS + 1)),
                "encoding",
                id="many empty pieces",
            ),
            pytest.param(says(head(**GZIP) + b"no gzip"), "truncated", id="no gzip"),
            pytest.param(
                says(head(**GZIP) + gzip.compress(b"x" * 999)[:-9]), "truncated", id="half of a gzip"
            ),
            pytest.param(says(head(Content_Length="100") + b"x"), "truncated", id="half of a body"),
            pytest.param(
                says(head(Transfer_Encoding="chunked") + b"5\r\nxx"), "truncated", id="half of a chunk"
            ),
            pytest.param(says(b"no HTTP at all\r\n\r\n"), "not_http", id="no HTTP"),
            pytest.param(says(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000), "not_http", id="long header"),
            pytest.param(says(head(**{f"A{n}": "x" for n in range(5_000)})), "not_http", id="many headers"),
            pytest.param(says(b"SSH-2.0-x\r\n"), "not_http", id="another protocol"),
            pytest.param(says(b""), "connection", id="nothing"),
        ],
    )
    async def test_are_given_up_in_words(self, talk, code):
        deadline = DEADLINE if code == "too_slow" else WITHIN
        refused = await refused_by(talk, deadline=deadline)
        assert refused.code == code
        assert str(refused) == f"{refused.sentence}; {refused.fix}"
        assert "\n" not in str(refused)

    async def test_that_nobody_is_at_is_told_as_such(self, client):
        async with wild(says(b"")) as server:
            port = server.port
        with pytest.raises(FetchRefused, match="connection refused"):
            await client.fetch(f"http://feed.example.org:{port}/")

    def test_a_body_never_grows_beyond_the_limit_while_it_is_looked_at(self):
        body = Body("gzip", 1000)
        with pytest.raises(FetchRefused):
            body.take(zeros(2**24))
        assert len(body._whole) <= 1000


class TestTheInsideOfOurNetwork:
    @pytest.mark.parametrize(
        "location",
        [
            "http://169.254.169.254/latest/meta-data/",
            "http://{inside}:{port}/",
            "http://[::ffff:{inside}]:{port}/",
            "http://[::ffff:7f00:2]:{port}/",
            "http://0x7f.2:{port}/",
            "http://0x7f000002:{port}/",
            "http://2130706434:{port}/",
            "http://017700000002:{port}/",
            "http://127.2:{port}/",
            "http://１２７.0.0.2:{port}/",
            "http://inside.example.org:{port}/",
            "//{inside}:{port}/",
            "gopher://{inside}:{port}/_x",
            "ftp://{inside}:{port}/",
            "file:///etc/hostname",
            "http://feed.example.org@{inside}:{port}/",
            "tcp://{inside}:{port}/",
            "ws://{inside}:{port}/",
        ],
    )
    @pytest.mark.parametrize("way", ["link", "redirect", "handshake"])
    async def test_is_not_touched(self, inside, location, way):
        async def lookup(host, port):
            return [FORBIDDEN if host == "inside.example.org" else HOME]

        guard = replace(ALONE, lookup=lookup)
        target = location.format(inside=FORBIDDEN, port=inside.port)
        async with (
            serve(Feeds()) as feeds,
            Client(guard, feeds.url("/", "feed.example.org"), user_agent="invented") as client,
        ):
            feeds.page("/feed", status=302, Location=target)
            with pytest.raises(FetchRefused):
                await self.go(client, way, target, feeds)
        assert inside.connections == []

    async def go(self, client, way, target, feeds):
        if way == "link":
            await client.fetch(target)
        elif way == "redirect":
            await client.fetch(feeds.url("/feed", "feed.example.org"))
        else:
            from gateway.feeds.adapters import adapter

            url = feeds.url("/feed", "feed.example.org").replace("http:", "ws:")
            async with open_wire(client, url, adapter("emsc")):
                pass

    async def test_is_not_touched_by_a_name_that_changes_its_address(self, inside):
        """DNS rebinding: the first answer is checked and used; a second one is checked again."""
        answers = [[HOME], [FORBIDDEN], [HOME, FORBIDDEN], ["::ffff:127.0.0.2"]]
        given = []

        async def rebinding(host, port):
            given.append(answers[min(len(given), len(answers) - 1)])
            return given[-1]

        async def talk(reader, writer):
            await says(head(Connection="close", Content_Length="2") + b"ok")(reader, writer)

        guard = replace(ALONE, lookup=rebinding)
        async with wild(talk) as server, Client(guard, "http://x.example.org/", user_agent="x") as client:
            url = f"http://rebind.example.org:{server.port}/"
            assert (await client.fetch(url)).data == b"ok"
            for _ in answers[1:]:
                with pytest.raises(FetchRefused) as refused:
                    await client.fetch(url)
                assert refused.value.code == "address"
            assert len(server.connections) == 1
        assert inside.connections == []

    async def test_is_not_touched_where_the_name_is_looked_up_twice_for_one_connection(self, inside):
        """Each look-up gives another address; the one that was checked is the one that is used."""
        asked = 0

        async def lookup(host, port):
            nonlocal asked
            asked += 1
            return [HOME] if asked == 1 else [FORBIDDEN]

        async with (
            wild(says(head(Content_Length="2") + b"ok")) as server,
            Client(replace(ALONE, lookup=lookup), "http://x.example.org/", user_agent="x") as client,
        ):
            await client.fetch(f"http://x.example.org:{server.port}/")
        assert asked == 1
        assert inside.connections == []

    async def test_is_not_touched_even_where_the_text_and_the_name_were_not_checked(self, inside):
        """The last door: the socket itself."""
        session = clients.open_session(ALONE, user_agent="invented")
        async with session:
            with pytest.raises(FetchRefused):
                await session.get(f"http://{FORBIDDEN}:{inside.port}/", allow_redirects=False)
        assert inside.connections == []

    async def test_is_not_touched_by_a_tcp_stream(self, inside):
        from gateway.feeds.adapters import adapter

        async def lookup(host, port):
            return [FORBIDDEN]

        async with Client(replace(ALONE, lookup=lookup), "tcp://x.example.org/", user_agent="x") as client:
            with pytest.raises(FetchRefused) as refused:
                async with open_wire(client, f"tcp://x.example.org:{inside.port}/", adapter("naad")):
                    pass
        assert refused.value.code == "address"
        assert inside.connections == []

    async def test_a_name_without_an_address_is_told_as_such(self):
        async def nobody(host, port):
            raise OSError

        async with Client(replace(ALONE, lookup=nobody), "http://x.example.org/", user_agent="x") as client:
            with pytest.raises(FetchRefused, match="has no address"):
                await client.fetch("http://x.example.org/")

    async def test_no_proxy_of_the_environment_is_asked(self, inside, monkeypatch):
        monkeypatch.setenv("http_proxy", f"http://{FORBIDDEN}:{inside.port}")
        monkeypatch.setenv("HTTP_PROXY", f"http://{FORBIDDEN}:{inside.port}")
        async with serve(Feeds()) as feeds, Client(ALONE, feeds.url(), user_agent="x") as client:
            feeds.page("/feed", b"ok")
            assert (await client.fetch(feeds.url("/feed"))).data == b"ok"
        assert inside.connections == []


MEASURE = """
import asyncio, json, resource, sys
from gateway.feeds.fetch.address import Guard
from gateway.feeds.fetch.client import Client
from gateway.feeds.fetch.refused import FetchRefused

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

async def main(ports):
    guard = Guard(schemes=frozenset({"http"}), allow_private=True)
    said = []
    async with Client(guard, "http://127.0.0.1/", user_agent="invented") as client:
        await client.fetch(f"http://127.0.0.1:{ports[0]}/")
        before = peak()
        for port in ports[1:]:
            for _ in range(3):
                try:
                    await client.fetch(f"http://127.0.0.1:{port}/")
                except FetchRefused as refused:
                    said.append(refused.code)
    print(json.dumps({"grown": peak() - before, "said": said}))

asyncio.run(main([int(port) for port in sys.argv[1:]]))
"""


class TestMemory:
    async def test_grows_by_less_than_50_mb_whatever_is_sent(self):
        talks = [
            says(head(Content_Length="2") + b"ok"),
            says(head(**GZIP) + zeros(512 * 2**20)),
            says(head(), b"x" * 2**20, for_ever=True),
            says(head(Transfer_Encoding="chunked"), (b"40\r\n" + b"x" * 64 + b"\r\n") * 1_000, for_ever=True),
            says(b"HTTP/1.1 200 OK\r\nA: ", b"x" * 65536, for_ever=True),
        ]
        async with AsyncExitStack() as stack:
            ports = [str((await stack.enter_async_context(wild(talk))).port) for talk in talks]
            ours = os.environ | {"PYTHONPATH": str(ROOT)}
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-c", MEASURE, *ports],
                env=ours,
                capture_output=True,
                check=False,
            )
        assert done.stderr == b""
        seen = json.loads(done.stdout)
        assert seen["said"] == ["too_large"] * 9 + ["not_http"] * 3
        assert seen["grown"] < 50 * 2**20
