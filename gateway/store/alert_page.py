"""What the page of one alert reads besides the alert: its frozen list in figures, and names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select, text

from gateway.store.tables import alerts, regions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection


class Part(NamedTuple):
    """Recipients of one township and role who have the same channels."""

    township: str
    """Code; of the county itself where somebody belongs to no township."""
    role: str
    channels: tuple[str, ...]
    people: int


class Turnover(NamedTuple):
    """How one frozen list differs from another one."""

    gained: int
    lost: int


_PARTS = text(
    """
    SELECT left(region, 9) || '000' AS township, role,
        ARRAY(SELECT jsonb_object_keys(addresses) ORDER BY 1) AS channels, count(*) AS people
    FROM targets WHERE list_id = :list GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
)

_TURNOVER = text(
    """
    SELECT count(*) FILTER (WHERE old.contact_id IS NULL) AS gained,
        count(*) FILTER (WHERE new.contact_id IS NULL) AS lost
    FROM (SELECT contact_id FROM targets WHERE list_id = :new) AS new
    FULL JOIN (SELECT contact_id FROM targets WHERE list_id = :old) AS old USING (contact_id)
    """
)


async def parts(connection: AsyncConnection, list_id: int) -> list[Part]:
    """Return a frozen list in figures; it reads every target, and a sealed list never changes."""
    rows = await connection.execute(_PARTS, {"list": list_id})
    return [Part(row.township, row.role, tuple(row.channels), row.people) for row in rows]


async def turnover(connection: AsyncConnection, old: int, new: int) -> Turnover:
    """Return how many recipients of the new list the old one has not, and the other way round."""
    return Turnover(*(await connection.execute(_TURNOVER, {"old": old, "new": new})).one())


async def region_names(connection: AsyncConnection, codes: Collection[str]) -> dict[str, str]:
    """Return code -> name of these regions, as far as they are known."""
    query = select(regions.c.code, regions.c.name).where(regions.c.code.in_(codes))
    return {row.code: row.name for row in await connection.execute(query)}


async def others(connection: AsyncConnection, warning_id: int) -> Sequence[tuple[int, str, str]]:
    """Return (number, kind of message, state) of every alert of a warning, oldest first."""
    query = select(alerts.c.id, alerts.c.msg_type, alerts.c.state).where(alerts.c.warning_id == warning_id)
    return [
        (row.id, row.msg_type, row.state) for row in await connection.execute(query.order_by(alerts.c.id))
    ]
