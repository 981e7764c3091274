"""The inbox: what the intake reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Select, Text, all_, and_, func, literal, or_, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from gateway.alerts.model import AlertKey
from gateway.store.incoming_tables import incoming, incoming_references, sightings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

MOST_RELATED = 500
"""Messages that are looked at to judge one, the newest first: a longer chain is a mistake of its source."""
GOOD_STANDING = ("inbox", "drafted", "submitted", "released")
"""States of a message that may confirm another one."""
_SHOWN = [column for column in incoming.c if column.name != "original"] + [literal(b"").label("original")]
"""What is read where many messages are: the bytes of each may be megabytes."""


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


async def change_if(
    connection: AsyncConnection,
    row: IncomingRow,
    **values: Any,  # noqa: ANN401 - columns
) -> bool:
    """Set columns of a message unless its state or what is to be done was changed since it was read."""
    as_read = and_(
        incoming.c.id == row.id,
        incoming.c.state == row.state,
        incoming.c.todo.is_not_distinct_from(row.todo),
    )
    return bool((await connection.execute(update(incoming).where(as_read).values(**values))).rowcount)


async def change_of_alert(connection: AsyncConnection, alert_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Set columns of the messages that led to an alert of ours."""
    await connection.execute(update(incoming).where(incoming.c.alert_id == alert_id).values(**values))


async def one(connection: AsyncConnection, incoming_id: int) -> IncomingRow | None:
    """Return a message by its number."""
    return await _first(connection, select(incoming).where(incoming.c.id == incoming_id))


async def brought_by(connection: AsyncConnection, incoming_id: int, source: str) -> bool:
    """Return whether a source has brought a message before."""
    seen = (sightings.c.incoming_id == incoming_id) & (sightings.c.source == source)
    return (await connection.execute(select(sightings.c.incoming_id).where(seen))).first() is not None


async def related(
    connection: AsyncConnection, row: IncomingRow, senders: Collection[str], *, hold: bool = False
) -> list[IncomingRow]:
    """Return every message of some senders that is tied to this one: by key, references or event.

    References are followed both ways until nothing is found any more. The bytes are left out.

    Args:
        connection: A transaction.
        row: The message; it is among those returned.
        senders: Whose messages count; a flood of a stranger's must not hide them.
        hold: Whether they stay as they are until the transaction ends.
    """
    found: dict[int, Any] = {}
    frontier: list[Any] = [row]
    while frontier and len(found) < MOST_RELATED:
        found |= {one.id: one for one in frontier}
        query = _neighbours(frontier).where(incoming.c.sender.in_(senders))
        near = await connection.execute(query.order_by(incoming.c.id.desc()).limit(MOST_RELATED))
        frontier = [one for one in near if one.id not in found]
    query = select(*_SHOWN).where(incoming.c.id.in_(found)).order_by(incoming.c.id)
    return await _all(connection, query.with_for_update(key_share=True) if hold else query)


def _neighbours(rows: Sequence[Any]) -> Select[Any]:
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
    columns = incoming.c.id, incoming.c.sender, incoming.c.identifier, incoming.c.event_key
    return select(*columns).where(or_(*ties))


async def released_since(connection: AsyncConnection, source: str, since: datetime) -> int:
    """Return how many alerts the rule of a source has sent since then."""
    query = select(func.count()).where(incoming.c.source == source, incoming.c.released_at >= since)
    return int((await connection.execute(query)).scalar_one())


async def waiting_for_agreement(
    connection: AsyncConnection, sources: Collection[str], hazard: str, since: datetime, until: datetime
) -> list[IncomingRow]:
    """Return what was drafted or submitted for these sources, of a hazard, sent within a time."""
    query = select(*_SHOWN).where(
        incoming.c.source.in_(sources),
        incoming.c.hazard == hazard,
        incoming.c.state.in_(("drafted", "submitted")),
        incoming.c.todo.is_(None),
        incoming.c.sent.between(since, until),
    )
    return await _all(connection, query.order_by(incoming.c.id))


async def seen_by(
    connection: AsyncConnection, sources: Collection[str], hazard: str, since: datetime, until: datetime
) -> list[IncomingRow]:
    """Return what these sources brought of a hazard, sent within a time and in good standing."""
    theirs = select(sightings.c.incoming_id).where(sightings.c.source.in_(sources))
    query = select(*_SHOWN).where(
        incoming.c.id.in_(theirs),
        incoming.c.hazard == hazard,
        incoming.c.state.in_(GOOD_STANDING),
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
    """Return what a source no longer lists though it still holds and stands in some work."""
    gone = select(sightings.c.incoming_id).where(
        sightings.c.source == source,
        sightings.c.vanished_at.is_(None),
        sightings.c.name != "",
        # One array, since a list may have more names than a statement has parameters.
        sightings.c.name != all_(literal(list(listed), ARRAY(Text))),
    )
    standing = incoming.c.state.in_(("inbox", "held", "drafted", "submitted", "released"))
    holds = incoming.c.expires.is_(None) | (incoming.c.expires > at)
    query = select(*_SHOWN).where(incoming.c.id.in_(gone), standing, holds)
    return await _all(connection, query.order_by(incoming.c.id))


async def note_vanished(connection: AsyncConnection, incoming_id: int, source: str, at: datetime) -> None:
    """Note that a message is gone from the list of a source, and that this was acted upon."""
    seen = (sightings.c.incoming_id == incoming_id) & (sightings.c.source == source)
    await connection.execute(update(sightings).where(seen).values(vanished_at=at))


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


_ANSWERED = text(
    """
    UPDATE alarms SET cleared_at = :at
    FROM incoming JOIN alerts ON alerts.id = incoming.alert_id
    WHERE alarms.cleared_at IS NULL AND alarms.subject = 'incoming ' || incoming.id
      AND alarms.code IN ('source_took_back', 'alert_in_question', 'vanished')
      AND alerts.state IN ('cancelled', 'expired', 'withdrawn')
    """
)


async def clear_answered(connection: AsyncConnection, at: datetime) -> int:
    """Close the alarms about alerts that are over by now; return how many."""
    return int((await connection.execute(_ANSWERED, {"at": at})).rowcount)
