"""PostgreSQL dies under load; nobody restarts anything but PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import SQLAlchemyError

from gateway.store.database import AWAY, Database
from tests.faults import village
from tests.faults.harness import UNPROVEN, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

ROUTE = {"rate": 2_000, "window": 5}
"""Small slices, so that PostgreSQL mostly dies while a claim is being committed."""


async def test_c1_a_postgresql_that_crashes_under_load_loses_nothing_that_was_acknowledged(house: House):
    """C1: 6,000 messages in slices of 5; kill -9 and immediate stop by turns, 6 times; the desk drafts on."""
    await house.open(6_000, route=ROUTE)
    await house.release("orange")
    house.reconciler()
    house.worker()
    async with drafting(house):
        for step in range(1, 7):
            await house.until_tried(step * 750)
            await asyncio.sleep(house.chance.uniform(0.0, 0.5))
            await asyncio.to_thread(stop_at_once if step % 2 else kill, house)
            await asyncio.to_thread(house.servers.postgres.start)
            house.interrupted()
    await house.until_none(UNPROVEN)
    drafted = sum(table == "alerts" for table, _, _ in house.acknowledged)
    verdict = await house.verdict(f"C1 (6 crashes, {drafted} drafts acknowledged)")
    assert not verdict.violations
    assert drafted > 10
    assert verdict.copies[2] <= verdict.ambiguous


def stop_at_once(house: House) -> None:
    """What ``pg_ctl stop -m immediate`` does: no checkpoint, recovery at the next start."""
    postgres = house.servers.postgres
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGQUIT)
    while postgres.running:
        signal.sigtimedwait([], 0.02)


@contextlib.asynccontextmanager
async def drafting(house: House) -> AsyncIterator[None]:
    """Draft warnings all the time; what the desk acknowledged is noted."""

    async def draft() -> None:
        async with Database(house.url, size=1) as database:
            desk = await village.open_desk(database, house.given)
            while True:
                with contextlib.suppress(*AWAY, SQLAlchemyError):
                    row = await desk.draft(village.fields("blue"), village.PEOPLE[0].login)
                    house.acknowledged.add(("alerts", "identifier", row.identifier))
                await asyncio.sleep(0.05)

    task = asyncio.create_task(draft())
    try:
        yield
    finally:
        assert not task.done(), task.exception()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def kill(house: House) -> None:
    house.servers.postgres.kill()


CUT = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"


async def test_c2_connections_that_are_cut_in_the_middle_of_a_claim_cost_nothing(house: House):
    """C2: 6,000 messages in slices of 5; every connection of the database is cut 60 times."""
    await house.open(6_000, route=ROUTE)
    await house.release("orange")
    house.reconciler()
    house.worker()
    await house.until_tried(100)
    for _ in range(60):
        await asyncio.sleep(house.chance.uniform(0.02, 0.2))
        await house.number(f"{CUT} AND datname = current_database()")
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("C2 (60 times cut)")
    assert not verdict.violations
    assert verdict.copies[2] <= verdict.ambiguous
