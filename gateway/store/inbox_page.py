"""What the pages of the inbox read: messages in lists, who brought them, and seismic events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select, text

from gateway.store.incoming_tables import incoming, sightings

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection


class Line(NamedTuple):
    """One message in a list, without its content."""

    id: int
    source: str
    kind: str
    sender: str
    identifier: str
    sent: datetime
    msg_type: str
    status: str
    event: str
    severity: str
    hazard: str
    expires: datetime | None
    signature: str
    regions: list[str]
    agreeing: list[str]
    state: str
    todo: str | None
    reason: str
    alert_id: int | None
    received_at: datetime
    headline: str | None
    area: str | None
    infos: list[dict[str, Any]]
    """Its info blocks as JSON values: what its level is found in."""


class Sighting(NamedTuple):
    """Who brought a message, or still lists it."""

    source: str
    first_at: datetime
    last_at: datetime
    times: int
    vanished_at: datetime | None


_INFO = incoming.c.content["infos"]
_LISTED = [incoming.c[name] for name in Line._fields if name not in {"headline", "area", "infos"}] + [
    _INFO[0]["headline"].astext.label("headline"),
    _INFO[0]["areas"][0]["area_desc"].astext.label("area"),
    _INFO.label("infos"),
]

_EVENTS = text(
    """
    SELECT e.id, e.status, e.state, e.changed_at, s.time, s.lat, s.lon, s.depth_km, s.magnitude,
           s.magnitude_type, s.place, s.agency, s.review, s.withdrawn,
           (SELECT count(*) FROM solution_links AS l
            WHERE l.event_id = e.id AND l.until IS NULL) AS solutions,
           (SELECT count(*) FROM seismic_warnings AS w WHERE w.event_id = e.id) AS warnings
    FROM seismic_events AS e LEFT JOIN solutions AS s ON s.id = e.preferred
    WHERE CAST(:before AS bigint) IS NULL OR e.id < :before
    ORDER BY e.id DESC LIMIT :limit
    """
)

_SOLUTIONS = text(
    """
    SELECT s.id, s.source, s.name, s.agency, s.time, s.lat, s.lon, s.depth_km, s.magnitude,
           s.magnitude_type, s.magnitude_before, s.place, s.review, s.event_type, s.withdrawn, s.version,
           s.received_at, s.current,
           s.id = e.preferred AS preferred, l.until IS NOT NULL AS gone
    FROM solution_links AS l
    JOIN seismic_events AS e ON e.id = l.event_id
    JOIN solutions AS s ON (s.source, s.name, s.status) = (l.source, l.name, l.status)
    WHERE l.event_id = :event ORDER BY s.current DESC, s.source, s.name, s.id DESC LIMIT 200
    """
)

# A warning that was made of an event is a message of the source "seismic" whose key names the event.
_WARNINGS = text(
    """
    SELECT w.number, w.magnitude, w.made_at, w.handed_at, w.alert ->> 'msg_type' AS msg_type,
           i.id AS incoming_id
    FROM seismic_warnings AS w
    LEFT JOIN incoming AS i
        ON i.sender = w.alert ->> 'sender' AND i.identifier = w.alert ->> 'identifier'
    WHERE w.event_id = :event ORDER BY w.number DESC
    """
)

_EVENT_OF = text(
    """
    SELECT w.event_id FROM seismic_warnings AS w
    WHERE w.alert ->> 'identifier' = :identifier AND w.alert ->> 'sender' = :sender LIMIT 1
    """
)


async def listed(
    connection: AsyncConnection, states: Collection[str], source: str, before: int | None, limit: int
) -> list[Line]:
    """Return messages, newest first.

    Args:
        connection: A transaction.
        states: Of these only; empty for all.
        source: Brought by this one only; empty for all.
        before: With a smaller number only; None from the newest.
        limit: At most so many.
    """
    query = select(*_LISTED).order_by(incoming.c.id.desc()).limit(limit)
    if states:
        query = query.where(incoming.c.state.in_(states))
    if source:
        query = query.where(incoming.c.source == source)
    if before is not None:
        query = query.where(incoming.c.id < before)
    return [Line._make(row) for row in await connection.execute(query)]


async def counts(connection: AsyncConnection, since: datetime) -> dict[str, int]:
    """Return how many messages of this time are in each state."""
    query = (
        select(incoming.c.state, func.count())
        .where(incoming.c.received_at >= since)
        .group_by(incoming.c.state)
    )
    return {str(state): int(count) for state, count in await connection.execute(query)}


async def brought(connection: AsyncConnection, incoming_id: int) -> list[Sighting]:
    """Return who brought a message, the first one first."""
    query = (
        select(*(sightings.c[name] for name in Sighting._fields))
        .where(sightings.c.incoming_id == incoming_id)
        .order_by(sightings.c.first_at, sightings.c.source)
    )
    return [Sighting._make(row) for row in await connection.execute(query)]


async def events(connection: AsyncConnection, before: int | None, limit: int) -> list[Row[Any]]:
    """Return seismic events with their preferred solution, newest first."""
    return list(await connection.execute(_EVENTS, {"before": before, "limit": limit}))


async def event(connection: AsyncConnection, number: int) -> Row[Any] | None:
    """Return one seismic event; None where there is none."""
    rows = await connection.execute(_EVENTS, {"before": number + 1, "limit": 1})
    row = rows.first()
    return row if row is not None and row.id == number else None


async def solutions(connection: AsyncConnection, number: int) -> list[Row[Any]]:
    """Return the solutions of an event in all their versions, the current ones first."""
    return list(await connection.execute(_SOLUTIONS, {"event": number}))


async def warnings(connection: AsyncConnection, number: int) -> list[Row[Any]]:
    """Return the warnings that were made of an event, the newest first."""
    return list(await connection.execute(_WARNINGS, {"event": number}))


async def event_of(connection: AsyncConnection, sender: str, identifier: str) -> int | None:
    """Return the seismic event that a message was made of; None for any other message."""
    values = {"sender": sender, "identifier": identifier}
    number: int | None = (await connection.execute(_EVENT_OF, values)).scalar_one_or_none()
    return number
