"""The questions that coverage asks of the rows: set-based, within one snapshot.

A person's standing is the best that any of the person's deliveries reached. It is a number of
its own, because :class:`channels.base.Proof` ranks a refusal above an acceptance (a later
refusal replaces it on one channel), while a person refused on one channel and accepted on
another was still handed a message.
"""

from __future__ import annotations

import enum
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, func, select, text

from gateway.store.tables import counters

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.store.database import Database


class Standing(enum.IntEnum):
    """How far a person, or one delivery, got; each delivery and each person has exactly one."""

    NO_ADDRESS = -1
    """Intended, but no channel of the plan has an address: failed."""
    FAILED = 0
    """Refused, expired or suppressed on every channel."""
    UNKNOWN = 1
    """Handed over without an answer; never counted as delivered."""
    PENDING = 2
    ACCEPTED = 3
    DELIVERED = 4
    READ = 5
    CONFIRMED = 6


# Indexed by channels.base.Proof, which counts from 0; PostgreSQL's arrays count from 1.
_STANDING = "(CAST('{2,2,2,1,0,3,0,0,4,5,6}' AS integer[]))[state + 1]"
_SINCE = "CAST(extract(epoch FROM {} - released_at) AS double precision)"

_HEAD = text(
    """
    SELECT r.id, r.reference, r.mode, r.lane, r.state, r.warning_id, r.alert_id, r.digest, r.target_list_id,
           r.texts, r.expires, r.released_at, r.closed_at, a.msg_type, a.level, a.hazard, a.identifier,
           a.created_at, a.submitted_at, a.approved_at
    FROM releases AS r JOIN alerts AS a ON a.id = r.alert_id
    WHERE r.reference = :reference OR r.id = :id
    ORDER BY r.reference = :reference DESC LIMIT 1
    """
)

_SIGNATURES = text(
    """
    SELECT at FROM approvals WHERE alert_id = :alert AND digest = :digest AND decision = 'approve' ORDER BY at
    """
)

_RELATED = text(
    """
    SELECT r.id, r.reference, r.mode, a.msg_type, a.level, r.released_at,
           coalesce(sum(c.count), 0) AS intended,
           coalesce(sum(c.count) FILTER (WHERE c.state >= 8), 0) AS delivered
    FROM releases AS r JOIN alerts AS a ON a.id = r.alert_id
    LEFT JOIN counters AS c ON c.release_id = r.id
    WHERE r.warning_id = :warning AND r.id <> :release
    GROUP BY r.id, a.msg_type, a.level ORDER BY r.released_at, r.id
    """
)

# Lasts for the transaction: several questions are asked of it, and each would else join a million
# rows again. CREATE TABLE AS takes no parameters, so the release's number comes through a setting,
# read once by the sub-select.
_RELEASE = "(SELECT CAST(current_setting('tongda.release') AS bigint))"
_PEOPLE = text(
    f"""
    CREATE TEMPORARY TABLE coverage_people ON COMMIT DROP AS
    SELECT t.contact_id, t.region, t.role, coalesce(p.standing, -1) AS standing,
           {_SINCE.format("p.reached")} AS reached, {_SINCE.format("p.confirmed")} AS confirmed,
           CASE t.role WHEN 'device' THEN t.addresses END AS device
    FROM releases AS r JOIN targets AS t ON t.list_id = r.target_list_id
    LEFT JOIN (
        SELECT target_id, max({_STANDING}) AS standing,
               min(least(delivered_at, confirmed_at)) FILTER (WHERE state >= 8) AS reached,
               min(confirmed_at) FILTER (WHERE state = 10) AS confirmed
        FROM deliveries WHERE release_id = {_RELEASE} GROUP BY target_id
    ) AS p ON p.target_id = t.id
    WHERE r.id = {_RELEASE}
    """  # noqa: S608 - the fragments stand above
)

_STANDINGS = text(
    """
    SELECT region, role, standing, count(*) AS people,
           count(*) FILTER (WHERE confirmed <= :responsible) AS confirmed_in_time,
           count(*) FILTER (WHERE reached <= :public) AS reached_in_time
    FROM coverage_people GROUP BY region, role, standing
    """
)

_GROUPS = text(
    """
    SELECT g.name, p.standing, count(*) AS people
    FROM coverage_people AS p
    JOIN group_members AS m ON m.contact_id = p.contact_id JOIN contact_groups AS g ON g.id = m.group_id
    GROUP BY g.name, p.standing ORDER BY g.name
    """
)

# A village of the warned area counts as targeted though nobody in it is known: that is the gap to see.
_REGIONS = text(
    """
    WITH hit AS (
        SELECT left(code, CASE level WHEN 'province' THEN 2 WHEN 'city' THEN 4 WHEN 'county' THEN 6
                                     WHEN 'township' THEN 9 ELSE 12 END) AS prefix
        FROM target_lists AS l, jsonb_to_recordset(l.area -> 'regions') AS hit (code text, level text)
        WHERE l.id = :list
    ), aimed AS (
        SELECT code FROM regions AS v
        WHERE level = 'village' AND EXISTS (SELECT FROM hit WHERE starts_with(v.code, hit.prefix))
    ), named AS (
        SELECT region AS code FROM coverage_people UNION SELECT code FROM aimed
    ), wanted AS (
        SELECT code FROM named
        UNION SELECT left(code, 9) || '000' FROM named
        UNION SELECT left(code, 6) || '000000' FROM named
    )
    SELECT code, name, level, coalesce(population, 0) AS population,
           EXISTS (SELECT FROM aimed WHERE aimed.code = r.code) AS aimed
    FROM regions AS r JOIN wanted USING (code)
    """
)

_DEVICES = text(
    """
    SELECT region, count(*) AS devices, count(*) FILTER (WHERE online) AS online,
           count(*) FILTER (WHERE NOT online) AS offline
    FROM (
        SELECT p.region, bool_or(s.online) AS online
        FROM coverage_people AS p
        LEFT JOIN LATERAL jsonb_each_text(p.device) AS a (channel, address) ON true
        LEFT JOIN device_states AS s ON s.channel = a.channel AND s.device = a.address
        WHERE p.role = 'device' GROUP BY p.contact_id, p.region
    ) AS told GROUP BY region
    """
)

_SPEED = text(
    """
    SELECT min(reached) AS first, max(greatest(reached, confirmed)) AS last,
           percentile_disc(0.9) WITHIN GROUP (ORDER BY reached) AS t90
    FROM coverage_people WHERE reached IS NOT NULL
    """
)

_CURVE = text(
    """
    SELECT bucket, CAST(sum(reached) AS bigint) AS reached, CAST(sum(confirmed) AS bigint) AS confirmed FROM (
        SELECT ceil(greatest(reached, 0) / :step) AS bucket, count(*) AS reached, 0 AS confirmed
        FROM coverage_people WHERE reached IS NOT NULL GROUP BY 1
        UNION ALL
        SELECT ceil(greatest(confirmed, 0) / :step), 0, count(*)
        FROM coverage_people WHERE confirmed IS NOT NULL GROUP BY 1
    ) AS counted GROUP BY bucket ORDER BY bucket
    """
)

_CHANNELS = text(
    f"""
    SELECT channel, {_STANDING} AS standing, count(*) AS deliveries, min(id) AS first, max(id) AS last
    FROM deliveries WHERE release_id = :release GROUP BY 1, 2 ORDER BY 1, 2
    """  # noqa: S608 - the fragment stands above
)

# A try has a row for each part, and more where an answer came after it was given up or a flush was
# written twice: it counts once, as accepted where any row says so. The range lets the index serve (the
# ledger knows no release); the batches keep out a release that was planned at the same moment.
_ATTEMPTS = text(
    """
    SELECT channel, count(*) AS attempts, count(*) FILTER (WHERE accepted) AS accepted
    FROM (
        SELECT DISTINCT ON (delivery_id, try) channel, outcome = 'accepted' AS accepted
        FROM attempts
        WHERE delivery_id BETWEEN :first AND :last
          AND batch_id = ANY (ARRAY(SELECT id FROM batches WHERE release_id = :release))
        ORDER BY delivery_id, try, outcome = 'accepted' DESC
    ) AS tries
    GROUP BY channel
    """
)

_CHANNEL_SPEED = text(
    f"""
    SELECT channel, {_SINCE.format("half")} AS p50, {_SINCE.format("most")} AS p90
    FROM releases JOIN (
        SELECT release_id AS id, channel,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY least(delivered_at, confirmed_at)) AS half,
               percentile_disc(0.9) WITHIN GROUP (ORDER BY least(delivered_at, confirmed_at)) AS most
        FROM deliveries WHERE release_id = :release AND state >= 8 GROUP BY release_id, channel
    ) AS reached USING (id)
    """  # noqa: S608 - the fragment stands above
)

# One word of the provider for each delivery (parts and copies may have several), so that reasons add up
# to the deliveries; a delivery that we ended ourselves has none.
_REASONS = text(
    """
    WITH ended AS (
        SELECT id, channel, state FROM deliveries WHERE release_id = :release AND state IN (3, 4, 6, 7)
    ), told AS (
        SELECT e.id, a.code
        FROM ended AS e JOIN attempts AS a ON a.delivery_id = e.id
         AND a.outcome = CASE e.state WHEN 7 THEN 'rejected' WHEN 3 THEN 'unknown' END
        WHERE a.outcome IN ('rejected', 'unknown')
        UNION ALL
        SELECT e.id, r.code
        FROM ended AS e JOIN receipts AS r ON r.delivery_id = e.id AND r.state = e.state
        WHERE r.state IN (3, 4, 6, 7)
    ), one AS (
        SELECT id, max(code) AS code FROM told GROUP BY id
    )
    SELECT e.channel, e.state, coalesce(one.code, '') AS code, count(*) AS deliveries
    FROM ended AS e LEFT JOIN one ON one.id = e.id
    GROUP BY 1, 2, 3 ORDER BY e.channel, deliveries DESC, e.state, code
    """
)

_RECOUNT = text(
    """
    SELECT channel, region, state, coalesce(k.count, 0) AS kept, coalesce(r.count, 0) AS counted
    FROM (SELECT channel, region, state, count FROM counters WHERE release_id = :release AND count <> 0) AS k
    FULL JOIN (
        SELECT channel, region, CASE WHEN state < 3 THEN 0 ELSE state END AS state, count(*) AS count
        FROM deliveries WHERE release_id = :release GROUP BY 1, 2, 3
    ) AS r USING (channel, region, state)
    WHERE k.count IS DISTINCT FROM r.count
    ORDER BY channel, region, state
    """
)


@asynccontextmanager
async def snapshot(database: Database) -> AsyncIterator[AsyncConnection]:
    """One view of the rows for several questions, so that their answers add up while receipts come in."""
    async with database.engine.connect() as plain:
        connection = await plain.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            yield connection


async def head(connection: AsyncConnection, release: int | str) -> Row[Any] | None:
    """Return what a report says about the release itself; it is named by id or public reference."""
    name = str(release)
    known = name.isascii() and name.isdigit() and len(name) <= 18  # noqa: PLR2004 - what a bigint holds
    values = {"reference": name, "id": int(name) if known else None}
    return (await connection.execute(_HEAD, values)).one_or_none()


async def signatures(connection: AsyncConnection, alert: int, digest: str) -> Sequence[datetime]:
    """Return when each approver signed what was released, the first first."""
    rows = await connection.execute(_SIGNATURES, {"alert": alert, "digest": digest})
    return rows.scalars().all()


async def related(connection: AsyncConnection, release: int, warning: int) -> Sequence[Row[Any]]:
    """Return the other releases of the same warning, with their deliveries from the counters."""
    return (await connection.execute(_RELATED, {"release": release, "warning": warning})).all()


async def gather_people(connection: AsyncConnection, release: int) -> None:
    """Join targets and deliveries once, for the ``people_*`` questions of this transaction."""
    await connection.execute(text("SET LOCAL work_mem = '64MB'"))
    await connection.execute(
        text("SELECT set_config('tongda.release', :release, true)"), {"release": str(release)}
    )
    await connection.execute(_PEOPLE)


async def people_standings(
    connection: AsyncConnection, *, responsible: float, public: float
) -> Sequence[Row[Any]]:
    """Return people by region, role and standing, and how many of them within so many seconds."""
    values = {"responsible": responsible, "public": public}
    return (await connection.execute(_STANDINGS, values)).all()


async def people_groups(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Return people by named group and standing; who is in two groups is in both."""
    return (await connection.execute(_GROUPS)).all()


async def people_regions(connection: AsyncConnection, target_list: int) -> Sequence[Row[Any]]:
    """Return the villages of the list's area and where its people live, with townships and counties."""
    return (await connection.execute(_REGIONS, {"list": target_list})).all()


async def people_devices(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Return devices by region: how many, and of how many the last word was on line or off line."""
    return (await connection.execute(_DEVICES)).all()


async def people_speed(connection: AsyncConnection) -> Row[Any]:
    """Return seconds from release to the first, the last and the 90th of a hundred people reached."""
    return (await connection.execute(_SPEED)).one()


async def people_curve(connection: AsyncConnection, step: float) -> Sequence[Row[Any]]:
    """Return how many people were reached and confirmed in each ``step`` seconds, by its end."""
    return (await connection.execute(_CURVE, {"step": step})).all()


async def channels(connection: AsyncConnection, release: int) -> Sequence[Row[Any]]:
    """Return deliveries by channel and standing, with the first and last id among them."""
    return (await connection.execute(_CHANNELS, {"release": release})).all()


async def attempts(connection: AsyncConnection, release: int, first: int, last: int) -> Sequence[Row[Any]]:
    """Return tries by channel, all and accepted, of the release's deliveries from ``first`` to ``last``."""
    values = {"release": release, "first": first, "last": last}
    return (await connection.execute(_ATTEMPTS, values)).all()


async def channel_speed(connection: AsyncConnection, release: int) -> Sequence[Row[Any]]:
    """Return, for each channel, the seconds within which half and 90 % of its reached were reached."""
    return (await connection.execute(_CHANNEL_SPEED, {"release": release})).all()


async def reasons(connection: AsyncConnection, release: int) -> Sequence[Row[Any]]:
    """Return why deliveries failed or stayed unknown, by channel, state and the provider's code."""
    return (await connection.execute(_REASONS, {"release": release})).all()


async def recount(connection: AsyncConnection, release: int) -> Sequence[Row[Any]]:
    """Return the counters that differ from the rows: channel, region, state, kept, counted."""
    return (await connection.execute(_RECOUNT, {"release": release})).all()


async def counts_by_channel(connection: AsyncConnection, release: int) -> dict[str, dict[int, int]]:
    """Return {channel: {state: deliveries}} of a release, from the counters."""
    rows = await connection.execute(
        select(counters.c.channel, counters.c.state, func.sum(counters.c.count))
        .where(counters.c.release_id == release)
        .group_by(counters.c.channel, counters.c.state)
        .order_by(counters.c.channel)
    )
    found: dict[str, dict[int, int]] = {}
    for channel, state, count in rows:
        found.setdefault(channel, {})[state] = int(count)
    return found
