"""Forms that were sent: a second click is led where the first one led."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.console_tables import posts_done

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

_KEPT = timedelta(days=1)


async def begin(connection: AsyncConnection, once: str, login: str, at: datetime) -> bool:
    """Note that a form is being worked on; False where it was sent before."""
    await connection.execute(delete(posts_done).where(posts_done.c.at < at - _KEPT))
    row = insert(posts_done).values(once=once, login=login, at=at).on_conflict_do_nothing()
    return (await connection.execute(row.returning(posts_done.c.once))).first() is not None


async def finish(connection: AsyncConnection, once: str, login: str, location: str | None) -> None:
    """Note where a person's form led; None lets it be sent again."""
    one = (posts_done.c.once == once) & (posts_done.c.login == login)
    if location is None:
        await connection.execute(delete(posts_done).where(one))
    else:
        await connection.execute(update(posts_done).where(one).values(location=location))


async def led_to(connection: AsyncConnection, once: str, login: str) -> str | None:
    """Return where a person's form led, empty while it is under way; None where it led nowhere."""
    query = select(posts_done.c.location).where(posts_done.c.once == once, posts_done.c.login == login)
    row = (await connection.execute(query)).first()
    return (row.location or "") if row else None
