"""Drills: started and ended as such, seen on every page, marked on every channel and in every language."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from gateway.desk import drills
from gateway.desk.refused import DeskRefused
from gateway.desk.render import MARKS, Facts, Templates, family
from gateway.share import share
from gateway.store.console_tables import drills as table
from gateway.store.tables import audit
from gateway.web.console import running
from tests.desk.conftest import ready, sent

FOLDER = share("templates/messages")
SPOKEN = sorted({(name[0], name[-2]) for path in FOLDER.glob("*.txt") if (name := path.name.split("."))})
"""(channel, language) of every template that ships."""


async def rows(database) -> list:
    async with database.begin() as connection:
        return list(await connection.execute(select(table).order_by(table.c.id)))


async def records(database, action: str) -> list:
    async with database.begin() as connection:
        query = select(audit.c.actor, audit.c.subject, audit.c.detail).where(audit.c.action == action)
        return list(await connection.execute(query))


class TestADrill:
    async def test_is_started_and_ended_and_both_are_logged(self, visitor, database):
        browser = await visitor("sender")
        page = await browser.get("/drills")
        answer = await browser.post("/drills", {"title": "汛期演练", "once": page.once()})
        assert (answer.status, answer.location) == (303, "/desk/drills")
        (row,) = await rows(database)
        assert (row.title, row.started_by, row.ended_at) == ("汛期演练", "sender", None)
        answer = await browser.post(f"/drills/{row.id}/end")
        assert answer.location == f"/desk/drills/{row.id}"
        (row,) = await rows(database)
        assert row.ended_by == "sender"
        assert [(r.actor, r.subject) for r in await records(database, "start_drill")] == [
            ("sender", "drill 1")
        ]
        assert [(r.actor, r.subject) for r in await records(database, "end_drill")] == [("sender", "drill 1")]

    async def test_a_double_click_starts_one(self, visitor, database):
        browser = await visitor("sender")
        form = {"title": "汛期演练", "once": (await browser.get("/drills")).once()}
        answers = await asyncio.gather(*(browser.post("/drills", form) for _ in range(4)))
        assert {answer.status for answer in answers} == {303}
        assert len(await rows(database)) == 1

    async def test_only_one_runs_at_a_time(self, desk, database):
        started = await asyncio.gather(
            *(drills.start(desk, f"演练 {number}", "sender") for number in range(5)), return_exceptions=True
        )
        refused = [one for one in started if isinstance(one, DeskRefused)]
        assert [one.code for one in refused] == ["drill_runs"] * 4
        assert len(await rows(database)) == 1
        assert len(await records(database, "start_drill")) == 1

    async def test_the_next_one_may_begin_when_it_is_over(self, desk, database, clock):
        first = await drills.start(desk, "一", "sender")
        await drills.end(desk, first, "sender")
        await drills.end(desk, first, "sender")
        assert await drills.start(desk, "二", "sender") != first
        assert len(await records(database, "end_drill")) == 1

    @pytest.mark.parametrize("login", ["author", "first", "auditor", "leader", "nobody"])
    async def test_who_may_not_operate_starts_none(self, visitor, database, login):
        answer = await (await visitor(login)).post("/drills", {"title": "汛期演练"})
        assert answer.status == 403
        assert await rows(database) == []

    @pytest.mark.parametrize("title", ["", " ", "长" * 61, "一\n二", "这不是演习", "This is not a drill"])
    async def test_a_title_is_one_line_and_does_not_deny_it(self, visitor, database, title):
        answer = await (await visitor("sender")).post("/drills", {"title": title})
        assert answer.status == 422
        assert await rows(database) == []

    async def test_one_that_is_not_there_is_told(self, visitor):
        browser = await visitor("sender")
        assert (await browser.post("/drills/99/end")).status == 422
        assert (await browser.get("/drills/99")).status == 404


class TestEveryPageSaysSo:
    async def test_also_when_another_page_was_asking_while_it_began(
        self, visitor, desk, database, monkeypatch
    ):
        reader, operator = await visitor("auditor"), await visitor("sender")
        read, go_on, really = asyncio.Event(), asyncio.Event(), drills.running

        async def slow(database):
            found = await really(database)
            read.set()
            await go_on.wait()
            return found

        monkeypatch.setattr(running, "KEPT_SECONDS", 0)
        monkeypatch.setattr(drills, "running", slow)
        asking = asyncio.create_task(reader.get("/alerts"))
        await read.wait()
        monkeypatch.setattr(drills, "running", really)
        await operator.post("/drills", {"title": "汛期演练"})
        monkeypatch.setattr(running, "KEPT_SECONDS", 3600)
        go_on.set()
        await asking
        assert "汛期演练" in (await reader.get("/lead")).text

    async def test_while_it_runs_and_not_afterwards(self, visitor, desk):
        operator, reader = await visitor("sender"), await visitor("auditor")
        await operator.post("/drills", {"title": "汛期<b>演练"})
        for path in ("/", "/alerts", "/lead", "/drills"):
            page = (await reader.get(path)).text
            assert "汛期&lt;b&gt;演练" in page
            assert '<div id="drill" class="drill-strip" role="status">' in page
        await operator.post("/drills/1/end")
        assert '<div id="drill" class="drill-strip" role="status" hidden>' in (await reader.get("/")).text

    async def test_a_drill_warning_is_offered_only_meanwhile(self, visitor):
        author, operator = await visitor("author"), await visitor("sender")
        link = 'href="/desk/alerts/new?mode=drill"'

        async def shown() -> bool:
            return link in (await author.get("/")).text.partition('<main id="main"')[2]

        assert not await shown()
        await operator.post("/drills", {"title": "汛期演练"})
        assert await shown()

    async def test_the_console_drafts_none_without_a_drill(self, desk, database):
        with pytest.raises(DeskRefused) as refused:
            await drills.need_running(database)
        assert refused.value.code == "no_drill"
        number = await drills.start(desk, "汛期演练", "sender")
        assert (await drills.need_running(database)).id == number

    async def test_its_page_looks_different_and_lists_its_warnings(self, visitor, desk, clock):
        await sent(desk, mode="drill", event="以前的演练")
        clock.advance(60)
        number = await drills.start(desk, "汛期演练", "sender")
        await sent(desk, mode="drill")
        await sent(desk)
        clock.advance(60)
        page = (await (await visitor("auditor")).get(f"/drills/{number}")).text
        assert 'class="drill"' in page.partition("<head>")[0]
        listed = page.partition("<tbody>")[2]
        assert listed.count("<tr>") == 1
        assert "0 / 9" in listed


class TestApart:
    """W5: drills stand apart wherever warnings are listed."""

    async def test_drills_stand_apart_on_the_board_and_on_the_leaders_page(self, visitor, desk):
        await sent(desk)
        await sent(desk, mode="drill")
        await ready(desk, mode="drill")
        for login, path in (("first", "/"), ("leader", "/lead")):
            page = (await (await visitor(login)).get(path)).text
            live, _, drilled = page.partition('class="drill-part"')
            assert drilled.count("is-drill") >= 1
            assert '<span class="badge drill">DRILL</span>' in drilled
            assert "DRILL" not in live.partition('id="now"')[2]


class TestTheMark:
    """W5: every rendering of a drill is labelled."""

    @pytest.mark.parametrize(("channel", "language"), SPOKEN)
    @pytest.mark.parametrize("msg_type", ["Alert", "Update", "Cancel"])
    def test_comes_first_on_every_channel_and_in_every_language_that_ships(self, channel, language, msg_type):
        now = datetime(2026, 7, 1, tzinfo=UTC)
        end = now + timedelta(hours=3)
        facts = Facts(msg_type, language, "red", "S", "E", ("A",), now, now, end, "H", "D", "I", "invented_0")
        zone = timezone(timedelta(hours=8))
        said = Templates(FOLDER).say(channel, facts, signature="示范", zone=zone, drill=True, personal=True)
        assert said.text.startswith(MARKS[family(language)])
        assert said.subject.startswith(MARKS[family(language)])

    def test_every_template_was_looked_at(self):
        assert {channel for channel, _ in SPOKEN} == {"sms", "email", "wecom", "radio"}
        assert {language for _, language in SPOKEN} == {"zh-CN", "en"}
