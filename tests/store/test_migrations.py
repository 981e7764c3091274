"""The migrations make exactly the tables that the code knows."""

from __future__ import annotations

import asyncpg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.store import migrate
from gateway.store.database import make_engine
from gateway.store.schema import metadata
from gateway.store.tables import APPEND_ONLY


@pytest.fixture
async def engine(database_url):
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


class TestMigrations:
    async def test_nothing_is_left_for_autogenerate_to_find(self, engine):
        def differences(connection):
            return compare_metadata(MigrationContext.configure(connection, {"compare_type": True}), metadata)

        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []

    async def test_storage_options_are_those_of_the_tables(self, database_url):
        wanted = {
            table.name: [f"fillfactor={fill}"]
            for table in metadata.tables.values()
            if (
                fill := table.dialect_options["postgresql"]["with"]
                and table.dialect_options["postgresql"]["with"]["fillfactor"]
            )
        }
        connection = await asyncpg.connect(database_url)
        try:
            found = dict(
                await connection.fetch(
                    "SELECT relname, reloptions FROM pg_class WHERE reloptions IS NOT NULL AND relkind = 'r' "
                    "AND relnamespace = 'public'::regnamespace"
                )
            )
        finally:
            await connection.close()
        assert found == wanted
        assert "deliveries" in wanted

    async def test_a_second_upgrade_changes_nothing(self, engine, database_url):
        migrate.upgrade(database_url)
        async with engine.connect() as connection:
            assert await connection.run_sync(lambda one: sa.inspect(one).get_table_names()) != []

    @pytest.mark.parametrize("table", APPEND_ONLY)
    @pytest.mark.parametrize("statement", ["DELETE FROM {0}", "TRUNCATE {0}", "UPDATE {0} SET {1} = {1}"])
    async def test_the_ledger_cannot_be_rewritten(self, database_url, table, statement):
        column = "detail" if table == "audit" else "code"
        connection = await asyncpg.connect(database_url)
        try:
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await connection.execute(statement.format(table, column))
        finally:
            await connection.close()
