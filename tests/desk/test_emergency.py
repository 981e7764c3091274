"""The emergency path: one person sends, another signs afterwards."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused
from gateway.desk.service import Desk
from gateway.store import alarms, audit
from gateway.store.console_tables import emergencies
from gateway.store.desk import Person
from gateway.store.tables import alerts, releases

from .conftest import make_office, ready

OFF = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n"
WHY = "虚构：溃坝在即，另一位签发人联系不上"


async def alone(desk, person: str = "first"):
    """A red alert that one person sent."""
    row = await ready(desk, level="red")
    await desk.release_alone(row.id, row.digest, person, WHY)
    return (await desk.show(row.id)).alert


async def codes(database, row) -> list[str]:
    async with database.begin() as connection:
        return [one.code for one in await alarms.standing(connection, f"alert {row.id}")]


async def refusal(step) -> str:
    with pytest.raises(DeskRefused) as refused:
        await step
    return refused.value.code


async def count_releases(database) -> int:
    async with database.begin() as connection:
        return (await connection.execute(select(func.count()).select_from(releases))).scalar_one()


class TestSendingAlone:
    async def test_it_is_sent_on_one_signature_and_written_down(self, desk, database, clock):
        row = await alone(desk)
        assert row.state == "released"
        one = (await desk.show(row.id)).emergency
        assert (one.person, one.reason, one.digest) == ("first", WHY, row.digest)
        assert one.due_at == clock.now() + timedelta(minutes=30)
        async with database.begin() as connection:
            records = [(one.action, one.actor) for one in await audit.show(connection, f"alert {row.id}")]
            assert (await audit.verify(connection)).broken_at is None
        assert records[-3:] == [("approve", "first"), ("emergency", "first"), ("release", "first")]
        assert await codes(database, row) == ["cosignature_due"]

    @pytest.mark.parametrize(
        ("person", "code"), [("author", "role"), ("sender", "role"), ("both", "author_approves")]
    )
    async def test_only_by_who_may_approve_and_release_and_did_not_write_it(
        self, desk, database, person, code
    ):
        drafted = await ready(desk, level="red")
        await desk.edit(drafted.id, "both", Changes(headline="暴雨"))
        row = await desk.submit(drafted.id, "author")
        assert await refusal(desk.release_alone(row.id, row.digest, person, WHY)) == code
        assert await count_releases(database) == 0

    async def test_only_with_a_reason(self, desk):
        row = await ready(desk, level="red")
        assert await refusal(desk.release_alone(row.id, row.digest, "first", " ")) == "reason"

    async def test_only_at_the_levels_of_the_policy(self, desk):
        row = await ready(desk, level="orange")
        assert await refusal(desk.release_alone(row.id, row.digest, "first", WHY)) == "emergency_off"

    async def test_a_policy_without_it_takes_it_away(self, database, clock, desk, tmp_path):
        stricter = Desk(database, clock, make_office(OFF, tmp_path))
        row = await ready(stricter, level="red")
        assert await refusal(stricter.release_alone(row.id, row.digest, "first", WHY)) == "emergency_off"

    async def test_what_was_changed_meanwhile_is_not_sent(self, desk, database):
        row = await ready(desk, level="red")
        await desk.edit(row.id, "author", Changes(headline="暴雨"))
        await desk.submit(row.id, "author")
        assert await refusal(desk.release_alone(row.id, row.digest, "first", WHY)) == "stale"
        assert await count_releases(database) == 0

    async def test_where_it_is_the_last_signature_it_is_no_emergency(self, desk, database):
        row = await ready(desk, level="red")
        await desk.approve(row.id, row.digest, "second")
        await desk.release_alone(row.id, row.digest, "first", WHY)
        sheet = await desk.show(row.id)
        assert (sheet.alert.state, sheet.emergency) == ("released", None)
        assert await codes(database, row) == []

    async def test_twice_is_one_release(self, desk, database):
        row = await ready(desk, level="red")
        done = await asyncio.gather(*(desk.release_alone(row.id, row.digest, "first", WHY) for _ in range(8)))
        assert len({one.reference for one in done}) == 1
        assert await count_releases(database) == 1

    @pytest.mark.parametrize("column", ["digest", "person"])
    async def test_a_row_for_something_else_stands_for_no_signature(self, desk, database, column):
        """Whoever can write to the table but not sign gets nothing sent by it."""
        row = await ready(desk, level="red")
        await desk.approve(row.id, row.digest, "first")
        values = {"digest": row.digest, "person": "first"} | {
            column: {"digest": "0" * 64, "person": "second"}[column]
        }
        async with database.begin() as connection:
            now = desk.clock.now()
            await connection.execute(
                emergencies.insert().values(alert_id=row.id, reason=WHY, at=now, due_at=now, **values)
            )
            await connection.execute(update(alerts).where(alerts.c.id == row.id).values(state="approved"))
        assert await refusal(desk.release(row.id, "sender")) == "approvals"


class TestSigningAfterwards:
    async def test_another_approver_does_and_the_alarm_ends(self, desk, database, clock):
        row = await alone(desk)
        await desk.cosign(row.id, row.digest, "second")
        await desk.cosign(row.id, row.digest, "second")
        one = (await desk.show(row.id)).emergency
        assert (one.cosigned_by, one.cosigned_at) == ("second", clock.now())
        assert await codes(database, row) == []
        async with database.begin() as connection:
            actions = [one.action for one in await audit.show(connection, f"alert {row.id}")]
            assert (await audit.verify(connection)).broken_at is None
        assert actions.count("cosign") == 1

    @pytest.mark.parametrize(
        ("person", "code"), [("first", "cosigner"), ("author", "role"), ("sender", "role")]
    )
    async def test_not_the_one_who_sent_it_nor_who_may_not(self, desk, person, code):
        row = await alone(desk)
        assert await refusal(desk.cosign(row.id, row.digest, person)) == code

    async def test_nor_who_wrote_it(self, desk):
        row = await alone(desk)
        await desk.set_person(Person("author", "虚构 author", ("author", "approver"), active=True))
        assert await refusal(desk.cosign(row.id, row.digest, "author")) == "cosigner"

    async def test_one_is_enough_and_the_next_is_told_who(self, desk):
        row = await alone(desk)
        await desk.cosign(row.id, row.digest, "second")
        with pytest.raises(DeskRefused) as refused:
            await desk.cosign(row.id, row.digest, "third")
        assert refused.value.code == "cosigned"
        assert refused.value.values["person"] == "second"

    async def test_what_was_sent_in_the_usual_way_needs_none(self, desk):
        row = await ready(desk)
        assert await refusal(desk.cosign(row.id, row.digest, "second")) == "no_emergency"

    async def test_nobody_in_time_is_told_once(self, desk, database, clock):
        row = await alone(desk)
        clock.advance(30 * 60 - 1)
        assert await desk.remind_cosigners() == []
        clock.advance(1)
        assert await desk.remind_cosigners() == [row.id]
        assert await desk.remind_cosigners() == []
        assert await codes(database, row) == ["cosignature_due", "cosignature_overdue"]
        async with database.begin() as connection:
            last = (await audit.show(connection, f"alert {row.id}"))[-1]
        assert (last.action, last.actor, json.loads(last.detail)["person"]) == (
            "cosign_overdue", "system", "first",
        )  # fmt: skip
