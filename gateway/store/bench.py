"""Invented contacts in bulk, for measuring only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

_CONTACTS = """
INSERT INTO contacts (name, region, role)
SELECT 'Invented ' || i, $1, 'resident' FROM generate_series(1, $2) AS i
"""
_ADDRESSES = """
INSERT INTO addresses (contact_id, channel, address)
SELECT id, 'sms', '8619' || lpad(id::text, 9, '0') FROM contacts WHERE region = $1
"""


async def load_residents(connection: asyncpg.Connection, region: str, count: int) -> None:
    """Load so many residents of one region, each with an invented mobile number."""
    async with connection.transaction():
        await connection.execute(_CONTACTS, region, count)
        await connection.execute(_ADDRESSES, region)
    await connection.execute("ANALYZE contacts, addresses")


async def recorded(connection: asyncpg.Connection, release: int) -> tuple[int, int]:
    """Return how many deliveries of a release are accepted or better, and delivered or better."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(count) FILTER (WHERE state IN (5, 8, 9, 10)), 0)::bigint,
               coalesce(sum(count) FILTER (WHERE state >= 8), 0)::bigint
        FROM counters WHERE release_id = $1
        """,
        release,
    )
    return int(row[0]), int(row[1])


async def ledger_rows(connection: asyncpg.Connection) -> tuple[int, int]:
    """Return how many attempts and receipts the ledger holds."""
    row = await connection.fetchrow("SELECT (SELECT count(*) FROM attempts), (SELECT count(*) FROM receipts)")
    return int(row[0]), int(row[1])


async def incoming_rows(connection: asyncpg.Connection) -> int:
    """Return how many messages are in the inbox."""
    return int(await connection.fetchval("SELECT count(*) FROM incoming"))
