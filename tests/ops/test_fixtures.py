from __future__ import annotations

import asyncpg
import pytest
import redis


async def _tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        await connection.execute("CREATE TABLE left_behind (n int)")
    finally:
        await connection.close()
    return {row["tablename"] for row in rows}


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_a_database_of_its_own(database_url, turn):
    assert "left_behind" not in await _tables(database_url)


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_valkey_empty(redis_owner_url, turn):
    with redis.Redis.from_url(redis_owner_url) as owner:
        assert owner.keys() == []
        owner.set("left", "behind")


def test_the_corpus_is_a_folder_where_it_is_there(corpus):
    assert corpus.is_dir()
