from __future__ import annotations

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import asyncpg
import pytest
from sqlalchemy import select

from gateway.clock import SYSTEM, HandClock
from gateway.commands import reconcile
from gateway.desk.office import open_office
from gateway.desk.service import Desk
from gateway.feeds.intake import Intake
from gateway.feeds.settling import LEFT_UNDONE, keep_settling
from gateway.settings import load_settings
from gateway.store.incoming_tables import incoming
from tests.feeds.conftest import item, message
from tests.feeds.servers import until

RULE = {"action": "draft"}
SOURCE = {"kind": "cap", "url": "https://feed.example.org/cap", "rule": RULE}
PARTNER = {"name": "虚构市", "rule": RULE}
SMS = {"kind": "smpp", "live": {"host": "127.0.0.1", "system_id": "invented"}}
"""A channel of a provider that does not exist: the desk drafts for what it could send."""


async def leave_undone(county, settings, source, monkeypatch, age=LEFT_UNDONE):
    """Have a message come in, so long ago, at a process that ends before it drafts it."""
    clock = HandClock(SYSTEM.now() - age - timedelta(seconds=1))
    intake = Intake(county.database, clock, Desk(county.database, clock, open_office(settings)), settings)

    async def killed(_):
        raise ConnectionAbortedError("as if the process had ended")

    monkeypatch.setattr(intake._acting, "finish", killed)
    sent = clock.now().replace(microsecond=0)
    with pytest.raises(ConnectionAbortedError):
        await intake.take(source, "cap", item(message(sent=sent, expires=sent + timedelta(hours=6))))


async def outcome(county):
    async with county.database.begin() as connection:
        return tuple((await connection.execute(select(incoming.c.state, incoming.c.todo))).one())


class TestTheReconciler:
    @pytest.fixture
    async def reconciling(self, database_url, redis_url):
        """Run ``tongda reconcile`` with more settings."""
        running = []

        def run(**more):
            settings = load_settings(
                database_url=database_url, redis_url=redis_url, channels={"sms": SMS}, **more
            )
            running.append(asyncio.create_task(reconcile._run(settings)))
            return settings

        yield run
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @pytest.mark.parametrize(
        ("source", "given"),
        [
            ("weather", {"sources": {"weather": SOURCE}}),
            ("partner.city", {"partners": {"city": PARTNER}}),
        ],
    )
    async def test_drafts_what_a_process_that_ended_left_undone(
        self, county, reconciling, monkeypatch, source, given
    ):
        await leave_undone(county, load_settings(**given), source, monkeypatch)
        assert (await outcome(county))[1] == "draft"
        reconciling(**given)

        async def is_drafted():
            return await outcome(county) == ("drafted", None)

        await until(is_drafted)
        assert [row[1:] for row in await county.ours()] == [("Alert", "draft")]


class TestTheLoop:
    async def test_leaves_alone_what_may_still_be_in_work(self):
        asked, clock = [], HandClock(SYSTEM.now())

        async def settle(before):
            asked.append(before)

        task = asyncio.create_task(keep_settling(SimpleNamespace(settle=settle), clock))
        await until(lambda: asked)
        task.cancel()
        assert asked == [clock.now() - LEFT_UNDONE]

    async def test_outlives_the_database_and_mistakes_of_the_program(self):
        tried = []
        faults = (KeyError("an invented mistake"), asyncpg.InternalClientError("cut"), TimeoutError())

        async def settle(_):
            tried.append(len(tried))
            raise faults[len(tried) % 3]

        task = asyncio.create_task(keep_settling(SimpleNamespace(settle=settle), SYSTEM, 0.001))
        await until(lambda: len(tried) >= 6)
        assert not task.done()
        task.cancel()
