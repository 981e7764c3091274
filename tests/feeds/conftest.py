"""An intake on a real database, with the invented county and the desk of tests/desk."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from gateway.alerts.model import Alert, Area, Info, ValuePair
from gateway.clock import HandClock
from gateway.desk.service import Desk
from gateway.feeds.contract import Item
from gateway.feeds.intake import Intake
from gateway.settings import load_settings
from gateway.store import alarms
from gateway.store.database import Database
from gateway.store.desk import Person
from gateway.store.tables import alerts, audit, deliveries, releases
from tests.desk.conftest import NORTH, PEOPLE, START, fill, make_office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SENDER = "invented@weather.example.org"
OTHER = "invented@water.example.org"
RELEASE = {
    "action": "release",
    "regions": ["9999"],
    "hazards": ["rainstorm"],
    "senders": [SENDER],
    "release_alone": True,
}


def message(name: str = "one", sender: str = SENDER, **changes: object) -> Alert:
    """An orange rainstorm alert for the northern township; ``minutes`` is when it was sent."""
    minutes = changes.pop("minutes", 0)
    sent = START + timedelta(minutes=minutes)
    info = {
        "language": "zh-CN",
        "categories": ("Met",),
        "event": "暴雨",
        "urgency": "Expected",
        "severity": "Severe",
        "certainty": "Likely",
        "expires": sent + timedelta(hours=6),
        "sender_name": "虚构气象台",
        "headline": "北山镇暴雨橙色预警",
        "description": "预计未来3小时降雨量将达50毫米以上",
        "instruction": "请远离山沟和低洼地带",
        "areas": (area(),),
    }
    info |= {name: changes.pop(name) for name in list(changes) if name in Info.model_fields}
    about = changes.pop("about", ())
    base = {
        "identifier": name,
        "sender": sender,
        "sent": sent,
        "status": "Actual",
        "msg_type": "Alert",
        "scope": "Public",
        "references": tuple(
            {"sender": one.sender, "identifier": one.identifier, "sent": one.sent} for one in about
        ),
        "infos": (info,),
    }
    return Alert.model_validate(base | changes)


def area(code: str = NORTH, name: str = "北山镇") -> Area:
    return Area(area_desc=name, geocodes=(ValuePair(value_name="GB/T 2260", value=code),))


def item(alert: Alert, **more: object) -> Item:
    return Item(alert=alert, original=alert.model_dump_json().encode(), **more)


class County:
    """The intake with its desk, and what the tests ask of the database."""

    def __init__(self, database: Database, clock: HandClock, desk: Desk) -> None:
        self.database = database
        self.clock = clock
        self.desk = desk

    def intake(self, **sources: dict[str, object]) -> Intake:
        """An intake whose sources have these rules; ``partners``, ``feeds`` and settings of a source too."""
        given = {
            name: {"kind": "cap", "url": "https://feed.example.org/cap"}
            | rule.pop("source", {})
            | {"rule": rule}
            for name, rule in sources.items()
        }
        return Intake(self.database, self.clock, self.desk, load_settings(sources=given))

    async def take(self, intake: Intake, *messages: Alert, source: str = "weather", **more: object):
        return [await intake.take(source, "cap", item(one, **more)) for one in messages]

    async def alarms(self) -> list[str]:
        async with self.database.begin() as connection:
            return [one.code for one in await alarms.standing(connection)]

    async def sent(self) -> list[tuple[str, str]]:
        """What left the desk: (msg_type, original key's identifier), in order."""
        query = (
            select(alerts.c.msg_type, alerts.c.original_key)
            .join(releases, releases.c.alert_id == alerts.c.id)
            .order_by(releases.c.id)
        )
        async with self.database.begin() as connection:
            rows = await connection.execute(query)
            return [(row.msg_type, (row.original_key or ",,").split(",")[1]) for row in rows]

    async def deliveries(self) -> int:
        async with self.database.begin() as connection:
            return len((await connection.execute(select(deliveries.c.id))).all())

    async def audited(self, action: str) -> list[str]:
        async with self.database.begin() as connection:
            rows = await connection.execute(
                select(audit.c.detail).where(audit.c.action == action).order_by(audit.c.seq)
            )
            return list(rows.scalars())

    async def ours(self) -> list[tuple[int, str, str]]:
        async with self.database.begin() as connection:
            rows = await connection.execute(
                select(alerts.c.id, alerts.c.msg_type, alerts.c.state).order_by(alerts.c.id)
            )
            return [tuple(row) for row in rows]


@pytest.fixture
async def county(database_url: str) -> AsyncIterator[County]:
    async with Database(database_url, size=12) as database:
        await fill(database)
        clock = HandClock(START)
        desk = Desk(database, clock, make_office())
        for login, roles in PEOPLE.items():
            await desk.set_person(Person(login, f"虚构 {login}", roles, active=True))
        yield County(database, clock, desk)
