"""Polls, what an index leads to, and that one process reads however many run."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.feeds.adapters import cap as cap_adapter
from gateway.feeds.adapters import edxl as edxl_adapter
from gateway.feeds.book import Book
from gateway.feeds.fetch.pace import Pace
from gateway.feeds.intake import Intake
from gateway.feeds.lease import Lease, LeaseLost
from gateway.feeds.poller import MOST_LINKS, WHOLE_SECONDS, Poller
from gateway.feeds.reader import Reader, make_client
from gateway.settings import load_settings
from gateway.store import sources as store
from gateway.store.database import Database
from tests.feeds.servers import FORBIDDEN, HOME, SENT, Feeds, atom, cap, serve, until, wild

ROOT = Path(__file__).resolve().parents[2]
NAME = "weather"


async def to_home(host: str, port: int) -> list[str]:
    return [HOME]


class Rig:
    """One source of the settings, its poller, and what is known of it."""

    def __init__(self, county, feeds: Feeds, lease: Lease) -> None:
        self.county = county
        self.feeds = feeds
        self.lease = lease
        self.clock = county.clock

    def settings(self, **source: object):
        base = {"kind": "cap", "url": self.feeds.url("/feed"), "allow_http": True, "allow_private": True}
        return load_settings(sources={NAME: base | source})

    @asynccontextmanager
    async def poller(self, **source: object):
        settings = self.settings(**source)
        one = settings.sources[NAME]
        book = Book(self.county.database, self.clock, self.lease, NAME, one)
        intake = Intake(self.county.database, self.clock, self.county.desk, settings)
        async with make_client(one, settings, Pace(), self.clock, to_home) as client:
            yield Poller(book, client, intake)

    async def state(self) -> store.State:
        async with self.county.database.begin() as connection:
            return (await store.states(connection))[NAME]

    async def troubles(self) -> list[tuple[str, str]]:
        async with self.county.database.begin() as connection:
            return [(one.code, one.place) for one in await store.troubles(connection, NAME)]

    async def failing(self) -> int:
        async with self.county.database.begin() as connection:
            return (await store.failing_links(connection)).get(NAME, 0)

    async def taken(self) -> list[str]:
        async with self.county.database.raw() as connection:
            rows = await connection.fetch("SELECT identifier FROM incoming ORDER BY identifier")
            return [row[0] for row in rows]

    def index(self, *paths: str, **how: object) -> None:
        self.feeds.page("/feed", atom(*(self.feeds.url(path) for path in paths), **how))


@pytest.fixture
async def rig(county):
    lease = Lease(county.database, 15)
    assert await lease.take()
    async with serve(Feeds()) as feeds:
        yield Rig(county, feeds, lease)


class TestAPoll:
    async def test_takes_what_is_there_and_notes_that_it_was_good(self, rig):
        rig.feeds.page("/feed", cap("one"), ETag='"1"')
        async with rig.poller() as poller:
            pause = await poller.poll()
        state = await rig.state()
        assert await rig.taken() == ["one"]
        assert 54 <= pause <= 66
        assert state.good_at == state.polled_at == state.heartbeat_at == state.item_at == SENT
        assert (state.failures, state.items, state.error, state.troubled) == (0, 1, "", 0)
        assert 54 <= (state.next_at - SENT).total_seconds() <= 66

    async def test_asks_whether_anything_has_changed_only_once_it_was_handed_over(self, rig):
        rig.feeds.page("/feed", cap("one"), ETag='"1"', Last_Modified="Wed, 01 Jul 2026 02:00:00 GMT")
        async with rig.poller() as poller:
            await poller.poll()
            rig.clock.advance(60)
            await poller.poll()
        first, second = (one.headers for one in rig.feeds.asked)
        assert "If-None-Match" not in first
        assert second["If-None-Match"] == '"1"'
        assert second["If-Modified-Since"] == "Wed, 01 Jul 2026 02:00:00 GMT"
        state = await rig.state()
        assert state.good_at == SENT + timedelta(seconds=60)
        assert (state.items, state.item_at) == (1, SENT)

    async def test_reads_the_same_body_once(self, rig):
        rig.feeds.page("/feed", cap("one"))
        async with rig.poller() as poller:
            await poller.poll()
            await poller.poll()
        assert (await rig.state()).items == 1

    async def test_whose_items_could_not_be_handed_over_is_made_again_as_if_for_the_first_time(self, rig):
        rig.feeds.page("/feed", cap("one"), ETag='"1"')
        async with rig.poller() as poller:
            async with rig.county.database.raw() as connection:
                await connection.execute("ALTER TABLE sightings RENAME TO away")
            with pytest.raises(Exception, match="sightings"):
                await poller.poll()
            async with rig.county.database.raw() as connection:
                await connection.execute("ALTER TABLE away RENAME TO sightings")
            await poller.poll()
        assert "If-None-Match" not in rig.feeds.asked[1].headers
        assert await rig.taken() == ["one"]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ("<html><body>we are moving</body></html>", 200, None),
            ('{"error": "quota"}', 200, None),
            ("", 200, "feed_truncated"),
            (" \n", 200, "feed_truncated"),
            (cap("two")[:400], 200, None),
            (cap("two"), 500, "status"),
            (cap("two"), 403, "access"),
            ("", 204, "missing"),
            ("", 404, "missing"),
            ("", 410, "missing"),
        ],
    )
    async def test_that_fails_changes_nothing_but_the_failure(self, rig, body, status, code):
        rig.feeds.page("/feed", cap("one"))
        async with rig.poller() as poller:
            await poller.poll()
            rig.clock.advance(60)
            rig.feeds.page("/feed", body, status=status)
            await poller.poll()
            failed = await rig.state()
            assert (failed.failures, failed.good_at) == (1, SENT)
            assert failed.polled_at == rig.clock.now()
            assert failed.error
            assert failed.fix
            assert code in {None, failed.code}
            assert await rig.taken() == ["one"]
            assert [one[0] for one in await rig.troubles()] == [failed.code]
            rig.feeds.page("/feed", cap("two"))
            await poller.poll()
        good = await rig.state()
        assert (good.failures, good.error, good.good_at) == (0, "", rig.clock.now())
        assert await rig.taken() == ["one", "two"]

    @pytest.mark.parametrize("kind", ["usgs", "eccc", "metno", "geonet", "emsc"])
    async def test_that_brings_the_document_of_another_kind_is_a_failed_one(self, rig, corpus, kind):
        rig.feeds.page("/feed", (corpus / "nws_json" / "empty_active.json").read_bytes())
        async with rig.poller(kind=kind, accept_unofficial=True) as poller:
            await poller.poll()
        state = await rig.state()
        assert (state.failures, state.good_at, state.code) == (1, None, "unknown_format")
        assert state.error == "the address has a document of kind nws"
        assert state.fix == "check the kind and the address of the source"

    async def test_is_made_less_and_less_often_while_it_fails(self, rig):
        async with rig.poller() as poller:
            pauses = [await poller.poll() for _ in range(6)]
        for pause, expected in zip(pauses, (60, 120, 240, 480, 600, 600), strict=True):
            assert expected * 0.9 <= pause <= expected * 1.1

    async def test_heeds_what_the_source_asks(self, rig):
        rig.feeds.page("/feed", status=503, Retry_After="700")
        async with rig.poller() as poller:
            assert 630 <= await poller.poll() <= 770

    async def test_is_not_made_early_by_a_restart(self, rig):
        rig.feeds.page("/feed", cap("one"))
        async with rig.poller() as poller:
            await poller.poll()
        rig.clock.advance(20)
        async with rig.poller() as poller:
            assert 34 <= await poller._first_pause() <= 46
        rig.clock.advance(100)
        async with rig.poller() as poller:
            assert await poller._first_pause() == 0

    async def test_over_whose_document_the_program_fails_is_a_failed_poll_in_words(self, rig, monkeypatch):
        def fail(document):
            raise KeyError("an invented mistake")

        monkeypatch.setattr(cap_adapter, "ADAPTER", cap_adapter.ADAPTER._replace(read=fail))
        rig.feeds.page("/feed", cap("one"))
        async with rig.poller() as poller:
            await poller.poll()
        state = await rig.state()
        assert (state.failures, state.code) == (1, "feed_malformed")
        assert "report" in state.error

    async def test_reads_documents_beside_the_loop(self, rig, monkeypatch):
        threads = []

        def read(document):
            threads.append(threading.get_ident())
            return original(document)

        original = cap_adapter.ADAPTER.read
        monkeypatch.setattr(cap_adapter, "ADAPTER", cap_adapter.ADAPTER._replace(read=read))
        rig.feeds.page("/feed", cap("one"))
        async with rig.poller() as poller:
            await poller.poll()
        assert threads
        assert threading.get_ident() not in threads

    async def test_without_the_lease_asks_nothing_and_hands_over_nothing(self, rig):
        rig.feeds.page("/feed", cap("one"))
        await rig.lease.give_up()
        async with rig.poller() as poller:
            with pytest.raises(LeaseLost):
                await poller.poll()
        assert rig.feeds.asked == []

    async def test_whose_answer_comes_after_the_lease_has_run_out_hands_over_nothing(self, rig):
        rig.feeds.page("/feed", cap("one"))
        answer = rig.feeds.pages["/feed"]

        async def late(request):
            rig.lease._until = 0
            return await answer(request)

        rig.feeds.pages["/feed"] = late
        async with rig.poller() as poller:
            with pytest.raises(LeaseLost):
                await poller.poll()
        assert await rig.taken() == []


class TestNoData:
    @pytest.mark.parametrize(
        ("kind", "path", "status", "good"),
        [
            ("fdsn_text", "/feed", 204, True),
            ("quakeml", "/feed", 204, True),
            ("quakeml", "/feed?nodata=404", 404, True),
            ("quakeml", "/feed", 404, False),
            ("cap", "/feed", 204, False),
            ("cap", "/feed?nodata=404", 404, False),
        ],
    )
    async def test_of_an_fdsn_node_is_a_good_answer_and_of_others_none(self, rig, kind, path, status, good):
        rig.feeds.page("/feed", status=status)
        async with rig.poller(kind=kind, url=rig.feeds.url(path)) as poller:
            await poller.poll()
        state = await rig.state()
        assert (state.good_at is not None) is good
        assert state.failures == (0 if good else 1)


class TestAnIndex:
    async def test_leads_to_documents_that_are_fetched_once_also_after_a_restart(self, rig):
        rig.index("/a", "/b", "/a")
        rig.feeds.page("/a", cap("one"))
        rig.feeds.page("/b", cap("two"))
        for _ in range(2):
            async with rig.poller(kind="atom") as poller:
                await poller.poll()
                await poller.poll()
        assert await rig.taken() == ["one", "two"]
        assert sorted(one for one in rig.feeds.paths() if one != "/feed") == ["/a", "/b"]

    async def test_that_says_a_document_has_changed_has_it_fetched_again(self, rig):
        rig.index("/a", "/b")
        rig.feeds.page("/a", cap("one"))
        rig.feeds.page("/b", cap("two"))
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
            rig.index("/a", "/b", stamps={rig.feeds.url("/b"): "2026-07-01T03:00:00Z"})
            rig.feeds.page("/b", cap("three"))
            await poller.poll()
        assert await rig.taken() == ["one", "three", "two"]
        assert rig.feeds.paths().count("/a") == 1

    async def test_with_a_link_that_fails_gives_the_others_and_tries_it_again(self, rig):
        rig.index("/a", "/b", "/c", "/d")
        rig.feeds.page("/a", cap("one"))
        rig.feeds.page("/b", cap("two"), status=500)
        rig.feeds.page("/c", "<html>no</html>")
        rig.feeds.page("/d", cap("four"))
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
            assert await rig.taken() == ["four", "one"]
            assert await rig.failing() == 2
            home = f"{HOME}:{rig.feeds.port}"
            assert {place for _, place in await rig.troubles()} == {f"{home}/b", f"{home}/c"}
            rig.feeds.page("/b", cap("two"))
            rig.feeds.page("/c", cap("three"))
            await poller.poll()  # the index itself is the same
        assert await rig.taken() == ["four", "one", "three", "two"]
        assert await rig.failing() == 0
        assert await rig.troubles() == []

    async def test_with_a_dead_link_says_that_its_address_is_not_in_the_settings(self, rig):
        rig.index("/a", "/moved")
        rig.feeds.page("/moved", status=302, Location="/away/and/away")
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
        async with rig.county.database.begin() as connection:
            kept = await store.troubles(connection, NAME)
        assert {one.fix for one in kept} == {"ask the source: the address stands in its index"}

    async def test_with_a_link_that_goes_on_failing_tries_it_less_and_less(self, rig):
        rig.index("/a")
        async with rig.poller(kind="atom", interval_seconds=60) as poller:
            for _ in range(30):
                await poller.poll()
                rig.clock.advance(60)
        assert 4 <= rig.feeds.paths().count("/a") <= 8

    async def test_that_drops_a_link_before_it_could_be_fetched_has_it_forgotten(self, rig):
        rig.index("/a", "/gone")
        rig.feeds.page("/a", cap("one"))
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
            assert await rig.failing() == 1
            rig.index("/a")
            await poller.poll()
        assert await rig.failing() == 0

    async def test_that_leads_inside_our_network_or_away_is_a_trouble_and_not_followed(self, rig):
        async with wild(lambda *_: asyncio.sleep(0), FORBIDDEN) as inside:
            links = [
                f"http://{FORBIDDEN}:{inside.port}/x",
                "http://elsewhere.example.org/x",
                "file:///etc/passwd",
                "gopher://127.0.0.1/x",
                "http://0x7f.1/x",
                rig.feeds.url("/" + "a" * 3000),
            ]
            rig.feeds.page("/feed", atom(*links, rig.feeds.url("/a")))
            rig.feeds.page("/a", cap("one"))
            async with rig.poller(kind="atom") as poller:
                await poller.poll()
        assert inside.connections == []
        assert await rig.taken() == ["one"]
        assert {code for code, _ in await rig.troubles()} == {"link_refused"}
        assert (await rig.state()).troubled >= 5

    async def test_may_lead_to_hosts_that_the_settings_name(self, rig):
        async with serve(Feeds()) as other:
            other.page("/x", cap("one"))
            rig.feeds.page("/feed", atom(other.url("/x", "mirror.example.org")))
            async with rig.poller(kind="atom", allow_hosts=["Mirror.Example.org"]) as poller:
                await poller.poll()
        assert await rig.taken() == ["one"]

    async def test_that_leads_to_another_index_is_not_followed_further(self, rig):
        rig.index("/a")
        rig.feeds.page("/a", atom(rig.feeds.url("/b")))
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
        assert [code for code, _ in await rig.troubles()] == ["unknown_format"]
        assert "/b" not in rig.feeds.paths()

    async def test_with_more_links_than_anybody_needs_is_cut_off(self, rig):
        refused = [f"http://elsewhere.example.org/{number}" for number in range(MOST_LINKS + 5)]
        rig.feeds.page("/feed", atom(*refused))
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
        async with rig.county.database.begin() as connection:
            kept = await store.troubles(connection, NAME)
        assert len(kept) <= store.TROUBLES_KEPT

    async def test_that_is_served_where_a_single_document_is_expected_is_read_as_an_index(self, rig):
        rig.index("/a")
        rig.feeds.page("/a", cap("one"))
        async with rig.poller(kind="cap") as poller:
            await poller.poll()
        assert await rig.taken() == ["one"]

    async def test_with_a_host_that_no_name_can_be_loses_nothing_but_that_link(self, rig):
        rig.feeds.page("/feed", atom("http://xn--/x", rig.feeds.url("/good")))
        rig.feeds.page("/good", cap("good"))
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
        assert await rig.taken() == ["good"]


class TestTheWholeDocument:
    async def test_is_fetched_now_and_then_although_the_source_says_that_nothing_has_changed(self, rig):
        async def same_for_ever(request):
            if "If-None-Match" in request.headers:
                return web.Response(status=304)
            return web.Response(body=rig.body.encode(), headers={"ETag": '"1"'})

        rig.body = cap("one")
        rig.feeds.pages["/feed"] = same_for_ever
        async with rig.poller() as poller:
            await poller.poll()
            rig.body = cap("two")
            rig.clock.advance(60)
            await poller.poll()
            assert await rig.taken() == ["one"]
            rig.clock.advance(WHOLE_SECONDS)
            await poller.poll()
        assert await rig.taken() == ["one", "two"]


class TestTheFirstPoll:
    async def test_comes_at_once_where_the_clock_was_set_back(self, rig):
        rig.feeds.page("/feed", cap("one"))
        async with rig.poller(interval_seconds=3600) as poller:
            await poller.poll()
            assert await poller._first_pause() > 3000
            rig.clock._now -= timedelta(hours=1)
            assert await poller._first_pause() == 0


class TestALongDocument:
    async def test_is_handed_over_no_further_once_the_lease_has_run_out(self, rig, monkeypatch):
        take = Intake.take

        async def take_and_freeze(intake, *given, **named):
            taken = await take(intake, *given, **named)
            rig.lease._until = 0.0  # as for a process that was stopped here, and goes on
            return taken

        monkeypatch.setattr(Intake, "take", take_and_freeze)
        inside = "".join(
            "<contentObject><xmlContent><embeddedXMLContent>"
            f"{cap(name).split('?>', 1)[1]}</embeddedXMLContent></xmlContent></contentObject>"
            for name in ("one", "two", "three")
        )
        rig.feeds.page(
            "/feed",
            '<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0">'
            "<distributionID>invented</distributionID><senderID>invented@example.org</senderID>"
            "<dateTimeSent>2026-07-01T02:00:00Z</dateTimeSent><distributionStatus>Actual</distributionStatus>"
            f"<distributionType>Report</distributionType>{inside}</EDXLDistribution>",
        )
        async with rig.poller(kind="edxl") as poller:
            with pytest.raises(LeaseLost):
                await poller.poll()
        assert await rig.taken() == ["one"]


class TestTheLocksOfAFrozenProcess:
    async def test_are_let_go_of_by_the_server(self, county, database_url):
        async with Database(database_url, size=1, idle_seconds=0.2) as frozen:
            with pytest.raises(DBAPIError):
                await self.hold_until_another_has_it(frozen, county.database)
            async with frozen.begin() as connection:
                assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1

    async def test_are_let_go_of_by_the_server_on_the_send_path(self, county, database_url):
        async with Database(database_url, size=1, idle_seconds=0.2) as frozen:
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
                await self.hold_a_raw_one_until_another_has_it(frozen, county.database)

    async def test_are_let_go_of_between_the_parts_of_a_statement(self, county, database_url):
        bounds = {"idle_seconds": 100, "transaction_seconds": 1}
        async with Database(database_url, size=1, **bounds) as frozen:
            with pytest.raises(DBAPIError):
                await self.hold_one_half_asked_until_another_has_it(frozen, county.database)

    @staticmethod
    async def hold_one_half_asked_until_another_has_it(frozen: Database, database: Database) -> None:
        lock = "SELECT pg_advisory_xact_lock(4711)"
        async with frozen.begin() as connection:
            await connection.execute(text(lock))
            # The driver asks what a statement returns and waits for the word before it has it run.
            await (await connection.get_raw_connection()).driver_connection.prepare("SELECT 4712")
            async with asyncio.timeout(20), database.begin() as other:
                await other.execute(text(lock))

    @staticmethod
    async def hold_a_raw_one_until_another_has_it(frozen: Database, database: Database) -> None:
        lock = "SELECT pg_advisory_xact_lock(4711)"
        async with frozen.raw() as connection, connection.transaction():
            await connection.execute(lock)
            async with asyncio.timeout(20), database.begin() as other:
                await other.execute(text(lock))

    @staticmethod
    async def hold_until_another_has_it(frozen: Database, database: Database) -> None:
        lock = "SELECT pg_advisory_xact_lock(4711)"
        async with frozen.begin() as connection:
            await connection.execute(text(lock))
            async with asyncio.timeout(20), database.raw() as other, other.transaction():
                await other.execute(lock)


class TestTheLease:
    async def test_outlives_the_words_of_the_driver_for_a_line_that_was_cut(self, county, monkeypatch):
        renew, cut = store.renew, [asyncpg.InternalClientError("cut"), asyncpg.InterfaceError("cut")]

        async def fail_twice(*given):
            if cut:
                raise cut.pop()
            return await renew(*given)

        monkeypatch.setattr(store, "renew", fail_twice)
        lease = Lease(county.database, 3)
        assert await lease.take()
        keeping = asyncio.create_task(lease.keep())
        until_then = lease._until
        await until(lambda: lease._until > until_then)
        assert not keeping.done()
        keeping.cancel()

    async def test_is_held_by_one_and_handed_on_with_a_higher_token(self, county):
        first, second = Lease(county.database, 15), Lease(county.database, 15)
        assert await first.take()
        assert not await second.take()
        assert not await first.take()
        await first.give_up()
        assert await second.take()
        assert second.token == first.token + 1

    async def test_that_has_run_out_by_the_clock_of_the_database_goes_to_the_next(self, rig):
        async with rig.county.database.raw() as connection:
            await connection.execute("UPDATE leases SET until = clock_timestamp() - interval '1 ms'")
        late, other = rig.lease, Lease(rig.county.database, 15)
        assert await other.take()
        async with rig.county.database.begin() as connection:
            assert not await store.renew(connection, "sources", late.token, 15)
        await late.give_up()  # must not take it from the other
        async with rig.county.database.begin() as connection:
            assert await store.renew(connection, "sources", other.token, 15)

    async def test_fences_off_what_a_late_holder_still_writes(self, rig):
        other = Lease(rig.county.database, 15)
        async with rig.county.database.raw() as connection:
            await connection.execute("UPDATE leases SET until = clock_timestamp()")
        assert await other.take()
        source = rig.settings().sources[NAME]
        later = Book(rig.county.database, rig.clock, other, NAME, source)
        await later.state()
        await later.connected("one", None)
        with pytest.raises(LeaseLost):
            await Book(rig.county.database, rig.clock, rig.lease, NAME, source).heard("one", document=True)

    async def test_ends_by_itself_where_the_database_refuses(self, county):
        lease = Lease(county.database, 0.9)
        assert await lease.take()
        async with county.database.raw() as connection:
            await connection.execute("ALTER TABLE leases RENAME TO away")
        async with asyncio.timeout(20):
            await lease.keep()
        with pytest.raises(LeaseLost):
            lease.require()

    async def test_ends_by_itself_where_the_database_hangs(self, county):
        lease = Lease(county.database, 0.9)
        assert await lease.take()
        async with county.database.raw() as connection, connection.transaction():
            await connection.execute("LOCK TABLE leases")
            async with asyncio.timeout(20):
                await lease.keep()
        with pytest.raises(LeaseLost):
            lease.require()

    async def test_is_kept_for_as_long_as_it_is_renewed(self, county):
        lease, other = Lease(county.database, 0.6), Lease(county.database, 0.6)
        assert await lease.take()
        keeping = asyncio.create_task(lease.keep())
        for _ in range(12):
            await asyncio.sleep(0.1)
            assert not await other.take()
            lease.require()
        keeping.cancel()

    async def test_that_somebody_took_away_ends_the_keeping(self, county):
        lease = Lease(county.database, 0.9)
        assert await lease.take()
        async with county.database.raw() as connection:
            await connection.execute("UPDATE leases SET token = token + 1")
        async with asyncio.timeout(20):
            await lease.keep()


class TestTheReader:
    def reader(
        self, county, lease_seconds: float, sources: dict[str, object], user_agent: str = "x"
    ) -> Reader:
        settings = load_settings(sources=sources, feeds={"user_agent": user_agent})
        intake = Intake(county.database, county.clock, county.desk, settings)
        lease = Lease(county.database, lease_seconds)
        return Reader(county.database, intake, settings, county.clock, lease=lease)

    @asynccontextmanager
    async def running(self, *readers: Reader):
        tasks = [asyncio.create_task(one.run()) for one in readers]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def test_lets_no_source_suffer_from_another(self, county, tmp_path, monkeypatch):
        def fail(document):
            raise MemoryError

        no_ca = tmp_path / "ca.pem"
        no_ca.write_text("none", encoding="ascii")
        monkeypatch.setattr(edxl_adapter, "ADAPTER", edxl_adapter.ADAPTER._replace(read=fail))
        async with serve(Feeds()) as feeds, wild(lambda *_: asyncio.sleep(30)) as silent:
            feeds.page("/good", cap("one"))
            open_to = {"kind": "cap", "allow_http": True, "allow_private": True, "interval_seconds": 1}
            sources = {
                "silent": open_to | {"url": f"http://{HOME}:{silent.port}/"},
                "missing": open_to | {"url": feeds.url("/missing")},
                "no_ca": open_to | {"url": "https://feed.example.org/", "ca_file": str(no_ca)},
                "forbidden": open_to | {"url": feeds.url("/good"), "allow_private": False},
                "breaking": open_to | {"url": feeds.url("/good"), "kind": "edxl"},
                "off": open_to | {"url": feeds.url("/off"), "enabled": False},
                "good": open_to | {"url": feeds.url("/good")},
            }
            async with self.running(self.reader(county, 15, sources)):
                await until(lambda: feeds.paths().count("/good") >= 2)
                await until(lambda: self.failures(county, "missing", "no_ca", "forbidden", "breaking"))
        assert "/off" not in feeds.paths()
        assert (await self.states(county))["good"].failures == 0
        assert "ca_file cannot be read" in (await self.states(county))["no_ca"].error
        assert "loopback" in (await self.states(county))["forbidden"].error

    async def states(self, county) -> dict[str, store.State]:
        async with county.database.begin() as connection:
            return await store.states(connection)

    async def failures(self, county, *names: str) -> bool:
        states = await self.states(county)
        return all(name in states and states[name].failures for name in names)

    async def test_waits_while_another_reads_and_goes_on_when_that_one_ends(self, county):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", cap("one"))
            source = {"kind": "cap", "url": feeds.url("/feed"), "allow_http": True, "allow_private": True,
                      "interval_seconds": 1}  # fmt: skip
            first, second = (
                self.reader(county, 1.0, {NAME: source}, user_agent=name) for name in ("first", "second")
            )
            async with AsyncExitStack() as stack:
                (task,) = await stack.enter_async_context(self.running(first))
                # Which of two that begin together is the first, is for the database to say.
                await until(lambda: feeds.asked)
                await stack.enter_async_context(self.running(second))
                await until(lambda: len(feeds.asked) >= 3)
                assert self.order(feeds) == ["first"]
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                county.clock.advance(60)
                await until(lambda: self.order(feeds) == ["first", "second"])

    @staticmethod
    def order(feeds: Feeds) -> list[str]:
        """Who asked, one after the other; a name comes twice where two took turns."""
        names: list[str] = []
        for one in feeds.asked:
            if names[-1:] != [one.headers["User-Agent"]]:
                names.append(one.headers["User-Agent"])
        return names

    async def test_goes_on_by_itself_where_the_database_was_away_for_longer_than_the_lease(self, county):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", cap("one"))
            source = {"kind": "cap", "url": feeds.url("/feed"), "allow_http": True, "allow_private": True,
                      "interval_seconds": 1}  # fmt: skip
            reader = self.reader(county, 1.0, {NAME: source})
            async with self.running(reader) as (task,):
                await until(lambda: feeds.asked)
                async with county.database.raw() as connection:
                    for table in ("leases", "source_states", "incoming"):
                        await connection.execute(f"ALTER TABLE {table} RENAME TO {table}_away")
                    await until(lambda: reader.lease._until == 0)
                    feeds.page("/feed", cap("two"))
                    for table in ("leases", "source_states", "incoming"):
                        await connection.execute(f"ALTER TABLE {table}_away RENAME TO {table}")
                    county.clock.advance(60)
                    await until(lambda: self.has(connection, "two"))
                assert not task.done()

    @staticmethod
    async def has(connection, identifier: str) -> bool:
        asked = "SELECT count(*) FROM incoming WHERE identifier = $1"
        return bool(await connection.fetchval(asked, identifier))

    async def test_ends_at_once_although_a_source_hides_the_cancellation(self, county, monkeypatch):
        async def hide(_reader, _book):
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                raise KeyError("an invented mistake") from None

        monkeypatch.setattr(Reader, "_read", hide)
        source = {"kind": "cap", "url": "https://feed.example.org/", "interval_seconds": 3600}
        reader = self.reader(county, 15, {NAME: source})
        async with asyncio.timeout(20), self.running(reader):
            await until(lambda: reader.lease.token)
            await asyncio.sleep(0.1)

    async def test_stops_at_once_where_the_lease_is_lost(self, county):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", cap("one"))
            source = {"kind": "cap", "url": feeds.url("/feed"), "allow_http": True, "allow_private": True,
                      "interval_seconds": 1}  # fmt: skip
            reader = self.reader(county, 1.0, {NAME: source})
            async with self.running(reader):
                await until(lambda: feeds.asked)
                async with county.database.raw() as connection:
                    await connection.execute(
                        "UPDATE leases SET token = token + 1, until = clock_timestamp() + interval '1 hour'"
                    )
                await until(lambda: reader.lease._until == 0)
                seen = len(feeds.asked)
                await asyncio.sleep(2.5)
                assert len(feeds.asked) == seen


@pytest.mark.timeout(240)
class TestProcesses:
    @pytest.fixture
    def config(self, tmp_path):
        def write(feeds: Feeds) -> Path:
            path = tmp_path / "tongda.toml"
            path.write_text(
                "[feeds]\nlease_seconds = 5\n[sources.weather]\nkind = 'cap'\nallow_http = true\n"
                f"allow_private = true\ninterval_seconds = 1\nurl = '{feeds.url('/feed')}'\n",
                encoding="utf-8",
            )
            return path

        return write

    @contextmanager
    def process(self, name: str, config: Path, tmp_path: Path, database_url: str, redis_url: str):
        ours = {key: value for key, value in os.environ.items() if not key.startswith("TONGDA_")}
        env = ours | {
            "PYTHONPATH": str(ROOT),
            "TONGDA_CONFIG": str(config),
            "TONGDA_STATE_DIR": str(tmp_path / "state"),
            "TONGDA_DATABASE_URL": database_url,
            "TONGDA_REDIS_URL": redis_url,
            "TONGDA_FEEDS__USER_AGENT": name,
        }
        argv = [sys.executable, "-m", "gateway.cli", "feeds"]
        with (tmp_path / f"{name}.log").open("wb") as said:
            process = subprocess.Popen(argv, env=env, cwd=tmp_path, stdout=said, stderr=said)
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    async def test_one_reads_and_the_other_takes_over_from_one_that_was_killed(
        self, config, tmp_path, county, database_url, redis_url
    ):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", cap("one"))
            file = config(feeds)
            with self.process("a", file, tmp_path, database_url, redis_url) as a:
                await until(lambda: feeds.asked)
                with self.process("b", file, tmp_path, database_url, redis_url) as b:
                    await until(lambda: len(feeds.asked) >= 6)
                    assert TestTheReader.order(feeds) == ["a"]
                    a.kill()
                    await until(lambda: TestTheReader.order(feeds) == ["a", "b"])
                    seen = len(feeds.asked)
                    await until(lambda: len(feeds.asked) >= seen + 2)
                    assert TestTheReader.order(feeds) == ["a", "b"]
                    b.send_signal(signal.SIGTERM)
                    assert await asyncio.to_thread(b.wait, 20) == 0
        async with county.database.raw() as connection:
            left = await connection.fetchval("SELECT until <= clock_timestamp() FROM leases")
        assert left is True
        assert b"Traceback" not in (tmp_path / "b.log").read_bytes()
        said = [json.loads(line) for line in (tmp_path / "b.log").read_bytes().splitlines()]
        assert [one["sources"] for one in said if one["event"].startswith("this process reads")] == [
            ["weather"]
        ]

    async def test_one_that_was_stopped_and_goes_on_hands_nothing_over_any_more(
        self, config, tmp_path, county, database_url, redis_url
    ):
        async with serve(Feeds()) as feeds:
            feeds.pages["/feed"] = self.always_another(feeds)
            file = config(feeds)
            with self.process("a", file, tmp_path, database_url, redis_url) as a:
                await until(lambda: len(feeds.asked) >= 2)
                with self.process("b", file, tmp_path, database_url, redis_url) as b:
                    a.send_signal(signal.SIGSTOP)
                    await until(lambda: self.asked_by(feeds, "b") >= 2)
                    before = await self.taken(county, "a")
                    asked = self.asked_by(feeds, "a")
                    a.send_signal(signal.SIGCONT)
                    await until(lambda: b"the lease is lost" in (tmp_path / "a.log").read_bytes())
                    seen = self.asked_by(feeds, "b")
                    await until(lambda: self.asked_by(feeds, "b") >= seen + 3)
                    assert (await self.taken(county, "a"), self.asked_by(feeds, "a")) == (before, asked)
                    assert await self.taken(county, "b") >= 3
                    for one in (a, b):
                        one.send_signal(signal.SIGTERM)
                        assert await asyncio.to_thread(one.wait, 20) == 0
        assert b"Traceback" not in (tmp_path / "a.log").read_bytes()

    @staticmethod
    def asked_by(feeds: Feeds, name: str) -> int:
        return sum(one.headers["User-Agent"] == name for one in feeds.asked)

    @staticmethod
    def always_another(feeds: Feeds):
        """A source that says something else each time, by which one can tell who took it."""

        async def page(request):
            return web.Response(body=cap(f"{request.headers['User-Agent']}-{len(feeds.asked)}").encode())

        return page

    @staticmethod
    async def taken(county, name: str) -> int:
        async with county.database.raw() as connection:
            return await connection.fetchval(
                "SELECT count(*) FROM incoming WHERE identifier LIKE $1", f"{name}-%"
            )

    def test_without_a_source_it_says_so(self, tmp_path, database_url, redis_url):
        file = tmp_path / "empty.toml"
        file.write_text("", encoding="utf-8")
        with self.process("a", file, tmp_path, database_url, redis_url) as process:
            assert process.wait(30) == 2
        assert (tmp_path / "a.log").read_text(encoding="utf-8").startswith("tongda: no source is set")


class TestAnAlertThatTheProgramFailsOver:
    async def test_is_a_trouble_and_the_others_are_taken(self, rig, monkeypatch):
        take = Intake.take

        async def fail_over_two(intake, source, kind, item, name=""):
            if item.alert.identifier == "two":
                raise KeyError("an invented mistake")
            return await take(intake, source, kind, item, name)

        monkeypatch.setattr(Intake, "take", fail_over_two)
        rig.index("/a", "/b", "/c")
        for path, name in (("/a", "one"), ("/b", "two"), ("/c", "three")):
            rig.feeds.page(path, cap(name))
        async with rig.poller(kind="atom") as poller:
            await poller.poll()
        assert await rig.taken() == ["one", "three"]
        place = f"{HOME}:{rig.feeds.port}/b"
        assert await rig.troubles() == [("item_failed", f"{place} invented@weather.example.org two")]
        assert await rig.failing() == 1

    async def test_is_tried_again_at_the_next_poll(self, rig, monkeypatch):
        async def fail(*_, **__):
            raise KeyError("an invented mistake")

        rig.feeds.page("/feed", cap("one"), ETag='"1"')
        async with rig.poller() as poller:
            with monkeypatch.context() as broken:
                broken.setattr(Intake, "take", fail)
                await poller.poll()
            await poller.poll()
        assert await rig.taken() == ["one"]

    async def test_is_none_where_the_database_is_away(self, rig, monkeypatch):
        async def away(*_, **__):
            raise ConnectionResetError

        monkeypatch.setattr(Intake, "take", away)
        rig.feeds.page("/feed", cap("one"))
        async with rig.poller() as poller:
            with pytest.raises(ConnectionResetError):
                await poller.poll()
        async with rig.county.database.begin() as connection:
            assert await store.states(connection) == {}


class TestALongIndex:
    async def test_does_not_keep_the_next_poll_waiting(self, rig):
        paths = [f"/{number}" for number in range(40)]
        rig.index(*paths)

        async def slow(request):
            await asyncio.sleep(0.2)
            return web.Response(body=cap(request.path.strip("/")).encode())

        for path in paths:
            rig.feeds.pages[path] = slow
        async with rig.poller(kind="atom", interval_seconds=1) as poller:
            await poller.poll()
            first = len(rig.feeds.asked) - 1
            assert 4 <= first < 40
            while len(await rig.taken()) < 40:
                await poller.poll()
        asked = [path for path in rig.feeds.paths() if path != "/feed"]
        assert len(asked) == len(set(asked)) == 40
