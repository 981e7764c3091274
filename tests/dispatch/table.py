"""A real release of a few invented people, and plain questions to the tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from gateway.store import dispatch as store
from tests.faults import village

if TYPE_CHECKING:
    from gateway.desk.leaving import Released
    from gateway.desk.service import Desk
    from gateway.store.database import Database
    from gateway.store.dispatch import Lease

SMSC = {"host": "127.0.0.1", "system_id": "invented"}


class Table:
    """The database of one test."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.desk: Desk

    async def release(
        self, people: int, level: str = "orange", *, responsible: int = 0, rate: float = 100.0
    ) -> Released:
        """Settle people and send them a warning; batches hold at least 200."""
        given = {
            "channels": {"sms": {"kind": "smpp", "live": SMSC | {"rate": rate}}},
            "desk": {"signature": "示范"},
        }
        await village.settle(self.database, people, responsible=responsible)
        self.desk = await village.open_desk(self.database, given)
        return await village.release(self.desk, level)

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        async with self.database.raw() as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]

    async def one(self, query: str, *values: Any) -> Any:
        async with self.database.raw() as connection:
            return await connection.fetchval(query, *values)

    async def states(self) -> Counter[int]:
        return Counter(row[0] for row in await self.fetch("SELECT state FROM deliveries"))

    async def counted(self) -> dict[int, int]:
        """The counters, by state."""
        rows = await self.fetch(
            "SELECT state, sum(count)::int FROM counters GROUP BY state HAVING sum(count) <> 0"
        )
        return dict(rows)

    async def batches(self) -> list[int]:
        return [row[0] for row in await self.fetch("SELECT id FROM batches ORDER BY id")]

    async def lease(self, batch: int, seconds: float = 30.0, owner: str = "invented") -> Lease | None:
        async with self.database.raw() as connection:
            lane = await connection.fetchval("SELECT lane FROM releases ORDER BY id LIMIT 1")
            return await store.lease(connection, batch, owner, seconds, channel="sms", lane=lane)

    async def held(self, seconds: float = 30.0) -> Lease:
        """Lease the first batch."""
        lease = await self.lease((await self.batches())[0], seconds)
        assert lease is not None
        return lease

    async def rows(self, lease: Lease) -> list[int]:
        async with self.database.raw() as connection:
            return [row.id for row in await store.rows(connection, lease.batch)]

    async def claim(self, lease: Lease, ids: list[int], seconds: float = 30.0) -> dict[int, store.Claimed]:
        async with self.database.raw() as connection:
            return await store.claim(connection, lease, ids, seconds)

    async def finish(self, lease: Lease, delay: float = 0.0, unsent: tuple[int, ...] = ()) -> str | None:
        async with self.database.raw() as connection:
            return await store.finish(connection, lease, delay, unsent)
