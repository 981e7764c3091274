"""The release transaction's bulk part: deliveries, batches, counters and doorbells in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, text

from gateway.store.tables import releases, targets

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_COUNT = text(
    """
    SELECT address.key AS channel, count(*) AS deliveries
    FROM targets CROSS JOIN LATERAL jsonb_each_text(addresses) AS address
    WHERE list_id = :list AND address.key = ANY(:channels)
    GROUP BY address.key ORDER BY address.key
    """
)

_BATCHES = text(
    """
    INSERT INTO batches (release_id, channel, ordinal)
    SELECT :release, :channel, ordinal FROM generate_series(0, :last) AS ordinal
    """
)

# Responsible persons come first: they must be woken, and they wake the others.
_DELIVERIES = text(
    """
    INSERT INTO deliveries (release_id, target_id, batch_id, channel, region, address, text_key, parts)
    SELECT :release, planned.target_id, batches.id, planned.channel, planned.region, planned.address,
           keys.text_key, 1
    FROM (
        SELECT id AS target_id, region, language, role = 'responsible' AS personal,
               addresses ->> :channel AS address, CAST(:channel AS text) AS channel,
               row_number() OVER (ORDER BY role <> 'responsible', id) - 1 AS place
        FROM targets WHERE list_id = :list AND addresses ? :channel
    ) AS planned
    JOIN batches ON batches.release_id = :release AND batches.channel = :channel
                AND batches.ordinal = planned.place / :size
    JOIN unnest(CAST(:languages AS text[]), CAST(:personal AS boolean[]), CAST(:keys AS text[]))
         AS keys (language, personal, text_key)
      ON keys.language = planned.language AND keys.personal = planned.personal
    ORDER BY planned.place
    """
)

_COUNTERS = text(
    """
    INSERT INTO counters (release_id, channel, region, state, count)
    SELECT release_id, channel, region, 0, count(*) FROM deliveries WHERE release_id = :release
    GROUP BY release_id, channel, region
    """
)

_OUTBOX = text(
    """
    INSERT INTO outbox (batch_id, queue)
    SELECT id, channel || '.' || :lane
    FROM batches WHERE release_id = :release ORDER BY ordinal, channel
    """
)


async def insert_release(connection: AsyncConnection, values: dict[str, Any]) -> int:
    """Insert the release row and return its id."""
    result = await connection.execute(insert(releases).values(values).returning(releases.c.id))
    return int(result.scalar_one())


async def target_languages(connection: AsyncConnection, list_id: int) -> list[str]:
    """Return the languages that the recipients of a target list want."""
    query = select(targets.c.language).where(targets.c.list_id == list_id).distinct()
    return list((await connection.execute(query)).scalars())


async def count_deliveries(connection: AsyncConnection, list_id: int, channels: list[str]) -> dict[str, int]:
    """Return how many targets of the list have an address on each of the channels."""
    rows = await connection.execute(_COUNT, {"list": list_id, "channels": channels})
    return {row.channel: row.deliveries for row in rows}


async def insert_deliveries(
    connection: AsyncConnection,
    *,
    release: int,
    list_id: int,
    channel: str,
    count: int,
    size: int,
    keys: list[tuple[str, bool, str]],
) -> int:
    """Insert one channel's batches of ``size`` and its deliveries; return how many deliveries."""
    batches = {"release": release, "channel": channel, "last": (count - 1) // size}
    await connection.execute(_BATCHES, batches)
    result = await connection.execute(
        _DELIVERIES,
        {
            "release": release,
            "list": list_id,
            "channel": channel,
            "size": size,
            "languages": [language for language, _, _ in keys],
            "personal": [personal for _, personal, _ in keys],
            "keys": [key for _, _, key in keys],
        },
    )
    return result.rowcount


async def ring(connection: AsyncConnection, release: int, lane: str) -> None:
    """Keep the counters' start values and ask the relay to enqueue every batch of the release."""
    await connection.execute(_COUNTERS, {"release": release})
    await connection.execute(_OUTBOX, {"release": release, "lane": lane})
    await connection.execute(text("SELECT pg_notify('outbox', '')"))
