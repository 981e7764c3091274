"""A route that people turned off: nothing leaves, nothing is lost, and it goes on where it stood."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from channels.base import HELD, Accepted, Proof
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.desk.switching import switch
from gateway.dispatch.run import Run, kept
from gateway.store import audit, dispatch
from gateway.store import switches as store
from gateway.store.desk import Person
from gateway.store.dispatch import May
from tests.dispatch.scripted import Fake, opened, plan, route, states
from tests.dispatch.test_run import TEXTS, run_of

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
PERSON = "invented-operator"


async def turn(database, name: str, *, off: bool, reason: str = "虚构：演练") -> bool:
    async with database.begin() as connection:
        return await store.set_switch(connection, "route", name, off=off, reason=reason, by=PERSON, at=NOW)


class TestWhileARouteIsOff:
    async def test_no_worker_takes_a_batch_of_it(self, table):
        await table.release(3)
        await turn(table.database, "sms.live", off=True)
        (batch,) = await table.batches()
        assert await table.lease(batch) is None
        await turn(table.database, "sms.live", off=False)
        assert await table.lease(batch) is not None

    async def test_no_worker_that_holds_a_batch_claims_more(self, table):
        await table.release(3)
        lease = await table.held()
        first, *others = await table.rows(lease)
        assert await table.claim(lease, [first])
        await turn(table.database, "sms.live", off=True)
        assert await table.claim(lease, others) == {}
        async with table.database.raw() as connection:
            assert await dispatch.renew(connection, lease, 30) is May.PAUSE
        assert await table.fetch("SELECT state, tries FROM deliveries ORDER BY id") == [
            (2, 1),
            (0, 0),
            (0, 0),
        ]

    async def test_nobody_is_rung_for(self, table):
        await table.release(3)
        await table.one("UPDATE batches SET due_at = now() - interval '1 minute'")
        await turn(table.database, "sms.live", off=True)
        async with table.database.raw() as connection:
            assert await dispatch.due(connection) == []
            assert await dispatch.late(connection, "sms", "urgent", 1) is None
            await turn(table.database, "sms.live", off=False)
            assert len(await dispatch.due(connection)) == 1

    @pytest.mark.parametrize("other", ["sms.drill", "email.live", "sms"])
    async def test_another_one_sends(self, table, other):
        await table.release(3)
        await turn(table.database, other, off=True)
        assert await table.lease((await table.batches())[0]) is not None

    async def test_a_release_that_ends_meanwhile_is_not_sent_later(self, table):
        await table.release(3)
        lease = await table.held()
        await turn(table.database, "sms.live", off=True)
        await table.one("UPDATE releases SET expires = now()")
        async with table.database.raw() as connection:
            assert await dispatch.renew(connection, lease, 30) is May.END


class Waiting(Fake):
    """Writes its first message and answers for it when told to; the others ask the gate."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.answered = asyncio.Event(), asyncio.Event()

    async def send(self, prepared, messages, report, may_leave=lambda: True) -> None:
        first, *others = messages
        self.sent.append(first.delivery)
        self.begun.set()
        while may_leave():  # noqa: ASYNC110 - a gate tells nobody
            await asyncio.sleep(0.01)
        report([(one.delivery, HELD) for one in others])
        await self.answered.wait()
        report([(first.delivery, Accepted(("r",)))])


class TestARunUnderWay:
    async def test_keeps_back_what_waits_and_hears_what_was_written(self, database_url):
        channel = Waiting()
        async with opened(database_url) as (database, ledger):
            planned = await plan(database, 4)
            run, rows = await run_of(database, route(database, ledger, channel), planned)
            async with kept(run), asyncio.timeout(30):
                sending = asyncio.create_task(run.send(rows, TEXTS))
                await channel.begun.wait()
                await turn(database, "sms.live", off=True)
                while not run.stopped:  # noqa: ASYNC110 - the run tells nobody
                    await asyncio.sleep(0.01)
                channel.answered.set()
                await sending
            async with database.raw() as connection:
                assert await dispatch.finish(connection, run.lease, run.delay) == "open"
                assert await connection.fetchval("SELECT crashes FROM batches") == 0
            assert await states(database, planned) == [Proof.ACCEPTED, *[Proof.PLANNED] * 3]
            async with database.raw() as connection:
                rows = await connection.fetch("SELECT copies FROM deliveries ORDER BY id")
            assert [row[0] for row in rows] == [1, 0, 0, 0]

    async def test_goes_on_once_the_route_is_on_again(self, database_url):
        channel = Fake()
        async with opened(database_url) as (database, ledger):
            planned = await plan(database, 4)
            made = route(database, ledger, channel)
            run, rows = await run_of(database, made, planned)
            await turn(database, "sms.live", off=True)
            await run.send(rows, TEXTS)
            assert channel.sent == []
            async with database.raw() as connection:
                await dispatch.finish(connection, run.lease, 0)
            await turn(database, "sms.live", off=False)
            again, rows = await run_of(database, made, planned)
            assert isinstance(again, Run)
            await again.send(rows, TEXTS)
            assert sorted(channel.sent) == planned.deliveries
            assert set(await states(database, planned)) == {Proof.ACCEPTED}


class TestTheStep:
    @pytest.fixture
    async def desk(self, table):
        await table.release(1)
        await table.desk.set_person(Person(PERSON, "虚构丁", ("releaser",), active=True))
        return table.desk

    async def turn(self, desk, person: str = PERSON, *, off: bool = True, reason: str = "虚构：堵塞") -> bool:
        async with step(desk.database, person, NOW, desk.office.policy) as one:
            return await switch(one, "route", "sms.live", off=off, reason=reason)

    async def test_is_recorded_with_who_why_and_when(self, desk, table):
        assert await self.turn(desk)
        assert await self.turn(desk, off=False, reason="虚构：恢复")
        async with desk.database.begin() as connection:
            said = [
                (row.actor, row.action, row.detail, row.at)
                for row in await audit.show(connection, "route sms.live")
            ]
            assert (await audit.verify(connection)).broken_at is None
        assert said == [
            (PERSON, "turn_off", '{"reason":"虚构：堵塞"}', NOW),
            (PERSON, "turn_on", '{"reason":"虚构：恢复"}', NOW),
        ]

    async def test_by_two_at_once_is_one(self, desk):
        done = await asyncio.gather(*(self.turn(desk, reason=f"虚构 {n}") for n in range(5)))
        assert sorted(done) == [False] * 4 + [True]

    async def test_of_what_was_never_off_changes_nothing(self, desk):
        assert not await self.turn(desk, off=False)
        async with desk.database.begin() as connection:
            assert await store.switches(connection, "route") == {}

    @pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 201])
    async def test_without_a_reason_is_refused(self, desk, reason):
        with pytest.raises(DeskRefused, match="say why"):
            await self.turn(desk, reason=reason)
        async with desk.database.begin() as connection:
            assert await store.off_routes(connection) == {}

    async def test_by_somebody_without_the_right_is_refused(self, desk):
        with pytest.raises(DeskRefused, match="operate"):
            await self.turn(desk, "invented-author")
