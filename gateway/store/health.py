"""Whether the database answers and has the schema that this version needs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from alembic.script import ScriptDirectory
from sqlalchemy import text

from gateway.store import migrate

if TYPE_CHECKING:
    from gateway.store.database import Database


@cache
def head() -> str:
    """Return the revision that this version's migrations end at."""
    return str(ScriptDirectory.from_config(migrate.config("")).get_current_head())


async def revision(database: Database) -> str | None:
    """Return the revision the database is at; None where it has no schema yet.

    Raises:
        OSError, sqlalchemy.exc.SQLAlchemyError: it does not answer.
    """
    async with database.engine.connect() as connection:
        known = (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar_one()
        if known is None:
            return None
        return (
            await connection.execute(text("SELECT version_num FROM alembic_version"))
        ).scalar_one_or_none()
