"""Alarms: what somebody must look at. One row while it lasts, however often it is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.incoming_tables import alarms

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class Alarm(NamedTuple):
    """One alarm, as in :data:`gateway.store.incoming_tables.alarms`."""

    id: int
    subject: str
    code: str
    sentence: str
    raised_at: datetime
    last_at: datetime
    times: int
    cleared_at: datetime | None


async def sound(connection: AsyncConnection, subject: str, code: str, sentence: str, at: datetime) -> bool:
    """Raise an alarm, or count it once more where it is open; return whether it was not open before."""
    row = insert(alarms).values(subject=subject, code=code, sentence=sentence, raised_at=at, last_at=at)
    again = {"last_at": at, "times": alarms.c.times + 1, "sentence": sentence}
    told = row.on_conflict_do_update(
        index_elements=["subject", "code"], index_where=alarms.c.cleared_at.is_(None), set_=again
    ).returning(text("xmax = 0"))
    return bool((await connection.execute(told)).scalar_one())


async def told(connection: AsyncConnection, subject: str, code: str) -> bool:
    """Return whether an alarm was ever raised, open or closed."""
    one = select(alarms.c.id).where(alarms.c.subject == subject, alarms.c.code == code).limit(1)
    return (await connection.execute(one)).first() is not None


async def clear(connection: AsyncConnection, subject: str, code: str, at: datetime) -> bool:
    """Close an alarm that is over; return whether it was open."""
    one = (alarms.c.subject == subject) & (alarms.c.code == code) & alarms.c.cleared_at.is_(None)
    done = await connection.execute(update(alarms).where(one).values(cleared_at=at))
    return bool(done.rowcount)


async def dismiss(
    connection: AsyncConnection, alarm_id: int, at: datetime, but: Collection[str] = ()
) -> bool:
    """Close the alarm that somebody has looked at; return whether it was open, and of none of these codes."""
    one = (alarms.c.id == alarm_id) & alarms.c.cleared_at.is_(None) & alarms.c.code.not_in(but)
    return bool((await connection.execute(update(alarms).where(one).values(cleared_at=at))).rowcount)


async def standing(connection: AsyncConnection, subject: str | None = None) -> list[Alarm]:
    """Return the open alarms, the oldest first."""
    asked = select(alarms).where(alarms.c.cleared_at.is_(None)).order_by(alarms.c.raised_at, alarms.c.id)
    if subject is not None:
        asked = asked.where(alarms.c.subject == subject)
    return [Alarm(*row) for row in await connection.execute(asked)]


async def counts(connection: AsyncConnection) -> dict[str, int]:
    """Return how many alarms are open, by code."""
    asked = select(alarms.c.code, func.count()).where(alarms.c.cleared_at.is_(None)).group_by(alarms.c.code)
    return {str(code): int(number) for code, number in await connection.execute(asked)}
