"""What the page of channels reads: queues, traffic, troubles and devices, by channel and mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

Route = tuple[str, str]
"""Channel and mode."""
SHOWN_TROUBLES = 300
"""Attempts looked at for troubles, the newest of each channel: a provider that is down makes thousands."""
_LATEST_RELEASES = 20


class Queue(NamedTuple):
    """What waits in one lane of a channel."""

    channel: str
    lane: str
    due: int
    """Batches that wait for a worker."""
    leased: int
    """Batches that a worker has."""
    senders: int
    """Workers that have one."""
    oldest: datetime | None
    """Since when the oldest waits."""


class Traffic(NamedTuple):
    """What providers answered within a time."""

    channel: str
    mode: str
    outcome: str
    parts: int
    """Parts of messages, as the contract counts them."""
    last: datetime


class Trouble(NamedTuple):
    """One code of refusals and lost answers."""

    channel: str
    mode: str
    outcome: str
    code: str
    times: int
    last: datetime


class Devices(NamedTuple):
    """Terminals of a channel that told how they are."""

    channel: str
    online: int
    offline: int
    last: datetime


_QUEUES = text(
    """
    SELECT b.channel, r.lane,
           count(*) FILTER (WHERE b.state = 'open' AND b.due_at <= now()) AS due,
           count(*) FILTER (WHERE b.state = 'leased' AND b.lease_until > now()) AS leased,
           count(DISTINCT b.owner) FILTER (WHERE b.state = 'leased' AND b.lease_until > now()) AS senders,
           min(b.due_at) FILTER (WHERE b.state = 'open' AND b.due_at <= now()) AS oldest
    FROM batches AS b JOIN releases AS r ON r.id = b.release_id
    WHERE b.state <> 'done' GROUP BY b.channel, r.lane
    """
)

_WAITING = text(
    """
    SELECT c.channel, r.mode, sum(c.count) AS messages
    FROM releases AS r JOIN counters AS c ON c.release_id = r.id
    WHERE r.state = 'open' AND c.state = 0 AND c.count > 0 GROUP BY c.channel, r.mode
    """
)

# Grouped by batch first: the mode is looked up for each batch and not for each attempt.
_TRAFFIC = text(
    """
    WITH lately AS (
        SELECT batch_id, channel, outcome, count(*) AS count, max(answered_at) AS last
        FROM attempts WHERE answered_at > :since GROUP BY batch_id, channel, outcome
    )
    SELECT l.channel, r.mode, l.outcome, sum(l.count) AS parts, max(l.last) AS last
    FROM lately AS l JOIN batches AS b ON b.id = l.batch_id JOIN releases AS r ON r.id = b.release_id
    GROUP BY l.channel, r.mode, l.outcome
    """
)

_TROUBLES = text(
    """
    SELECT a.channel, r.mode, a.outcome, a.code, count(*) AS times, max(a.answered_at) AS last
    FROM unnest(CAST(:channels AS text[])) AS one (channel) CROSS JOIN LATERAL (
        SELECT batch_id, channel, outcome, code, answered_at FROM attempts
        WHERE channel = one.channel AND outcome <> 'accepted' AND answered_at > :since
        ORDER BY answered_at DESC LIMIT :most
    ) AS a
    JOIN batches AS b ON b.id = a.batch_id JOIN releases AS r ON r.id = b.release_id
    GROUP BY a.channel, r.mode, a.outcome, a.code ORDER BY last DESC
    """
)

# Of the last delivery of each of the latest releases: attempts of all times have no order by time.
_LAST = text(
    """
    SELECT DISTINCT ON (d.channel, r.mode) d.channel, r.mode, a.outcome, 1 AS parts, a.answered_at AS last
    FROM (SELECT id, mode FROM releases ORDER BY id DESC LIMIT :most) AS r
    CROSS JOIN unnest(CAST(:channels AS text[])) AS one (channel)
    CROSS JOIN LATERAL (
        SELECT id, channel FROM deliveries
        WHERE release_id = r.id AND channel = one.channel ORDER BY target_id DESC LIMIT 1
    ) AS d
    JOIN attempts AS a ON a.delivery_id = d.id
    ORDER BY d.channel, r.mode, a.answered_at DESC
    """
)

_DEVICES = text(
    """
    SELECT channel, count(*) FILTER (WHERE online) AS online, count(*) FILTER (WHERE NOT online) AS offline,
           max(at) AS last
    FROM device_states GROUP BY channel
    """
)


async def queues(connection: AsyncConnection) -> dict[Route, Queue]:
    """Return (channel, lane) -> what waits there by the database's clock; without what is all done."""
    rows = await connection.execute(_QUEUES)
    return {(row.channel, row.lane): Queue._make(row) for row in rows}


async def waiting(connection: AsyncConnection) -> dict[Route, int]:
    """Return how many messages of open releases are not settled yet."""
    return {(row.channel, row.mode): int(row.messages) for row in await connection.execute(_WAITING)}


async def traffic(connection: AsyncConnection, since: datetime) -> list[Traffic]:
    """Return what was answered since then."""
    return [Traffic._make(row) for row in await connection.execute(_TRAFFIC, {"since": since})]


async def troubles(connection: AsyncConnection, channels: list[str], since: datetime) -> list[Trouble]:
    """Return refusals and lost answers since then, newest first, of the newest attempts of each channel."""
    values = {"channels": channels, "since": since, "most": SHOWN_TROUBLES}
    return [Trouble._make(row) for row in await connection.execute(_TROUBLES, values)]


async def last_answers(connection: AsyncConnection, channels: list[str]) -> dict[Route, Traffic]:
    """Return the last answer on each route, as far as the latest releases tell."""
    values = {"channels": channels, "most": _LATEST_RELEASES}
    found = [Traffic._make(row) for row in await connection.execute(_LAST, values)]
    return {(one.channel, one.mode): one for one in found}


async def devices(connection: AsyncConnection) -> dict[str, Devices]:
    """Return channel -> its terminals that ever told that they are on line."""
    return {row.channel: Devices._make(row) for row in await connection.execute(_DEVICES)}
