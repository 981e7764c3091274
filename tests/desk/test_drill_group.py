"""Whom a drill goes to where a group of contacts is kept for drills."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from gateway.desk.refused import DeskRefused
from gateway.desk.service import Desk
from gateway.settings import DeskSettings
from gateway.store.desk import Person
from tests.desk.conftest import COUNTY, PEOPLE, SOUTH, area, ready

GROUP = "演练组"


@pytest.fixture
async def kept(database, clock, office) -> Desk:
    """A desk whose drills go to one of the three people of the north, and to the one of the south."""
    async with database.begin() as connection:
        await connection.execute(text("INSERT INTO contact_groups (name) VALUES (:name)"), {"name": GROUP})
        await connection.execute(
            text(
                "INSERT INTO group_members (group_id, contact_id) SELECT g.id, c.id "
                "FROM contact_groups AS g, contacts AS c WHERE c.name IN ('虚构1', '虚构4')"
            )
        )
    made = Desk(database, clock, office._replace(settings=DeskSettings(drill_group=GROUP)))
    for login, roles in PEOPLE.items():
        await made.set_person(Person(login, f"虚构 {login}", roles, active=True))
    return made


async def recipients(desk, **changes) -> int:
    return (await desk.show((await ready(desk, **changes)).id)).recipients


class TestADrill:
    async def test_goes_to_its_group_as_far_as_that_is_in_the_area(self, kept):
        assert await recipients(kept, mode="drill") == 1
        assert await recipients(kept, mode="drill", areas=(area(COUNTY, "示范县"),)) == 2

    async def test_is_refused_where_nobody_of_the_group_is(self, kept, database):
        async with database.begin() as connection:
            await connection.execute(
                text("DELETE FROM group_members USING contacts WHERE id = contact_id AND region = :south"),
                {"south": SOUTH},
            )
        with pytest.raises(DeskRefused) as refused:
            await ready(kept, mode="drill", areas=(area(SOUTH, "南湖镇"),))
        assert refused.value.code == "area_group"

    async def test_that_was_signed_goes_to_its_members_of_that_moment(self, kept, database):
        """W3: a group that is changed after the signature changes nothing of what was signed."""
        row = await ready(kept, mode="drill")
        await kept.approve(row.id, row.digest, "first")
        async with database.begin() as connection:
            await connection.execute(text("DELETE FROM group_members"))
            await connection.execute(
                text(
                    "INSERT INTO group_members (group_id, contact_id) SELECT g.id, c.id "
                    "FROM contact_groups AS g, contacts AS c WHERE c.name = '虚构2'"
                )
            )
        assert (await kept.release(row.id, "sender")).deliveries["sms"] == 1
        async with database.begin() as connection:
            went = await connection.execute(
                text("SELECT DISTINCT address FROM deliveries WHERE channel = 'sms'")
            )
            assert went.scalars().all() == ["+8619900000001"]

    async def test_leaves_live_warnings_as_they_are(self, kept):
        assert await recipients(kept) == 3
