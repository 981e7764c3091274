"""What the watch board, the list of alerts and the page of drills ask of the rows.

Counts here come from the running counters and are deliveries: a person who is reached on two channels is
two of them. People are counted, once each, by :mod:`gateway.store.coverage`, which reads every row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import bindparam, text

from channels.base import Proof

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

Counts = dict[str, dict[int, int]]
"""Channel -> :class:`channels.base.Proof` as a number -> deliveries; 0 stands for all that is not settled."""

PAGE = 50
"""Alerts on one page of the list."""
LATE_SECONDS = 30
"""A batch that waits longer than this for a worker is late."""

_INFOS = """
    coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'language', i ->> 'language', 'event', i ->> 'event', 'headline', i ->> 'headline',
            'areas', (SELECT jsonb_agg(x ->> 'area_desc') FROM jsonb_array_elements(i -> 'areas') AS x)))
        FROM jsonb_array_elements(a.content -> 'infos') AS i
    ), '[]') AS infos
"""

_SMALL = text(
    """
    SELECT coalesce((SELECT max(seq) FROM audit), 0) AS steps,
           ARRAY(SELECT id FROM alarms WHERE cleared_at IS NULL ORDER BY id) AS alarms,
           (SELECT count(*) FROM incoming WHERE state IN ('inbox', 'held', 'quarantined')) AS incoming,
           (SELECT max(id) FROM incoming) AS newest,
           (SELECT title FROM drills WHERE ended_at IS NULL) AS drill
    """
)

# Two index scans: a condition on both tables at once would read every release there ever was.
_RELEASES = text(
    """
    WITH watched AS (
        SELECT id FROM releases WHERE state <> 'closed'
        UNION SELECT r.id FROM alerts AS a JOIN releases AS r ON r.alert_id = a.id WHERE a.state = 'released'
    )
    SELECT r.id, r.mode, r.state, c.channel, c.state AS proof, CAST(sum(c.count) AS bigint) AS deliveries
    FROM watched JOIN releases AS r USING (id) LEFT JOIN counters AS c ON c.release_id = r.id
    GROUP BY r.id, c.channel, c.state ORDER BY r.id, c.channel, c.state
    """
)

_IN_FORCE = text(
    f"""
    SELECT a.id, a.warning_id, a.hazard, a.level, a.mode, a.msg_type, a.expires, {_INFOS},
           r.id AS release_id, r.state AS release_state, r.released_at, l.count AS people
    FROM alerts AS a JOIN releases AS r ON r.alert_id = a.id JOIN target_lists AS l ON l.id = r.target_list_id
    WHERE a.state = 'released' AND (a.msg_type <> 'Cancel' OR r.state <> 'closed')
    ORDER BY a.mode = 'drill', array_position(ARRAY['red', 'orange', 'yellow', 'blue'], a.level),
             r.released_at DESC
    """  # noqa: S608 - the fragment stands above
)

_DRAFTS = text(
    f"""
    SELECT a.id, a.hazard, a.level, a.mode, a.msg_type, a.created_at, a.expires, {_INFOS},
           (SELECT s.reason FROM approvals AS s WHERE s.alert_id = a.id AND s.decision = 'reject'
            ORDER BY s.id DESC LIMIT 1) AS rejected
    FROM alerts AS a WHERE a.state = 'draft' AND a.author = :login AND a.msg_type <> 'Cancel'
    ORDER BY a.id DESC LIMIT :most
    """  # noqa: S608 - the fragment stands above
)

_COSIGN = text(
    f"""
    SELECT a.id, a.hazard, a.level, a.mode, e.person, p.name, e.at, e.due_at, e.reason, {_INFOS}
    FROM emergencies AS e JOIN alerts AS a ON a.id = e.alert_id JOIN people AS p ON p.login = e.person
    WHERE e.cosigned_at IS NULL ORDER BY e.due_at
    """  # noqa: S608 - the fragment stands above
)

_INCOMING = text(
    """
    SELECT state, count(*) AS messages, max(received_at) AS newest FROM incoming
    WHERE state IN ('inbox', 'held', 'quarantined') GROUP BY state
    """
)

# Leases and due times run on the database's clock.
_BATCHES = text(
    """
    SELECT b.channel, r.mode, count(*) AS open, min(b.due_at) AS oldest,
           count(*) FILTER (
               WHERE b.state = 'open' AND b.due_at < now() - make_interval(secs => :late)) AS late
    FROM batches AS b JOIN releases AS r ON r.id = b.release_id
    WHERE b.state <> 'done' AND r.state = 'open' AND r.expires > now() GROUP BY b.channel, r.mode
    """
)

_ALERTS = f"""
    SELECT a.id, a.identifier, a.hazard, a.level, a.mode, a.msg_type, a.state, a.expires, a.created_at,
           p.name AS author_name, {_INFOS}, r.id AS release_id, r.released_at
    FROM alerts AS a JOIN people AS p ON p.login = a.author LEFT JOIN releases AS r ON r.alert_id = a.id
    WHERE NOT coalesce(a.plan ? 'self_test', false)
      AND NOT (a.msg_type = 'Cancel' AND a.state IN ('draft', 'expired') AND r.id IS NULL)
"""  # noqa: S608 - the fragment stands above
_FILTERS = {
    "state": "a.state = :state",
    "level": "a.level = :level",
    "mode": "a.mode = :mode",
    "words": "position(lower(:words) IN lower(a.identifier || (a.content -> 'infos')::text)) > 0",
    "begin": "a.created_at >= :begin",
    "end": "a.created_at < :end",
    "before": "a.id < :before",
}

_SESSIONS = text(
    """
    SELECT s.id, p.roles FROM sessions AS s JOIN people AS p USING (login)
    WHERE s.id IN :ids AND s.ended_at IS NULL AND s.ends_at > :now AND s.seen_at >= :since AND p.active
      AND NOT s.limited
    """
).bindparams(bindparam("ids", expanding=True))


class ReleaseCounts(NamedTuple):
    """The running counters of one release."""

    id: int
    mode: str
    state: str
    channels: Counts

    @property
    def intended(self) -> int:
        """Deliveries that were planned."""
        return sum(sum(states.values()) for states in self.channels.values())

    def at_least(self, proof: Proof) -> int:
        """Return the deliveries with this proof or better."""
        return sum(n for states in self.channels.values() for state, n in states.items() if state >= proof)

    def as_event(self, at: datetime) -> dict[str, Any]:
        """Return what the live event ``release`` says; see :mod:`gateway.web.console.live`."""
        named = {
            channel: {Proof(state).name.lower(): count for state, count in states.items() if count}
            for channel, states in self.channels.items()
        }
        told = {"id": self.id, "version": version_of(self.channels), "at": at.isoformat()}
        return told | {"mode": self.mode, "state": self.state, "channels": named}


def version_of(channels: Counts) -> int:
    """Return a number that only rises for one release, since proof only rises."""
    return sum(state * count for states in channels.values() for state, count in states.items())


class Pulse(NamedTuple):
    """What tells whether anything changed."""

    steps: int
    """Records of the audit log: whatever a person did is among them."""
    alarms: tuple[int, ...]
    """Numbers of the open ones."""
    incoming: tuple[int, int | None]
    """How many messages wait, and the newest message of all."""
    drill: str | None
    """Title of the drill that runs."""
    releases: Mapping[int, ReleaseCounts]
    """Those that are not closed, or whose warning is in force."""

    def told(self) -> tuple[object, ...]:
        """Return what changes without a step of a person, counters left out."""
        states = tuple((number, one.state) for number, one in self.releases.items())
        return (self.alarms, self.incoming, self.drill, states)


async def pulse(connection: AsyncConnection) -> Pulse:
    """Return what there is to know each second, in two cheap questions."""
    small = (await connection.execute(_SMALL)).one()
    releases: dict[int, ReleaseCounts] = {}
    for row in await connection.execute(_RELEASES):
        one = releases.setdefault(row.id, ReleaseCounts(row.id, row.mode, row.state, {}))
        if row.channel is not None:
            one.channels.setdefault(row.channel, {})[row.proof] = row.deliveries
    return Pulse(small.steps, tuple(small.alarms), (small.incoming, small.newest), small.drill, releases)


async def in_force(connection: AsyncConnection) -> list[Row[Any]]:
    """Return the warnings in force and Cancels on their way; live ones first, the gravest first."""
    return list(await connection.execute(_IN_FORCE))


async def drafts(connection: AsyncConnection, login: str, most: int) -> list[Row[Any]]:
    """Return the latest drafts of a person, with the reason of who sent one back."""
    return list(await connection.execute(_DRAFTS, {"login": login, "most": most}))


async def cosignatures(connection: AsyncConnection) -> list[Row[Any]]:
    """Return releases on one signature that nobody signed afterwards, the most urgent first."""
    return list(await connection.execute(_COSIGN))


async def incoming_counts(connection: AsyncConnection) -> list[Row[Any]]:
    """Return how many messages wait in the inbox, by state, with the time of the newest."""
    return list(await connection.execute(_INCOMING))


async def batches(connection: AsyncConnection) -> dict[tuple[str, str], Row[Any]]:
    """Return what is still to be sent, by channel and mode, and how much of it waits for a worker."""
    rows = await connection.execute(_BATCHES, {"late": LATE_SECONDS})
    return {(row.channel, row.mode): row for row in rows}


async def alerts(connection: AsyncConnection, **filters: object) -> list[Row[Any]]:
    """Return a page of alerts, newest first, and one more where there are more.

    Args:
        connection: open.
        filters: ``state``, ``level``, ``mode``; ``words`` in the identifier or the content; ``begin`` and
            ``end`` of the time when they were drafted; ``before``, the number where the page begins. None
            and empty ones do not count. Cancels that only lie ready are left out.
    """
    used = {name: value for name, value in filters.items() if value not in (None, "")}
    where = "".join(f" AND {_FILTERS[name]}" for name in used)
    query = f"{_ALERTS}{where} ORDER BY a.id DESC LIMIT {PAGE + 1}"
    return list(await connection.execute(text(query), used))


async def roles_of_sessions(
    connection: AsyncConnection, ids: Collection[int], now: datetime, used_since: datetime
) -> dict[int, tuple[str, ...]]:
    """Return the roles of the people whose sessions are open, by session; looking is no use of them."""
    if not ids:
        return {}
    values = {"ids": sorted(ids), "now": now, "since": used_since}
    return {row.id: tuple(row.roles) for row in await connection.execute(_SESSIONS, values)}
