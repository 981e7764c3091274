"""A sweep goes on with what it can do when one part of it fails."""

from __future__ import annotations

import pytest

from gateway.dispatch.reconciler import Reconciler
from tests.dispatch.scripted import opened, plan, states

SUPPRESSED = 4


@pytest.mark.parametrize("part", ["open_expired_leases", "match_early_receipts", "relay"])
async def test_a_part_that_fails_keeps_no_other_from_its_work(database_url, redis_url, monkeypatch, part):
    async def broken() -> None:
        raise RuntimeError("invented")

    async with opened(database_url) as (database, _):
        planned = await plan(database, 3)
        reconciler = Reconciler(database, redis_url)
        async with database.raw() as connection:
            await connection.execute("UPDATE releases SET state = 'stopped'")
            await connection.execute("UPDATE alerts SET state = 'cancelled'")
        monkeypatch.setattr(reconciler, part, broken)
        with pytest.raises(RuntimeError):
            await reconciler.sweep()
        reconciler._bells.close()
        assert await states(database, planned) == [SUPPRESSED] * 3
        async with database.raw() as connection:
            assert await connection.fetchval("SELECT state FROM releases") == "closed"
