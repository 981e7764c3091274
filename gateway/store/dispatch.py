"""Statements of the engine: leases, compare-and-set before each send, and the reconciler's sweeps.

A batch is ``open`` (anyone may lease it once it is due), ``leased`` (its fencing token tells by
whom) or ``done``. Leases run on the database's clock. Only the reconciler opens a batch whose
lease has run out, and it does so together with judging what may have left under that lease.

A route that people turned off (:mod:`gateway.store.switches`) is asked about in the very statements
that let something leave, so that no copy of the switch can lag behind it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg


class Lease(NamedTuple):
    """A batch held by one worker under one fencing token."""

    batch: int
    token: int
    release: int
    channel: str
    mode: str
    resend_unknown: bool
    expires: datetime


class Row(NamedTuple):
    """A delivery that waits to be sent."""

    id: int
    address: str
    text_key: str


class Claimed(NamedTuple):
    """What a claim made of a delivery."""

    tries: int
    copies: int
    """Copies that may have arrived, this one included."""
    at: datetime


class May(enum.StrEnum):
    """Whether the batch that a worker holds may be sent."""

    SEND = "send"
    PAUSE = "pause"
    """People turned the route off: what is left waits until it is on again."""
    END = "end"
    """The release is stopped or over: what is left is not sent any more."""


# The route of batch b of release r is not turned off.
_ON = """NOT EXISTS (
    SELECT FROM switches AS s WHERE s.kind = 'route' AND s.name = b.channel || '.' || r.mode AND s.off)"""

# What Redis says only names the batch: whether this worker may send it is decided here, so that a
# drill's batch in a live queue, or another channel's, is not sent with the wrong credentials.
_LEASE = f"""
UPDATE batches AS b
SET state = 'leased', token = b.token + 1, owner = $2, lease_until = now() + make_interval(secs => $3)
FROM releases AS r
WHERE b.id = $1 AND b.state = 'open' AND b.due_at <= now() AND b.channel = $4 AND r.lane = $5
  AND r.id = b.release_id AND r.state = 'open' AND r.expires > now() AND {_ON}
RETURNING b.id, b.token, b.release_id, b.channel, r.mode, r.resend_unknown, r.expires
"""  # noqa: S608 - the fragment stands above

_ROWS = "SELECT id, address, text_key FROM deliveries WHERE batch_id = $1 AND state = 0 ORDER BY id"

# One statement renews the lease, checks that the release may still be sent, and moves the rows:
# a holder whose token is stale, or whose lease has run out, changes nothing.
_CLAIM = f"""
WITH held AS (
    UPDATE batches AS b SET lease_until = now() + make_interval(secs => $4)
    FROM releases AS r
    WHERE b.id = $1 AND b.token = $2 AND b.state = 'leased' AND b.lease_until > now()
      AND r.id = b.release_id AND r.state = 'open' AND r.expires > now() AND {_ON}
    RETURNING b.id
)
UPDATE deliveries AS d SET state = 2, copies = d.copies + 1, tries = d.tries + 1
FROM held
WHERE d.id = ANY($3::bigint[]) AND d.batch_id = held.id AND d.state = 0 AND d.copies < 2
RETURNING d.id, d.tries, d.copies, now()
"""  # noqa: S608 - the fragment stands above

_RENEW = f"""
UPDATE batches AS b SET lease_until = now() + make_interval(secs => $3)
FROM releases AS r
WHERE b.id = $1 AND b.token = $2 AND b.state = 'leased' AND b.lease_until > now() AND r.id = b.release_id
RETURNING CASE WHEN r.state <> 'open' OR r.expires <= now() THEN 'end' WHEN {_ON} THEN 'send' ELSE 'pause' END
"""  # noqa: S608 - the fragment stands above

# What is left goes back to the queue when it is due; the token rises so that nothing of this run counts.
# A delivery that is still submitting has lost its outcome: its batch stays leased with a lease that
# is over, so that the reconciler judges it.
_FINISH = """
UPDATE batches AS b
SET owner = NULL, token = b.token + 1, due_at = now() + make_interval(secs => $3), crashes = 0,
    state = CASE WHEN run.lowest < 3 AND NOT run.lost THEN 'open' WHEN run.lost THEN 'leased' ELSE 'done' END,
    lease_until = CASE WHEN run.lost THEN now() END
FROM (SELECT min(state) AS lowest, bool_or(state = 2) AS lost FROM deliveries WHERE batch_id = $1) AS run
WHERE b.id = $1 AND b.token = $2 AND b.state = 'leased'
RETURNING b.state
"""

_HOLD = "SELECT id FROM batches WHERE id = $1 AND token = $2 AND state = 'leased' FOR UPDATE"

_PUT_BACK = """
UPDATE deliveries SET state = 0, copies = copies - 1, tries = tries - 1
WHERE batch_id = $1 AND id = ANY($2::bigint[]) AND state = 2
"""

_EXPIRED_LEASES = """
SELECT b.id, b.token, b.release_id, b.channel, r.mode, r.resend_unknown, r.expires, b.crashes
FROM batches AS b JOIN releases AS r ON r.id = b.release_id
WHERE b.state = 'leased' AND b.lease_until < now()
ORDER BY b.id LIMIT 50 FOR UPDATE OF b SKIP LOCKED
"""

_LEFT_IN_DOUBT = """
SELECT id, channel, tries, copies FROM deliveries WHERE batch_id = $1 AND state = 2 ORDER BY id
"""

_REOPEN = """
UPDATE batches
SET state = 'open', owner = NULL, lease_until = NULL, token = token + 1, crashes = crashes + 1, due_at = now()
WHERE id = $1
"""

_OUTBOX = """
SELECT o.id, o.batch_id, o.queue, r.first
FROM outbox AS o JOIN batches AS b ON b.id = o.batch_id JOIN releases AS r ON r.id = b.release_id
ORDER BY o.id LIMIT $1 FOR UPDATE OF o SKIP LOCKED
"""

_DUE = f"""
SELECT b.id AS batch_id, b.channel || '.' || r.lane AS queue, r.first
FROM batches AS b JOIN releases AS r ON r.id = b.release_id
WHERE b.state = 'open' AND b.due_at <= now() AND r.state = 'open' AND {_ON}
ORDER BY b.id
"""  # noqa: S608 - the fragment stands above

_LATE = f"""
SELECT b.id
FROM batches AS b JOIN releases AS r ON r.id = b.release_id
WHERE b.state = 'open' AND b.due_at <= now() - make_interval(secs => $3) AND b.channel = $1
  AND r.lane = $2 AND r.state = 'open' AND r.expires > now() AND {_ON}
ORDER BY r.first DESC, b.due_at, b.id LIMIT 1
"""  # noqa: S608 - the fragment stands above

# Batches of a release that is stopped or past its expiry; what has left is not touched.
_CLOSING = """
SELECT b.id, b.release_id, CASE WHEN r.state = 'stopped' THEN 4 ELSE 6 END AS state
FROM batches AS b JOIN releases AS r ON r.id = b.release_id
WHERE b.state = 'open' AND (r.state <> 'open' OR r.expires <= now())
ORDER BY b.id LIMIT $1 FOR UPDATE OF b SKIP LOCKED
"""

_UNSENT = "SELECT id, copies FROM deliveries WHERE batch_id = ANY($1::bigint[]) AND state < 2"

_DONE = "UPDATE batches SET state = 'done', token = token + 1, owner = NULL WHERE id = ANY($1::bigint[])"

# A release closes when nothing is on its way any more: each delivery settled, or its time and the grace over.
# One that was stopped for a Cancel which has not left stays stopped: somebody must still do something.
_CLOSE = """
UPDATE releases AS r SET state = 'closed', closed_at = now()
WHERE r.state <> 'closed'
  AND NOT (r.state = 'stopped'
           AND EXISTS (SELECT FROM alerts AS a WHERE a.id = r.alert_id AND a.state = 'released'))
  AND NOT EXISTS (SELECT FROM batches AS b WHERE b.release_id = r.id AND b.state <> 'done')
  AND (r.expires + make_interval(secs => $1) < now()
       OR NOT EXISTS (SELECT FROM counters AS c
                      WHERE c.release_id = r.id AND c.count > 0 AND c.state IN (0, 3, 5)))
RETURNING r.id, r.reference
"""


async def lease(
    connection: asyncpg.Connection, batch: int, owner: str, seconds: float, *, channel: str, lane: str
) -> Lease | None:
    """Take an open, due batch of this lane; None where another has it or it must not be sent."""
    row = await connection.fetchrow(_LEASE, batch, owner, seconds, channel, lane)
    return Lease(*row) if row else None


async def rows(connection: asyncpg.Connection, batch: int) -> list[Row]:
    """Return the deliveries of a batch that wait to be sent."""
    return [Row(*row) for row in await connection.fetch(_ROWS, batch)]


async def claim(
    connection: asyncpg.Connection, held: Lease, ids: Sequence[int], seconds: float
) -> dict[int, Claimed]:
    """Move deliveries to submitting and renew the lease; return those that were moved."""
    moved = await connection.fetch(_CLAIM, held.batch, held.token, ids, seconds)
    return {row[0]: Claimed(row[1], row[2], row[3]) for row in moved}


async def renew(connection: asyncpg.Connection, held: Lease, seconds: float) -> May | None:
    """Prolong a lease and return whether its batch may still be sent; None where the lease is lost."""
    said = await connection.fetchval(_RENEW, held.batch, held.token, seconds)
    return May(said) if said else None


async def finish(
    connection: asyncpg.Connection, held: Lease, due_in: float, unsent: Sequence[int] = ()
) -> str | None:
    """Give a batch back; return its state, ``open`` where deliveries are left for another run.

    ``unsent`` were to be claimed, and the answer was lost: whether they were marked or not, they never left.
    """
    async with connection.transaction():
        # The lock first: a claim still being committed is either seen here or finds a stale token.
        if unsent and await connection.fetchval(_HOLD, held.batch, held.token):
            await connection.execute(_PUT_BACK, held.batch, unsent)
        return await connection.fetchval(_FINISH, held.batch, held.token, due_in)  # type: ignore[no-any-return]


async def texts(connection: asyncpg.Connection, release: int) -> Any:  # noqa: ANN401 - JSON
    """Return the reference and the texts of a release (JSON text)."""
    return await connection.fetchrow("SELECT reference, texts FROM releases WHERE id = $1", release)


async def expired_leases(connection: asyncpg.Connection) -> list[tuple[Lease, int]]:
    """Lock and return batches whose holder has fallen silent, with how often that has happened."""
    return [(Lease(*row[:7]), row[7]) for row in await connection.fetch(_EXPIRED_LEASES)]


async def left_in_doubt(connection: asyncpg.Connection, batch: int) -> list[asyncpg.Record]:
    """Return (id, channel, tries, copies) of deliveries whose holder left no outcome."""
    return await connection.fetch(_LEFT_IN_DOUBT, batch)  # type: ignore[no-any-return]


async def reopen(connection: asyncpg.Connection, batch: int) -> None:
    """Give a batch free again; whoever held it holds a stale token."""
    await connection.execute(_REOPEN, batch)


async def outbox(connection: asyncpg.Connection, limit: int) -> list[asyncpg.Record]:
    """Lock and return doorbells to ring, (id, batch_id, queue, first)."""
    return await connection.fetch(_OUTBOX, limit)  # type: ignore[no-any-return]


async def rung(connection: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Forget doorbells that RQ has."""
    await connection.execute("DELETE FROM outbox WHERE id = ANY($1::bigint[])", ids)


async def due(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """Return (batch_id, queue, first) of the batches that wait for a worker."""
    return await connection.fetch(_DUE)  # type: ignore[no-any-return]


async def late(connection: asyncpg.Connection, channel: str, lane: str, seconds: float) -> int | None:
    """Return a batch of a lane that has been due for so many seconds and that nobody holds."""
    return await connection.fetchval(_LATE, channel, lane, seconds)  # type: ignore[no-any-return]


async def closing(connection: asyncpg.Connection, limit: int) -> list[asyncpg.Record]:
    """Lock and return (id, release_id, state) of open batches that must not be sent any more."""
    return await connection.fetch(_CLOSING, limit)  # type: ignore[no-any-return]


async def unsent(connection: asyncpg.Connection, batches: Sequence[int]) -> list[tuple[int, int]]:
    """Return (id, copies that may have arrived) of the deliveries of batches that wait to be sent."""
    return [tuple(row) for row in await connection.fetch(_UNSENT, batches)]


async def done(connection: asyncpg.Connection, batches: Sequence[int]) -> None:
    """Close batches for good."""
    await connection.execute(_DONE, batches)


async def close_settled(connection: asyncpg.Connection, grace: float) -> list[asyncpg.Record]:
    """Close releases that nothing is on its way for, and return (id, reference)."""
    return await connection.fetch(_CLOSE, grace)  # type: ignore[no-any-return]
