"""W6: what goes to unusually many is not sent by a rule: people approve it, one more than its level takes."""

from __future__ import annotations

import pytest

from gateway.desk.policy import Usual
from tests.desk.conftest import COUNTY, SOUTH, sent
from tests.desk.conftest import area as place
from tests.feeds.conftest import OTHER, RELEASE, area, message

EVERYWHERE = {"areas": (area(COUNTY, "示范县"),)}


@pytest.fixture
def county(county):
    """A policy for a county of four: twice the usual number is unusual once one warning was sent."""
    policy = county.desk.office.policy
    rule = Usual(times=2, least=1, floor=1)
    county.desk.office = county.desk.office._replace(policy=policy.model_copy(update={"usual": rule}))
    return county


class TestARuleThatSends:
    async def test_leaves_what_goes_to_everybody_to_people_and_says_why(self, county):
        (taken,) = await county.take(county.intake(weather=dict(RELEASE)), message(**EVERYWHERE))
        assert taken.state == "submitted"
        assert taken.reason == "it goes to everybody who can be reached, 4 recipients: a person approves"
        assert await county.sent() == []
        row = (await county.desk.show(taken.alert_id)).alert
        assert (row.state, row.plan["approvers"], "by_rule" in row.plan) == ("submitted", 3, False)
        for person in ("first", "second", "third"):
            await county.desk.approve(row.id, row.digest, person)
        assert (await county.desk.release(row.id, "sender")).deliveries["sms"] == 4

    async def test_leaves_what_is_far_above_the_usual_to_people(self, county):
        await sent(county.desk, areas=(place(SOUTH, "南湖镇"),))
        (taken,) = await county.take(county.intake(weather=dict(RELEASE)), message())
        assert taken.state == "submitted"
        assert "3 recipients, 3 times as many as usual (median of 1 earlier warnings: 1)" in taken.reason
        assert len(await county.sent()) == 1

    async def test_sends_what_is_usual(self, county):
        await sent(county.desk)
        (taken,) = await county.take(county.intake(weather=dict(RELEASE)), message())
        assert taken.state == "released"

    async def test_does_not_send_it_when_a_second_source_agrees_either(self, county):
        agree = RELEASE | {"release_alone": False, "agrees_with": ["water"]}
        intake = county.intake(weather=agree, water={"action": "inbox"})
        await county.take(intake, message(**EVERYWHERE))
        await county.take(intake, message("two", OTHER, **EVERYWHERE), source="water")
        assert await county.sent() == []

    async def test_takes_back_without_people_what_it_sent(self, county):
        await sent(county.desk)
        intake = county.intake(weather=dict(RELEASE))
        first = message()
        await county.take(intake, first)
        await county.take(intake, message("two", msg_type="Cancel", about=(first,), minutes=1))
        assert [kind for kind, _ in await county.sent()] == ["Alert", "Alert", "Cancel"]
