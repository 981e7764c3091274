"""Releases on one signature, and who signed them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.console_tables import emergencies

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class EmergencyRow(NamedTuple):
    """One release by the emergency path."""

    alert_id: int
    digest: str
    """What was sent; for nothing else it stands for signatures."""
    person: str
    reason: str
    at: datetime
    due_at: datetime
    """Until when another approver should have signed."""
    cosigned_by: str | None
    cosigned_at: datetime | None


async def begin(
    connection: AsyncConnection,
    alert_id: int,
    digest: str,
    person: str,
    reason: str,
    at: datetime,
    due_at: datetime,
) -> bool:
    """Note that somebody sends the alert alone; False where that was noted before."""
    values = {"alert_id": alert_id, "digest": digest, "person": person, "reason": reason}
    one = insert(emergencies).values(**values, at=at, due_at=due_at).on_conflict_do_nothing()
    return (await connection.execute(one.returning(emergencies.c.alert_id))).first() is not None


async def of_alert(connection: AsyncConnection, alert_id: int) -> EmergencyRow | None:
    """Return the emergency release of an alert."""
    found = await connection.execute(select(emergencies).where(emergencies.c.alert_id == alert_id))
    row = found.first()
    return EmergencyRow(*row) if row else None


async def cosign(connection: AsyncConnection, alert_id: int, login: str, at: datetime) -> bool:
    """Note who signed afterwards; False where somebody had done so."""
    open_one = (emergencies.c.alert_id == alert_id) & emergencies.c.cosigned_by.is_(None)
    done = await connection.execute(
        update(emergencies).where(open_one).values(cosigned_by=login, cosigned_at=at)
    )
    return bool(done.rowcount)


async def unsigned(connection: AsyncConnection, due_by: datetime | None = None) -> list[EmergencyRow]:
    """Return those that nobody has signed afterwards, the oldest first; only overdue ones, where asked."""
    query = select(emergencies).where(emergencies.c.cosigned_by.is_(None)).order_by(emergencies.c.at)
    if due_by is not None:
        query = query.where(emergencies.c.due_at <= due_by)
    return [EmergencyRow(*row) for row in await connection.execute(query)]
