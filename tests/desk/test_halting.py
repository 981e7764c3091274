"""A Cancel stops its warning in a step of its own, before the seconds that its planning takes."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from gateway.desk import leaving
from gateway.desk.refused import DeskRefused
from gateway.desk.service import Desk
from gateway.store import alarms, audit, dispatch
from gateway.store.tables import alerts, releases

from .conftest import make_office, sent

LEVELS = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 1\n"
WHY = "虚构：另一位签发人联系不上"


async def standing(database, row) -> tuple[str, str]:
    """The state of a warning and of its release, as anybody else sees them."""
    async with database.begin() as connection:
        query = select(alerts.c.state, releases.c.state).join(releases, releases.c.alert_id == alerts.c.id)
        return tuple((await connection.execute(query.where(alerts.c.id == row.id))).one())


async def steps_of(database, row) -> list[str]:
    async with database.begin() as connection:
        assert (await audit.verify(connection)).broken_at is None
        return [one.action for one in await audit.show(connection, f"alert {row.id}")]


async def codes(database, row) -> list[str]:
    async with database.begin() as connection:
        return [one.code for one in await alarms.standing(connection, f"alert {row.id}")]


@pytest.fixture
def seen(monkeypatch, database):
    """What others see of the warnings while their Cancels are planned."""
    looks, really = [], leaving.leave

    async def leave(step, office, row):
        if row.supersedes is not None:
            looks.append(await standing(database, await step.read(row.supersedes)))
        return await really(step, office, row)

    monkeypatch.setattr(leaving, "leave", leave)
    return looks


@pytest.fixture
def broken(monkeypatch):
    """Planning a Cancel fails until it is mended."""
    really = leaving.leave

    async def leave(step, office, row):
        if row.supersedes is not None:
            raise RuntimeError("invented: the plan does not come about")
        return await really(step, office, row)

    monkeypatch.setattr(leaving, "leave", leave)
    return lambda: monkeypatch.setattr(leaving, "leave", really)


@pytest.fixture
def contended(monkeypatch):
    """The database takes the first plans of a Cancel back, as it does with one of two that cross."""
    left, really = [0], leaving.leave

    async def leave(step, office, row):
        if row.supersedes is not None and left[0]:
            left[0] -= 1
            raise DBAPIError("invented", None, asyncpg.DeadlockDetectedError("invented"))
        return await really(step, office, row)

    monkeypatch.setattr(leaving, "leave", leave)
    return left


async def stopped_only(desk):
    """A warning that is stopped, and its Cancel, which was approved and did not leave."""
    row = await sent(desk)
    cancel = await desk.cancel(row.id, "author")
    with pytest.raises(RuntimeError):
        await desk.approve(cancel.id, cancel.digest, "first")
    return row, cancel


class TestTheCancel:
    async def test_is_planned_again_where_the_database_took_it_back(self, desk, database, contended):
        row = await sent(desk)
        cancel = await desk.cancel(row.id, "author")
        contended[0] = 2
        assert (await desk.approve(cancel.id, cancel.digest, "first")).alert.state == "released"
        assert (await standing(database, row))[0] == "cancelled"

    async def test_says_what_is_left_to_do_where_that_did_not_help(self, desk, database, contended):
        row = await sent(desk)
        cancel = await desk.cancel(row.id, "author")
        contended[0] = 99
        with pytest.raises(DeskRefused, match="stopped") as refused:
            await desk.approve(cancel.id, cancel.digest, "first")
        assert refused.value.code == "cancel_waits"
        assert await standing(database, row) == ("released", "stopped")
        contended[0] = 0
        await desk.release(cancel.id, "sender")
        assert (await standing(database, row))[0] == "cancelled"


class TestTheWarning:
    async def test_is_stopped_before_the_cancel_that_was_signed_is_planned(self, desk, database, seen):
        row = await sent(desk)
        cancel = await desk.cancel(row.id, "author")
        assert await standing(database, row) == ("released", "open")
        signed = await desk.approve(cancel.id, cancel.digest, "first")
        assert signed.released is not None
        assert signed.alert.state == "released"
        assert seen == [("released", "stopped")]
        assert (await standing(database, row))[0] == "cancelled"
        assert (await steps_of(database, row))[-2:] == ["stop", "cancel"]

    async def test_is_stopped_before_a_cancel_that_waited_for_its_release(
        self, desk, database, clock, tmp_path, seen
    ):
        slow = Desk(
            database, clock, make_office(f"{LEVELS}[cancel]\nrelease_on_approval = false\n", tmp_path)
        )
        row = await sent(slow)
        cancel = await slow.cancel(row.id, "author")
        await slow.approve(cancel.id, cancel.digest, "first")
        assert await standing(database, row) == ("released", "open")
        first = await slow.release(cancel.id, "sender")
        assert await slow.release(cancel.id, "sender") == first._replace(deliveries={})
        assert seen == [("released", "stopped")]

    async def test_is_stopped_before_a_cancel_that_takes_nobodys_signature(
        self, desk, database, clock, tmp_path, seen
    ):
        quick = Desk(database, clock, make_office(f"{LEVELS}[cancel]\napprovers = 0\n", tmp_path))
        row = await sent(quick)
        assert (await quick.cancel(row.id, "author")).state == "released"
        assert seen == [("released", "stopped")]

    async def test_is_taken_back_by_a_second_click_where_the_first_only_stopped_it(
        self, desk, database, clock, tmp_path, broken
    ):
        quick = Desk(database, clock, make_office(f"{LEVELS}[cancel]\napprovers = 0\n", tmp_path))
        row = await sent(quick)
        with pytest.raises(RuntimeError):
            await quick.cancel(row.id, "author")
        assert await standing(database, row) == ("released", "stopped")
        broken()
        assert (await quick.cancel(row.id, "author")).state == "released"
        assert (await standing(database, row))[0] == "cancelled"

    async def test_is_stopped_before_a_cancel_that_one_person_sends_alone(
        self, desk, database, clock, tmp_path, seen
    ):
        rules = '[cancel]\napprovers = 2\n[emergency]\nlevels = ["red"]\n'
        alone = Desk(database, clock, make_office(f"{LEVELS}{rules}", tmp_path))
        row = await sent(alone, level="red")
        cancel = await alone.cancel(row.id, "author")
        await alone.release_alone(cancel.id, cancel.digest, "first", WHY)
        assert seen == [("released", "stopped")]
        assert (await standing(database, row))[0] == "cancelled"

    async def test_goes_on_where_the_cancel_is_refused(self, desk, database, seen):
        row = await sent(desk)
        cancel = await desk.cancel(row.id, "author")
        for refused in (
            desk.approve(cancel.id, "0" * 64, "first"),
            desk.approve(cancel.id, cancel.digest, "author"),
            desk.release(cancel.id, "sender"),
        ):
            with pytest.raises(DeskRefused):
                await refused
        del desk.office.routes["sms"]
        with pytest.raises(DeskRefused, match="no live route"):
            await desk.approve(cancel.id, cancel.digest, "first")
        assert await standing(database, row) == ("released", "open")
        assert (await desk.show(cancel.id)).signatures == []
        assert seen == []

    async def test_stays_stopped_where_the_cancel_cannot_leave_and_an_alarm_says_so(
        self, desk, database, broken
    ):
        row, cancel = await stopped_only(desk)
        assert await standing(database, row) == ("released", "stopped")
        assert (await desk.show(cancel.id)).alert.state == "approved"
        assert await desk.remind_cancellers() == [row.id]
        assert await desk.remind_cancellers() == []
        assert await codes(database, row) == ["stopped_only"]
        broken()
        assert (await desk.approve(cancel.id, cancel.digest, "first")).alert.state == "released"
        assert (await standing(database, row))[0] == "cancelled"
        assert (await steps_of(database, row)).count("stop") == 1
        assert await desk.remind_cancellers() == []
        assert await codes(database, row) == []

    async def test_keeps_its_alarm_though_the_cancel_is_sent_back_and_nothing_of_it_is_on_its_way(
        self, desk, database, broken
    ):
        row, cancel = await stopped_only(desk)
        await desk.reject(cancel.id, cancel.digest, "second", "虚构：预警没有错")
        async with database.raw() as connection:
            await connection.execute("UPDATE batches SET state = 'done'")
            await connection.execute("UPDATE counters SET state = 4")
            await dispatch.close_settled(connection, 0)
        assert await desk.remind_cancellers() == [row.id]
        assert await standing(database, row) == ("released", "stopped")
        broken()
        again = await desk.cancel(row.id, "author")
        await desk.approve(again.id, again.digest, "first")
        assert await desk.remind_cancellers() == []
        assert await codes(database, row) == []

    @pytest.mark.usefixtures("broken")
    async def test_loses_its_alarm_when_it_is_over(self, desk, database, clock):
        row, _ = await stopped_only(desk)
        assert await desk.remind_cancellers() == [row.id]
        clock.advance(7 * 3600)
        assert await desk.remind_cancellers() == []
        assert await codes(database, row) == []
