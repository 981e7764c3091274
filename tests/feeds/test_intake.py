"""What becomes of messages that come in, in whatever order, from whomever."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from tests.desk.conftest import SOUTH, START
from tests.feeds.conftest import OTHER, RELEASE, SENDER, area, item, message

AREAS_ELSEWHERE = ({"area_desc": "elsewhere", "polygons": (((1, 1), (1, 2), (2, 2), (1, 1)),)},)


def states(taken):
    return [one.state for one in taken]


class TestOnce:
    async def test_one_message_of_three_feeds_fifty_times_is_one_alert(self, county):
        intake = county.intake(a=dict(RELEASE), b=dict(RELEASE), c=dict(RELEASE))
        brought = [
            intake.take(source, "cap", item(message())) for _ in range(50) for source in ("a", "b", "c")
        ]
        taken = await asyncio.gather(*brought)
        assert len({one.incoming_id for one in taken}) == 1
        assert await county.sent() == [("Alert", "one")]

    async def test_a_copy_that_is_spelt_otherwise_says_the_same(self, county):
        intake = county.intake(weather={"action": "draft"})
        first = await intake.take("weather", "cap", item(message()))
        again = await intake.take("weather", "cap", replace(item(message()), original=b"<other/>"))
        assert (again.repeated, again.incoming_id) == (True, first.incoming_id)
        assert await county.alarms() == []

    async def test_the_same_key_with_other_content_sets_both_aside_and_sounds_an_alarm(self, county):
        intake = county.intake(weather={"action": "submit"})
        first, second = await county.take(intake, message(), message(headline="南湖镇暴雨橙色预警"))
        assert (first.state, second.state) == ("submitted", "quarantined")
        assert "same_key_other_content" in await county.alarms()
        assert await county.ours() == [(first.alert_id, "Alert", "withdrawn")]
        assert (await county.take(intake, message()))[0].state == "quarantined"

    async def test_an_identifier_that_is_used_again_later_sounds_an_alarm(self, county):
        intake = county.intake(weather={})
        await county.take(intake, message(), message(minutes=1))
        assert "identifier_reused" in await county.alarms()


class TestWhoMayWhat:
    @pytest.mark.parametrize(
        ("changes", "state", "word"),
        [
            ({"status": "Exercise"}, "stored", "Exercise"),
            ({"status": "Test"}, "stored", "Test"),
            ({"status": "System"}, "stored", "System"),
            ({"msg_type": "Ack"}, "stored", "Ack"),
            ({"scope": "Private", "addresses": ("x",)}, "stored", "Private"),
            ({"scope": "Restricted", "restriction": "x"}, "stored", "Restricted"),
            ({"minutes": 6}, "stored", "future"),
            ({"minutes": -121}, "stored", "older"),
            ({"expires": START - timedelta(seconds=1)}, "stored", "expired"),
            ({"areas": AREAS_ELSEWHERE}, "stored", "does not touch"),
            ({"areas": ()}, "inbox", "cannot be located"),
            ({"severity": "Minor"}, "inbox", "less severe"),
            ({"severity": "Extreme"}, "held", "graver"),
            ({"areas": (area(SOUTH, "南湖镇"),)}, "held", "region"),
            ({"event": "大风"}, "held", "may not"),
            ({"sender": OTHER}, "held", "speaks for"),
            ({"infos": ()}, "inbox", "cannot be located"),
        ],
    )
    async def test_a_rule_never_sends_beyond_what_it_names(self, county, changes, state, word):
        rule = RELEASE | {
            "severity_floor": "Moderate",
            "highest_level": "orange",
            "regions": ["999901101"],
        }
        (taken,) = await county.take(county.intake(weather=rule), message(**changes))
        assert taken.state == state
        assert word in taken.reason
        assert await county.ours() == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "TEST-1"},
            {"note": "这是一次演练"},
            {"source": "drill desk"},
            {"codes": ("exercise",)},
            {"incidents": ("county drill",)},
            {"event": "暴雨测试"},
            {"headline": "TEST 暴雨橙色预警"},
            {"description": "演 练：预计降雨"},
            {"instruction": "This is a drill."},
            {"sender_name": "测试台"},
            {"audience": "drill players"},
            {"contact": "test@example.org"},
            {"web": "https://test.example.org/"},
            {"areas": (area(name="测试区"),)},
            {"parameters": ({"value_name": "mode", "value": "TEST"},)},
            {"headline": "ＴＥＳＴ 暴雨"},
        ],
    )
    async def test_a_word_of_a_test_anywhere_holds_it_for_a_person(self, county, changes):
        (taken,) = await county.take(county.intake(weather=dict(RELEASE)), message(**changes))
        assert (taken.state, taken.alert_id) == ("held", None)
        assert await county.sent() == []

    async def test_exercising_caution_is_no_exercise(self, county):
        intake = county.intake(weather=dict(RELEASE))
        (taken,) = await county.take(intake, message(instruction="Please exercise extreme caution. 请注意"))
        assert taken.state == "released"

    @pytest.mark.parametrize(
        ("action", "state", "ours"),
        [("inbox", "inbox", 0), ("draft", "drafted", 1), ("submit", "submitted", 1)],
    )
    async def test_a_rule_takes_it_as_far_as_it_says(self, county, action, state, ours):
        (taken,) = await county.take(county.intake(weather={"action": action}), message())
        assert taken.state == state
        assert len(await county.ours()) == ours
        assert await county.sent() == []

    async def test_what_the_desk_refuses_stays_a_draft_with_its_sentence(self, county):
        (taken,) = await county.take(county.intake(weather={"action": "submit"}), message(instruction=None))
        assert taken.state == "drafted"
        assert "应当采取的措施" in taken.reason

    async def test_only_the_languages_of_the_rule_are_drafted(self, county):
        alert = message()
        english = alert.infos[0].model_copy(update={"language": "en-US", "event": "rainstorm"})
        intake = county.intake(weather={"action": "draft", "languages": ["zh-CN"]})
        both = alert.model_copy(update={"infos": (*alert.infos, english)})
        (taken,) = await county.take(intake, both)
        drafted = (await county.desk.show(taken.alert_id)).alert
        assert [info["language"] for info in drafted.content["infos"]] == ["zh-CN"]

    async def test_an_alert_without_an_end_gets_the_one_of_the_rule(self, county):
        (taken,) = await county.take(
            county.intake(weather={"action": "draft", "valid_hours": 3}), message(expires=None)
        )
        assert (await county.desk.show(taken.alert_id)).alert.expires == START + timedelta(hours=3)

    async def test_a_source_whose_person_was_shut_out_drafts_nothing_more(self, county):
        intake = county.intake(weather={"action": "draft"})
        await county.take(intake, message())
        person = next(one for one in await county.desk.people() if one.login == "source.weather")
        await county.desk.set_person(person._replace(active=False))
        (taken,) = await county.take(intake, message("two"))
        assert (taken.state, taken.alert_id) == ("held", None)


class TestOrder:
    async def test_in_any_order_only_the_last_of_a_chain_is_in_work(self, county):
        for number, turn in enumerate(permutations(range(3))):
            intake = county.intake(weather={"action": "submit"})
            first = message(f"a{number}")
            second = message(f"b{number}", minutes=1, msg_type="Update", about=(first,))
            third = message(f"c{number}", minutes=2, msg_type="Update", about=(second,))
            county.clock.advance(180 if number == 0 else 0)
            await county.take(intake, *[(first, second, third)[index] for index in turn])
            drafted = [row for row in await county.ours() if row[2] == "submitted"]
            assert len(drafted) == 1
            shown = (await county.desk.show(drafted[0][0])).alert
            assert shown.original_key.split(",")[1] == f"c{number}"
            await county.desk.withdraw(shown.id, "source.weather")

    async def test_a_cancel_that_comes_first_wins(self, county):
        intake = county.intake(weather=dict(RELEASE))
        first = message()
        cancel = message("end", minutes=1, msg_type="Cancel", about=(first,), infos=())
        county.clock.advance(120)
        taken = await county.take(intake, cancel, first)
        assert states(taken) == ["stored", "superseded"]
        assert await county.sent() == []

    async def test_an_update_after_a_cancel_of_what_both_name_is_over(self, county):
        """Some sources name the first issue in every message."""
        intake = county.intake(weather=dict(RELEASE))
        first = message()
        update = message("more", minutes=1, msg_type="Update", about=(first,))
        cancel = message("end", minutes=2, msg_type="Cancel", about=(first,), infos=())
        county.clock.advance(180)
        taken = await county.take(intake, cancel, update, first)
        assert states(taken) == ["stored", "superseded", "superseded"]

    async def test_an_update_of_what_was_sent_becomes_our_update(self, county):
        intake = county.intake(weather=dict(RELEASE))
        first = message()
        update = message("more", minutes=1, msg_type="Update", about=(first,), headline="北山镇暴雨继续")
        county.clock.advance(60)
        await county.take(intake, first, update)
        assert await county.sent() == [("Alert", "one"), ("Update", "more")]
        assert [row[1:] for row in await county.ours() if row[1] != "Cancel"] == [
            ("Alert", "updated"),
            ("Update", "released"),
        ]

    async def test_an_update_through_one_that_was_never_sent_still_follows_what_was(self, county):
        first = message()
        second = message("b", minutes=1, msg_type="Update", about=(first,), instruction=None)
        third = message("c", minutes=2, msg_type="Update", about=(second,))
        county.clock.advance(120)
        await county.take(county.intake(weather=dict(RELEASE)), first, second, third)
        assert await county.sent() == [("Alert", "one"), ("Update", "c")]

    async def test_messages_of_one_event_follow_each_other_without_references(self, county):
        intake = county.intake(weather={"action": "submit"})
        await county.take(intake, message(), event_key="EV1")
        county.clock.advance(120)
        update = message("two", minutes=1, msg_type="Update")
        cancel = message("three", minutes=2, msg_type="Cancel", infos=())
        (second,) = await county.take(intake, update, event_key="EV1")
        assert (second.state, [row[2] for row in await county.ours()]) == (
            "submitted",
            ["withdrawn", "submitted"],
        )
        await county.take(intake, cancel, event_key="EV1")
        assert [row[2] for row in await county.ours()] == ["withdrawn", "withdrawn"]

    async def test_an_alert_and_its_update_at_the_same_moment_leave_one_in_work(self, county):
        county.clock.advance(60)
        for number in range(8):
            intake, other = (county.intake(weather={"action": "submit"}) for _ in range(2))
            first = message(f"a{number}")
            update = message(f"b{number}", minutes=1, msg_type="Update", about=(first,))
            await asyncio.gather(
                intake.take("weather", "cap", item(first)), other.take("weather", "cap", item(update))
            )
            in_work = [row for row in await county.ours() if row[2] == "submitted"]
            assert len(in_work) == number + 1
            shown = (await county.desk.show(in_work[-1][0])).alert
            assert shown.original_key.split(",")[1] == f"b{number}"

    async def test_a_draft_that_people_changed_is_not_swept_away_by_an_update(self, county):
        from gateway.desk.compose import Changes

        intake = county.intake(weather={"action": "draft"})
        first = message()
        (taken,) = await county.take(intake, first)
        await county.desk.edit(taken.alert_id, "author", Changes(headline="改过的标题"))
        county.clock.advance(60)
        (update,) = await county.take(intake, message("more", minutes=1, msg_type="Update", about=(first,)))
        assert update.state == "held"
        assert "update_of_edited" in await county.alarms()
        assert [row[2] for row in await county.ours()] == ["draft"]

    async def test_a_stranger_can_neither_update_nor_cancel(self, county):
        intake = county.intake(weather={"action": "submit"}, water={"action": "submit"})
        first = message()
        await county.take(intake, first)
        foreign = [
            message(kind, sender=OTHER, minutes=1, msg_type=kind, about=(first,))
            for kind in ("Update", "Cancel")
        ]
        county.clock.advance(60)
        taken = await county.take(intake, *foreign, source="water")
        assert states(taken) == ["held", "held"]
        assert [row[2] for row in await county.ours()] == ["submitted"]
        assert "foreign_sender" in await county.alarms()

    async def test_a_delegate_of_the_rule_can(self, county):
        intake = county.intake(weather={"action": "submit", "delegates": [OTHER]}, water={"action": "submit"})
        first = message()
        await county.take(intake, first)
        county.clock.advance(60)
        cancel = message("end", sender=OTHER, minutes=1, msg_type="Cancel", about=(first,), infos=())
        await county.take(intake, cancel, source="water")
        assert [row[2] for row in await county.ours()] == ["withdrawn"]

    async def test_a_test_cancels_nothing_real(self, county):
        intake = county.intake(weather={"action": "submit"})
        first = message()
        cancel = message("end", minutes=1, msg_type="Cancel", status="Test", about=(first,), infos=())
        county.clock.advance(60)
        await county.take(intake, first, cancel)
        assert [row[2] for row in await county.ours()] == ["submitted"]


class TestTakenBack:
    async def test_what_a_rule_sent_is_taken_back_by_its_source_without_approval(self, county):
        intake = county.intake(weather=dict(RELEASE))
        first = message()
        await county.take(intake, first)
        county.clock.advance(8)
        await county.take(
            intake,
            message("end", msg_type="Cancel", sent=START + timedelta(seconds=8), about=(first,), infos=()),
        )
        assert [kind for kind, _ in await county.sent()] == ["Alert", "Cancel"]
        assert len(await county.audited("release_by_rule")) == 2
        assert len(await county.audited("stop")) == 1

    async def test_outside_of_its_window_a_person_decides(self, county):
        intake = county.intake(weather=RELEASE | {"retract_minutes": 10})
        first = message()
        await county.take(intake, first)
        county.clock.advance(601)
        await county.take(intake, message("end", minutes=10, msg_type="Cancel", about=(first,), infos=()))
        assert [kind for kind, _ in await county.sent()] == ["Alert"]
        assert "source_took_back" in await county.alarms()

    async def test_what_people_approved_is_for_people_to_take_back(self, county):
        intake = county.intake(weather={"action": "submit"})
        first = message()
        (taken,) = await county.take(intake, first)
        digest = (await county.desk.show(taken.alert_id)).alert.digest
        for person in ("first", "second"):
            await county.desk.approve(taken.alert_id, digest, person)
        await county.desk.release(taken.alert_id, "sender")
        county.clock.advance(60)
        await county.take(intake, message("end", minutes=1, msg_type="Cancel", about=(first,), infos=()))
        assert [kind for kind, _ in await county.sent()] == ["Alert"]
        assert "source_took_back" in await county.alarms()
        cancel = (await county.desk.show(taken.alert_id)).cancel
        assert cancel.state == "submitted"

    @pytest.mark.parametrize(
        ("meaning", "ours", "alarm"),
        [("keep", "submitted", False), ("ask", "submitted", True), ("cancel", "withdrawn", False)],
    )
    async def test_what_vanished_from_a_complete_list_is_what_the_rule_says(
        self, county, meaning, ours, alarm
    ):
        intake = county.intake(weather={"action": "submit", "vanished": meaning})
        await intake.take("weather", "cap", item(message()), "name-1")
        await intake.listed("weather", frozenset({"name-1", "name-2"}))
        assert [row[2] for row in await county.ours()] == ["submitted"]
        await intake.listed("weather", frozenset({"name-2"}))
        assert [row[2] for row in await county.ours()] == [ours]
        assert ("vanished" in await county.alarms()) is alarm


class TestReleaseByRule:
    async def test_the_rule_and_its_grounds_are_under_the_digest_and_in_the_audit(self, county):
        (taken,) = await county.take(county.intake(weather=dict(RELEASE)), message())
        row = (await county.desk.show(taken.alert_id)).alert
        assert row.plan["by_rule"]["source"] == "weather"
        assert row.plan["approvers"] == 0
        assert "named to send alone" in (await county.audited("release_by_rule"))[0]
        assert await county.deliveries() > 0

    async def test_it_waits_for_a_second_source_and_goes_when_that_says_the_same(self, county):
        alone = RELEASE | {"release_alone": False, "agrees_with": ["water"]}
        intake = county.intake(weather=alone, water={})
        (first,) = await county.take(intake, message())
        assert first.state == "submitted"
        county.clock.advance(60)
        await county.take(intake, message("w", sender=OTHER, minutes=1), source="water")
        assert await county.sent() == [("Alert", "one")]

    async def test_it_goes_at_once_where_the_second_source_was_first(self, county):
        alone = RELEASE | {"release_alone": False, "agrees_with": ["water"]}
        intake = county.intake(weather=alone, water={})
        await county.take(intake, message("w", sender=OTHER), source="water")
        (first,) = await county.take(intake, message())
        assert first.state == "released"

    @pytest.mark.parametrize(
        "changes",
        [
            {"sender": SENDER},
            {"minutes": -11},
            {"areas": (area(SOUTH, "南湖镇"),)},
            {"event": "大风"},
            {"status": "Test"},
            {"headline": "测试"},
        ],
    )
    async def test_what_is_not_another_voice_on_the_same_is_no_agreement(self, county, changes):
        alone = RELEASE | {"release_alone": False, "agrees_with": ["water"]}
        intake = county.intake(weather=alone, water={})
        await county.take(intake, message())
        await county.take(intake, message("w", **({"sender": OTHER} | changes)), source="water")
        assert await county.sent() == []

    async def test_more_than_the_limit_of_an_hour_waits_for_a_person(self, county):
        intake = county.intake(weather=RELEASE | {"most_per_hour": 2})
        taken = await county.take(intake, *[message(f"n{number}") for number in range(5)])
        assert states(taken) == ["released", "released", "submitted", "submitted", "submitted"]
        assert len(await county.sent()) == 2

    async def test_an_edit_by_a_person_takes_the_rule_away(self, county):
        from gateway.desk.compose import Changes

        alone = RELEASE | {"release_alone": False, "agrees_with": ["water"]}
        intake = county.intake(weather=alone, water={})
        (first,) = await county.take(intake, message())
        await county.desk.edit(first.alert_id, "author", Changes(headline="改过的标题"))
        await county.take(intake, message("w", sender=OTHER), source="water")
        assert await county.sent() == []

    async def test_a_crash_before_the_desk_s_step_is_made_good(self, county, monkeypatch):
        intake = county.intake(weather=dict(RELEASE))

        async def killed(number):
            raise ConnectionAbortedError("as if the process had ended")

        with monkeypatch.context() as patched:
            patched.setattr(intake._acting, "finish", killed)
            with pytest.raises(ConnectionAbortedError):
                await county.take(intake, message())
        assert await county.sent() == []
        county.clock.advance(10)
        assert await county.intake(weather=dict(RELEASE)).settle(county.clock.now()) == 1
        assert await county.sent() == [("Alert", "one")]


class TestDryRun:
    async def test_it_says_what_would_become_of_it_and_writes_nothing(self, county):
        intake = county.intake(weather={"action": "submit"})
        judged = await intake.judge("weather", "cap", item(message()))
        assert judged.state == "submit"
        assert await county.ours() == []
        held = await intake.judge("weather", "cap", item(message(headline="演练")))
        assert (held.state, "演练" in held.reason or "drill" in held.reason) == ("held", True)
        assert not (await county.take(intake, message()))[0].repeated

    async def test_references_of_a_heartbeat_that_never_came_are_named(self, county):
        intake = county.intake(weather={})
        first = message()
        await county.take(intake, first)
        beat = message("beat", about=(first, message("lost")))
        assert [one.identifier for one in await intake.unknown(beat.references)] == ["lost"]


class TestSignedByAPartner:
    async def test_what_a_partner_must_sign_and_did_not_is_held(self, county):
        from gateway.feeds.intake import Intake
        from gateway.settings import load_settings

        partner = {"name": "虚构水利局", "cap_signature": "require", "rule": {"action": "draft"}}
        intake = Intake(
            county.database, county.clock, county.desk, load_settings(partners={"water": partner})
        )
        taken = await intake.take("partner.water", "cap", item(message(), is_cap=True))
        assert (taken.state, "must sign" in taken.reason) == ("held", True)


class TestAChainWithADraftThatNeverWentOut:
    async def test_an_update_that_names_all_before_it_follows_the_one_that_was_sent(self, county):
        """The first was replaced before it was sent, so that the second is a warning of its own."""
        intake = county.intake(weather={"action": "draft"})
        first = message()
        second = message("b", minutes=1, msg_type="Update", about=(first,))
        third = message("c", minutes=2, msg_type="Update", about=(first, second))
        county.clock.advance(120)
        await county.take(intake, first)
        (taken,) = await county.take(intake, second)
        row = await county.desk.submit(taken.alert_id, "source.weather")
        for person in ("first", "second"):
            await county.desk.approve(row.id, row.digest, person)
        await county.desk.release(row.id, "sender")
        (last,) = await county.take(intake, third)
        drafted = (await county.desk.show(last.alert_id)).alert
        assert (last.state, drafted.msg_type, drafted.supersedes) == ("drafted", "Update", row.id)


class TestAlarmsThatAreAnswered:
    async def test_one_about_an_alert_is_over_when_the_alert_is(self, county):
        intake = county.intake(weather=RELEASE | {"retract_minutes": 1})
        first = message()
        (taken,) = await county.take(intake, first)
        county.clock.advance(120)
        await county.take(intake, message("end", minutes=1, msg_type="Cancel", about=(first,), infos=()))
        assert "source_took_back" in await county.alarms()
        await intake.settle(county.clock.now())
        assert "source_took_back" in await county.alarms()
        cancel = (await county.desk.show(taken.alert_id)).cancel
        await county.desk.approve(cancel.id, cancel.digest, "first")
        await intake.settle(county.clock.now())
        assert await county.alarms() == []


class TestRulesThatNameWhatThereIsNot:
    @pytest.mark.parametrize(
        ("rule", "sentence"),
        [
            ({"hazards": ["rainstrom"]}, r"sources.weather.rule.hazards: .*did you mean rainstorm"),
            ({"agrees_with": ["wether"]}, r"sources.weather.rule.agrees_with: .*did you mean weather"),
        ],
    )
    def test_are_refused_with_the_nearest_name(self, rule, sentence):
        from gateway.feeds.reception import check_rules
        from gateway.settings import SettingsRefused, load_settings
        from tests.feeds.test_stamps import HAZARDS

        source = {"kind": "cap", "url": "https://feed.example.org/", "rule": rule}
        with pytest.raises(SettingsRefused, match=sentence):
            check_rules(load_settings(sources={"weather": source}), HAZARDS)

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ({"kind": "naad", "url": "tcp://stream.example.org"}, "needs a port"),
            ({"kind": "cap", "url": "tcp://stream.example.org:1"}, "reads streams"),
            ({"kind": "cap", "url": "https://feed.example.org", "signature": "require"}, "needs signers"),
        ],
    )
    def test_a_source_that_could_never_work_is_refused(self, source, sentence):
        from gateway.settings import SettingsRefused, load_settings

        with pytest.raises(SettingsRefused, match=sentence):
            load_settings(sources={"weather": source | {"allow_http": True}})
