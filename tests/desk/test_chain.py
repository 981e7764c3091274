"""From draft to release, and the ways back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from channels.base import HOLE
from gateway.alerts.parse import parse
from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused
from gateway.store import audit
from gateway.store.tables import alerts, batches, deliveries, outbox, releases

from .conftest import NORTH, SOUTH, START, area, fields, ready, sent


async def count(database, table) -> int:
    async with database.begin() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


async def release_states(database) -> dict[int, str]:
    async with database.begin() as connection:
        rows = await connection.execute(select(releases.c.alert_id, releases.c.state))
        return {row[0]: row[1] for row in rows}


class TestTheWayOut:
    async def test_a_yellow_warning_goes_out_with_one_approval(self, desk, database):
        row = await ready(desk)
        assert row.state == "submitted"
        signed = await desk.approve(row.id, row.digest, "first")
        assert (signed.alert.state, signed.have, signed.need) == ("approved", 1, 1)
        released = await desk.release(row.id, "sender")
        assert released.deliveries == {"sms": 3, "email": 3, "radio": 3}
        assert await count(database, deliveries) == 9
        assert await count(database, outbox) == await count(database, batches) == 3

    async def test_a_red_warning_needs_two_and_takes_the_urgent_lane(self, desk):
        row = await ready(desk, level="red")
        assert (row.plan["lane"], row.plan["resend_unknown"], row.plan["approvers"]) == ("urgent", True, 2)
        assert (await desk.approve(row.id, row.digest, "first")).alert.state == "submitted"
        with pytest.raises(DeskRefused) as refused:
            await desk.release(row.id, "sender")
        assert refused.value.code == "approvals"
        assert (await desk.approve(row.id, row.digest, "second")).alert.state == "approved"

    async def test_what_is_released_is_stored_as_cap(self, desk):
        row = await sent(desk)
        alert = parse(row.xml).alert
        assert (alert.identifier, alert.sent, alert.status) == (row.identifier, row.sent, "Actual")
        assert alert.infos[0].event == "暴雨"
        assert [pair.value for pair in alert.infos[0].event_codes] == ["11B03"]

    async def test_identifiers_are_of_the_national_form_and_never_alike(self, desk, office):
        rows = [await desk.draft(fields(), "author") for _ in range(12)]
        names = [row.identifier for row in rows]
        assert names[0] == f"{office.settings.issuer_code}_20260701100000_0"
        assert names[10] == f"{office.settings.issuer_code}_20260701100001_0"
        assert len(set(names)) == 12

    async def test_every_step_is_in_the_audit_chain(self, desk, database):
        row = await sent(desk)
        async with database.begin() as connection:
            steps = [record.action for record in await audit.show(connection, f"alert {row.id}")]
            report = await audit.verify(connection)
        assert steps == ["draft", "submit", "approve", "release"]
        assert report.broken_at is None

    async def test_responsible_persons_are_asked_to_confirm(self, desk):
        row = await ready(desk)
        assert set(row.texts["sms"]) == {"zh-CN", "zh-CN+confirm"}
        assert HOLE in row.texts["sms"]["zh-CN+confirm"]["text"]
        assert "回复1确认" in row.texts["sms"]["zh-CN+confirm"]["text"]
        assert HOLE not in row.texts["sms"]["zh-CN"]["text"]
        assert set(row.texts["radio"]) == {"zh-CN"}

    async def test_a_text_too_long_for_sms_shrinks_there_to_its_headline_only(self, desk):
        row = await ready(desk, description="雨" * 700, headline="北山镇暴雨")
        assert "北山镇暴雨" in row.texts["sms"]["zh-CN"]["text"]
        assert "雨" * 100 not in row.texts["sms"]["zh-CN"]["text"]
        assert "雨" * 700 in row.texts["email"]["zh-CN"]["text"]

    async def test_an_instruction_too_long_for_a_channel_is_refused(self, desk):
        row = await desk.draft(fields(instruction="走" * 900), "author")
        with pytest.raises(DeskRefused, match="channel sms cannot carry") as refused:
            await desk.submit(row.id, "author")
        assert refused.value.code == "content"
        assert (await desk.show(row.id)).alert.state == "draft"


class TestDrills:
    """W5: lane, routes and mark of a drill are its own."""

    async def test_a_drill_has_its_lane_its_routes_and_its_mark_first(self, desk):
        row = await ready(desk, mode="drill", level="red")
        assert row.plan["lane"] == "drill"
        assert row.status == "Exercise"
        assert row.plan["channels"] == ["email", "radio", "sms"]  # wecom has no drill route here
        for texts in row.texts.values():
            for content in texts.values():
                assert content["text"].startswith("【演练】")
                assert content["subject"].startswith("【演练】")
                assert content["drill"] is True

    async def test_its_release_and_its_cancel_stay_drills(self, desk):
        row = await sent(desk, mode="drill")
        cancel = await desk.cancel(row.id, "author")
        assert (cancel.mode, cancel.status, cancel.plan["lane"]) == ("drill", "Exercise", "drill")
        assert cancel.texts["sms"]["zh-CN"]["text"].startswith("【演练】")

    async def test_a_channel_without_a_drill_route_cannot_be_chosen(self, desk):
        with pytest.raises(DeskRefused, match="wecom has no drill route"):
            await desk.draft(fields(mode="drill"), "author", Changes(channels=("wecom",)))


class TestCancel:
    async def test_it_is_ready_with_the_release(self, desk):
        row = await sent(desk)
        prepared = (await desk.show(row.id)).cancel
        assert (prepared.state, prepared.msg_type, prepared.supersedes) == ("draft", "Cancel", row.id)
        assert prepared.target_list_id == row.target_list_id

    async def test_two_steps_stop_the_warning_and_tell_the_same_people(self, desk, database):
        row = await sent(desk)
        cancel = await desk.cancel(row.id, "author")
        assert (cancel.state, cancel.plan["lane"], cancel.plan["approvers"]) == ("submitted", "urgent", 1)
        signed = await desk.approve(cancel.id, cancel.digest, "first")
        assert signed.released.deliveries == {"sms": 3, "email": 3, "radio": 3}
        assert (await desk.show(row.id)).alert.state == "cancelled"
        assert await release_states(database) == {row.id: "stopped", cancel.id: "open"}
        alert = parse(signed.alert.xml).alert
        assert [one.identifier for one in alert.references] == [row.identifier]
        assert "解除" in signed.alert.texts["sms"]["zh-CN"]["text"]

    async def test_asked_twice_it_is_one_cancel(self, desk, database):
        row = await sent(desk)
        one, two = await desk.cancel(row.id, "author"), await desk.cancel(row.id, "writer")
        assert one.id == two.id
        await desk.approve(one.id, one.digest, "first")
        again = await desk.approve(one.id, one.digest, "first")
        assert again.released is None
        assert await count(database, releases) == 2

    async def test_only_its_words_change(self, desk):
        row = await sent(desk)
        prepared = (await desk.show(row.id)).cancel
        edited = await desk.edit(prepared.id, "writer", Changes(description="误报，现予更正。"))
        assert edited.target_list_id == row.target_list_id
        with pytest.raises(DeskRefused) as refused:
            await desk.edit(prepared.id, "writer", Changes(region=SOUTH))
        assert refused.value.code == "cancel_fixed"
        submitted = await desk.cancel(row.id, "first")
        assert "误报" in submitted.texts["sms"]["zh-CN"]["text"]

    async def test_nothing_unsent_can_be_cancelled(self, desk):
        row = await ready(desk)
        with pytest.raises(DeskRefused) as refused:
            await desk.cancel(row.id, "author")
        assert refused.value.code == "state"


class TestUpdate:
    async def update(self, desk, row, **changes):
        drafted = await desk.update(row.id, "author")
        await desk.edit(drafted.id, "author", Changes(**changes))
        submitted = await desk.submit(drafted.id, "author")
        for person in ("first", "second", "third"):
            signed = await desk.approve(submitted.id, submitted.digest, person)
            if signed.alert.state == "approved":
                break
        await desk.release(submitted.id, "sender")
        return (await desk.show(submitted.id)).alert

    async def test_it_is_a_new_message_that_replaces_the_old_one(self, desk, database, clock):
        row = await sent(desk)
        clock.advance(600)
        newer = await self.update(desk, row, level="red", region=SOUTH)
        assert newer.identifier != row.identifier
        assert newer.warning_id == row.warning_id
        assert [one.identifier for one in parse(newer.xml).alert.references] == [row.identifier]
        assert (await desk.show(row.id)).alert.state == "updated"
        assert await release_states(database) == {row.id: "stopped", newer.id: "open"}
        assert newer.texts["email"]["zh-CN"]["reply_to"] == row.plan["reference"]

    async def test_a_cancel_after_it_names_every_message_that_is_still_valid(self, desk, clock):
        row = await sent(desk)
        clock.advance(60)
        newer = await self.update(desk, row, level="orange")
        clock.advance(60)
        cancel = await desk.cancel(newer.id, "author")
        names = [one["identifier"] for one in cancel.content["references"]]
        assert names == [row.identifier, newer.identifier]

    async def test_the_cancel_of_the_old_message_is_withdrawn(self, desk):
        row = await sent(desk)
        old_cancel = (await desk.show(row.id)).cancel
        await self.update(desk, row, level="orange")
        assert (await desk.show(old_cancel.id)).alert.state == "withdrawn"
        with pytest.raises(DeskRefused):
            await desk.cancel(row.id, "author")

    async def test_one_is_in_work_at_a_time(self, desk):
        row = await sent(desk)
        assert (await desk.update(row.id, "author")).id == (await desk.update(row.id, "writer")).id

    async def test_it_cannot_go_out_after_the_warning_was_taken_back(self, desk):
        row = await sent(desk)
        drafted = await desk.update(row.id, "author")
        submitted = await desk.submit(drafted.id, "author")
        await desk.approve(submitted.id, submitted.digest, "first")
        cancel = await desk.cancel(row.id, "author")
        await desk.approve(cancel.id, cancel.digest, "first")
        with pytest.raises(DeskRefused) as refused:
            await desk.release(submitted.id, "sender")
        assert refused.value.code == "state"


class TestTheEnd:
    async def test_what_has_expired_is_closed_with_its_cancel(self, desk, clock):
        row = await sent(desk)
        waiting = await ready(desk)
        cancel = (await desk.show(row.id)).cancel
        clock.advance(6 * 3600)
        assert set(await desk.expire_due()) == {row.id, cancel.id}
        assert await desk.expire_due() == []
        states = [(await desk.show(one)).alert.state for one in (row.id, cancel.id, waiting.id)]
        assert states == ["expired", "expired", "submitted"]

    @pytest.mark.parametrize("state", ["draft", "submitted", "approved"])
    async def test_what_was_never_sent_waits_for_a_later_end(self, desk, clock, state):
        row = await desk.draft(fields(), "author")
        if state != "draft":
            row = await desk.submit(row.id, "author")
        if state == "approved":
            await desk.approve(row.id, row.digest, "first")
        clock.advance(7 * 3600)
        assert await desk.expire_due() == []
        assert (await desk.show(row.id)).alert.state == state
        await desk.edit(row.id, "author", Changes(expires=START + timedelta(hours=12)))
        assert (await desk.submit(row.id, "author")).state == "submitted"

    async def test_an_approved_alert_that_has_expired_never_leaves(self, desk, clock, database):
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        clock.advance(6 * 3600)
        with pytest.raises(DeskRefused) as refused:
            await desk.release(row.id, "sender")
        assert refused.value.code == "expired"
        assert await count(database, releases) == 0

    async def test_a_withdrawn_alert_stays_withdrawn(self, desk):
        row = await ready(desk)
        assert (await desk.withdraw(row.id, "author")).state == "withdrawn"
        assert (await desk.withdraw(row.id, "author")).state == "withdrawn"
        with pytest.raises(DeskRefused):
            await desk.submit(row.id, "author")

    async def test_a_prepared_cancel_cannot_be_withdrawn(self, desk):
        row = await sent(desk)
        with pytest.raises(DeskRefused) as refused:
            await desk.withdraw((await desk.show(row.id)).cancel.id, "author")
        assert refused.value.code == "cancel_kept"


CHANGES = {
    "the level": {"level": "black"},
    "the hazard": {"hazard": "meteor"},
    "the colour of the hazard": {"hazard": "drought", "level": "blue"},
    "the region": {"region": "123456"},
    "the channel": {"channels": ("pigeon",)},
    "the language": {"language": "fr", "headline": "Pluie"},
}


class TestRefusals:
    @pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
    async def test_an_unknown_choice_is_refused_and_nothing_changes(self, desk, changes):
        row = await desk.draft(fields(), "author")
        with pytest.raises(DeskRefused):
            await desk.edit(row.id, "author", Changes(**changes))
        assert (await desk.show(row.id)).alert == row

    async def test_an_area_that_reaches_nobody_is_refused(self, desk):
        row = await desk.draft(fields(areas=(area("110000000000", "外地"),)), "author")
        with pytest.raises(DeskRefused) as refused:
            await desk.submit(row.id, "author")
        assert refused.value.code.startswith("area_")

    async def test_a_validity_that_is_over_or_endless_is_refused(self, desk):
        with pytest.raises(DeskRefused, match="--expires"):
            await desk.draft(fields(expires=START - timedelta(minutes=1)), "author")
        row = await desk.draft(fields(expires=START + timedelta(days=40)), "author")
        for expires in (START - timedelta(minutes=1), START + timedelta(days=40)):
            await desk.edit(row.id, "author", Changes(expires=expires))
            with pytest.raises(DeskRefused) as refused:
                await desk.submit(row.id, "author")
            assert refused.value.code in {"expired", "expires"}

    async def test_what_the_lint_warns_of_is_seen_and_signed_by_the_approver(self, desk):
        plain = await ready(desk)
        assert plain.plan["findings"] == []
        row = await ready(desk, description="大雨<b>将至</b>")
        (found,) = row.plan["findings"]
        assert (found["code"], found["values"]["path"]) == ("lint_html_in_text", "alert/info[1]/description")

    async def test_a_warning_that_ends_before_it_begins_is_refused(self, desk):
        row = await desk.draft(fields(onset=START + timedelta(hours=6)), "author")
        with pytest.raises(DeskRefused, match="--onset") as refused:
            await desk.submit(row.id, "author")
        assert refused.value.code == "onset"

    async def test_an_empty_language_is_called_by_its_name(self, desk):
        with pytest.raises(DeskRefused, match="language: is no language tag"):
            await desk.draft(fields(language=""), "author")

    @pytest.mark.parametrize("name", ["description", "instruction", "sender_name"])
    async def test_a_statutory_field_that_is_missing_is_named(self, desk, name):
        row = await desk.draft(fields(), "author")
        await desk.edit(row.id, "author", Changes(**{name: ""}))
        with pytest.raises(DeskRefused, match=name.replace("_", " ")) as refused:
            await desk.submit(row.id, "author")
        assert refused.value.code == "fields"

    async def test_an_alert_that_is_not_there_is_a_sentence(self, desk):
        for step in (desk.submit(99, "author"), desk.release(99, "sender"), desk.cancel(99, "author")):
            with pytest.raises(DeskRefused, match="there is no alert 99"):
                await step

    async def test_people_without_the_role_are_refused(self, desk):
        with pytest.raises(DeskRefused) as refused:
            await desk.draft(fields(), "auditor")
        assert refused.value.code == "role"
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        for step in (desk.release(row.id, "author"), desk.edit(row.id, "sender", Changes(region=NORTH))):
            with pytest.raises(DeskRefused) as refused:
                await step
            assert refused.value.code == "role"
        with pytest.raises(DeskRefused) as refused:
            await desk.release(row.id, "stranger")
        assert refused.value.code == "person"

    async def test_a_refused_step_leaves_no_trace(self, desk, database):
        row = await ready(desk)
        before = await count(database, alerts)
        with pytest.raises(DeskRefused):
            await desk.approve(row.id, row.digest, "author")
        assert await count(database, alerts) == before
        async with database.begin() as connection:
            assert [one.action for one in await audit.show(connection, f"alert {row.id}")] == [
                "draft",
                "submit",
            ]
