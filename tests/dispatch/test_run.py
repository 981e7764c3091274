"""One batch: what a failure, a stop or a lost lease leaves behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from channels.base import Accepted, Throttled, always
from gateway.dispatch.run import FRESH_SECONDS, Gate, Run, Spoken, backoff, kept
from gateway.store import dispatch as store
from gateway.store.database import Database
from tests.dispatch.scripted import Fake, Text, opened, plan, route, states

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from channels.base import Message, Prepared, Reporter

ACCEPTED, UNKNOWN, PLANNED = 5, 3, 0
TEXTS = {"zh-CN": Spoken(Text(), personal=False)}


class Slow(Fake):
    """Writes one message and keeps the rest until it is cancelled; the answer comes when the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        self.sent.append(messages[0].delivery)
        self.may_leave = may_leave
        self.begun.set()
        self.answer = lambda: report([(messages[0].delivery, Accepted(("r",)))])
        await asyncio.Event().wait()


class Doubling(Fake):
    async def send(
        self,
        prepared: Prepared,
        messages: Sequence[Message],
        report: Reporter,
        may_leave: Callable[[], bool] = always,
    ) -> None:
        await super().send(prepared, messages, report)
        await super().send(prepared, messages, report)


async def lease_of(database, planned) -> store.Lease:
    async with database.raw() as connection:
        lease = await store.lease(connection, planned.batch, "one", 8, channel="sms", lane="urgent")
    assert lease is not None
    return lease


async def run_of(database, made, planned) -> tuple[Run, list[store.Row]]:
    lease = await lease_of(database, planned)
    async with database.raw() as connection:
        return Run(made, lease), await store.rows(connection, lease.batch)


async def test_a_claim_that_fails_in_an_unforeseen_way_takes_no_room_from_other_batches(
    database_url, monkeypatch
):
    async with opened(database_url) as (database, ledger):
        made = route(database, ledger, Slow())
        run, rows = await run_of(database, made, await plan(database, 8))
        claim = store.claim

        async def failing(connection, held, ids, seconds):
            if rows[0].id in ids:
                return await claim(connection, held, ids, seconds)
            raise asyncpg.PostgresSystemError("invented")

        monkeypatch.setattr(store, "claim", failing)
        with pytest.raises(ExceptionGroup):
            await run.send(rows, TEXTS)
        assert made.doubt.count == 0


@pytest.mark.parametrize("over", ["state = 'stopped'", "expires = now()"])
async def test_what_waits_in_the_channel_is_withdrawn_when_the_release_is_over(database_url, over):
    channel = Slow()
    async with opened(database_url) as (database, ledger):
        planned = await plan(database, 4)
        made = route(database, ledger, channel)
        run, rows = await run_of(database, made, planned)
        async with kept(run):
            sending = asyncio.create_task(run.send(rows, TEXTS))
            await channel.begun.wait()
            async with database.raw() as connection:
                await connection.execute(f"UPDATE releases SET {over}")
            await sending
        assert made.doubt.count == 0
        assert run.stopped
        channel.answer()
        async with database.raw() as connection:
            await store.finish(connection, run.lease, 0)
    async with Database(database_url) as database:
        assert await states(database, planned) == [ACCEPTED, PLANNED, PLANNED, PLANNED]
        async with database.raw() as connection:
            copies = await connection.fetch("SELECT copies FROM deliveries ORDER BY id")
        assert [row[0] for row in copies] == [1, 1, 1, 1], "they may have left: they will be unknown"


@pytest.mark.parametrize("over", ["state = 'stopped'", "expires = now()"])
async def test_nothing_more_may_leave_the_channel_once_the_release_is_over(database_url, over):
    channel = Slow()
    async with opened(database_url) as (database, ledger):
        run, rows = await run_of(database, route(database, ledger, channel), await plan(database, 4))
        async with kept(run):
            sending = asyncio.create_task(run.send(rows, TEXTS))
            await channel.begun.wait()
            assert channel.may_leave()
            async with database.raw() as connection:
                await connection.execute(f"UPDATE releases SET {over}")
            await sending
            assert not channel.may_leave()


async def test_a_worker_that_does_not_see_the_database_lets_nothing_leave(database_url, monkeypatch):
    channel = Slow()
    async with opened(database_url) as (database, ledger):
        run, rows = await run_of(database, route(database, ledger, channel), await plan(database, 4))
        sending = asyncio.create_task(run.send(rows, TEXTS))
        await channel.begun.wait()
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(run.gate, "_now", lambda: loop.time() + FRESH_SECONDS)
        assert not channel.may_leave(), "frozen for so long, or cut off from the database"
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_gate_opens_only_by_a_look_and_never_again_once_it_is_shut(monkeypatch):
    gate, now = Gate(), 100.0
    monkeypatch.setattr(gate, "_now", lambda: now)
    assert not gate()
    gate.seen(now)
    assert gate()
    gate.expires(now)
    assert not gate()
    gate.expires(now + 1)
    assert gate()
    gate.shut()
    gate.seen(now)
    assert not gate()


async def test_a_run_that_lost_its_lease_withdraws_what_has_not_left(database_url):
    channel = Slow()
    async with opened(database_url) as (database, ledger):
        made = route(database, ledger, channel)
        run, rows = await run_of(database, made, await plan(database, 4))
        async with kept(run):
            sending = asyncio.create_task(run.send(rows, TEXTS))
            await channel.begun.wait()
            async with database.raw() as connection:
                await store.reopen(connection, run.lease.batch)
            await sending
        assert made.doubt.count == 0


async def test_a_run_ends_though_the_driver_hides_the_cancellation_of_its_lease_keeper(
    database_url, monkeypatch
):
    asked = asyncio.Event()

    async def broken(*_: object) -> bool:
        if asked.is_set():
            return True
        try:
            asked.set()
            return await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise asyncpg.InterfaceError("the line broke in the same moment") from None

    async with opened(database_url) as (database, ledger):
        run, _ = await run_of(database, route(database, ledger, Fake()), await plan(database, 4))
        monkeypatch.setattr(store, "renew", broken)
        async with asyncio.timeout(30):
            async with kept(run):
                await asked.wait()


async def test_an_outcome_that_is_reported_twice_counts_once(database_url):
    async with opened(database_url) as (database, ledger):
        planned = await plan(database, 4)
        made = route(database, ledger, Doubling())
        run, rows = await run_of(database, made, planned)
        await run.send(rows, TEXTS)
        assert made.doubt.count == 0
        assert await states(database, planned) == [ACCEPTED] * 4


async def test_a_sender_that_cannot_be_told_does_not_end_the_ledger(database_url):
    def broken() -> None:
        raise RuntimeError("invented")

    async with opened(database_url) as (_, ledger):
        ledger.record([], broken)
        told = asyncio.Event()
        ledger.record([], told.set)
        await told.wait()
        ledger.sink("sms")([], broken)
        again = asyncio.Event()
        ledger.record([], again.set)
        await again.wait()


class Robots(Fake):
    """Chat robots, each with a limit of its own."""

    capabilities = Fake.capabilities._replace(limits_by_address=True)


@pytest.mark.parametrize(("kind", "paused"), [(Fake, [61.0]), (Robots, [])])
async def test_one_address_that_is_too_fast_holds_up_only_a_channel_with_one_limit_for_all(
    database_url, monkeypatch, kind, paused
):
    async with opened(database_url) as (database, ledger):
        planned = await plan(database)
        first = planned.deliveries[0]
        channel = kind(lambda delivery: Throttled(61, "45009") if delivery == first else Accepted(("r",)))
        made = route(database, ledger, channel)
        told: list[float] = []
        monkeypatch.setattr(made.limit.pace, "throttled", told.append)
        run, rows = await run_of(database, made, planned)
        await run.send(rows, TEXTS)
        assert told == paused
        assert run.delay == 61
        assert await states(database, planned) == [PLANNED] + [ACCEPTED] * 3


@pytest.mark.parametrize(
    ("after", "tries", "seconds"), [(1, 1, 1), (1, 3, 4), (0, 1, 0.2), (1, 30, 60), (90, 1, 60)]
)
def test_the_pause_doubles_with_each_try_up_to_the_longest(after, tries, seconds):
    assert backoff(after, tries, 60) == seconds
