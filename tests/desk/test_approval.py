"""Who may sign, what a signature is good for, and what voids it."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, text, update

from gateway.desk import leaving, steps
from gateway.desk.compose import Changes
from gateway.desk.findings import sentence
from gateway.desk.freeze import digest_of
from gateway.desk.refused import DeskRefused
from gateway.desk.render import Templates
from gateway.desk.service import Desk
from gateway.share import share
from gateway.store import audit
from gateway.store import desk as store
from gateway.store.desk import AlertRow, Person
from gateway.store.tables import alerts, approvals, releases, targets

from .conftest import COUNTY, NORTH, SOUTH, START, area, fields, make_office, ready, sent

# Everything that an author may change after approval.
EDITS = {
    "text": {"description": "雨势增强"},
    "action": {"instruction": "请立即转移"},
    "area": {"region": SOUTH},
    "expiry": {"expires": START + timedelta(hours=9)},
    "channel": {"channels": ("sms",)},
    "level": {"level": "blue"},
    "hazard": {"hazard": "gale"},
}


def without_areas(content):
    """The content of an alert whose blocks have lost their areas."""
    return content | {"infos": [info | {"areas": []} for info in content["infos"]]}


# The same, by somebody who can write to the database but not sign.
TAMPERINGS = {
    "text": lambda row: update(alerts).where(alerts.c.id == row.id).values(
        texts=row.texts | {"sms": {"zh-CN": row.texts["sms"]["zh-CN"] | {"text": "别的话"}}}
    ),
    "content": lambda row: update(alerts).where(alerts.c.id == row.id).values(
        content=row.content | {"note": "别的话"}
    ),
    "expiry": lambda row: update(alerts).where(alerts.c.id == row.id).values(
        expires=row.expires + timedelta(days=1)
    ),
    "channel": lambda row: update(alerts).where(alerts.c.id == row.id).values(
        plan=row.plan | {"channels": ["sms"]}
    ),
    "level": lambda row: update(alerts).where(alerts.c.id == row.id).values(level="blue"),
    "mode": lambda row: update(alerts).where(alerts.c.id == row.id).values(mode="drill"),
    "hazard": lambda row: update(alerts).where(alerts.c.id == row.id).values(hazard="gale"),
    "area dropped": lambda row: update(alerts).where(alerts.c.id == row.id).values(
        content=without_areas(row.content)
    ),
    "area widened": lambda row: text(
        f"UPDATE alerts SET content = replace(content::text, '{NORTH}', '{COUNTY}')::jsonb"
        f" WHERE id = {row.id}"
    ),
    "targets dropped": lambda row: text(f"DELETE FROM targets WHERE list_id = {row.target_list_id}"),
    "kind of message": lambda row: update(alerts).where(alerts.c.id == row.id).values(msg_type="Update"),
    "superseded alert": lambda row: update(alerts).where(alerts.c.id == row.id).values(supersedes=row.id),
    "warning": lambda row: text(
        "WITH other AS (INSERT INTO warnings (hazard, created_by) VALUES ('gale', 'author') RETURNING id) "
        f"UPDATE alerts SET warning_id = (SELECT id FROM other) WHERE id = {row.id}"
    ),
    "target": lambda row: insert(targets).values(
        list_id=row.target_list_id, contact_id=99, region=SOUTH, role="resident", language="zh-CN",
        addresses={"sms": "+8619900000099"},
    ),
    "address": lambda row: update(targets).where(targets.c.list_id == row.target_list_id).values(
        addresses={"sms": "+8619900000098"}
    ),
}  # fmt: skip

LOST_RIGHTS = {
    "the role": Person("first", "虚构", ("author",), active=True),
    "the account": Person("first", "虚构", ("approver",), active=False),
    "every role": Person("first", "虚构", (), active=True),
}


async def count_releases(database) -> int:
    async with database.begin() as connection:
        return (await connection.execute(select(func.count()).select_from(releases))).scalar_one()


async def approved(desk, **changes):
    row = await ready(desk, **changes)
    return (await desk.approve(row.id, row.digest, "first")).alert


class TestWhoMaySign:
    """W1: nobody approves an alert that is their own."""

    async def test_the_author_may_not_even_with_the_role(self, desk):
        drafted = await desk.draft(fields(), "both")
        row = await desk.submit(drafted.id, "both")
        with pytest.raises(DeskRefused) as refused:
            await desk.approve(row.id, row.digest, "both")
        assert refused.value.code == "author_approves"

    async def test_nor_may_whoever_edited_or_submitted_it(self, desk):
        drafted = await desk.draft(fields(), "author")
        await desk.edit(drafted.id, "both", Changes(headline="暴雨"))
        row = await desk.submit(drafted.id, "author")
        with pytest.raises(DeskRefused) as refused:
            await desk.approve(row.id, row.digest, "both")
        assert refused.value.code == "author_approves"

    async def test_nor_may_whoever_asked_for_the_cancel(self, desk):
        row = await sent(desk)
        cancel = await desk.cancel(row.id, "first")
        with pytest.raises(DeskRefused) as refused:
            await desk.approve(cancel.id, cancel.digest, "first")
        assert refused.value.code == "author_approves"
        assert (await desk.approve(cancel.id, cancel.digest, "second")).released is not None

    async def test_one_person_signing_twice_is_one_signature(self, desk, database):
        row = await ready(desk, level="red")
        for _ in range(3):
            signed = await desk.approve(row.id, row.digest, "first")
        assert (signed.have, signed.need, signed.alert.state) == (1, 2, "submitted")
        async with database.begin() as connection:
            assert (await connection.execute(select(func.count()).select_from(approvals))).scalar_one() == 1
            recorded = [one.action for one in await audit.show(connection, f"alert {row.id}")]
        assert recorded.count("approve") == 1

    async def test_a_crowd_needs_one_more(self, desk, database, clock, tmp_path):
        levels = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n"
        policy = f"{levels}[[crowd]]\nabove = 2\n[[crowd]]\nabove = 3\n"
        crowded = Desk(database, clock, make_office(policy, tmp_path))
        row = await ready(crowded)
        assert row.plan["approvers"] == 2

    @pytest.mark.parametrize(("code", "people", "need"), [(NORTH, 3, 2), (COUNTY, 4, 3)])
    async def test_everybody_takes_a_third_signature(
        self, desk, database, clock, tmp_path, code, people, need
    ):
        """W6: a place that is far wider than usual, up to everybody, takes one more person."""
        levels = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n"
        crowded = Desk(database, clock, make_office(f"{levels}[[crowd]]\nabove = 3\n", tmp_path))
        row = await ready(crowded, level="orange", areas=(area(code, "虚构的地方"),))
        assert (row.plan["approvers"], (await crowded.show(row.id)).recipients) == (need, people)
        for person in ("first", "second", "third")[: need - 1]:
            await crowded.approve(row.id, row.digest, person)
        with pytest.raises(DeskRefused):
            await crowded.release(row.id, "sender")
        await crowded.approve(row.id, row.digest, ("second", "third")[need - 2])
        assert (await crowded.release(row.id, "sender")).deliveries["sms"] == people

    async def test_a_stricter_policy_counts_at_once(self, desk, database, clock, tmp_path):
        row = await approved(desk)
        policy = "[approvers]\nblue = 1\nyellow = 2\norange = 2\nred = 2\n"
        stricter = Desk(database, clock, make_office(policy, tmp_path))
        with pytest.raises(DeskRefused) as refused:
            await stricter.release(row.id, "sender")
        assert refused.value.code == "approvals"

    async def test_a_rejection_says_why_and_voids_what_was_signed(self, desk, database):
        row = await ready(desk, level="red")
        await desk.approve(row.id, row.digest, "first")
        with pytest.raises(DeskRefused):
            await desk.reject(row.id, row.digest, "second", " ")
        rejected = await desk.reject(row.id, row.digest, "second", "区域不对")
        assert (rejected.state, rejected.digest, rejected.version) == ("draft", None, 2)
        async with database.begin() as connection:
            last = (await audit.show(connection, f"alert {row.id}"))[-1]
        assert last.action == "reject"
        assert "区域不对" in last.detail

    async def test_an_approver_who_then_rejects_has_done_both(self, desk, database):
        row = await ready(desk, level="red")
        await desk.approve(row.id, row.digest, "first")
        await desk.reject(row.id, row.digest, "first", "看错了")
        async with database.begin() as connection:
            kept = await store.signatures(connection, row.id, row.digest)
        assert [(one.decision, one.reason) for one in kept] == [("approve", ""), ("reject", "看错了")]


class TestWhoIsWho:
    @pytest.mark.parametrize("login", ["аuthor", "author\n", "作者", "a b", ""])
    async def test_a_login_is_of_letters_that_nobody_takes_for_others(self, desk, login):
        for step in (
            desk.set_person(Person(login, "虚构", ("approver",), active=True)),
            desk.draft(fields(), login),
        ):
            with pytest.raises(DeskRefused) as refused:
                await step
            assert refused.value.code == "login"
            assert "\n" not in refused.value.sentence

    async def test_two_logins_differ_in_more_than_case(self, desk):
        with pytest.raises(DeskRefused, match="'author' already"):
            await desk.set_person(Person("Author", "虚构", ("approver",), active=True))

    async def test_accounts_added_at_once_do_not_differ_in_case_only(self, desk):
        logins = ("Zhang", "zhang", "ZHANG")
        done = await gather(
            *(desk.set_person(Person(login, "虚构", ("approver",), active=True)) for login in logins)
        )
        assert sum(isinstance(one, DeskRefused) for one in done) == 2

    @pytest.mark.parametrize("name", ["虚构 author", "虚构author", "虚构ＡＵＴＨＯＲ"])
    async def test_a_signer_with_the_name_of_the_author_is_flagged(self, desk, database, name):
        row = await ready(desk)
        await desk.set_person(Person("first", name, ("approver",), active=True))
        await desk.approve(row.id, row.digest, "first")
        said = {"code": "alike", "values": {"one": "author", "other": "first"}}
        assert (await desk.show(row.id)).alike == [said]
        async with database.begin() as connection:
            detail = (await audit.show(connection, f"alert {row.id}"))[-1].detail
        assert json.loads(detail)["findings"] == [said]

    async def test_so_are_two_signers_of_one_name(self, desk):
        row = await ready(desk, level="red")
        await desk.set_person(Person("second", "虚构 first", ("approver",), active=True))
        for person in ("first", "second"):
            await desk.approve(row.id, row.digest, person)
        (found,) = (await desk.show(row.id)).alike
        assert sentence(found) == "first and second bear the same name: are they two people?"


class TestWhatVoidsASignature:
    """W3: a signature is for what was signed, by who may sign; W6: so are area and people."""

    @pytest.mark.parametrize("changes", EDITS.values(), ids=EDITS)
    async def test_every_edit_does(self, desk, database, changes):
        row = await approved(desk)
        edited = await desk.edit(row.id, "author", Changes(**changes))
        assert (edited.state, edited.digest, edited.version) == ("draft", None, 2)
        with pytest.raises(DeskRefused):
            await desk.release(row.id, "sender")
        again = await desk.submit(row.id, "author")
        assert again.digest != row.digest
        with pytest.raises(DeskRefused) as refused:
            await desk.approve(row.id, row.digest, "second")
        assert refused.value.code == "stale"
        assert await count_releases(database) == 0

    @pytest.mark.parametrize("tamper", TAMPERINGS.values(), ids=TAMPERINGS)
    async def test_a_change_behind_the_desks_back_stops_the_release(self, desk, database, tamper):
        row = await approved(desk)
        async with database.begin() as connection:
            await connection.execute(tamper(row))
        with pytest.raises(DeskRefused) as refused:
            await desk.release(row.id, "sender")
        assert refused.value.code in {"changed", "route"}, refused.value.sentence
        assert await count_releases(database) == 0

    @pytest.mark.parametrize("person", LOST_RIGHTS.values(), ids=LOST_RIGHTS)
    async def test_so_does_an_approver_who_lost_the_right(self, desk, database, person):
        row = await approved(desk)
        await desk.set_person(person)
        with pytest.raises(DeskRefused) as refused:
            await desk.release(row.id, "sender")
        assert refused.value.code == "approvals"
        with pytest.raises(DeskRefused):
            await desk.approve(row.id, row.digest, "first")
        assert await count_releases(database) == 0

    @pytest.mark.parametrize("person", LOST_RIGHTS.values(), ids=LOST_RIGHTS)
    async def test_and_another_approver_may_sign_in_that_ones_place(self, desk, person):
        row = await approved(desk)
        with pytest.raises(DeskRefused, match="no further approval is needed"):
            await desk.approve(row.id, row.digest, "second")
        await desk.set_person(person)
        signed = await desk.approve(row.id, row.digest, "second")
        assert (signed.alert.state, signed.have, signed.need) == ("approved", 1, 1)
        assert (await desk.release(row.id, "sender")).deliveries["sms"] == 3

    @pytest.mark.parametrize("person", ["first", "second"])
    async def test_what_was_withdrawn_is_said_not_to_be_sent(self, desk, person):
        row = await approved(desk)
        await desk.withdraw(row.id, "author")
        for step in (desk.approve(row.id, row.digest, person), desk.release(row.id, "sender")):
            with pytest.raises(DeskRefused) as refused:
                await step
            assert refused.value.sentence == f"not sent: alert {row.id} is withdrawn"

    async def test_what_was_cancelled_is_said_to_have_been_sent(self, desk):
        row = await sent(desk)
        cancel = await desk.cancel(row.id, "author")
        await desk.approve(cancel.id, cancel.digest, "first")
        with pytest.raises(DeskRefused, match="is cancelled: it was sent"):
            await desk.approve(row.id, row.digest, "second")

    async def test_a_route_that_was_taken_away_stops_the_release(self, desk, database, clock, office):
        row = await approved(desk)
        routes = {name: route for name, route in office.routes.items() if name != "email"}
        poorer = Desk(database, clock, office._replace(routes=routes))
        with pytest.raises(DeskRefused) as refused:
            await poorer.release(row.id, "sender")
        assert refused.value.code == "route"

    async def test_contacts_and_templates_that_change_later_do_not_change_what_was_signed(
        self, desk, database, clock, tmp_path
    ):
        row = await approved(desk)
        folder = tmp_path / "messages"
        shutil.copytree(share("templates/messages"), folder)
        for path in folder.glob("*.txt"):
            path.write_text("别的话 " + path.read_text(encoding="utf-8"), encoding="utf-8")
        later = Desk(database, clock, desk.office._replace(templates=Templates(folder)))
        assert "别的话" in str((await ready(later)).texts)
        async with database.begin() as connection:
            await connection.execute(text("UPDATE contacts SET active = false"))
            await connection.execute(text("DELETE FROM addresses"))
        assert (await later.release(row.id, "sender")).deliveries["sms"] == 3
        async with database.begin() as connection:
            went = (await connection.execute(select(releases.c.texts))).scalar_one()
        assert went == row.texts


class TestTheDigest:
    async def test_it_is_the_same_however_often_it_is_computed(self, desk, database):
        row = await ready(desk)
        async with database.begin() as connection:
            targets_now = await store.target_list(connection, row.target_list_id)
            for _ in range(3):
                read = await store.alert(connection, row.id)
                assert digest_of(read, targets_now) == row.digest

    async def test_the_same_warning_submitted_again_is_signed_anew(self, desk, clock):
        row = await ready(desk)
        await desk.reject(row.id, row.digest, "first", "再看一遍")
        clock.advance(30)
        assert (await desk.submit(row.id, "author")).digest != row.digest


async def gather(*steps):
    """Run all at once; return results and refusals, and let nothing else pass."""
    done = await asyncio.gather(*steps, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException) and not isinstance(one, DeskRefused):
            raise one
    return done


class TestRaces:
    """W2: approvals, edits and releases at one moment end in one release of what was signed."""

    async def test_fifty_calls_at_once_make_one_release(self, desk, database):
        row = await ready(desk, level="red")
        signers = ["first", "second", "third"] * 8
        done = await gather(
            *(desk.approve(row.id, row.digest, person) for person in signers),
            *(desk.release(row.id, "sender") for _ in range(26)),
        )
        await desk.release(row.id, "sender")
        assert await count_releases(database) == 1
        references = {
            one.reference for one in done if not isinstance(one, DeskRefused) and hasattr(one, "reference")
        }
        assert len(references) <= 1

    @pytest.mark.parametrize("seed", range(12))
    async def test_an_edit_between_approvals_never_sends_what_was_not_signed(self, desk, database, seed):
        row = await ready(desk, level="orange")
        steps = [
            desk.approve(row.id, row.digest, "first"),
            desk.approve(row.id, row.digest, "second"),
            desk.edit(row.id, "writer", Changes(instruction="请立即转移")),
            desk.release(row.id, "sender"),
            desk.release(row.id, "sender"),
        ]
        order = steps[seed % 5 :] + steps[: seed % 5]
        await gather(*order)
        now = (await desk.show(row.id)).alert
        async with database.begin() as connection:
            went = (await connection.execute(select(releases.c.digest))).scalars().all()
            report = await audit.verify(connection)
        assert report.broken_at is None
        assert went in ([], [row.digest])
        assert now.state == ("released" if went else "draft")

    async def test_two_submissions_at_once_are_one(self, desk):
        drafted = await desk.draft(fields(), "author")
        one, two = await asyncio.gather(desk.submit(drafted.id, "author"), desk.submit(drafted.id, "author"))
        assert one.digest == two.digest

    async def test_cancel_and_update_at_once_end_the_warning_once(self, desk, database):
        row = await sent(desk)
        newer = await desk.submit((await desk.update(row.id, "author")).id, "author")
        await desk.approve(newer.id, newer.digest, "first")
        cancel = await desk.cancel(row.id, "author")
        await gather(desk.release(newer.id, "sender"), desk.approve(cancel.id, cancel.digest, "second"))
        assert (await desk.show(row.id)).alert.state in {"updated", "cancelled"}
        assert await count_releases(database) == 2

    async def test_releases_of_one_second_do_not_wait_for_each_other_over_a_number(
        self, desk, database, office
    ):
        """Each changes its own alert, and then tries the number of the other's."""
        rows = [await ready(desk) for _ in range(2)]
        both = asyncio.Barrier(2)

        async def release(row: AlertRow) -> int:
            async with steps.step(database, "author", START, office.policy) as one:
                await store.change_alert(one.connection, row.id, state="released", xml=b"invented")
                await both.wait()
                return await leaving.prepare_cancel(one, office, await one.read(row.id))

        cancels = await asyncio.gather(*(release(row) for row in rows))
        named = [(await desk.show(number)).alert.identifier[-1] for number in cancels]
        assert sorted(named) == ["2", "3"]

    async def test_drafts_at_once_get_numbers_of_their_own(self, desk):
        rows = await asyncio.gather(*(desk.draft(fields(), "author") for _ in range(30)))
        assert len({row.identifier for row in rows}) == 30
