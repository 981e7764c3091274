"""The inbox as people use it."""

from __future__ import annotations

import pytest

from gateway.desk.compose import NOTHING, Changes
from gateway.desk.emergency import DUE
from gateway.desk.refused import DeskRefused
from gateway.feeds.by_hand import ByHand
from gateway.settings import load_settings
from gateway.store import alarms
from tests.desk.conftest import NORTH
from tests.feeds.conftest import message


@pytest.fixture
def inbox(county):
    return ByHand(county.database, county.clock, county.desk, load_settings())


class TestDraftByHand:
    async def test_a_held_message_becomes_the_draft_of_the_person_who_decides(self, county, inbox):
        (held,) = await county.take(
            county.intake(weather={"action": "draft", "highest_level": "blue"}), message()
        )
        assert held.state == "held"
        row = await inbox.draft(held.incoming_id, "author", NOTHING)
        assert (row.author, row.state) == ("author", "draft")
        assert (await inbox.show(held.incoming_id)).state == "drafted"

    async def test_what_cannot_be_located_is_drafted_for_a_region(self, county, inbox):
        (waiting,) = await county.take(county.intake(weather={}), message(areas=()))
        row = await inbox.draft(waiting.incoming_id, "author", Changes(region=NORTH))
        assert row.content["infos"][0]["areas"][0]["area_desc"] == "北山镇"

    @pytest.mark.parametrize("changes", [{"status": "Test"}, {"scope": "Private", "addresses": ("x",)}])
    async def test_what_is_for_nobody_is_not_drafted_by_hand_either(self, county, inbox, changes):
        (stored,) = await county.take(county.intake(weather={}), message(**changes))
        with pytest.raises(DeskRefused):
            await inbox.draft(stored.incoming_id, "author", NOTHING)

    async def test_what_was_replaced_is_not_drafted(self, county, inbox):
        first = message()
        county.clock.advance(60)
        intake = county.intake(weather={})
        taken = await county.take(
            intake, first, message("end", minutes=1, msg_type="Cancel", about=(first,), infos=())
        )
        with pytest.raises(DeskRefused, match="superseded"):
            await inbox.draft(taken[0].incoming_id, "author", NOTHING)

    async def test_only_who_may_draft_may(self, county, inbox):
        (waiting,) = await county.take(county.intake(weather={}), message())
        with pytest.raises(DeskRefused, match="may not draft"):
            await inbox.draft(waiting.incoming_id, "auditor", NOTHING)


class TestDismiss:
    async def test_it_is_laid_aside_with_its_alarms_and_a_reason_in_the_audit_log(self, county, inbox):
        intake = county.intake(weather={})
        _, second = await county.take(intake, message(), message(headline="另一个标题"))
        await inbox.dismiss(second.incoming_id, "author", "发送方已说明")
        assert (await inbox.show(second.incoming_id)).state == "dismissed"
        assert await county.alarms() == []
        assert "发送方已说明" in (await county.audited("incoming_dismissed"))[0]

    async def test_it_needs_a_reason(self, county, inbox):
        (waiting,) = await county.take(county.intake(weather={}), message())
        with pytest.raises(DeskRefused, match="say why"):
            await inbox.dismiss(waiting.incoming_id, "author", " ")

    async def test_an_alarm_of_a_signature_that_is_owed_is_not_closed_by_hand(self, county, inbox):
        async with county.database.begin() as connection:
            await alarms.sound(
                connection, "alert 1", DUE, "an invented alert was sent alone", county.clock.now()
            )
        (alarm,) = await inbox.alarms()
        with pytest.raises(DeskRefused, match="closed by hand"):
            await inbox.see(alarm.id, "author")
        assert len(await inbox.alarms()) == 1

    async def test_an_alarm_is_closed_once(self, county, inbox):
        await county.take(county.intake(weather={}), message(), message(headline="另一个标题"))
        (alarm,) = await inbox.alarms()
        await inbox.see(alarm.id, "author")
        with pytest.raises(DeskRefused, match="no open alarm"):
            await inbox.see(alarm.id, "author")
