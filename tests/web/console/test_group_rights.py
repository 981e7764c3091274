"""Who may change groups: what a group means holds for the whole desk, who is in it for one region."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import FormData
from sqlalchemy import select

from gateway.store.contacts import _LOCK
from gateway.store.desk import Person
from gateway.store.tables import contact_groups, group_members
from gateway.web.console.imports import JOBS
from gateway.web.console.parts import CONSOLE
from tests.desk.conftest import NORTH, SOUTH
from tests.web.console.test_collisions import until_it_waits

if TYPE_CHECKING:
    from gateway.web.console.imports import Jobs

DRILLS = "演练组"
OWN, OTHER = "4", "1"
"""Contacts in the south, where the registrar's rights hold, and in the north."""


@pytest.fixture
async def groups(desk, database, settings) -> dict[str, int]:
    """A registrar of one region, and two groups: one of them is meant by drills."""
    desk.office = desk.office._replace(settings=settings.desk.model_copy(update={"drill_group": DRILLS}))
    await desk.set_person(Person("local", "虚构 local", ("registrar",), active=True, region=SOUTH))
    async with database.begin() as connection:
        query = contact_groups.insert().returning(contact_groups.c.name, contact_groups.c.id)
        rows = await connection.execute(query.values([{"name": DRILLS}, {"name": "虚构组"}]))
        return dict(rows.all())


async def members(database) -> set[tuple[int, int]]:
    async with database.begin() as connection:
        query = select(group_members.c.group_id, group_members.c.contact_id)
        return {(group, one) for group, one in await connection.execute(query)}


async def names(database) -> set[str]:
    async with database.begin() as connection:
        return set((await connection.execute(select(contact_groups.c.name))).scalars())


def contact(region: str, *numbers: int, name: str = "虚构4", active: bool = True) -> FormData:
    form = FormData({"name": name, "region": region, "role": "resident", "language": "zh-CN"})
    if active:
        form.add_field("active", "1")
    for number in numbers:
        form.add_field("group", str(number))
    return form


class TestARegistrarOfOneRegion:
    async def test_puts_own_contacts_into_usual_groups_and_takes_them_out(self, visitor, groups, database):
        browser, number = await visitor("local"), groups["虚构组"]
        assert (await browser.post(f"/people/groups/{number}/join", {"contact": OWN})).status == 303
        assert await members(database) == {(number, 4)}
        assert (await browser.post(f"/people/groups/{number}/join", {"contact": OTHER})).status == 422
        assert (await browser.post(f"/people/groups/{number}/leave", {"contact": OWN})).status == 303
        assert (await browser.post("/people/4/edit", contact(SOUTH, number))).status == 303
        assert await members(database) == {(number, 4)}

    async def test_takes_nobody_into_drills(self, visitor, groups, database):
        browser, number = await visitor("local"), groups[DRILLS]
        answers = [
            await browser.post(f"/people/groups/{number}/join", {"contact": OWN}),
            await browser.post("/people/4/edit", contact(SOUTH, number)),
            await browser.post("/people/new", contact(SOUTH, number, name="虚构戊")),
        ]
        assert [one.status for one in answers] == [422] * 3
        assert all("drills" in one.text for one in answers)
        assert await members(database) == set()

    async def test_and_nobody_out_of_them(self, visitor, groups, database):
        number = groups[DRILLS]
        await (await visitor("registrar")).post(f"/people/groups/{number}/join", {"contact": OWN})
        browser = await visitor("local")
        assert (await browser.post(f"/people/groups/{number}/leave", {"contact": OWN})).status == 422
        assert (await browser.post("/people/4/edit", contact(SOUTH))).status == 422
        assert await members(database) == {(number, 4)}
        form = contact(SOUTH, number, name="虚构改名")  # what is not changed is no matter
        assert (await browser.post("/people/4/edit", form)).status == 303
        assert await members(database) == {(number, 4)}

    async def test_makes_and_deletes_no_group(self, visitor, groups, database):
        browser = await visitor("local")
        assert (await browser.post("/people/groups", {"name": "虚构新组"})).status == 422
        for number in groups.values():
            assert (await browser.post(f"/people/groups/{number}/delete")).status == 422
        assert await names(database) == {DRILLS, "虚构组"}
        page = (await browser.get("/people/groups")).text
        assert "New group" not in page

    @pytest.mark.parametrize(
        ("cell", "state", "joined"),
        [("虚构组", "done", True), (DRILLS, "failed", False), ("虚构新组", "failed", False)],
    )
    async def test_by_a_file_neither(self, visitor, groups, database, server, cell, state, joined):
        answer = await send(server, await visitor("local"), cell)
        assert {"done": "Brought in", "failed": "Failed"}[state] in answer.text
        assert await names(database) == {DRILLS, "虚构组"}
        assert {group for group, _ in await members(database)} == ({groups[cell]} if joined else set())

    @pytest.mark.parametrize("cell", ["虚构组", "别人的组"])
    async def test_by_a_file_is_not_refused_for_what_somebody_else_does_meanwhile(
        self, visitor, groups, database, server, cell
    ):
        browser, jobs = await visitor("local"), jobs_of(server)
        async with meanwhile(database, "INSERT INTO contact_groups (name) VALUES ('别人的组')"):
            path = (await browser.post("/people/imports", people_file(cell))).location
        await jobs.idle()
        assert "Waits for your confirmation" in (await browser.get(path)).text
        join = f"INSERT INTO group_members VALUES ({groups[DRILLS]}, {OTHER})"
        async with meanwhile(database, join, "INSERT INTO contact_groups (name) VALUES ('又一组')"):
            await browser.post(f"{path}/confirm")
        await jobs.idle()
        assert "Brought in" in (await browser.get(path)).text
        assert await names(database) == {DRILLS, "虚构组", "别人的组", "又一组"}
        assert len(await members(database)) == 2

    async def test_and_by_a_file_takes_nobody_out_of_drills(self, visitor, groups, database, server):
        everywhere, browser = await visitor("registrar"), await visitor("local")
        assert "Brought in" in (await send(server, everywhere, DRILLS)).text
        before = await members(database)
        assert "Failed" in (await send(server, browser, "虚构组")).text
        assert await members(database) == before != set()


class TestARegistrarWithoutARegion:
    async def test_changes_the_group_of_drills(self, visitor, groups, database):
        browser, number = await visitor("registrar"), groups[DRILLS]
        assert (await browser.post(f"/people/groups/{number}/join", {"contact": OTHER})).status == 303
        assert (await browser.post("/people/4/edit", contact(NORTH, number))).status == 303
        assert await members(database) == {(number, 1), (number, 4)}
        assert (await browser.post(f"/people/groups/{number}/delete")).status == 303


@asynccontextmanager
async def meanwhile(database, *statements: str):
    """Let the import that is begun inside come as far as its writing, and others act before it goes on."""
    async with database.raw() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        yield
        await until_it_waits(other)
        async with database.raw() as one:
            for statement in statements:
                await one.execute(statement)


def people_file(groups: str) -> FormData:
    """A file with one contact, which names its groups."""
    data = f"编号,姓名,行政区划代码,手机,分组\nYL-9,演练己,{SOUTH},19900000069,{groups}\n"
    form = FormData({"kind": "contacts"}, quote_fields=False)
    form.add_field("file", io.BytesIO(data.encode()), filename="people.csv")
    return form


def jobs_of(server) -> Jobs:
    [console] = [app for app in server.app._subapps if CONSOLE in app]
    return console[JOBS]


async def send(server, browser, groups: str):
    """Bring one contact in by a file that names its groups; return the page of the file."""
    path = (await browser.post("/people/imports", people_file(groups))).location
    await jobs_of(server).idle()
    await browser.post(f"{path}/confirm")
    await jobs_of(server).idle()
    return await browser.get(path)
