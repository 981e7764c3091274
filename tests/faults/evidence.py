"""What the checker looks at: a dump of the database, the providers' ledgers, the logs.

Read with plain queries, so that no code of the gateway stands between the checker and the rows.

``python -m tests.faults.evidence smpp`` is ``python -m channels.simulate smpp`` with an SMSC that
also notes which reports were acknowledged.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg

from channels import simulate
from channels.smpp import simulator
from channels.smpp.smsc import SmscSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

TABLES = (
    "people", "regions", "target_lists", "targets", "alerts", "approvals", "releases", "batches",
    "deliveries", "attempts", "receipts", "parked_receipts", "counters", "audit", "emergencies",
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


class Head(NamedTuple):
    """The last record of the audit chain, as it was seen from outside at some moment."""

    seq: int
    hash: str


class Acknowledged(NamedTuple):
    """What the gateway has said it has: it must be there, whatever was killed afterwards."""

    receipts: Mapping[str, Sequence[str]] = {}
    """References of the reports that a provider was told are kept, by channel, as often as it was told."""
    rows: frozenset[tuple[str, str, Any]] = frozenset()
    """(table, column, value) that an answered step at the desk or an answered callback made."""


class Evidence(NamedTuple):
    """Everything that a verdict rests on."""

    tables: Mapping[str, list[Row]]
    ledger: list[Entry] = []  # noqa: RUF012 - never changed
    logs: list[Row] = []  # noqa: RUF012 - never changed
    acknowledged: Acknowledged = Acknowledged()
    heads: frozenset[Head] = frozenset()
    reports: Sequence[Row] = ()
    """The gateway's own coverage reports, as JSON."""
    read_at: datetime = datetime.max.replace(tzinfo=UTC)


async def read_tables(url: str) -> dict[str, list[Row]]:
    """Dump the tables in one snapshot."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return {table: await _read(connection, table) for table in TABLES}
    finally:
        await connection.close()


async def read_head(connection: asyncpg.Connection) -> Head | None:
    """Return the head of the audit chain as anybody may see it."""
    row = await connection.fetchrow("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
    return Head(*row) if row else None


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


class Waiting(dict[int, Any]):
    """Reports of one connection that wait for their acknowledgement; what is taken out has got it."""

    def __init__(self, acknowledged: list[str]) -> None:
        super().__init__()
        self._acknowledged = acknowledged

    def pop(self, sequence: int, default: Any = None) -> Any:
        report = super().pop(sequence, default)
        if report is not None:
            self._acknowledged += references(report)
        return report


def references(report: bytes | tuple[bytes, bytes]) -> list[str]:
    """Return the reference that a deliver_sm speaks of; a person's reply has none."""
    if isinstance(report, tuple):
        return [report[1].decode()]
    return [found.decode() for found in re.findall(rb"id:(\S+) sub:", report)]


class NotingSession(SmscSession):
    """A connection that notes what was acknowledged on it."""

    def __init__(self, smsc: NotingSmsc) -> None:
        super().__init__(smsc)
        self._unacknowledged = Waiting(smsc.told_kept)


class NotingSmsc(simulator.SmppSimulator):
    """The played SMSC, which knows too which reports it was told are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.told_kept: list[str] = []

    def write_told_kept(self, file: str) -> None:
        Path(file).write_text(json.dumps(self.told_kept), encoding="utf-8")


if __name__ == "__main__":
    simulator.SmscSession = NotingSession
    simulator.SIMULATOR = NotingSmsc
    raise SystemExit(simulate.main())
