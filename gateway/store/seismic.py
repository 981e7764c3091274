"""The statements of seismic events: solutions in all their versions, their links, the warnings made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on

from gateway.store.desk import hold_name
from gateway.store.seismic_tables import seismic_events, seismic_warnings, solution_links, solutions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_SHOWN = [column for column in solutions.c if column.name != "original"]

# Three ways to be near, each by its own index; then whatever shares an event with one of those.
_NEAR = text(
    f"""
    WITH close AS (
        SELECT s.source, s.name, s.status FROM solutions AS s
        JOIN unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) AS span (low, high)
            ON s.time BETWEEN span.low AND span.high
        WHERE s.current
        UNION
        SELECT source, name, status FROM solutions WHERE current AND named && CAST(:names AS text[])
    ), tied AS (
        SELECT source, name, status FROM close
        UNION
        SELECT other.source, other.name, other.status
        FROM close JOIN solution_links AS own USING (source, name, status)
        JOIN solution_links AS other ON other.event_id = own.event_id
        WHERE own.until IS NULL AND other.until IS NULL
    )
    SELECT {", ".join(f"s.{column.name}" for column in _SHOWN)}, l.event_id
    FROM tied JOIN solutions AS s USING (source, name, status)
    LEFT JOIN solution_links AS l
        ON (l.source, l.name, l.status) = (s.source, s.name, s.status) AND l.until IS NULL
    WHERE s.current ORDER BY s.id
    """  # noqa: S608 - put together from our own columns
)

_TOWNSHIPS = text(
    """
    SELECT code, name, lat, lon, CASE WHEN lat IS NULL OR lon IS NULL THEN geometry END AS geometry
    FROM regions WHERE level = 'township' ORDER BY code
    """
)

_WAITING = text(
    """
    SELECT w.id, w.event_id, w.alert, w.agreeing, w.findings, s.original
    FROM seismic_warnings AS w LEFT JOIN solutions AS s ON s.id = w.solution_id
    WHERE w.handed_at IS NULL ORDER BY w.id
    """
)


async def hold(connection: AsyncConnection) -> None:
    """Wait for and hold all seismic events until the transaction ends.

    One solution may join any two events, so two processes must not sort solutions at the same time.
    """
    await hold_name(connection, "seismic events")


async def current(connection: AsyncConnection, source: str, names: Collection[str]) -> list[Row[Any]]:
    """Return the newest versions of a source's solutions."""
    query = select(*_SHOWN).where(
        solutions.c.source == source, solutions.c.name.in_(names), solutions.c.current
    )
    return list(await connection.execute(query))


async def digests(
    connection: AsyncConnection, source: str, names: Collection[str]
) -> set[tuple[str, str, str]]:
    """Return (name, status, digest) of every version of a source's solutions."""
    query = select(solutions.c.name, solutions.c.status, solutions.c.digest).where(
        solutions.c.source == source, solutions.c.name.in_(names)
    )
    return {(row.name, row.status, row.digest) for row in await connection.execute(query)}


async def insert_solutions(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert versions and return their numbers, in the same order."""
    query = insert(solutions).returning(solutions.c.id, sort_by_parameter_order=True)
    return list((await connection.execute(query, rows)).scalars()) if rows else []


async def change_solution(connection: AsyncConnection, number: int, **values: Any) -> None:  # noqa: ANN401
    """Set columns of a version."""
    await connection.execute(update(solutions).where(solutions.c.id == number).values(**values))


async def near(
    connection: AsyncConnection, spans: Sequence[tuple[datetime, datetime]], names: Collection[str]
) -> list[Row[Any]]:
    """Return the newest versions of solutions within spans of time, with one of these ids, or in an event
    with one of those; each with its event, which is null where it has none.
    """  # noqa: D205 - one sentence
    values = {
        "starts": [low for low, _ in spans],
        "ends": [high for _, high in spans],
        "names": sorted(names),
    }
    return list(await connection.execute(_NEAR, values))


async def events(connection: AsyncConnection, numbers: Collection[int]) -> list[Row[Any]]:
    """Return (id, source, name, status) of events: the key is that of the preferred solution, or null."""
    query = (
        select(seismic_events.c.id, solutions.c.source, solutions.c.name, solutions.c.status)
        .outerjoin(solutions, solutions.c.id == seismic_events.c.preferred)
        .where(seismic_events.c.id.in_(numbers))
        .order_by(seismic_events.c.id)
    )
    return list(await connection.execute(query))


async def open_events(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> list[int]:
    """Insert events and return their numbers, in the same order."""
    query = insert(seismic_events).returning(seismic_events.c.id, sort_by_parameter_order=True)
    return list((await connection.execute(query, rows)).scalars()) if rows else []


async def change_event(
    connection: AsyncConnection, number: int, at: datetime, *, state: str, preferred: int | None
) -> None:
    """Set state and preferred solution of an event; nothing happens where they are so."""
    columns = seismic_events.c
    is_other = (columns.state != state) | columns.preferred.is_distinct_from(preferred)
    changes = {"state": state, "preferred": preferred, "changed_at": at}
    await connection.execute(update(seismic_events).where(columns.id == number, is_other).values(**changes))


async def link(
    connection: AsyncConnection, links: Sequence[tuple[str, str, str, int]], why: str, at: datetime
) -> None:
    """Put solutions, by source, name and status, into events."""
    rows = [
        {"source": source, "name": name, "status": status, "event_id": event, "since": at, "why": why}
        for source, name, status, event in links
    ]
    if rows:
        await connection.execute(insert(solution_links), rows)


async def unlink(connection: AsyncConnection, keys: Sequence[tuple[str, str, str]], at: datetime) -> None:
    """Take solutions out of their events."""
    columns = solution_links.c
    old = tuple_(columns.source, columns.name, columns.status).in_(keys) & columns.until.is_(None)
    await connection.execute(update(solution_links).where(old).values(until=at))


async def reports(connection: AsyncConnection, numbers: Collection[int]) -> list[Row[Any]]:
    """Return the warnings made of events, oldest first."""
    query = select(seismic_warnings).where(seismic_warnings.c.event_id.in_(numbers))
    return list(await connection.execute(query.order_by(seismic_warnings.c.id)))


async def insert_report(connection: AsyncConnection, **values: Any) -> None:  # noqa: ANN401 - columns
    """Insert a warning that is to be handed to the inbox."""
    await connection.execute(insert(seismic_warnings).values(**values))


async def waiting(connection: AsyncConnection) -> list[Row[Any]]:
    """Return (id, event_id, alert, agreeing, findings, original) of what the inbox does not have yet."""
    return list(await connection.execute(_WAITING))


async def handed(connection: AsyncConnection, number: int, at: datetime) -> None:
    """Note that the inbox has a warning."""
    row = update(seismic_warnings).where(seismic_warnings.c.id == number)
    await connection.execute(row.values(handed_at=func.coalesce(seismic_warnings.c.handed_at, at)))


async def townships(connection: AsyncConnection) -> list[Row[Any]]:
    """Return (code, name, lat, lon, geometry as WKB where there is no point) of every township."""
    return list(await connection.execute(_TOWNSHIPS))


async def standing(connection: AsyncConnection, source: str, since: datetime) -> list[str]:
    """Return the names of a source's events whose last warning, made since then, takes nothing back."""
    last = (
        select(seismic_warnings.c.event_id, seismic_warnings.c.alert["msg_type"].astext.label("msg_type"))
        .where(seismic_warnings.c.made_at >= since)
        .ext(distinct_on(seismic_warnings.c.event_id))
        .order_by(seismic_warnings.c.event_id, seismic_warnings.c.number.desc())
        .subquery()
    )
    key = (
        (solution_links.c.source == solutions.c.source)
        & (solution_links.c.name == solutions.c.name)
        & (solution_links.c.status == solutions.c.status)
    )
    query = (
        select(solutions.c.name)
        .join(solution_links, key & solution_links.c.until.is_(None))
        .join(last, last.c.event_id == solution_links.c.event_id)
        .where(solutions.c.source == source, solutions.c.current, ~solutions.c.withdrawn)
        .where(last.c.msg_type != "Cancel")
    )
    return list((await connection.execute(query.order_by(solutions.c.id))).scalars())
