"""Authorisations, absences, duty and partner keys, as their pages keep them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from gateway.settings import load_settings
from gateway.store import audit, duty
from gateway.store.console_tables import absences, authorisations, duties
from gateway.store.desk import Person
from gateway.store.duty import Duty
from gateway.store.partner_tables import partner_keys
from gateway.web.console.admin.duty import day_of, gaps
from tests.desk.conftest import NORTH, START, ready
from tests.web.conftest import CONFIRM

if TYPE_CHECKING:
    from gateway.web.console.parts import Console

RULE = {"partners": {"water": {"name": "虚构水利局"}}}


async def rows(console, table):
    async with console.database.begin() as connection:
        return (await connection.execute(select(table))).all()


def authorisation(**more: object) -> dict:
    base = {
        "unit": "虚构气象局",
        "hazard": "*",
        "level": "orange",
        "region": NORTH,
        "document": "虚构〔2026〕1号",
    }
    return base | {"begins": "2026-07-01T00:00", "ends": "2027-07-01T00:00"} | more


class TestAuthorisations:
    async def test_one_is_entered_in_the_time_of_the_desk(self, visitor, console):
        browser = await visitor("admin")
        answer = await browser.post("/admin/authorisations", authorisation())
        assert answer.status == 303
        (kept,) = await rows(console, authorisations)
        assert (kept.unit, kept.hazard, kept.level, kept.region) == ("虚构气象局", "*", "orange", NORTH)
        assert kept.begins_at == datetime(2026, 6, 30, 16, tzinfo=UTC)
        page = await browser.get("/admin/authorisations")
        assert "虚构〔2026〕1号" in page.text
        assert "北山镇" in page.text

    @pytest.mark.parametrize(
        "wrong",
        [
            {"begins": ""},
            {"ends": "tomorrow"},
            {"ends": "2026-06-01T00:00"},
            {"level": "purple"},
            {"hazard": "dragons"},
            {"unit": ""},
            {"document": ""},
        ],
        ids=str,
    )
    async def test_what_cannot_be_is_refused(self, visitor, console, wrong):
        answer = await (await visitor("admin")).post("/admin/authorisations", authorisation() | wrong)
        assert answer.status == 422
        assert await rows(console, authorisations) == []

    async def test_one_is_revoked_and_signs_no_more(self, visitor, console, desk):
        await desk.set_person(Person("first", "虚构 first", ("approver",), True, None, "虚构气象局"))
        browser = await visitor("admin")
        await browser.post("/admin/authorisations", authorisation())
        (kept,) = await rows(console, authorisations)
        row = await ready(desk)
        assert (await desk.approve(row.id, row.digest, "first")).have == 1
        assert (await browser.post(f"/admin/authorisations/{kept.id}/revoke")).status == 303
        async with console.database.begin() as connection:
            assert (await audit.verify(connection)).reason == ""
        assert (await rows(console, authorisations))[0].revoked_at is not None
        assert (await browser.post("/admin/authorisations/999/revoke")).status in {404, 422}

    async def test_an_auditor_reads_them_and_changes_nothing(self, visitor, console):
        browser = await visitor("auditor")
        page = await browser.get("/admin/authorisations")
        assert page.status == 200
        assert '<form method="post" action="/desk/admin/authorisations"' not in page.text
        assert (await browser.post("/admin/authorisations", authorisation())).status == 403
        assert await rows(console, authorisations) == []


def absence(**more: object) -> dict:
    times = {"begins": "2026-07-01T09:00", "ends": "2026-07-02T09:00"}  # begins an hour before START
    return times | {"deputy": "second", "reason": "虚构培训"} | more


class TestAbsences:
    async def test_an_administrator_notes_one_and_ends_it(self, visitor, console):
        browser = await visitor("admin")
        assert (await browser.post("/admin/absences", absence(login="first"))).status == 303
        async with console.database.begin() as connection:
            assert await duty.deputies(connection, START) == {"first": "second"}
        (kept,) = await rows(console, absences)
        await browser.post(f"/admin/absences/{kept.id}/end")
        async with console.database.begin() as connection:
            assert await duty.deputies(connection, START) == {}

    async def test_one_without_a_deputy_is_pointed_out(self, visitor):
        browser = await visitor("admin")
        await browser.post("/admin/absences", absence(login="first", deputy=""))
        for path in ("/admin", "/admin/absences"):
            assert "nobody is asked instead" in (await browser.get(path)).text

    async def test_everybody_notes_the_own_one(self, visitor, console):
        browser = await visitor("first")
        assert (await browser.post("/me/absence", absence(login="third"))).status == 303
        (kept,) = await rows(console, absences)
        assert kept.login == "first"
        assert "虚构培训" in (await browser.get("/me/absence")).text
        assert (await (await visitor("second")).post(f"/me/absence/{kept.id}/end")).status in {403, 422}
        assert (await browser.post(f"/me/absence/{kept.id}/end")).status == 303

    async def test_a_deputy_who_may_not_approve_is_refused(self, visitor, console):
        answer = await (await visitor("first")).post("/me/absence", absence(deputy="author"))
        assert answer.status == 422
        assert await rows(console, absences) == []


DUTY = {"login": "author", "post": "main", "begins": "2026-07-01T08:00", "ends": "2026-07-01T20:00"}


class TestDuty:
    async def test_the_roster_shows_who_and_where_nobody_is(self, visitor):
        browser = await visitor("sender")
        assert (await browser.post("/duty", DUTY | {"days": "3"})).status == 303
        page = await browser.get("/duty")
        assert page.text.count("08:00–20:00 <strong>虚构 author") == 3
        assert "nobody</" not in page.text.split("07-02")[0].split("07-01")[0]
        assert "nobody 20:00–24:00" in page.text

    async def test_readers_change_nothing(self, visitor, console):
        browser = await visitor("author")
        assert (await browser.get("/duty")).status == 200
        assert (await browser.post("/duty", DUTY)).status == 403
        assert await rows(console, duties) == []

    async def test_one_is_taken_out(self, visitor, console):
        browser = await visitor("admin")
        await browser.post("/duty", DUTY)
        (kept,) = await rows(console, duties)
        for _ in range(2):
            assert (await browser.post(f"/duty/{kept.id}/remove")).status == 303
        assert await rows(console, duties) == []

    @pytest.mark.parametrize("wrong", [{"post": "cook"}, {"days": "99"}, {"login": "gone"}, {"ends": "x"}])
    async def test_what_cannot_be_is_refused(self, visitor, console, wrong):
        assert (await (await visitor("admin")).post("/duty", DUTY | wrong)).status in {404, 422}
        assert await rows(console, duties) == []


class TestGaps:
    DAY = datetime(2026, 7, 1, tzinfo=UTC)

    def duty(self, begins: int, ends: int, **more: object) -> Duty:
        hour = timedelta(hours=1)
        return Duty(1, "a", "甲", True, "main", self.DAY + begins * hour, self.DAY + ends * hour)._replace(
            **more
        )

    @pytest.mark.parametrize(
        ("spans", "found"),
        [
            ([], ["00:00–24:00"]),
            ([(0, 24)], []),
            ([(-4, 8), (8, 20), (20, 32)], []),
            ([(8, 20)], ["00:00–08:00", "20:00–24:00"]),
            ([(0, 12), (6, 10), (14, 24)], ["12:00–14:00"]),
        ],
    )
    def test_are_the_hours_that_nobody_covers(self, spans, found):
        duties_ = [self.duty(*span) for span in spans]
        assert gaps(self.DAY, self.DAY + timedelta(days=1), duties_) == found

    def test_who_was_deactivated_fills_none(self):
        day = day_of(self.DAY, [self.duty(0, 24, active=False)], [])
        assert day.cells[0].gaps == ["00:00–24:00"]

    def test_hours_that_are_over_are_none(self):
        day = day_of(self.DAY, [], [], self.DAY + timedelta(hours=22))
        assert day.cells[0].gaps == ["22:00–24:00"]


KEY = {
    "partner": "water",
    "scope": "push",
    "hazard": "rainstorm",
    "level": "yellow",
    "regions": "9999",
    "expires": "2027-01-01T00:00",
}


class TestPartnerKeys:
    @pytest.fixture
    def console(self, console: Console, tmp_path) -> Console:
        settings = load_settings(state_dir=tmp_path / "state", secrets={"confirm_key": CONFIRM}, **RULE)
        return console._replace(settings=settings)

    async def test_one_is_made_shown_once_and_revoked(self, visitor, console):
        browser = await visitor("admin")
        made = await browser.post("/admin/keys", KEY)
        page = await browser.get(made.location)
        key = re.search(r"tk_[0-9a-f]{12}_[\w-]{43}", page.text)[0]
        secret = re.search(r"whsec_[\w+/=]+", page.text)[0]
        (kept,) = await rows(console, partner_keys)
        assert (kept.scopes, kept.hazards, kept.regions, kept.highest_level) == (
            ["push"], ["rainstorm"], ["9999"], "yellow",
        )  # fmt: skip
        listed = (await browser.get("/admin/keys")).text
        assert key not in listed
        assert secret not in listed
        assert (await browser.post(f"/admin/keys/{kept.prefix}/revoke")).status == 303
        assert (await rows(console, partner_keys))[0].revoked_at is not None
        async with console.database.begin() as connection:
            told = [(one.actor, one.action) for one in await audit.show(connection, "partner water")]
        assert told == [("admin", "partner_key"), ("admin", "partner_key_revoked")]

    async def test_the_next_one_may_the_same_and_a_third_is_refused(self, visitor, console):
        browser = await visitor("admin")
        await browser.post("/admin/keys", KEY)
        (kept,) = await rows(console, partner_keys)
        assert (await browser.post(f"/admin/keys/{kept.prefix}/next")).status == 303
        one, two = await rows(console, partner_keys)
        assert (one.scopes, one.regions, one.hazards) == (two.scopes, two.regions, two.hazards)
        answer = await browser.post("/admin/keys", KEY)
        assert "two keys in force already" in answer.text
        assert len(await rows(console, partner_keys)) == 2

    @pytest.mark.parametrize(
        "wrong",
        [{"partner": "gone"}, {"level": "purple"}, {"hazard": "dragons"}, {"regions": "abc"}, {"scope": ""},
         {"expires": "2020-01-01T00:00"}, {"expires": "2099-01-01T00:00"}],
        ids=str,
    )  # fmt: skip
    async def test_what_cannot_be_is_refused(self, visitor, console, wrong):
        assert (await (await visitor("admin")).post("/admin/keys", KEY | wrong)).status == 422
        assert await rows(console, partner_keys) == []

    async def test_a_double_click_makes_one(self, visitor, console):
        browser = await visitor("admin")
        twice = KEY | {"once": "an-invented-form-number"}
        first, second = await browser.post("/admin/keys", twice), await browser.post("/admin/keys", twice)
        assert first.location == second.location
        assert len(await rows(console, partner_keys)) == 1
