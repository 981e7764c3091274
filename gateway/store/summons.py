"""Approvers who were asked to sign, one after the other, and what waits for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from gateway.store.console_tables import summons
from gateway.store.desk import Person
from gateway.store.tables import people

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.desk import AlertRow


class Summoned(NamedTuple):
    """Somebody who was asked."""

    login: str
    name: str
    reason: str
    """``first``, ``silent`` (the one before did not sign) or ``deputy`` (of somebody who is away)."""
    at: datetime


class Candidate(NamedTuple):
    """Somebody who is active, and whether that person is here."""

    person: Person
    away: bool
    deputy: str | None
    """Who stands in while the person is away."""


class Waiting(NamedTuple):
    """An alert that people of the desk must do something about, for the board of one of them."""

    alert_id: int
    state: str
    """``submitted`` (signatures are missing) or ``approved`` (somebody sends it)."""
    msg_type: str
    mode: str
    level: str
    content: dict[str, Any]
    submitted_at: datetime
    quiet_since: datetime
    """When somebody was asked or signed last: the next one is asked so many seconds later."""
    need: int
    have: int
    """Signatures under what waits; whether they still count is told where one signs."""
    asked: tuple[str, ...]
    """Names of those who were asked and have not signed, the latest last."""
    asks_me: bool
    signed_by_me: bool
    mine: bool
    """Whether the person wrote, changed or submitted it, and so may not sign."""


_PRESENT = text(
    """
    SELECT p.login, p.name, p.roles, p.region, p.unit, a.login IS NOT NULL AS away, a.deputy
    FROM people AS p
    LEFT JOIN LATERAL (
        SELECT login, deputy FROM absences
        WHERE login = p.login AND ended_at IS NULL AND begins_at <= :now AND ends_at > :now
        ORDER BY deputy IS NULL, id DESC LIMIT 1
    ) AS a ON true
    LEFT JOIN LATERAL (
        SELECT min(array_position(ARRAY['main', 'leader', 'second'], post)) AS place FROM duties
        WHERE login = p.login AND begins_at <= :now AND ends_at > :now
    ) AS d ON true
    WHERE p.active ORDER BY d.place NULLS LAST, p.login
    """
)

# Since when nothing has happened to what alert a waits for.
_QUIET = """greatest(
    a.submitted_at,
    (SELECT max(s.at) FROM summons AS s WHERE s.alert_id = a.id AND s.digest = a.digest),
    (SELECT max(s.at) FROM approvals AS s
     WHERE s.alert_id = a.id AND s.digest = a.digest AND s.decision = 'approve'))"""

_DUE = text(
    f"""
    SELECT a.id FROM alerts AS a
    JOIN jsonb_each_text(CAST(:seconds AS jsonb)) AS patience (level, seconds) ON patience.level = a.level
    WHERE a.state = 'submitted' AND a.expires > :now AND patience.seconds::float > 0
      AND {_QUIET} + make_interval(secs => patience.seconds::float) <= :now
      AND (CAST(:alert AS bigint) IS NULL OR a.id = :alert)
    ORDER BY a.id
    """  # noqa: S608 - put together from constants
)

_WAITING = text(
    f"""
    SELECT a.id, a.state, a.msg_type, a.mode, a.level, a.content, a.submitted_at, {_QUIET} AS quiet_since,
        CAST(a.plan ->> 'approvers' AS int) AS need,
        coalesce(array_length(signed.logins, 1), 0) AS have,
        coalesce(asked.names, '{{}}') AS asked,
        coalesce(:login = ANY(asked.logins), false) AS asks_me,
        coalesce(:login = ANY(signed.logins), false) AS signed_by_me,
        a.author = :login OR a.plan -> 'authors' ? :login AS mine
    FROM alerts AS a
    LEFT JOIN LATERAL (
        SELECT array_agg(person) AS logins FROM approvals
        WHERE alert_id = a.id AND digest = a.digest AND decision = 'approve'
    ) AS signed ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(s.login ORDER BY s.ordinal) AS logins, array_agg(p.name ORDER BY s.ordinal) AS names
        FROM summons AS s JOIN people AS p ON p.login = s.login
        WHERE s.alert_id = a.id AND s.digest = a.digest AND s.login <> ALL(coalesce(signed.logins, '{{}}'))
    ) AS asked ON true
    WHERE a.state IN ('submitted', 'approved') AND a.digest IS NOT NULL
      AND (a.expires > :now OR a.msg_type = 'Cancel')
    ORDER BY array_position(ARRAY['red', 'orange', 'yellow', 'blue'], a.level), a.submitted_at
    """  # noqa: S608 - put together from constants
)

_UNSENT = text(
    """
    SELECT a.id FROM alerts AS a
    JOIN jsonb_each_text(CAST(:seconds AS jsonb)) AS patience (level, seconds) ON patience.level = a.level
    WHERE a.state = 'approved' AND a.expires > :now
      AND a.approved_at + make_interval(secs => patience.seconds::float) <= :now
      AND (CAST(:alert AS bigint) IS NULL OR a.id = :alert)
      AND NOT EXISTS (
        SELECT FROM alarms AS m
        WHERE m.subject = 'alert ' || a.id AND m.code = 'nobody_sends' AND m.cleared_at IS NULL)
    ORDER BY a.id
    """
)

# An Update and a Cancel that leave end the alert with the release that they stop.
_HALTED = text(
    """
    SELECT a.id FROM releases AS r JOIN alerts AS a ON a.id = r.alert_id
    WHERE r.state = 'stopped' AND a.state = 'released' AND a.expires > :now
      AND (CAST(:alert AS bigint) IS NULL OR a.id = :alert)
      AND NOT EXISTS (
        SELECT FROM alarms AS m
        WHERE m.subject = 'alert ' || a.id AND m.code = 'stopped_only' AND m.cleared_at IS NULL)
    ORDER BY a.id
    """
)

_CALMED = text(
    """
    UPDATE alarms AS m SET cleared_at = :now
    WHERE m.cleared_at IS NULL
      AND m.code IN ('approver_silent', 'nobody_signs', 'nobody_sends', 'stopped_only')
      AND NOT EXISTS (
        SELECT FROM alerts AS a
        WHERE m.subject = 'alert ' || a.id AND a.expires > :now AND CASE m.code
            WHEN 'nobody_sends' THEN a.state = 'approved' AND a.approved_at < m.raised_at
            WHEN 'stopped_only' THEN a.state = 'released'
            ELSE a.state = 'submitted' AND a.submitted_at <= m.raised_at END)
    """
)


async def summon(
    connection: AsyncConnection, row: AlertRow, ordinal: int, login: str, reason: str, at: datetime
) -> bool:
    """Note that somebody is asked to sign the alert as it is; False where that was done before."""
    values = {"alert_id": row.id, "digest": row.digest, "ordinal": ordinal, "login": login}
    one = insert(summons).values(**values, reason=reason, at=at).on_conflict_do_nothing()
    return (await connection.execute(one.returning(summons.c.id))).first() is not None


async def summoned(connection: AsyncConnection, alert_id: int, digest: str) -> list[Summoned]:
    """Return who was asked to sign this digest, in order."""
    query = (
        select(summons.c.login, people.c.name, summons.c.reason, summons.c.at)
        .join(people, people.c.login == summons.c.login)
        .where(summons.c.alert_id == alert_id, summons.c.digest == digest)
        .order_by(summons.c.ordinal, summons.c.id)
    )
    return [Summoned(*row) for row in await connection.execute(query)]


async def candidates(connection: AsyncConnection, now: datetime) -> list[Candidate]:
    """Return everybody who is active, who is on duty first: 主班, 带班领导, 副班."""
    rows = await connection.execute(_PRESENT, {"now": now})
    return [
        Candidate(Person(r.login, r.name, tuple(r.roles), True, r.region, r.unit), r.away, r.deputy)
        for r in rows
    ]


async def due(
    connection: AsyncConnection, now: datetime, seconds: Mapping[str, float], alert_id: int | None = None
) -> list[int]:
    """Return alerts that nobody has signed for too long; of one alert only, where given.

    Args:
        connection: Any connection.
        now: The desk's time.
        seconds: Patience by level; 0 is for ever.
        alert_id: Look at this alert only.
    """
    values = {"now": now, "seconds": orjson.dumps(dict(seconds)).decode(), "alert": alert_id}
    return list((await connection.execute(_DUE, values)).scalars())


async def unsent(
    connection: AsyncConnection, now: datetime, seconds: Mapping[str, float], alert_id: int | None = None
) -> list[int]:
    """Return alerts that are approved for so long, by level, and nobody sends, without an open alarm."""
    values = {"now": now, "seconds": orjson.dumps(dict(seconds)).decode(), "alert": alert_id}
    return list((await connection.execute(_UNSENT, values)).scalars())


async def halted(connection: AsyncConnection, now: datetime, alert_id: int | None = None) -> list[int]:
    """Return warnings that are stopped and neither cancelled nor updated, without an open alarm."""
    return list((await connection.execute(_HALTED, {"now": now, "alert": alert_id})).scalars())


async def waiting(connection: AsyncConnection, login: str, now: datetime) -> list[Waiting]:
    """Return what waits for signatures or for its release, the most urgent first."""
    rows = await connection.execute(_WAITING, {"login": login, "now": now})
    return [Waiting(*row)._replace(asked=tuple(row.asked)) for row in rows]


async def calm(connection: AsyncConnection, now: datetime) -> int:
    """Close the alarms about what no longer waits for a signature, a release or a Cancel; return how many."""
    return (await connection.execute(_CALMED, {"now": now})).rowcount
