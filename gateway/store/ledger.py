"""The send path's statements: bulk writes to the ledger and the projection of its facts.

Everything here runs on asyncpg and works on whole sets: COPY for the append-only rows,
one UPDATE from ``unnest`` for the deliveries that the rows are about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import asyncpg

ATTEMPTS = (
    "delivery_id",
    "channel",
    "try",
    "part",
    "batch_id",
    "token",
    "outcome",
    "ref",
    "code",
    "submitted_at",
    "answered_at",
)
RECEIPTS = (
    "delivery_id",
    "channel",
    "ref",
    "state",
    "source",
    "code",
    "reported_at",
    "received_at",
    "raw",
)
PARKED = (*RECEIPTS[1:], "mode")


class Fact(NamedTuple):
    """What one flush knows of one delivery; facts of one delivery are merged before they are written."""

    delivery: int
    state: int
    """channels.base.Proof; PLANNED asks for another try."""
    refund: int
    """Copies that surely did not arrive (a definite refusal)."""
    parts: int
    delivered_at: datetime | None
    confirmed_at: datetime | None
    token: int = 0
    """The lease that a wish for another try was made under."""


# State 7 is REJECTED and 3 UNKNOWN: a refused second copy does not prove that the first one, whose
# answer was lost, did not arrive.
# Counters keep everything below UNKNOWN as planned (0): only settled states are counted apart.
# Rows are locked in id order, and counters written in key order, so that two projectors never deadlock.
_RISE = """
WITH fact AS (
    SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::smallint[],
                         $5::timestamptz[], $6::timestamptz[])
           AS fact (id, state, refund, parts, delivered_at, confirmed_at)
), was AS MATERIALIZED (
    SELECT d.id, d.state AS before,
           CASE WHEN f.state = 7 AND f.refund > 0 AND d.copies > f.refund THEN 3 ELSE f.state END AS state,
           f.refund, f.parts, f.delivered_at, f.confirmed_at
    FROM fact AS f JOIN deliveries AS d ON d.id = f.id
    WHERE f.state > d.state
    ORDER BY d.id FOR NO KEY UPDATE OF d
), risen AS (
    UPDATE deliveries AS d
    SET state = was.state,
        copies = greatest(0, d.copies - was.refund),
        parts = greatest(d.parts, was.parts),
        delivered_at = coalesce(d.delivered_at, was.delivered_at),
        confirmed_at = coalesce(d.confirmed_at, was.confirmed_at)
    FROM was WHERE d.id = was.id AND was.state > was.before
    RETURNING d.release_id, d.channel, d.region, was.before, was.state
)
INSERT INTO counters AS c (release_id, channel, region, state, count)
SELECT release_id, channel, region, state, sum(change) FROM (
    SELECT release_id, channel, region, CASE WHEN before < 3 THEN 0 ELSE before END AS state, -1 AS change
    FROM risen
    UNION ALL
    SELECT release_id, channel, region, state, 1 FROM risen
) AS changes
GROUP BY release_id, channel, region, state HAVING sum(change) <> 0
ORDER BY release_id, channel, region, state
ON CONFLICT (release_id, channel, region, state) DO UPDATE SET count = c.count + excluded.count
"""

# Under a stale lease the delivery may be in another's hands: the reconciler judged what was in doubt.
_AGAIN = """
UPDATE deliveries AS d SET state = 0, copies = greatest(0, d.copies - again.refund)
FROM unnest($1::bigint[], $2::smallint[], $3::integer[]) AS again (id, refund, token), batches AS b
WHERE d.id = again.id AND d.state = 2 AND b.id = d.batch_id AND b.token = again.token
"""

# Receipts for the parts of a message come to several workers at one moment: the second must see the first.
_HOLD = "SELECT FROM deliveries WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"

# A message of several parts is delivered when each part of one try is: parts of two copies do not add up.
_WHOLE = """
SELECT a.delivery_id
FROM attempts AS a
JOIN receipts AS r ON r.delivery_id = a.delivery_id AND r.ref = a.ref AND r.state >= 8
WHERE a.delivery_id = ANY($1::bigint[]) AND a.outcome = 'accepted'
GROUP BY a.delivery_id, a.try
HAVING count(DISTINCT a.part) >= (
    SELECT max(whole.part) FROM attempts AS whole
    WHERE whole.delivery_id = a.delivery_id AND whole.try = a.try AND whole.outcome = 'accepted'
)
"""

_FIND = """
SELECT DISTINCT ON (a.ref) a.ref, a.delivery_id, d.parts
FROM attempts AS a JOIN deliveries AS d ON d.id = a.delivery_id JOIN releases AS r ON r.id = d.release_id
WHERE a.channel = $1 AND r.mode = $2 AND a.ref = ANY($3::text[]) AND a.ref <> ''
ORDER BY a.ref, a.submitted_at DESC
"""

_OWN = """
SELECT d.id, r.mode, d.copies > 0 FROM deliveries AS d JOIN releases AS r ON r.id = d.release_id
WHERE d.id = ANY($1::bigint[]) AND d.channel = $2
"""

# The youngest release of a day that the provider took for the address (as the register holds it); one that
# is only on its way is answered where there is no other. Persons who share a phone have all answered.
_REPLIED = """
WITH sent AS (
    SELECT d.id, d.release_id, d.state > 2 AS told, r.released_at
    FROM addresses AS a
    JOIN releases AS r ON r.released_at > now() - interval '1 day' AND r.mode = $2
    JOIN targets AS t ON t.list_id = r.target_list_id AND t.contact_id = a.contact_id
    JOIN deliveries AS d ON d.release_id = r.id AND d.target_id = t.id AND d.channel = a.channel
    WHERE a.channel = $1 AND a.address = $3 AND d.copies > 0
)
SELECT id FROM sent
WHERE release_id = (SELECT release_id FROM sent ORDER BY told DESC, released_at DESC LIMIT 1)
ORDER BY id
"""

_DEVICE = """
INSERT INTO device_states AS s (channel, device, online, at) VALUES ($1, $2, $3, coalesce($4, now()))
ON CONFLICT (channel, device) DO UPDATE SET online = excluded.online, at = excluded.at
WHERE s.at <= excluded.at
"""

# Receipts that no attempt bears stay: however many they are, they must not stand before the others.
_PARKED = """
SELECT p.* FROM parked_receipts AS p
WHERE EXISTS (
    SELECT FROM attempts AS a JOIN deliveries AS d ON d.id = a.delivery_id
    JOIN releases AS r ON r.id = d.release_id
    WHERE a.ref = p.ref AND a.channel = p.channel AND a.ref <> '' AND r.mode = p.mode
)
ORDER BY p.id LIMIT $1 FOR UPDATE OF p SKIP LOCKED
"""

_UNPARK = "DELETE FROM parked_receipts WHERE id = ANY($1::bigint[])"


async def append(
    connection: asyncpg.Connection,
    attempts: Sequence[tuple[Any, ...]],
    receipts: Sequence[tuple[Any, ...]],
    parked: Sequence[tuple[Any, ...]],
) -> None:
    """COPY rows (columns ATTEMPTS, RECEIPTS, PARKED) to the ledger."""
    for table, columns, rows in (
        ("attempts", ATTEMPTS, attempts),
        ("receipts", RECEIPTS, receipts),
        ("parked_receipts", PARKED, parked),
    ):
        if rows:
            await connection.copy_records_to_table(table, columns=columns, records=rows)


async def project(connection: asyncpg.Connection, facts: Iterable[Fact]) -> None:
    """Move deliveries forward and keep the counters, in the caller's transaction."""
    rises: list[Fact] = []
    again: list[Fact] = []
    for fact in facts:
        (rises if fact.state else again).append(fact)
    if rises:
        await connection.execute(_RISE, *(list(column) for column in list(zip(*rises, strict=True))[:-1]))
    if again:
        columns = zip(*((fact.delivery, fact.refund, fact.token) for fact in again), strict=True)
        await connection.execute(_AGAIN, *(list(column) for column in columns))


async def hold(connection: asyncpg.Connection, deliveries: Sequence[int]) -> None:
    """Wait for and hold deliveries until the transaction ends, in the order of every projection."""
    await connection.execute(_HOLD, deliveries)


async def whole(connection: asyncpg.Connection, deliveries: Sequence[int]) -> set[int]:
    """Return those of the deliveries whose every part has proof of delivery."""
    return {row[0] for row in await connection.fetch(_WHOLE, deliveries)}


async def find(
    connection: asyncpg.Connection, channel: str, mode: str, refs: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Return {provider's reference: (delivery, parts)} for the references that an attempt bears."""
    return {row[0]: (row[1], row[2]) for row in await connection.fetch(_FIND, channel, mode, refs)}


async def own(
    connection: asyncpg.Connection, channel: str, deliveries: Sequence[int]
) -> dict[int, tuple[str, bool]]:
    """Return {delivery: (mode, whether a copy may have arrived)} of those that are the channel's."""
    return {row[0]: (row[1], row[2]) for row in await connection.fetch(_OWN, deliveries, channel)}


async def replied(connection: asyncpg.Connection, channel: str, mode: str, address: str) -> list[int]:
    """Return the deliveries that a reply from the address answers, all of one release."""
    return [row[0] for row in await connection.fetch(_REPLIED, channel, mode, address)]


async def keep_device(
    connection: asyncpg.Connection, channel: str, device: str, *, online: bool, at: datetime | None
) -> None:
    """Keep a terminal's last known state."""
    await connection.execute(_DEVICE, channel, device, online, at)


async def parked(connection: asyncpg.Connection, limit: int) -> list[asyncpg.Record]:
    """Lock and return the oldest receipts whose attempt has been recorded meanwhile."""
    return await connection.fetch(_PARKED, limit)  # type: ignore[no-any-return]


async def unpark(connection: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Take receipts off the waiting table; the caller has put them into the ledger."""
    await connection.execute(_UNPARK, ids)
