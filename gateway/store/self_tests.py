"""Test messages that people send to themselves: their own addresses, the list of one, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as upsert

from gateway.store import audience
from gateway.store.console_tables import own_addresses
from gateway.store.tables import (
    alerts,
    attempts,
    deliveries,
    receipts,
    regions,
    releases,
    target_lists,
    targets,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

MARK = "self_test"
"""Key in ``alerts.plan`` of a test message; its value is the login that sent and got it."""
IS_SELF_TEST = alerts.c.plan.has_key(MARK)
"""Whether an alert is nothing but a test message; statistics of drills leave those out."""


class OwnTest(NamedTuple):
    """One test message as its sender looks at it."""

    alert_id: int
    release_id: int
    delivery_id: int
    login: str
    channel: str
    address: str
    state: int
    """:class:`channels.base.Proof`."""
    at: datetime
    expires: datetime
    text_key: str
    texts: dict[str, dict[str, dict[str, str]]]
    stopped: bool


class Attempt(NamedTuple):
    """One try to hand the message over."""

    outcome: str
    ref: str
    code: str
    submitted_at: datetime
    answered_at: datetime


class Told(NamedTuple):
    """One receipt for the message."""

    state: int
    source: str
    code: str
    raw: str
    received_at: datetime


async def own(connection: AsyncConnection, login: str) -> dict[str, str]:
    """Return channel -> address that a person keeps for tests."""
    query = select(own_addresses.c.channel, own_addresses.c.address).where(own_addresses.c.login == login)
    return {row.channel: row.address for row in await connection.execute(query)}


async def keep(connection: AsyncConnection, login: str, channel: str, address: str, at: datetime) -> None:
    """Keep an address of a person, in place of the one before."""
    row = upsert(own_addresses).values(login=login, channel=channel, address=address, made_at=at)
    changed = {"address": address, "made_at": at}
    await connection.execute(row.on_conflict_do_update(index_elements=["login", "channel"], set_=changed))


async def forget(connection: AsyncConnection, login: str, channel: str) -> bool:
    """Forget an address of a person; return whether there was one."""
    one = (own_addresses.c.login == login) & (own_addresses.c.channel == channel)
    return bool((await connection.execute(delete(own_addresses).where(one))).rowcount)


async def sent_since(connection: AsyncConnection, login: str, since: datetime) -> int:
    """Return how many test messages a person has sent since then."""
    own_tests = (alerts.c.plan[MARK].astext == login) & (alerts.c.created_at >= since)
    return int((await connection.execute(select(func.count()).where(own_tests))).scalar_one())


async def home(connection: AsyncConnection) -> str:
    """Return the code of the register's widest region, where a test message is counted."""
    order = func.array_position(["province", "city", "county", "township", "village"], regions.c.level)
    query = select(regions.c.code).order_by(order, regions.c.code).limit(1)
    return (await connection.execute(query)).scalar_one_or_none() or "000000000000"


async def list_of_one(
    connection: AsyncConnection, login: str, channel: str, address: str, language: str
) -> int:
    """Freeze a target list with one address and nobody else; return its number.

    Its contact is 0, which nobody in the register has. As a responsible person it gets the confirm link.
    """
    values = {"digest": "", "count": 1, "area": {MARK: login}}
    made = await connection.execute(insert(target_lists).values(values).returning(target_lists.c.id))
    list_id = int(made.scalar_one())
    row = {"contact_id": 0, "region": await home(connection), "role": "responsible", "language": language}
    await connection.execute(
        insert(targets).values(row | {"list_id": list_id, "addresses": {channel: address}})
    )
    await audience.seal(connection, list_id, *await audience.digest(connection, list_id))
    return list_id


async def of_alert(connection: AsyncConnection, alert_id: int) -> OwnTest | None:
    """Return a test message by its alert; None where the alert is none."""
    query = (
        select(
            alerts.c.id,
            releases.c.id,
            deliveries.c.id,
            alerts.c.plan[MARK].astext,
            deliveries.c.channel,
            deliveries.c.address,
            deliveries.c.state,
            releases.c.released_at,
            releases.c.expires,
            deliveries.c.text_key,
            releases.c.texts,
            releases.c.state != literal("open"),
        )
        .join(releases, releases.c.alert_id == alerts.c.id)
        .join(deliveries, deliveries.c.release_id == releases.c.id)
        .where(alerts.c.id == alert_id, IS_SELF_TEST)
    )
    row = (await connection.execute(query)).one_or_none()
    return OwnTest._make(row) if row else None


async def latest(connection: AsyncConnection, login: str, limit: int = 5) -> list[int]:
    """Return the alerts of a person's latest test messages, newest first."""
    query = select(alerts.c.id).where(alerts.c.plan[MARK].astext == login).order_by(alerts.c.id.desc())
    return list((await connection.execute(query.limit(limit))).scalars())


async def evidence(connection: AsyncConnection, delivery_id: int) -> tuple[list[Attempt], list[Told]]:
    """Return the tries and the receipts of a delivery, oldest first."""
    tried = (
        select(*(attempts.c[name] for name in Attempt._fields))
        .where(attempts.c.delivery_id == delivery_id)
        .order_by(attempts.c.answered_at, attempts.c.part)
    )
    told = (
        select(*(receipts.c[name] for name in Told._fields))
        .where(receipts.c.delivery_id == delivery_id)
        .order_by(receipts.c.received_at)
    )
    return (
        [Attempt(*row) for row in await connection.execute(tried)],
        [Told(*row) for row in await connection.execute(told)],
    )
