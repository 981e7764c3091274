"""Alembic's entry: runs the migrations over asyncpg, one process at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import context
from sqlalchemy import pool, text

from gateway.store.database import make_engine
from gateway.store.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

LOCK = 7_466_732_481
"""Advisory lock key that keeps two starting processes from migrating at once (any fixed number)."""


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        context.run_migrations()


async def _run() -> None:
    engine = make_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


asyncio.run(_run())
