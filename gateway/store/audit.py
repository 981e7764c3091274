"""The hash-chained log of every step.

Each record's hash is the SHA-256 of its canonical JSON, which holds the hash of the record
before it. So an edited, removed or reordered record breaks the chain where it stands. A log
that was cut at its end still agrees with itself, but not with what the steps left in the other
tables: every alert, state, signature, release and person must have its record. What rewrites
the log as a whole, and the tables with it, only a head shows that was noted elsewhere
(:attr:`AuditReport.head`).
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import Row, func, insert, select, text

from gateway.store.tables import audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection

GENESIS = "0" * 64
"""The hash that the first record names as its forerunner's."""

_LOCK = 0x746F6E67  # one number for one purpose: the writer of the log's end
_PAGE = 5_000
_COLUMNS = "seq, at, actor, action, subject, detail, previous, hash"
_PAGE_QUERY = f"SELECT {_COLUMNS} FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2"  # noqa: S608 - constants


def _without(rows: str, record: str) -> TextClause:
    """Return the query for the first of the rows whose alert ``a`` lacks such a record."""
    # One statement, so it sees a step with its record or neither of them.
    return text(
        f"""
        SELECT a.id FROM {rows} AND NOT EXISTS (
            SELECT FROM audit WHERE subject = 'alert ' || a.id AND {record})
        ORDER BY a.id LIMIT 1
        """  # noqa: S608 - put together from constants
    )


_TRACES = {
    "the drafting of alert {}": _without("alerts AS a WHERE true", "action IN ('draft', 'prepare_cancel')"),
    "every change of alert {}": text(
        """
        SELECT a.id FROM alerts AS a WHERE version > 1 + (
            SELECT count(*) FROM audit
            WHERE subject = 'alert ' || a.id AND action IN ('edit', 'reject'))
        ORDER BY a.id LIMIT 1
        """
    ),
    "the submission of alert {}": _without(
        "alerts AS a WHERE digest IS NOT NULL",
        "action = 'submit' AND detail::jsonb ->> 'digest' = a.digest",
    ),
    "a signature under alert {}": _without(
        "alerts AS a JOIN approvals AS s ON s.alert_id = a.id WHERE true",
        "action = s.decision AND actor = s.person AND detail::jsonb ->> 'digest' = s.digest",
    ),
    "the emergency release of alert {}": _without(
        "alerts AS a JOIN emergencies AS e ON e.alert_id = a.id WHERE true",
        "action = 'emergency' AND actor = e.person AND detail::jsonb ->> 'digest' = e.digest",
    ),
    "who signed alert {} after its release": _without(
        "alerts AS a JOIN emergencies AS e ON e.alert_id = a.id WHERE e.cosigned_by IS NOT NULL",
        "action = 'cosign' AND actor = e.cosigned_by AND detail::jsonb ->> 'digest' = e.digest",
    ),
    "the release of alert {}": _without(
        "alerts AS a JOIN releases AS r ON r.alert_id = a.id WHERE true",
        "action = 'release' AND detail::jsonb ->> 'release' = r.reference",
    ),
    "how alert {} ended": _without(
        """alerts AS a
        JOIN (VALUES ('released', 'release'), ('updated', 'update'), ('cancelled', 'cancel'),
                     ('expired', 'expire'), ('withdrawn', 'withdraw')) AS step (state, taken)
            ON step.state = a.state WHERE true""",
        "action = step.taken",
    ),
    "what {} may do": text(
        """
        SELECT p.login FROM people AS p LEFT JOIN LATERAL (
            SELECT detail::jsonb AS said FROM audit
            WHERE action = 'person' AND subject = 'person ' || p.login ORDER BY seq DESC LIMIT 1
        ) AS last ON true
        WHERE last.said IS NULL OR jsonb_build_object('region', NULL, 'unit', '') || last.said
            <> jsonb_build_object('roles', p.roles, 'active', p.active, 'region', p.region, 'unit', p.unit)
        ORDER BY p.login LIMIT 1
        """
    ),
}
"""What a step leaves behind -> the first row of it that the log tells nothing of."""


class Head(NamedTuple):
    """The end of the log: noted elsewhere, it shows a later cut."""

    records: int
    hash: str


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


async def head(connection: AsyncConnection) -> Head:
    """Return how many records the log has, and the hash of the last one."""
    query = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    last = (await connection.execute(query)).first()
    return Head(last.seq, last.hash) if last else Head(0, GENESIS)


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
    last, previous = await head(connection)
    seq = last + 1
    said = canonical(detail).decode()
    digest = record_hash((seq, at, actor, action, subject, said, previous))
    await connection.execute(
        insert(audit).values(
            seq=seq,
            at=at,
            actor=actor,
            action=action,
            subject=subject,
            detail=said,
            previous=previous,
            hash=digest,
        )
    )
    return digest


async def verify(connection: AsyncConnection, head: str | None = None) -> AuditReport:
    """Read the whole log in its order and return where it first breaks, if it does.

    Where the chain holds, it is compared with the steps that the other tables tell of.

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
    if reason := await _untold(connection):
        return AuditReport(count, count + 1, reason, previous)
    return AuditReport(count, None, "", previous)


async def _untold(connection: AsyncConnection) -> str:
    """Return the first step that the tables tell of and the log does not."""
    for what, query in _TRACES.items():
        if (found := (await connection.execute(query)).scalar()) is not None:
            return f"the log was cut: it has no record of {what.format(found)}"
    return ""


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
