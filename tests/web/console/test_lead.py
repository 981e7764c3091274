"""The leader's page: figures at a glance, measured aside, with their age, and nothing to press."""

from __future__ import annotations

import asyncio
import re

import pytest
from sqlalchemy import text

from gateway.store import board as store
from gateway.web.console import lead
from tests.desk.conftest import sent


async def settle(database, states: dict[str, int]) -> None:
    """Have every delivery of a channel in a state, with its counters."""
    async with database.begin() as connection:
        for channel, state in states.items():
            values = {"channel": channel, "state": state}
            await connection.execute(
                text(
                    "UPDATE deliveries AS d SET state = CAST(:state AS smallint),"
                    " delivered_at = released_at + interval '42 seconds',"
                    " confirmed_at = CASE CAST(:state AS smallint)"
                    "     WHEN 10 THEN released_at + interval '90 seconds' END"
                    " FROM releases AS r WHERE r.id = d.release_id AND d.channel = :channel"
                ),
                values,
            )
            await connection.execute(
                text("UPDATE counters SET state = :state WHERE channel = :channel"), values
            )


async def look(glance, database):
    async with database.begin() as connection:
        pulse = await store.pulse(connection)
        rows = await store.in_force(connection)
    return await glance.look(pulse, rows, 20)


@pytest.fixture
async def glance(console):
    made = lead.Glance(console)
    yield made
    await made.close()


class TestThePage:
    async def test_shows_the_figures_of_what_is_in_force(self, visitor, desk, database, monkeypatch):
        monkeypatch.setattr(lead, "FIRST_WAIT", 20)
        await sent(desk)
        await settle(database, {"sms": 8, "email": 10})
        page = (await (await visitor("leader")).get("/lead")).text
        figures = re.findall(r'<div class="figure">([^<]*)</div>', page)
        assert figures[:3] == ["3", "100.0%", "100.0%"]
        assert figures[4] == "42 s"
        assert "北山镇" in page.partition("By township")[2]
        assert "Figures as of" in page

    async def test_does_not_wait_for_what_takes_long(self, visitor, desk, monkeypatch):
        monkeypatch.setattr(lead, "FIRST_WAIT", 0)
        await sent(desk)
        page = (await (await visitor("leader")).get("/lead")).text
        assert "People are being counted" in page
        assert ">3</div>" in page

    async def test_has_nothing_to_press(self, visitor, desk):
        await sent(desk)
        page = (await (await visitor("leader")).get("/lead")).text.partition('<main id="main"')[2]
        assert "<form" not in page.partition("<dialog")[0]
        assert "<button" not in page.partition("<dialog")[0]

    async def test_says_so_where_nothing_is_in_force(self, visitor):
        assert "No warning is in force" in (await (await visitor("leader")).get("/lead")).text

    @pytest.mark.parametrize(("login", "status"), [("leader", 200), ("author", 200), ("nobody", 403)])
    async def test_is_for_leaders_and_the_desk(self, visitor, login, status):
        assert (await (await visitor(login)).get("/lead")).status == status

    async def test_a_leader_reads_nothing_else(self, visitor):
        browser = await visitor("leader")
        for path in ("/alerts", "/drills", "/board/waiting"):
            assert (await browser.get(path)).status == 403


class TestMeasuring:
    async def test_is_done_once_while_nothing_changes(self, glance, desk, database, clock):
        await sent(desk)
        first = await look(glance, database)
        clock.advance(600)
        then = await look(glance, database)
        assert glance.measured == 1
        assert then.glimpses[0].figures is first.glimpses[0].figures
        assert then.glimpses[0].as_of == clock.now()  # what did not change is true at this moment

    async def test_is_not_done_again_within_ten_seconds_and_old_figures_bear_their_time(
        self, glance, desk, database, clock
    ):
        await sent(desk)
        await look(glance, database)
        measured_at = clock.now()
        await settle(database, {"sms": 8})
        clock.advance(5)
        then = await look(glance, database)
        assert glance.measured == 1
        assert then.glimpses[0].as_of == measured_at
        clock.advance(6)
        await look(glance, database)
        async with asyncio.timeout(20):
            while glance.measured < 2:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        latest = await look(glance, database)
        assert latest.glimpses[0].figures.people.delivered == 3
        assert latest.glimpses[0].as_of == clock.now()

    async def test_many_who_look_measure_once(self, glance, desk, database):
        await sent(desk)
        sheets = await asyncio.gather(*(look(glance, database) for _ in range(8)))
        assert glance.measured == 1
        assert all(sheet.glimpses[0].figures for sheet in sheets)

    async def test_what_is_no_longer_in_force_is_forgotten(self, glance, desk, database, clock):
        await sent(desk)
        await look(glance, database)
        clock.advance(7 * 3600)
        await desk.expire_due()
        assert (await look(glance, database)).glimpses == []
        assert glance._kept == {}
