"""The database commits, and its answer is lost on the way: nothing is stuck, nothing is sent twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from channels.base import Proof, simulator
from gateway.dispatch.engine import Engine
from gateway.dispatch.reconciler import Reconciler
from gateway.settings import load_settings
from gateway.store import dispatch as store
from gateway.store import ledger as ledger_store

if TYPE_CHECKING:
    from tests.dispatch.table import Table


def lossy(work: Any, losses: int) -> Any:
    """Do the work, and lose the answer so many times: the first, the third, the fifth time and so on."""
    calls = 0

    async def lose(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        answer = await work(*arguments)
        if calls % 2 and calls < 2 * losses:
            raise asyncpg.ConnectionDoesNotExistError("the answer is lost")
        return answer

    return lose


@pytest.mark.parametrize("level", ["orange", "blue"])
async def test_a_claim_whose_answer_is_lost_is_made_again_and_leaves_once(
    table: Table, database_url, redis_url, tmp_path, monkeypatch, level
):
    await table.release(250, level)
    monkeypatch.setattr(store, "claim", lossy(store.claim, 4))
    smsc = simulator("smpp")()
    await smsc.start()
    settings = load_settings(
        state_dir=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        channels={"sms": {"kind": "smpp", "live": smsc.settings() | {"rate": 10_000, "window": 50}}},
    )
    reconciler = Reconciler(table.database, redis_url, every=0.1)
    sweeping = asyncio.create_task(reconciler.run())
    lane = "urgent" if level == "orange" else "normal"
    async with Engine(settings, f"sms.{lane}") as engine, asyncio.timeout(60):
        while set(await table.states()) != {Proof.DELIVERED}:
            for batch in await table.batches():
                await engine.take(batch)
            await asyncio.sleep(0.05)
    sweeping.cancel()
    await asyncio.gather(sweeping, return_exceptions=True)
    await smsc.stop()
    assert len(smsc.ledger) == 250
    assert await table.one("SELECT count(*) FROM attempts WHERE outcome <> 'accepted'") == 0
    assert await table.counted() == {Proof.DELIVERED: 250}


async def test_facts_whose_commit_is_not_answered_count_once(table: Table, monkeypatch):
    await table.release(3)
    ids = [number for (number,) in await table.fetch("SELECT id FROM deliveries ORDER BY id")]
    facts = [ledger_store.Fact(delivery, Proof.ACCEPTED, 0, 1, None, None) for delivery in ids]
    for _ in range(3):
        async with table.database.raw() as connection, connection.transaction():
            await ledger_store.project(connection, facts)
    assert await table.counted() == {Proof.ACCEPTED: 3}
