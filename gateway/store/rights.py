"""How far the rights of a person reach: regions, authorisations of units, and who may administer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ARRAY, Text, cast, func, insert, select, text, update

from gateway.store.console_tables import accounts, authorisations, sessions
from gateway.store.tables import people, regions

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

MOST_CHOICES = 4000
"""Regions that a form offers; a code that is not among them can be typed."""

_OUTSIDE = text(
    "SELECT EXISTS (SELECT FROM targets WHERE list_id = :list AND NOT starts_with(region, :prefix))"
)


class Authorisation(NamedTuple):
    """What a unit may have issued, as in :data:`gateway.store.console_tables.authorisations`."""

    id: int
    unit: str
    hazard: str
    """Key in hazards.toml, ``*`` for all."""
    level: str
    """The highest that it covers."""
    region: str | None
    """None: the desk's whole area."""
    begins_at: datetime
    ends_at: datetime
    document: str
    made_by: str
    made_at: datetime
    revoked_at: datetime | None


class RegionName(NamedTuple):
    """A region as a form offers it."""

    code: str
    name: str
    level: str


class SignIn(NamedTuple):
    """How somebody signs in, as far as an administrator may know."""

    has_password: bool
    has_second_factor: bool
    sessions: int
    """Open at this moment."""
    seen_at: datetime | None


async def any_outside(connection: AsyncConnection, list_id: int, prefix: str) -> bool:
    """Return whether a frozen list has a target whose region does not begin with these digits."""
    return bool((await connection.execute(_OUTSIDE, {"list": list_id, "prefix": prefix})).scalar_one())


async def outlines(connection: AsyncConnection, prefix: str) -> list[bytes]:
    """Return the borders, as WKB, of a region and of all below it that have one."""
    query = select(regions.c.geometry).where(
        regions.c.code.startswith(prefix, autoescape=True), regions.c.geometry.is_not(None)
    )
    return list((await connection.execute(query.order_by(regions.c.code))).scalars())


async def region_choices(connection: AsyncConnection) -> list[RegionName]:
    """Return the regions above the villages, by code."""
    query = select(regions.c.code, regions.c.name, regions.c.level).where(regions.c.level != "village")
    rows = await connection.execute(query.order_by(regions.c.code).limit(MOST_CHOICES))
    return [RegionName(*row) for row in rows]


async def region_names(connection: AsyncConnection, codes: Collection[str]) -> dict[str, str]:
    """Return code -> name of these regions."""
    query = select(regions.c.code, regions.c.name).where(regions.c.code.in_(codes))
    return {row.code: row.name for row in await connection.execute(query)}


# --- authorisations ---


async def authorisations_at(connection: AsyncConnection, unit: str, at: datetime) -> list[Authorisation]:
    """Return what a unit may have issued at a moment."""
    held = (authorisations.c.begins_at <= at) & (authorisations.c.ends_at > at)
    query = select(authorisations).where(
        authorisations.c.unit == unit, held, authorisations.c.revoked_at.is_(None)
    )
    return [Authorisation(*row) for row in await connection.execute(query.order_by(authorisations.c.id))]


async def all_authorisations(connection: AsyncConnection) -> list[Authorisation]:
    """Return every authorisation there ever was, by unit, the one that ends last first."""
    query = select(authorisations).order_by(
        authorisations.c.unit, authorisations.c.ends_at.desc(), authorisations.c.id
    )
    return [Authorisation(*row) for row in await connection.execute(query)]


async def authorisation(connection: AsyncConnection, number: int) -> Authorisation | None:
    """Return one authorisation and hold it until the transaction ends."""
    query = select(authorisations).where(authorisations.c.id == number).with_for_update()
    row = (await connection.execute(query)).first()
    return Authorisation(*row) if row else None


async def add_authorisation(connection: AsyncConnection, **values: Any) -> int:  # noqa: ANN401 - columns
    """Insert an authorisation and return its number."""
    row = insert(authorisations).values(**values).returning(authorisations.c.id)
    number: int = (await connection.execute(row)).scalar_one()
    return number


async def revoke_authorisation(connection: AsyncConnection, number: int, at: datetime) -> bool:
    """End an authorisation; return whether it was not ended before."""
    one = (authorisations.c.id == number) & authorisations.c.revoked_at.is_(None)
    return bool((await connection.execute(update(authorisations).where(one).values(revoked_at=at))).rowcount)


async def units(connection: AsyncConnection) -> list[str]:
    """Return every unit that a person or an authorisation names."""
    named = select(people.c.unit).where(people.c.unit != "").union(select(authorisations.c.unit))
    return sorted((await connection.execute(named)).scalars())


# --- people ---


async def others_with(connection: AsyncConnection, roles: Collection[str], login: str) -> int:
    """Return how many active people besides one have any of these roles everywhere."""
    query = select(func.count()).where(
        people.c.login != login,
        people.c.active,
        people.c.region.is_(None),
        people.c.roles.bool_op("&&")(cast(list(roles), ARRAY(Text))),
    )
    return int((await connection.execute(query)).scalar_one())


async def sign_ins(connection: AsyncConnection, now: datetime) -> dict[str, SignIn]:
    """Return login -> how that person signs in."""
    is_open = (sessions.c.ended_at.is_(None)) & (sessions.c.ends_at > now)
    query = (
        select(
            people.c.login,
            accounts.c.password.is_not(None),
            accounts.c.totp_key.is_not(None),
            func.count(sessions.c.id).filter(is_open),
            func.max(sessions.c.seen_at),
        )
        .outerjoin(accounts, accounts.c.login == people.c.login)
        .outerjoin(sessions, sessions.c.login == people.c.login)
        .group_by(people.c.login, accounts.c.password, accounts.c.totp_key)
    )
    return {row[0]: SignIn(*row[1:]) for row in await connection.execute(query)}
