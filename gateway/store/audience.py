"""The statements of the audience: regions, the choice of contacts, frozen lists.

They run on asyncpg, because whole sets travel: arrays as parameters, COPY for points.
The choice of contacts is written once, for counting and for freezing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
from sqlalchemy import insert, text

from gateway.store.tables import target_lists

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg
    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

POSTS = ("responsible", "informant", "liaison", "group")
"""Roles that stand for their region, wherever the person may live; others go by their own coordinates."""


class Choice(NamedTuple):
    """Who is meant, as the parameters of :data:`_CHOSEN`, in order."""

    everyone_in: Sequence[str]
    """Region codes; all contacts."""
    placed_in: Sequence[str]
    """Region codes; posts, and contacts without coordinates."""
    points: Sequence[int]
    """Contacts whose own coordinates lie inside."""
    group: str | None = None
    """Name of the group that alone is meant; None: everybody."""


_RULES = f"""(
    c.region = ANY($1::text[])
    OR (c.region = ANY($2::text[]) AND (c.lon IS NULL OR c.role IN {POSTS}))
)"""

# Two halves that exclude each other: a hash of a million points inside an OR would not fit.
_MEANT = """(c.active AND ($4::text IS NULL OR c.id IN (
    SELECT m.contact_id FROM group_members AS m JOIN contact_groups AS g ON g.id = m.group_id
    WHERE g.name = $4)))
"""

_CHOSEN = f"""
    SELECT c.id, c.region, c.role, c.language FROM contacts AS c WHERE {_MEANT} AND {_RULES}
    UNION ALL
    SELECT c.id, c.region, c.role, c.language
    FROM unnest($3::bigint[]) AS point (id) JOIN contacts AS c ON c.id = point.id
    WHERE {_MEANT} AND c.lon IS NOT NULL AND NOT {_RULES}
"""  # noqa: S608 - put together from constants

_COUNTS = f"""
    SELECT left(chosen.region, 9) || '000' AS township, chosen.role, own.channels, count(*) AS people
    FROM ({_CHOSEN}) AS chosen LEFT JOIN (
        SELECT contact_id, array_agg(DISTINCT channel) AS channels FROM addresses GROUP BY contact_id
    ) AS own ON own.contact_id = chosen.id
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""  # noqa: S608 - put together from constants

# Equal keys: the last one stays, which is the lowest id, the address to use first.
_FREEZE = f"""
    INSERT INTO targets (list_id, contact_id, region, role, language, addresses)
    SELECT $5, chosen.id, chosen.region, chosen.role, chosen.language, coalesce(own.addresses, '{{}}')
    FROM ({_CHOSEN}) AS chosen LEFT JOIN (
        SELECT contact_id, jsonb_object_agg(channel, address ORDER BY id DESC) AS addresses
        FROM addresses GROUP BY contact_id
    ) AS own ON own.contact_id = chosen.id
    ORDER BY chosen.id
"""  # noqa: S608 - put together from constants

_DIGEST = text(
    """
    SELECT count(*) AS people, encode(sha256(string_agg(sha256(convert_to(concat_ws(
        E'\\t', contact_id, region, role, language, addresses::text), 'UTF8')), ''::bytea
        ORDER BY contact_id)), 'hex') AS digest
    FROM targets WHERE list_id = :list
    """
)

# Equal keys of an object: the last one stays, so the youngest list's address does.
_MERGE = text(
    """
    WITH source AS (
        SELECT s.place, t.contact_id, t.region, t.role, t.language, t.addresses, s.channels
        FROM jsonb_to_recordset(CAST(:sources AS jsonb)) AS s (place int, list bigint, channels text[])
        JOIN targets AS t ON t.list_id = s.list
    ), youngest AS (
        SELECT DISTINCT ON (contact_id) contact_id, region, role, language
        FROM source ORDER BY contact_id, place DESC
    ), used AS (
        SELECT contact_id, jsonb_object_agg(own.key, own.value ORDER BY place) AS addresses
        FROM source CROSS JOIN LATERAL jsonb_each(addresses) AS own
        WHERE own.key = ANY(channels) GROUP BY contact_id
    )
    INSERT INTO targets (list_id, contact_id, region, role, language, addresses)
    SELECT :list, contact_id, region, role, language, coalesce(used.addresses, '{}')
    FROM youngest LEFT JOIN used USING (contact_id) ORDER BY contact_id
    """
)

_MISSED = text(
    """
    SELECT count(*) FROM targets AS old
    WHERE old.list_id = :old AND old.addresses ?| CAST(:old_channels AS text[]) AND NOT EXISTS (
        SELECT FROM targets AS new WHERE new.list_id = :new AND new.contact_id = old.contact_id
        AND new.addresses ?| CAST(:new_channels AS text[]))
    """
)

_PER_CHANNEL = text(
    """
    SELECT channel, count(*) AS people FROM targets, jsonb_object_keys(addresses) AS channel
    WHERE list_id = :list GROUP BY channel ORDER BY channel
    """
)

_PER_REGION = text(
    """
    SELECT region, count(*) AS people, count(*) FILTER (WHERE addresses = '{}') AS unreachable
    FROM targets WHERE list_id = :list GROUP BY region ORDER BY region
    """
)

_DOUBLED = text(
    """
    SELECT channel, count(*) AS addresses FROM (
        SELECT own.key AS channel FROM targets, jsonb_each_text(addresses) AS own
        WHERE list_id = :list GROUP BY own.key, own.value HAVING count(*) > 1
    ) AS shared
    GROUP BY channel ORDER BY channel
    """
)

_SEAL = text("UPDATE target_lists SET digest = :digest, count = :count WHERE id = :list")

_SEALED = text("SELECT digest, count AS people FROM target_lists WHERE id = :list")

_POINTS = """
    SELECT id, lon, lat FROM contacts
    WHERE active AND lon BETWEEN $1 AND $3 AND lat BETWEEN $2 AND $4
"""

_REGIONS = "SELECT code, name, level, lon, lat, geometry FROM regions ORDER BY code"

# COPY's binary form: a count of fields, then each value with its length before it.
_POINT = np.dtype(
    [("n", ">i2"), ("a", ">i4"), ("id", ">i8"), ("b", ">i4"), ("lon", ">f8"), ("c", ">i4"), ("lat", ">f8")]
)
_COPY_HEADER = 19
_COPY_END = 2


async def all_regions(connection: asyncpg.Connection) -> list[Any]:
    """Return (code, name, level, lon, lat, geometry as WKB) of every region, by code."""
    return list(await connection.fetch(_REGIONS))


async def points_within(
    connection: asyncpg.Connection, bounds: tuple[float, float, float, float]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return ids, longitudes and latitudes of the active contacts within (west, south, east, north)."""
    chunks: list[bytes] = []

    async def keep(chunk: bytes) -> None:
        chunks.append(bytes(chunk))

    await connection.copy_from_query(_POINTS, *bounds, output=keep, format="binary")
    raw = b"".join(chunks)
    rows = np.frombuffer(
        raw, _POINT, offset=_COPY_HEADER, count=(len(raw) - _COPY_HEADER - _COPY_END) // _POINT.itemsize
    )
    return rows["id"].astype("i8"), rows["lon"].astype("f8"), rows["lat"].astype("f8")


async def count(connection: asyncpg.Connection, choice: Choice) -> list[Any]:
    """Return (township, role, channels, people); channels is None for those without any address."""
    async with connection.transaction():
        return await _run(connection, _COUNTS, *choice)


async def _run(connection: asyncpg.Connection, statement: str, *arguments: object) -> list[Any]:
    # Prepared afresh, so that it is planned for these arguments: a cached plan would guess ten regions
    # and a hundred points where there may be a million. (plan_cache_mode would slow every trigger.)
    await connection.execute("SET LOCAL work_mem = '64MB'")
    return list(await (await connection.prepare(statement)).fetch(*arguments))


async def freeze(connection: AsyncConnection, choice: Choice, area: dict[str, Any]) -> int:
    """Insert the list and its targets in the caller's transaction; return the list's number, unsealed."""
    values = {"digest": "", "count": 1, "area": area}
    # This first statement goes through SQLAlchemy, which thereby begins the transaction for the driver.
    list_id: int = (
        await connection.execute(insert(target_lists).values(values).returning(target_lists.c.id))
    ).scalar_one()
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await _run(driver, _FREEZE, *choice, list_id)
    return list_id


async def merge(connection: AsyncConnection, sources: Sequence[tuple[int, Sequence[str]]]) -> int:
    """Insert the union of frozen lists, each with the channels it was sent on; return its number, unsealed.

    One row a contact: of each channel that a list was sent on, the address that the youngest of
    them froze; region, role and language as in the youngest list. ``sources`` are oldest first.
    """
    rows = [
        {"place": place, "list": number, "channels": list(channels)}
        for place, (number, channels) in enumerate(sources)
    ]
    values = {"digest": "", "count": 1, "area": {"union_of": [number for number, _ in sources]}}
    list_id: int = (
        await connection.execute(insert(target_lists).values(values).returning(target_lists.c.id))
    ).scalar_one()
    await connection.execute(_MERGE, {"sources": orjson.dumps(rows).decode(), "list": list_id})
    return list_id


async def missed(
    connection: AsyncConnection, old: tuple[int, Sequence[str]], new: tuple[int, Sequence[str]]
) -> int:
    """Return how many that one list reaches on its channels the other one does not reach on its own."""
    values = {"old": old[0], "old_channels": list(old[1]), "new": new[0], "new_channels": list(new[1])}
    count: int = (await connection.execute(_MISSED, values)).scalar_one()
    return count


async def digest(connection: AsyncConnection, list_id: int) -> tuple[int, str]:
    """Return how many targets a list has, and the digest over them as they stand.

    SHA-256 over the SHA-256 of each target's line, in the order of contact_id; the line is
    contact_id, region, role, language and addresses (PostgreSQL's text of the jsonb), with tabs
    between. Two steps, so that no million rows become one string.
    """
    row = (await connection.execute(_DIGEST, {"list": list_id})).one()
    return row.people, row.digest or ""


async def seal(connection: AsyncConnection, list_id: int, people: int, value: str) -> None:
    """Write the count and the digest of a list."""
    await connection.execute(_SEAL, {"list": list_id, "digest": value, "count": people})


async def sealed(connection: AsyncConnection, list_id: int) -> tuple[int, str] | None:
    """Return count and digest as they were sealed; None where there is no such list."""
    row = (await connection.execute(_SEALED, {"list": list_id})).one_or_none()
    return (row.people, row.digest) if row else None


async def per_channel(connection: AsyncConnection, list_id: int) -> dict[str, int]:
    """Return how many targets of a list have an address on each channel."""
    return {row.channel: row.people for row in await connection.execute(_PER_CHANNEL, {"list": list_id})}


async def per_region(connection: AsyncConnection, list_id: int) -> dict[str, tuple[int, int]]:
    """Return region -> (targets, those of them without any address)."""
    rows = await connection.execute(_PER_REGION, {"list": list_id})
    return {row.region: (row.people, row.unreachable) for row in rows}


async def doubled(connection: AsyncConnection, list_id: int) -> dict[str, int]:
    """Return channel -> how many of its addresses stand at more than one target of a list."""
    return {row.channel: row.addresses for row in await connection.execute(_DOUBLED, {"list": list_id})}
