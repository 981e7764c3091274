"""Each sweep by itself, two reconcilers at once, and what the sweeps leave alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from channels.base import Proof
from gateway.dispatch.queues import Doorbells, connect
from gateway.dispatch.reconciler import Reconciler
from gateway.receipts.ledger import Facts
from gateway.store import dispatch as store
from gateway.store import ledger as ledger_store

if TYPE_CHECKING:
    from tests.dispatch.table import Table

RUN_OUT = "UPDATE batches SET lease_until = now() - interval '1 second'"
OVER = "UPDATE releases SET expires = now() - interval '1 second'"
QUEUE = "sms.urgent"


@pytest.fixture
def reconciler(table: Table, redis_url: str):
    made = Reconciler(table.database, redis_url)
    yield made
    made._bells.close()


@pytest.fixture
def bells(redis_url: str):
    made = Doorbells(redis_url)
    yield made
    made.close()


class TestTheRelay:
    async def test_rings_each_batch_in_order_and_forgets_the_outbox(self, table: Table, reconciler, bells):
        await table.release(450)
        assert await reconciler.relay() == 3
        assert bells._redis.llen(f"rq:queue:{QUEUE}") == 3
        assert bells.waiting(QUEUE) == set(await table.batches())
        assert await table.one("SELECT count(*) FROM outbox") == 0
        assert await reconciler.relay() == 0

    async def test_puts_a_cancel_before_all_that_waits(self, table: Table, reconciler, bells):
        await table.release(450)
        await reconciler.relay()
        first, *_ = await table.batches()
        await table.one("UPDATE releases SET first = true")
        await table.one("INSERT INTO outbox (batch_id, queue) VALUES ($1, $2)", first, QUEUE)
        await reconciler.relay()
        front = bells._redis.lindex(f"rq:queue:{QUEUE}", 0).decode()
        assert front.startswith(f"batch-{first}-")

    async def test_two_relays_at_once_ring_each_batch_once(self, table: Table, reconciler, redis_url, bells):
        await table.release(2_000)
        other = Reconciler(table.database, redis_url)
        counts = await asyncio.gather(reconciler.relay(), other.relay(), reconciler.relay(), other.relay())
        other._bells.close()
        assert sum(counts) == 10
        assert bells._redis.llen(f"rq:queue:{QUEUE}") == 10

    async def test_keeps_the_outbox_where_redis_is_away(self, table: Table):
        await table.release(1)
        lonely = Reconciler(table.database, "unix:///nonexistent/socket")
        with pytest.raises(Exception, match="nonexistent"):
            await lonely.relay()
        lonely._bells.close()
        assert await table.one("SELECT count(*) FROM outbox") == 1


class TestRingingAgain:
    async def test_rings_what_redis_has_lost_and_nothing_that_still_waits(
        self, table, reconciler, redis_owner_url
    ):
        await table.release(450)
        await reconciler.relay()
        assert await reconciler.ring_again() == 0
        with connect(redis_owner_url) as owner:
            owner.flushall()
        assert await reconciler.ring_again() == 3
        assert await reconciler.ring_again() == 0

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE batches SET state = 'leased'",
            "UPDATE batches SET state = 'done'",
            "UPDATE batches SET due_at = now() + interval '1 minute'",
            "UPDATE releases SET state = 'stopped'",
        ],
    )
    async def test_leaves_alone_what_is_held_done_not_due_or_stopped(self, table: Table, reconciler, change):
        await table.release(1)
        await table.one(change)
        assert await reconciler.ring_again() == 0


class TestALostLease:
    async def lose(self, table: Table, claimed: int) -> store.Lease:
        (batch,) = await table.batches()
        lease = await table.lease(batch)
        assert lease is not None
        await table.claim(lease, (await table.rows(lease))[:claimed])
        await table.one(RUN_OUT)
        return lease

    async def test_frees_the_batch_and_sends_what_is_in_doubt_of_an_orange_alert_once_more(
        self, table: Table, reconciler
    ):
        await table.release(5)
        lease = await self.lose(table, 2)
        with capture_logs() as logs:
            assert await reconciler.open_expired_leases() == 1
        assert [(row["event"], row["in_doubt"]) for row in logs] == [("lease expired", 2)]
        assert await table.states() == {0: 5}
        assert (
            await table.fetch("SELECT outcome, code, try, token FROM attempts")
            == [("unknown", "lease lost", 1, lease.token)] * 2
        )
        assert await table.claim(lease, await table.rows(lease)) == {}
        again = await table.lease(lease.batch)
        assert again is not None
        claimed = await table.claim(again, await table.rows(again))
        assert Counter(one.copies for one in claimed.values()) == {1: 3, 2: 2}

    async def test_ends_as_unknown_after_the_second_copy(self, table: Table, reconciler):
        await table.release(1)
        for _ in range(2):
            await self.lose(table, 1)
            await reconciler.open_expired_leases()
        assert await table.states() == {Proof.UNKNOWN: 1}
        assert await table.one("SELECT max(copies) FROM deliveries") == 2
        assert await table.counted() == {Proof.UNKNOWN: 1}

    async def test_of_a_blue_alert_ends_as_unknown_at_once(self, table: Table, reconciler):
        await table.release(3, "blue")
        await self.lose(table, 1)
        await reconciler.open_expired_leases()
        assert await table.states() == {0: 2, Proof.UNKNOWN: 1}

    async def test_is_not_lost_while_it_runs(self, table: Table, reconciler):
        await table.release(1)
        await table.held()
        assert await reconciler.open_expired_leases() == 0

    async def test_alarms_when_a_batch_costs_its_third_worker(self, table: Table, reconciler):
        await table.release(1, "blue")
        with capture_logs() as logs:
            for _ in range(3):
                await self.lose(table, 0)
                await reconciler.open_expired_leases()
        alarms = [row for row in logs if row.get("alarm")]
        assert [row["crashes"] for row in alarms] == [3]

    async def test_is_judged_once_by_many_reconcilers(self, table: Table, reconciler, redis_url):
        await table.release(1_000)
        for batch in await table.batches():
            lease = await table.lease(batch)
            assert lease is not None
            await table.claim(lease, (await table.rows(lease))[:10])
        await table.one(RUN_OUT)
        others = [Reconciler(table.database, redis_url) for _ in range(3)]
        await asyncio.gather(*(one.sweep() for one in (reconciler, *others)))
        for one in others:
            one._bells.close()
        assert await table.one("SELECT count(*) FROM attempts") == 50
        assert await table.one("SELECT count(DISTINCT delivery_id) FROM attempts") == 50
        assert await table.states() == {0: 1_000}


class TestClosing:
    async def test_expires_what_was_never_sent(self, table: Table, reconciler):
        await table.release(3)
        await table.one(OVER)
        assert await reconciler.close_overdue() == 3
        assert await table.states() == {Proof.EXPIRED: 3}
        assert await table.counted() == {Proof.EXPIRED: 3}
        assert await table.one("SELECT state FROM batches") == "done"

    async def test_suppresses_what_was_stopped(self, table: Table, reconciler):
        await table.release(3)
        await table.one("UPDATE releases SET state = 'stopped'")
        await reconciler.close_overdue()
        assert await table.states() == {Proof.SUPPRESSED: 3}

    @pytest.mark.parametrize("end", [OVER, "UPDATE releases SET state = 'stopped'"])
    async def test_calls_unknown_what_waited_for_its_second_copy(self, table: Table, reconciler, end):
        await table.release(3)
        lease = await table.held()
        await table.claim(lease, (await table.rows(lease))[:1])
        await table.one(RUN_OUT)
        await reconciler.open_expired_leases()
        await table.one(end)
        await reconciler.close_overdue()
        assert (await table.states())[Proof.UNKNOWN] == 1

    async def test_waits_for_whoever_is_sending(self, table: Table, reconciler):
        await table.release(2)
        lease = await table.held()
        await table.claim(lease, (await table.rows(lease))[:1])
        await table.one(OVER)
        assert await reconciler.close_overdue() == 0
        assert await table.states() == {0: 1, 2: 1}

    async def test_leaves_proof_as_it_is(self, table: Table, reconciler):
        await table.release(1)
        await table.one("UPDATE deliveries SET state = 8")
        await table.one(OVER)
        await reconciler.close_overdue()
        assert await table.states() == {Proof.DELIVERED: 1}


class TestTheEndOfARelease:
    async def settle(self, table: Table, state: Proof) -> None:
        async with table.database.raw() as connection:
            facts = Facts()
            for (delivery,) in await table.fetch("SELECT id FROM deliveries"):
                facts.add(ledger_store.Fact(delivery, state, 0, 1, None, None))
            await ledger_store.project(connection, facts.merged.values())
        await table.one("UPDATE batches SET state = 'done'")

    @pytest.mark.parametrize("state", [Proof.SUPPRESSED, Proof.EXPIRED, Proof.REJECTED, Proof.DELIVERED])
    async def test_comes_when_everything_is_settled(self, table: Table, reconciler, state):
        await table.release(2)
        await self.settle(table, state)
        assert await reconciler.close_releases() == 1
        assert await table.fetch("SELECT state, closed_at IS NOT NULL FROM releases") == [("closed", True)]
        assert await reconciler.close_releases() == 0

    @pytest.mark.parametrize("state", [Proof.UNKNOWN, Proof.ACCEPTED])
    async def test_waits_for_late_receipts_until_the_grace_is_over(self, table: Table, reconciler, state):
        await table.release(2)
        await self.settle(table, state)
        assert await reconciler.close_releases() == 0
        await table.one("UPDATE releases SET expires = now() - interval '61 minutes'")
        assert await reconciler.close_releases() == 1

    async def test_never_comes_while_a_batch_is_open(self, table: Table, reconciler):
        await table.release(1)
        await table.one("UPDATE releases SET expires = now() - interval '2 hours'")
        assert await reconciler.close_releases() == 0


async def test_it_outlives_a_sweep_that_fails(table: Table, redis_url):
    await table.release(1)
    reconciler = Reconciler(table.database, redis_url, every=0.05)
    failed = asyncio.Event()

    async def fail() -> int:
        failed.set()
        raise ConnectionResetError

    reconciler.open_expired_leases = fail
    task = asyncio.create_task(reconciler.run())
    await asyncio.wait_for(failed.wait(), 30)
    failed.clear()
    await asyncio.wait_for(failed.wait(), 30)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_it_rings_as_soon_as_a_release_commits(table: Table, redis_url, bells):
    reconciler = Reconciler(table.database, redis_url, every=60)
    task = asyncio.create_task(reconciler.run())
    listening = (
        "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
    )
    while not await table.one(listening):  # noqa: ASYNC110 - the server's state
        await asyncio.sleep(0.02)
    await table.release(1)
    while not bells.waiting(QUEUE):  # noqa: ASYNC110 - the server's state
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert bells.waiting(QUEUE) == set(await table.batches())
