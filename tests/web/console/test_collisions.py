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
    """Have a rejection by ``first`` wait in a circle with somebody else, who goes on."""

    async with database.raw() as one:  # time enough for the other one to wait as well
        await one.execute("ALTER SYSTEM SET deadlock_timeout = '5s'")
        await one.execute("SELECT pg_reload_conf()")

    async def run(browser, row, form):
        async with database.raw() as other, other.transaction():
            await other.execute("SET LOCAL deadlock_timeout = '30s'")  # the other one is taken back
            await other.execute("SELECT FROM people WHERE login = 'first' FOR UPDATE")
            answer = asyncio.create_task(browser.post(f"/alerts/{row.id}/reject", form))
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
        answer = await collide(browser, row, form)
        assert answer.status == 409
        assert said in answer.text
        assert (await desk.show(row.id)).alert.state == "submitted"
        assert (await browser.post(f"/alerts/{row.id}/reject", form)).status == 303
        assert (await desk.show(row.id)).alert.state == "draft"
