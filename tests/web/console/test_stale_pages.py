"""A page that lay open too long does nothing to what somebody else has made of it meanwhile."""

from __future__ import annotations

import pytest

from gateway.desk.compose import Changes
from gateway.store.desk import Person
from gateway.web.console.approve import same_place
from tests.desk.conftest import fields, ready, sent
from tests.web.console.conftest import form_of


async def both(desk) -> None:
    await desk.set_person(Person("both", "虚构 both", ("author",), active=True))


class TestAnAlert:
    async def test_is_not_withdrawn_from_a_page_that_shows_the_draft_once_it_waits(self, desk, visitor):
        row = await ready(desk)
        await desk.edit(row.id, "author", Changes(headline="暴雨"))
        browser, path = await visitor("author"), f"/alerts/{row.id}/withdraw"
        old = form_of(await browser.get(f"/alerts/{row.id}"), path)
        now = await desk.submit(row.id, "author")
        await desk.approve(row.id, now.digest, "first")
        assert (await browser.post(path, old)).status == 422
        assert (await desk.show(row.id)).alert.state == "approved"
        fresh = form_of(await browser.get(f"/alerts/{row.id}"), path)
        assert (await browser.post(path, fresh)).status == 303
        assert (await desk.show(row.id)).alert.state == "withdrawn"

    async def test_is_not_withdrawn_from_a_page_that_is_older_than_its_words(self, desk, visitor):
        await both(desk)
        row = await desk.draft(fields(), "author")
        browser, path = await visitor("author"), f"/alerts/{row.id}/withdraw"
        old = form_of(await browser.get(f"/alerts/{row.id}"), path)
        await desk.edit(row.id, "both", Changes(headline="暴雨"))
        assert (await browser.post(path, old)).status == 422
        assert (await desk.show(row.id)).alert.state == "draft"

    async def test_is_not_submitted_as_somebody_else_has_written_it_since(self, desk, visitor):
        await both(desk)
        row = await ready(desk)
        await desk.edit(row.id, "author", Changes(headline="暴雨"))
        browser, path = await visitor("author"), f"/alerts/{row.id}/submit"
        old = form_of(await browser.get(f"/alerts/{row.id}"), path)
        await desk.edit(row.id, "both", Changes(headline="大暴雨"))
        assert (await browser.post(path, old)).status == 422
        assert (await desk.show(row.id)).alert.state == "draft"
        assert (await browser.post(path, form_of(await browser.get(f"/alerts/{row.id}"), path))).status == 303

    async def test_that_was_refused_at_its_form_is_not_signed_as_it_was_changed_since(self, desk, visitor):
        row = await ready(desk)
        await desk.edit(row.id, "author", Changes(headline="大暴雨"))
        await desk.submit(row.id, "author")
        form = {"digest": row.digest, "reason": ""}
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/reject", form)
        assert answer.status == 422
        assert "was changed since you looked at it" in answer.text
        assert "/approve" not in answer.text


class TestACancel:
    @pytest.fixture
    async def at_once(self, desk):
        """A policy by which nobody need approve a Cancel."""
        policy = desk.office.policy
        cancel = policy.cancel.model_copy(update={"approvers": 0})
        desk.office = desk.office._replace(policy=policy.model_copy(update={"cancel": cancel}))

    @pytest.mark.usefixtures("at_once")
    async def test_is_not_sent_with_words_that_were_not_shown(self, desk, visitor):
        await both(desk)
        row = await sent(desk)
        sheet = await desk.show(row.id)
        browser, path = await visitor("author"), f"/releases/{sheet.release.id}"
        old = form_of(await browser.get(f"{path}?ask=cancel"), f"{path}/cancel")
        await desk.edit(sheet.cancel.id, "both", Changes(description="虚构：雨已停"))
        assert (await browser.post(f"{path}/cancel", old)).status == 422
        assert (await desk.show(row.id)).alert.state == "released"
        fresh = form_of(await browser.get(f"{path}?ask=cancel"), f"{path}/cancel")
        assert (await browser.post(f"{path}/cancel", fresh)).status == 303
        assert (await desk.show(row.id)).alert.state == "cancelled"


class TestAPerson:
    async def test_gets_no_role_back_that_was_taken_away_since(self, desk, visitor):
        browser, path = await visitor("admin"), "/admin/people/first"
        old = form_of(await browser.get(path), path)
        await desk.set_person(Person("first", "虚构 first", ("author",), active=True), by="admin")
        form = {"name": "虚构 改名", "role": "approver"}
        answer = await browser.post(path, old | form)
        assert answer.status == 422
        assert "changed meanwhile" in answer.text
        assert {one.login: one.roles for one in await desk.people()}["first"] == ("author",)
        fresh = form_of(await browser.get(path), path)
        assert (await browser.post(path, fresh | form | {"role": "author"})).status == 303

    async def test_is_not_let_in_again_from_a_page_that_shows_other_roles(self, desk, visitor):
        await desk.set_person(Person("first", "虚构 first", ("author",), active=False), by="admin")
        browser, path = await visitor("admin"), "/admin/people/first/active"
        old = form_of(await browser.get("/admin/people/first"), path)
        await desk.set_person(Person("first", "虚构 first", ("approver",), active=False), by="admin")
        assert (await browser.post(path, old)).status == 422
        assert not {one.login: one.active for one in await desk.people()}["first"]


class TestAFormWithoutWhatItsPageCarries:
    """It tells nothing of the page that the person saw, so it counts as a stale one."""

    @pytest.mark.parametrize("lacking", [("version",), ("version", "digest")])
    @pytest.mark.parametrize("step", ["submit", "withdraw"])
    async def test_changes_no_draft(self, desk, visitor, step, lacking):
        row = await desk.draft(fields(), "author")
        browser, path = await visitor("author"), f"/alerts/{row.id}/{step}"
        form = form_of(await browser.get(f"/alerts/{row.id}"), path)
        for name in lacking:
            del form[name]
        answer = await browser.post(path, form)
        assert (answer.status, "changed meanwhile" in answer.text) == (422, True)
        assert (await desk.show(row.id)).alert.state == "draft"

    async def test_withdraws_nothing_that_waits(self, desk, visitor):
        row = await ready(desk)
        browser, path = await visitor("author"), f"/alerts/{row.id}/withdraw"
        form = form_of(await browser.get(f"/alerts/{row.id}"), path)
        for name in ("version", "digest"):
            answer = await browser.post(path, {one: value for one, value in form.items() if one != name})
            assert (answer.status, "look at it again" in answer.text.lower()) == (422, True)
        assert (await desk.show(row.id)).alert.state == "submitted"

    async def test_cancels_nothing(self, desk, visitor):
        row = await sent(desk)
        path = f"/releases/{(await desk.show(row.id)).release.id}/cancel"
        answer = await (await visitor("author")).post(path)
        assert (answer.status, "changed meanwhile" in answer.text) == (422, True)
        assert (await desk.show(row.id)).cancel.state == "draft"

    @pytest.mark.parametrize("action", ["", "/active"])
    async def test_changes_nobody(self, desk, visitor, action):
        before = await desk.people()
        form = {"name": "虚构 改名", "role": "author", "active": "no"}
        answer = await (await visitor("admin")).post(f"/admin/people/first{action}", form)
        assert (answer.status, "changed meanwhile" in answer.text) == (422, True)
        assert await desk.people() == before

    async def test_turns_nothing_on_that_somebody_turned_off(self, visitor):
        browser, path = await visitor("sender"), "/channels/sms/live/switch"
        assert (await browser.post(path, {"off": "1", "reason": "虚构：错发"})).status == 303
        assert (await browser.post(path, {"off": "0", "reason": "虚构：恢复"})).status == 422
        assert (await browser.press("/channels", path, {"reason": "虚构：恢复"})).status == 303


class TestTheTypedPlace:
    @pytest.mark.parametrize(
        ("place", "typed", "right"),
        [
            ("和平镇", "平镇", False),
            ("和平镇", " 和平镇 ", True),
            ("和平镇、北山镇", "和平镇和北山镇", True),
            ("和平镇、北山镇", "和平镇, 北山镇", True),
            ("和平镇、北山镇", "和平镇", False),
        ],
    )
    def test_is_told_from_another_whatever_its_name_begins_with(self, place, typed, right):
        assert same_place(typed, place) is right
