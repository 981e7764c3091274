"""What keeps every promise of the send path, whoever died: relay and reconciler.

The **relay** rings a worker for each row of the outbox, as soon as a release commits (LISTEN)
and at every sweep. The **reconciler** sweeps every few seconds, in any number of copies, since
each sweep takes its rows with a lock that the others skip:

1. outbox rows that nobody rang are rung;
2. batches whose holder fell silent are opened again, and what may have left under the lost
   lease is judged: one more copy where the alert is extreme or severe, else ``unknown``;
3. batches that are due and wait in no queue (Redis lost them) are rung again;
4. deliveries that never left and must not any more become ``expired`` or ``suppressed``;
5. receipts that came before their attempt are matched;
6. releases that nothing is on its way for are closed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError

from channels.base import Proof, Unknown
from gateway.clock import SYSTEM
from gateway.dispatch.queues import Doorbells
from gateway.dispatch.run import COPIES
from gateway.receipts.ledger import Attempt, Facts, prove
from gateway.receipts.matching import match_parked
from gateway.store import dispatch as store
from gateway.store import ledger as ledger_store
from gateway.store.database import AWAY, heed
from gateway.store.ledger import Fact
from gateway.store.releases import Heard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import asyncpg

    from gateway.clock import Clock
    from gateway.store.database import Database

log = structlog.get_logger(__name__)

GRACE_SECONDS = 3600.0
"""After its expiry a release stays open for late receipts this long."""
FAULTS: tuple[type[Exception], ...] = (*AWAY, RedisError)
"""What makes a sweep fail and the next one try again."""
_RINGS = 1_000
_ALARMING_CRASHES = 3
_CLOSED_AT_ONCE = 10


class Reconciler:
    """The relay and the sweeps; :meth:`run` lives until it is cancelled."""

    def __init__(
        self, database: Database, redis_url: str, *, every: float = 2.0, clock: Clock = SYSTEM
    ) -> None:
        """Sweep every so many seconds."""
        self._clock = clock
        self._database = database
        self._bells = Doorbells(redis_url)
        self._every = every
        self._heard = Heard(database, self._every)

    async def run(self) -> None:
        """Relay and sweep until cancelled; outlives database and Redis."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._heard.run())
                group.create_task(self._forever(self.relay, self._heard.event.wait))
                group.create_task(self._forever(self.sweep, lambda: asyncio.sleep(self._every)))
        finally:
            self._bells.close()

    async def _forever(
        self, work: Callable[[], Awaitable[object]], pause: Callable[[], Awaitable[object]]
    ) -> None:
        while True:
            heed()
            self._heard.event.clear()
            try:
                await work()
            except FAULTS as error:
                log.warning("sweep failed", work=work.__name__, error=type(error).__name__)
            except Exception:
                log.exception("sweep failed", work=work.__name__, alarm=True)
            with suppress(TimeoutError):
                await asyncio.wait_for(pause(), self._every)

    async def sweep(self) -> None:
        """Do everything that is due, once; what needs no Redis comes first, so that it may be away."""
        failure: Exception | None = None
        for work in (
            self.open_expired_leases,
            self.close_overdue,
            self.match_early_receipts,
            self.close_releases,
            self.relay,
            self.ring_again,
        ):
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - one promise that is not kept must not break the others
                failure = failure or error
        if failure:
            raise failure

    async def relay(self) -> int:
        """Ring the workers for the outbox; return how many batches."""
        total = 0
        while True:
            async with self._database.raw() as connection, connection.transaction():
                rows = await store.outbox(connection, _RINGS)
                for (queue, first), batches in _by_queue(rows).items():
                    await asyncio.to_thread(self._bells.ring, queue, batches, first=first)
                await store.rung(connection, [row["id"] for row in rows])
            total += len(rows)
            if len(rows) < _RINGS:
                return total

    async def ring_again(self) -> int:
        """Ring for due batches that wait in no queue; return how many."""
        async with self._database.raw() as connection:
            due = await store.due(connection)
        total = 0
        for (queue, first), batches in _by_queue(due).items():
            waiting = await asyncio.to_thread(self._bells.waiting, queue)
            missing = [batch for batch in batches if batch not in waiting]
            if missing:
                await asyncio.to_thread(self._bells.ring, queue, missing, first=first)
                total += len(missing)
        return total

    async def open_expired_leases(self) -> int:
        """Give the batches of silent holders free; return how many."""
        async with self._database.raw() as connection, connection.transaction():
            expired = await store.expired_leases(connection)
            for lease, crashes in expired:
                doubtful = await self._judge(connection, lease)
                await store.reopen(connection, lease.batch)
                log.warning("lease expired", batch=lease.batch, channel=lease.channel, in_doubt=doubtful)
                if crashes + 1 >= _ALARMING_CRASHES:
                    log.error("batch crashes its workers", batch=lease.batch, crashes=crashes + 1, alarm=True)
        return len(expired)

    async def _judge(self, connection: asyncpg.Connection, lease: store.Lease) -> int:
        """Record that the answers of a lost lease are unknown, and what follows from it."""
        now = self._clock.now()
        facts = Facts()
        rows = []
        doubtful = await store.left_in_doubt(connection, lease.batch)
        for row in doubtful:
            again = lease.resend_unknown and row["copies"] < COPIES
            rows += facts.attempt(
                Attempt(
                    row["id"], row["channel"], row["tries"], lease.batch, lease.token,
                    now, now, Unknown("lease lost"), again,
                )
            )  # fmt: skip
        await ledger_store.append(connection, rows, [], [])
        await ledger_store.project(connection, facts.merged.values())
        return len(doubtful)

    async def close_overdue(self) -> int:
        """Settle deliveries that never left and must not any more; return how many."""
        total = 0
        while True:
            batches, unsent = await self._close_some()
            total += unsent
            if batches < _CLOSED_AT_ONCE:
                return total

    async def _close_some(self) -> tuple[int, int]:
        """Close some batches in a transaction that stays short; return how many, and how many deliveries."""
        async with self._database.raw() as connection, connection.transaction():
            closing = await store.closing(connection, _CLOSED_AT_ONCE)
            total = 0
            for state in {row["state"] for row in closing}:
                batches = [row["id"] for row in closing if row["state"] == state]
                unsent = await store.unsent(connection, batches)
                # A copy may have arrived of what waits for its second one: that is unknown, not unsent.
                await ledger_store.project(
                    connection,
                    [
                        Fact(row, Proof.UNKNOWN if copies else state, 0, 1, None, None)
                        for row, copies in unsent
                    ],
                )
                total += len(unsent)
            await store.done(connection, [row["id"] for row in closing])
        return len(closing), total

    async def match_early_receipts(self) -> int:
        """Match parked receipts whose attempt has been recorded; return how many."""
        async with self._database.raw() as connection, connection.transaction():
            matched, ids = await match_parked(connection)
            facts = Facts()
            await ledger_store.append(connection, [], [one.row() for one in matched], [])
            await prove(connection, matched, facts)
            await ledger_store.project(connection, facts.merged.values())
            await ledger_store.unpark(connection, ids)
        return len(ids)

    async def close_releases(self) -> int:
        """Close releases that are over; return how many."""
        async with self._database.raw() as connection:
            closed = await store.close_settled(connection, GRACE_SECONDS)
        for row in closed:
            log.info("release closed", release=row["reference"])
        return len(closed)


def _by_queue(rows: list[asyncpg.Record]) -> dict[tuple[str, bool], list[int]]:
    queues: dict[tuple[str, bool], list[int]] = {}
    for row in rows:
        queues.setdefault((row["queue"], row["first"]), []).append(row["batch_id"])
    return queues
