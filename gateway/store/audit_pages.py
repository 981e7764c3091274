"""The audit log as people read it: chosen by actor, action, subject and day, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from gateway.store.tables import audit

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

_PAGE = 2_000


class Wanted(NamedTuple):
    """Which records; what is empty does not choose."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    """As it stands in the log, e.g. ``alert 12``."""
    since: datetime | None = None
    until: datetime | None = None


def _chosen(wanted: Wanted) -> list[ColumnElement[bool]]:
    c = audit.c
    chosen = [
        c[name] == getattr(wanted, name) for name in ("actor", "action", "subject") if getattr(wanted, name)
    ]
    if wanted.since is not None:
        chosen.append(c.at >= wanted.since)
    if wanted.until is not None:
        chosen.append(c.at < wanted.until)
    return chosen


async def page(connection: AsyncConnection, wanted: Wanted, before: int | None, limit: int) -> list[Row[Any]]:
    """Return the latest records whose number is less than ``before``, newest first."""
    query = select(audit).where(*_chosen(wanted)).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.seq < before)
    return list(await connection.execute(query))


async def every(connection: AsyncConnection, wanted: Wanted) -> AsyncGenerator[list[Row[Any]], None]:
    """Yield the chosen records, oldest first, in pages, up to where the log ends at the beginning."""
    last = (await connection.execute(select(func.max(audit.c.seq)))).scalar_one() or 0
    reached = 0
    while reached < last:
        query = select(audit).where(audit.c.seq > reached, audit.c.seq <= last, *_chosen(wanted))
        rows = list(await connection.execute(query.order_by(audit.c.seq).limit(_PAGE)))
        if not rows:
            return
        yield rows
        reached = rows[-1].seq
