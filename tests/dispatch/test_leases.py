"""Who may send: leases, fencing tokens, and the compare-and-set before each send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.store import dispatch as store

if TYPE_CHECKING:
    from tests.dispatch.table import Table

STOPPED = "UPDATE releases SET state = 'stopped'"
OVER = "UPDATE releases SET expires = now() - interval '1 second'"
CLOSED = "UPDATE releases SET state = 'closed'"
LATER = "UPDATE batches SET due_at = now() + interval '1 minute'"
DONE = "UPDATE batches SET state = 'done'"
RUN_OUT = "UPDATE batches SET lease_until = now() - interval '1 second'"
TAKEN = "UPDATE batches SET token = token + 1"


class TestALease:
    async def test_is_given_to_one_of_many_who_ask_at_once(self, table: Table):
        await table.release(1)
        (batch,) = await table.batches()
        leases = await asyncio.gather(*(table.lease(batch, owner=f"worker {n}") for n in range(8)))
        assert len([lease for lease in leases if lease]) == 1

    async def test_carries_what_its_release_says(self, table: Table):
        released = await table.release(1)
        lease = await table.held()
        assert (lease.release, lease.channel, lease.mode, lease.resend_unknown) == (
            released.id,
            "sms",
            "live",
            True,
        )
        assert lease.token == 1

    @pytest.mark.parametrize("obstacle", [STOPPED, OVER, CLOSED, LATER, DONE])
    async def test_is_refused_where_nothing_may_be_sent(self, table: Table, obstacle):
        await table.release(1)
        (batch,) = await table.batches()
        await table.one(obstacle)
        assert await table.lease(batch) is None

    async def test_is_renewed_only_by_its_holder_and_in_time(self, table: Table):
        await table.release(1)
        lease = await table.held()
        async with table.database.raw() as connection:
            assert await store.renew(connection, lease, 30)
            assert not await store.renew(connection, lease._replace(token=lease.token + 1), 30)
            await table.one(RUN_OUT)
            assert not await store.renew(connection, lease, 30)


class TestAClaim:
    async def test_counts_a_try_and_a_copy_before_anything_leaves(self, table: Table):
        await table.release(3)
        lease = await table.held()
        ids = await table.rows(lease)
        claimed = await table.claim(lease, ids[:2])
        assert {id_: (one.tries, one.copies) for id_, one in claimed.items()} == dict.fromkeys(
            ids[:2], (1, 1)
        )
        assert await table.fetch("SELECT state, copies, tries FROM deliveries ORDER BY id") == [
            (2, 1, 1),
            (2, 1, 1),
            (0, 0, 0),
        ]

    async def test_is_made_once_however_often_it_is_asked_for(self, table: Table):
        await table.release(50)
        lease = await table.held()
        ids = await table.rows(lease)
        claims = await asyncio.gather(*(table.claim(lease, ids) for _ in range(6)))
        assert sorted(id_ for claim in claims for id_ in claim) == ids

    async def test_prolongs_the_lease(self, table: Table):
        await table.release(1)
        lease = await table.held(seconds=5)
        await table.claim(lease, await table.rows(lease), seconds=500)
        assert await table.one("SELECT lease_until > now() + interval '100 s' FROM batches")

    @pytest.mark.parametrize("obstacle", [STOPPED, OVER, CLOSED, DONE, RUN_OUT, TAKEN])
    async def test_of_a_stale_holder_or_for_a_release_that_is_over_changes_nothing(self, table, obstacle):
        await table.release(2)
        lease = await table.held()
        ids = await table.rows(lease)
        await table.one(obstacle)
        assert await table.claim(lease, ids) == {}
        assert await table.states() == {0: 2}
        assert await table.one("SELECT sum(copies + tries) FROM deliveries") == 0

    async def test_takes_nothing_of_another_batch(self, table: Table):
        await table.release(201)
        lease = await table.held()
        other = await table.one("SELECT max(id) FROM deliveries")
        assert await table.claim(lease, [other]) == {}

    @pytest.mark.parametrize(
        ("column", "value"), [("copies", 2), *(("state", state) for state in range(1, 11))]
    )
    async def test_takes_only_what_waits_and_has_a_copy_left(self, table: Table, column, value):
        await table.release(1)
        lease = await table.held()
        ids = await table.rows(lease)
        await table.one(f"UPDATE deliveries SET {column} = $1", value)
        assert await table.claim(lease, ids) == {}


class TestGivingABatchBack:
    async def test_ends_it_where_everything_has_an_outcome(self, table: Table):
        await table.release(2)
        lease = await table.held()
        await table.one("UPDATE deliveries SET state = 5")
        assert await table.finish(lease) == "done"
        assert await table.fetch("SELECT state, owner, lease_until, token FROM batches") == [
            ("done", None, None, 2)
        ]

    async def test_opens_it_for_what_is_left_when_that_is_due(self, table: Table):
        await table.release(2)
        lease = await table.held()
        assert await table.finish(lease, delay=60) == "open"
        assert await table.lease(lease.batch) is None
        await table.one("UPDATE batches SET due_at = now()")
        again = await table.lease(lease.batch)
        assert again is not None
        assert again.token > lease.token

    async def test_by_a_stale_holder_changes_nothing(self, table: Table):
        await table.release(1)
        lease = await table.held()
        assert await table.finish(lease._replace(token=99)) is None
        assert await table.one("SELECT state FROM batches") == "leased"

    async def test_puts_back_what_was_marked_by_a_claim_whose_answer_was_lost(self, table: Table):
        await table.release(3)
        lease = await table.held()
        first, second, third = await table.rows(lease)
        await table.claim(lease, [first, second])
        await table.one("UPDATE deliveries SET state = 5 WHERE id = $1", first)
        assert await table.finish(lease, unsent=(second, third)) == "open"
        assert await table.fetch("SELECT state, copies, tries FROM deliveries ORDER BY id") == [
            (5, 1, 1),
            (0, 0, 0),
            (0, 0, 0),
        ]

    async def test_puts_nothing_back_for_a_stale_holder(self, table: Table):
        await table.release(1)
        lease = await table.held()
        ids = await table.rows(lease)
        await table.claim(lease, ids)
        assert await table.finish(lease._replace(token=99), unsent=tuple(ids)) is None
        assert await table.states() == {2: 1}

    async def test_leaves_a_lost_outcome_to_the_reconciler(self, table: Table):
        await table.release(2)
        lease = await table.held()
        first, _ = await table.rows(lease)
        await table.claim(lease, [first])
        assert await table.finish(lease) == "leased"
        assert await table.lease(lease.batch) is None
        async with table.database.raw() as connection, connection.transaction():
            ((expired, _),) = await store.expired_leases(connection)
        assert expired.batch == lease.batch
