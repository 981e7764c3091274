"""The pages of channels and sources: how they are, and their switches."""

from __future__ import annotations

import asyncio
import html
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis
from sqlalchemy import text

from gateway.dispatch.queues import Doorbells, attendance
from gateway.settings import load_settings
from gateway.store import alarms, switches
from gateway.store import sources as store
from gateway.web.console.channel_words import plain
from gateway.web.console.channels import Certificate, _certificates, _secrets
from gateway.web.console.words import templates
from tests.desk.conftest import make_route, sent

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "invented-password"
TOKEN = "invented-token"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url = f"https://feed.example.org/cap?token={TOKEN}"
    return load_settings(
        state_dir=tmp_path / "state",
        secrets={"confirm_key": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c"},  # invented
        sources={
            "weather": {"kind": "cap", "url": url, "headers": {"Authorization": SECRET}},
            "quakes": {"kind": "emsc", "url": "wss://quakes.example.org/ws"},
            "unread": {"kind": "cap", "url": url, "enabled": False},
        },
    )


async def run(database, statement: str, **values: object):
    async with database.begin() as connection:
        return await connection.execute(text(statement), values)


async def audited(database, action: str) -> list[str]:
    query = "SELECT actor || ' ' || subject || ' ' || detail FROM audit WHERE action = :action ORDER BY seq"
    return list((await run(database, query, action=action)).scalars())


async def attempt(database, outcome: str, code: str = "", at: datetime | None = None) -> None:
    """One answer for the first delivery by SMS."""
    await run(
        database,
        "INSERT INTO attempts (delivery_id, channel, try, part, batch_id, token, outcome, ref, code,"
        " submitted_at, answered_at) SELECT id, channel, 1, 0, batch_id, 1, :outcome, 'r', :code, :at, :at"
        " FROM deliveries WHERE channel = 'sms' ORDER BY id LIMIT 1",
        outcome=outcome,
        code=code,
        at=at,
    )


def row_of(page: str, anchor: str) -> str:
    """The row of the first table that leads to an anchor."""
    return page.split(f'href="#{anchor}"')[1].split("</tr>", maxsplit=1)[0]


class TestChannels:
    async def test_are_shown_in_both_modes_and_tell_where_there_is_no_route(self, visitor):
        page = (await (await visitor("auditor")).get("/channels")).text
        for anchor in ("sms-live", "sms-drill", "radio-live", "wecom-live"):
            assert f'href="#{anchor}"' in page
        assert "No drill route" in page.split('id="wecom-drill"')[1].split("</section>")[0]

    async def test_tell_who_attends_them_and_what_waits(self, visitor, desk, redis_url):
        page = (await (await visitor("author")).get("/channels")).text
        assert "No worker" in row_of(page, "sms-live")
        await sent(desk)
        with Redis.from_url(redis_url) as redis:
            for lane in ("urgent", "normal"):
                redis.sadd(f"rq:workers:sms.{lane}", f"rq:worker:{lane}", "rq:worker:killed")
                redis.set(f"rq:worker:{lane}", "alive")
        bells = Doorbells(redis_url)
        bells.ring("sms.normal", [1, 2])
        row = row_of((await (await visitor("author")).get("/channels")).text, "sms-live")
        bells.close()
        assert "No worker" not in row
        assert "queue 2" in row
        assert "batches: 1 wait, 0 under way" in row
        assert '<td class="num">3</td>' in row

    async def test_are_shown_though_redis_is_away(self, visitor, server, monkeypatch):
        async def hang(*_: object) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr("gateway.web.console.channels.attendance", hang)
        page = (await (await visitor("author")).get("/channels")).text
        assert "Not known" in row_of(page, "sms-live")

    async def test_tell_the_last_minute_and_the_troubles_in_plain_words(self, visitor, desk, database, clock):
        await sent(desk)
        now = clock.now()
        for outcome, code, ago in (
            ("accepted", "", 5),
            ("accepted", "", 70),
            ("rejected", "0x0000000B invalid destination address", 6),
            ("throttled", "<b>invented</b>", 7),
            ("retry", "connect", 90_000),
        ):
            await attempt(database, outcome, code, now - timedelta(seconds=ago))
        page = (await (await visitor("author")).get("/channels")).text
        row = row_of(page, "sms-live")
        assert "−2" in row
        assert "taken by the provider" in row
        card = page.split('id="sms-live"')[1].split("</section>")[0]
        assert "the address does not exist" in card
        assert "&lt;b&gt;invented" in card
        assert "connect" not in card
        assert "None." in page.split('id="sms-drill"')[1].split("</section>")[0]

    async def test_count_terminals_on_line(self, visitor, database, clock):
        for device, online in (("a", True), ("b", True), ("c", False)):
            await run(
                database,
                "INSERT INTO device_states (channel, device, online, at) VALUES ('radio', :d, :o, :at)",
                d=device,
                o=online,
                at=clock.now(),
            )
        page = (await (await visitor("author")).get("/channels")).text
        assert "2 on line" in page
        assert "1 off line" in page

    async def test_never_show_a_secret(self, visitor, console):
        page = (await (await visitor("admin")).get("/channels")).text
        assert "verp_key: given" in page
        assert "password: not given" in page
        route = console.office.routes["email"].live
        assert route.verp_key.get_secret_value() not in page

    async def test_give_a_part_to_a_page_that_renews_itself(self, visitor):
        part = (await (await visitor("author")).get("/channels", **{"HX-Request": "true"})).text
        assert "<html" not in part
        assert 'href="#sms-live"' in part


def seen(page) -> str:
    """What the page's form says of the switch that is off."""
    return html.unescape(re.search(r'name="seen" value="([^"]+)"', page.text)[1])


async def turn_on(browser, page: str, action: str):
    """Turn on what the page shows as off."""
    form = {"off": "0", "reason": "故障已排除", "seen": seen(await browser.get(page))}
    return await browser.post(action, form)


class TestTheSwitchOfARoute:
    async def test_takes_a_reason_and_is_written_down(self, visitor, database):
        browser = await visitor("sender")
        page = await browser.get("/channels")
        form = {"off": "1", "reason": "运营方通报故障", "once": page.once()}
        answers = await asyncio.gather(*(browser.post("/channels/sms/live/switch", form) for _ in range(2)))
        assert {one.location for one in answers} == {"/desk/channels#sms-live"}
        async with database.begin() as connection:
            assert set(await switches.off_routes(connection)) == {"sms.live"}
        assert await audited(database, "turn_off") == ['sender route sms.live {"reason":"运营方通报故障"}']
        assert "Turned off by sender since" in (await browser.get("/channels")).text
        await turn_on(browser, "/channels", "/channels/sms/live/switch")
        async with database.begin() as connection:
            assert await switches.off_routes(connection) == {}
        assert len(await audited(database, "turn_on")) == 1

    @pytest.mark.parametrize("again", ["sender", "admin"])
    async def test_is_not_turned_on_from_a_page_that_is_older_than_the_last_off(
        self, visitor, database, clock, again
    ):
        mine, other = await visitor("sender"), await visitor(again)
        await mine.post("/channels/sms/live/switch", {"off": "1", "reason": "虚构：错发"})
        old = seen(await mine.get("/channels"))
        if again == "sender":  # on and off again by the same person, in another tab
            await turn_on(mine, "/channels", "/channels/sms/live/switch")
        clock.advance(1)
        await other.post("/channels/sms/live/switch", {"off": "1", "reason": "虚构：又错发"})
        answer = await mine.post("/channels/sms/live/switch", {"off": "0", "reason": "x", "seen": old})
        assert answer.status == 422
        assert f"{again} turned this off" in answer.text
        assert "虚构：又错发" in answer.text
        async with database.begin() as connection:
            assert set(await switches.off_routes(connection)) == {"sms.live"}
        await turn_on(mine, "/channels", "/channels/sms/live/switch")
        async with database.begin() as connection:
            assert await switches.off_routes(connection) == {}

    async def test_is_not_turned_on_by_a_form_that_does_not_say_what_was_seen(self, visitor, database):
        browser = await visitor("sender")
        await browser.post("/channels/sms/live/switch", {"off": "1", "reason": "虚构"})
        answer = await browser.post("/channels/sms/live/switch", {"off": "0", "reason": "虚构"})
        assert answer.status == 422
        async with database.begin() as connection:
            assert set(await switches.off_routes(connection)) == {"sms.live"}

    async def test_is_turned_off_from_any_page_and_keeps_everybodys_reason(self, visitor, database):
        for login, reason in (("sender", "虚构：堵塞"), ("admin", "虚构：错发")):
            form = {"off": "1", "reason": reason, "seen": "of another day"}
            assert (await (await visitor(login)).post("/channels/sms/live/switch", form)).status == 303
        async with database.begin() as connection:
            row = (await switches.off_routes(connection))["sms.live"]
        assert (row.by, row.reason) == ("admin", "虚构：错发 | sender: 虚构：堵塞")
        assert len(await audited(database, "turn_off")) == 2

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 500, "a\u2028b"])
    async def test_is_refused_without_a_good_reason(self, visitor, database, reason):
        answer = await (await visitor("sender")).post(
            "/channels/sms/live/switch", {"off": "1", "reason": reason}
        )
        assert answer.status == 422
        async with database.begin() as connection:
            assert await switches.off_routes(connection) == {}

    @pytest.mark.parametrize("path", ["/channels/wecom/drill/switch", "/channels/fax/live/switch"])
    async def test_is_there_for_routes_that_there_are(self, visitor, path):
        answer = await (await visitor("sender")).post(path, {"off": "1", "reason": "x"})
        assert answer.status == 404

    async def test_is_for_who_may_operate(self, visitor):
        browser = await visitor("author")
        answer = await browser.post("/channels/sms/live/switch", {"off": "1", "reason": "x"})
        assert answer.status == 403
        assert "Turn it off" not in (await browser.get("/channels")).text


class TestSources:
    async def test_are_shown_with_what_is_wrong_and_the_way_out(self, visitor, database, clock):
        now = clock.now()
        async with database.begin() as connection:
            await store.ensure(connection, ["weather", "quakes"], now)
            sentence = "no good answer since 2026-07-01 09:00+08:00; check that 'tongda feeds' runs"
            await alarms.sound(connection, "source weather", "silent", sentence, now)
            trouble = store.Trouble(
                "missing",
                "feed.example.org/<b>",
                "there is nothing at the address (HTTP 404)",
                "check the address in the settings",
            )
            await store.add_troubles(connection, "weather", [trouble], now)
        page = (await (await visitor("author", "zh-CN")).get("/sources")).text
        assert "自 2026-07-01 09:00 起无有效应答；请检查 tongda feeds 是否在运行" in page
        assert "该地址没有内容（HTTP 404）" in page
        assert "请检查设置中的地址" in page
        assert "没有进程读取来源" in page
        assert "feed.example.org/&lt;b&gt;" in page
        assert 'id="unread"' not in page

    async def test_never_show_a_token_or_header(self, visitor):
        page = (await (await visitor("admin")).get("/sources")).text
        assert "feed.example.org/cap" in page
        assert TOKEN not in page
        assert SECRET not in page

    async def test_are_turned_off_and_on_with_a_reason(self, visitor, database, clock):
        browser = await visitor("sender")
        answer = await browser.post("/sources/weather/switch", {"off": "1", "reason": "对方检修"})
        assert answer.location == "/desk/sources#weather"
        page = (await browser.get("/sources")).text
        assert "Turned off by sender since" in page
        assert "对方检修" in page
        assert await audited(database, "turn_off") == ['sender source weather {"reason":"对方检修"}']
        stale = await browser.post("/sources/weather/switch", {"off": "0", "reason": "检修结束"})
        assert stale.status == 422
        await turn_on(browser, "/sources", "/sources/weather/switch")
        assert "Turned off by" not in (await browser.get("/sources")).text
        assert (await browser.post("/sources/invented/switch", {"off": "1", "reason": "x"})).status == 404
        author = await visitor("author")
        assert (await author.post("/sources/weather/switch", {"off": "1", "reason": "x"})).status == 403

    async def test_give_a_part_to_a_page_that_renews_itself(self, visitor):
        part = (await (await visitor("author")).get("/sources", **{"HX-Request": "true"})).text
        assert "<html" not in part
        assert 'href="#weather"' in part


class TestAttendance:
    async def test_counts_workers_that_live(self, server, redis_url):
        from redis.asyncio import Redis as AsyncRedis

        with Redis.from_url(redis_url) as redis:
            redis.sadd("rq:workers:sms.drill", "rq:worker:a", "rq:worker:gone")
            redis.set("rq:worker:a", "alive")
        async with AsyncRedis.from_url(redis_url) as redis:
            found = await attendance(redis, ["sms.drill", "sms.urgent"])
        assert found["sms.drill"] == (1, 0)
        assert found["sms.urgent"] == (0, 0)


class TestCertificates:
    def made(self, folder: Path, until: datetime) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "invented")])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(until - timedelta(days=10))
            .not_valid_after(until)
            .sign(key, hashes.SHA256())
        )
        path = folder / "client.pem"
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return path

    def test_tell_until_when_they_hold(self, tmp_path):
        until = datetime(2026, 8, 1, tzinfo=UTC)
        path = self.made(tmp_path, until)
        route = make_route("mqtt", host="127.0.0.1", fleet_key="8f1c" * 16, client_cert=str(path)).live
        assert _certificates(route) == [Certificate("client_cert", until)]

    def test_that_cannot_be_read_say_so(self, tmp_path):
        missing = str(tmp_path / "none.pem")
        route = make_route("mqtt", host="127.0.0.1", fleet_key="8f1c" * 16, ca_file=missing).live
        assert _certificates(route) == [Certificate("ca_file", None)]

    def test_secrets_are_told_as_given_or_not(self):
        route = make_route("mqtt", host="127.0.0.1", fleet_key="8f1c" * 16).live
        assert _secrets(route) == {"password": False, "fleet_key": True}
        assert _secrets(None) == {}


class TestPlainWords:
    @pytest.mark.parametrize(
        ("outcome", "code", "words"),
        [
            ("retry", "connect", "no connection: check the network and the provider"),
            ("unknown", "in part: timeout", "the provider did not answer in time"),
            ("rejected", "93000", "the robot does not exist any more, or was switched off"),
            ("throttled", "", "too fast, tried again"),
            ("rejected", "invented", "refused for good"),
            ("retry", "0x0000000E invalid password", "the provider does not accept our credentials"),
        ],
    )
    def test_of_codes(self, outcome, code, words):
        assert plain(outcome, code, templates("en").say) == words
