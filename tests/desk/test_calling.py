"""Who is asked to sign, and who is asked next where an approver is silent."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from gateway.desk.calling import Place, places
from gateway.desk.compose import Changes
from gateway.desk.service import Desk
from gateway.store import alarms, audit, summons
from gateway.store.console_tables import absences, duties
from gateway.store.desk import Person
from gateway.store.summons import Candidate
from gateway.store.tables import alerts

from .conftest import START, fields, make_office, ready

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk(desk) -> Desk:
    """Its approvers are first, second and third."""
    await desk.set_person(Person("both", "虚构 both", ("author",), active=True))
    return desk


async def on_duty(database, login: str, post: str) -> None:
    async with database.begin() as connection:
        await connection.execute(
            insert(duties).values(
                login=login, post=post, begins_at=START - HOUR, ends_at=START + 8 * HOUR, made_by="author"
            )
        )


async def away(database, login: str, deputy: str | None, since: timedelta = -HOUR) -> None:
    async with database.begin() as connection:
        await connection.execute(
            insert(absences).values(
                login=login, deputy=deputy, begins_at=START + since, ends_at=START + 8 * HOUR,
                reason="虚构的外出", made_by="author", made_at=START,
            )
        )  # fmt: skip


async def asked(database, row) -> list[tuple[str, str]]:
    async with database.begin() as connection:
        return [(one.login, one.reason) for one in await summons.summoned(connection, row.id, row.digest)]


async def escalations(database, row) -> list[dict]:
    async with database.begin() as connection:
        records = await audit.show(connection, f"alert {row.id}")
    return [json.loads(one.detail) for one in records if one.action == "escalate"]


async def alarm_codes(database, row) -> list[str]:
    async with database.begin() as connection:
        return [one.code for one in await alarms.standing(connection, f"alert {row.id}")]


class TestWhoIsAskedFirst:
    async def test_as_many_as_must_sign(self, desk, database):
        one = await ready(desk, level="yellow")
        assert await asked(database, one) == [("first", "first")]
        two = await ready(desk, level="orange")
        assert await asked(database, two) == [("first", "first"), ("second", "first")]

    async def test_who_is_on_duty_comes_before_the_others(self, desk, database):
        await on_duty(database, "third", "leader")
        await on_duty(database, "second", "main")
        row = await ready(desk, level="orange")
        assert await asked(database, row) == [("second", "first"), ("third", "first")]

    async def test_an_author_is_not_asked_even_on_duty(self, desk, database):
        await desk.set_person(Person("both", "虚构 both", ("author", "approver"), active=True))
        await on_duty(database, "both", "main")
        drafted = await desk.draft(fields(), "both")
        row = await desk.submit(drafted.id, "both")
        assert await asked(database, row) == [("first", "first")]

    async def test_a_deputy_is_asked_in_place_of_who_is_away(self, desk, database):
        await away(database, "first", "third")
        row = await ready(desk)
        assert await asked(database, row) == [("third", "deputy")]

    async def test_who_is_away_without_a_deputy_is_passed_over(self, desk, database):
        await away(database, "first", None)
        row = await ready(desk)
        assert await asked(database, row) == [("second", "first")]

    async def test_nobody_is_asked_whose_region_it_is_not(self, desk, database):
        await desk.set_person(Person("first", "虚构", ("approver",), active=True, region="999901102000"))
        row = await ready(desk)
        assert await asked(database, row) == [("second", "first")]

    async def test_the_submission_tells_whom(self, desk, database):
        row = await ready(desk)
        async with database.begin() as connection:
            last = (await audit.show(connection, f"alert {row.id}"))[-1]
        assert json.loads(last.detail)["asked"] == ["first"]


def someone(login: str, deputy: str | None = None, *, is_away: bool = False) -> Candidate:
    return Candidate(Person(login, login, ("approver",), active=True), is_away or deputy is not None, deputy)


class TestTheOrder:
    @pytest.mark.parametrize(
        ("people", "order"),
        [
            ([someone("a"), someone("b")], [Place("a", False), Place("b", False)]),
            ([someone("a", "b"), someone("b")], [Place("b", True)]),
            ([someone("a", "b"), someone("b", "c"), someone("c")], [Place("c", True)]),
            ([someone("a", "b"), someone("b", "a"), someone("c")], [Place("c", False)]),
            ([someone("a", "gone"), someone("c")], [Place("c", False)]),
            ([someone("a", is_away=True)], []),
        ],
        ids=["as on duty", "a deputy", "a deputy's deputy", "in a circle", "a deputy who left", "no deputy"],
    )
    def test_each_is_asked_once_and_whoever_is_here(self, people, order):
        assert list(places(people, {one.person.login for one in people})) == order


class TestASilentApprover:
    """W7: after its time the next one is asked, then the deputy, and both are logged."""

    async def test_after_three_minutes_the_next_is_asked_and_an_alarm_is_raised(self, desk, database, clock):
        row = await ready(desk, level="red")
        clock.advance(179)
        assert await desk.call_next() == {}
        clock.advance(1)
        assert await desk.call_next() == {row.id: "third"}
        assert await asked(database, row) == [("first", "first"), ("second", "first"), ("third", "silent")]
        (told,) = await escalations(database, row)
        assert (told["asked"], told["silent"], told["digest"]) == ("third", ["first", "second"], row.digest)
        assert await alarm_codes(database, row) == ["approver_silent"]

    async def test_the_deputy_of_who_went_away_meanwhile_is_next(self, desk, database, clock):
        row = await ready(desk)
        await away(database, "first", "third", since=timedelta(minutes=1))
        clock.advance(600)
        assert await desk.call_next() == {row.id: "third"}
        assert await asked(database, row) == [("first", "first"), ("third", "deputy")]

    @pytest.mark.parametrize(("level", "seconds"), [("orange", 180), ("yellow", 600), ("blue", 1800)])
    async def test_each_level_has_its_patience(self, desk, clock, level, seconds):
        row = await ready(desk, level=level)
        clock.advance(seconds - 1)
        assert await desk.call_next() == {}
        clock.advance(1)
        assert list(await desk.call_next()) == [row.id]

    async def test_a_signature_begins_the_time_anew(self, desk, clock):
        row = await ready(desk, level="red")
        clock.advance(170)
        await desk.approve(row.id, row.digest, "first")
        clock.advance(170)
        assert await desk.call_next() == {}
        clock.advance(10)
        assert await desk.call_next() == {row.id: "third"}

    async def test_of_an_alert_that_cannot_be_read_holds_up_no_other(self, desk, database, clock):
        broken, whole = await ready(desk), await ready(desk)
        await desk.set_person(Person("second", "虚构", ("approver",), active=True, region="999901101000"))
        async with database.begin() as connection:
            await connection.execute(update(alerts).where(alerts.c.id == broken.id).values(content={}))
        clock.advance(600)
        assert await desk.call_next() == {whole.id: "second"}

    async def test_any_number_of_processes_ask_one(self, desk, database, clock):
        row = await ready(desk, level="yellow")
        clock.advance(600)
        copies = [Desk(database, clock, desk.office) for _ in range(6)]
        called = await asyncio.gather(*(one.call_next() for one in copies))
        assert sorted(len(one) for one in called) == [0, 0, 0, 0, 0, 1]
        assert await asked(database, row) == [("first", "first"), ("second", "silent")]
        assert len(await escalations(database, row)) == 1

    async def test_when_everybody_was_asked_another_alarm_says_so_once(self, desk, database, clock):
        row = await ready(desk)
        for _ in range(6):
            clock.advance(600)
            await desk.call_next()
        assert [one["asked"] for one in await escalations(database, row)] == ["second", "third", None]
        assert await alarm_codes(database, row) == ["approver_silent", "nobody_signs"]

    async def test_whoever_may_sign_may_without_being_asked(self, desk):
        row = await ready(desk)
        assert (await desk.approve(row.id, row.digest, "third")).alert.state == "approved"

    @pytest.mark.parametrize("end", ["approve", "reject", "withdraw", "edit"])
    async def test_the_alarm_ends_when_it_waits_no_longer(self, desk, database, clock, end):
        row = await ready(desk)
        clock.advance(600)
        await desk.call_next()
        if end == "approve":
            await desk.approve(row.id, row.digest, "second")
        elif end == "reject":
            await desk.reject(row.id, row.digest, "second", "区域不对")
        elif end == "withdraw":
            await desk.withdraw(row.id, "author")
        else:
            await desk.edit(row.id, "author", Changes(headline="暴雨"))
        clock.advance(600)
        assert await desk.call_next() == {}
        assert await alarm_codes(database, row) == []

    async def test_the_policy_may_turn_it_off(self, database, clock, desk, tmp_path):
        policy = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n[escalation]\nyellow = 0\n"
        patient = Desk(database, clock, make_office(policy, tmp_path))
        await ready(patient)
        clock.advance(5 * 3600)
        assert await patient.call_next() == {}


class TestWhatWaits:
    async def test_it_is_told_for_each_person(self, desk, database, clock):
        row = await ready(desk, level="red")
        await desk.approve(row.id, row.digest, "first")
        async with database.begin() as connection:
            of = {
                login: (await summons.waiting(connection, login, clock.now()))[0]
                for login in ("author", "first", "second", "third")
            }
        told = {login: (one.mine, one.signed_by_me, one.asks_me) for login, one in of.items()}
        assert told == {
            "author": (True, False, False),
            "first": (False, True, False),
            "second": (False, False, True),
            "third": (False, False, False),
        }
        assert (of["second"].have, of["second"].need, of["second"].asked) == (1, 2, ("虚构 second",))
        assert of["second"].quiet_since == clock.now()

    async def test_what_was_sent_or_sent_back_waits_no_longer(self, desk, database, clock):
        row = await ready(desk)
        await desk.reject(row.id, row.digest, "first", "再看一遍")
        async with database.begin() as connection:
            assert await summons.waiting(connection, "first", clock.now()) == []


POLICY = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n[escalation]\n"


class TestWhatIsApprovedAndNobodySends:
    @pytest.mark.parametrize(
        ("escalation", "seconds"), [("", 600), ("yellow = 60\n", 60), ("yellow = 0\n", 600)]
    )
    async def test_is_called_out_once_also_where_nobody_is_asked_further(
        self, desk, database, clock, tmp_path, escalation, seconds
    ):
        made = Desk(database, clock, make_office(POLICY + escalation, tmp_path))
        row = await ready(made)
        clock.advance(5)
        await made.approve(row.id, row.digest, "first")
        clock.advance(seconds - 1)
        assert await made.remind_senders() == []
        clock.advance(1)
        assert sorted(await asyncio.gather(made.remind_senders(), made.remind_senders())) == [[], [row.id]]
        clock.advance(seconds)
        assert await made.remind_senders() == []
        assert await alarm_codes(database, row) == ["nobody_sends"]
        async with database.begin() as connection:
            records = await audit.show(connection, f"alert {row.id}")
        assert [one.action for one in records].count("send_overdue") == 1

    @pytest.mark.parametrize("end", ["release", "reject", "edit", "expire"])
    async def test_until_it_waits_no_longer(self, desk, database, clock, end):
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        clock.advance(600)
        assert await desk.remind_senders() == [row.id]
        if end == "release":
            await desk.release(row.id, "sender")
        elif end == "reject":
            await desk.reject(row.id, row.digest, "second", "区域不对")
        elif end == "edit":
            await desk.edit(row.id, "author", Changes(headline="暴雨"))
        clock.advance(6 * 3600 if end == "expire" else 1)
        assert await desk.remind_senders() == []
        assert await alarm_codes(database, row) == []

    async def test_and_again_where_it_is_approved_anew(self, desk, database, clock):
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        clock.advance(600)
        await desk.remind_senders()
        await desk.edit(row.id, "author", Changes(headline="暴雨"))
        row = await desk.submit(row.id, "author")
        await desk.approve(row.id, row.digest, "second")
        assert await desk.remind_senders() == []
        assert await alarm_codes(database, row) == []
        clock.advance(600)
        assert await desk.remind_senders() == [row.id]
