"""Two steps in each other's way: the database takes one back, and its person is asked to try again."""

from __future__ import annotations

import asyncio

import pytest

from tests.desk.conftest import ready


async def until_it_waits(connection) -> None:
    """Return once another transaction waits for a lock."""
    while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@pytest.fixture
async def collide(desk, database):
    """Have a step by ``first`` wait in a circle with somebody else, who goes on."""

    async with database.raw() as one:  # time enough for the other one to wait as well
        await one.execute("ALTER SYSTEM SET deadlock_timeout = '5s'")
        await one.execute("SELECT pg_reload_conf()")

    async def run(browser, row, step, form):
        async with database.raw() as other, other.transaction():
            await other.execute("SET LOCAL deadlock_timeout = '30s'")  # the other one is taken back
            await other.execute("LOCK TABLE approvals IN SHARE MODE")  # read by the checks, written by a step
            answer = asyncio.create_task(browser.post(f"/alerts/{row.id}/{step}", form))
            await until_it_waits(other)
            await other.execute("SELECT FROM warnings WHERE id = $1 FOR UPDATE", row.warning_id)
            return await answer

    yield run
    async with database.raw() as one:
        await one.execute("ALTER SYSTEM RESET deadlock_timeout")
        await one.execute("SELECT pg_reload_conf()")


class TestAStepThatIsTakenBack:
    @pytest.mark.parametrize(
        ("language", "said"), [("en", "this was not done. Try again."), ("zh-CN", "本次操作未完成")]
    )
    async def test_says_so_and_is_done_when_it_is_tried_again(self, desk, visitor, collide, language, said):
        row = await ready(desk)
        browser = await visitor("first", language)
        once = (await browser.get(f"/alerts/{row.id}")).once()
        form = {"digest": row.digest, "reason": "虚构：区域不对", "once": once}
        answer = await collide(browser, row, "reject", form)
        assert answer.status == 409
        assert said in answer.text
        assert (await desk.show(row.id)).alert.state == "submitted"
        assert (await browser.post(f"/alerts/{row.id}/reject", form)).status == 303
        assert (await desk.show(row.id)).alert.state == "draft"

    @pytest.mark.parametrize(("step", "level"), [("approve", "orange"), ("emergency", "red")])
    async def test_leaves_its_code_good_for_the_next_try_and_for_nothing_else(
        self, desk, visitor, collide, code, step, level
    ):
        row, other = await ready(desk, level=level), await ready(desk, level="orange")
        browser = await visitor("first")
        form = {"code": code, "place": "北山镇", "count": "3", "reason": "虚构：溃坝"}
        assert (await collide(browser, row, step, form | {"digest": row.digest})).status == 409
        assert (await desk.show(row.id)).alert.state == "submitted"
        assert (await browser.post(f"/alerts/{row.id}/{step}", form | {"digest": row.digest})).status == 303
        again = await browser.post(f"/alerts/{other.id}/approve", form | {"digest": other.digest})
        assert again.status == 422
        assert "used before" in again.text
