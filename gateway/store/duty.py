"""Who is on duty, who is away, and who stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import case, delete, insert, select, update

from gateway.store.console_tables import absences, duties
from gateway.store.tables import people

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

POSTS = ("main", "second", "leader")
"""主班, 副班, 带班领导, in the order in which they are asked."""


class OnDuty(NamedTuple):
    """Somebody who is on duty."""

    post: str
    login: str
    name: str


class Duty(NamedTuple):
    """One time of duty."""

    id: int
    login: str
    name: str
    active: bool
    post: str
    begins_at: datetime
    ends_at: datetime


class Absence(NamedTuple):
    """A time in which somebody is away."""

    id: int
    login: str
    name: str
    deputy: str | None
    deputy_name: str | None
    begins_at: datetime
    ends_at: datetime
    reason: str
    made_by: str


async def on_duty(connection: AsyncConnection, at: datetime) -> list[OnDuty]:
    """Return who is on duty at a moment by the roster, main post first; absences do not change it."""
    rank = case({post: place for place, post in enumerate(POSTS)}, value=duties.c.post)
    query = (
        select(duties.c.post, people.c.login, people.c.name)
        .join(people, people.c.login == duties.c.login)
        .where(duties.c.begins_at <= at, duties.c.ends_at > at, people.c.active)
        .order_by(rank, duties.c.id)
    )
    return list(dict.fromkeys(OnDuty(*row) for row in await connection.execute(query)))


async def deputies(connection: AsyncConnection, at: datetime) -> dict[str, str | None]:
    """Return login of everybody who is away at a moment -> who is asked instead; None where nobody is.

    A deputy who is away as well is replaced by the own deputy, and so on; one who is no longer active
    stands in for nobody. Whether the deputy may do what is asked is the caller's to look at.
    """
    query = (
        select(absences.c.login, absences.c.deputy, people.c.active)
        .outerjoin(people, people.c.login == absences.c.deputy)
        .where(absences.c.begins_at <= at, absences.c.ends_at > at, absences.c.ended_at.is_(None))
        .order_by(absences.c.id)
    )
    named = {row.login: row.deputy if row.active else None for row in await connection.execute(query)}
    return {login: _last(login, named) for login in named}


def _last(login: str, named: Mapping[str, str | None]) -> str | None:
    """Return who is asked in the end; None where deputies stand in for each other in a ring."""
    seen: set[str] = set()
    one: str | None = login
    while one is not None and one in named and one not in seen:
        seen.add(one)
        one = named[one]
    return None if one in seen else one


async def duties_between(connection: AsyncConnection, since: datetime, until: datetime) -> list[Duty]:
    """Return the times of duty that touch a span, in the order of their beginning."""
    c = duties.c
    query = (
        select(c.id, c.login, people.c.name, people.c.active, c.post, c.begins_at, c.ends_at)
        .join(people, people.c.login == c.login)
        .where(c.begins_at < until, c.ends_at > since)
        .order_by(c.begins_at, c.id)
    )
    return [Duty(*row) for row in await connection.execute(query)]


async def clashing_duty(
    connection: AsyncConnection, login: str, begins_at: datetime, ends_at: datetime
) -> bool:
    """Return whether a person is on duty already in a part of the span, on whatever post."""
    c = duties.c
    query = select(c.id).where(c.login == login, c.begins_at < ends_at, c.ends_at > begins_at)
    return (await connection.execute(query.limit(1))).first() is not None


async def add_duty(connection: AsyncConnection, **values: Any) -> int:  # noqa: ANN401 - columns
    """Insert a time of duty and return its number."""
    row = insert(duties).values(**values).returning(duties.c.id)
    number: int = (await connection.execute(row)).scalar_one()
    return number


async def remove_duty(connection: AsyncConnection, number: int) -> tuple[str, str, datetime] | None:
    """Remove a time of duty and return (login, post, beginning); None where there is none."""
    row = (
        delete(duties)
        .where(duties.c.id == number)
        .returning(duties.c.login, duties.c.post, duties.c.begins_at)
    )
    found = (await connection.execute(row)).first()
    return (found.login, found.post, found.begins_at) if found else None


async def absences_from(
    connection: AsyncConnection, since: datetime, login: str | None = None
) -> list[Absence]:
    """Return the absences that end after a moment, by their beginning; of one person, if given."""
    c, other = absences.c, people.alias()
    query = (
        select(
            c.id,
            c.login,
            people.c.name,
            c.deputy,
            other.c.name,
            c.begins_at,
            c.ends_at,
            c.reason,
            c.made_by,
        )
        .join(people, people.c.login == c.login)
        .outerjoin(other, other.c.login == c.deputy)
        .where(c.ends_at > since, c.ended_at.is_(None))
        .order_by(c.begins_at, c.id)
    )
    if login is not None:
        query = query.where(c.login == login)
    return [Absence(*row) for row in await connection.execute(query)]


async def absence(connection: AsyncConnection, number: int) -> tuple[str, datetime | None] | None:
    """Return (login, when it was ended) of an absence and hold it until the transaction ends."""
    query = select(absences.c.login, absences.c.ended_at).where(absences.c.id == number).with_for_update()
    found = (await connection.execute(query)).first()
    return (found.login, found.ended_at) if found else None


async def clashing_absence(
    connection: AsyncConnection, login: str, begins_at: datetime, ends_at: datetime
) -> bool:
    """Return whether a person is away already in a part of the span."""
    c = absences.c
    query = select(c.id).where(
        c.login == login, c.ended_at.is_(None), c.begins_at < ends_at, c.ends_at > begins_at
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def add_absence(connection: AsyncConnection, **values: Any) -> int:  # noqa: ANN401 - columns
    """Insert an absence and return its number."""
    row = insert(absences).values(**values).returning(absences.c.id)
    number: int = (await connection.execute(row)).scalar_one()
    return number


async def end_absence(connection: AsyncConnection, number: int, at: datetime) -> bool:
    """End an absence; return whether it was not ended before."""
    one = (absences.c.id == number) & absences.c.ended_at.is_(None)
    return bool((await connection.execute(update(absences).where(one).values(ended_at=at))).rowcount)
