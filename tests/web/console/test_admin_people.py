"""Who works at the desk: added, changed, shut out at once; two accounts of one person; codes shown once."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from gateway.store import audit
from gateway.store.console_tables import invitations, sessions
from gateway.store.desk import Person, list_people
from gateway.store.tables import approvals
from tests.desk.conftest import NORTH, SOUTH, ready

if TYPE_CHECKING:
    from tests.web.console.conftest import Answer


async def people(console) -> dict[str, Person]:
    async with console.database.begin() as connection:
        return {one.login: one for one in await list_people(connection)}


async def told(console, subject: str) -> list[tuple[str, str]]:
    async with console.database.begin() as connection:
        return [(one.actor, one.action) for one in await audit.show(connection, subject)]


def form(**more: object) -> dict:
    return {"name": "虚构 新人", "role": "author", "region": "", "unit": ""} | more


async def save(browser, path: str, given: dict) -> Answer:
    """Send a form of a person's page, or of the way in, with what the page carries."""
    page = path.removesuffix("/active")
    seen = re.search(r'name="seen" value="([^"]+)"', (await browser.get(page)).text)
    return await browser.post(path, given | ({"seen": seen[1]} if seen else {}))


class TestPeople:
    async def test_somebody_is_added_with_roles_region_and_unit(self, visitor, console):
        browser = await visitor("admin")
        answer = await browser.post(
            "/admin/new-person", form(login="newcomer", region=NORTH, unit="虚构气象局", role="approver")
        )
        assert answer.location == "/desk/admin/people/newcomer?done=saved"
        assert (await people(console))["newcomer"] == Person(
            "newcomer", "虚构 新人", ("approver",), True, NORTH, "虚构气象局"
        )
        assert await told(console, "person newcomer") == [("admin", "person")]
        page = await browser.get("/admin/people/newcomer")
        assert "虚构气象局" in page.text

    async def test_a_login_that_is_taken_changes_nobody(self, visitor, console):
        before = await people(console)
        answer = await (await visitor("admin")).post(
            "/admin/new-person", form(login="first", role="administrator")
        )
        assert answer.status == 422
        assert "open that person instead" in answer.text
        assert await people(console) == before

    @pytest.mark.parametrize(
        "wrong",
        [
            {"login": "../x"},
            {"login": "Admin"},
            {"role": "king"},
            {"region": "12"},
            {"region": "110000000000"},
            {"name": ""},
            {"unit": "x" * 61},
        ],
        ids=str,
    )
    async def test_what_cannot_be_is_refused_in_one_sentence(self, visitor, console, wrong):
        before = await people(console)
        answer = await (await visitor("admin")).post("/admin/new-person", form(login="newcomer") | wrong)
        assert answer.status in {403, 422}
        assert await people(console) == before

    async def test_who_is_deactivated_is_out_with_the_next_click(self, visitor, console):
        browser, author = await visitor("admin"), await visitor("author")
        assert (await author.get("/")).status == 200
        await save(browser, "/admin/people/author/active", {"active": "no"})
        assert (await author.get("/")).location.startswith("/desk/sign-in")
        await save(browser, "/admin/people/author/active", {"active": "yes"})
        assert (await author.get("/")).location.startswith("/desk/sign-in")
        assert (await people(console))["author"].active

    async def test_the_last_administrator_cannot_be_taken_away(self, visitor, console):
        browser = await visitor("admin")
        for path, wrong in (
            ("/admin/people/admin/active", {"active": "no"}),
            ("/admin/people/admin", form(name="虚构 admin", role="author")),
            ("/admin/people/admin", form(name="虚构 admin", role="administrator", region=NORTH)),
        ):
            answer = await save(browser, path, wrong)
            assert answer.status == 422
            assert "last administrator" in answer.text
        assert (await people(console))["admin"].roles == ("administrator",)

    async def test_an_administrator_of_one_region_reaches_no_further(self, visitor, console, desk):
        await desk.set_person(Person("local", "虚构", ("administrator",), True, NORTH))
        browser = await visitor("local")
        before = await people(console)
        for path, wrong in (
            ("/admin/people/local", form(name="虚构", role="administrator")),
            ("/admin/people/first", form(role="author", region=NORTH)),
            ("/admin/people/first/active", {"active": "no"}),
            ("/admin/people/first/sign-out", {}),
            ("/admin/people/first/code", {"purpose": "invite"}),
            ("/admin/new-person", form(login="newcomer")),
            ("/admin/new-person", form(login="newcomer", region=SOUTH)),
        ):
            answer = await save(browser, path, wrong)
            assert answer.status in {403, 422}, path
            assert "changed meanwhile" not in answer.text
        assert await people(console) == before
        answer = await browser.post("/admin/new-person", form(login="newcomer", region=NORTH))
        assert answer.status == 303

    async def test_nobody_is_there_for_an_unknown_login(self, visitor):
        browser = await visitor("admin")
        assert (await browser.get("/admin/people/gone")).status == 404
        assert (await browser.post("/admin/people/gone", form())).status in {404, 422}

    async def test_without_the_right_nothing_opens(self, visitor):
        browser = await visitor("auditor")
        for path in ("/admin/people", "/admin/people/first", "/admin/sessions", "/admin/keys"):
            assert (await browser.get(path)).status == 403
        assert (await browser.post("/admin/people/first/active", {"active": "no"})).status == 403


class TestTwoAccountsOfOnePerson:
    """W1: one person with an account to write and another one to approve."""

    async def test_are_pointed_out_to_the_administrator(self, visitor, desk):
        await desk.set_person(Person("li-writes", "李 小虚", ("author",), active=True))
        await desk.set_person(Person("li-signs", "李小虚", ("approver",), active=True))
        browser = await visitor("admin")
        for path in ("/admin", "/admin/people", "/admin/people/li-signs"):
            assert "li-signs and li-writes are both called" in (await browser.get(path)).text

    async def test_the_author_approves_nothing_whatever_the_roles(self, visitor, desk, console):
        drafted = await ready(desk)
        await desk.set_person(Person("author", "虚构 author", ("author", "approver"), active=True))
        answer = await (await visitor("author")).post(
            f"/alerts/{drafted.id}/approve", {"digest": drafted.digest}
        )
        assert answer.status != 303
        async with console.database.begin() as connection:
            assert (await connection.execute(select(approvals))).all() == []


CHANGES = {
    "role removed": form(name="虚构 first", role="author"),
    "account disabled": None,
    "region moved": form(name="虚构 first", role="approver", region=SOUTH),
}


class TestBetweenPageAndClick:
    """W3: the rights of the approver change after the page was read."""

    @pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
    async def test_the_click_is_refused_and_the_session_dead(self, visitor, desk, console, changed):
        row = await ready(desk)
        approver, admin = await visitor("first"), await visitor("admin")
        assert (await approver.get("/")).status == 200
        if changed is None:
            answer = await save(admin, "/admin/people/first/active", {"active": "no"})
        else:
            answer = await save(admin, "/admin/people/first", changed)
        assert answer.status == 303
        click = await approver.post(f"/alerts/{row.id}/approve", {"digest": row.digest})
        assert click.location.startswith("/desk/sign-in")
        async with console.database.begin() as connection:
            assert (await connection.execute(select(approvals))).all() == []
            open_ones = select(sessions).where(sessions.c.login == "first", sessions.c.ended_at.is_(None))
            assert (await connection.execute(open_ones)).all() == []


class TestCodes:
    async def test_an_invitation_is_shown_to_its_maker_alone(self, visitor, console, clock):
        browser = await visitor("admin")
        answer = await browser.post("/admin/people/author/code", {"purpose": "invite"})
        page = await browser.get(answer.location)
        code = re.search(r"(?:[2-9A-Z]{5}-){3}[2-9A-Z]{5}", page.text)[0]
        async with console.database.begin() as connection:
            kept = (await connection.execute(select(invitations))).all()
        assert [one.login for one in kept] == ["author"]
        assert code not in str(kept)
        assert code not in answer.location
        other = await visitor("admin")
        assert (await other.get(answer.location)).status == 404
        clock.advance(301)
        assert (await browser.get(answer.location)).status == 404

    async def test_a_double_click_makes_one_code(self, visitor, console):
        browser = await visitor("admin")
        twice = {"purpose": "invite", "once": "an-invented-form-number"}
        first = await browser.post("/admin/people/author/code", twice)
        second = await browser.post("/admin/people/author/code", twice)
        assert first.location == second.location
        async with console.database.begin() as connection:
            assert len((await connection.execute(select(invitations))).all()) == 1


class TestSessions:
    async def test_an_administrator_ends_one(self, visitor, console):
        browser, author = await visitor("admin"), await visitor("author")
        page = await browser.get("/admin/sessions")
        assert "invented browser" in page.text
        async with console.database.begin() as connection:
            number = (
                await connection.execute(select(sessions.c.id).where(sessions.c.login == "author"))
            ).scalar_one()
        assert (await browser.post(f"/admin/sessions/{number}/end")).status == 303
        assert (await author.get("/")).location.startswith("/desk/sign-in")
        assert (await browser.post(f"/admin/sessions/{number}/end")).status == 422
        assert ("admin", "end_session") in await told(console, "person author")

    async def test_all_of_a_person_end_together(self, visitor):
        browser, one, two = await visitor("admin"), await visitor("author"), await visitor("author")
        await browser.post("/admin/people/author/sign-out")
        for each in (one, two):
            assert (await each.get("/")).location.startswith("/desk/sign-in")


class TestTwoAdministrators:
    async def test_who_edit_each_other_at_one_time_never_wait_in_a_circle(self, desk, visitor, database):
        await desk.set_person(Person("other", "虚构 other", ("administrator",), active=True))
        browsers = {"admin": await visitor("admin"), "other": await visitor("other")}

        async def edit(by: str, login: str, number: int) -> int:
            form = {"name": f"虚构 {login} {number}", "role": "administrator"}
            while (answer := await save(browsers[by], f"/admin/people/{login}", form)).status == 422:
                assert "changed meanwhile" in answer.text  # the other one was faster: the page is read again
            return answer.status

        pairs = [("admin", "other"), ("other", "admin"), ("admin", "admin"), ("other", "other")]
        for number in range(5):
            answers = await asyncio.gather(*(edit(*pair, number) for pair in pairs))
            assert answers == [303] * 4

    async def test_who_shut_each_other_out_at_one_time_leave_one(self, desk, visitor, database):
        await desk.set_person(Person("other", "虚构 other", ("administrator",), active=True))
        one, two = await visitor("admin"), await visitor("other")
        answers = await asyncio.gather(
            save(one, "/admin/people/other/active", {"active": "no"}),
            save(two, "/admin/people/admin/active", {"active": "no"}),
        )
        assert all(answer.status < 500 for answer in answers)
        active = {one.login: one.active for one in await desk.people()}
        assert sorted([active["admin"], active["other"]]) == [False, True]
