"""A code of the second factor is used up by what is done, never by what is refused."""

from __future__ import annotations

from datetime import timedelta

import pyotp
import pytest

from gateway.desk.compose import Changes
from tests.desk.conftest import ready
from tests.web.console.conftest import KEY

TYPED = {"place": "北山镇", "count": "3", "reason": "虚构：溃坝"}


async def holds_still(desk, visitor, login: str, code: str) -> bool:
    """Return whether a person's code signs something, i.e. was not used up before."""
    row = await ready(desk, level="orange")
    answer = await (await visitor(login)).post(
        f"/alerts/{row.id}/approve", {"digest": row.digest, "code": code}
    )
    return answer.status == 303


async def alone(desk):
    """Return an alert that one person sent on one signature."""
    row = await ready(desk, level="red")
    await desk.release_alone(row.id, row.digest, "first", "虚构：溃坝")
    return row


class TestWhatIsDoneAlready:
    """Sent again, from another tab or after a line that broke: it says where it led, and takes no code."""

    async def test_a_signature(self, desk, visitor, code):
        row = await ready(desk, level="orange")
        form = {"digest": row.digest, "code": code}
        browser = await visitor("first")
        answers = [await browser.post(f"/alerts/{row.id}/approve", form) for _ in range(2)]
        assert [one.location for one in answers] == [f"/desk/alerts/{row.id}"] * 2

    async def test_a_signature_that_sent_it(self, desk, visitor, code):
        row = await ready(desk, level="orange")
        await desk.approve(row.id, row.digest, "second")
        form = {"digest": row.digest, "code": code, "then": "send"}
        browser = await visitor("first")
        answers = [await browser.post(f"/alerts/{row.id}/approve", form) for _ in range(2)]
        assert answers[0].location.startswith("/desk/releases/")
        assert answers[1].location == f"/desk/alerts/{row.id}"

    async def test_an_emergency(self, desk, visitor, code):
        row = await ready(desk, level="red")
        form = TYPED | {"digest": row.digest, "code": code}
        browser = await visitor("first")
        answers = [await browser.post(f"/alerts/{row.id}/emergency", form) for _ in range(2)]
        assert answers[0].location.startswith("/desk/releases/")
        assert answers[1].location == answers[0].location


class TestACodeHoldsStill:
    async def test_after_a_signature_afterwards_of_something_else(self, desk, visitor, code):
        row = await alone(desk)
        browser = await visitor("second")
        answer = await browser.post(f"/alerts/{row.id}/cosign", {"digest": "0" * 64, "code": code})
        assert answer.status == 422
        answer = await browser.post(f"/alerts/{row.id}/cosign", {"digest": row.digest, "code": code})
        assert answer.status == 303
        assert (await desk.show(row.id)).emergency.cosigned_by == "second"

    async def test_after_a_signature_afterwards_by_who_signed_it_before(self, desk, visitor, code):
        row = await alone(desk)
        answer = await (await visitor("first")).post(
            f"/alerts/{row.id}/cosign", {"digest": row.digest, "code": code}
        )
        assert answer.status == 422
        assert await holds_still(desk, visitor, "first", code)

    async def test_after_a_second_signature_afterwards(self, desk, visitor, code):
        row = await alone(desk)
        await desk.cosign(row.id, row.digest, "second")
        for login in ("second", "third"):
            form = {"digest": row.digest, "code": code}
            await (await visitor(login)).post(f"/alerts/{row.id}/cosign", form)
            assert await holds_still(desk, visitor, login, code)

    async def test_after_an_approval_that_nothing_waits_for(self, desk, visitor, code):
        row = await ready(desk, level="orange")
        form = {"digest": row.digest, "code": code}
        for login in ("first", "second"):
            await desk.approve(row.id, row.digest, login)
        answer = await (await visitor("third")).post(f"/alerts/{row.id}/approve", form)
        assert answer.status == 422
        await desk.edit(row.id, "author", Changes(level="yellow"))
        assert (await (await visitor("third")).post(f"/alerts/{row.id}/approve", form)).status == 422
        assert await holds_still(desk, visitor, "third", code)

    async def test_after_an_approval_of_what_is_over(self, desk, visitor, code, clock):
        row = await ready(desk, level="orange", expires=clock.now() + timedelta(seconds=20))
        clock.advance(21)
        late = pyotp.TOTP(KEY).at(int(clock.now().timestamp()))
        form = {"digest": row.digest, "code": late}
        assert (await (await visitor("first")).post(f"/alerts/{row.id}/approve", form)).status == 422
        assert await holds_still(desk, visitor, "first", late)

    async def test_after_sending_what_is_not_signed_yet(self, desk, visitor, code):
        row = await ready(desk, level="orange")
        form = {"digest": row.digest, "code": code}
        assert (await (await visitor("first")).post(f"/alerts/{row.id}/release", form)).status == 422
        assert await holds_still(desk, visitor, "first", code)

    @pytest.mark.parametrize("level", ["orange", "red"])
    async def test_after_an_emergency_that_is_not_one(self, desk, visitor, code, level):
        row = await ready(desk, level=level)
        form = TYPED | {"digest": row.digest if level == "orange" else "0" * 64, "code": code}
        answer = await (await visitor("first")).post(f"/alerts/{row.id}/emergency", form)
        assert answer.status == 422
        assert await holds_still(desk, visitor, "first", code)
