"""Small releases written straight into the tables, with every delivery where a test wants it.

All names and numbers are invented.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, text
from sqlalchemy.dialects.postgresql import insert as upsert

from channels.base import Content, Proof
from gateway.dispatch.contents import freeze
from gateway.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.store.database import Database

RELEASED = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
COUNTY, NORTH, SOUTH = "999901000000", "999901101000", "999901102000"
NORTH_1, NORTH_2, SOUTH_1 = "999901101001", "999901101002", "999901102001"
REGIONS = (
    (COUNTY, "示范县", "county", None, None),
    (NORTH, "北山镇", "township", COUNTY, 3000),
    (SOUTH, "南河镇", "township", COUNTY, 500),
    (NORTH_1, "上村", "village", NORTH, 2000),
    (NORTH_2, "下村", "village", NORTH, 1000),
    (SOUTH_1, "河口村", "village", SOUTH, 500),
)
_numbers = itertools.count(1)


class Sent(NamedTuple):
    """One delivery: how far it got, and when, in seconds after the release."""

    state: Proof
    reached: float | None = None
    confirmed: float | None = None


class Person(NamedTuple):
    """One target and its deliveries by channel."""

    region: str
    role: str = "resident"
    sent: Mapping[str, Sent] = {}
    language: str = "zh-CN"
    address: str = "invented"


class Built(NamedTuple):
    """What was written."""

    release: int
    reference: str
    warning: int
    deliveries: list[dict[str, int]]
    """For each person, {channel: delivery}."""
    batches: dict[str, int]


class Desk(NamedTuple):
    """What happened at the desk, in seconds before the release."""

    drafted: float = 60
    submitted: float | None = 30
    approved: float | None = 10
    signed: Sequence[float] = ()


QUICK = Desk()


class Try(NamedTuple):
    """One row of the ledger."""

    outcome: str
    number: int = 1
    part: int = 1


def content(reference: str, language: str, *, drill: bool = False) -> dict[str, object]:
    subject = {"zh-CN": "示范县发布暴雨红色预警", "en": "Red rainstorm warning for Demo County"}[language]
    event = {"zh-CN": "暴雨", "en": "Rainstorm"}[language]
    expires = RELEASED + timedelta(hours=6)
    return freeze(
        Content(reference, language, subject, subject, "red", event, "示范县气象台", RELEASED, expires, drill)
    )


async def build(
    database: Database,
    people: Sequence[Person],
    *,
    mode: str = "live",
    msg_type: str = "Alert",
    warning: int | None = None,
    alert: str = "released",
    expires: datetime = RELEASED + timedelta(hours=6),
    area: Mapping[str, object] | None = None,
    desk: Desk = QUICK,
) -> Built:
    """Write regions, a warning, an alert, a release and its deliveries, and the counters that fit them."""
    number = next(_numbers)
    async with database.begin() as connection:
        await connection.execute(
            upsert(tables.people).on_conflict_do_nothing(),
            [{"login": "invented", "name": "Invented", "roles": ["author"]}],
        )
        await connection.execute(
            upsert(tables.regions).on_conflict_do_nothing(),
            [
                dict(zip(("code", "name", "level", "parent", "population"), region, strict=True))
                for region in REGIONS
            ],
        )

        async def one(table, **values) -> int:
            return (await connection.execute(insert(table).values(values).returning(table.c.id))).scalar_one()

        warning = warning or await one(tables.warnings, hazard="rainstorm", created_by="invented")
        listed = await one(tables.target_lists, digest="invented", count=max(len(people), 1), area=area or {})
        alert_id = await one(
            tables.alerts,
            warning_id=warning,
            sender="desk@county.example.org",
            identifier=f"invented-{number}",
            sent=RELEASED,
            status="Actual" if mode == "live" else "Exercise",
            msg_type=msg_type,
            scope="Public",
            hazard="rainstorm",
            level="red",
            mode=mode,
            state=alert,
            author="invented",
            content={},
            expires=expires,
            created_at=before(desk.drafted),
            submitted_at=before(desk.submitted),
            approved_at=before(desk.approved),
        )
        for number_of, seconds in enumerate(desk.signed):
            signature = {"digest": "invented", "person": f"invented-{number_of}", "decision": "approve"}
            await connection.execute(
                upsert(tables.people)
                .values(login=signature["person"], name="Invented", roles=["approver"])
                .on_conflict_do_nothing()
            )
            await connection.execute(
                insert(tables.approvals).values(**signature, alert_id=alert_id, at=before(seconds))
            )
        reference = f"ref{number:013x}"
        channels = sorted({channel for person in people for channel in person.sent} or {"sms"})
        texts = {
            channel: {tag: content(reference, tag, drill=mode == "drill") for tag in ("zh-CN", "en")}
            for channel in channels
        }
        release = await one(
            tables.releases,
            reference=reference,
            alert_id=alert_id,
            warning_id=warning,
            mode=mode,
            lane="drill" if mode == "drill" else "urgent",
            digest="invented",
            target_list_id=listed,
            texts=texts,
            resend_unknown=False,
            expires=expires,
            released_at=RELEASED,
            released_by="invented",
        )
        batches = {
            channel: await one(tables.batches, release_id=release, channel=channel, ordinal=0)
            for channel in channels
        }

        async def many(table, rows) -> list[int]:
            given = insert(table).returning(table.c.id, sort_by_parameter_order=True)
            return list((await connection.execute(given, rows)).scalars()) if rows else []

        targets = await many(
            tables.targets,
            [
                {
                    "list_id": listed,
                    "contact_id": place,
                    "region": person.region,
                    "role": person.role,
                    "language": person.language,
                    "addresses": dict.fromkeys(person.sent, person.address),
                }
                for place, person in enumerate(people, 1)
            ],
        )
        numbers = await many(
            tables.deliveries,
            [
                {
                    "release_id": release,
                    "target_id": target,
                    "batch_id": batches[channel],
                    "channel": channel,
                    "region": person.region,
                    "address": person.address,
                    "text_key": person.language,
                    "state": int(sent.state),
                    "copies": 1 if sent.state >= Proof.SUBMITTING else 0,
                    "delivered_at": after(sent.reached),
                    "confirmed_at": after(sent.confirmed),
                }
                for target, person in zip(targets, people, strict=True)
                for channel, sent in person.sent.items()
            ],
        )
        ordered = iter(numbers)
        deliveries = [{channel: next(ordered) for channel in person.sent} for person in people]
        await connection.execute(
            text(
                "INSERT INTO counters SELECT release_id, channel, region, "
                "CASE WHEN state < 3 THEN 0 ELSE state END, count(*) FROM deliveries WHERE release_id = :r "
                "GROUP BY 1, 2, 3, 4"
            ),
            {"r": release},
        )
    return Built(release, reference, warning, deliveries, batches)


async def record(database: Database, built: Built, tries: Sequence[tuple[int, str, Try]]) -> None:
    """Write rows of the ledger for (place of the person, channel, try)."""
    rows = [
        {
            "delivery_id": built.deliveries[place][channel],
            "channel": channel,
            "try_": one.number,
            "part": one.part,
            "batch_id": built.batches[channel],
            "token": 1,
            "outcome": one.outcome,
            "ref": "",
            "code": "",
            "submitted_at": RELEASED,
            "answered_at": RELEASED,
        }
        for place, channel, one in tries
    ]
    async with database.begin() as connection:
        await connection.execute(insert(tables.attempts), rows)


def before(seconds: float | None) -> datetime | None:
    return None if seconds is None else RELEASED - timedelta(seconds=seconds)


def after(seconds: float | None) -> datetime | None:
    return None if seconds is None else RELEASED + timedelta(seconds=seconds)
