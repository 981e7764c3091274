"""Sessions on the server: opened at sign-in, looked up with each request, ended by hand or by time."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.store import accounts as store

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.accounts import SessionRow
    from gateway.store.database import Database

IDLE = timedelta(hours=2)
"""A session that nobody used for so long is over."""
LONGEST = timedelta(hours=13)
"""A duty shift of 12 hours with its handover; a session ends then whatever happens."""
SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a session was used last."""


class Origin(NamedTuple):
    """Where a request came from."""

    address: str
    agent: str


def hashed(token: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_session(connection: AsyncConnection, login: str, now: datetime, origin: Origin) -> str:
    """Open a session and return its token, which is nowhere else; the caller has checked who asks."""
    token = secrets.token_urlsafe(32)
    await store.insert_session(
        connection,
        token_sha256=hashed(token),
        login=login,
        created_at=now,
        seen_at=now,
        proved_at=now,
        ends_at=now + LONGEST,
        address=origin.address[:64],
        agent=origin.agent[:200],
    )
    return token


async def find(database: Database, token: str, now: datetime) -> SessionRow | None:
    """Return the session of a token with its person as of this moment; None where it is over or unknown."""
    async with database.begin() as connection:
        row = await store.session(connection, hashed(token), now, now - IDLE)
        if row is not None and now - row.seen_at >= SEEN_EVERY:
            await store.touch(connection, row.id, now)
    return row
