"""Publications and the deliveries of webhooks: what is due, who holds it, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.store.desk import hold_name
from gateway.store.publish_tables import publications, webhook_attempts, webhook_deliveries, webhook_targets

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

HOLDS = 3
"""A delivery that failed so often no longer holds up those behind it for the same target."""


class Due(NamedTuple):
    """A released alert that is not published yet."""

    alert_id: int
    warning_id: int
    identifier: str
    level: str
    xml: bytes
    released_at: datetime


class Served(NamedTuple):
    """A publication as it is served."""

    xml: bytes
    sha256: str
    published_at: datetime


class Listed(NamedTuple):
    """A publication as the index tells of it."""

    identifier: str
    published_at: datetime
    summary: dict[str, Any]


class Claim(NamedTuple):
    """A delivery that the caller holds for a while."""

    id: int
    message_id: str
    tries: int
    """This one included."""
    note: str
    published_at: datetime
    level: str
    identifier: str
    sha256: str
    xml: bytes
    summary: dict[str, Any]


class Result(NamedTuple):
    """What a try came to."""

    state: str
    """``waiting`` for another try, ``delivered``, ``given_up`` or ``stopped``."""
    next_at: datetime
    status: int | None
    sentence: str


class Attempt(NamedTuple):
    """One line of a target's log."""

    at: datetime
    identifier: str
    number: int
    status: int | None
    sentence: str
    state: str
    note: str


# Only what is public and in earnest; the CHECK of the table says it once more.
_DUE = text(
    """
    SELECT a.id AS alert_id, a.warning_id, a.identifier, a.level, a.xml, r.released_at
    FROM releases AS r JOIN alerts AS a ON a.id = r.alert_id
    LEFT JOIN publications AS p ON p.alert_id = a.id
    WHERE p.id IS NULL AND r.mode = 'live' AND a.mode = 'live' AND a.status = 'Actual'
      AND a.scope = 'Public' AND a.xml IS NOT NULL AND (a.expires > :now OR r.released_at > :since)
      AND NOT a.id = ANY(CAST(:without AS bigint[]))
    ORDER BY r.released_at, r.id LIMIT :most
    """
)

# The columns that the CHECK looks at are the alert's own, not the caller's.
_PUBLISH = text(
    """
    INSERT INTO publications (alert_id, warning_id, identifier, status, scope, mode, level, expires,
                              released_at, xml, sha256, summary, published_at)
    SELECT a.id, a.warning_id, a.identifier, a.status, a.scope, a.mode, a.level, a.expires,
           r.released_at, :xml, :sha256, CAST(:summary AS jsonb), :now
    FROM alerts AS a JOIN releases AS r ON r.alert_id = a.id
    WHERE a.id = :alert
    ON CONFLICT (alert_id) DO NOTHING
    RETURNING id
    """
)

# A message that was released later takes the place of the earlier ones of its warning, whichever was
# published first: one that failed is published late.
_REPLACED = """
    EXISTS (
        SELECT FROM publications AS q JOIN releases AS later ON later.alert_id = q.alert_id
        JOIN releases AS own ON own.alert_id = p.alert_id
        WHERE q.warning_id = p.warning_id AND later.id > own.id
    )
"""
_INDEX = text(
    f"""
    SELECT identifier, published_at, summary FROM publications AS p
    WHERE expires > :now AND NOT {_REPLACED}
    ORDER BY id DESC LIMIT :most
    """  # noqa: S608 - nothing from outside
)
_IS_REPLACED = text(f"SELECT {_REPLACED} FROM publications AS p WHERE p.id = :id")  # noqa: S608 - likewise

_CHANGED = text(
    """
    SELECT greatest((SELECT max(published_at) FROM publications),
                    (SELECT max(expires) FROM publications WHERE expires <= :now))
    """
)

_CLAIM = text(
    """
    UPDATE webhook_deliveries AS d
    SET tries = d.tries + 1, lease_until = now() + :lease * interval '1 second', changed_at = :now
    FROM publications AS p
    WHERE p.id = d.publication_id AND d.state = 'waiting' AND d.id = (
        SELECT w.id FROM webhook_deliveries AS w
        WHERE w.target = :target AND w.state = 'waiting' AND w.next_at <= :now
          AND NOT EXISTS (
              SELECT FROM webhook_deliveries AS earlier
              WHERE earlier.target = w.target AND earlier.state = 'waiting' AND earlier.id < w.id
                AND earlier.tries < :holds
          )
          AND NOT EXISTS (
              SELECT FROM webhook_deliveries AS held
              WHERE held.target = w.target AND held.lease_until >= now()
          )
          AND NOT EXISTS (SELECT FROM webhook_targets AS t WHERE t.name = w.target)
        ORDER BY w.id LIMIT 1
    )
    RETURNING d.id, d.message_id, d.tries, d.note, p.published_at, p.level, p.identifier, p.sha256, p.xml,
              p.summary
    """
)

# Whoever has the later message must not hear the earlier one after it.
_OVERTAKEN = text(
    """
    UPDATE webhook_deliveries AS d
    SET state = 'given_up', sentence = 'a later message of the warning was taken', changed_at = :now
    FROM publications AS p, webhook_deliveries AS later JOIN publications AS q ON q.id = later.publication_id
    WHERE p.id = d.publication_id AND later.id = :id AND q.warning_id = p.warning_id
      AND d.target = later.target AND d.id < later.id AND d.state = 'waiting'
    """
)

_LOG = text(
    """
    SELECT a.at, p.identifier, a.try AS number, a.status, a.sentence, d.state, d.note
    FROM webhook_attempts AS a JOIN webhook_deliveries AS d ON d.id = a.delivery_id
    JOIN publications AS p ON p.id = d.publication_id
    WHERE d.target = :target ORDER BY a.at DESC, a.delivery_id DESC, a.try DESC LIMIT :most
    """
)


async def due(
    connection: AsyncConnection, now: datetime, since: datetime, without: Collection[int], most: int
) -> list[Due]:
    """Return public alerts in earnest that were released and are not published, the first released first.

    Args:
        connection: any.
        now: those that are still valid count.
        since: and those released after this.
        without: alerts to leave out.
        most: how many.
    """
    asked = {"now": now, "since": since, "without": list(without), "most": most}
    return [Due(*row) for row in await connection.execute(_DUE, asked)]


async def publish(
    connection: AsyncConnection, alert_id: int, xml: bytes, sha256: str, summary: str, now: datetime
) -> int | None:
    """Keep the bytes of a publication and return its number; None where it is there already.

    Raises:
        sqlalchemy.exc.IntegrityError: the alert may not be public, or its identifier is taken.
    """
    values = {"alert": alert_id, "xml": xml, "sha256": sha256, "summary": summary, "now": now}
    number: int | None = (await connection.execute(_PUBLISH, values)).scalar_one_or_none()
    return number


async def is_replaced(connection: AsyncConnection, publication: int) -> bool:
    """Return whether a message that was released later is published already."""
    return bool((await connection.execute(_IS_REPLACED, {"id": publication})).scalar_one())


async def told_before(connection: AsyncConnection, warning_id: int) -> set[str]:
    """Return the targets that were sent an earlier message of a warning."""
    asked = select(webhook_deliveries.c.target).join(publications)
    rows = await connection.execute(asked.where(publications.c.warning_id == warning_id).distinct())
    return set(rows.scalars())


async def enqueue(
    connection: AsyncConnection, publication: int, notes: dict[str, str], ids: Sequence[str], now: datetime
) -> None:
    """Write a delivery for each target, with its note and its message id; a stopped target's is stopped."""
    gone = await stopped(connection)
    rows = [
        {"target": target, "note": note, "message_id": message_id, "publication_id": publication}
        | {"state": "stopped" if target in gone else "waiting", "sentence": gone.get(target, "")}
        | {"next_at": now, "changed_at": now}
        for (target, note), message_id in zip(notes.items(), ids, strict=True)
    ]
    if rows:
        await connection.execute(insert(webhook_deliveries), rows)


async def served(connection: AsyncConnection, identifier: str) -> Served | None:
    """Return a publication by the identifier of its alert."""
    asked = select(publications.c.xml, publications.c.sha256, publications.c.published_at)
    row = (await connection.execute(asked.where(publications.c.identifier == identifier))).first()
    return Served(*row) if row else None


async def index(connection: AsyncConnection, now: datetime, most: int) -> list[Listed]:
    """Return what is in force, the newest first: the last message of each warning that has not expired."""
    return [Listed(*row) for row in await connection.execute(_INDEX, {"now": now, "most": most})]


async def index_changed(connection: AsyncConnection, now: datetime) -> datetime | None:
    """Return when the index last changed, by a publication or by an expiry; None where there was none."""
    found: datetime | None = (await connection.execute(_CHANGED, {"now": now})).scalar_one()
    return found


async def claim(connection: AsyncConnection, target: str, now: datetime, lease: float) -> Claim | None:
    """Take the next delivery of a target for ``lease`` seconds; None where there is none to be tried.

    Deliveries of a target come in order, one at a time, until one has failed :data:`HOLDS` times.
    """
    await hold_name(connection, f"webhook {target}")
    asked = {"target": target, "now": now, "lease": lease, "holds": HOLDS}
    row = (await connection.execute(_CLAIM, asked)).first()
    return Claim(*row) if row else None


async def record(connection: AsyncConnection, held: Claim, result: Result, now: datetime) -> None:
    """Keep what a try came to, unless somebody else has tried it since; the log gets it in any case."""
    line = {"delivery_id": held.id, "try_": held.tries, "at": now}
    await connection.execute(
        upsert(webhook_attempts)
        .values(**line, status=result.status, sentence=result.sentence)
        .on_conflict_do_nothing()
    )
    if result.state == "delivered":
        await connection.execute(_OVERTAKEN, {"id": held.id, "now": now})
    mine = (webhook_deliveries.c.id == held.id) & (webhook_deliveries.c.state == "waiting")
    if result.state != "delivered":
        mine &= webhook_deliveries.c.tries == held.tries
    await connection.execute(
        update(webhook_deliveries)
        .where(mine)
        .values(
            state=result.state,
            next_at=result.next_at,
            lease_until=None,
            last_status=result.status,
            sentence=result.sentence,
            changed_at=now,
        )
    )


async def stop(connection: AsyncConnection, target: str, sentence: str, now: datetime) -> None:
    """Send nothing more to a target; what waits for it is stopped."""
    row = upsert(webhook_targets).values(name=target, stopped_at=now, sentence=sentence)
    await connection.execute(row.on_conflict_do_nothing())
    waiting = (webhook_deliveries.c.target == target) & (webhook_deliveries.c.state == "waiting")
    await connection.execute(
        update(webhook_deliveries)
        .where(waiting)
        .values(state="stopped", sentence=sentence, lease_until=None, changed_at=now)
    )


async def resume(connection: AsyncConnection, target: str, since: datetime, now: datetime) -> int | None:
    """Serve a stopped target again and return how many stopped deliveries wait once more.

    Args:
        connection: any.
        target: its name.
        since: what was published before stays stopped.
        now: the moment of the next try.

    Returns:
        None where the target was not stopped.
    """
    gone = await connection.execute(delete(webhook_targets).where(webhook_targets.c.name == target))
    if not gone.rowcount:
        return None
    young = select(publications.c.id).where(publications.c.published_at > since)
    again = (
        update(webhook_deliveries)
        .where(webhook_deliveries.c.target == target, webhook_deliveries.c.state == "stopped")
        .where(webhook_deliveries.c.publication_id.in_(young))
        .values(state="waiting", tries=0, next_at=now, changed_at=now)
    )
    return (await connection.execute(again)).rowcount


async def stopped(connection: AsyncConnection) -> dict[str, str]:
    """Return the stopped targets and why."""
    rows = await connection.execute(select(webhook_targets.c.name, webhook_targets.c.sentence))
    return {row.name: row.sentence for row in rows}


async def log_of(connection: AsyncConnection, target: str, most: int = 100) -> list[Attempt]:
    """Return the last tries of a target, the newest first."""
    return [Attempt(*row) for row in await connection.execute(_LOG, {"target": target, "most": most})]


async def backlog(connection: AsyncConnection) -> dict[str, int]:
    """Return how many deliveries wait, by target."""
    asked = select(webhook_deliveries.c.target, func.count()).where(webhook_deliveries.c.state == "waiting")
    rows = await connection.execute(asked.group_by(webhook_deliveries.c.target))
    return {str(target): int(count) for target, count in rows}
