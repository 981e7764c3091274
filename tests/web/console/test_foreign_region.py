"""S2: who works in one region does nothing to a warning, a person or a file of another one.

Every step that names an alert is in it, from the route table; reading warnings of elsewhere is allowed to
the whole desk, people and deliveries of elsewhere are not there.
"""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text

from gateway.store import audit
from gateway.store.desk import Person
from gateway.store.tables import approvals, contacts, releases
from gateway.web.console import app
from tests.desk.conftest import NORTH, SOUTH, ready, sent

RIGHTS = ("author", "approver", "releaser", "registrar", "administrator")
ALERT = "/alerts/{id:\\d{1,18}}/"
STEPS = sorted(
    route.path.removeprefix(ALERT)
    for route in app.all_routes()
    if route.method == "POST" and route.path.startswith(ALERT)
)
HIDDEN = ("/people/{contact}", "/people/{contact}/edit", "/deliveries/{delivery}")
"""Pages of one person: of another region they are not there."""


@pytest.fixture
async def stranger(desk, visitor):
    """A browser of somebody who may do everything, in the south only."""
    await desk.set_person(Person("south", "虚构 south", RIGHTS, active=True, region=SOUTH))
    return await visitor("south")


async def told(database) -> list[tuple[str, str]]:
    """What the audit log has of this person's steps on alerts."""
    async with database.begin() as connection:
        return [
            (one.action, one.subject)
            for one in await audit.show(connection)
            if one.actor == "south" and one.subject.startswith("alert")
        ]


class TestAWarningOfElsewhere:
    def test_has_steps(self):
        assert len(STEPS) > 8
        assert {"approve", "release", "reject", "withdraw", "edit"} <= set(STEPS)

    @pytest.mark.parametrize("step", STEPS)
    async def test_takes_no_step_of_a_stranger(self, desk, database, stranger, step):
        waits, out = await ready(desk), await sent(desk)
        before = [(await desk.show(one.id)).alert for one in (waits, out)]
        for one in before:
            form = {
                "digest": one.digest or "",
                "reason": "虚构",
                "place": "北山镇",
                "count": "3",
                "do": "save",
            }
            answer = await stranger.post(f"/alerts/{one.id}/{step}", form | {"version": str(one.version)})
            assert answer.status in {303, 403, 404, 422}
        assert [(await desk.show(one.id)).alert for one in before] == before
        assert await told(database) == []
        async with database.begin() as connection:
            assert (await connection.execute(select(func.count()).select_from(releases))).scalar_one() == 1
            own = select(approvals).where(approvals.c.person == "south")
            assert (await connection.execute(own)).all() == []

    async def test_is_drafted_by_nobody_of_another_region(self, desk, stranger):
        from tests.web.console.test_draft import form, pairs, place

        answer = await stranger.post("/alerts/new", pairs(form(area=place(NORTH))))
        assert answer.status == 422
        assert await desk.alerts() == []


class TestAPersonOfElsewhere:
    async def test_is_not_there(self, desk, database, stranger, visitor):
        row = await sent(desk)
        async with database.begin() as connection:
            north = select(func.min(contacts.c.id)).where(contacts.c.region == NORTH)
            contact = (await connection.execute(north)).scalar_one()
            delivery = (await connection.execute(text("SELECT min(id) FROM deliveries"))).scalar_one()
        everywhere = await visitor("registrar")
        for path in HIDDEN:
            filled = path.format(contact=contact, delivery=delivery, alert=row.id)
            assert (await stranger.get(filled)).status == 404
        assert (await everywhere.get(f"/people/{contact}")).status == 200
        answer = await stranger.post(f"/people/{contact}/reveal", {"reason": "虚构的理由", "address": "1"})
        assert answer.status in {403, 404, 422}
        assert "19900000" not in answer.text
