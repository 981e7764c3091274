"""A worker sends what belongs to its queue and nothing else, whatever Redis hands it."""

from __future__ import annotations

import pytest

from gateway.store import dispatch as store
from tests.dispatch.scripted import opened, plan


@pytest.mark.parametrize(
    ("channel", "mode", "lane"),
    [("sms", "drill", "drill"), ("sms", "live", "normal"), ("email", "live", "urgent")],
)
async def test_a_batch_of_another_lane_or_channel_is_not_leased(database_url, channel, mode, lane):
    async with opened(database_url) as (database, _), database.raw() as connection:
        planned = await plan(database, channel=channel, mode=mode, lane=lane)
        wrong = await store.lease(connection, planned.batch, "one", 8, channel="sms", lane="urgent")
        right = await store.lease(connection, planned.batch, "one", 8, channel=channel, lane=lane)
    assert wrong is None
    assert right is not None
    assert (right.batch, right.mode) == (planned.batch, mode)
