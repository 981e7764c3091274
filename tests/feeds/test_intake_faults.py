"""Messages that come at the same moment, processes that end in the middle, and sources that lie."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway.desk.compose import NOTHING, Changes
from gateway.desk.refused import DeskRefused
from gateway.feeds import acting
from gateway.feeds.by_hand import ByHand
from gateway.settings import load_settings
from gateway.store import incoming as store
from gateway.store.incoming_tables import incoming
from tests.alerts.pki import make, write_certificates
from tests.desk.conftest import SOUTH, START
from tests.feeds.conftest import OTHER, RELEASE, SENDER, area, item, message

WITH_WATER = RELEASE | {"release_alone": False, "agrees_with": ["water"]}
MANY = RELEASE | {"most_per_hour": 1000}


def cancel(*about, name="end", minutes=1, **changes):
    return message(name, minutes=minutes, msg_type="Cancel", about=about, infos=(), **changes)


def update(*about, name="more", minutes=1, **changes):
    return message(name, minutes=minutes, msg_type="Update", about=about, **changes)


async def rows(county, **wanted):
    query = select(incoming).order_by(incoming.c.id)
    for name, value in wanted.items():
        query = query.where(incoming.c[name] == value)
    async with county.database.begin() as connection:
        return list(await connection.execute(query))


async def until_stored(county, name):
    query = select(func.count()).where(incoming.c.identifier == name)
    while True:
        async with county.database.begin() as connection:
            if (await connection.execute(query)).scalar_one():
                return
        await asyncio.sleep(0.01)


def just_before_the_release(monkeypatch, event):
    """Have something happen when an alert is drafted and about to be sent."""
    resolve = acting.submission.resolve

    async def after(*given):
        await event()
        return await resolve(*given)

    monkeypatch.setattr(acting.submission, "resolve", after)


def mortal(county, monkeypatch):
    """Have the process end at the beginning of the n-th transaction from here on, for ``left[0] = n``."""
    begin, left = county.database.begin, [0]

    @asynccontextmanager
    async def counted():
        left[0] -= 1
        if left[0] == 0:
            raise ConnectionAbortedError("as if the process had ended")
        async with begin() as connection:
            yield connection

    monkeypatch.setattr(county.database, "begin", counted)
    return left


class TestAtTheSameMoment:
    async def test_a_cancel_that_comes_while_its_alert_is_being_sent_wins(self, county, monkeypatch):
        intake, other = county.intake(weather=dict(RELEASE)), county.intake(weather=dict(RELEASE))
        first, end = message(), cancel(message())
        county.clock.advance(60)
        taking = []

        async def retract():
            taking.append(asyncio.create_task(other.take("weather", "cap", item(end))))
            await until_stored(county, "end")

        just_before_the_release(monkeypatch, retract)
        await intake.take("weather", "cap", item(first))
        await asyncio.gather(*taking)
        assert await county.sent() == []
        assert [row[2] for row in await county.ours()] == ["withdrawn"]

    async def test_a_message_that_a_person_lays_aside_while_it_is_being_sent_is_not_sent(
        self, county, monkeypatch
    ):
        inbox = ByHand(county.database, county.clock, county.desk, load_settings())
        intake = county.intake(weather=dict(RELEASE))

        async def dismissed():
            (row,) = await rows(county)
            async with county.database.begin() as connection:
                await store.change(connection, row.id, state="inbox")  # as it is before it is drafted
            await inbox.dismiss(row.id, "author", "误发")

        just_before_the_release(monkeypatch, dismissed)
        await intake.take("weather", "cap", item(message()))
        assert await county.sent() == []
        assert [row.state for row in await rows(county)] == ["dismissed"]

    async def test_a_delegate_s_cancel_at_the_moment_of_its_alert_is_not_lost(self, county):
        rules = {
            "weather": {"action": "submit", "senders": [SENDER], "delegates": [OTHER]},
            "water": {"senders": [OTHER]},
        }
        county.clock.advance(60)
        for number in range(6):
            one, other = county.intake(**rules), county.intake(**rules)
            first = message(f"a{number}")
            end = cancel(first, name=f"c{number}", sender=OTHER)
            await asyncio.gather(
                one.take("weather", "cap", item(first)), other.take("water", "cap", item(end))
            )
            assert {row[2] for row in await county.ours()} <= {"withdrawn"}

    async def test_however_many_come_at_once_no_more_than_the_limit_are_sent(self, county):
        senders = [f"s{number}@weather.example.org" for number in range(6)]
        rule = RELEASE | {"senders": senders, "most_per_hour": 2}
        await asyncio.gather(
            *[
                county.intake(weather=rule).take("weather", "cap", item(message(f"n{place}", sender=sender)))
                for place, sender in enumerate(senders)
            ]
        )
        assert len(await county.sent()) == 2


class TestKilled:
    async def test_whenever_the_process_ends_an_alert_is_sent_once_and_can_be_taken_back(
        self, county, monkeypatch
    ):
        left = mortal(county, monkeypatch)
        kills = 0
        for place in range(1, 40):
            first = message(f"a{place}")
            left[0] = place
            try:
                await county.intake(weather=dict(MANY)).take("weather", "cap", item(first))
            except ConnectionAbortedError:
                kills += 1
            else:
                break
            left[0] = 0
            await county.intake(weather=dict(MANY)).settle(county.clock.now() + timedelta(seconds=1))
            await county.intake(weather=dict(MANY)).take("weather", "cap", item(first))
            (row,) = await rows(county, identifier=f"a{place}")
            assert (row.state, row.todo, row.released_at) == ("released", None, county.clock.now())
            county.clock.advance(1)
            end = cancel(first, name=f"c{place}", sent=county.clock.now())
            (taken,) = await county.take(county.intake(weather=dict(MANY)), end)
            assert "cancelled by rule" in taken.reason
        left[0] = 0
        sent = await county.sent()
        assert kills > 5
        assert len(sent) == 2 * kills + 1

    async def test_whenever_the_process_ends_a_cancel_is_not_lost(self, county, monkeypatch):
        left = mortal(county, monkeypatch)
        county.clock.advance(60)
        for place in range(2, 40):
            intake = county.intake(weather=dict(MANY))
            first = message(f"a{place}")
            await county.take(intake, first)
            left[0] = place
            try:
                await county.take(intake, cancel(first, name=f"c{place}"))
                break
            except ConnectionAbortedError:
                pass
            finally:
                left[0] = 0
            await county.take(county.intake(weather=dict(MANY)), cancel(first, name=f"c{place}"))
            await county.intake(weather=dict(MANY)).settle(county.clock.now() + timedelta(seconds=1))
            (row,) = await rows(county, identifier=f"a{place}")
            assert row.state == "taken_back"
        assert place > 4
        assert not [row for row in await county.ours() if row[1:] == ("Alert", "released")]

    async def test_what_vanished_is_acted_upon_at_the_next_list_if_not_at_this_one(self, county, monkeypatch):
        intake = county.intake(weather={"action": "submit", "vanished": "cancel"})
        await intake.take("weather", "cap", item(message()), "name-1")

        async def killed(*_):
            raise ConnectionAbortedError("as if the process had ended")

        with monkeypatch.context() as patched:
            patched.setattr(intake._acting, "vanished", killed)
            with pytest.raises(ConnectionAbortedError):
                await intake.listed("weather", frozenset())
        await intake.listed("weather", frozenset())
        assert [row[2] for row in await county.ours()] == ["withdrawn"]

    async def test_a_message_that_the_program_fails_over_keeps_no_other_waiting(self, county, monkeypatch):
        intake = county.intake(weather=dict(RELEASE))

        async def killed(_):
            raise ConnectionAbortedError("as if the process had ended")

        with monkeypatch.context() as patched:
            patched.setattr(intake._acting, "finish", killed)
            for name in ("bad", "good"):
                with pytest.raises(ConnectionAbortedError):
                    await county.take(intake, message(name))
        bring = acting.Acting._bring

        async def fails(self, row, replaced):
            if row.identifier == "bad":
                raise AssertionError("a mistake of the program")
            await bring(self, row, replaced)

        monkeypatch.setattr(acting.Acting, "_bring", fails)
        await intake.settle(county.clock.now() + timedelta(seconds=1))
        assert await county.sent() == [("Alert", "good")]

    async def test_what_lay_undone_for_longer_than_its_rule_takes_is_not_sent(self, county, monkeypatch):
        intake = county.intake(weather=dict(RELEASE))

        async def killed(_):
            raise ConnectionAbortedError("as if the process had ended")

        with monkeypatch.context() as patched:
            patched.setattr(intake._acting, "finish", killed)
            with pytest.raises(ConnectionAbortedError):
                await county.take(intake, message())
        county.clock.advance(3 * 3600)
        await intake.settle(county.clock.now())
        (row,) = await rows(county)
        assert (row.state, await county.sent()) == ("submitted", [])
        assert "older" in row.reason


class TestWhoIsBelieved:
    async def test_a_cancel_that_had_to_be_signed_and_is_not_takes_nothing_back(self, county, tmp_path):
        signers = [str(write_certificates(tmp_path / "signer.pem", make("Invented signer")))]
        unsigned = {"source": {"signature": "require", "signers": signers}, "senders": [SENDER]}
        intake = county.intake(weather=dict(RELEASE), doubtful=unsigned)
        county.clock.advance(60)
        (held,) = await county.take(intake, cancel(message()), source="doubtful")
        (first,) = await county.take(intake, message())
        assert (held.state, first.state) == ("held", "released")

    async def test_a_source_cannot_take_back_in_the_name_of_a_sender_whom_another_one_names(self, county):
        intake = county.intake(weather=dict(RELEASE), copies={"action": "submit"})
        first = message()
        county.clock.advance(60)
        await county.take(intake, first)
        taken = await county.take(intake, cancel(first), update(first), source="copies")
        assert [one.state for one in taken] == ["held", "held"]
        assert await county.sent() == [("Alert", "one")]
        assert "foreign_sender" in await county.alarms()

    async def test_nor_can_it_be_first(self, county):
        intake = county.intake(weather=dict(RELEASE), copies={"action": "submit"})
        county.clock.advance(60)
        await county.take(intake, cancel(message()), source="copies")
        (first,) = await county.take(intake, message())
        assert first.state == "released"

    async def test_a_forged_twin_does_not_set_the_true_message_aside(self, county):
        intake = county.intake(weather={"action": "submit", "senders": [SENDER]}, copies={})
        (first,) = await county.take(intake, message())
        (twin,) = await county.take(intake, message(headline="南湖镇暴雨"), source="copies")
        assert (first.state, twin.state) == ("submitted", "quarantined")
        assert [row[2] for row in await county.ours()] == ["submitted"]

    async def test_a_source_that_may_do_more_does_it_though_another_one_was_faster(self, county):
        intake = county.intake(weather=dict(RELEASE), copies={})
        (copy,) = await county.take(intake, message(), source="copies")
        (first,) = await county.take(intake, message())
        (again,) = await county.take(intake, message())
        assert (copy.state, first.state, again.state) == ("inbox", "released", "released")
        assert first.repeated
        assert await county.sent() == [("Alert", "one")]

    async def test_what_a_person_laid_aside_no_other_source_brings_back(self, county):
        inbox = ByHand(county.database, county.clock, county.desk, load_settings())
        intake = county.intake(weather=dict(RELEASE), copies={})
        (copy,) = await county.take(intake, message(), source="copies")
        await inbox.dismiss(copy.incoming_id, "author", "误发")
        (first,) = await county.take(intake, message())
        assert (first.state, await county.sent()) == ("dismissed", [])

    async def test_a_flood_of_a_stranger_hides_no_chain(self, county, monkeypatch):
        monkeypatch.setattr(store, "MOST_RELATED", 5)
        intake = county.intake(weather=dict(RELEASE), water={})
        first = message()
        county.clock.advance(60)
        await county.take(intake, first)
        for number in range(8):
            await county.take(intake, update(first, name=f"x{number}", sender=OTHER), source="water")
        await county.take(intake, cancel(first))
        assert [kind for kind, _ in await county.sent()] == ["Alert", "Cancel"]

    async def test_of_a_chain_that_is_too_long_the_newest_count(self, county, monkeypatch):
        monkeypatch.setattr(store, "MOST_RELATED", 4)
        intake = county.intake(weather={"action": "submit"})
        first = message()
        county.clock.advance(600)
        await county.take(intake, first)
        for minutes in range(1, 9):
            await county.take(intake, update(first, name=f"u{minutes}", minutes=minutes))
        await county.take(intake, cancel(first, minutes=10))
        assert [row for row in await county.ours() if row[2] != "withdrawn"] == []


class TestChains:
    async def test_a_cancel_of_the_first_issue_takes_back_the_update_that_was_sent(self, county):
        intake = county.intake(weather=RELEASE | {"highest_level": "orange"})
        first = message(severity="Extreme")
        county.clock.advance(120)
        taken = await county.take(intake, first, update(first), cancel(first, minutes=2))
        assert [one.state for one in taken] == ["held", "released", "stored"]
        assert [kind for kind, _ in await county.sent()] == ["Alert", "Cancel"]

    async def test_updates_that_all_name_the_first_issue_leave_one_in_work(self, county):
        intake = county.intake(weather={"action": "submit"})
        first = message()
        county.clock.advance(300)
        updates = [update(first, name=f"u{minutes}", minutes=minutes) for minutes in (1, 3, 2)]
        taken = await county.take(intake, first, *updates)
        assert [one.state for one in taken] == ["submitted", "submitted", "submitted", "superseded"]
        assert [row[2] for row in await county.ours()] == ["withdrawn", "withdrawn", "submitted"]

    async def test_updates_of_one_warning_for_other_places_stand_beside_each_other(self, county):
        intake = county.intake(weather={"action": "submit"})
        first = message(areas=(area(), area(SOUTH, "南湖镇")))
        county.clock.advance(300)
        south = update(first, name="s", minutes=2, areas=(area(SOUTH, "南湖镇"),))
        await county.take(intake, first, update(first, name="n"), south)
        assert [row[2] for row in await county.ours()] == ["withdrawn", "submitted", "submitted"]

    async def test_an_update_of_what_speaks_of_a_drill_is_not_sent_by_rule(self, county):
        first = message(headline="演练：暴雨橙色预警")
        county.clock.advance(60)
        taken = await county.take(county.intake(weather=dict(RELEASE)), first, update(first))
        assert [one.state for one in taken] == ["held", "held"]
        assert await county.sent() == []

    async def test_a_cancel_that_is_itself_replaced_still_takes_back(self, county):
        intake = county.intake(weather=dict(RELEASE))
        first, end = message(), cancel(message())
        county.clock.advance(180)
        await county.take(intake, first, cancel(end, name="end2", minutes=2), end)
        assert [kind for kind, _ in await county.sent()] == ["Alert", "Cancel"]

    async def test_a_cancel_that_the_desk_refuses_sounds_an_alarm(self, county):
        intake = county.intake(weather=dict(RELEASE))
        first = message()
        county.clock.advance(60)
        await county.take(intake, first)
        person = next(one for one in await county.desk.people() if one.login == "source.weather")
        await county.desk.set_person(person._replace(active=False))
        (end,) = await county.take(intake, cancel(first))
        assert "source_took_back" in await county.alarms()
        assert "does not work at this desk" in end.reason

    async def test_a_cancel_whose_words_people_changed_waits_for_them(self, county):
        intake = county.intake(weather=dict(RELEASE))
        first = message()
        county.clock.advance(60)
        (taken,) = await county.take(intake, first)
        prepared = (await county.desk.show(taken.alert_id)).cancel
        await county.desk.edit(prepared.id, "author", Changes(description="改过的说明"))
        await county.take(intake, cancel(first))
        assert await county.sent() == [("Alert", "one")]
        assert "source_took_back" in await county.alarms()

    async def test_what_was_drafted_by_hand_is_withdrawn_by_a_cancel_and_its_author_told(self, county):
        inbox = ByHand(county.database, county.clock, county.desk, load_settings())
        intake = county.intake(weather={})
        first = message()
        county.clock.advance(60)
        (waiting,) = await county.take(intake, first)
        await inbox.draft(waiting.incoming_id, "author", NOTHING)
        await county.take(intake, cancel(first))
        assert [row[2] for row in await county.ours()] == ["withdrawn"]
        assert "source_took_back" in await county.alarms()

    async def test_a_draft_by_hand_is_made_whole_or_not_at_all(self, county, monkeypatch):
        inbox = ByHand(county.database, county.clock, county.desk, load_settings())
        (waiting,) = await county.take(county.intake(weather={}), message())

        async def overtaken(*_, **__):
            return False

        with monkeypatch.context() as patched:
            patched.setattr(store, "change_if", overtaken)
            with pytest.raises(DeskRefused, match="meanwhile"):
                await inbox.draft(waiting.incoming_id, "author", NOTHING)
        assert await county.ours() == []

    async def test_what_people_drafted_from_the_same_message_a_source_does_not_submit(self, county):
        from gateway.alerts.write import write

        data = write(message())
        await county.desk.draft_from_cap(data, "author")
        intake = county.intake(weather=dict(RELEASE))
        taken = await intake.take("weather", "cap", replace(item(message()), original=data))
        assert (taken.state, [row[2] for row in await county.ours()]) == ("drafted", ["draft"])
        assert "people" in taken.reason


class TestAgreement:
    async def test_a_second_voice_that_was_taken_back_is_none(self, county):
        intake = county.intake(weather=dict(WITH_WATER), water={})
        second = message("w", sender=OTHER)
        county.clock.advance(60)
        await county.take(intake, message())
        await county.take(intake, cancel(second, sender=OTHER), second, source="water")
        assert await county.sent() == []

    async def test_nor_is_one_that_is_over(self, county):
        intake = county.intake(weather=dict(WITH_WATER), water={})
        await county.take(
            intake, message("w", sender=OTHER, expires=START + timedelta(minutes=1)), source="water"
        )
        county.clock.advance(120)
        (first,) = await county.take(intake, message())
        assert (first.state, await county.sent()) == ("submitted", [])

    async def test_nor_is_that_of_an_unofficial_source(self, county):
        unofficial = {"source": {"kind": "nmc", "accept_unofficial": True}}
        intake = county.intake(weather=dict(WITH_WATER), water=unofficial)
        await county.take(intake, message("w", sender=OTHER), source="water")
        await county.take(intake, message())
        await county.take(intake, message("w2", sender=OTHER), source="water")
        assert await county.sent() == []

    async def test_the_rule_of_the_moment_counts_when_the_second_voice_comes(self, county):
        await county.take(
            county.intake(weather={"action": "submit"}), message(areas=(area(SOUTH, "南湖镇"),))
        )
        narrow = county.intake(weather=WITH_WATER | {"regions": ["999901101"]}, water={})
        await county.take(narrow, message("w", sender=OTHER, areas=(area(SOUTH, "南湖镇"),)), source="water")
        (row,) = await rows(county, source="weather")
        assert (row.state, await county.sent()) == ("submitted", [])
        assert "may not warn" in row.reason


class TestBounds:
    async def test_one_info_block_that_is_over_does_not_end_another_that_names_no_end(self, county):
        alert = message(expires=START - timedelta(minutes=1))
        other = alert.infos[0].model_copy(update={"expires": None})
        (taken,) = await county.take(
            county.intake(weather={}), alert.model_copy(update={"infos": (*alert.infos, other)})
        )
        assert taken.state == "inbox"

    async def test_a_second_hazard_beside_the_one_that_is_allowed_is_held(self, county):
        alert = message()
        other = alert.infos[0].model_copy(update={"event": "大风"})
        (taken,) = await county.take(
            county.intake(weather=dict(RELEASE)), alert.model_copy(update={"infos": (*alert.infos, other)})
        )
        assert (taken.state, "may not" in taken.reason) == ("held", True)

    async def test_of_two_languages_one_that_speaks_of_a_test_holds_both(self, county):
        alert = message()
        english = alert.infos[0].model_copy(update={"language": "en-US", "headline": "This is a TEST"})
        (taken,) = await county.take(
            county.intake(weather=RELEASE | {"languages": ["zh-CN"]}),
            alert.model_copy(update={"infos": (*alert.infos, english)}),
        )
        assert (taken.state, await county.sent()) == ("held", [])

    async def test_a_clock_that_is_ahead_is_told_to_people(self, county):
        (taken,) = await county.take(county.intake(weather=dict(RELEASE)), message(minutes=6))
        assert (taken.state, await county.alarms()) == ("stored", ["sent_in_future"])
