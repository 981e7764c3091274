"""Webhooks reach their targets at least once, in order where that is possible, and signed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from aiohttp import web

from gateway.alerts.signature import verify
from gateway.publish import webhooks as webhooks_module
from gateway.publish.webhooks import ALARM_AFTER, Answer, judge, pause
from gateway.store import alarms
from gateway.store import publish as store
from gateway.store.publish import HOLDS, Claim
from tests.conftest import ROOT
from tests.desk.conftest import NORTH, SOUTH, START, area, sent
from tests.publish.conftest import BASE, OLD_SECRET, SECRET, follow, hook

DELIVERIES = "SELECT target, state, tries, last_status, sentence, note FROM webhook_deliveries ORDER BY id"


@pytest.fixture
def open_alarms(database):
    async def codes() -> list[str]:
        async with database.begin() as connection:
            return [one.code for one in await alarms.standing(connection)]

    return codes


class TestTheMessage:
    async def test_it_is_signed_and_tells_what_was_released(self, desk, outgoing, partner, clock, bureau):
        publisher, webhooks = outgoing(city=hook(partner.url))
        released = await sent(desk)
        await publisher.publish_due()
        assert await webhooks.serve_one("city")
        (call,) = partner.calls
        assert call.check(clock.now()) == clock.now()
        assert orjson.loads(call.body)["type"] == "alert.released"
        data = call.data
        assert (data["identifier"], data["msgType"], data["level"]) == (
            released.identifier,
            "Alert",
            "yellow",
        )
        assert data["cap_url"] == f"{BASE}/cap/{released.identifier}.xml"
        assert data["areas"] == ["北山镇"]
        xml = data["cap"].encode()
        assert hashlib.sha256(xml).hexdigest() == data["sha256"]
        assert verify(xml, [bureau.certificate], START).state == "valid-trusted"

    async def test_it_bears_a_signature_by_each_secret_during_a_change(self, desk, outgoing, partner, clock):
        publisher, webhooks = outgoing(city=hook(partner.url, secrets=[SECRET, OLD_SECRET]))
        await sent(desk)
        await publisher.publish_due()
        await webhooks.serve_one("city")
        for secret in (SECRET, OLD_SECRET):
            assert partner.calls[0].check(clock.now(), secret)

    async def test_nothing_is_left_once_it_is_taken(self, desk, outgoing, partner, sql):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        assert await webhooks.serve_one("city")
        assert not await webhooks.serve_one("city")
        assert [(row.state, row.last_status) for row in await sql(DELIVERIES)] == [("delivered", 204)]

    async def test_drills_are_told_to_nobody(self, desk, outgoing, partner):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk, mode="drill")
        await publisher.publish_due()
        assert not await webhooks.serve_one("city")
        assert partner.calls == []


class TestTryingAgain:
    @pytest.mark.parametrize("step", [500, 503, 404, 400, 401, 429, "drop", (302, {"Location": "/other"})])
    async def test_whatever_is_no_2xx_is_tried_again_with_the_same_id(
        self, desk, outgoing, partner, clock, sql, step
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        partner.script = [step]
        assert await webhooks.serve_one("city")
        assert not await webhooks.serve_one("city")
        clock.advance(3)
        assert await webhooks.serve_one("city")
        first, second = partner.calls
        assert (first.id, first.body, first.path) == (second.id, second.body, "/hook")
        assert second.check(clock.now()) > first.check(START)
        assert [(row.state, row.tries) for row in await sql(DELIVERIES)] == [("delivered", 2)]

    async def test_retry_after_is_heeded(self, desk, outgoing, partner, clock):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        partner.script = [(503, {"Retry-After": "120"})]
        await webhooks.serve_one("city")
        clock.advance(119)
        assert not await webhooks.serve_one("city")
        clock.advance(1)
        assert await webhooks.serve_one("city")

    async def test_somebody_is_told_of_a_target_that_keeps_failing_until_it_works(
        self, desk, outgoing, partner, clock, open_alarms
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        partner.script = [500] * ALARM_AFTER
        for _ in range(ALARM_AFTER):
            assert await webhooks.serve_one("city")
            clock.advance(60)
        assert await open_alarms() == ["failing"]
        await webhooks.serve_one("city")
        assert await open_alarms() == []

    async def test_after_a_day_it_is_given_up_with_an_alarm(
        self, desk, outgoing, partner, clock, sql, open_alarms
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        partner.script = [500] * 100
        for _ in range(100):
            clock.advance(3600 * 1.3)
            if not await webhooks.serve_one("city"):
                break
        assert [row.state for row in await sql(DELIVERIES)] == ["given_up"]
        assert "given_up" in await open_alarms()

    def test_the_pauses_double_up_to_an_hour(self):
        assert [pause(tries, None, 0.5) for tries in (1, 2, 3, 12, 500)] == [2, 4, 8, 3600, 3600]
        assert pause(1, None, 0.0) < pause(1, None, 1.0)

    def test_a_target_cannot_ask_for_more_than_an_hour(self):
        assert pause(1, 1e9, 0.5) == 3600

    def test_the_last_try_lies_within_a_day(self):
        held = Claim(1, "msg_1", 30, "", START, "red", "A", "", b"", {})
        late = judge(Answer(500, "it answers 500"), held, START + timedelta(hours=23, minutes=30), 0.5)
        assert late.state == "given_up"


class TestTargetsThatAreGone:
    async def test_410_stops_the_target_with_an_alarm(self, desk, outgoing, partner, clock, sql, open_alarms):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        partner.script = [410]
        await webhooks.serve_one("city")
        await sent(desk)
        await publisher.publish_due()
        clock.advance(3600)
        assert not await webhooks.serve_one("city")
        assert [row.state for row in await sql(DELIVERIES)] == ["stopped", "stopped"]
        assert await open_alarms() == ["stopped"]

    async def test_it_is_told_what_it_missed_once_somebody_resumes_it(
        self, desk, outgoing, partner, database, clock
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        released = await sent(desk)
        await publisher.publish_due()
        partner.script = [410]
        await webhooks.serve_one("city")
        async with database.begin() as connection:
            now = clock.now()
            assert await store.resume(connection, "city", now - timedelta(days=1), now) == 1
            assert await store.resume(connection, "city", now - timedelta(days=1), now) is None
        assert await webhooks.serve_one("city")
        assert partner.told == [released.identifier] * 2


class TestOrder:
    async def test_messages_of_a_target_come_in_order(self, desk, outgoing, partner, clock):
        publisher, webhooks = outgoing(city=hook(partner.url))
        due = [(await sent(desk)).identifier for _ in range(3)]
        await publisher.publish_due()
        partner.script = [500]
        while await webhooks.serve_one("city"):
            pass
        assert partner.told == due[:1]
        clock.advance(3)
        while await webhooks.serve_one("city"):
            pass
        assert partner.told == [due[0], *due]

    async def test_one_that_fails_for_good_does_not_hold_up_those_behind_it(
        self, desk, outgoing, partner, clock
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        due = [(await sent(desk)).identifier for _ in range(2)]
        await publisher.publish_due()
        partner.script = [400] * HOLDS
        for _ in range(HOLDS):
            assert await webhooks.serve_one("city")
            clock.advance(0 if _ == HOLDS - 1 else 10)
        assert await webhooks.serve_one("city")
        assert partner.told == [due[0]] * HOLDS + [due[1]]

    async def test_a_target_that_hangs_holds_up_no_other(self, desk, outgoing, partner):
        publisher, webhooks = outgoing(slow=hook(partner.url + "/slow"), quick=hook(partner.url + "/quick"))
        await sent(desk)
        await publisher.publish_due()
        partner.script = ["hang"]
        slow = asyncio.create_task(webhooks.serve_one("slow"))
        await partner.came.wait()
        assert await webhooks.serve_one("quick")
        assert not slow.done()
        partner.free.set()
        assert await slow

    async def test_several_processes_try_each_message_once(self, desk, outgoing, partner):
        city = hook(partner.url)
        publisher, _ = outgoing(city=city)
        due = [(await sent(desk)).identifier for _ in range(4)]
        await publisher.publish_due()

        async def drain() -> None:
            webhooks = outgoing(city=city)[1]
            for _ in range(40):
                if not await webhooks.serve_one("city"):
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(drain() for _ in range(3)))
        assert partner.told == due


class TestOvertaken:
    @pytest.mark.parametrize("how", ["update", "cancel"])
    async def test_who_has_the_later_message_does_not_hear_the_earlier_one_after_it(
        self, desk, outgoing, partner, clock, sql, how
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        first = await sent(desk)
        await publisher.publish_due()
        partner.script = [500] * 3
        for _ in range(3):
            await webhooks.serve_one("city")
            clock.advance(10)
        shown = await desk.show(first.id)
        second = await follow(
            desk, await desk.update(first.id, "author") if how == "update" else shown.cancel
        )
        await publisher.publish_due()
        await sql("UPDATE webhook_deliveries SET next_at = next_at + interval '1 hour' WHERE tries > 0")
        assert await webhooks.serve_one("city")
        clock.advance(2 * 3600)
        assert not await webhooks.serve_one("city")
        assert partner.told == [first.identifier] * 3 + [second.identifier]
        states = await sql("SELECT state, sentence FROM webhook_deliveries ORDER BY id")
        assert states[0] == ("given_up", "a later message of the warning was taken")
        assert states[1].state == "delivered"

    async def test_an_earlier_one_is_not_tried_while_a_later_one_is_under_way(
        self, desk, outgoing, partner, sql
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        for _ in range(2):
            await sent(desk)
        await publisher.publish_due()
        earlier, later = (row.id for row in await sql("SELECT id FROM webhook_deliveries ORDER BY id"))
        await sql("UPDATE webhook_deliveries SET tries = :tries WHERE id = :id", tries=HOLDS, id=earlier)
        leased = "UPDATE webhook_deliveries SET lease_until = now() + interval '1 hour' WHERE id = :id"
        await sql(leased, id=later)
        assert not await webhooks.serve_one("city")


class TestTooLate:
    async def test_what_waited_for_longer_than_a_day_is_not_sent_any_more(
        self, desk, outgoing, partner, clock, open_alarms
    ):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        clock.advance(timedelta(hours=25).total_seconds())
        assert await webhooks.serve_one("city")
        assert partner.calls == []
        assert await open_alarms() == ["given_up"]
        assert not await webhooks.serve_one("city")


class TestHostileTargets:
    async def test_a_body_without_end_is_not_read(self, desk, outgoing, aiohttp_server, sql):
        async def flood(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            with suppress(ConnectionError):
                while True:
                    await response.write(b"x" * 65536)
            return response

        app = web.Application()
        app.router.add_post("/hook", flood)
        server = await aiohttp_server(app)
        publisher, webhooks = outgoing(city=hook(str(server.make_url("/hook"))))
        await sent(desk)
        await publisher.publish_due()
        assert await webhooks.serve_one("city")
        assert await sql("SELECT state FROM webhook_deliveries") == [("delivered",)]

    @pytest.mark.parametrize(
        "beginning", [b"HTTP/1.1 200 OK\r\n", b"x" * 100_000, b"HTTP/1.1 100 Go\r\n\r\n"]
    )
    async def test_headers_without_end_are_a_try_that_failed(
        self, desk, outgoing, sql, monkeypatch, beginning
    ):
        monkeypatch.setattr(webhooks_module, "ANSWER_WITHIN", 0.5)

        async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                writer.write(beginning)
                while not writer.is_closing():
                    writer.write(b"X-A: b\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.05)
            writer.close()
            left.set()

        left = asyncio.Event()
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        publisher, webhooks = outgoing(city=hook(f"http://127.0.0.1:{port}/"))
        await sent(desk)
        await publisher.publish_due()
        assert await webhooks.serve_one("city")
        await left.wait()
        server.close()
        await server.wait_closed()
        assert await sql("SELECT state, tries FROM webhook_deliveries") == [("waiting", 1)]


class TestCrashes:
    async def test_a_try_that_was_cut_off_is_made_again_with_the_same_id(self, desk, outgoing, partner, sql):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        partner.script = ["hang"]
        trying = asyncio.create_task(webhooks.serve_one("city"))
        await partner.came.wait()
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        await sql("SELECT pg_sleep(0.25)")
        assert await webhooks.serve_one("city")
        first, second = partner.calls
        assert (first.id, first.body) == (second.id, second.body)

    async def test_while_the_lease_holds_nobody_else_tries(self, desk, outgoing, partner, sql):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        await sql("UPDATE webhook_deliveries SET tries = 1, lease_until = now() + interval '1 hour'")
        assert not await webhooks.serve_one("city")

    async def test_a_process_killed_in_mid_send_leaves_it_to_the_next(
        self, desk, outgoing, partner, sql, database_url, redis_url, tmp_path
    ):
        """SIGKILL between send and record, in a process of its own."""
        _, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await sql("UPDATE alerts SET expires = :later", later=datetime.now(UTC) + timedelta(days=1))
        partner.script = ["hang"]
        target = {"url": partner.url, "secrets": [SECRET], "allow_http": True, "allow_private": True}
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TONGDA_STATE_DIR": str(tmp_path),
            "TONGDA_DATABASE_URL": database_url,
            "TONGDA_REDIS_URL": redis_url,
            "TONGDA_PUBLISH": orjson.dumps({"base_url": BASE, "webhooks": {"city": target}}).decode(),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.cli", "publish"), env=environment, cwd=tmp_path
        )
        try:
            async with asyncio.timeout(60):
                await partner.came.wait()
        finally:
            process.kill()
            await process.wait()
        await sql(
            "UPDATE webhook_deliveries SET lease_until = now() - interval '1 s', next_at = :at", at=START
        )
        assert await webhooks.serve_one("city")
        first, second = partner.calls
        assert (first.id, first.body) == (second.id, second.body)
        assert [row.state for row in await sql(DELIVERIES)] == ["delivered"]


class TestWhereItMayGo:
    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"allow_private": False}, "private"),
            ({"url": "http://0x7f.1:{port}/", "allow_private": False}, "odd way"),
            ({"url": "http://user:word@127.0.0.1:{port}/"}, "user name"),
            ({"url": "http://localhost:{port}/", "allow_private": False}, "private"),
        ],
    )
    async def test_it_does_not_call_into_our_own_network(self, desk, outgoing, partner, sql, changes, words):
        port = partner.url.rsplit(":", 1)[1].split("/")[0]
        url = changes.get("url", partner.url).replace("{port}", port)
        publisher, webhooks = outgoing(city=hook(**changes | {"url": url}))
        await sent(desk)
        await publisher.publish_due()
        assert await webhooks.serve_one("city")
        assert partner.calls == []
        (row,) = await sql(DELIVERIES)
        assert (row.state, words in row.sentence) == ("waiting", True)

    async def test_no_secret_and_no_address_is_logged_or_kept(self, desk, outgoing, partner, sql, capsys):
        publisher, webhooks = outgoing(city=hook(partner.url + "?token=invented-token"))
        await sent(desk)
        await publisher.publish_due()
        partner.script = [500, "drop"]
        await webhooks.serve_one("city")
        said = capsys.readouterr()
        kept = str(await sql(DELIVERIES))
        for hidden in ("invented-token", SECRET, SECRET.removeprefix("whsec_")):
            assert hidden not in said.out + said.err + kept


class TestWhoIsTold:
    async def test_only_the_colours_and_regions_that_it_asked_for(self, desk, outgoing, partner, sql):
        hooks = {
            "all": hook(partner.url),
            "red": hook(partner.url, levels=["red"]),
            "north": hook(partner.url, regions=[NORTH]),
            "south": hook(partner.url, regions=[SOUTH]),
            "county": hook(partner.url, regions=["999901"]),
            "off": hook(partner.url, enabled=False),
        }
        publisher, _ = outgoing(**hooks)
        await sent(desk)
        await publisher.publish_due()
        assert {row.target for row in await sql(DELIVERIES)} == {"all", "north", "county"}

    async def test_who_was_told_of_a_warning_hears_of_its_end_wherever_it_moved(
        self, desk, outgoing, partner, sql
    ):
        publisher, _ = outgoing(
            north=hook(partner.url, regions=[NORTH]), south=hook(partner.url, regions=[SOUTH])
        )
        first = await sent(desk)
        await publisher.publish_due()
        update = await desk.update(first.id, "author")
        await follow(desk, update, areas=(area(SOUTH, "南湖镇"),))
        await publisher.publish_due()
        assert [row.target for row in await sql(DELIVERIES)].count("north") == 2
        assert [row.target for row in await sql(DELIVERIES)].count("south") == 1

    async def test_each_target_has_a_log_of_its_tries(self, desk, outgoing, partner, clock, database):
        publisher, webhooks = outgoing(city=hook(partner.url))
        await sent(desk)
        await publisher.publish_due()
        partner.script = [500]
        await webhooks.serve_one("city")
        clock.advance(5)
        await webhooks.serve_one("city")
        async with database.begin() as connection:
            log = await store.log_of(connection, "city")
            assert await store.backlog(connection) == {}
        assert [(one.number, one.status, one.sentence) for one in log] == [
            (2, 204, "it answers 204"),
            (1, 500, "it answers 500"),
        ]


class TestRunning:
    async def test_a_release_goes_all_the_way_by_itself(self, desk, outgoing, partner):
        publisher, webhooks = outgoing(city=hook(partner.url))
        tasks = asyncio.gather(publisher.run(), webhooks.run())
        try:
            released = await sent(desk)
            async with asyncio.timeout(30):
                await partner.came.wait()
            assert partner.told == [released.identifier]
        finally:
            tasks.cancel()
            await asyncio.gather(tasks, return_exceptions=True)
