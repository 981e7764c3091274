"""Accounts, invitations and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import insert, select, update

from gateway.store.console_tables import sessions
from gateway.store.desk import Person
from gateway.store.tables import people

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class SessionRow(NamedTuple):
    """A session that is open, and whose it is."""

    id: int
    person: Person
    created_at: datetime
    seen_at: datetime
    proved_at: datetime
    ends_at: datetime


async def insert_session(connection: AsyncConnection, **values: Any) -> None:  # noqa: ANN401 - columns
    """Open a session."""
    await connection.execute(insert(sessions).values(**values))


async def session(
    connection: AsyncConnection, token_sha256: str, now: datetime, used_since: datetime
) -> SessionRow | None:
    """Return an open session of a person who is active, used at or after ``used_since``."""
    query = (
        select(sessions, people.c.name, people.c.roles, people.c.region, people.c.unit)
        .join(people, people.c.login == sessions.c.login)
        .where(
            sessions.c.token_sha256 == token_sha256,
            sessions.c.ended_at.is_(None),
            sessions.c.ends_at > now,
            sessions.c.seen_at >= used_since,
            people.c.active,
        )
    )
    row = (await connection.execute(query)).first()
    if row is None:
        return None
    person = Person(row.login, row.name, tuple(row.roles), True, row.region, row.unit)
    return SessionRow(row.id, person, row.created_at, row.seen_at, row.proved_at, row.ends_at)


async def touch(connection: AsyncConnection, session_id: int, now: datetime) -> None:
    """Note that a session was used."""
    await connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))
