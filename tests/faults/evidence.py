"""What the checker looks at: a dump of the database, the providers' ledgers, the logs.

Read with plain queries, so that no code of the gateway stands between the checker and the rows.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TABLES = (
    "people", "target_lists", "targets", "alerts", "approvals", "releases", "batches", "deliveries",
    "attempts", "receipts", "parked_receipts", "counters", "audit",
)  # fmt: skip
_JSON = {"content", "texts", "plan", "addresses", "area"}

Row = dict[str, Any]


class Entry(NamedTuple):
    """One whole message as a provider took it."""

    channel: str
    address: str
    text: str
    ref: str
    at: datetime


class Acknowledged(NamedTuple):
    """What the gateway has said it has: it must be there, whatever was killed afterwards."""

    receipts: Mapping[str, int] = {}
    """Reports that a provider was told are kept, by channel."""
    rows: frozenset[tuple[str, str, Any]] = frozenset()
    """(table, column, value) that an answered step at the desk or an answered callback made."""


class Evidence(NamedTuple):
    """Everything that a verdict rests on."""

    tables: Mapping[str, list[Row]]
    ledger: list[Entry] = []  # noqa: RUF012 - never changed
    logs: list[Row] = []  # noqa: RUF012 - never changed
    acknowledged: Acknowledged = Acknowledged()
    read_at: datetime = datetime.max.replace(tzinfo=UTC)


async def read_tables(url: str) -> dict[str, list[Row]]:
    """Dump the tables in one snapshot."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {table: await _read(connection, table) for table in TABLES}
    finally:
        await connection.close()


async def _read(connection: asyncpg.Connection, table: str) -> list[Row]:
    rows = [dict(row) for row in await connection.fetch(f"SELECT * FROM {table}")]
    for row in rows:
        for name in _JSON & row.keys():
            row[name] = json.loads(row[name]) if row[name] is not None else None
    return rows


def read_ledger(channel: str, file: Path) -> list[Entry]:
    """Read a simulator's dump. Its clock is this machine's monotonic one, so it can be placed in time."""
    now, monotonic = datetime.now(UTC), time.monotonic()
    with file.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Entry(
            channel, row["address"], row["text"], row["ref"], now - timedelta(seconds=monotonic - row["at"])
        )
        for row in rows
    ]


def read_logs(files: Iterable[Path]) -> list[Row]:
    """Read the JSON lines of log files; what is no JSON is kept as an event."""
    found = []
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                row = {"event": line}
            found.append(row if isinstance(row, dict) else {"event": line})
    return found
