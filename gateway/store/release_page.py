"""What the release page reads: one release's head, its batches, who was not reached, and the evidence.

Nothing here adds up deliveries: sums come from ``counters``
(:func:`gateway.store.coverage.counts_by_channel`), so that a release of a million opens as fast as a
small one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Row, bindparam, select, text

from gateway.store.tables import audit, contacts, regions

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

_HEAD = text(
    """
    SELECT r.id, r.reference, r.alert_id, r.warning_id, r.mode, r.lane, r.state, r.released_at, r.expires,
           r.closed_at, r.released_by, p.name AS releaser, r.target_list_id, l.count AS people, l.area,
           a.msg_type, a.level, a.hazard, a.identifier, a.state AS alert_state, a.content, a.supersedes
    FROM releases AS r JOIN alerts AS a ON a.id = r.alert_id JOIN target_lists AS l ON l.id = r.target_list_id
    JOIN people AS p ON p.login = r.released_by
    WHERE r.id = :release
    """
)

_BATCHES = text(
    """
    SELECT channel, count(*) FILTER (WHERE state = 'open' AND due_at <= now()) AS due,
           count(*) FILTER (WHERE state = 'leased') AS held,
           CAST(extract(epoch FROM now() - min(due_at) FILTER (WHERE state = 'open' AND due_at <= now()))
                AS double precision) AS waits
    FROM batches WHERE release_id = :release AND state <> 'done' GROUP BY channel
    """
)

# How far a person got is the best of the person's deliveries, as in gateway.store.coverage.
_STANDING = "(CAST('{{2,2,2,1,0,3,0,0,4,5,6}}' AS integer[]))[{}.state + 1]"
_BEST = f"max({_STANDING.format('d')})"
# The counters tell, without a look at any delivery, where some delivery stands so; nobody elsewhere does.
_WHERE = text(
    f"""
    SELECT array_agg(DISTINCT k.channel) AS channels,
        array_agg(DISTINCT k.region) FILTER (WHERE {_STANDING.format("k")} = :standing) AS regions
    FROM counters AS k WHERE k.release_id = :release AND k.count > 0
    """  # noqa: S608 - the fragment stands above
)
_MISSED = text(
    f"""
    SELECT t.id, t.contact_id, t.region, t.role, t.addresses, coalesce(p.standing, -1) AS standing
    FROM targets AS t LEFT JOIN LATERAL (
        SELECT {_BEST} AS standing FROM deliveries AS d WHERE d.release_id = :release AND d.target_id = t.id
    ) AS p ON true
    WHERE t.list_id = :list AND t.contact_id > :after AND t.role = ANY(CAST(:roles AS text[]))
      AND starts_with(t.region, :prefix) AND coalesce(p.standing, -1) < :below
      AND (CAST(:regions AS text[]) IS NULL OR t.region = ANY(CAST(:regions AS text[])))
      AND (CAST(:without AS text[]) IS NULL OR NOT t.addresses ?| CAST(:without AS text[]))
      AND (CAST(:standing AS integer) IS NULL OR coalesce(p.standing, -1) = :standing)
    ORDER BY t.contact_id LIMIT :limit
    """  # noqa: S608 - the fragment stands above
)

_TRIED = text(
    """
    SELECT d.id, d.target_id, d.channel, d.state, d.address, coalesce(told.code, '') AS code
    FROM deliveries AS d LEFT JOIN LATERAL (
        SELECT code FROM (
            SELECT code, answered_at AS at FROM attempts WHERE delivery_id = d.id
            UNION ALL SELECT code, received_at FROM receipts WHERE delivery_id = d.id
        ) AS words WHERE code <> '' ORDER BY at DESC LIMIT 1
    ) AS told ON true
    WHERE d.release_id = :release AND d.target_id = ANY(CAST(:targets AS bigint[]))
    ORDER BY d.target_id, d.channel
    """
)

_NEAR = text(
    """
    SELECT t.region, t.role, c.name
    FROM targets AS t JOIN contacts AS c ON c.id = t.contact_id
    WHERE t.list_id = :list AND t.region = ANY(CAST(:regions AS text[]))
      AND t.role IN ('responsible', 'informant', 'liaison')
      AND EXISTS (SELECT FROM deliveries AS d
                  WHERE d.release_id = :release AND d.target_id = t.id AND d.state = 10)
    ORDER BY t.region, t.role <> 'responsible', t.id
    """
)

_DELIVERY = """
    SELECT d.id, d.release_id, d.target_id, d.batch_id, d.channel, d.region, d.address, d.text_key, d.state,
           d.copies, d.tries, d.parts, d.delivered_at, d.confirmed_at, t.role, c.name
    FROM deliveries AS d JOIN targets AS t ON t.id = d.target_id
    LEFT JOIN contacts AS c ON c.id = t.contact_id
"""
_ONE = text(f"{_DELIVERY} WHERE d.id = :delivery")
# Names first: few contacts bear what was typed, and each has one target in a list.
_SEARCH = text(
    f"""
    {_DELIVERY}
    WHERE d.release_id = :release AND starts_with(d.region, :prefix) AND d.id IN (
        SELECT CAST(:number AS bigint)
        UNION ALL
        SELECT x.id FROM deliveries AS x JOIN (
            SELECT w.id FROM contacts AS k JOIN targets AS w ON w.list_id = :list AND w.contact_id = k.id
            WHERE strpos(lower(k.name), lower(:words)) > 0 LIMIT 200
        ) AS named ON x.release_id = :release AND x.target_id = named.id)
    ORDER BY d.id LIMIT :limit
    """  # noqa: S608 - the fragment stands above
)

_ATTEMPTS = text(
    """
    SELECT try, part, outcome, ref, code, submitted_at, answered_at FROM attempts
    WHERE delivery_id = :delivery ORDER BY submitted_at, try, part
    """
)

_RECEIPTS = text(
    """
    SELECT state, source, ref, code, reported_at, received_at, raw FROM receipts
    WHERE delivery_id = :delivery ORDER BY received_at
    """
)

_CHAIN = text("SELECT id, msg_type, level FROM alerts WHERE warning_id = :warning ORDER BY id")

_APPROVERS = text(
    """
    SELECT login, name FROM people
    WHERE active AND roles && CAST(:roles AS text[]) AND NOT login = ANY(CAST(:authors AS text[]))
    ORDER BY name, login
    """
)


_NO_ADDRESS = -1


class Missed(NamedTuple):
    """Whom to look for among the targets of a release."""

    release: int
    target_list: int
    roles: tuple[str, ...]
    below: int
    """Standings (:class:`gateway.store.coverage.Standing`) below this one count as not reached."""
    prefix: str = ""
    """Digits that the region's code begins with."""
    standing: int | None = None
    """This standing only."""


async def head(connection: AsyncConnection, release: int) -> Row[Any] | None:
    """Return what a release is, with its alert's content and its list's size; None where there is none."""
    return (await connection.execute(_HEAD, {"release": release})).one_or_none()


async def batches(connection: AsyncConnection, release: int) -> dict[str, Row[Any]]:
    """Return channel -> batches that are due and held, and how many seconds the oldest one has waited."""
    return {row.channel: row for row in await connection.execute(_BATCHES, {"release": release})}


async def missed(connection: AsyncConnection, who: Missed, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return targets that were not reached, by the number of their contact, from ``after`` on."""
    regions, without = None, None
    if who.standing is not None:
        found = (await connection.execute(_WHERE, {"release": who.release, "standing": who.standing})).one()
        if who.standing == _NO_ADDRESS:
            without = found.channels or []
        elif who.standing >= who.below or not found.regions:
            return []
        else:
            regions = found.regions
    values = {
        "regions": regions,
        "without": without,
        "release": who.release,
        "list": who.target_list,
        "roles": list(who.roles),
        "below": who.below,
        "prefix": who.prefix,
        "standing": who.standing,
        "after": after,
        "limit": limit,
    }
    return (await connection.execute(_MISSED, values)).all()


async def tried(connection: AsyncConnection, release: int, targets: Collection[int]) -> Sequence[Row[Any]]:
    """Return the deliveries of these targets with the last code that anybody gave."""
    return (await connection.execute(_TRIED, {"release": release, "targets": list(targets)})).all()


async def confirmed_near(
    connection: AsyncConnection, release: int, target_list: int, places: Collection[str]
) -> Sequence[Row[Any]]:
    """Return, by region, responsible persons, informants and liaisons who confirmed: they can go and tell."""
    values = {"release": release, "list": target_list, "regions": list(places)}
    return (await connection.execute(_NEAR, values)).all()


async def names(connection: AsyncConnection, numbers: Collection[int]) -> dict[int, str]:
    """Return the names of contacts that are still in the register."""
    query = select(contacts.c.id, contacts.c.name).where(contacts.c.id.in_(bindparam("ids", expanding=True)))
    return {row.id: row.name for row in await connection.execute(query, {"ids": list(numbers)})}


async def region_names(connection: AsyncConnection, codes: Collection[str]) -> dict[str, str]:
    """Return the names of regions by code."""
    query = select(regions.c.code, regions.c.name).where(regions.c.code.in_(bindparam("c", expanding=True)))
    return {row.code: row.name for row in await connection.execute(query, {"c": list(codes)})}


async def search(
    connection: AsyncConnection, release: int, target_list: int, words: str, prefix: str, limit: int
) -> Sequence[Row[Any]]:
    """Return deliveries of a release by their number or a part of the contact's name."""
    known = words.isascii() and words.isdigit() and len(words) <= 18  # noqa: PLR2004 - what a bigint holds
    values = {
        "release": release,
        "list": target_list,
        "words": words,
        "number": int(words) if known else None,
        "prefix": prefix,
        "limit": limit,
    }
    return (await connection.execute(_SEARCH, values)).all()


async def delivery(connection: AsyncConnection, number: int) -> Row[Any] | None:
    """Return one delivery with its contact's name; None where there is none."""
    return (await connection.execute(_ONE, {"delivery": number})).one_or_none()


async def attempts(connection: AsyncConnection, number: int) -> Sequence[Row[Any]]:
    """Return every try of a delivery, a row for each part, the first first."""
    return (await connection.execute(_ATTEMPTS, {"delivery": number})).all()


async def receipts(connection: AsyncConnection, number: int) -> Sequence[Row[Any]]:
    """Return everything that came back on a delivery, in the order in which it came."""
    return (await connection.execute(_RECEIPTS, {"delivery": number})).all()


async def chain(connection: AsyncConnection, warning: int) -> Sequence[Row[Any]]:
    """Return number, kind and level of every alert of a warning, the first first."""
    return (await connection.execute(_CHAIN, {"warning": warning})).all()


async def story(
    connection: AsyncConnection, alerts: Collection[int], routes: Collection[str], since: datetime
) -> Sequence[Row[Any]]:
    """Return the audit records of alerts, and those of routes since a moment, in the log's order."""
    told = audit.c.subject.in_([f"alert {number}" for number in alerts])
    turned = audit.c.subject.in_([f"route {name}" for name in routes]) & (audit.c.at >= since)
    return (await connection.execute(select(audit).where(told | turned).order_by(audit.c.seq))).all()


async def may_approve(
    connection: AsyncConnection, roles: Collection[str], authors: Collection[str]
) -> Sequence[Row[Any]]:
    """Return login and name of active people with one of these roles who are no authors."""
    values = {"roles": list(roles), "authors": list(authors)}
    return (await connection.execute(_APPROVERS, values)).all()
