"""The inbox: what the intake reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from gateway.alerts.model import AlertKey
from gateway.store.incoming_tables import incoming, incoming_references, sightings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

MOST_RELATED = 500
"""Messages that are looked at to judge one: a chain that is longer is some mistake of its source."""


@dataclass(frozen=True, slots=True)
class IncomingRow:
    """One alert that came in; columns as in :data:`gateway.store.incoming_tables.incoming`."""

    id: int
    source: str
    kind: str
    sender: str
    identifier: str
    sent: datetime
    event_key: str
    status: str
    msg_type: str
    scope: str
    event: str
    severity: str
    expires: datetime | None
    content: dict[str, Any]
    original: bytes
    is_cap: bool
    digest: str
    meaning: str
    signature: str
    hazard: str
    regions: list[str]
    agreeing: list[str]
    state: str
    todo: str | None
    reason: str
    findings: list[str]
    alert_id: int | None
    received_at: datetime
    changed_at: datetime
    released_at: datetime | None

    @property
    def key(self) -> AlertKey:
        """The message's key."""
        return AlertKey(self.sender, self.identifier, self.sent)


async def find(
    connection: AsyncConnection, sender: str, identifier: str, sent: datetime, meaning: str
) -> IncomingRow | None:
    """Return the message of this key that says this."""
    key = (incoming.c.sender == sender) & (incoming.c.identifier == identifier) & (incoming.c.sent == sent)
    return await _first(connection, select(incoming).where(key, incoming.c.meaning == meaning))


async def insert_one(
    connection: AsyncConnection,
    references: Iterable[tuple[str, str, datetime | None]],
    **values: Any,  # noqa: ANN401
) -> IncomingRow:
    """Write a message and what it refers to."""
    done = await connection.execute(insert(incoming).values(**values).returning(incoming))
    row = IncomingRow(**done.one()._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    told = {(sender, name): sent for sender, name, sent in references}
    if told:
        named = [
            {"incoming_id": row.id, "sender": sender, "identifier": name, "sent": sent}
            for (sender, name), sent in told.items()
        ]
        await connection.execute(insert(incoming_references), named)
    return row


async def see(connection: AsyncConnection, incoming_id: int, source: str, name: str, at: datetime) -> None:
    """Note that a source brought, or still lists, a message."""
    row = insert(sightings).values(incoming_id=incoming_id, source=source, name=name, first_at=at, last_at=at)
    again = {"last_at": at, "times": sightings.c.times + 1, "name": name, "vanished_at": None}
    await connection.execute(row.on_conflict_do_update(index_elements=["incoming_id", "source"], set_=again))


async def change(connection: AsyncConnection, incoming_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Set columns of a message."""
    await connection.execute(update(incoming).where(incoming.c.id == incoming_id).values(**values))


async def one(connection: AsyncConnection, incoming_id: int) -> IncomingRow | None:
    """Return a message by its number."""
    return await _first(connection, select(incoming).where(incoming.c.id == incoming_id))


async def related(connection: AsyncConnection, row: IncomingRow) -> list[IncomingRow]:
    """Return every message that is tied to this one, itself among them: by key, references or event.

    References are followed both ways until nothing is found any more.
    """
    found: dict[int, IncomingRow] = {}
    frontier = [row]
    while frontier and len(found) < MOST_RELATED:
        found |= {one.id: one for one in frontier}
        near = await _all(connection, _neighbours(frontier).order_by(incoming.c.id).limit(MOST_RELATED))
        frontier = [one for one in near if one.id not in found]
    return sorted(found.values(), key=lambda one: one.id)


def _neighbours(rows: Sequence[IncomingRow]) -> Select[Any]:
    names = sorted({(row.sender, row.identifier) for row in rows})
    events = sorted({(row.sender, row.event_key) for row in rows if row.event_key})
    refers, ids = incoming_references, [row.id for row in rows]
    target = tuple_(refers.c.sender, refers.c.identifier)
    about_them = select(refers.c.incoming_id).where(target.in_(names))
    named = select(refers.c.sender, refers.c.identifier).where(refers.c.incoming_id.in_(ids))
    ties = [
        tuple_(incoming.c.sender, incoming.c.identifier).in_(names),
        tuple_(incoming.c.sender, incoming.c.identifier).in_(named),
        incoming.c.id.in_(about_them),
        # Two that name the same message are related though that one never came.
        incoming.c.id.in_(select(refers.c.incoming_id).where(target.in_(named))),
    ]
    if events:
        ties.append(tuple_(incoming.c.sender, incoming.c.event_key).in_(events))
    return select(incoming).where(or_(*ties))


async def released_since(connection: AsyncConnection, source: str, since: datetime) -> int:
    """Return how many alerts the rule of a source has sent since then."""
    query = select(func.count()).where(incoming.c.source == source, incoming.c.released_at >= since)
    return int((await connection.execute(query)).scalar_one())


async def waiting_for_agreement(
    connection: AsyncConnection, sources: Collection[str], hazard: str, since: datetime, until: datetime
) -> list[IncomingRow]:
    """Return what was drafted or submitted for these sources, of a hazard, sent within a time."""
    query = select(incoming).where(
        incoming.c.source.in_(sources),
        incoming.c.hazard == hazard,
        incoming.c.state.in_(("drafted", "submitted")),
        incoming.c.sent.between(since, until),
    )
    return await _all(connection, query.order_by(incoming.c.id))


async def seen_by(
    connection: AsyncConnection, sources: Collection[str], hazard: str, since: datetime, until: datetime
) -> list[IncomingRow]:
    """Return what these sources brought of a hazard, sent within a time and in good standing."""
    theirs = select(sightings.c.incoming_id).where(sightings.c.source.in_(sources))
    query = select(incoming).where(
        incoming.c.id.in_(theirs),
        incoming.c.hazard == hazard,
        incoming.c.state.in_(("inbox", "drafted", "submitted", "released")),
        incoming.c.sent.between(since, until),
    )
    return await _all(connection, query.order_by(incoming.c.id))


async def left_undone(connection: AsyncConnection, before: datetime) -> list[int]:
    """Return the messages whose work at the desk was begun before then and has not ended, oldest first."""
    query = select(incoming.c.id).where(incoming.c.todo.is_not(None), incoming.c.changed_at < before)
    return list((await connection.execute(query.order_by(incoming.c.id))).scalars())


async def known(connection: AsyncConnection, names: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of these (sender, identifier) came in."""
    pairs = tuple_(incoming.c.sender, incoming.c.identifier)
    rows = await connection.execute(select(incoming.c.sender, incoming.c.identifier).where(pairs.in_(names)))
    return {(row.sender, row.identifier) for row in rows}


async def vanished(
    connection: AsyncConnection, source: str, listed: Collection[str], at: datetime
) -> list[IncomingRow]:
    """Mark and return what a source no longer lists though it still holds and stands in some work."""
    gone = (
        update(sightings)
        .where(
            sightings.c.source == source,
            sightings.c.vanished_at.is_(None),
            sightings.c.name != "",
            sightings.c.name.not_in(listed),
        )
        .values(vanished_at=at)
        .returning(sightings.c.incoming_id)
    )
    ids = list((await connection.execute(gone)).scalars())
    standing = incoming.c.state.in_(("inbox", "held", "drafted", "submitted", "released"))
    holds = incoming.c.expires.is_(None) | (incoming.c.expires > at)
    return await _all(connection, select(incoming).where(incoming.c.id.in_(ids), standing, holds))


async def latest(
    connection: AsyncConnection, states: Collection[str] = (), source: str | None = None, limit: int = 50
) -> list[IncomingRow]:
    """Return the latest messages, newest first."""
    query = select(incoming).order_by(incoming.c.id.desc()).limit(limit)
    if states:
        query = query.where(incoming.c.state.in_(states))
    if source is not None:
        query = query.where(incoming.c.source == source)
    return await _all(connection, query)


async def _first(connection: AsyncConnection, query: Select[Any]) -> IncomingRow | None:
    row = (await connection.execute(query.limit(1))).first()
    return IncomingRow(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name


async def _all(connection: AsyncConnection, query: Select[Any]) -> list[IncomingRow]:
    return [IncomingRow(**row._mapping) for row in await connection.execute(query)]  # noqa: SLF001 - as above
