"""A desk on a real database: an invented county of two townships, its contacts and four channels."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from channels.base import adapter
from gateway.alerts.model import Area, ValuePair
from gateway.clock import HandClock
from gateway.desk.compose import Fields
from gateway.desk.office import Office, Route, load_hazards
from gateway.desk.policy import load_policy
from gateway.desk.render import Templates
from gateway.desk.service import Desk
from gateway.settings import DeskSettings
from gateway.share import share
from gateway.store.database import Database
from gateway.store.desk import Person
from gateway.store.tables import addresses, contacts, regions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

START = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
COUNTY, NORTH, SOUTH = "999901000000", "999901101000", "999901102000"
PEOPLE = {
    "author": ("author",),
    "writer": ("author",),
    "first": ("approver",),
    "second": ("approver",),
    "third": ("approver",),
    "both": ("author", "approver"),
    "sender": ("releaser",),
    "auditor": ("auditor",),
}


# Invented credentials of providers that do not exist: the desk only encodes, it opens nothing.
ROUTES = {
    "sms": ("smpp", {"host": "127.0.0.1", "system_id": "invented"}),
    "email": (
        "smtp",
        {"from_address": "warning@example.org", "verp_key": "an invented key of a county that is not there"},
    ),
    "radio": ("mqtt", {"host": "127.0.0.1", "fleet_key": "8f1c7a02" * 8}),
}


def make_route(kind: str, **settings: object) -> Route:
    made = adapter(kind).Settings.model_validate(settings)
    return Route(kind, made, made.model_copy(update={"rate": 5.0}))


def make_office(policy_text: str | None = None, tmp_path=None) -> Office:
    policy_file = share("config/approval.toml")
    if policy_text is not None:
        policy_file = tmp_path / "approval.toml"
        policy_file.write_text(policy_text, encoding="utf-8")
    return Office(
        settings=DeskSettings(),
        policy=load_policy(policy_file),
        hazards=load_hazards(share("config/hazards.toml")),
        templates=Templates(share("templates/messages")),
        routes={name: make_route(kind, **settings) for name, (kind, settings) in ROUTES.items()}
        | {"wecom": make_route("wecom")._replace(drill=None)},
    )


@pytest.fixture
def clock() -> HandClock:
    return HandClock(START)


@pytest.fixture
def office() -> Office:
    return make_office()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=12) as opened:
        await fill(opened)
        yield opened


async def fill(database: Database) -> None:
    """An invented county: three persons in the north, one in the south."""
    places = [
        (COUNTY, "示范县", "county", None),
        (NORTH, "北山镇", "township", COUNTY),
        (SOUTH, "南湖镇", "township", COUNTY),
    ]
    async with database.begin() as connection:
        await connection.execute(
            insert(regions),
            [{"code": c, "name": n, "level": level, "parent": p} for c, n, level, p in places],
        )
        for number, (region, role) in enumerate(
            [(NORTH, "responsible"), (NORTH, "resident"), (NORTH, "resident"), (SOUTH, "resident")], 1
        ):
            row = (
                insert(contacts)
                .values(name=f"虚构{number}", region=region, role=role)
                .returning(contacts.c.id)
            )
            contact = (await connection.execute(row)).scalar_one()
            for channel, address in (
                ("sms", f"+86199000000{number:02d}"),
                ("email", f"invented{number}@example.org"),
                ("radio", f"terminal-{number}"),
            ):
                await connection.execute(
                    insert(addresses).values(contact_id=contact, channel=channel, address=address)
                )


def run_aside_with(url: str, work: Callable[[Database], Awaitable[None]]) -> None:
    """Do the work on the database in a thread with an event loop of its own."""

    async def inside() -> None:
        async with Database(url, size=1) as opened:
            await work(opened)

    thread = threading.Thread(target=asyncio.run, args=(inside(),))
    thread.start()
    thread.join()


@pytest.fixture
async def desk(database: Database, clock: HandClock, office: Office) -> Desk:
    made = Desk(database, clock, office)
    for login, roles in PEOPLE.items():
        await made.set_person(Person(login, f"虚构 {login}", roles, active=True))
    return made


def area(code: str = NORTH, name: str = "北山镇") -> Area:
    return Area(area_desc=name, geocodes=(ValuePair(value_name="GB/T 2260", value=code),))


def fields(**changes: object) -> Fields:
    base = {
        "hazard": "rainstorm",
        "level": "yellow",
        "areas": (area(),),
        "description": "预计未来6小时降雨量将达50毫米以上",
        "instruction": "请远离山沟和低洼地带",
        "expires": START + timedelta(hours=6),
    }
    return Fields.model_validate(base | changes)


async def ready(desk: Desk, **changes: object):
    """A submitted alert."""
    drafted = await desk.draft(fields(**changes), "author")
    return await desk.submit(drafted.id, "author")


async def sent(desk: Desk, **changes: object):
    """A released alert."""
    row = await ready(desk, **changes)
    for person in ("first", "second"):
        if (await desk.approve(row.id, row.digest, person)).alert.state == "approved":
            break
    await desk.release(row.id, "sender")
    return (await desk.show(row.id)).alert
