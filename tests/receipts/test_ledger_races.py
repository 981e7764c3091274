"""What two writers at one moment, or a writer that lost its lease, make of one delivery."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from channels.base import Accepted, Outcome, Proof, Receipt, Retry, Unknown
from gateway.receipts.ledger import Attempt, Facts, Ledger, prove
from gateway.receipts.matching import Known, Told, match
from gateway.store import dispatch
from gateway.store import ledger as store
from tests.dispatch.scripted import Planned, opened, plan, states

if TYPE_CHECKING:
    from gateway.store.dispatch import Lease

NOW = datetime(2026, 7, 1, tzinfo=UTC)
SUBMITTING = 2


def attempt(planned: Planned, outcome: Outcome, token: int = 1, *, again: bool = True) -> Attempt:
    return Attempt(planned.deliveries[0], "sms", 1, planned.batch, token, NOW, NOW, outcome, again)


async def written(ledger: Ledger, *attempts: Attempt) -> None:
    durable = asyncio.Event()
    ledger.record(attempts, durable.set)
    await durable.wait()


async def lease_and_claim(database, planned: Planned) -> Lease:
    async with database.raw() as connection:
        lease = await dispatch.lease(connection, planned.batch, "one", 8, channel="sms", lane="urgent")
        assert lease is not None
        assert await dispatch.claim(connection, lease, planned.deliveries, 8)
    return lease


async def test_receipts_for_two_parts_at_two_workers_at_one_moment_prove_the_delivery(database_url):
    async with opened(database_url) as (database, ledger):
        planned = await plan(database, 1)
        await written(ledger, attempt(planned, Accepted(("a", "b"))))

        proved, done = asyncio.Event(), asyncio.Event()

        async def take(ref: str, hold: asyncio.Event) -> None:
            told = [Told("sms", "provider", NOW, Receipt(Proof.DELIVERED, ref))]
            async with database.raw() as connection, connection.transaction():
                facts = Facts()
                found = await match(connection, told, Known())
                await store.append(connection, [], found.rows(), [])
                await prove(connection, found.matched, facts)
                await store.project(connection, facts.merged.values())
                proved.set()
                await hold.wait()

        first = asyncio.create_task(take("a", done))
        await proved.wait()
        free = asyncio.Event()
        free.set()
        second = asyncio.create_task(take("b", free))
        await asyncio.wait({second}, timeout=1)  # long enough to decide by what it sees, if it does not wait
        done.set()
        await asyncio.gather(first, second)
        assert await states(database, planned) == [Proof.DELIVERED]


@pytest.mark.parametrize("outcome", [Retry(0, "lost"), Unknown("timeout")])
async def test_who_lost_the_lease_takes_nothing_back_from_the_next_holder(database_url, outcome):
    async with opened(database_url) as (database, ledger):
        planned = await plan(database, 1)
        stale = await lease_and_claim(database, planned)
        async with database.raw() as connection:
            await store.project(
                connection, [store.Fact(planned.deliveries[0], 0, 0, 1, None, None, stale.token)]
            )
            await dispatch.reopen(connection, planned.batch)
        await lease_and_claim(database, planned)
        await written(ledger, attempt(planned, outcome, stale.token))
        assert await states(database, planned) == [SUBMITTING]
        async with database.raw() as connection:
            assert await connection.fetchval("SELECT copies FROM deliveries") == 2
