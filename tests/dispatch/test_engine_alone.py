"""Redis is a doorbell: a worker finds its batches without it, only later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from channels.base import simulator
from gateway.dispatch.engine import Engine
from gateway.settings import load_settings

if TYPE_CHECKING:
    from tests.dispatch.table import Table

ACCEPTED, DELIVERED = 5, 8


async def test_a_worker_sends_what_is_late_while_redis_is_away(table: Table, database_url, tmp_path):
    await table.release(250)
    await table.one("UPDATE batches SET due_at = now() - interval '1 minute'")
    smsc = simulator("smpp")()
    await smsc.start()
    settings = load_settings(
        state_dir=tmp_path,
        database_url=database_url,
        redis_url="unix:///nonexistent/socket",
        channels={"sms": {"kind": "smpp", "live": smsc.settings() | {"rate": 10_000, "window": 50}}},
    )
    async with Engine(settings, "sms.urgent"), asyncio.timeout(60):
        while set(await table.states()) - {ACCEPTED, DELIVERED}:  # noqa: ASYNC110 - the tables tell nobody
            await asyncio.sleep(0.05)
    await smsc.stop()
    assert len(smsc.ledger) == 250


async def test_a_worker_whose_channel_never_opened_leaves_its_batches_to_others(
    table: Table, database_url, tmp_path
):
    await table.release(3)
    settings = load_settings(
        state_dir=tmp_path,
        database_url=database_url,
        redis_url="unix:///nonexistent/socket",
        channels={"sms": {"kind": "smpp", "live": {"host": "127.0.0.1", "port": 1, "system_id": "invented"}}},
    )
    async with asyncio.timeout(15), Engine(settings, "sms.urgent") as engine:
        for batch in await table.batches():
            await engine.take(batch)
        assert await table.one("SELECT count(*) FROM batches WHERE state <> 'open'") == 0
    assert await table.one("SELECT count(*) FROM batches WHERE state = 'open'") == 1
