"""What approvers were asked to sign, as it was each time: an edit overwrites the alert, and not this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from gateway.store.console_tables import submissions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.desk import AlertRow


class Submission(NamedTuple):
    """One version of an alert as it was frozen."""

    alert_id: int
    digest: str
    version: int
    level: str
    content: dict[str, Any]
    texts: dict[str, dict[str, dict[str, Any]]]
    plan: dict[str, Any]
    target_list_id: int
    author: str
    at: datetime


async def keep(connection: AsyncConnection, row: AlertRow, author: str, at: datetime) -> None:
    """Keep what is frozen in an alert that has its digest."""
    names = ("digest", "version", "level", "content", "texts", "plan", "target_list_id")
    values = {name: getattr(row, name) for name in names} | {"alert_id": row.id, "author": author, "at": at}
    await connection.execute(insert(submissions).values(**values).on_conflict_do_nothing())


async def before(connection: AsyncConnection, row: AlertRow) -> Submission | None:
    """Return the version that was frozen before the one that lies there at this moment."""
    query = (
        select(submissions)
        .where(submissions.c.alert_id == row.id, submissions.c.version < row.version)
        .order_by(submissions.c.version.desc(), submissions.c.at.desc())
        .limit(1)
    )
    if row.digest is not None:
        query = query.where(submissions.c.digest != row.digest)
    found = (await connection.execute(query)).first()
    return Submission(*found) if found else None
