"""The page of one alert: what is signed is what was shown, and what is asked for before."""

from __future__ import annotations

import asyncio
import html
import random
import re
import time
from collections import Counter
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import insert, select

from gateway.accounts.sealing import Owner, sealing_of
from gateway.desk import notes
from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused
from gateway.partners import keys
from gateway.partners.keys import Scope
from gateway.store import audit
from gateway.store.console_tables import accounts
from gateway.store.desk import Person
from gateway.store.tables import approvals, releases
from tests.desk.conftest import NORTH, SOUTH, area, fields, ready, sent
from tests.desk.test_approval import EDITS

KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
"""An invented second factor, the same for everybody of the invented desk."""
MANY = 200
STORMS = [2, pytest.param(MANY, marks=[pytest.mark.benchmark, pytest.mark.timeout(7200)])]
"""Alerts that fifty people click at; the large number by ``pytest -m benchmark -s`` of this file."""
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}{0.__class__}"


@pytest.fixture
async def codes(database, desk, clock, settings):
    """Gives a code that holds and was not used before."""
    async with database.begin() as connection:
        for login in ("first", "second", "third", "sender"):
            sealed = sealing_of(settings).seal(KEY, Owner("account", login))
            row = {"login": login, "totp_key": sealed, "created_at": clock.now()}
            await connection.execute(insert(accounts).values(row))

    def code() -> str:
        clock.advance(30)
        return pyotp.TOTP(KEY).at(int(clock.now().timestamp()))

    return code


@pytest.fixture
def without_codes(desk) -> None:
    """A policy that asks for no code, where something else is looked at."""
    policy = desk.office.policy
    confirm = policy.confirm.model_copy(update={"code": frozenset(), "typed": frozenset()})
    desk.office = desk.office._replace(policy=policy.model_copy(update={"confirm": confirm}))


async def sent_digests(database, alert_id: int) -> list[str]:
    async with database.begin() as connection:
        query = select(releases.c.digest).where(releases.c.alert_id == alert_id)
        return list((await connection.execute(query)).scalars())


async def signers(database, row) -> set[str]:
    async with database.begin() as connection:
        query = select(approvals.c.person).where(
            approvals.c.alert_id == row.id,
            approvals.c.digest == row.digest,
            approvals.c.decision == "approve",
        )
        return set((await connection.execute(query)).scalars())


async def voided(database, row) -> int:
    """How many signatures were given for what the alert no longer is."""
    async with database.begin() as connection:
        query = select(approvals.c.person).where(
            approvals.c.alert_id == row.id, approvals.c.digest != row.digest
        )
        return len((await connection.execute(query)).all())


class TestThePage:
    async def test_it_shows_every_text_as_it_is_frozen(self, desk, visitor):
        row = await ready(desk)
        page = html.unescape((await (await visitor("first")).get(f"/alerts/{row.id}")).text)
        for texts in row.texts.values():
            for content in texts.values():
                before, _, after = content["text"].partition("\ufffc")
                assert before in page
                assert after in page
        assert row.digest in page

    async def test_it_counts_the_frozen_people(self, desk, visitor, database):
        row = await ready(desk, areas=(area(NORTH), area(SOUTH, "南湖镇")))
        page = re.sub(r"<[^>]+>|\s+", " ", (await (await visitor("first")).get(f"/alerts/{row.id}")).text)
        assert re.search(r"北山镇 +3 +0", page)
        assert re.search(r"南湖镇 +1 +0", page)
        assert re.search(r"Responsible persons +1", page)

    @pytest.mark.parametrize("language", ["en", "zh-CN"])
    async def test_every_state_has_one(self, desk, visitor, language):
        browser = await visitor("author", language)
        drafted = await ready(desk)
        await desk.reject(drafted.id, drafted.digest, "first", "再看一遍")
        released = await sent(desk)
        cancel = await desk.cancel(released.id, "author")
        update = await desk.update((await sent(desk)).id, "author")
        drill = await ready(desk, mode="drill")
        for number in (drafted.id, released.id, cancel.id, update.id, drill.id):
            assert (await browser.get(f"/alerts/{number}")).status == 200
        assert 'class="drill"' in (await browser.get(f"/alerts/{drill.id}")).text

    async def test_there_is_none_of_an_alert_that_is_not_there(self, visitor):
        browser = await visitor("author")
        for number in (999, 10**17):
            assert (await browser.get(f"/alerts/{number}")).status == 404

    async def test_hostile_words_stay_words(self, desk, visitor):
        drafted = await desk.draft(fields(description=f"大雨 {HOSTILE}"), "author")
        await notes.consult(
            desk, drafted.id, "author", held_at=desk.clock.now(), participants=HOSTILE, minutes=HOSTILE
        )
        row = await desk.submit(drafted.id, "author")
        await desk.reject(row.id, row.digest, "first", HOSTILE)
        row = await desk.submit(row.id, "author")
        text = (await (await visitor("second")).get(f"/alerts/{row.id}")).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "{{7*7}}" in text
        assert "49" not in re.findall(r"大雨[^<]{0,400}", text)[0]

    async def test_it_tells_what_changed_since_the_last_submission(self, desk, visitor):
        row = await ready(desk)
        await desk.edit(
            row.id, "author", Changes(description="预计未来6小时降雨量将达80毫米以上", region=SOUTH)
        )
        await desk.submit(row.id, "author")
        text = (await (await visitor("first")).get(f"/alerts/{row.id}")).text
        assert "<del>50</del><ins>80</ins>" in text
        assert "1 people more, 3 people no longer" in text

    async def test_and_since_the_alert_that_it_updates(self, desk, visitor):
        old = await sent(desk)
        update = await desk.update(old.id, "author")
        await desk.edit(update.id, "author", Changes(level="orange", channels=("sms",)))
        row = await desk.submit(update.id, "author")
        text = (await (await visitor("first")).get(f"/alerts/{row.id}")).text
        assert f"Changed against alert {old.id}" in text
        assert "<del>Yellow</del><ins>Orange</ins>" in text
        assert "channel E-mail, on which alert" in text

    async def test_who_may_only_see_has_no_buttons(self, desk, visitor):
        row = await ready(desk)
        text = (await (await visitor("auditor")).get(f"/alerts/{row.id}")).text
        assert f'action="/desk/alerts/{row.id}' not in text


class TestSigning:
    """W1 and W3 at the page: who signs, and what a signature is for."""

    async def test_one_click_signs_and_sends_and_both_are_logged(self, desk, database, visitor):
        row = await ready(desk)
        browser = await visitor("first")
        once = (await browser.get(f"/alerts/{row.id}")).once()
        form = {"once": once, "digest": row.digest, "then": "send"}
        answers = await asyncio.gather(*(browser.post(f"/alerts/{row.id}/approve", form) for _ in range(3)))
        assert len({one.location for one in answers}) == 1
        assert re.fullmatch(r"/desk/releases/\d+", answers[0].location)
        assert await sent_digests(database, row.id) == [row.digest]

    async def test_approving_only_leaves_the_sending_to_another(self, desk, database, visitor):
        row = await ready(desk)
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/approve", {"digest": row.digest})
        assert answer.location == f"/desk/alerts/{row.id}"
        assert await sent_digests(database, row.id) == []
        answer = await (await visitor("sender")).post(f"/alerts/{row.id}/release", {"digest": row.digest})
        assert answer.location.startswith("/desk/releases/")

    async def test_its_author_is_refused_also_with_two_roles(self, desk, database, visitor):
        drafted = await desk.draft(fields(), "both")
        row = await desk.submit(drafted.id, "both")
        answer = await (await visitor("both")).post(
            f"/alerts/{row.id}/approve", {"digest": row.digest, "then": "send"}
        )
        assert answer.status == 422
        assert "another person approves it" in answer.text
        assert await sent_digests(database, row.id) == []

    async def test_its_author_is_refused_in_another_session_too(self, desk, database, visitor):
        """W1: two sessions of one person are one person."""
        row = await desk.submit((await desk.draft(fields(), "both")).id, "both")
        await desk.set_person(
            Person("sender", "虚构 sender", ("author", "approver", "releaser"), active=True)
        )
        await desk.reject(row.id, row.digest, "first", "再看一遍")
        row = await desk.submit(row.id, "sender")
        for login in ("both", "sender"):
            for browser in (await visitor(login), await visitor(login)):
                answer = await browser.post(
                    f"/alerts/{row.id}/approve", {"digest": row.digest, "then": "send"}
                )
                assert (answer.status, "another person approves it" in answer.text) == (422, True)
        assert await sent_digests(database, row.id) == []

    async def test_a_key_of_a_partner_signs_and_sends_nothing(self, desk, database, visitor, clock):
        """W1: what pushes an alert over the API cannot approve it, with whatever it may do there."""
        row = await ready(desk)
        until, secret = clock.now() + timedelta(days=30), b"invented " * 4
        key = await keys.add(database, "water", Scope(), until, secret, clock)
        bearer = {"Authorization": f"Bearer {key.text}"}
        browser = await visitor(None)
        for step in ("approve", "release", "emergency", "cosign", "submit", "edit"):
            answer = await browser.post(f"/alerts/{row.id}/{step}", {"digest": row.digest}, **bearer)
            assert answer.location.startswith("/desk/sign-in")
        assert (await desk.show(row.id)).signatures == []
        assert await sent_digests(database, row.id) == []

    @pytest.mark.parametrize("changes", EDITS.values(), ids=EDITS)
    async def test_what_was_changed_since_it_was_shown_is_not_signed(self, desk, database, visitor, changes):
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        await desk.edit(row.id, "author", Changes(**changes))
        again = await desk.submit(row.id, "author")
        browser = await visitor("second")
        answer = await browser.post(f"/alerts/{row.id}/approve", {"digest": row.digest, "then": "send"})
        assert answer.status == 422
        assert "was changed since you looked at it" in answer.text
        answer = await (await visitor("sender")).post(f"/alerts/{row.id}/release", {"digest": row.digest})
        assert answer.status == 422
        assert await signers(database, again) == set()
        assert await sent_digests(database, row.id) == []

    async def test_a_rejection_needs_a_reason_and_keeps_it(self, desk, visitor):
        row = await ready(desk)
        browser = await visitor("first")
        answer = await browser.post(f"/alerts/{row.id}/reject", {"digest": row.digest, "reason": " "})
        assert (answer.status, "Say why you reject it" in answer.text) == (422, True)
        await browser.post(f"/alerts/{row.id}/reject", {"digest": row.digest, "reason": "区域不对"})
        assert (await desk.show(row.id)).alert.state == "draft"
        assert "区域不对" in (await browser.get(f"/alerts/{row.id}")).text

    async def test_a_draft_is_submitted_and_withdrawn_by_its_author(self, desk, visitor):
        drafted = await desk.draft(fields(), "author")
        browser = await visitor("author")
        await browser.press(f"/alerts/{drafted.id}", f"/alerts/{drafted.id}/submit")
        assert (await desk.show(drafted.id)).alert.state == "submitted"
        await browser.press(f"/alerts/{drafted.id}", f"/alerts/{drafted.id}/withdraw")
        assert (await desk.show(drafted.id)).alert.state == "withdrawn"

    async def test_a_signature_that_counts_no_longer_is_made_good_by_another(self, desk, database, visitor):
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        await desk.set_person(Person("first", "虚构 first", ("approver",), active=False))
        browser, path = await visitor("second"), f"/alerts/{row.id}/approve"
        assert f'action="/desk{path}"' in (await browser.get(f"/alerts/{row.id}")).text
        answer = await browser.post(path, {"digest": row.digest, "then": "send"})
        assert answer.location.startswith("/desk/releases/")
        assert f'action="/desk{path}"' not in (await browser.get(f"/alerts/{row.id}")).text

    async def test_what_has_its_signatures_asks_for_no_further_one(self, desk, visitor):
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        page = await (await visitor("second")).get(f"/alerts/{row.id}")
        assert f"/alerts/{row.id}/approve" not in page.text

    async def test_the_part_that_is_fetched_again_tells_what_is_there(self, desk, visitor):
        row = await ready(desk)
        browser = await visitor("first")
        part = (await browser.get(f"/alerts/{row.id}/standing")).text
        assert f'data-digest="{row.digest}" data-state="submitted"' in part
        await desk.approve(row.id, row.digest, "second")
        assert 'data-state="approved"' in (await browser.get(f"/alerts/{row.id}/standing")).text


class TestWhatIsAskedFor:
    """W6: the place and the number of people are typed before a wide warning is signed."""

    async def test_orange_takes_a_code_of_this_very_step(self, desk, database, visitor, codes):
        row = await ready(desk, level="orange")
        browser, path = await visitor("first"), f"/alerts/{row.id}/approve"
        answer = await browser.post(path, {"digest": row.digest})
        assert (answer.status, "code of your second factor" in answer.text) == (422, True)
        answer = await browser.post(path, {"digest": row.digest, "code": "000000"})
        assert answer.status == 422
        assert await signers(database, row) == set()
        desk.clock.advance(3600)
        assert (await browser.post(path, {"digest": row.digest, "code": codes()})).status == 303
        assert await signers(database, row) == {"first"}

    async def test_a_code_signs_once(self, desk, database, visitor, codes):
        one, two = await ready(desk, level="orange"), await ready(desk, level="orange")
        browser, code = await visitor("first"), codes()
        for row in (one, two):
            await browser.post(f"/alerts/{row.id}/approve", {"digest": row.digest, "code": code})
        assert (await signers(database, one), await signers(database, two)) == ({"first"}, set())

    async def test_a_code_is_not_used_up_by_what_is_refused_before(self, desk, database, visitor, codes):
        row = await ready(desk, level="red")
        browser, path, code = await visitor("first"), f"/alerts/{row.id}/approve", codes()
        form = {"digest": row.digest, "code": code, "place": "北山", "count": "3"}
        assert (await browser.post(path, form)).status == 422
        assert (await browser.post(path, form | {"place": "北山镇"})).status == 303
        assert await signers(database, row) == {"first"}

    @pytest.mark.parametrize(
        ("place", "count", "said"),
        [
            ("", "", "This goes to: 北山镇"),
            ("南湖镇", "3", "This goes to: 北山镇"),
            ("北山镇", "4", "This goes to 3"),
            ("北山镇", "", "This goes to 3"),
        ],
    )
    async def test_red_takes_place_and_number_as_they_are(
        self, desk, database, visitor, codes, place, count, said
    ):
        row = await ready(desk, level="red")
        form = {"digest": row.digest, "code": codes(), "place": place, "count": count}
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/approve", form)
        assert answer.status == 422
        assert said in answer.text
        assert await signers(database, row) == set()

    @pytest.mark.parametrize("place", ["北山镇、南湖镇", " 北山镇, 南湖镇 ", "北山镇南湖镇"])
    async def test_blanks_and_commas_do_not_matter(self, desk, database, visitor, codes, place):
        row = await ready(desk, level="red", areas=(area(), area(SOUTH, "南湖镇")))
        form = {"digest": row.digest, "code": codes(), "place": place, "count": "４"}
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/approve", form)
        assert answer.status == 303

    async def test_so_does_any_level_above_so_many_people(self, desk, visitor):
        policy = desk.office.policy
        confirm = policy.confirm.model_copy(update={"above": 2})
        desk.office = desk.office._replace(policy=policy.model_copy(update={"confirm": confirm}))
        row = await ready(desk)
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/approve", {"digest": row.digest})
        assert (answer.status, "This goes to: 北山镇" in answer.text) == (422, True)

    async def test_sending_asks_again_where_another_person_sends(self, desk, database, visitor, codes):
        row = await ready(desk, level="orange")
        for login in ("first", "second"):
            browser = await visitor(login)
            await browser.post(f"/alerts/{row.id}/approve", {"digest": row.digest, "code": codes()})
        browser, path = await visitor("sender"), f"/alerts/{row.id}/release"
        assert (await browser.post(path, {"digest": row.digest})).status == 422
        assert (await browser.post(path, {"digest": row.digest, "code": codes()})).status == 303
        assert await sent_digests(database, row.id) == [row.digest]

    async def test_taking_back_is_never_typed_and_takes_a_code_of_the_last_minutes(
        self, desk, visitor, codes, database
    ):
        row = await ready(desk, level="red")
        for login in ("first", "second"):
            await desk.approve(row.id, row.digest, login)
        await desk.release(row.id, "sender")
        cancel = await desk.cancel(row.id, "author")
        browser = await visitor("first")
        desk.clock.advance(600)
        answer = await browser.post(f"/alerts/{cancel.id}/approve", {"digest": cancel.digest})
        assert answer.status == 422
        browser = await visitor("second")  # has just signed in
        answer = await browser.post(f"/alerts/{cancel.id}/approve", {"digest": cancel.digest})
        assert answer.location.startswith("/desk/releases/")


class TestTheEmergencyPath:
    async def test_one_person_sends_and_another_signs_afterwards(self, desk, database, visitor, codes):
        row = await ready(desk, level="red")
        form = {
            "digest": row.digest,
            "code": codes(),
            "place": "北山镇",
            "count": "3",
            "reason": "虚构：溃坝",
        }
        browser = await visitor("first")
        path = f"/alerts/{row.id}/emergency"
        assert (await browser.post(path, form | {"reason": ""})).status == 422
        assert (await browser.post(path, form | {"count": "4"})).status == 422
        assert (await browser.post(path, form)).location.startswith("/desk/releases/")
        assert await sent_digests(database, row.id) == [row.digest]
        assert "虚构：溃坝" in (await browser.get(f"/alerts/{row.id}")).text
        cosign = {"digest": row.digest, "code": codes()}
        assert (await browser.post(f"/alerts/{row.id}/cosign", cosign)).status == 422
        other = await visitor("second")
        assert (await other.post(f"/alerts/{row.id}/cosign", {"digest": row.digest})).status == 422
        assert (await other.post(f"/alerts/{row.id}/cosign", cosign)).status == 303
        assert (await desk.show(row.id)).emergency.cosigned_by == "second"

    async def test_it_is_offered_only_where_the_policy_has_it(self, desk, visitor, without_codes):
        for level, offered in (("red", True), ("orange", False)):
            row = await ready(desk, level=level)
            text = (await (await visitor("first")).get(f"/alerts/{row.id}")).text
            assert (f"/desk/alerts/{row.id}/emergency" in text) is offered


class TestTheClock:
    """W7: the clock is seen on the page."""

    async def test_it_is_seen_and_the_deputy_after_it(self, desk, clock, visitor):
        row = await ready(desk, level="red")
        browser = await visitor("auditor")
        text = (await browser.get(f"/alerts/{row.id}")).text
        due = (clock.now() + timedelta(minutes=3)).astimezone(desk.office.settings.zone)
        assert f'datetime="{due.isoformat(timespec="seconds")}"' in text
        clock.advance(180)
        await desk.call_next()
        assert "asked after silence" in (await browser.get(f"/alerts/{row.id}")).text


class TestRaces:
    @pytest.mark.usefixtures("without_codes")
    async def test_one_click_sends_nothing_that_was_approved_after_it(
        self, desk, database, visitor, monkeypatch
    ):
        row, approve = await ready(desk), desk.approve

        async def and_then_it_changes(number: int, digest: str, person: str):
            signed = await approve(number, digest, person)
            await desk.edit(number, "author", Changes(headline="虚构的另一句"))
            await approve(number, (await desk.submit(number, "author")).digest, "second")
            return signed

        monkeypatch.setattr(desk, "approve", and_then_it_changes)
        form = {"digest": row.digest, "then": "send"}
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/approve", form)
        assert (answer.status, "was changed since you looked at it" in answer.text) == (422, True)
        assert (await desk.show(row.id)).alert.state == "approved"
        assert await sent_digests(database, row.id) == []

    @pytest.mark.usefixtures("without_codes")
    @pytest.mark.parametrize("alerts", STORMS)
    async def test_fifty_clicks_and_edits_between_them_send_once_what_was_signed(
        self, desk, database, visitor, alerts
    ):
        """W2: 50 approvals at once of each alert, and 4 edits between them."""
        await desk.set_person(Person("both", "虚构 both", ("author",), active=True))
        browsers = {login: await visitor(login) for login in ("first", "second")}
        told, began = Counter(), time.perf_counter()
        for number in range(alerts):
            row = await ready(desk, level="orange")
            await Storm(desk, row, browsers, told, random.Random(number)).blow()
            now = (await desk.show(row.id)).alert
            assert await sent_digests(database, row.id) == [now.digest]
            assert await signers(database, now) == {"first", "second"}
            told["signatures that an edit voided"] += await voided(database, now)
        async with database.begin() as connection:
            assert (await audit.verify(connection)).broken_at is None
        spent = time.perf_counter() - began
        print(f"\n{alerts} alerts, each released once as signed, in {spent:.0f} s: {dict(told)}")  # noqa: T201
        assert told["edits"]
        assert alerts < MANY or told["signatures that an edit voided"]


class Storm:
    """Fifty people click until an alert is sent, and each edit comes after some of their answers.

    Their first clicks wait for the first edit, and name what was there before or is there then.
    """

    def __init__(self, desk, row, browsers, told, chance) -> None:
        self.desk, self.row, self.browsers, self.told, self.chance = desk, row, browsers, told, chance
        self.answers, self.done, self.answered = 0, False, asyncio.Condition()
        self.edited = asyncio.Event()

    async def blow(self) -> None:
        clicks = (self._click(login, number) for number in range(25) for login in self.browsers)
        await asyncio.gather(*clicks, self._edit())

    async def _click(self, login: str, number: int) -> None:
        while not self.done:
            seen = (await self.desk.show(self.row.id)).alert
            await self.edited.wait()
            self.done = seen.state == "released"
            digest = seen.digest if seen.digest and number % 3 else self.row.digest
            form = {"digest": digest, "then": "send"}
            answer = await self.browsers[login].post(f"/alerts/{self.row.id}/approve", form)
            assert answer.status in {303, 422}, answer.text
            stale = "was changed since you looked at it" in answer.text
            self.told["signed or there already" if answer.status == 303 else f"refused, {stale=}"] += 1
            async with self.answered:
                self.answers += 1
                self.answered.notify_all()

    async def _edit(self) -> None:
        for number in range(4):
            after = self.answers + (self.chance.choice((0, 1, 1, 2, 3, 5, 60)) if number else 0)
            async with self.answered:
                await self.answered.wait_for(lambda after=after: self.done or self.answers >= after)
            try:
                words = Changes(instruction=f"请立即转移（{number}）")
                await self.desk.edit(self.row.id, "writer", words)
            except DeskRefused:
                assert (await self.desk.show(self.row.id)).alert.state == "released"
                self.told["edits too late"] += 1
                return
            await self.desk.submit(self.row.id, "writer")
            self.edited.set()
            self.told["edits"] += 1
