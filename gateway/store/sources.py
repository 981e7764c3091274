"""Leases, and what is known of the sources: state, connections, links and troubles."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from gateway.store.source_tables import source_connections, source_links, source_states, source_troubles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

TROUBLES_KEPT = 100
"""Of each source."""
_SENTENCE, _PLACE, _UPDATED = 500, 300, 100
"""The longest of each that is kept."""


@dataclass(frozen=True, slots=True)
class State:
    """One source, as in :data:`gateway.store.source_tables.source_states`.

    Attributes:
        source: its name in the settings.
        token: of the lease under which it was written last.
        since: when it was first known here.
        polled_at: the last try.
        good_at: the last answer that could be read.
        heartbeat_at: the last sign of life.
        item_at: when something new came last.
        changed_at: when the document was last another one.
        generated_at: the source's own stamp of its document.
        moved_at: when that stamp, or what stands for it, moved last.
        next_at: when it is polled next.
        certificate_until: when the certificate of its host expires.
        failures: one after the other.
        code: of the last failure; empty once it goes well again, as the next two are.
        error: in words.
        fix: the way out.
        items: alerts and solutions read, repeats included.
        troubled: entries of the last document that could not be read.
        digest: SHA-256 of the last document.
    """

    source: str
    token: int
    since: datetime
    polled_at: datetime | None
    good_at: datetime | None
    heartbeat_at: datetime | None
    item_at: datetime | None
    changed_at: datetime | None
    generated_at: datetime | None
    moved_at: datetime | None
    next_at: datetime | None
    certificate_until: datetime | None
    failures: int
    code: str
    error: str
    fix: str
    items: int
    troubled: int
    digest: str


class Connection(NamedTuple):
    """One host of a stream."""

    source: str
    host: str
    connected_at: datetime | None
    heartbeat_at: datetime | None
    failures: int
    code: str
    error: str
    fix: str


class Trouble(NamedTuple):
    """What could not be read or fetched."""

    code: str
    place: str
    """In the document, or its address without query."""
    sentence: str
    fix: str


class KnownTrouble(NamedTuple):
    """A trouble as it is kept."""

    source: str
    code: str
    place: str
    sentence: str
    fix: str
    times: int
    first_at: datetime
    last_at: datetime


class LinkRow(NamedTuple):
    """A document that is to be fetched."""

    key: str
    url: str
    failures: int


_ACQUIRE = text(
    """
    INSERT INTO leases AS l (name, holder, until, token)
    VALUES (:name, :holder, clock_timestamp() + make_interval(secs => :seconds), 1)
    ON CONFLICT (name) DO UPDATE
    SET holder = excluded.holder, until = excluded.until, token = l.token + 1
    WHERE l.until <= clock_timestamp()
    RETURNING token
    """
)
_RENEW = text(
    """
    UPDATE leases SET until = clock_timestamp() + make_interval(secs => :seconds)
    WHERE name = :name AND token = :token AND until > clock_timestamp()
    """
)
_RELEASE = text("UPDATE leases SET until = clock_timestamp() WHERE name = :name AND token = :token")
_HOLDER = text("SELECT holder FROM leases WHERE name = :name AND until > clock_timestamp()")
_LIST_LINKS = text(
    """
    INSERT INTO source_links AS l (source, key, url, updated, seen_at)
    SELECT :source, * , :at
    FROM unnest(cast(:keys AS text[]), cast(:urls AS text[]), cast(:updated AS text[]))
    ON CONFLICT (source, key) DO UPDATE SET
        seen_at = excluded.seen_at, updated = excluded.updated,
        fetched_at = CASE WHEN l.updated = excluded.updated THEN l.fetched_at END,
        next_at = CASE WHEN l.updated = excluded.updated THEN l.next_at END,
        failures = CASE WHEN l.updated = excluded.updated THEN l.failures ELSE 0 END
    -- A list of a thousand that stays the same is not written anew each minute.
    WHERE l.updated <> excluded.updated OR l.seen_at < excluded.seen_at - interval '1 hour'
    """
)
_FORGET_LINKS = text(
    """
    DELETE FROM source_links WHERE source = :source AND (
        (fetched_at IS NULL AND NOT (key = ANY(cast(:keys AS text[]))))
        OR seen_at < cast(:at AS timestamptz) - interval '14 days')
    """
)
_PRUNE_TROUBLES = text(
    """
    DELETE FROM source_troubles WHERE source = :source AND id NOT IN (
        SELECT id FROM source_troubles WHERE source = :source ORDER BY last_at DESC, id DESC LIMIT :kept)
    """
)


async def acquire(connection: AsyncConnection, name: str, holder: str, seconds: float) -> int | None:
    """Take a lease that nobody holds; return its token, or None where somebody does."""
    row = await connection.execute(_ACQUIRE, {"name": name, "holder": holder, "seconds": seconds})
    token: int | None = row.scalar_one_or_none()
    return token


async def renew(connection: AsyncConnection, name: str, token: int, seconds: float) -> bool:
    """Hold a lease for longer; False where it has run out."""
    done = await connection.execute(_RENEW, {"name": name, "token": token, "seconds": seconds})
    return bool(done.rowcount)


async def release(connection: AsyncConnection, name: str, token: int) -> None:
    """Give a lease back, so that the next process need not wait."""
    await connection.execute(_RELEASE, {"name": name, "token": token})


async def holder(connection: AsyncConnection, name: str) -> str | None:
    """Return who holds a lease, if anybody."""
    held: str | None = (await connection.execute(_HOLDER, {"name": name})).scalar_one_or_none()
    return held


async def ensure(connection: AsyncConnection, sources: Iterable[str], at: datetime) -> None:
    """Begin to know sources; those that are known stay as they are."""
    rows = [{"source": source, "since": at} for source in sorted(sources)]
    if rows:
        await connection.execute(insert(source_states).on_conflict_do_nothing(), rows)


async def states(connection: AsyncConnection) -> dict[str, State]:
    """Return every source that is known."""
    rows = (await connection.execute(select(source_states))).mappings()
    return {row["source"]: State(**{name: row[name] for name in State.__slots__}) for row in rows}


async def note(connection: AsyncConnection, source: str, token: int, values: Mapping[str, Any]) -> bool:
    """Write what is known of a source; False where a later holder of the lease has written already."""
    mine = (source_states.c.source == source) & (source_states.c.token <= token)
    done = await connection.execute(update(source_states).where(mine).values(token=token, **values))
    return bool(done.rowcount)


async def count_items(connection: AsyncConnection, source: str, items: int, new_at: datetime | None) -> None:
    """Count what was read; ``new_at`` where something of it was new."""
    values: dict[str, Any] = {"items": source_states.c["items"] + items}
    values |= {"item_at": new_at} if new_at else {}
    await connection.execute(update(source_states).where(source_states.c.source == source).values(values))


async def connections(connection: AsyncConnection) -> list[Connection]:
    """Return the hosts of all streams."""
    asked = select(source_connections).order_by(source_connections.c.source, source_connections.c.host)
    rows = (await connection.execute(asked)).mappings()
    return [Connection(**{name: row[name] for name in Connection._fields}) for row in rows]


async def note_connection(
    connection: AsyncConnection, source: str, host: str, values: Mapping[str, Any]
) -> None:
    """Write what is known of one host of a stream."""
    row = insert(source_connections).values(source=source, host=host, **values)
    await connection.execute(row.on_conflict_do_update(index_elements=["source", "host"], set_=dict(values)))


async def add_troubles(
    connection: AsyncConnection, source: str, troubles: Sequence[Trouble], at: datetime
) -> None:
    """Keep troubles; one that is known is counted once more, and only the newest stay."""
    for code, place, sentence, fix in sorted(set(map(_bounded, troubles)))[:TROUBLES_KEPT]:
        row = insert(source_troubles).values(
            source=source, code=code, place=place, sentence=sentence, fix=fix, first_at=at, last_at=at
        )
        again = {"sentence": sentence, "fix": fix, "last_at": at, "times": source_troubles.c.times + 1}
        await connection.execute(
            row.on_conflict_do_update(index_elements=["source", "code", "place"], set_=again)
        )
    await connection.execute(_PRUNE_TROUBLES, {"source": source, "kept": TROUBLES_KEPT})


async def clear_troubles(connection: AsyncConnection, source: str, place: str) -> None:
    """Forget the troubles at a place, and of what stands in the document there."""
    kept = kept_place(place)
    there = source_troubles.c.place == kept
    within = source_troubles.c.place.startswith(f"{kept} ", autoescape=True)
    await connection.execute(
        delete(source_troubles).where(source_troubles.c.source == source, there | within)
    )


def kept_place(place: str) -> str:
    """Return a place as a trouble keeps it."""
    return _plain(place, _PLACE)


def _bounded(trouble: Trouble) -> Trouble:
    return Trouble(trouble.code, kept_place(trouble.place), _plain(trouble.sentence, _SENTENCE), trouble.fix)


def _plain(value: str, longest: int) -> str:
    """Return a text that PostgreSQL can keep and a terminal can show: it may hold what a stranger wrote."""
    return "".join(one if one.isprintable() else "\ufffd" for one in value[:longest])


async def troubles(connection: AsyncConnection, source: str | None = None) -> list[KnownTrouble]:
    """Return the troubles, the newest first."""
    columns = [source_troubles.c[name] for name in KnownTrouble._fields]
    asked = select(*columns).order_by(source_troubles.c.last_at.desc(), source_troubles.c.id.desc())
    if source is not None:
        asked = asked.where(source_troubles.c.source == source)
    return [KnownTrouble(*row) for row in await connection.execute(asked)]


def link_key(url: str) -> str:
    """Return the name of a link in the table; a URL may be longer than an index can hold."""
    return sha256(url.encode("utf-8", "replace")).hexdigest()


async def list_links(
    connection: AsyncConnection, source: str, links: Mapping[str, str], at: datetime
) -> None:
    """Note what an index lists, URL to ``updated``; what it dropped before it was fetched is forgotten."""
    keys = [link_key(url) for url in links]
    updated = [_plain(one, _UPDATED) for one in links.values()]
    given = {"source": source, "keys": keys, "urls": list(links), "updated": updated, "at": at}
    await connection.execute(_LIST_LINKS, given)
    await connection.execute(_FORGET_LINKS, {"source": source, "keys": keys, "at": at})


async def due_links(connection: AsyncConnection, source: str, at: datetime, most: int) -> list[LinkRow]:
    """Return the links that are to be fetched: those that never failed first, and the newest of them."""
    due = (source_links.c.source == source) & source_links.c.fetched_at.is_(None)
    due &= source_links.c.next_at.is_(None) | (source_links.c.next_at <= at)
    asked = select(source_links.c.key, source_links.c.url, source_links.c.failures).where(due)
    order = (source_links.c.failures, source_links.c.updated.desc(), source_links.c.key)
    rows = await connection.execute(asked.order_by(*order).limit(most))
    return [LinkRow(*row) for row in rows]


async def link_fetched(connection: AsyncConnection, source: str, key: str, at: datetime) -> None:
    """Note that a link need not be fetched again."""
    await _note_link(connection, source, key, {"fetched_at": at, "failures": 0, "next_at": None})


async def link_failed(connection: AsyncConnection, source: str, key: str, again_at: datetime) -> None:
    """Note that a link could not be fetched or read, and when it is tried again."""
    await _note_link(connection, source, key, {"failures": source_links.c.failures + 1, "next_at": again_at})


async def _note_link(connection: AsyncConnection, source: str, key: str, values: Mapping[str, Any]) -> None:
    one = (source_links.c.source == source) & (source_links.c.key == key)
    await connection.execute(update(source_links).where(one).values(values))


async def failing_links(connection: AsyncConnection) -> dict[str, int]:
    """Return how many links of each source could not be fetched or read so far."""
    failing = source_links.c.fetched_at.is_(None) & (source_links.c.failures > 0)
    asked = select(source_links.c.source, func.count()).where(failing).group_by(source_links.c.source)
    return {str(source): int(count) for source, count in await connection.execute(asked)}


async def failing_urls(connection: AsyncConnection, source: str) -> list[str]:
    """Return links of a source that could not be fetched or read so far: those that were tried last."""
    failing = (source_links.c.source == source) & source_links.c.fetched_at.is_(None)
    asked = select(source_links.c.url).where(failing & (source_links.c.failures > 0))
    newest = asked.order_by(source_links.c.next_at.desc(), source_links.c.key).limit(TROUBLES_KEPT)
    return list((await connection.execute(newest)).scalars())


async def forget_connections(connection: AsyncConnection, source: str, hosts: Sequence[str]) -> None:
    """Forget the hosts of a stream that the settings no longer name."""
    gone = (source_connections.c.source == source) & source_connections.c.host.not_in(hosts)
    await connection.execute(delete(source_connections).where(gone))
