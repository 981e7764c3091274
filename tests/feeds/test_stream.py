"""Websockets and TCP: two hosts at once, silence, reconnection, and what was missed meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from base64 import b64encode
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from hashlib import sha1
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from aiohttp import web

from gateway.feeds.adapters import emsc, naad
from gateway.feeds.book import Book
from gateway.feeds.fetch import wire
from gateway.feeds.fetch.pace import Pace
from gateway.feeds.intake import Intake
from gateway.feeds.lease import Lease
from gateway.feeds.mend import MOST_TRIES
from gateway.feeds.reader import make_client
from gateway.feeds.stream import Stream
from gateway.settings import SettingsRefused, load_settings
from gateway.store import sources as store
from tests.feeds.servers import HOME, SENT, Feeds, Streams, cap, head, request_of, serve, until, wild

if TYPE_CHECKING:
    from gateway.feeds.contract import Reading

NAME = "stream"


def quake(number: int = 1, magnitude: float = 5.5) -> dict[str, object]:
    """An invented event as EMSC describes it."""
    properties = {
        "unid": f"20260701_000000{number}",
        "time": "2026-07-01T01:59:00.0Z",
        "lastupdate": "2026-07-01T02:00:00.0Z",
        "lat": 30.0,
        "lon": 100.0,
        "depth": 10.0,
        "mag": magnitude,
        "magtype": "mw",
        "auth": "EMSC",
        "evtype": "ke",
        "flynn_region": "INVENTED REGION",
    }
    point = {"type": "Point", "coordinates": [100.0, 30.0, -10.0]}
    return {"type": "Feature", "geometry": point, "properties": properties}


def pushed(number: int = 1) -> str:
    return json.dumps({"action": "create", "data": quake(number)})


class Catcher:
    """Stands for the intake where a test is about the wire only: keeps every reading."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.known: set[str] = set()

    async def take_reading(self, source: str, reading: Reading, name: str = "") -> list[object]:
        self.readings.append(reading)
        self.known |= {one.alert.identifier for one in reading.items}
        return []

    async def unknown(self, references) -> list[object]:
        return [one for one in references if one.identifier not in self.known]

    @property
    def ids(self) -> list[str]:
        return [one.ids[0] for reading in self.readings for one in reading.solutions]

    @property
    def names(self) -> list[str]:
        return [one.alert.identifier for reading in self.readings for one in reading.items]


class Rig:
    def __init__(self, county, lease: Lease) -> None:
        self.county = county
        self.lease = lease
        self.caught = Catcher()

    @asynccontextmanager
    async def reading(self, intake=None, **source: object):
        """Read a stream for as long as the block lasts."""
        settings = load_settings(sources={NAME: {"allow_http": True, "allow_private": True} | source})
        one = settings.sources[NAME]
        book = Book(self.county.database, self.county.clock, self.lease, NAME, one)
        taker = intake or self.caught

        async def to_home(host: str, port: int) -> list[str]:
            return [HOME]

        async with make_client(one, settings, Pace(), self.county.clock, to_home) as client:
            stream = Stream(book, client, taker)
            task = asyncio.create_task(stream.run())
            try:
                yield task
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def state(self) -> store.State | None:
        async with self.county.database.begin() as connection:
            return (await store.states(connection)).get(NAME)

    async def connections(self) -> dict[str, store.Connection]:
        async with self.county.database.begin() as connection:
            return {one.host: one for one in await store.connections(connection)}

    async def troubles(self) -> list[str]:
        async with self.county.database.begin() as connection:
            return [one.code for one in await store.troubles(connection, NAME)]


@pytest.fixture
async def rig(county):
    lease = Lease(county.database, 60)
    assert await lease.take()
    return Rig(county, lease)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Reconnect at once, and ping often."""
    monkeypatch.setattr("gateway.feeds.stream.reconnect_pause", lambda _: 0.02)
    monkeypatch.setattr(wire, "PING_SECONDS", 0.1)


def ws(server: Feeds, path: str = "/ws", host: str = HOME) -> str:
    return server.url(path, host).replace("http", "ws", 1)


class TestAWebsocket:
    async def test_gives_each_message_in_text_or_bytes(self, rig):
        async with serve(Streams()) as server, rig.reading(kind="emsc", url=ws(server)):
            await until(lambda: server.listeners)
            await server.push(pushed(1))
            await server.push(pushed(2).encode())
            await until(lambda: self.is_counted(rig, 2))
        assert rig.caught.ids == ["20260701_0000001", "20260701_0000002"]
        state = await rig.state()
        assert state.good_at == state.heartbeat_at == SENT
        host = (await rig.connections())[f"{HOME}:{server.port}"]
        assert (host.heartbeat_at, host.failures) == (SENT, 0)

    async def test_is_alive_while_it_answers_pings_although_it_says_nothing(self, rig):
        async with serve(Streams()) as server, rig.reading(kind="emsc", url=ws(server), idle_seconds=0.6):
            await until(lambda: server.listeners)
            await asyncio.sleep(1.5)
            assert server.connected == 1
            state = await rig.state()
            assert (state.heartbeat_at, state.good_at) == (SENT, None)

    async def test_that_falls_silent_is_opened_anew(self, rig):
        server = Streams()
        server.pongs = False
        async with serve(server), rig.reading(kind="emsc", url=ws(server), idle_seconds=0.3):
            await until(lambda: server.connected >= 3)
        assert "too_slow" in await rig.troubles()

    async def test_that_closes_is_opened_anew_and_read_on(self, rig):
        async with serve(Streams()) as server, rig.reading(kind="emsc", url=ws(server)):
            await until(lambda: server.listeners)
            await server.drop()
            await until(lambda: server.connected == 2)
            await until(lambda: server.listeners)
            await server.push(pushed())
            await until(lambda: rig.caught.ids)
            await until(lambda: self.is_well(rig))

    @staticmethod
    async def is_counted(rig, items: int) -> bool:
        state = await rig.state()
        return state is not None and state.items == items

    @staticmethod
    async def is_well(rig) -> bool:
        return all(not one.error for one in (await rig.connections()).values())

    @pytest.mark.parametrize(
        "message",
        [
            "",
            "no json",
            "[]",
            "null",
            '{"action":"create"}',
            "<html>",
            '{"action":"create","data":{}}',
            "[" * 9999,
        ],
    )
    async def test_that_sends_nonsense_is_read_on_and_the_nonsense_told(self, rig, message):
        async with serve(Streams()) as server, rig.reading(kind="emsc", url=ws(server)):
            await until(lambda: server.listeners)
            await server.push(message)
            await server.push(pushed())
            await until(lambda: rig.caught.ids)
            assert server.connected == 1
        assert await rig.troubles()

    @pytest.mark.parametrize(
        ("message", "sentence", "fix"),
        [
            (
                "not json",
                "the document is not JSON: it does not begin with { or [",
                "check the kind and the address of the source; if they are right, ask the source",
            ),
            (
                '{"action":"cre',
                "the JSON ends in the middle",
                "if it goes on, ask the source: a stream sends nothing twice",
            ),
            (
                '{"action":}',
                "the JSON is broken at line 1, column 11",
                "check the kind and the address of the source; if they are right, ask the source",
            ),
        ],
    )
    async def test_that_sends_what_is_no_json_does_not_say_that_it_is_fetched_again(
        self, rig, message, sentence, fix
    ):
        async with serve(Streams()) as server, rig.reading(kind="emsc", url=ws(server)):
            await until(lambda: server.listeners)
            await server.push(message)
            await until(rig.troubles)
        async with rig.county.database.begin() as connection:
            kept = await store.troubles(connection, NAME)
        assert (sentence, fix) in {(one.sentence, one.fix) for one in kept}

    async def test_that_sends_more_than_a_document_may_have_is_closed(self, rig):
        async with serve(Streams()) as server, rig.reading(kind="emsc", url=ws(server)):
            await until(lambda: server.listeners)
            await server.push("x" * (6 * 2**20))
            await until(lambda: server.connected == 2)
        assert rig.caught.readings == []

    async def test_that_redirects_is_not_followed(self, rig):
        async with serve(Streams()) as other, serve(Streams()) as server:
            server.page("/moved", status=302, Location=other.url("/ws"))
            async with rig.reading(kind="emsc", url=ws(server, "/moved"), allow_hosts=[HOME]):
                await until(lambda: len(server.asked) >= 2)
            assert other.asked == []
        assert "redirects" in await rig.troubles()

    async def test_has_the_token_in_its_handshake_and_the_ping_of_its_kind(self, rig, monkeypatch):
        monkeypatch.setattr(emsc, "ADAPTER", emsc.ADAPTER._replace(ping="ping"))
        secret = {"X-Token": "an invented token"}
        async with serve(Streams()) as server, rig.reading(kind="emsc", url=ws(server), headers=secret):
            await until(lambda: server.heard)
        assert server.asked[0].headers["X-Token"] == "an invented token"
        assert server.heard[0] == "ping"

    async def test_over_tls_tells_until_when_the_certificate_holds(self, rig, tmp_path):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        end = SENT + timedelta(days=2000)
        authority.issue_cert("stream.example.org", not_after=end).configure_cert(context)
        server = Streams()
        async with (
            serve(server, context=context),
            rig.reading(
                kind="emsc", url=ws(server, host="stream.example.org"), ca_file=str(tmp_path / "ca.pem")
            ),
        ):
            await until(lambda: server.listeners)
            await until(lambda: self.has_end(rig))
            assert (await rig.state()).certificate_until == end

    @staticmethod
    async def has_end(rig) -> bool:
        state = await rig.state()
        return state is not None and state.certificate_until is not None


class TestAFlood:
    @staticmethod
    def talk(frame: bytes, *, listening: bool):
        """Say the same for ever, after the handshake (RFC 6455, 4.2.2)."""

        async def inside(reader, writer):
            asked = await request_of(reader)
            key = re.search(rb"Sec-WebSocket-Key: (\S+)", asked, re.IGNORECASE)
            assert key
            proof = sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
            accept = b64encode(proof).decode()
            writer.write(
                head("101 Go", Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Accept=accept)
            )
            eating = asyncio.create_task(reader.read()) if listening else None
            try:
                while True:
                    writer.write(frame * 20_000)
                    await writer.drain()
            finally:
                if eating:
                    eating.cancel()

        return inside

    async def test_of_one_stream_leaves_the_others_their_turns(self, rig):
        async with (
            wild(self.talk(b"\x89\x00", listening=True)) as flood,
            serve(Streams()) as quiet,
            rig.reading(kind="emsc", url=f"ws://{HOME}:{flood.port}/", more_urls=[ws(quiet)]),
        ):
            await until(lambda: quiet.listeners and flood.connections)
            for number in range(1, 6):
                await quiet.push(pushed(number))
                await until(lambda number=number: len(rig.caught.ids) == number, within=8)

    async def test_whose_sender_reads_nothing_is_ended_and_the_stream_opened_anew(self, rig):
        frame = b"\x89\x7d" + b"x" * 125
        async with (
            wild(self.talk(frame, listening=False)) as flood,
            rig.reading(kind="emsc", url=f"ws://{HOME}:{flood.port}/", idle_seconds=0.5),
        ):
            await until(lambda: len(flood.connections) >= 2, within=20)


class TestTwoHosts:
    async def test_tell_the_earlier_end_of_their_certificates(self, rig, tmp_path):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        ends = [SENT + timedelta(days=2000), SENT + timedelta(days=1000), SENT + timedelta(days=3000)]
        contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in ends]
        for end, context in zip(ends, contexts, strict=True):
            authority.issue_cert(HOME, not_after=end).configure_cert(context)
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(serve(Streams(), context=one)) for one in contexts]
            urls = [ws(one) for one in servers]
            ca = str(tmp_path / "ca.pem")
            await stack.enter_async_context(
                rig.reading(kind="emsc", url=urls[0], more_urls=urls[1:], ca_file=ca)
            )
            await until(lambda: all(one.listeners for one in servers))
            await until(lambda: self.earliest(rig, ends[1]))

    @staticmethod
    async def earliest(rig, end) -> bool:
        states = [one.connected_at for one in (await rig.connections()).values()]
        return len(states) == 3 and all(states) and (await rig.state()).certificate_until == end

    async def test_are_read_at_the_same_time_and_each_has_its_own_sign_of_life(self, rig):
        async with (
            serve(Streams()) as one,
            serve(Streams()) as two,
            rig.reading(kind="emsc", url=ws(one), more_urls=[ws(two)]),
        ):
            await until(lambda: one.listeners and two.listeners)
            await one.push(pushed(1))
            await two.push(pushed(2))
            await until(lambda: len(rig.caught.ids) == 2)
            await until(lambda: self.both(rig))
        assert sorted(rig.caught.ids) == ["20260701_0000001", "20260701_0000002"]

    @staticmethod
    async def both(rig) -> bool:
        return [one.heartbeat_at for one in (await rig.connections()).values()] == [SENT, SENT]

    async def test_that_are_not_both_there_do_not_hold_each_other_up(self, rig):
        async with wild(lambda *_: asyncio.sleep(0)) as gone:
            url = f"ws://{HOME}:{gone.port}/ws"
            async with serve(Streams()) as one, rig.reading(kind="emsc", url=url, more_urls=[ws(one)]):
                await until(lambda: one.listeners)
                await one.push(pushed())
                await until(lambda: rig.caught.ids)
                await until(lambda: TestTheHandshake.failed(rig))
        dead = (await rig.connections())[f"{HOME}:{gone.port}"]
        assert dead.failures >= 2
        assert dead.error
        assert dead.heartbeat_at is None

    async def test_that_bring_the_same_alert_bring_it_once(self, rig):
        county = rig.county
        settings = load_settings(
            sources={NAME: {"kind": "naad", "url": "tcp://one.example.org:1", "allow_http": True}}
        )
        intake = Intake(county.database, county.clock, county.desk, settings)

        async def talk(reader, writer):
            writer.write(cap("one").encode())
            await writer.drain()
            await asyncio.sleep(30)

        async with wild(talk) as one, wild(talk) as two:
            urls = [f"tcp://{HOME}:{server.port}" for server in (one, two)]
            async with rig.reading(intake, kind="naad", url=urls[0], more_urls=urls[1:]):
                await until(lambda: self.counted(rig))
        async with county.database.raw() as connection:
            assert await connection.fetchval("SELECT count(*) FROM incoming") == 1

    @staticmethod
    async def counted(rig) -> bool:
        state = await rig.state()
        return state is not None and state.items == 2


def heartbeat(*identifiers: str) -> str:
    """A sign of life of the Canadian stream that lists the last messages."""
    references = " ".join(
        f"invented@weather.example.org,{one},2026-07-01T10:00:00+08:00" for one in identifiers
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'
        "<identifier>urn:oid:invented</identifier><sender>NAADS-Heartbeat</sender>"
        "<sent>2026-07-01T02:00:00-00:00</sent><status>System</status><msgType>Alert</msgType>"
        f"<scope>Public</scope><references>{references}</references></alert>"
    )


class TestATcpStream:
    def talk(self, *pieces: str, pause: float = 0.01):
        async def inside(reader, writer):
            for piece in pieces:
                writer.write(piece.encode())
                await writer.drain()
                await asyncio.sleep(pause)
            await asyncio.sleep(30)

        return inside

    async def test_is_cut_into_documents_wherever_the_bytes_are_cut(self, rig):
        text = cap("one") + cap("two")
        pieces = [text[at : at + 300] for at in range(0, len(text), 300)]
        async with (
            wild(self.talk(*pieces)) as server,
            rig.reading(kind="naad", url=f"tcp://{HOME}:{server.port}"),
        ):
            await until(lambda: len(rig.caught.names) == 2)
        assert rig.caught.names == ["one", "two"]

    async def test_that_trickles_and_never_gives_a_document_is_opened_anew(self, rig):
        async with (
            wild(self.talk(*["<alert>", *"x" * 1000], pause=0.02)) as server,
            rig.reading(kind="naad", url=f"tcp://{HOME}:{server.port}", idle_seconds=0.3),
        ):
            await until(lambda: len(server.connections) >= 2)

    async def test_that_never_ends_a_document_is_closed(self, rig):
        async def talk(reader, writer):
            writer.write(b"<alert>")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()

        async with wild(talk) as server, rig.reading(kind="naad", url=f"tcp://{HOME}:{server.port}"):
            await until(lambda: len(server.connections) >= 2)
        assert "too_large" in await rig.troubles()

    async def test_needs_a_port_and_the_word_that_no_tls_is_meant(self, rig):
        with pytest.raises(SettingsRefused, match="needs a port"):
            async with rig.reading(kind="naad", url="tcp://stream.example.org"):
                pass
        with pytest.raises(SettingsRefused, match="allow_http"):
            async with rig.reading(kind="naad", url="tcp://stream.example.org:1", allow_http=False):
                pass


class TestAGap:
    """NAAD: each heartbeat lists the last messages; what did not come is in the archive."""

    @asynccontextmanager
    async def stream(self, rig, archive: Feeds, *pieces: str):
        talk = TestATcpStream().talk(*pieces, pause=0.1)
        async with (
            wild(talk) as server,
            rig.reading(kind="naad", url=f"tcp://{HOME}:{server.port}", archive_url=archive.url("/archive")),
        ):
            yield

    @staticmethod
    async def told(rig) -> bool:
        return "message_missed" in await rig.troubles()

    def names(self, identifier: str) -> list[str]:
        from gateway.alerts.model import Reference

        reference = Reference(sender="invented@weather.example.org", identifier=identifier, sent=SENT)
        return [f"/archive/{name}" for name in naad.archive_names(reference)]

    async def test_is_filled_from_the_archive_by_the_first_name_that_is_there(self, rig):
        async with serve(Feeds()) as archive:

            async def any_name(request: web.Request) -> web.Response:
                second = len([path for path in archive.paths() if path.startswith("/archive/")]) >= 2
                return web.Response(body=cap("two").encode()) if second else web.Response(status=404)

            archive.pages = Anything(any_name)
            async with self.stream(rig, archive, cap("one"), heartbeat("one", "two")):
                await until(lambda: "two" in rig.caught.names)
        assert rig.caught.names == ["one", "two"]
        assert all(path.startswith("/archive/2026-07-01/") for path in archive.paths())

    async def test_that_the_archive_cannot_fill_is_told_after_some_tries(self, rig):
        beats = [heartbeat("lost")] * (MOST_TRIES + 3)
        async with serve(Feeds()) as archive, self.stream(rig, archive, *beats):
            await until(lambda: self.told(rig))
        assert len(archive.asked) <= MOST_TRIES * len(self.names("lost"))

    async def test_is_filled_although_the_archive_has_nonsense_for_an_earlier_message(self, rig):
        async with serve(Feeds()) as archive:

            async def page(request: web.Request) -> web.Response:
                body = "<html>works</html>" if "bad" in request.path else cap("good")
                return web.Response(body=body.encode())

            archive.pages = Anything(page)
            async with self.stream(rig, archive, heartbeat("bad", "good")):
                await until(lambda: "good" in rig.caught.names)
                await until(rig.troubles)

    async def test_without_an_archive_is_told_after_some_heartbeats(self, rig):
        talk = TestATcpStream().talk(*[heartbeat("lost")] * (MOST_TRIES + 1), pause=0.1)
        async with wild(talk) as server, rig.reading(kind="naad", url=f"tcp://{HOME}:{server.port}"):
            await until(lambda: self.told(rig))

    async def test_leads_nowhere_outside_of_the_archive(self, rig, monkeypatch):
        evil = naad.ADAPTER._replace(
            archive_names=lambda _: ["../../secret", "/etc/passwd", "a/../b", "good/x.xml"]
        )
        monkeypatch.setattr(naad, "ADAPTER", evil)
        async with serve(Feeds()) as archive, self.stream(rig, archive, heartbeat("two")):
            await until(lambda: archive.asked)
        assert set(archive.paths()) == {"/archive/good/x.xml"}


class Anything(dict):
    """Pages that are the same at every path."""

    def __init__(self, page) -> None:
        super().__init__()
        self.page = page

    def get(self, path, default=None):
        return self.page


class TestBackfill:
    """EMSC has no replay: after each connection the gap is asked of its event service."""

    async def test_asks_the_archive_for_what_came_since_the_last_sign_of_life(self, rig):
        async with serve(Streams()) as server:
            collection = {"type": "FeatureCollection", "features": [quake(7)]}
            server.page("/query", json.dumps(collection))
            async with rig.reading(kind="emsc", url=ws(server), archive_url=server.url("/query")):
                await until(lambda: rig.caught.ids)
                await server.push(pushed(8))
                await until(lambda: len(rig.caught.ids) == 2)
                rig.county.clock.advance(3600)
                await server.drop()
                await until(lambda: len(self.queries(server)) == 2)
        assert rig.caught.ids[:2] == ["20260701_0000007", "20260701_0000008"]
        first, second = self.queries(server)
        assert first < second <= SENT.replace(tzinfo=None).isoformat()

    @staticmethod
    def queries(server: Feeds) -> list[str]:
        asked = [one.path for one in server.asked if one.path.startswith("/query")]
        return [parse_qs(urlsplit(path).query)["starttime"][0] for path in asked]

    async def test_that_fails_is_tried_again_and_holds_up_nothing(self, rig, monkeypatch):
        monkeypatch.setattr("gateway.feeds.mend.poll_pause", lambda *_: 0.02)
        async with serve(Streams()) as server:
            server.page("/query", status=503)
            async with rig.reading(kind="emsc", url=ws(server), archive_url=server.url("/query")):
                await until(lambda: server.listeners)
                await server.push(pushed(1))
                await until(lambda: rig.caught.ids)
                await until(lambda: len(self.queries(server)) >= 3)
                server.page("/query", status=204)
                await until(lambda: server.paths()[-1].startswith("/query"))
        assert "throttled" in await rig.troubles()


class TestTheHandshake:
    @pytest.mark.parametrize(
        "answer", [head("200 OK", Content_Length="0"), head("403 Forbidden"), b"nonsense\r\n\r\n", b""]
    )
    async def test_that_is_none_is_a_failure_in_words(self, rig, answer):
        async def talk(reader, writer):
            await request_of(reader)
            writer.write(answer)
            await writer.drain()

        async with wild(talk) as server, rig.reading(kind="emsc", url=f"ws://{HOME}:{server.port}/"):
            await until(lambda: self.failed(rig))
        (host,) = (await rig.connections()).values()
        assert host.failures >= 2
        assert host.error
        assert host.fix

    @staticmethod
    async def failed(rig) -> bool:
        return any(one.failures >= 2 for one in (await rig.connections()).values())
