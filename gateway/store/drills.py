"""Drills, started and ended as such; one runs at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import insert, text, update
from sqlalchemy.exc import IntegrityError

from gateway.store.console_tables import drills

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

KEPT = 50
"""Drills that the page lists, the latest first."""

_DRILLS = """
    SELECT d.id, d.title, d.started_by, s.name AS started_by_name, d.started_at,
           d.ended_by, e.name AS ended_by_name, d.ended_at
    FROM drills AS d JOIN people AS s ON s.login = d.started_by LEFT JOIN people AS e ON e.login = d.ended_by
"""
_RUNNING = text(f"{_DRILLS} WHERE d.ended_at IS NULL")
_ONE = text(f"{_DRILLS} WHERE d.id = :id FOR UPDATE OF d")
_LATEST = text(f"{_DRILLS} ORDER BY d.id DESC LIMIT :most")

# An alert belongs to the drill in which it was drafted; a test of a channel is no part of any.
_ALERTS = text(
    """
    SELECT a.id, a.identifier, a.level, a.msg_type, a.state, a.created_at,
           a.content -> 'infos' -> 0 ->> 'event' AS event,
           r.id AS release_id, r.released_at, l.count AS people,
           coalesce(k.intended, 0) AS intended, coalesce(k.delivered, 0) AS delivered
    FROM alerts AS a LEFT JOIN releases AS r ON r.alert_id = a.id
    LEFT JOIN target_lists AS l ON l.id = r.target_list_id
    LEFT JOIN LATERAL (
        SELECT CAST(sum(c.count) AS bigint) AS intended,
               CAST(sum(c.count) FILTER (WHERE c.state >= 8) AS bigint) AS delivered
        FROM counters AS c WHERE c.release_id = r.id
    ) AS k ON true
    WHERE a.mode = 'drill' AND a.created_at >= :begin AND a.created_at < :end
      AND NOT coalesce(a.plan ? 'self_test', false)
      AND NOT (a.msg_type = 'Cancel' AND r.id IS NULL AND a.state IN ('draft', 'expired'))
    ORDER BY a.id
    """
)


class Drill(NamedTuple):
    """One drill."""

    id: int
    title: str
    started_by: str
    started_by_name: str
    started_at: datetime
    ended_by: str | None
    ended_by_name: str | None
    ended_at: datetime | None


async def running(connection: AsyncConnection) -> Drill | None:
    """Return the drill that runs."""
    row = (await connection.execute(_RUNNING)).first()
    return Drill(*row) if row else None


async def one(connection: AsyncConnection, number: int) -> Drill | None:
    """Return a drill and hold it until the transaction ends."""
    row = (await connection.execute(_ONE, {"id": number})).first()
    return Drill(*row) if row else None


async def latest(connection: AsyncConnection) -> list[Drill]:
    """Return the latest drills, newest first."""
    return [Drill(*row) for row in await connection.execute(_LATEST, {"most": KEPT})]


async def start(connection: AsyncConnection, title: str, by: str, at: datetime) -> int | None:
    """Write down that a drill begins and return its number; None where one runs."""
    row = insert(drills).values(title=title, started_by=by, started_at=at).returning(drills.c.id)
    try:
        async with connection.begin_nested():
            number: int = (await connection.execute(row)).scalar_one()
    except IntegrityError:
        return None
    return number


async def end(connection: AsyncConnection, number: int, by: str, at: datetime) -> None:
    """Write down that a drill is over."""
    await connection.execute(update(drills).where(drills.c.id == number).values(ended_by=by, ended_at=at))


async def alerts_between(connection: AsyncConnection, begin: datetime, end: datetime) -> list[Row[Any]]:
    """Return the drill warnings that were drafted in this time, with their deliveries from the counters."""
    return list(await connection.execute(_ALERTS, {"begin": begin, "end": end}))
