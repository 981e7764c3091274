"""A message that came in about a warning that was sent, and a file that comes a second time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused

from .conftest import NORTH, SOUTH, START
from .test_cap import cap

FIRST = "station@example.org,invented-1,2026-07-01T09:30:00+08:00"
SECOND = "station@example.org,invented-2,2026-07-01T09:30:00+08:00"
LATER = Changes(expires=START + timedelta(hours=12))


async def released(desk, row):
    row = await desk.submit(row.id, "author")
    await desk.approve(row.id, row.digest, "first")
    await desk.release(row.id, "sender")
    return (await desk.show(row.id)).alert


async def first_issue(desk):
    return await released(desk, await desk.draft_from_cap(cap(), "author"))


async def update(desk, number: int, references: str = FIRST):
    data = cap(f"invented-{number}", msg_type="Update", references=references)
    return await desk.draft_from_cap(data, "author")


async def cancel_of(desk, alert_id: int) -> None:
    cancel = await desk.cancel(alert_id, "author")
    await desk.approve(cancel.id, cancel.digest, "first")


class TestAFollower:
    @pytest.mark.parametrize(
        "reference",
        [
            FIRST,
            SECOND,
            "station@example.org,invented-1,2026-07-01T01:30:00-00:00",
            "invented-1",
            "invented-2",
        ],
    )
    async def test_it_may_name_any_message_of_the_warning_and_follows_the_one_in_force(self, desk, reference):
        await first_issue(desk)
        second = await released(desk, await update(desk, 2))
        third = await update(desk, 3, reference)
        assert (third.supersedes, third.warning_id) == (second.id, second.warning_id)

    async def test_it_may_name_our_own_number(self, desk):
        row = await first_issue(desk)
        second = await released(desk, await update(desk, 2))
        ours = f"{row.sender},{row.identifier},{row.sent.isoformat()}"
        assert (await update(desk, 3, ours)).supersedes == second.id
        await desk.withdraw((await desk.update(second.id, "author")).id, "author")
        assert (await update(desk, 4, row.identifier)).supersedes == second.id

    async def test_a_bare_number_of_another_sender_names_nothing(self, desk):
        await first_issue(desk)
        data = cap("invented-9", msg_type="Update", references="invented-1")
        with pytest.raises(DeskRefused) as refused:
            await desk.draft_from_cap(data.replace(b"station@", b"stranger@"), "author")
        assert refused.value.code == "unknown_reference"

    async def test_a_cancel_of_the_first_issue_points_to_the_alert_in_force(self, desk):
        await first_issue(desk)
        second = await released(desk, await update(desk, 2))
        with pytest.raises(DeskRefused, match=f"about alert {second.id}: cancel that one") as refused:
            await desk.draft_from_cap(cap("invented-3", msg_type="Cancel", references=FIRST), "author")
        assert refused.value.code == "use_cancel"

    async def test_of_a_warning_that_was_taken_back_it_is_told_so(self, desk):
        row = await first_issue(desk)
        await cancel_of(desk, row.id)
        with pytest.raises(DeskRefused, match=f"alert {row.id}, which is cancelled") as refused:
            await update(desk, 2)
        assert refused.value.code == "not_in_force"

    async def test_of_a_warning_that_has_expired_an_update_is_drafted_and_a_cancel_is_not(self, desk, clock):
        row = await first_issue(desk)
        clock.advance(7 * 3600)
        await desk.expire_due()
        data = cap("invented-2", msg_type="Update", references=FIRST)
        assert (await desk.draft_from_cap(data, "author", changes=LATER)).supersedes == row.id
        data = cap("invented-3", msg_type="Cancel", references=FIRST)
        with pytest.raises(DeskRefused, match="which is expired"):
            await desk.draft_from_cap(data, "author", changes=LATER)

    async def test_of_a_draft_that_was_never_sent_it_is_told_so(self, desk):
        row = await desk.draft_from_cap(cap(), "author")
        with pytest.raises(DeskRefused, match=f"alert {row.id}, which is draft and was never sent"):
            await update(desk, 2)

    async def test_of_two_warnings_at_once_nobody_guesses_which(self, desk):
        await first_issue(desk)
        await released(desk, await desk.draft_from_cap(cap("invented-2"), "author"))
        with pytest.raises(DeskRefused) as refused:
            await update(desk, 3, f"{FIRST} {SECOND}")
        assert refused.value.code == "two_warnings"

    async def test_a_drill_follows_no_live_warning(self, desk):
        await first_issue(desk)
        data = cap("invented-2", status="Exercise", msg_type="Update", references=FIRST)
        with pytest.raises(DeskRefused) as refused:
            await desk.draft_from_cap(data, "author", "drill")
        assert refused.value.code == "unknown_reference"


class TestAFileThatIsOld:
    async def test_one_that_is_over_is_refused_with_the_way_out(self, desk, clock):
        clock.advance(24 * 3600)
        with pytest.raises(DeskRefused, match="--expires") as refused:
            await desk.draft_from_cap(cap(), "author")
        assert refused.value.code == "expired"
        later = Changes(expires=clock.now() + timedelta(hours=3))
        assert (await desk.draft_from_cap(cap(), "author", changes=later)).state == "draft"


class TestTheSameFileAgain:
    async def test_choices_of_a_second_author_are_never_dropped(self, desk):
        row = await desk.draft_from_cap(cap(), "author")
        with pytest.raises(DeskRefused, match=f"in work as alert {row.id}: edit that one") as refused:
            await desk.draft_from_cap(cap(), "writer", changes=Changes(region=SOUTH))
        assert refused.value.code == "known"
        assert NORTH in str((await desk.show(row.id)).alert.content)

    async def test_what_was_replaced_is_not_issued_beside_what_stands_in_its_place(self, desk):
        row = await first_issue(desk)
        second = await released(desk, await update(desk, 2))
        with pytest.raises(
            DeskRefused, match=f"sent as alert {row.id}.*alert {second.id} is in force"
        ) as refused:
            await desk.draft_from_cap(cap(), "author")
        assert refused.value.code == "sent"

    async def test_an_update_that_was_replaced_is_not_issued_again_either(self, desk):
        await first_issue(desk)
        await released(desk, await update(desk, 2))
        await released(desk, await update(desk, 3))
        with pytest.raises(DeskRefused) as refused:
            await update(desk, 2)
        assert refused.value.code == "sent"

    async def test_what_was_taken_back_may_be_issued_again_and_the_approver_is_told(self, desk):
        row = await first_issue(desk)
        await cancel_of(desk, row.id)
        again = await desk.submit((await desk.draft_from_cap(cap(), "author")).id, "author")
        assert again.warning_id != row.warning_id
        told = {"code": "sent_before", "values": {"alert": row.id, "state": "cancelled"}}
        assert told in again.plan["findings"]
