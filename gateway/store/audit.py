"""The hash-chained log of every step.

Each record's hash is the SHA-256 of its canonical JSON, which holds the hash of the record
before it. So an edited, removed or reordered record breaks the chain where it stands. A log
that was cut at its end, or rewritten as a whole, still agrees with itself: only a head that
was noted elsewhere (:attr:`AuditReport.head`) shows that.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import Row, func, insert, select

from gateway.store.tables import audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

GENESIS = "0" * 64
"""The hash that the first record names as its forerunner's."""

_LOCK = 0x746F6E67  # one number for one purpose: the writer of the log's end
_PAGE = 5_000
_COLUMNS = "seq, at, actor, action, subject, detail, previous, hash"
_PAGE_QUERY = f"SELECT {_COLUMNS} FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2"  # noqa: S608 - constants


class AuditReport(NamedTuple):
    """What :func:`verify` found."""

    records: int
    """How many records were read before the first fault, or all of them."""
    broken_at: int | None
    """Number of the record at which the chain breaks; None where it holds."""
    reason: str
    """Why it breaks, as a sentence; empty where it holds."""
    head: str
    """Hash of the last good record: note it elsewhere, and a later cut will show."""


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return JSON that is equal for equal values: sorted keys, no spaces, UTF-8, times in UTC."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)


def record_hash(record: Sequence[Any]) -> str:
    """Return the hash of ``(seq, at, actor, action, subject, detail, previous, ...)``."""
    seq, at, *rest = record[:7]
    return hashlib.sha256(orjson.dumps([seq, at.astimezone(UTC).isoformat(), *rest])).hexdigest()


async def append(
    connection: AsyncConnection,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: dict[str, Any],
    at: datetime,
) -> str:
    """Add one record inside the caller's transaction and return its hash.

    The lock is held until the transaction ends, so append last: whoever waits for another
    row lock while holding this one can make two transactions wait for each other.
    """
    await connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    last = (
        await connection.execute(select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1))
    ).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    text = canonical(detail).decode()
    digest = record_hash((seq, at, actor, action, subject, text, previous))
    await connection.execute(
        insert(audit).values(
            seq=seq,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            detail=text,
            previous=previous,
            hash=digest,
        )
    )
    return digest


async def verify(connection: AsyncConnection, head: str | None = None) -> AuditReport:
    """Read the whole log in its order and return where the chain first breaks, if it does.

    Args:
        connection: Any connection; records are read in pages, so memory stays small.
        head: A head noted earlier. It must still be the hash of a record.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    count, previous, met = 0, GENESIS, head in (None, GENESIS)
    while page := await driver.fetch(_PAGE_QUERY, count, _PAGE):
        for record in page:
            if reason := _fault(record, count + 1, previous):
                return AuditReport(count, count + 1, reason, previous)
            count, previous = count + 1, record[7]
            met = met or previous == head
    if not met:
        return AuditReport(
            count, count + 1, "the given head is in no record: the log was cut or rewritten", previous
        )
    return AuditReport(count, None, "", previous)


def _fault(record: Sequence[Any], expected: int, previous: str) -> str:
    if record[0] != expected:
        return f"record {expected} is missing: record {record[0]} follows"
    if record[6] != previous:
        return f"record {expected} does not follow the one before it"
    if record_hash(record) != record[7]:
        return f"record {expected} was changed"
    return ""


async def show(connection: AsyncConnection, subject: str | None = None, limit: int = 200) -> list[Row[Any]]:
    """Return the latest records, oldest first; of one subject only (``alert 12``), where given."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    return list(reversed((await connection.execute(query)).all()))
