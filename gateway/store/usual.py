"""How many people the desk's warnings go to as a rule, and whether a register holds more than a list.

Both are asked at each submission and while somebody drafts, so neither may grow with the age of the desk:
the first reads a hundred releases, the youngest first; the second stops one contact after those of the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select, text, true

from gateway.store.tables import alerts, releases, target_lists

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


class Kind(NamedTuple):
    """Which warnings are alike."""

    hazard: str
    levels: Collection[str]


class Earlier(NamedTuple):
    """What earlier warnings went to."""

    median: int
    """Recipients; of an even number of warnings the smaller one of the two in the middle."""
    of: int
    """How many warnings it was taken of."""
    widest: int
    """Recipients of the one that went to most."""


# CASE keeps the order: only where no other township has anybody are people counted, and no more of them
# than decide it.
_MORE = text(
    """
    SELECT CASE
        WHEN EXISTS (
            SELECT FROM regions AS r
            WHERE left(r.code, 9) || '000' <> ALL (CAST(:townships AS text[])) AND EXISTS (
                SELECT FROM contacts AS c
                WHERE c.region = r.code AND c.active
                AND EXISTS (SELECT FROM addresses AS a WHERE a.contact_id = c.id))
        ) THEN true
        ELSE (
            SELECT count(*) > CAST(:reached AS bigint) FROM (
                SELECT FROM contacts AS c
                WHERE c.active AND EXISTS (SELECT FROM addresses AS a WHERE a.contact_id = c.id)
                LIMIT CAST(:reached AS bigint) + 1
            ) AS reachable
        )
    END
    """
)


async def earlier(
    connection: AsyncConnection, since: datetime, most: int, kind: Kind | None = None
) -> Earlier | None:
    """Return what the youngest live warnings since a time went to; None without any.

    Of a warning that was updated the widest message counts, and its Cancel does not.

    Args:
        connection: The caller's transaction.
        since: Messages that were released before this time do not count.
        most: No more than so many count, the youngest.
        kind: Only these warnings; otherwise all of them.
    """
    alike = true() if kind is None else (alerts.c.hazard == kind.hazard) & alerts.c.level.in_(kind.levels)
    youngest = (
        select(func.max(target_lists.c.count).label("count"))
        .select_from(releases)
        .join(alerts, alerts.c.id == releases.c.alert_id)
        .join(target_lists, target_lists.c.id == releases.c.target_list_id)
        .where(releases.c.mode == "live", releases.c.released_at >= since, alerts.c.msg_type != "Cancel")
        .where(alike)
        .group_by(releases.c.warning_id)
        .order_by(func.max(releases.c.id).desc())
        .limit(most)
        .subquery()
    )
    median = func.percentile_disc(0.5).within_group(youngest.c.count)
    query = select(median, func.count(), func.max(youngest.c.count)).select_from(youngest)
    found = Earlier(*(await connection.execute(query)).one())
    return found if found.of else None


async def more_reachable(connection: AsyncConnection, townships: Collection[str], reached: int) -> bool:
    """Return whether the register holds more active contacts with an address than a list reaches.

    Args:
        connection: The caller's transaction.
        townships: Codes of all townships (of 12 digits, ``...000``) that the list reaches.
        reached: How many of its people have an address.
    """
    values = {"townships": list(townships), "reached": reached}
    more: bool = (await connection.execute(_MORE, values)).scalar_one()
    return more
