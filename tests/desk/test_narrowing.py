"""Whom an Update passes over, and whom the Cancel after it reaches."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from gateway.alerts.parse import parse
from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused
from gateway.store import audience
from gateway.store.tables import deliveries, releases, target_lists, targets

from .conftest import COUNTY, NORTH, SOUTH, START, area, sent

WIDE = (area(COUNTY, "示范县"),)


async def submitted_update(desk, row, **changes):
    drafted = await desk.update(row.id, "author")
    await desk.edit(drafted.id, "author", Changes(**changes))
    return await desk.submit(drafted.id, "author")


async def released(desk, row):
    for person in ("first", "second", "third"):
        if (await desk.approve(row.id, row.digest, person)).alert.state == "approved":
            break
    await desk.release(row.id, "sender")
    return (await desk.show(row.id)).alert


async def updated(desk, row, **changes):
    return await released(desk, await submitted_update(desk, row, **changes))


async def addresses_of(database, alert_id: int) -> set[tuple[str, str]]:
    """Return (channel, address) of every delivery of an alert's release."""
    query = (
        select(deliveries.c.channel, deliveries.c.address)
        .join(releases, releases.c.id == deliveries.c.release_id)
        .where(releases.c.alert_id == alert_id)
    )
    async with database.begin() as connection:
        rows = [tuple(row) for row in await connection.execute(query)]
    assert len(rows) == len(set(rows)), "nobody hears of it twice on one channel"
    return set(rows)


async def cancelled(desk, row):
    cancel = await desk.cancel(row.id, "author")
    await desk.approve(cancel.id, cancel.digest, "first")
    return (await desk.show(cancel.id)).alert


class TestTheCancel:
    async def test_it_reaches_everybody_whom_any_message_of_the_warning_reached(self, desk, database):
        row = await sent(desk, level="orange", areas=WIDE)
        newer = await updated(desk, row, region=SOUTH, channels=("email",), level="blue")
        cancel = await cancelled(desk, newer)
        told = await addresses_of(database, row.id) | await addresses_of(database, newer.id)
        assert await addresses_of(database, cancel.id) == told
        assert len(told) == 12
        assert (await desk.show(cancel.id)).recipients == 4

    async def test_each_person_hears_it_on_the_channels_of_the_warning_and_no_other(self, desk, database):
        row = await sent(desk, level="blue")
        newer = await updated(desk, row, region=SOUTH, channels=("email",))
        cancel = await cancelled(desk, newer)
        went = await addresses_of(database, cancel.id)
        assert ("email", "invented4@example.org") in went
        assert ("sms", "+8619900000004") not in went
        assert ("sms", "+8619900000001") in went

    async def test_it_names_every_area_and_every_kind_of_warning(self, desk, clock):
        row = await sent(desk, level="orange", areas=WIDE)
        clock.advance(600)
        newer = await updated(desk, row, region=SOUTH, level="blue")
        cancel = await cancelled(desk, newer)
        said = cancel.texts["sms"]["zh-CN"]["text"]
        assert "南湖镇、示范县" in said
        assert "暴雨橙色预警现予解除" in said
        assert "暴雨蓝色预警现予解除" in said
        assert len(parse(cancel.xml).alert.references) == 2

    async def test_its_list_is_frozen_and_does_not_read_the_register_again(self, desk, database):
        row = await sent(desk, areas=WIDE)
        newer = await updated(desk, row, region=SOUTH)
        async with database.begin() as connection:
            await connection.execute(text("UPDATE contacts SET active = false"))
            await connection.execute(text("DELETE FROM addresses"))
        cancel = await desk.cancel(newer.id, "author")
        async with database.begin() as connection:
            sealed = await audience.sealed(connection, cancel.target_list_id)
            assert sealed == await audience.digest(connection, cancel.target_list_id)
            query = select(target_lists.c.area).where(target_lists.c.id == cancel.target_list_id)
            came_from = (await connection.execute(query)).scalar_one()
        assert came_from == {"union_of": [row.target_list_id, newer.target_list_id]}
        assert (await desk.approve(cancel.id, cancel.digest, "first")).released.deliveries["sms"] == 4

    async def test_of_an_address_that_changed_the_youngest_counts(self, desk, database):
        row = await sent(desk, areas=WIDE)
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE addresses SET address = '+8619900000044' WHERE address = '+8619900000004'")
            )
        newer = await updated(desk, row, region=SOUTH)
        cancel = await cancelled(desk, newer)
        went = await addresses_of(database, cancel.id)
        assert ("sms", "+8619900000044") in went
        assert ("sms", "+8619900000004") not in went

    async def test_after_an_update_of_words_only_the_list_is_used_as_it_is(self, desk):
        row = await sent(desk)
        newer = await updated(desk, row, description="雨势增强")
        cancel = await desk.cancel(newer.id, "author")
        assert cancel.target_list_id == newer.target_list_id

    async def test_whoever_was_told_by_what_has_expired_needs_no_cancel(self, desk, clock, database):
        row = await sent(desk, areas=WIDE)
        newer = await updated(desk, row, region=SOUTH, expires=START + timedelta(hours=12))
        clock.advance(7 * 3600)
        cancel = await cancelled(desk, newer)
        assert await addresses_of(database, cancel.id) == await addresses_of(database, newer.id)
        assert [one.identifier for one in parse(cancel.xml).alert.references] == [newer.identifier]

    async def test_a_list_that_was_tampered_with_is_not_taken_over(self, desk, database):
        row = await sent(desk, areas=WIDE)
        newer = await updated(desk, row, region=SOUTH)
        async with database.begin() as connection:
            await connection.execute(
                update(targets)
                .where(targets.c.list_id == row.target_list_id)
                .values(addresses={"sms": "+8619900000098"})
            )
        with pytest.raises(DeskRefused, match=f"the recipients of alert {row.id}") as refused:
            await desk.cancel(newer.id, "author")
        assert refused.value.code == "changed"

    async def test_a_channel_that_lost_its_route_does_not_keep_it_from_the_others(self, desk, database):
        row = await sent(desk, areas=WIDE)
        routes = {name: route for name, route in desk.office.routes.items() if name != "radio"}
        desk.office = desk.office._replace(routes=routes)
        cancel = await desk.cancel(row.id, "author")
        lost = {"code": "channel_lost", "values": {"channel": "radio", "mode": "live"}}
        assert lost in cancel.plan["findings"]
        await desk.approve(cancel.id, cancel.digest, "first")
        assert {channel for channel, _ in await addresses_of(database, cancel.id)} == {"sms", "email"}

    async def test_of_a_drill_it_stays_a_drill(self, desk):
        row = await sent(desk, mode="drill", areas=WIDE)
        newer = await updated(desk, row, region=SOUTH)
        cancel = await cancelled(desk, newer)
        assert (cancel.mode, cancel.plan["lane"]) == ("drill", "drill")
        assert cancel.texts["sms"]["zh-CN"]["text"].startswith("【演练】")


class TestTheUpdate:
    async def test_it_tells_the_approver_whom_it_passes_over(self, desk):
        row = await sent(desk, level="orange", areas=WIDE)
        newer = await submitted_update(desk, row, region=SOUTH, channels=("email",))
        assert newer.plan["findings"][:3] == [
            {"code": "missed", "values": {"count": 3, "alert": row.id}},
            {"code": "channel_unused", "values": {"channel": "radio", "alert": row.id}},
            {"code": "channel_unused", "values": {"channel": "sms", "alert": row.id}},
        ]

    async def test_one_that_reaches_all_of_them_tells_nothing(self, desk):
        row = await sent(desk)
        newer = await submitted_update(desk, row, areas=WIDE)
        assert not [one for one in newer.plan["findings"] if "alert" in one["values"]]

    async def test_it_may_still_extend_what_has_expired(self, desk, clock, database):
        row = await sent(desk)
        newer = await submitted_update(desk, row, expires=START + timedelta(hours=12))
        await desk.approve(newer.id, newer.digest, "first")
        clock.advance(7 * 3600)
        await desk.expire_due()
        assert (await desk.show(row.id)).alert.state == "expired"
        await desk.release(newer.id, "sender")
        assert (await desk.show(row.id)).alert.state == "updated"
        went = parse((await desk.show(newer.id)).alert.xml).alert
        assert [one.identifier for one in went.references] == [row.identifier]
        assert (await cancelled(desk, newer)).state == "released"

    async def test_it_may_be_begun_after_the_end(self, desk, clock):
        row = await sent(desk)
        clock.advance(7 * 3600)
        await desk.expire_due()
        newer = await submitted_update(desk, row, expires=START + timedelta(hours=12))
        assert [one["identifier"] for one in newer.content["references"]] == [row.identifier]
        assert newer.plan["channels"] == row.plan["channels"]
        assert NORTH in str(newer.content)
