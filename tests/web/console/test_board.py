"""The watch board: what is in force, what waits for whom, and the list of alerts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, text, update

from gateway.alerts.model import Area
from gateway.desk.steps import step
from gateway.desk.switching import switch
from gateway.settings import load_settings
from gateway.store import alarms, sources
from gateway.store import board as store
from gateway.store.console_tables import duties
from gateway.store.source_tables import source_states
from gateway.store.switches import set_switch
from gateway.store.tables import alerts, audit, batches
from gateway.web.console import board
from tests.desk.conftest import START, area, fields, ready, sent

HOSTILE = "<script>alert(1)</script>\" onload='x' {{7*7}} \u202e"


def waiting(page: str) -> str:
    return page.partition('id="waiting"')[2].partition('id="now"')[0]


def mine(page: str) -> str:
    return waiting(page).partition("Waits for others")[0].partition("My drafts")[0]


def now(page: str) -> str:
    return page.partition('id="now"')[2]


class TestInForce:
    async def test_a_warning_is_shown_with_its_people_and_messages(self, visitor, desk, database):
        row = await sent(desk)
        number = (await desk.show(row.id)).release.id
        async with database.begin() as connection:
            await connection.execute(text("UPDATE counters SET state = 8 WHERE channel = 'sms'"))
        page = now((await (await visitor("author")).get("/")).text)
        assert f'href="/desk/releases/{number}"' in page
        assert "rainstorm" in page  # said in Chinese only, told to an English reader by the table
        assert "北山镇" in page
        assert re.search(r"<strong>3</strong> / \d+", page)
        assert row.expires.isoformat() in page

    async def test_chinese_readers_read_chinese(self, visitor, desk):
        await sent(desk)
        page = now((await (await visitor("author", "zh-CN")).get("/")).text)
        assert "暴雨" in page
        assert "rainstorm" not in page

    async def test_what_is_over_is_gone(self, visitor, desk, clock):
        await sent(desk)
        clock.advance(7 * 3600)
        await desk.expire_due()
        assert "No warning is in force" in (await (await visitor("author")).get("/")).text

    async def test_the_gravest_comes_first(self, visitor, desk):
        await sent(desk, level="blue")
        await sent(desk, level="red")
        page = now((await (await visitor("author")).get("/")).text)
        assert page.index("level-red") < page.index("level-blue")

    async def test_hostile_texts_are_only_text(self, visitor, desk):
        event = HOSTILE
        await sent(desk, event=event, areas=(area(name="<b>北山镇"),))
        await desk.draft(fields(event=event), "author")
        await ready(desk, event=event)
        for login, path in (("author", "/"), ("first", "/"), ("author", "/alerts"), ("leader", "/lead")):
            page = (await (await visitor(login)).get(path)).text
            assert "<script>alert" not in page
            assert "<b>北山镇" not in page
            assert "&lt;script&gt;alert(1)" in page
            assert "{{7*7}}" in page


class TestWaiting:
    async def test_an_approver_is_shown_what_to_sign_and_its_author_is_not(self, visitor, desk):
        row = await ready(desk)
        link = f'href="/desk/alerts/{row.id}"'
        assert link in mine((await (await visitor("first")).get("/")).text)
        page = (await (await visitor("author")).get("/")).text
        assert link not in mine(page)
        assert link in waiting(page)

    async def test_who_has_signed_waits_for_the_others(self, visitor, desk):
        row = await ready(desk, level="red")
        await desk.approve(row.id, row.digest, "first")
        page = (await (await visitor("first")).get("/")).text
        assert "You have signed" in waiting(page)
        assert f'/desk/alerts/{row.id}"' not in mine(page)
        assert "<strong>1 / 2</strong>" in waiting(page)

    async def test_what_is_approved_waits_for_who_may_send(self, visitor, desk):
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        assert "Look and send" in mine((await (await visitor("sender")).get("/")).text)
        assert "Look and send" not in waiting((await (await visitor("writer")).get("/")).text)

    async def test_an_author_is_shown_own_drafts_only_and_why_one_came_back(self, visitor, desk):
        row = await ready(desk)
        await desk.reject(row.id, row.digest, "first", "地点写错了")
        await desk.draft(fields(), "writer")
        page = waiting((await (await visitor("author")).get("/")).text)
        assert "地点写错了" in page
        assert len(re.findall(r"Go on", page)) == 1

    @pytest.mark.parametrize("language", ["zh-CN", "en"])
    @pytest.mark.parametrize("path", ["/", "/inbox"])
    async def test_an_alarm_tells_its_times_in_the_desk_s_zone(
        self, visitor, database, clock, language, path
    ):
        said = "no good answer since 2026-06-30 18:30+00:00; check that 'tongda feeds' runs"
        async with database.begin() as connection:
            await alarms.sound(connection, "source nws", "silent", said, clock.now())
        page = (await (await visitor("author", language)).get(path)).text
        assert "2026-07-01 02:30" in page
        assert "18:30" not in page

    @pytest.mark.parametrize("path", ["/", "/inbox", "/sources"])
    async def test_an_alarm_has_one_heading_on_every_page(self, console, visitor, database, clock, path):
        given = {"kind": "nws", "url": "https://alerts.example.org/active"}
        console.settings.sources["nws"] = load_settings(sources={"nws": given}).sources["nws"]
        async with database.begin() as connection:
            await sources.ensure(connection, console.settings.sources, clock.now())
            await alarms.sound(connection, "source nws", "silent", "no good answer", clock.now())
        assert "A source is silent" in (await (await visitor("admin")).get(path)).text

    async def test_an_alarm_is_closed_by_who_has_seen_it(self, visitor, database, clock):
        async with database.begin() as connection:
            await alarms.sound(connection, "source nws", "silent", "no good answer <i>", clock.now())
        browser = await visitor("author")
        page = await browser.get("/")
        assert "A source is silent" in mine(page.text)
        assert "no good answer &lt;i&gt;" in page.text
        number = re.search(r"/desk/board/alarms/(\d+)/seen", page.text)[1]
        form = {"once": page.once()}
        for _ in range(2):
            answer = await browser.post(f"/board/alarms/{number}/seen", form)
            assert (answer.status, answer.location) == (303, "/desk/")
        assert "A source is silent" not in (await browser.get("/")).text
        async with database.begin() as connection:
            query = select(audit.c.actor).where(audit.c.action == "see_alarm")
            assert list((await connection.execute(query)).scalars()) == ["author"]

    @pytest.mark.parametrize(
        "code", ["cosignature_due", "cosignature_overdue", "nobody_sends", "stopped_only"]
    )
    async def test_an_alarm_that_asks_for_a_step_stands_until_it_is_taken(
        self, visitor, database, clock, code
    ):
        async with database.begin() as connection:
            await alarms.sound(connection, "alert 7", code, "invented", clock.now())
            number = (await alarms.standing(connection, "alert 7"))[0].id
        browser = await visitor("author")
        page = await browser.get("/")
        assert "/seen" not in page.text
        assert (await browser.post(f"/board/alarms/{number}/seen")).status == 422
        async with database.begin() as connection:
            assert [one.code for one in await alarms.standing(connection, "alert 7")] == [code]

    async def test_alarms_speak_the_readers_language(self, visitor, database, clock):
        told = (
            ("alert 7", "nobody_signs", "alert 7 waits for approval and there is nobody else to ask: call"),
            (
                "source nws",
                "troubles",
                "links of nws cannot be fetched or read: the link leads to a private or local address; ask",
            ),
        )
        async with database.begin() as connection:
            for one in told:
                await alarms.sound(connection, *one, clock.now())
        page = mine((await (await visitor("author", "zh-CN")).get("/")).text)
        assert "预警 7" in page
        assert "链接指向内网或本机地址" in page
        assert "cannot be read" not in page
        assert "waits for approval" not in page

    async def test_who_may_not_draft_closes_no_alarm(self, visitor, database, clock):
        async with database.begin() as connection:
            await alarms.sound(connection, "source nws", "silent", "no answer", clock.now())
        browser = await visitor("auditor")
        assert "/seen" not in (await browser.get("/")).text
        assert (await browser.post("/board/alarms/1/seen")).status == 403

    async def test_the_part_is_fetched_alone(self, visitor, desk):
        await ready(desk)
        answer = await (await visitor("first")).get("/board/waiting")
        assert answer.status == 200
        assert "<html" not in answer.text
        assert "Look and sign" in answer.text


class TestHealth:
    async def test_who_is_on_duty(self, visitor, database, clock):
        async with database.begin() as connection:
            for login, post, begins in (
                ("first", "leader", -1),
                ("author", "main", -1),
                ("writer", "main", 2),
            ):
                begin = clock.now() + timedelta(hours=begins)
                row = {"login": login, "post": post, "begins_at": begin, "made_by": "admin"}
                await connection.execute(insert(duties).values(**row, ends_at=begin + timedelta(hours=2)))
        page = now((await (await visitor("author")).get("/")).text)
        assert "虚构 first" in page
        assert "虚构 author" in page
        assert "虚构 writer" not in page

    async def test_a_route_that_is_off_is_told_with_who_and_why(self, visitor, desk, database, clock):
        async with step(database, "sender", clock.now(), desk.office.policy) as one:
            await switch(one, "route", "sms.live", off=True, reason="运营商故障")
        page = now((await (await visitor("author")).get("/")).text)
        assert "Turned off" in page
        assert "虚构 sender" in page
        assert "运营商故障" in page

    async def test_batches_that_no_worker_takes_are_late(self, visitor, desk, database):
        await sent(desk)
        browser = await visitor("author")
        async with database.begin() as connection:
            await connection.execute(text("UPDATE releases SET expires = now() + interval '1 hour'"))
            await connection.execute(update(batches).values(due_at=text("now() - interval '5 minutes'")))
        assert "1 batches late" in now((await browser.get("/")).text)
        async with database.begin() as connection:
            await connection.execute(update(batches).values(state="done"))
        assert "batches late" not in now((await browser.get("/")).text)

    async def test_sources_and_whether_anybody_reads_them(self, console, database, clock):
        given = {"kind": "nws", "url": "https://alerts.example.org/active"}
        more = load_settings(sources={"quiet": given, "broken": given, "paused": given}).sources
        console = console._replace(settings=console.settings.model_copy(update={"sources": more}))
        async with database.begin() as connection:
            await sources.ensure(connection, more, clock.now())
            await alarms.sound(connection, "source broken", "silent", "no good answer", clock.now())
            await connection.execute(
                update(source_states).where(source_states.c.source == "quiet").values(good_at=clock.now())
            )
            await set_switch(
                connection, "source", "paused", off=True, reason="r", by="sender", at=clock.now()
            )
        said = board.part(console, await board.picture(console, clock.now()), "en")
        tiles = re.findall(r"<strong>(\w+)</strong>\s*<span class=\"badge \w+\">([^<]+)<", said)
        assert {name: state for name, state in tiles if name in more} == {
            "broken": "A source is silent",
            "paused": "Turned off",
            "quiet": "Heard",
        }
        assert "Nobody reads the sources" in said


class TestRights:
    async def test_only_an_author_is_offered_a_new_warning(self, visitor):
        assert 'class="button primary big"' in (await (await visitor("author")).get("/")).text
        assert 'class="button primary big"' not in (await (await visitor("auditor")).get("/")).text

    async def test_a_leader_is_led_to_the_own_page(self, visitor):
        answer = await (await visitor("leader")).get("/")
        assert (answer.status, answer.location) == (303, "/desk/lead")


class TestTheList:
    async def listed(self, browser, query: str = "") -> list[int]:
        page = (await browser.get(f"/alerts{query}")).text.partition("<tbody>")[2]
        return [int(number) for number in re.findall(r'href="/desk/alerts/(\d+)"', page)]

    @pytest.fixture
    async def browser(self, visitor):
        return await visitor("auditor")

    async def test_shows_every_alert_but_no_cancel_that_only_lies_ready(self, browser, desk):
        first = await sent(desk)
        second = await desk.draft(fields(), "author")
        assert await self.listed(browser) == [second.id, first.id]

    async def test_can_be_narrowed(self, browser, desk):
        live = await sent(
            desk, level="blue", areas=(Area(area_desc="百分之百%_村", geocodes=area().geocodes),)
        )
        drill = await desk.draft(fields(mode="drill", level="red"), "author")
        both = [drill.id, live.id]
        for query, found in (
            ("?state=draft", [drill.id]),
            ("?state=released", [live.id]),
            ("?level=blue", [live.id]),
            ("?mode=drill", [drill.id]),
            ("?words=%25_", [live.id]),
            ("?words=暴雨", both),
            (f"?words={live.identifier}", [live.id]),
            ("?words=nowhere", []),
            ("?day=2026-07-01", both),
            ("?day=2026-07-02", []),
            ("?state=invented&level=%27%3B--&day=x&before=-1&mode=", both),
            ("?day=9999-12-31", both),
            (f"?before={drill.id}", [live.id]),
        ):
            assert await self.listed(browser, query) == found, query

    async def test_the_day_is_that_of_the_desk(self, visitor, desk, clock):
        clock.advance(
            (START.replace(hour=16, minute=30) - START).total_seconds()
        )  # 00:30 of the next day here
        row = await desk.draft(fields(expires=START + timedelta(days=2)), "author")
        browser = await visitor("auditor")
        assert await self.listed(browser, "?day=2026-07-02") == [row.id]
        assert await self.listed(browser, "?day=2026-07-01") == []

    async def test_has_pages(self, browser, desk, database):
        row = await desk.draft(fields(), "author")
        async with database.begin() as connection:
            names = [c.name for c in alerts.c if c.name not in ("id", "identifier")]
            copied = ", ".join(names)
            await connection.execute(
                text(
                    f"INSERT INTO alerts (identifier, {copied}) SELECT 'invented_' || n, {copied}"
                    f" FROM alerts, generate_series(1, {store.PAGE + 9}) AS n WHERE id = :id"
                ),
                {"id": row.id},
            )
        first = (await browser.get("/alerts?mode=live")).text
        assert len(await self.listed(browser, "?mode=live")) == store.PAGE
        older = re.search(r'href="/desk/alerts\?([^"]*before=\d+[^"]*)"', first)[1].replace("&amp;", "&")
        assert "mode=live" in older
        assert len(await self.listed(browser, f"?{older}")) == 10

    async def test_finds_nothing_of_a_test_to_oneself(self, browser, desk, database):
        row = await desk.draft(fields(mode="drill"), "author")
        async with database.begin() as connection:
            await connection.execute(
                update(alerts).where(alerts.c.id == row.id).values(plan={"self_test": "sender"})
            )
        assert await self.listed(browser) == []
