"""What the pages of people and places read and write: contacts, groups, regions with their gaps, imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Row, and_, delete, func, insert, not_, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.store.console_tables import imports
from gateway.store.tables import addresses, audit, contact_groups, contacts, group_members, regions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

_VILLAGE = regions.alias("own")
_ABOVE = regions.alias("above")

# Codes are digits, so that what lies within a prefix lies between it filled up with 0 and with 9, and the
# index on the region serves.
_CHILDREN = text(
    """
    WITH kids AS (
        SELECT code, name, level, population, rpad(p.prefix, 12, '0') AS low, rpad(p.prefix, 12, '9') AS high
        FROM regions AS r CROSS JOIN LATERAL (
            SELECT left(code, CASE level WHEN 'province' THEN 2 WHEN 'city' THEN 4 WHEN 'county' THEN 6
                WHEN 'township' THEN 9 ELSE 12 END) AS prefix
        ) AS p
        WHERE r.code = ANY(CAST(:codes AS text[])) OR r.parent = CAST(:parent AS text)
    ), own AS MATERIALIZED (
        SELECT c.region, count(*) AS people, count(*) FILTER (WHERE c.role = 'responsible') AS responsible
        FROM contacts AS c WHERE c.active AND c.region BETWEEN :low AND :high GROUP BY 1
    ), without AS MATERIALIZED (
        SELECT c.region, count(*) AS people
        FROM contacts AS c WHERE c.active AND c.region BETWEEN :low AND :high
          AND NOT EXISTS (SELECT FROM addresses AS a WHERE a.contact_id = c.id) GROUP BY 1
    ), counted AS MATERIALIZED (
        SELECT r.code, r.level = 'village' AS village, coalesce(own.people, 0) AS people,
            coalesce(own.responsible, 0) AS responsible,
            coalesce(without.people, 0) AS unreachable
        FROM regions AS r
        LEFT JOIN own ON own.region = r.code LEFT JOIN without ON without.region = r.code
        WHERE r.code BETWEEN :low AND :high
    )
    SELECT k.code, k.name, k.level, k.population,
        CAST(coalesce(sum(n.people), 0) AS bigint) AS people,
        CAST(coalesce(sum(n.unreachable), 0) AS bigint) AS unreachable,
        CAST(coalesce(sum(n.responsible), 0) AS bigint) AS responsible,
        count(*) FILTER (WHERE n.village) AS villages,
        count(*) FILTER (WHERE n.village AND n.responsible = 0) AS gaps
    FROM kids AS k LEFT JOIN counted AS n ON n.code BETWEEN k.low AND k.high
    GROUP BY k.code, k.name, k.level, k.population ORDER BY k.code
    """
)

_TOPS = text(
    """
    SELECT code FROM regions
    WHERE CASE WHEN CAST(:scope AS text) IS NULL THEN parent IS NULL ELSE code = CAST(:scope AS text) END
    ORDER BY code
    """
)

_GAPS = text(
    """
    SELECT v.code, v.name, v.population, t.name AS township
    FROM regions AS v LEFT JOIN regions AS t ON t.code = left(v.code, 9) || '000'
    WHERE v.level = 'village' AND starts_with(v.code, :prefix) AND NOT EXISTS (
        SELECT FROM contacts AS c WHERE c.active AND c.region = v.code AND c.role = 'responsible')
    ORDER BY v.population DESC NULLS LAST, v.code LIMIT :most
    """
)

# Row versions tell whether anything changed, without a look at the borders themselves.
_OUTLINE_MARK = text(
    """
    SELECT count(*) || ' ' || coalesce(sum(hashtext(code || ' ' || xmin::text || ' ' || ctid::text)), 0)
    FROM regions WHERE level <> 'village'
    """
)

_OUTLINES = text("SELECT code, name, level, geometry FROM regions WHERE level <> 'village' ORDER BY code")


class Wanted(NamedTuple):
    """Which contacts a list shows; what is empty does not choose."""

    within: str = ""
    """Digits that the region must begin with: the area of who asks."""
    words: str = ""
    """Part of a name, or a whole number of the register."""
    prefix: str = ""
    """Digits that the region must begin with: what was asked for."""
    role: str = ""
    channel: str = ""
    """Has an address on it; ``none``: has no address at all."""
    group: int | None = None
    active: bool = True


class ContactRow(NamedTuple):
    """One contact with where it belongs."""

    id: int
    external_id: str | None
    name: str
    region: str
    region_name: str
    township: str | None
    """Name of the township above, where the region is a village."""
    role: str
    language: str
    active: bool


class AddressRow(NamedTuple):
    """One address of a contact; the lowest id of a channel is used first."""

    id: int
    contact_id: int
    channel: str
    address: str


class GroupRow(NamedTuple):
    """A group, with how many of its members lie within the area of who asks, and how many elsewhere."""

    id: int
    name: str
    members: int
    others: int


class Place(NamedTuple):
    """A region as the tree shows it."""

    code: str
    name: str
    level: str
    population: int | None
    people: int
    """Active contacts in it and below."""
    unreachable: int
    """Those of them without any address."""
    responsible: int
    villages: int
    gaps: int
    """Villages without a responsible person of their own."""


class RegionRow(NamedTuple):
    """A region and the one above it."""

    code: str
    name: str
    level: str
    parent: str | None


class ImportRow(NamedTuple):
    """A file that was sent, without its bytes."""

    id: int
    kind: str
    name: str
    sha256: str
    made_by: str
    made_at: datetime
    state: str
    rows: int
    seen_at: datetime
    report: dict[str, Any] | None
    ended_at: datetime | None
    kept: bool
    """Whether the file itself is still there."""


def _contacts() -> Any:  # noqa: ANN401 - a select of many columns
    return (
        select(
            contacts.c.id,
            contacts.c.external_id,
            contacts.c.name,
            contacts.c.region,
            _VILLAGE.c.name.label("region_name"),
            _ABOVE.c.name.label("township"),
            contacts.c.role,
            contacts.c.language,
            contacts.c.active,
        )
        .join(_VILLAGE, _VILLAGE.c.code == contacts.c.region)
        .outerjoin(
            _ABOVE,
            and_(
                _ABOVE.c.code == func.left(contacts.c.region, 9) + "000", _ABOVE.c.code != contacts.c.region
            ),
        )
    )


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    own = select(addresses.c.id).where(addresses.c.contact_id == contacts.c.id)
    found = [contacts.c.active == wanted.active]
    found += [_within(one) for one in (wanted.within, wanted.prefix) if one]
    if wanted.words:
        name = contacts.c.name.icontains(wanted.words, autoescape=True)
        found.append(or_(name, contacts.c.external_id == wanted.words))
    if wanted.role:
        found.append(contacts.c.role == wanted.role)
    if wanted.channel == "none":
        found.append(not_(own.exists()))
    elif wanted.channel:
        found.append(own.where(addresses.c.channel == wanted.channel).exists())
    if wanted.group is not None:
        members = select(group_members.c.contact_id).where(group_members.c.group_id == wanted.group)
        found.append(contacts.c.id.in_(members))
    return found


def _within(prefix: str) -> ColumnElement[bool]:
    return contacts.c.region.between(prefix.ljust(12, "0"), prefix.ljust(12, "9"))


async def found(
    connection: AsyncConnection, wanted: Wanted, skip: int, most: int
) -> tuple[int, list[ContactRow]]:
    """Return how many contacts there are, and a page of them by region and name."""
    conditions = _conditions(wanted)
    order = (contacts.c.region, contacts.c.name, contacts.c.id)
    counted = select(func.count()).select_from(contacts).where(*conditions)
    # The index on region and name gives a page at once. A name is searched in every row, and then one look
    # counts all and picks the page.
    total = func.count().over() if wanted.words else counted.scalar_subquery()
    page = (
        select(contacts.c.id, total.label("total"))
        .where(*conditions)
        .order_by(*order)
        .offset(skip)
        .limit(most)
        .subquery()
    )
    query = _contacts().add_columns(page.c.total).join(page, page.c.id == contacts.c.id).order_by(*order)
    rows = (await connection.execute(query)).all()
    if rows or not skip:
        return (rows[0].total if rows else 0), [ContactRow(*row[:-1]) for row in rows]
    return (await connection.execute(counted)).scalar_one(), []


async def outsiders(connection: AsyncConnection, group: int, wanted: Wanted, most: int) -> list[ContactRow]:
    """Return contacts that are wanted and not in a group."""
    members = select(group_members.c.contact_id).where(group_members.c.group_id == group)
    conditions = [*_conditions(wanted), contacts.c.id.not_in(members)]
    query = _contacts().where(*conditions).order_by(contacts.c.name, contacts.c.id).limit(most)
    return [ContactRow(*row) for row in await connection.execute(query)]


async def contact(connection: AsyncConnection, number: int, *, hold: bool = False) -> ContactRow | None:
    """Return one contact; ``hold`` keeps others from changing it until the transaction ends."""
    query = _contacts().where(contacts.c.id == number)
    row = (await connection.execute(query.with_for_update(of=contacts) if hold else query)).one_or_none()
    return ContactRow(*row) if row else None


async def addresses_of(connection: AsyncConnection, numbers: Collection[int]) -> dict[int, list[AddressRow]]:
    """Return contact -> its addresses, the one used first at the front of each channel."""
    query = (
        select(addresses.c.id, addresses.c.contact_id, addresses.c.channel, addresses.c.address)
        .where(addresses.c.contact_id.in_(numbers))
        .order_by(addresses.c.channel, addresses.c.id)
    )
    kept: dict[int, list[AddressRow]] = {number: [] for number in numbers}
    for row in await connection.execute(query):
        kept[row.contact_id].append(AddressRow(*row))
    return kept


async def groups_of(connection: AsyncConnection, number: int) -> list[tuple[int, str]]:
    """Return (number, name) of the groups that a contact is in."""
    query = (
        select(contact_groups.c.id, contact_groups.c.name)
        .join(group_members, group_members.c.group_id == contact_groups.c.id)
        .where(group_members.c.contact_id == number)
        .order_by(contact_groups.c.name)
    )
    return [(row.id, row.name) for row in await connection.execute(query)]


async def number_taken(connection: AsyncConnection, external_id: str, but: int | None) -> bool:
    """Return whether another contact has this number of the register."""
    query = select(contacts.c.id).where(contacts.c.external_id == external_id)
    if but is not None:
        query = query.where(contacts.c.id != but)
    return (await connection.execute(query)).first() is not None


async def add_contact(connection: AsyncConnection, **values: Any) -> int | None:  # noqa: ANN401 - columns
    """Insert a contact and return its number; None where its number of the register is taken."""
    query = (
        upsert(contacts)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["external_id"])
        .returning(contacts.c.id)
    )
    added: int | None = (await connection.execute(query)).scalar_one_or_none()
    return added


async def change_contact(connection: AsyncConnection, number: int, **values: Any) -> None:  # noqa: ANN401
    """Set columns of a contact."""
    await connection.execute(update(contacts).where(contacts.c.id == number).values(**values))


async def add_addresses(
    connection: AsyncConnection, number: int, given: Iterable[tuple[str, str]]
) -> list[str]:
    """Add (channel, address) to a contact and return the channels of those it did not have yet."""
    added = []
    for channel, address in given:
        query = (
            upsert(addresses)
            .values(contact_id=number, channel=channel, address=address)
            .on_conflict_do_nothing()
            .returning(addresses.c.channel)
        )
        added += list((await connection.execute(query)).scalars())
    return added


async def drop_addresses(connection: AsyncConnection, number: int, ids: Collection[int]) -> list[str]:
    """Delete addresses of a contact and return their channels."""
    query = (
        delete(addresses)
        .where(addresses.c.contact_id == number, addresses.c.id.in_(ids))
        .returning(addresses.c.channel)
    )
    return sorted((await connection.execute(query)).scalars())


async def group_names(connection: AsyncConnection) -> Sequence[Row[int, str]]:
    """Return number and name of every group, by name: its members are not counted."""
    query = select(contact_groups.c.id, contact_groups.c.name).order_by(contact_groups.c.name)
    return (await connection.execute(query)).all()


async def groups(connection: AsyncConnection, within: str, number: int | None = None) -> list[GroupRow]:
    """Return every group by name, or one only."""
    inside = func.starts_with(contacts.c.region, within)
    query = (
        select(
            contact_groups.c.id,
            contact_groups.c.name,
            func.count(contacts.c.id).filter(inside).label("members"),
            func.count(contacts.c.id).filter(not_(inside)).label("others"),
        )
        .outerjoin(group_members, group_members.c.group_id == contact_groups.c.id)
        .outerjoin(contacts, contacts.c.id == group_members.c.contact_id)
        .group_by(contact_groups.c.id)
        .order_by(contact_groups.c.name)
    )
    if number is not None:
        query = query.where(contact_groups.c.id == number)
    return [GroupRow(*row) for row in await connection.execute(query)]


async def group(connection: AsyncConnection, number: int, within: str = "") -> GroupRow | None:
    """Return one group."""
    return next(iter(await groups(connection, within, number)), None)


async def add_group(connection: AsyncConnection, name: str) -> int | None:
    """Insert a group and return its number; None where there is one of this name."""
    query = upsert(contact_groups).values(name=name).on_conflict_do_nothing().returning(contact_groups.c.id)
    added: int | None = (await connection.execute(query)).scalar_one_or_none()
    return added


async def drop_group(connection: AsyncConnection, number: int) -> None:
    """Delete a group; its members stay."""
    await connection.execute(delete(contact_groups).where(contact_groups.c.id == number))


async def join(connection: AsyncConnection, group: int, numbers: Collection[int]) -> int:
    """Put contacts into a group and return how many were not in it."""
    rows = [{"group_id": group, "contact_id": one} for one in numbers]
    query = upsert(group_members).values(rows).on_conflict_do_nothing().returning(group_members.c.contact_id)
    return len((await connection.execute(query)).all())


async def leave(connection: AsyncConnection, group: int, number: int) -> bool:
    """Take a contact out of a group; return whether it was in it."""
    query = (
        delete(group_members)
        .where(group_members.c.group_id == group, group_members.c.contact_id == number)
        .returning(group_members.c.contact_id)
    )
    return (await connection.execute(query)).first() is not None


async def reveals_since(connection: AsyncConnection, login: str, since: datetime) -> int:
    """Return how many addresses a person has looked at, by the log."""
    query = select(func.count()).where(audit.c.actor == login, audit.c.action == "reveal", audit.c.at > since)
    return (await connection.execute(query)).scalar_one()


async def places(connection: AsyncConnection, code: str, prefix: str) -> tuple[Place, list[Place]]:
    """Return a region that there is, and its parts; ``prefix`` begins the codes of all within it."""
    values = {"parent": code, "codes": [code], "low": prefix.ljust(12, "0"), "high": prefix.ljust(12, "9")}
    rows = await connection.execute(_CHILDREN, values)
    own, *parts = sorted((Place(*row) for row in rows), key=lambda one: (one.code != code, one.code))
    return own, parts


async def topmost(connection: AsyncConnection, scope: str | None) -> list[str]:
    """Return the code of the region of who asks, or of those that lie in no other."""
    return list((await connection.execute(_TOPS, {"scope": scope})).scalars())


async def several(connection: AsyncConnection, chosen: Collection[str]) -> list[Place]:
    """Return these regions."""
    values = {"parent": None, "codes": list(chosen), "low": "0" * 12, "high": "9" * 12}
    return [Place(*row) for row in await connection.execute(_CHILDREN, values)]


async def gaps(connection: AsyncConnection, prefix: str, most: int) -> list[Row[Any]]:
    """Return (code, name, population, township) of villages without a responsible person, largest first."""
    return list((await connection.execute(_GAPS, {"prefix": prefix, "most": most})).all())


async def region(connection: AsyncConnection, code: str) -> RegionRow | None:
    """Return one region."""
    query = select(regions.c.code, regions.c.name, regions.c.level, regions.c.parent)
    row = (await connection.execute(query.where(regions.c.code == code))).one_or_none()
    return RegionRow(*row) if row else None


async def region_names(connection: AsyncConnection, within: str) -> list[tuple[str, str]]:
    """Return (code, name) of every region whose code begins so."""
    query = select(regions.c.code, regions.c.name).where(func.starts_with(regions.c.code, within))
    return [(row.code, row.name) for row in await connection.execute(query.order_by(regions.c.code))]


async def outline_mark(connection: AsyncConnection) -> str:
    """Return a text that changes whenever a region above the villages does."""
    return str((await connection.execute(_OUTLINE_MARK)).scalar_one())


async def outlines(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """Return (code, name, level, geometry as WKB) of every region above the villages, by code."""
    return (await connection.execute(_OUTLINES)).all()


_IMPORT = (
    *(imports.c.id, imports.c.kind, imports.c.name, imports.c.sha256, imports.c.made_by, imports.c.made_at),
    *(imports.c.state, imports.c.rows, imports.c.seen_at, imports.c.report, imports.c.ended_at),
    imports.c.data.is_not(None).label("kept"),
)


async def recent_imports(connection: AsyncConnection, login: str | None, most: int) -> list[ImportRow]:
    """Return the latest files first; of one person only, where given."""
    query = select(*_IMPORT).order_by(imports.c.id.desc()).limit(most)
    if login is not None:
        query = query.where(imports.c.made_by == login)
    return [ImportRow(*tuple(row)) for row in await connection.execute(query)]


async def import_(connection: AsyncConnection, number: int) -> ImportRow | None:
    """Return one file that was sent."""
    row = (await connection.execute(select(*_IMPORT).where(imports.c.id == number))).one_or_none()
    return ImportRow(*tuple(row)) if row else None


async def import_data(connection: AsyncConnection, number: int) -> bytes | None:
    """Return the bytes of a file; None where they are gone."""
    return (
        await connection.execute(select(imports.c.data).where(imports.c.id == number))
    ).scalar_one_or_none()


async def import_under_way(connection: AsyncConnection) -> ImportRow | None:
    """Return the file that is being read or brought in."""
    query = select(*_IMPORT).where(imports.c.state.in_(("checking", "running"))).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return ImportRow(*tuple(row)) if row else None


async def add_import(connection: AsyncConnection, **values: Any) -> int:  # noqa: ANN401 - columns
    """Keep a file and return its number."""
    query = insert(imports).values(**values).returning(imports.c.id)
    number: int = (await connection.execute(query)).scalar_one()
    return number


async def change_import(
    connection: AsyncConnection,
    number: int,
    was: str,
    **values: Any,  # noqa: ANN401 - columns
) -> bool:
    """Set columns of a file that is in the state ``was``; return whether it is."""
    query = update(imports).where(imports.c.id == number, imports.c.state == was).values(**values)
    return (await connection.execute(query.returning(imports.c.id))).first() is not None


async def forget_files(connection: AsyncConnection, before: datetime) -> None:
    """Drop the bytes of files that were sent before; the reports stay."""
    idle = imports.c.state.not_in(("checking", "running"))
    query = update(imports).where(imports.c.made_at < before, imports.c.data.is_not(None), idle)
    await connection.execute(query.values(data=None))


async def fail_silent_imports(connection: AsyncConnection, before: datetime, now: datetime) -> None:
    """End files under way whose process gave no sign since: it was stopped."""
    quiet = and_(imports.c.state.in_(("checking", "running")), imports.c.seen_at < before)
    await connection.execute(update(imports).where(quiet).values(state="failed", ended_at=now, data=None))


async def driver(connection: AsyncConnection) -> Any:  # noqa: ANN401 - asyncpg's, which has no types
    """Return the driver's connection inside the caller's transaction, which has begun."""
    await connection.execute(select(1))
    return (await connection.get_raw_connection()).driver_connection
