"""What the desk reads and writes: people, warnings, alerts, approvals, and releases by alert.

Every change of a warning is made under the lock of its row in ``warnings``
(:func:`lock_warning`), so two clicks on one warning come one after the other and no two
transactions can wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.store.tables import alerts, approvals, people, regions, releases, target_lists, warnings

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


UNFINISHED = ("draft", "submitted", "approved", "released")
"""States of an alert that is in work or in force."""


class Person(NamedTuple):
    """Somebody who works at the desk."""

    login: str
    name: str
    roles: tuple[str, ...]
    active: bool
    region: str | None = None
    """Code of the region where the roles hold; None: everywhere."""
    unit: str = ""
    """Of the authorisations; empty where there is none."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert as the desk keeps it; columns as in :data:`gateway.store.tables.alerts`."""

    id: int
    warning_id: int
    sender: str
    identifier: str
    sent: datetime
    status: str
    msg_type: str
    scope: str
    hazard: str
    level: str
    mode: str
    state: str
    version: int
    author: str
    supersedes: int | None
    content: dict[str, Any]
    xml: bytes | None
    original: bytes | None
    original_key: str | None
    digest: str | None
    target_list_id: int | None
    texts: dict[str, dict[str, dict[str, Any]]] | None
    plan: dict[str, Any] | None
    expires: datetime
    created_at: datetime
    submitted_at: datetime | None
    approved_at: datetime | None


class Approval(NamedTuple):
    """One signature, with what its giver may do at the time of reading."""

    person: str
    decision: str
    reason: str
    at: datetime
    active: bool
    roles: tuple[str, ...]
    region: str | None = None
    unit: str = ""


class ReleaseRow(NamedTuple):
    """The release of an alert."""

    id: int
    reference: str
    state: str
    released_by: str


@dataclass(frozen=True, slots=True)
class TargetList:
    """A frozen audience."""

    id: int
    digest: str
    count: int


async def set_person(connection: AsyncConnection, person: Person) -> None:
    """Add a person or replace what is known of one."""
    row = person._asdict() | {"roles": list(person.roles)}
    changed = {name: row[name] for name in Person._fields if name != "login"}
    await connection.execute(
        upsert(people).values(row).on_conflict_do_update(index_elements=["login"], set_=changed)
    )


async def login_like(connection: AsyncConnection, login: str) -> str | None:
    """Return the login that differs from this one in upper and lower case only."""
    query = select(people.c.login).where(func.lower(people.c.login) == login.lower(), people.c.login != login)
    found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found


async def names_of(connection: AsyncConnection, logins: Collection[str]) -> dict[str, str]:
    """Return login -> name of these people."""
    query = select(people.c.login, people.c.name).where(people.c.login.in_(logins))
    return {row.login: row.name for row in await connection.execute(query.order_by(people.c.login))}


async def person(connection: AsyncConnection, login: str) -> Person | None:
    """Return a person as of this moment; the row stays as it is until the transaction ends."""
    query = select(people).where(people.c.login == login).with_for_update(read=True)
    found = (await connection.execute(query)).first()
    return _person(found) if found else None


async def list_people(connection: AsyncConnection) -> list[Person]:
    """Return everybody, by login."""
    rows = await connection.execute(select(people).order_by(people.c.login))
    return [_person(row) for row in rows]


def _person(row: Any) -> Person:  # noqa: ANN401 - a row
    return Person(row.login, row.name, tuple(row.roles), row.active, row.region, row.unit)


async def insert_warning(connection: AsyncConnection, hazard: str, author: str, at: datetime) -> int:
    """Open a warning and return its number."""
    row = insert(warnings).values(hazard=hazard, created_by=author, created_at=at).returning(warnings.c.id)
    number: int = (await connection.execute(row)).scalar_one()
    return number


async def lock_warning(connection: AsyncConnection, alert_id: int) -> bool:
    """Wait for the alert's warning and hold it until the transaction ends; False where there is none."""
    owner = select(alerts.c.warning_id).where(alerts.c.id == alert_id).scalar_subquery()
    query = select(warnings.c.id).where(warnings.c.id == owner).with_for_update()
    return (await connection.execute(query)).first() is not None


async def hold_name(connection: AsyncConnection, name: str) -> None:
    """Wait for and hold a name until the transaction ends: for what has no row to lock yet."""
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def claim_identifier(connection: AsyncConnection, sender: str, identifier: str) -> bool:
    """Hold an identifier until the transaction ends; False at once where it is taken, or being taken.

    It waits for nobody: an INSERT would wait for whoever changes the alert that has the identifier,
    and two releases of one second that wait for each other end in an error for one of them.
    """
    name = func.hashtextextended(f"alert {sender},{identifier}", 0)
    if not (await connection.execute(select(func.pg_try_advisory_xact_lock(name)))).scalar_one():
        return False
    # A statement of its own: it must see what whoever held the name before has left.
    query = select(alerts.c.id).where(alerts.c.sender == sender, alerts.c.identifier == identifier)
    return (await connection.execute(query)).first() is None


async def insert_alert(connection: AsyncConnection, **values: Any) -> int:  # noqa: ANN401 - columns
    """Insert an alert under an identifier that the caller has claimed and return its number."""
    row = insert(alerts).values(**values).returning(alerts.c.id)
    number: int = (await connection.execute(row)).scalar_one()
    return number


async def change_alert(connection: AsyncConnection, alert_id: int, **values: Any) -> None:  # noqa: ANN401 - columns
    """Set columns of an alert whose warning the caller holds."""
    await connection.execute(update(alerts).where(alerts.c.id == alert_id).values(**values))


async def alert(connection: AsyncConnection, alert_id: int) -> AlertRow | None:
    """Return one alert."""
    return await _first(connection, select(alerts).where(alerts.c.id == alert_id))


async def alert_drafted_from(connection: AsyncConnection, key: str, mode: str) -> AlertRow | None:
    """Return the alert in work or in force that was drafted from a message with this key."""
    query = select(alerts).where(
        alerts.c.original_key == key,
        alerts.c.mode == mode,
        alerts.c.state.in_(UNFINISHED),
    )
    return await _first(connection, query)


async def bearing(connection: AsyncConnection, identifiers: Collection[str], mode: str) -> list[AlertRow]:
    """Return alerts whose own identifier, or that of the message they were drafted from, is one of these."""
    origin = func.split_part(alerts.c.original_key, ",", 2)
    query = select(alerts).where(
        alerts.c.mode == mode, alerts.c.identifier.in_(identifiers) | origin.in_(identifiers)
    )
    return await _all(connection, query.order_by(alerts.c.id))


async def of_warning(connection: AsyncConnection, warning_id: int) -> list[AlertRow]:
    """Return every alert of a warning, oldest first."""
    query = select(alerts).where(alerts.c.warning_id == warning_id)
    return await _all(connection, query.order_by(alerts.c.id))


async def sent_from(connection: AsyncConnection, key: str, mode: str) -> list[AlertRow]:
    """Return the alerts that were drafted from a message with this key and left the desk, oldest first."""
    query = (
        select(alerts)
        .join(releases, releases.c.alert_id == alerts.c.id)
        .where(alerts.c.original_key == key, alerts.c.mode == mode)
    )
    return await _all(connection, query.order_by(alerts.c.id))


async def prepared_cancel(connection: AsyncConnection, alert_id: int) -> AlertRow | None:
    """Return the Cancel that was prepared for an alert."""
    query = select(alerts).where(
        alerts.c.supersedes == alert_id, alerts.c.msg_type == "Cancel", alerts.c.state != "withdrawn"
    )
    return await _first(connection, query)


async def update_in_work(connection: AsyncConnection, alert_id: int) -> AlertRow | None:
    """Return the Update of an alert that has not left the desk yet."""
    query = select(alerts).where(
        alerts.c.supersedes == alert_id,
        alerts.c.msg_type == "Update",
        alerts.c.state.in_(UNFINISHED[:-1]),
    )
    return await _first(connection, query)


async def region_name(connection: AsyncConnection, code: str) -> str | None:
    """Return the name of a region, None where there is none with this code."""
    query = select(regions.c.name).where(regions.c.code == code)
    name: str | None = (await connection.execute(query)).scalar_one_or_none()
    return name


async def list_alerts(
    connection: AsyncConnection, state: str | None = None, limit: int = 50
) -> list[AlertRow]:
    """Return the latest alerts, newest first; of one state only, where given."""
    query = select(alerts).order_by(alerts.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(alerts.c.state == state)
    return await _all(connection, query)


async def sent_and_valid(
    connection: AsyncConnection, warning_id: int, now: datetime, also: int | None = None
) -> list[AlertRow]:
    """Return the warning's messages that left the desk and have not expired, oldest first.

    ``also`` is an alert that is among them even where it has expired.
    """
    valid = alerts.c.state.in_(("released", "updated", "cancelled")) & (alerts.c.expires > now)
    query = select(alerts).where(alerts.c.warning_id == warning_id, valid | (alerts.c.id == also))
    return await _all(connection, query.order_by(alerts.c.id))


async def overdue(connection: AsyncConnection, now: datetime) -> list[int]:
    """Return alerts whose validity is over and whose state does not say so yet.

    Only what left the desk, and Cancels that nobody needed: what was never sent waits for its author.
    """
    closes = (alerts.c.state == "released") | (alerts.c.msg_type == "Cancel")
    query = select(alerts.c.id).where(alerts.c.state.in_(UNFINISHED), closes, alerts.c.expires <= now)
    return list((await connection.execute(query.order_by(alerts.c.id))).scalars())


async def sign(
    connection: AsyncConnection,
    alert_id: int,
    digest: str,
    login: str,
    decision: str,
    reason: str,
    at: datetime,
) -> bool:
    """Write one signature; False where this person signed this digest before."""
    row = (
        upsert(approvals)
        .values(alert_id=alert_id, digest=digest, person=login, decision=decision, reason=reason, at=at)
        .on_conflict_do_nothing()
        .returning(approvals.c.id)
    )
    return (await connection.execute(row)).first() is not None


async def signatures(connection: AsyncConnection, alert_id: int, digest: str) -> list[Approval]:
    """Return who signed this digest, with rights that stay as they are until the transaction ends."""
    query = (
        select(approvals, people.c.active, people.c.roles, people.c.region, people.c.unit)
        .join(people, people.c.login == approvals.c.person)
        .where(approvals.c.alert_id == alert_id, approvals.c.digest == digest)
        .order_by(approvals.c.id)
        .with_for_update(read=True, of=people)
    )
    rows = await connection.execute(query)
    return [
        Approval(r.person, r.decision, r.reason, r.at, r.active, tuple(r.roles), r.region, r.unit)
        for r in rows
    ]


async def release_of(connection: AsyncConnection, alert_id: int) -> ReleaseRow | None:
    """Return the release of an alert."""
    columns = releases.c.id, releases.c.reference, releases.c.state, releases.c.released_by
    row = (await connection.execute(select(*columns).where(releases.c.alert_id == alert_id))).first()
    return ReleaseRow(*row) if row else None


async def first_reference(connection: AsyncConnection, warning_id: int) -> str:
    """Return the reference of the warning's first release, empty where there is none."""
    query = select(releases.c.reference).where(releases.c.warning_id == warning_id)
    return (await connection.execute(query.order_by(releases.c.id).limit(1))).scalar_one_or_none() or ""


async def stop_release(connection: AsyncConnection, alert_id: int) -> bool:
    """Stop the release of an alert: nothing of it is sent any more. Returns whether anything could be."""
    stopped = await connection.execute(
        update(releases)
        .where(releases.c.alert_id == alert_id, releases.c.state == "open")
        .values(state="stopped")
    )
    return bool(stopped.rowcount)


async def target_list(connection: AsyncConnection, list_id: int) -> TargetList:
    """Return a frozen audience by its number."""
    columns = target_lists.c.id, target_lists.c.digest, target_lists.c.count
    return TargetList(*(await connection.execute(select(*columns).where(target_lists.c.id == list_id))).one())


async def _first(connection: AsyncConnection, query: Select[Any]) -> AlertRow | None:
    row = (await connection.execute(query.limit(1))).first()
    return AlertRow(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name


async def _all(connection: AsyncConnection, query: Select[Any]) -> list[AlertRow]:
    return [AlertRow(**row._mapping) for row in await connection.execute(query)]  # noqa: SLF001 - as above
