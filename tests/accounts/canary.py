"""Looks for a second factor everywhere in a database: in each table, and in the server's own files."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.store.database import Database


def shapes(key: str) -> set[str]:
    """The ways in which a key in base32 could lie somewhere."""
    raw = base64.b32decode(key)
    groups = " ".join(key[at : at + 4] for at in range(0, len(key), 4))
    return {key, key.lower(), groups, raw.hex(), base64.b64encode(raw).decode(), key.encode().hex()}


async def tables_with(database: Database, *keys: str) -> set[str]:
    """The tables of which some column, of whatever type, has one of the keys."""
    found = set()
    async with database.raw() as connection:
        named = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS it FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for (table,) in named:
            rows = await connection.fetch(f"SELECT t::text FROM {table} t")
            text = "\n".join(row[0] for row in rows)
            if any(shape in text for key in keys for shape in shapes(key)):
                found.add(table.removeprefix("public."))
    return found


async def files_with(database: Database, *texts: str) -> set[str]:
    """Which of ``base`` (this database) and ``pg_wal`` has files with one of the texts."""
    async with database.raw() as connection:
        await connection.execute("CHECKPOINT")
        folder = Path(await connection.fetchval("SHOW data_directory"))
        number = await connection.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")
    wanted = [text.encode() for text in texts]
    kinds = {"base": folder / "base" / str(number), "pg_wal": folder / "pg_wal"}
    return {
        kind
        for kind, place in kinds.items()
        if any(_has(path, one) for path in place.iterdir() if path.is_file() for one in wanted)
    }


def _has(path: Path, text: bytes) -> bool:
    return any(text in part for part in _parts(path, len(text)))


def _parts(path: Path, overlap: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        before = b""
        while part := file.read(1 << 22):
            yield before + part
            before = part[-overlap:]
