"""Alarms of silent, frozen and troubled sources by the hand-turned clock, and what shows them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from aiohttp.test_utils import TestClient, TestServer
from redis.asyncio import Redis

from gateway.commands.reconcile import _expire
from gateway.feeds.book import Book
from gateway.feeds.fetch.pace import Pace
from gateway.feeds.fetch.refused import FetchRefused
from gateway.feeds.health import CODES, judge, overview, standstill, watch
from gateway.feeds.intake import Intake
from gateway.feeds.lease import Lease
from gateway.feeds.poller import Poller
from gateway.feeds.reader import make_client
from gateway.feeds.shown import age
from gateway.feeds.taking import place_of
from gateway.settings import load_settings
from gateway.store import alarms
from gateway.store import sources as store
from gateway.web import make_app
from tests.feeds.servers import SENT, Feeds, atom, cap, serve, until, wild

if TYPE_CHECKING:
    from gateway.feeds.settings import SourceSettings

ROOT = Path(__file__).resolve().parents[2]
NAME = "weather"
CONFIRM = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"  # invented


class Office:
    """One polled source, watched by a process that does not read it."""

    def __init__(self, county, lease: Lease, **source: object) -> None:
        self.county = county
        self.clock = county.clock
        self.lease = lease
        self.settings = load_settings(
            sources={NAME: {"allow_http": True, "allow_private": True, "interval_seconds": 20} | source},
            secrets={"confirm_key": CONFIRM},
        )
        self.source: SourceSettings = self.settings.sources[NAME]

    @asynccontextmanager
    async def polling(self, deadline: float = 20.0):
        book = Book(self.county.database, self.clock, self.lease, NAME, self.source)
        intake = Intake(self.county.database, self.clock, self.county.desk, self.settings)
        async with make_client(self.source, self.settings, Pace(), self.clock) as client:
            client._deadline = deadline
            yield Poller(book, client, intake)

    async def alarms(self) -> dict[str, str]:
        """Watch, then return what is open."""
        await watch(self.county.database, self.settings, self.clock)
        async with self.county.database.begin() as connection:
            found = await alarms.standing(connection, f"source {NAME}")
            return {one.code: one.sentence for one in found}


@pytest.fixture
async def lease(county):
    made = Lease(county.database, 600)
    assert await made.take()
    return made


class TestASilentSource:
    async def test_that_hangs_raises_an_alarm_after_three_intervals_and_clears_it_when_it_speaks(
        self, county, lease
    ):
        async def hang(reader, writer):
            await reader.read()

        async with wild(hang) as server:
            office = Office(county, lease, kind="cap", url=f"http://127.0.0.1:{server.port}/")
            seen = []
            async with office.polling(deadline=0.05) as poller:
                for _ in range(4):
                    await poller.poll()
                    seen.append(sorted(await office.alarms()))
                    office.clock.advance(20)
        assert seen == [[], [], [], ["silent"]]
        assert "took too long" in (await office.alarms())["silent"]
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", cap("one"))
            office = Office(county, lease, kind="cap", url=feeds.url("/feed"))
            async with office.polling() as poller:
                await poller.poll()
            assert await office.alarms() == {}

    async def test_raises_an_alarm_although_no_reader_ever_lived(self, county, lease):
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        assert await office.alarms() == {}
        office.clock.advance(59)
        assert await office.alarms() == {}
        office.clock.advance(1)
        assert list(await office.alarms()) == ["silent"]
        assert "tongda feeds" in (await office.alarms())["silent"]

    async def test_is_one_alarm_however_often_it_is_looked_at_and_by_whom(self, county, lease):
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        await office.alarms()
        office.clock.advance(600)
        for _ in range(5):
            await office.alarms()
            office.clock.advance(5)
        async with county.database.begin() as connection:
            (only,) = await alarms.standing(connection)
        assert only.times == 1

    async def test_that_is_taken_out_of_the_settings_has_no_alarm(self, county, lease):
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        await office.alarms()
        office.clock.advance(600)
        assert await office.alarms()
        assert (
            await Office(county, lease, kind="cap", url="https://x.example.org/", enabled=False).alarms()
            == {}
        )

    async def test_leaves_the_alarms_of_others_alone(self, county, lease):
        async with county.database.begin() as connection:
            await alarms.sound(connection, f"source {NAME}", "conflict", "an invented alarm", SENT)
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        assert list(await office.alarms()) == ["conflict"]


class TestAFrozenSource:
    @pytest.mark.parametrize(
        ("kind", "body", "moving", "alarm"),
        [
            ("atom", atom(updated="2026-07-01T02:00:00Z"), False, True),
            ("atom", None, True, False),
            ("cap", cap("one"), False, False),
        ],
    )
    async def test_answers_and_its_own_stamp_stands_still(self, county, lease, kind, body, moving, alarm):
        async with serve(Feeds()) as feeds:
            office = Office(county, lease, kind=kind, url=feeds.url("/feed"), interval_seconds=200)
            raised = []
            async with office.polling() as poller:
                for number in range(5):
                    stamp = f"2026-07-01T02:0{number if moving else 0}:00Z"
                    feeds.page("/feed", body or atom(updated=stamp))
                    await poller.poll()
                    raised.append("frozen" in await office.alarms())
                    office.clock.advance(200)
        assert raised == [False, False, False, alarm, alarm]

    async def test_is_no_alarm_while_it_says_itself_that_nothing_has_changed(self, county, lease):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", atom(), ETag='"1"')
            office = Office(county, lease, kind="atom", url=feeds.url("/feed"), interval_seconds=200)
            async with office.polling() as poller:
                for _ in range(6):
                    await poller.poll()
                    office.clock.advance(200)
            assert "frozen" not in await office.alarms()

    async def test_with_an_old_stamp_in_a_new_body_is_frozen_too(self, county, lease):
        async with serve(Feeds()) as feeds:
            office = Office(county, lease, kind="atom", url=feeds.url("/feed"), interval_seconds=200)
            async with office.polling() as poller:
                for number in range(4):
                    feeds.page("/feed", atom().replace("虚构", f"虚构{number}"))
                    await poller.poll()
                    last = await office.alarms()
                    office.clock.advance(200)
        assert list(last) == ["frozen"]
        assert "its stamp stands at 2026-07-01 10:00+08:00 since" in last["frozen"]

    async def test_that_is_silent_as_well_has_one_alarm(self, county, lease):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", atom())
            office = Office(county, lease, kind="atom", url=feeds.url("/feed"))
            async with office.polling() as poller:
                await poller.poll()
        office.clock.advance(86400)
        assert list(await office.alarms()) == ["silent"]

    @pytest.mark.parametrize(
        ("kind", "stamped", "frozen_minutes", "interval", "minutes"),
        [
            ("atom", True, None, 60, 10), ("atom", True, None, 600, 30), ("jma", True, None, 60, 120),
            ("atom", False, None, 60, None), ("atom", True, 0, 60, None), ("atom", True, 5, 60, 5),
            ("atom", False, 90, 60, 90), ("usgs", True, None, 60, 10), ("list12379", False, None, 60, 360),
        ],
    )  # fmt: skip
    def test_may_stand_still_as_long_as_its_kind_or_the_settings_allow(
        self, kind, stamped, frozen_minutes, interval, minutes
    ):
        given = {"kind": kind, "url": "https://feed.example.org/", "accept_unofficial": True}
        given |= {"frozen_minutes": frozen_minutes, "interval_seconds": interval}
        source = load_settings(sources={NAME: given}).sources[NAME]
        longest = source.interval * 3
        expected = None if minutes is None else timedelta(minutes=minutes)
        assert standstill(source, stamped=stamped, longest=longest) == expected


class TestOtherAlarms:
    async def test_of_a_certificate_come_two_weeks_before_it_expires(self, county, lease):
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        await office.alarms()
        for days, codes in ((15, []), (14, ["certificate"]), (-1, ["certificate"]), (400, [])):
            values = {"certificate_until": office.clock.now() + timedelta(days=days)}
            async with county.database.begin() as connection:
                assert await store.note(connection, NAME, lease.token, values)
            assert list(await office.alarms()) == codes

    async def test_of_troubles_last_until_a_document_without_them(self, county, lease):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", atom("http://elsewhere.example.org/x"))
            office = Office(county, lease, kind="atom", url=feeds.url("/feed"))
            async with office.polling() as poller:
                await poller.poll()
                assert await office.alarms() == {
                    "troubles": "entries of weather cannot be read: elsewhere.example.org/x: "
                    "the host elsewhere.example.org is none of this source; "
                    "add the host to allow_hosts of the source if it may be fetched from"
                }
                feeds.page("/feed", atom(feeds.url("/missing")))
                await poller.poll()
                assert await office.alarms() == {
                    "troubles": "links of weather cannot be fetched or read: "
                    f"127.0.0.1:{feeds.port}/missing: a link leads to nothing (HTTP 404); "
                    "ask the source: the address stands in its index"
                }
                feeds.page("/missing", cap("one"))
                await poller.poll()
                assert await office.alarms() == {}

    async def test_of_a_stream_tell_a_silent_stream_from_one_silent_host(self, county, lease):
        office = Office(
            county, lease, kind="emsc", url="wss://one.example.org/", more_urls=["wss://two.example.org/"]
        )
        await office.alarms()
        book = Book(county.database, office.clock, lease, NAME, office.source)
        for _ in range(4):
            office.clock.advance(20)
            await book.heard("one.example.org", document=False)
        assert await office.alarms() == {
            "connection": "silent: two.example.org; the stream hangs on its other host"
        }
        await book.heard("two.example.org", document=False)
        assert await office.alarms() == {}
        office.clock.advance(60)
        assert list(await office.alarms()) == ["silent"]

    async def test_of_troubles_are_not_for_a_connection_that_broke(self, county, lease):
        office = Office(county, lease, kind="emsc", url="wss://one.example.org/")
        await office.alarms()
        book = Book(county.database, office.clock, lease, NAME, office.source)
        await book.disconnected("one.example.org", FetchRefused("connection", "it broke"), 1)
        await book.heard("one.example.org", document=False)
        assert await office.alarms() == {}

    async def test_of_troubles_are_not_for_a_host_that_the_settings_no_longer_name(self, county, lease):
        office = Office(county, lease, kind="emsc", url="wss://one.example.org/")
        await office.alarms()
        book = Book(county.database, office.clock, lease, NAME, office.source)
        for code in ("connection", "too_slow", "dns"):
            await book.disconnected("before.example.org:8443", FetchRefused(code, "it broke"), 1)
        await book.heard("one.example.org", document=False)
        assert await office.alarms() == {}

    async def test_of_troubles_of_a_stream_say_the_newest_that_is_no_broken_connection(self, county, lease):
        office = Office(county, lease, kind="emsc", url="wss://one.example.org/")
        await office.alarms()
        book = Book(county.database, office.clock, lease, NAME, office.source)
        await book.troubled([store.Trouble("feed_malformed", "one.example.org", "it is odd", "ask them")])
        office.clock.advance(1)
        await book.disconnected("one.example.org", FetchRefused("connection", "it broke"), 1)
        assert await office.alarms() == {
            "troubles": "messages of weather are missing or cannot be read: "
            "one.example.org: it is odd; ask them"
        }

    async def test_of_troubles_of_links_do_not_name_a_poll_that_failed_later(self, county, lease):
        async with serve(Feeds()) as feeds:
            feeds.page("/feed", atom(feeds.url("/missing")))
            office = Office(county, lease, kind="atom", url=feeds.url("/feed"))
            async with office.polling() as poller:
                await poller.poll()
                office.clock.advance(20)
                feeds.page("/feed", status=500)
                await poller.poll()
                assert "/missing: a link leads to nothing" in (await office.alarms())["troubles"]

    async def test_of_troubles_of_a_stream_end_after_an_hour_though_only_pings_are_answered(
        self, county, lease
    ):
        office = Office(county, lease, kind="emsc", url="wss://one.example.org/")
        await office.alarms()
        book = Book(county.database, office.clock, lease, NAME, office.source)
        await book.troubled([store.Trouble("feed_malformed", "one.example.org", "s", "f")])
        for minutes, codes in ((1, ["troubles"]), (58, ["troubles"]), (2, [])):
            office.clock.advance(60 * minutes)
            await book.heard("one.example.org", document=False)
            assert list(await office.alarms()) == codes

    async def test_of_silence_come_although_the_clock_was_set_back(self, county, lease):
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        await office.alarms()
        future = {"good_at": office.clock.now() + timedelta(days=1)}
        async with county.database.begin() as connection:
            assert await store.note(connection, NAME, lease.token, future)
        office.clock.advance(60)
        assert list(await office.alarms()) == ["silent"]

    async def test_of_silence_do_not_flap_where_a_sign_of_life_is_due_each_second(self, county, lease):
        office = Office(county, lease, kind="emsc", url="wss://one.example.org/", interval_seconds=1)
        await office.alarms()
        book = Book(county.database, office.clock, lease, NAME, office.source)
        for _ in range(3):  # a lively stream is noted every five seconds
            await book.heard("one.example.org", document=False)
            office.clock.advance(5)
            assert await office.alarms() == {}
        office.clock.advance(30)
        assert list(await office.alarms()) == ["silent"]

    def test_have_codes_that_are_documented(self):
        from gateway.feeds import health

        assert health.__doc__
        assert all(f"``{code}``" in health.__doc__ for code in CODES)
        assert judge.__doc__


class TestTroubles:
    async def test_are_counted_and_only_the_newest_hundred_of_a_source_are_kept(self, county):
        for minute in range(3):
            many = [store.Trouble("x", f"place {minute} {number:03}", "s", "f") for number in range(60)]
            async with county.database.begin() as connection:
                await store.add_troubles(connection, "a", many, SENT + timedelta(minutes=minute))
                await store.add_troubles(connection, "b", many[:1], SENT)
                await store.add_troubles(connection, "b", many[:1], SENT)
        async with county.database.begin() as connection:
            kept = await store.troubles(connection, "a")
            other = await store.troubles(connection, "b")
        assert len(kept) == 100
        assert {one.last_at for one in kept} == {SENT + timedelta(minutes=1), SENT + timedelta(minutes=2)}
        assert [one.times for one in other] == [2, 2, 2]

    async def test_hold_any_text(self, county):
        odd = store.Trouble("x", "\0" + "\ud800" + "x" * 1000, "\0" * 10 + "y" * 9999, "f")
        async with county.database.begin() as connection:
            await store.add_troubles(connection, "a", [odd], SENT)
            (kept,) = await store.troubles(connection, "a")
        assert len(kept.place) < 400
        assert len(kept.sentence) <= 500

    async def test_cannot_take_over_the_terminal_that_shows_them(self, county):
        evil = store.Trouble("x", "sender \x1b[2J\x9b1m\r\u202e one", "a\nb", "f")
        async with county.database.begin() as connection:
            await store.add_troubles(connection, "a", [evil], SENT)
            (kept,) = await store.troubles(connection, "a")
        assert f"{kept.place}{kept.sentence}".isprintable()
        assert kept.place.startswith("sender ")
        assert kept.place.endswith(" one")

    async def test_of_a_link_are_forgotten_when_it_is_read_and_those_of_others_stay(self, county):
        places = ("h/a_b", "h/a_b entry[1]", "h/axb entry", "h/a_bc", "entry[1]")
        many = [store.Trouble("x", place, "s", "f") for place in places]
        async with county.database.begin() as connection:
            for source in ("a", "b"):
                await store.add_troubles(connection, source, many, SENT)
            await store.clear_troubles(connection, "a", "h/a_b")
            kept = await store.troubles(connection, "a")
            other = await store.troubles(connection, "b")
        assert {one.place for one in kept} == {"h/axb entry", "h/a_bc", "entry[1]"}
        assert len(other) == 5

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("https://feed.example.org/a?token=x", "feed.example.org/a"),
            ("https://feed.example.org:443/a", "feed.example.org/a"),
            ("https://feed.example.org:8443/a", "feed.example.org:8443/a"),
            ("http://feed.example.org:443/a", "feed.example.org:443/a"),
            ("http://[2001:db8::1]:8080/a", "[2001:db8::1]:8080/a"),
            ("http://feed.example.org:99999/", "an address that is no URL"),
        ],
    )
    def test_name_the_port_of_an_address_where_it_is_not_the_usual_one(self, url, place):
        assert place_of(url) == place


class TestAges:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(None, "never"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7200, "2 h"), (432000, "5 d"),
         (-9, "0 s")],
    )  # fmt: skip
    def test_are_told_in_one_unit(self, seconds, text):
        then = None if seconds is None else SENT - timedelta(seconds=seconds)
        assert age(then, SENT) == text


class TestReconcile:
    async def test_goes_on_relaying_where_the_program_fails_over_the_end_of_an_alert(self):
        tried = []

        class Failing:
            async def expire_due(self):
                tried.append(len(tried))
                raise (KeyError("an invented mistake"), asyncpg.InternalClientError("cut"))[len(tried) % 2]

        task = asyncio.create_task(_expire(Failing(), 0.001))
        await until(lambda: len(tried) >= 4)
        assert not task.done()
        task.cancel()


class TestTheWeb:
    @pytest.fixture
    async def client(self, county, lease, redis_url):
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        await office.alarms()
        office.clock.advance(100)
        await office.alarms()
        async with Redis.from_url(redis_url) as redis:
            app = make_app(office.settings, county.database, redis, lambda *_: None, county.clock)
            async with TestClient(TestServer(app)) as opened:
                opened.office = office
                yield opened

    async def test_gives_metrics_for_prometheus(self, client):
        answer = await client.get("/metrics")
        text = await answer.text()
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert f'tongda_source_good_age_seconds{{source="{NAME}"}} +Inf' in text
        assert f'tongda_source_heartbeat_age_seconds{{source="{NAME}"}} +Inf' in text
        assert f'tongda_source_failures{{source="{NAME}"}} 0.0' in text
        assert f'tongda_source_items_total{{source="{NAME}"}} 0.0' in text
        assert 'tongda_alarms{code="silent"} 1.0' in text

    async def test_gives_the_sources_as_json(self, client):
        answer = await client.get("/sources.json")
        seen = await answer.json()
        assert answer.headers["Cache-Control"] == "no-store"
        assert [one["name"] for one in seen["sources"]] == [NAME]
        assert [one["code"] for one in seen["sources"][0]["alarms"]] == ["silent"]

    @pytest.mark.parametrize("path", ["/metrics", "/sources.json"])
    @pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
    async def test_tells_nothing_through_a_proxy_unless_the_settings_open_it(self, client, path, name):
        assert (await client.get(path, headers={name: "198.51.100.1"})).status == 404
        client.office.settings.web.metrics = True
        assert (await client.get(path, headers={name: "198.51.100.1"})).status == 200

    @pytest.mark.parametrize("path", ["/metrics", "/sources.json"])
    async def test_says_so_where_the_database_is_away(self, client, path, county):
        async with county.database.raw() as connection:
            await connection.execute("ALTER TABLE source_states RENAME TO away")
        answer = await client.get(path)
        assert answer.status == 503
        assert await answer.json() == {"error": "the database cannot be reached"}


class TestTheCommand:
    def run(self, tmp_path, database_url, *arguments: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "tongda.toml"
        file.write_text(
            f"[sources.{NAME}]\nkind = 'cap'\nurl = 'https://feed.example.org/'\n", encoding="utf-8"
        )
        ours = {key: value for key, value in os.environ.items() if not key.startswith("TONGDA_")}
        env = ours | {
            "PYTHONPATH": str(ROOT),
            "TONGDA_CONFIG": str(file),
            "TONGDA_STATE_DIR": str(tmp_path / "state"),
            "TONGDA_DATABASE_URL": database_url,
        }
        code = "import typer; from gateway.commands.feed_status import status; typer.run(status)"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    async def test_says_how_the_sources_are_and_ends_with_1_while_an_alarm_is_open(
        self, county, lease, tmp_path, database_url
    ):
        quiet = self.run(tmp_path, database_url)
        assert (quiet.returncode, quiet.stderr) == (0, "")
        assert NAME in quiet.stdout
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        await office.alarms()
        office.clock.advance(100)
        await office.alarms()
        loud = self.run(tmp_path, database_url)
        assert loud.returncode == 1
        assert f"ALARM {NAME}: silent: no good answer ever" in loud.stdout
        seen = json.loads(self.run(tmp_path, database_url, "--json").stdout)
        assert seen["sources"][0]["alarms"][0]["code"] == "silent"
        assert seen["reader"] == lease.holder

    async def test_tells_troubles_and_times_in_the_offset_of_the_desk(
        self, county, lease, tmp_path, database_url
    ):
        once = store.Trouble("x", "feed.example.org:8443/a", "it is odd", "ask them")
        often = store.Trouble("x", "entry[1]", "it is odd", "ask them")
        at = SENT + timedelta(microseconds=123456)
        async with county.database.begin() as connection:
            await store.add_troubles(connection, NAME, [often], SENT)
            await store.add_troubles(connection, NAME, [once, often], at)
        told = self.run(tmp_path, database_url).stdout
        assert f"{NAME}: once, 2026-07-01 10:00+08:00 (feed.example.org:8443/a): it is odd; ask them" in told
        assert f"{NAME}: 2 times, last 2026-07-01 10:00+08:00 (entry[1]): it is odd; ask them" in told
        (source,) = json.loads(self.run(tmp_path, database_url, "--json").stdout)["sources"]
        assert {one["last_at"] for one in source["troubles"]} == {"2026-07-01T10:00:00+08:00"}

    async def test_shows_what_the_overview_has(self, county, lease):
        office = Office(county, lease, kind="cap", url="https://feed.example.org/")
        seen = await overview(county.database, office.settings, office.clock)
        assert [one.state for one in seen.sources] == [None]
