"""An invented village of any size, and warnings for it through the real desk.

Texts are short on purpose: one SMS each, so that one PDU is one message.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gateway.alerts.model import Area, ValuePair
from gateway.clock import SYSTEM
from gateway.desk.compose import Fields
from gateway.desk.office import open_office
from gateway.desk.service import Desk
from gateway.settings import load_settings
from gateway.store.desk import Person

if TYPE_CHECKING:
    from gateway.desk.leaving import Released
    from gateway.store.database import Database

COUNTY, TOWN = "999901000000", "999901101000"
PEOPLE = (
    Person("invented-author", "虚构甲", ("author",), active=True),
    Person("invented-first", "虚构乙", ("approver",), active=True),
    Person("invented-second", "虚构丙", ("approver", "releaser"), active=True),
)


def address(number: int) -> str:
    """An invented mobile number."""
    return f"86199{number:08d}"


async def settle(database: Database, count: int, *, responsible: int = 0) -> None:
    """Fill an empty database with people, the first of them responsible persons."""
    async with database.raw() as connection:
        await connection.copy_records_to_table(
            "regions",
            columns=("code", "name", "level", "parent"),
            records=[(COUNTY, "虚构县", "county", None), (TOWN, "北山镇", "township", COUNTY)],
        )
        roles = ("responsible" if number < responsible else "resident" for number in range(count))
        await connection.copy_records_to_table(
            "contacts",
            columns=("external_id", "name", "region", "role"),
            records=[(str(number), "虚构", TOWN, role) for number, role in enumerate(roles)],
        )
        await connection.execute(
            "INSERT INTO addresses (contact_id, channel, address) "
            "SELECT id, 'sms', '86199' || lpad(external_id, 8, '0') FROM contacts ORDER BY id"
        )


async def open_desk(database: Database, given: dict[str, Any]) -> Desk:
    """A desk with its three people, under the settings of the gateway's processes."""
    desk = Desk(database, SYSTEM, open_office(load_settings(**given)))
    for person in PEOPLE:
        await desk.set_person(person)
    return desk


def fields(level: str, *, valid: float = 3600.0, mode: str = "live") -> Fields:
    return Fields(
        mode=mode,
        hazard="rainstorm",
        level=level,
        areas=(Area(area_desc="北山镇", geocodes=(ValuePair(value_name="GB/T 2260", value=TOWN),)),),
        description="有大雨。",
        instruction="避险。",
        sender_name="示范县",
        expires=SYSTEM.now() + timedelta(seconds=valid),
    )


async def release(desk: Desk, level: str, *, valid: float = 3600.0, mode: str = "live") -> Released:
    """Draft, submit, approve by as many as it takes, release."""
    author, *approvers = (person.login for person in PEOPLE)
    drafted = await desk.draft(fields(level, valid=valid, mode=mode), author)
    submitted = await desk.submit(drafted.id, author)
    for approver in approvers:
        signed = await desk.approve(submitted.id, str(submitted.digest), approver)
        if signed.have >= signed.need:
            break
    return await desk.release(submitted.id, PEOPLE[2].login)
