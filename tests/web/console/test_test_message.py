"""A test message to oneself: one drill to the own address, by the very engine, and to nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from channels.base import simulator
from gateway.clock import SYSTEM
from gateway.desk import self_test
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.dispatch.engine import Engine
from gateway.settings import load_settings
from gateway.store import self_tests

if TYPE_CHECKING:
    from gateway.desk.service import Desk

OWN = "8619900000777"
DELIVERED = 8


@pytest.fixture
def clock():
    return SYSTEM  # the engine goes by the database's clock


def at(desk: Desk, login: str):
    return step(desk.database, login, desk.clock.now(), desk.office.policy)


async def keep(desk: Desk, login: str = "sender", channel: str = "sms", address: str = OWN) -> str:
    async with at(desk, login) as one:
        return await self_test.keep_address(one, desk.office, channel, address)


async def send(desk: Desk, login: str = "sender", channel: str = "sms"):
    async with at(desk, login) as one:
        return await self_test.send(one, desk.office, channel)


async def audited(desk: Desk, action: str) -> list[str]:
    async with desk.database.raw() as connection:
        query = "SELECT actor || ' ' || subject || ' ' || detail FROM audit WHERE action = $1 ORDER BY seq"
        return [row[0] for row in await connection.fetch(query, action)]


async def fetch(desk: Desk, query: str):
    async with desk.database.raw() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


class TestSending:
    async def test_it_reaches_the_own_phone_once_with_the_drill_mark_and_its_receipt_is_shown(
        self, desk, database_url, redis_url, tmp_path
    ):
        await keep(desk)
        row, released = await send(desk)
        smsc = simulator("smpp")()
        await smsc.start()
        settings = load_settings(
            state_dir=tmp_path,
            database_url=database_url,
            redis_url=redis_url,
            channels={"sms": {"kind": "smpp", "drill": smsc.settings() | {"rate": 100}}},
        )
        ((batch,),) = await fetch(desk, "SELECT id FROM batches")
        async with Engine(settings, "sms.drill") as engine, asyncio.timeout(60):
            await engine.take(batch)
            while (await self.shown(desk, row.id)).state != DELIVERED:  # noqa: ASYNC110 - the tables tell nobody
                await asyncio.sleep(0.05)
        await smsc.stop()
        (entry,) = smsc.ledger
        assert entry.address == OWN
        assert "【演练】" in entry.text
        assert released.deliveries == {"sms": 1}
        async with desk.database.begin() as connection:
            tried, told = await self_tests.evidence(connection, (await self.shown(desk, row.id)).delivery_id)
        assert {one.outcome for one in tried} == {"accepted"}
        assert {one.state for one in told} == {DELIVERED}

    @staticmethod
    async def shown(desk, alert_id):
        async with desk.database.begin() as connection:
            found = await self_tests.of_alert(connection, alert_id)
        assert found is not None
        return found

    async def test_it_is_a_drill_of_one_recipient_and_stands_nowhere_in_force(self, desk):
        await keep(desk)
        await send(desk)
        assert await fetch(desk, "SELECT mode, lane FROM releases") == [("drill", "drill")]
        assert await fetch(desk, "SELECT address FROM deliveries") == [(OWN,)]
        states = await fetch(desk, "SELECT msg_type, state FROM alerts ORDER BY id")
        assert states == [("Alert", "expired"), ("Cancel", "withdrawn")]

    async def test_it_is_written_down_without_the_number(self, desk):
        await keep(desk)
        await send(desk)
        for action in ("keep_own_address", "self_test"):
            (said,) = await audited(desk, action)
            assert said.startswith("sender ")
            assert OWN not in said

    async def test_more_than_five_in_ten_minutes_are_refused(self, desk):
        await keep(desk)
        for _ in range(self_test.MOST):
            await send(desk)
        with pytest.raises(DeskRefused, match="no more than 5"):
            await send(desk)
        await keep(desk, "admin", address="+8619900000778")
        await send(desk, "admin")

    async def test_two_at_once_do_not_pass_the_limit(self, desk):
        await keep(desk)
        for _ in range(self_test.MOST - 1):
            await send(desk)
        done = await asyncio.gather(*(send(desk) for _ in range(3)), return_exceptions=True)
        assert sum(isinstance(one, DeskRefused) for one in done) == 2


class TestRefusals:
    async def test_without_a_drill_route_it_says_so(self, desk):
        with pytest.raises(DeskRefused, match="no drill route"):
            await send(desk, channel="wecom")

    async def test_without_an_own_address_nothing_is_sent(self, desk):
        await keep(desk, "admin")
        with pytest.raises(DeskRefused, match="keep your own address"):
            await send(desk)
        assert await fetch(desk, "SELECT id FROM releases") == []

    async def test_an_address_of_another_kind_is_refused(self, desk):
        with pytest.raises(DeskRefused, match="cannot be used on sms"):
            await keep(desk, address="no number")

    @pytest.mark.parametrize("login", ["author", "leader", "nobody"])
    async def test_who_may_not_operate_may_not(self, desk, login):
        with pytest.raises(DeskRefused, match="may not operate"):
            await keep(desk, login)


class TestThePage:
    async def test_keeps_an_address_sends_a_test_and_shows_what_became_of_it(self, visitor, desk):
        browser = await visitor("sender")
        page = await browser.get("/channels/test")
        assert "Keep my address" in page.text
        await browser.post("/channels/test/address", {"channel": "sms", "address": OWN})
        page = await browser.get("/channels/test")
        assert "86199****0777" in page.text
        assert OWN not in page.text
        form = {"channel": "sms", "once": page.once()}
        clicks = await asyncio.gather(*(browser.post("/channels/test", form) for _ in range(2)))
        assert {one.location for one in clicks} == {"/desk/channels/test"}
        ((number,),) = await fetch(desk, "SELECT alert_id FROM releases")
        part = await browser.get(f"/channels/test/{number}")
        assert "waits to be sent" in part.text
        assert "【演练】" in part.text
        assert "<html" not in part.text
        assert OWN not in part.text

    async def test_of_somebody_else_is_not_shown(self, visitor, desk):
        await keep(desk)
        row, _ = await send(desk)
        assert (await (await visitor("admin")).get(f"/channels/test/{row.id}")).status == 404
        assert "waits to be sent" not in (await (await visitor("admin")).get("/channels/test")).text

    async def test_says_why_a_test_is_not_sent(self, visitor, desk):
        browser = await visitor("sender")
        for form, words in (
            ({"channel": "wecom"}, "has no route for drills"),
            ({"channel": "sms"}, "Keep your own address"),
            ({"channel": "fax"}, "no such channel"),
        ):
            answer = await browser.post("/channels/test", form)
            assert answer.status == 422
            assert words in answer.text
        assert await fetch(desk, "SELECT id FROM releases") == []

    async def test_forgets_an_address(self, visitor, desk):
        await keep(desk)
        browser = await visitor("sender")
        await browser.post("/channels/test/address", {"channel": "sms", "address": ""})
        assert await fetch(desk, "SELECT address FROM own_addresses") == []
        assert len(await audited(desk, "forget_own_address")) == 1

    async def test_is_for_who_may_operate(self, visitor):
        browser = await visitor("author")
        assert (await browser.get("/channels/test")).status == 403
        assert (await browser.post("/channels/test", {"channel": "sms"})).status == 403
