"""The statements that bring regions and contacts in: COPY into temporary tables, then whole sets.

Everything of one file happens in one transaction on one connection, so a contact is never there
without its addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

_LOCK = 0x61756469  # one number for one purpose: the one import at a time


class Division(NamedTuple):
    """A region to load; None leaves what is stored."""

    code: str
    name: str
    level: str
    population: int | None = None
    lon: float | None = None
    lat: float | None = None
    geometry: bytes | None = None
    """WKB, longitude first."""


class Contact(NamedTuple):
    """A contact to bring in; None leaves what is stored, or takes the default for a contact not yet known."""

    row: int
    external_id: str | None
    name: str
    region: str
    role: str | None
    language: str | None
    lon: float | None
    lat: float | None
    addresses: tuple[tuple[str, str], ...]
    """(channel, address), the one to use first at the front."""
    groups: tuple[str, ...]


class Brought(NamedTuple):
    """What came of a set of contacts."""

    created: int
    updated: int
    shared: list[tuple[int, str]]
    """(row, channel) whose address another contact has already."""
    made: frozenset[str] = frozenset()
    """Names of the groups that it made."""
    moved: frozenset[str] = frozenset()
    """Names of the groups that it put somebody into or took somebody out of."""


_STAGE_REGIONS = """
    CREATE TEMP TABLE staged_regions (LIKE regions) ON COMMIT DROP
"""

_UPSERT_REGIONS = """
    INSERT INTO regions AS r (code, name, level, population, lon, lat, geometry)
    SELECT code, name, level, population, lon, lat, geometry FROM staged_regions
    ON CONFLICT (code) DO UPDATE SET
        name = excluded.name,
        population = coalesce(excluded.population, r.population),
        lon = coalesce(excluded.lon, r.lon),
        lat = coalesce(excluded.lat, r.lat),
        geometry = coalesce(excluded.geometry, r.geometry)
"""

# A region that came before the one above it finds its parent when that comes.
_ADOPT = """
    UPDATE regions AS r SET parent = near.parent
    FROM (
        SELECT own.code, coalesce(
            (SELECT code FROM regions WHERE code = left(own.code, 9) || '000' AND code <> own.code),
            (SELECT code FROM regions WHERE code = left(own.code, 6) || '000000' AND code <> own.code),
            (SELECT code FROM regions WHERE code = left(own.code, 4) || '00000000' AND code <> own.code),
            (SELECT code FROM regions WHERE code = left(own.code, 2) || '0000000000' AND code <> own.code)
        ) AS parent
        FROM regions AS own
    ) AS near
    WHERE near.code = r.code AND r.parent IS DISTINCT FROM near.parent
"""

_STAGE = """
    CREATE TEMP TABLE staged (
        n integer, external_id text, name text, region text, role text, language text,
        lon double precision, lat double precision, contact_id bigint, created boolean DEFAULT false,
        same_addresses boolean DEFAULT false
    ) ON COMMIT DROP;
    CREATE TEMP TABLE staged_addresses (n integer, place integer, channel text, address text) ON COMMIT DROP;
    CREATE TEMP TABLE staged_groups (n integer, name text) ON COMMIT DROP
"""

_ANALYZE = "ANALYZE staged; ANALYZE staged_addresses; ANALYZE staged_groups"

_MATCH_NUMBER = """
    UPDATE staged AS s SET contact_id = c.id FROM contacts AS c WHERE c.external_id = s.external_id
"""

# Unless both have a number, somebody of the same name and region with one of the same addresses is the same.
_MATCH_ADDRESS = """
    UPDATE staged AS s SET contact_id = same.id
    FROM (
        SELECT DISTINCT ON (first.id) first.n, first.id
        FROM (
            SELECT one.n, min(c.id) AS id
            FROM staged AS one JOIN staged_addresses AS own ON own.n = one.n
            JOIN addresses AS a ON a.channel = own.channel AND a.address = own.address
            JOIN contacts AS c ON c.id = a.contact_id AND c.name = one.name AND c.region = one.region
            WHERE one.contact_id IS NULL AND (one.external_id IS NULL OR c.external_id IS NULL)
              AND NOT EXISTS (SELECT FROM staged AS other WHERE other.contact_id = c.id)
            GROUP BY one.n
        ) AS first
        ORDER BY first.id, first.n
    ) AS same
    WHERE same.n = s.n
"""

_SHARED = """
    SELECT DISTINCT own.n, own.channel
    FROM staged_addresses AS own JOIN staged AS s ON s.n = own.n
    JOIN addresses AS a ON a.channel = own.channel AND a.address = own.address
    WHERE a.contact_id IS DISTINCT FROM s.contact_id
    ORDER BY own.n, own.channel
"""

# The sequence is looked up once, in a query of its own, and not for each row.
_NUMBER = """
    UPDATE staged SET created = true,
        contact_id = nextval((SELECT pg_get_serial_sequence('contacts', 'id')::regclass))
    WHERE contact_id IS NULL
"""

_UPDATE = """
    UPDATE contacts AS c SET
        external_id = coalesce(c.external_id, s.external_id),
        name = s.name, region = s.region, role = coalesce(s.role, c.role),
        language = coalesce(s.language, c.language),
        lon = coalesce(s.lon, c.lon), lat = coalesce(s.lat, c.lat)
    FROM staged AS s WHERE c.id = s.contact_id AND NOT s.created
      AND (c.external_id, c.name, c.region, c.role, c.language, c.lon, c.lat) IS DISTINCT FROM (
        coalesce(c.external_id, s.external_id), s.name, s.region, coalesce(s.role, c.role),
        coalesce(s.language, c.language), coalesce(s.lon, c.lon), coalesce(s.lat, c.lat))
"""

_CREATE = """
    INSERT INTO contacts (id, external_id, name, region, role, language, lon, lat)
    OVERRIDING SYSTEM VALUE
    SELECT contact_id, external_id, name, region,
           coalesce(role, 'resident'), coalesce(language, 'zh-CN'), lon, lat
    FROM staged WHERE created ORDER BY n
"""

# Most rows of a register that comes in again bring nothing new: their addresses stay as they are.
_COMPARE_ADDRESSES = """
    UPDATE staged AS s SET same_addresses = true
    FROM (
        SELECT n, array_agg(channel || ' ' || address ORDER BY channel, place) AS all_of_it
        FROM staged_addresses GROUP BY n
    ) AS given, (
        SELECT contact_id, array_agg(channel || ' ' || address ORDER BY channel, id) AS all_of_it
        FROM addresses WHERE channel = ANY($1::text[])
          AND contact_id IN (SELECT contact_id FROM staged WHERE NOT created) GROUP BY contact_id
    ) AS stored
    WHERE given.n = s.n AND stored.contact_id = s.contact_id AND given.all_of_it = stored.all_of_it
"""

_FORGET_ADDRESSES = """
    DELETE FROM addresses AS a USING staged AS s
    WHERE a.contact_id = s.contact_id AND a.channel = ANY($1::text[])
      AND NOT s.created AND NOT s.same_addresses
"""

_ADDRESSES = """
    INSERT INTO addresses (contact_id, channel, address)
    SELECT s.contact_id, own.channel, own.address
    FROM staged_addresses AS own JOIN staged AS s ON s.n = own.n
    WHERE NOT s.same_addresses
    ORDER BY own.n, own.place
    ON CONFLICT DO NOTHING
"""

_GROUPS = """
    INSERT INTO contact_groups (name) SELECT DISTINCT name FROM staged_groups ORDER BY name
    ON CONFLICT DO NOTHING RETURNING name
"""

# Who stays in a group is not touched, so that what is told is what the file changes.
_LEAVE_GROUPS = """
    WITH gone AS (
        DELETE FROM group_members AS m USING staged AS s
        WHERE m.contact_id = s.contact_id AND NOT s.created AND NOT EXISTS (
            SELECT FROM staged_groups AS own JOIN contact_groups AS g ON g.name = own.name
            WHERE own.n = s.n AND g.id = m.group_id)
        RETURNING m.group_id
    )
    SELECT DISTINCT g.name FROM gone JOIN contact_groups AS g ON g.id = gone.group_id
"""

_MEMBERS = """
    WITH come AS (
        INSERT INTO group_members (group_id, contact_id)
        SELECT g.id, s.contact_id FROM staged_groups AS own
        JOIN staged AS s ON s.n = own.n JOIN contact_groups AS g ON g.name = own.name
        ON CONFLICT DO NOTHING RETURNING group_id
    )
    SELECT DISTINCT g.name FROM come JOIN contact_groups AS g ON g.id = come.group_id
"""


async def region_names(connection: asyncpg.Connection, within: str = "") -> list[tuple[str, str]]:
    """Return (code, name) of every region whose code begins so."""
    query = "SELECT code, name FROM regions WHERE starts_with(code, $1)"
    return [tuple(row) for row in await connection.fetch(query, within)]


async def numbers_outside(connection: asyncpg.Connection, within: str) -> set[str]:
    """Return the numbers of contacts whose region does not begin so."""
    query = "SELECT external_id FROM contacts WHERE external_id IS NOT NULL AND NOT starts_with(region, $1)"
    return {row[0] for row in await connection.fetch(query, within)}


async def load_regions(connection: asyncpg.Connection, divisions: Collection[Division]) -> tuple[int, int]:
    """Insert or update regions in one transaction; return (created, updated)."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_STAGE_REGIONS)
        await connection.copy_records_to_table("staged_regions", records=divisions, columns=Division._fields)
        known = await connection.fetchval("SELECT count(*) FROM staged_regions JOIN regions USING (code)")
        await connection.execute(_UPSERT_REGIONS)
        await connection.execute(_ADOPT)
    return len(divisions) - known, known


async def bring(
    connection: asyncpg.Connection,
    contacts: Sequence[Contact],
    *,
    channels: Collection[str],
    groups: bool,
    keep: bool = True,
) -> Brought:
    """Insert or update contacts with their addresses and groups, all of them or none.

    Args:
        connection: outside any transaction.
        contacts: with a row number each that is unique among them.
        channels: whose stored addresses the given ones replace.
        groups: whether the given groups replace the stored ones.
        keep: False rolls everything back: a rehearsal.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await _stage(connection, contacts)
        await connection.execute(_MATCH_NUMBER)
        await connection.execute(_MATCH_ADDRESS)
        shared = [tuple(row) for row in await connection.fetch(_SHARED)]
        created = _rows(await connection.execute(_NUMBER))
        await _write(connection, list(channels))
        made, moved = await _group(connection) if groups else (frozenset[str](), frozenset[str]())
    except BaseException:
        await transaction.rollback()
        raise
    await (transaction.commit() if keep else transaction.rollback())
    return Brought(created, len(contacts) - created, shared, made, moved)


async def _stage(connection: asyncpg.Connection, contacts: Sequence[Contact]) -> None:
    await connection.execute(_STAGE)
    await connection.copy_records_to_table(
        "staged",
        records=[one[:8] for one in contacts],
        columns=["n", "external_id", "name", "region", "role", "language", "lon", "lat"],
    )
    await connection.copy_records_to_table(
        "staged_addresses",
        records=[(one.row, place, *own) for one in contacts for place, own in enumerate(one.addresses)],
        columns=["n", "place", "channel", "address"],
    )
    await connection.copy_records_to_table(
        "staged_groups",
        records=[(one.row, name) for one in contacts for name in one.groups],
        columns=["n", "name"],
    )
    await connection.execute(_ANALYZE)


async def _write(connection: asyncpg.Connection, channels: list[str]) -> None:
    await connection.execute(_UPDATE)
    await connection.execute(_CREATE)
    await connection.execute(_COMPARE_ADDRESSES, channels)
    await connection.execute(_FORGET_ADDRESSES, channels)
    await connection.execute(_ADDRESSES)


async def _group(connection: asyncpg.Connection) -> tuple[frozenset[str], frozenset[str]]:
    """Put everybody into the given groups alone; return the groups made, and those with other members."""
    made, gone, come = [await connection.fetch(one) for one in (_GROUPS, _LEAVE_GROUPS, _MEMBERS)]
    return frozenset(row["name"] for row in made), frozenset(row["name"] for row in (*gone, *come))


def _rows(status: Any) -> int:  # noqa: ANN401 - asyncpg's status line, such as "UPDATE 3"
    return int(str(status).rpartition(" ")[2])
