"""W6: a warning for far more people than usual, or for everybody, takes one more person."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text, update

from gateway.desk import ruled, self_test, submission
from gateway.desk.compose import Changes
from gateway.desk.freeze import digest_of
from gateway.desk.policy import Usual, load_policy
from gateway.desk.refused import DeskRefused
from gateway.desk.steps import step
from gateway.share import share
from gateway.store import desk as store
from gateway.store import usual
from gateway.store.database import Database
from gateway.store.tables import addresses, alerts, contacts, regions, releases, targets
from tests.desk.conftest import COUNTY, NORTH, SOUTH, START, area, fields, fill, ready, sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.desk.service import Desk

EDGE, WIDE = "999901103000", "999901104000"
"""Twenty times as many people as live in the north, and one more than that."""
IN_NORTH = 3
LIMIT = 20 * IN_NORTH
USUAL = {"median": IN_NORTH, "of": 5, "among": "kind", "many": False, "everybody": False, "further": 0}
BY_RULE = {"source": "weather", "grounds": "its source is named to send alone"}


async def settle(database: Database, code: str, name: str, people: int) -> None:
    """An invented township and so many people who live there."""
    async with database.begin() as connection:
        await connection.execute(
            insert(regions).values(code=code, name=name, level="township", parent=COUNTY)
        )
        rows = [{"name": f"虚构{n}", "region": code, "role": "resident"} for n in range(people)]
        made = await connection.execute(insert(contacts).returning(contacts.c.id), rows)
        await connection.execute(
            insert(addresses),
            [{"contact_id": n, "channel": "sms", "address": f"+86199{n:08d}"} for n in made.scalars().all()],
        )


def with_usual(made: Desk, **changes: object) -> None:
    policy = made.office.policy
    rule = Usual.model_validate(policy.usual.model_dump() | changes)
    made.office = made.office._replace(policy=policy.model_copy(update={"usual": rule}))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, size=12) as opened:
        await fill(opened)
        await settle(opened, EDGE, "东岭镇", LIMIT)
        await settle(opened, WIDE, "西坪镇", LIMIT + 1)
        yield opened


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """The packaged policy, for a county that is small."""
    with_usual(desk, floor=1)
    return desk


async def five(desk: Desk, **changes: object) -> None:
    for _ in range(5):
        await sent(desk, **changes)


def edge(**changes: object) -> dict[str, object]:
    return {"areas": (area(EDGE, "东岭镇"),)} | changes


def wide(**changes: object) -> dict[str, object]:
    return {"areas": (area(WIDE, "西坪镇"),)} | changes


def everywhere(**changes: object) -> dict[str, object]:
    return {"areas": (area(COUNTY, "示范县"),)} | changes


def asks(row) -> int:
    return row.plan["approvers"]


def told(row) -> list[str]:
    return [one["code"] for one in row.plan["findings"] if one["code"].startswith("unusual")]


class TestWithoutHistory:
    async def test_nothing_is_compared(self, desk):
        row = await ready(desk, **wide())
        assert asks(row) == 1
        assert "usual" not in row.plan

    async def test_nor_with_fewer_earlier_warnings_than_it_takes(self, desk):
        for _ in range(4):
            await sent(desk)
        row = await ready(desk, **wide())
        assert asks(row) == 1
        assert "usual" not in row.plan


class TestAfterFiveUsualOnes:
    async def test_a_wide_one_takes_one_more_approver_and_says_why(self, desk):
        await five(desk)
        row = await ready(desk, **wide())
        assert asks(row) == 2
        assert row.plan["usual"] == USUAL | {"many": True, "further": 1}
        assert row.plan["findings"][:2] == [
            {
                "code": "unusual_kind",
                "values": {"count": LIMIT + 1, "times": 20, "median": IN_NORTH, "of": 5},
            },
            {"code": "unusual_asks", "values": {"further": 1}},
        ]
        signed = await desk.approve(row.id, row.digest, "first")
        assert (signed.have, signed.need, signed.alert.state) == (1, 2, "submitted")
        signed = await desk.approve(row.id, row.digest, "second")
        assert signed.alert.state == "approved"
        assert (await desk.release(row.id, "sender")).deliveries["sms"] == LIMIT + 1

    async def test_the_limit_itself_is_not_above_it(self, desk):
        await five(desk)
        row = await ready(desk, **edge())
        assert asks(row) == 1
        assert row.plan["usual"] == USUAL
        assert told(row) == []

    async def test_it_comes_on_top_of_what_the_level_takes(self, desk):
        await five(desk, level="red")
        assert asks(await ready(desk, **wide(level="red"))) == 3

    async def test_edited_down_again_it_takes_no_more_than_usual(self, desk):
        await five(desk)
        row = await ready(desk, **wide())
        edited = await desk.edit(row.id, "author", Changes(region=NORTH))
        assert "usual" not in edited.plan
        again = await desk.submit(row.id, "author")
        assert asks(again) == 1
        assert again.plan["usual"] == USUAL

    async def test_an_update_that_widens_is_compared_as_well(self, desk):
        await five(desk)
        before = await sent(desk)
        row = await desk.update(before.id, "author")
        await desk.edit(row.id, "author", Changes(region=WIDE))
        assert asks(await desk.submit(row.id, "author")) == 2

    async def test_its_cancel_takes_what_any_cancel_takes(self, desk):
        await five(desk)
        row = await sent(desk, **wide())
        taken_back = await desk.cancel(row.id, "author")
        assert asks(taken_back) == 1
        assert "usual" not in taken_back.plan
        assert (await desk.approve(taken_back.id, taken_back.digest, "first")).released

    async def test_what_is_submitted_later_changes_nothing_of_it(self, desk):
        await five(desk)
        row = await ready(desk, **wide())
        for _ in range(6):
            await sent(desk, **wide())
        signed = await desk.approve(row.id, row.digest, "first")
        assert (signed.have, signed.need) == (1, 2)

    async def test_a_policy_that_asks_for_more_by_now_adds_to_it(self, desk):
        await five(desk)
        row = await ready(desk, **wide())
        policy = desk.office.policy
        stricter = policy.approvers.model_copy(update={"yellow": 2})
        desk.office = desk.office._replace(policy=policy.model_copy(update={"approvers": stricter}))
        assert (await desk.approve(row.id, row.digest, "first")).need == 3

    async def test_turned_off_nothing_is_compared(self, desk):
        await five(desk)
        with_usual(desk, times=0)
        row = await ready(desk, **wide())
        assert asks(row) == 1
        assert "usual" not in row.plan

    async def test_below_the_floor_nothing_is_compared(self, desk):
        await five(desk)
        with_usual(desk, floor=LIMIT + 2)
        assert "usual" not in (await ready(desk, **wide())).plan
        with_usual(desk, floor=LIMIT + 1)
        assert asks(await ready(desk, **wide())) == 2


class TestWhatIsUsual:
    async def test_a_hazard_with_a_history_of_its_own_is_compared_with_that(self, desk):
        await five(desk)
        await five(desk, **wide(hazard="gale"))
        gale, rain = await ready(desk, **wide(hazard="gale")), await ready(desk, **wide())
        assert (asks(gale), gale.plan["usual"]["median"], gale.plan["usual"]["among"]) == (1, 61, "kind")
        assert (asks(rain), rain.plan["usual"]["median"], rain.plan["usual"]["among"]) == (2, 3, "kind")

    async def test_one_without_is_compared_with_all(self, desk):
        await five(desk)
        row = await ready(desk, **wide(hazard="gale"))
        assert (asks(row), row.plan["usual"]["among"]) == (2, "all")
        assert told(row) == ["unusual_all", "unusual_asks"]

    async def test_red_and_orange_are_alike_and_yellow_is_not(self, desk):
        for level in ("red", "red", "orange", "orange", "orange"):
            await sent(desk, **edge(level=level))
        await five(desk)
        for level, median in (("red", LIMIT), ("orange", LIMIT), ("yellow", IN_NORTH), ("blue", IN_NORTH)):
            assert (await ready(desk, **wide(level=level))).plan["usual"]["median"] == median

    async def test_drills_do_not_count(self, desk):
        for _ in range(4):
            await sent(desk)
        await five(desk, mode="drill")
        assert "usual" not in (await ready(desk, **wide())).plan
        await sent(desk)
        assert (await ready(desk, **wide())).plan["usual"]["of"] == 5

    async def test_test_messages_do_not_count(self, desk):
        async with step(desk.database, "sender", START, desk.office.policy) as one:
            await self_test.keep_address(one, desk.office, "sms", "+8619900000099")
        for _ in range(5):
            async with step(desk.database, "sender", START, desk.office.policy) as one:
                await self_test.send(one, desk.office, "sms")
        assert "usual" not in (await ready(desk, **wide())).plan

    async def test_a_drill_is_compared_as_a_warning_is(self, desk):
        await five(desk)
        assert asks(await ready(desk, **wide(mode="drill"))) == 2

    async def test_cancels_do_not_count(self, desk):
        for _ in range(4):
            row = await sent(desk)
            taken_back = await desk.cancel(row.id, "author")
            await desk.approve(taken_back.id, taken_back.digest, "first")
        assert "usual" not in (await ready(desk, **wide())).plan

    async def test_a_warning_with_four_updates_is_one(self, desk):
        row = await sent(desk)
        for _ in range(4):
            newer = await desk.update(row.id, "author")
            row = await desk.submit(newer.id, "author")
            await desk.approve(row.id, row.digest, "first")
            await desk.release(row.id, "sender")
        assert "usual" not in (await ready(desk, **wide())).plan

    async def test_what_left_more_than_a_year_ago_does_not_count(self, desk, database):
        await five(desk)
        for at, counted in ((START - timedelta(days=365), True), (START - timedelta(days=366), False)):
            async with database.begin() as connection:
                await connection.execute(update(releases).values(released_at=at))
            assert ("usual" in (await ready(desk, **wide())).plan) is counted

    async def test_the_youngest_count_and_of_an_even_number_the_smaller_middle_one(self, desk, database):
        for one in (wide(), wide(), edge(), {}):
            await sent(desk, **one)
        since = START - timedelta(days=1)
        async with database.begin() as connection:
            await connection.execute(update(releases).values(released_at=START))
            assert await usual.earlier(connection, since, 100) == (LIMIT, 4, LIMIT + 1)
            assert await usual.earlier(connection, since, 2) == (IN_NORTH, 2, LIMIT)
            assert await usual.earlier(connection, START + timedelta(days=1), 100) is None
            assert await usual.earlier(connection, since, 9, usual.Kind("gale", ["yellow"])) is None


class TestEverybody:
    async def test_takes_one_more_without_any_history(self, desk):
        row = await ready(desk, **everywhere())
        assert asks(row) == 2
        assert row.plan["usual"] == {
            "median": None, "of": 0, "among": "", "many": False, "everybody": True, "further": 1,
        }  # fmt: skip
        assert told(row) == ["unusual_everybody", "unusual_asks"]

    async def test_takes_no_more_than_one_where_it_is_far_above_the_median_too(self, desk):
        await five(desk)
        row = await ready(desk, **everywhere())
        assert asks(row) == 2
        assert told(row) == ["unusual_everybody", "unusual_kind", "unusual_asks"]

    async def test_takes_no_more_once_a_warning_went_to_half_as_many(self, desk):
        await sent(desk, **edge())
        assert asks(await ready(desk, **everywhere())) == 2
        row = await ready(desk, **everywhere())
        for person in ("first", "second"):
            await desk.approve(row.id, row.digest, person)
        await desk.release(row.id, "sender")
        again = await ready(desk, **everywhere())
        assert asks(again) == 1
        assert "usual" not in again.plan

    async def test_all_townships_but_one_are_not_everybody(self, desk):
        some = (area(NORTH), area(EDGE, "东岭镇"), area(WIDE, "西坪镇"))
        assert asks(await ready(desk, areas=some)) == 1

    async def test_nor_are_all_but_one_person(self, desk, database):
        async with database.begin() as connection:
            await connection.execute(update(contacts).where(contacts.c.region == SOUTH).values(region=COUNTY))
        some = (area(NORTH), area(EDGE, "东岭镇"), area(WIDE, "西坪镇"))
        assert asks(await ready(desk, areas=some)) == 1

    async def test_who_cannot_be_reached_does_not_hide_it(self, desk, database):
        async with database.begin() as connection:
            left_out = (contacts.c.region == SOUTH) | (contacts.c.name == "虚构1")
            hidden = (await connection.execute(contacts.select().where(left_out))).all()
            await connection.execute(addresses.delete().where(addresses.c.contact_id == hidden[0].id))
            await connection.execute(update(contacts).where(contacts.c.region == SOUTH).values(active=False))
        some = (area(NORTH), area(EDGE, "东岭镇"), area(WIDE, "西坪镇"))
        assert asks(await ready(desk, areas=some)) == 2

    async def test_the_one_township_of_a_register_is_no_more_than_was_meant(self, desk, database):
        async with database.begin() as connection:
            await connection.execute(
                update(contacts).where(contacts.c.region.in_([SOUTH, WIDE])).values(active=False)
            )
            await connection.execute(update(contacts).where(contacts.c.region == EDGE).values(region=NORTH))
        assert asks(await ready(desk)) == 1

    async def test_may_be_left_out_of_the_policy(self, desk):
        with_usual(desk, everybody=False)
        assert asks(await ready(desk, **everywhere())) == 1

    async def test_a_small_county_is_not_asked_for_more_by_the_packaged_policy(self, desk):
        with_usual(desk, floor=1000)
        await five(desk)
        assert asks(await ready(desk, **everywhere())) == 1

    async def test_its_cancel_takes_what_any_cancel_takes(self, desk):
        row = await sent(desk, **everywhere())
        assert asks(await desk.cancel(row.id, "author")) == 1


class TestWhatIsSigned:
    async def test_the_comparison_is_under_the_digest(self, desk, database):
        await five(desk)
        row = await ready(desk, **wide())
        changed = row.plan | {"usual": row.plan["usual"] | {"median": 100}}
        async with database.begin() as connection:
            targets_of = await store.target_list(connection, row.target_list_id)
            await store.change_alert(connection, row.id, plan=changed)
            assert digest_of(await store.alert(connection, row.id), targets_of) != row.digest

    @pytest.mark.parametrize("hop", ["before the signatures", "before the release"])
    async def test_a_comparison_that_was_taken_out_of_the_database_sends_nothing(self, desk, database, hop):
        await five(desk)
        row = await ready(desk, **wide())
        if hop == "before the release":
            await desk.approve(row.id, row.digest, "first")
            await desk.approve(row.id, row.digest, "second")
        lesser = {name: value for name, value in row.plan.items() if name != "usual"} | {"approvers": 1}
        async with database.begin() as connection:
            await connection.execute(update(alerts).where(alerts.c.id == row.id).values(plan=lesser))
        if hop == "before the signatures":
            assert (await desk.approve(row.id, row.digest, "first")).alert.state == "approved"
        with pytest.raises(DeskRefused) as refused:
            await desk.release(row.id, "sender")
        assert refused.value.code == "changed"

    async def test_people_who_were_added_to_the_frozen_list_are_not_sent_to(self, desk, database):
        await five(desk)
        row = await ready(desk)
        await desk.approve(row.id, row.digest, "first")
        async with database.begin() as connection:
            source = (await ready(desk, **wide())).target_list_id
            columns = "contact_id, region, role, language, addresses"
            await connection.execute(
                text(
                    f"INSERT INTO {targets.name} (list_id, {columns}) "
                    f"SELECT :mine, {columns} FROM {targets.name} WHERE list_id = :source"
                ),
                {"mine": row.target_list_id, "source": source},
            )
        with pytest.raises(DeskRefused) as refused:
            await desk.release(row.id, "sender")
        assert refused.value.code == "changed"


class TestByRule:
    async def release(self, desk: Desk, **changes: object):
        row = await desk.draft(fields(**changes), "author")
        chosen = await submission.resolve(desk.database, desk.office, row)
        async with step(desk.database, "author", START, desk.office.policy) as one:
            return await ruled.release(one, desk.office, row.id, chosen, BY_RULE)

    async def test_what_is_usual_is_sent(self, desk):
        await five(desk)
        assert (await self.release(desk, **edge())).deliveries["sms"] == LIMIT

    async def test_what_is_unusual_is_not_and_nothing_has_changed(self, desk):
        await five(desk)
        with pytest.raises(DeskRefused, match="61 recipients, 20 times as many as usual") as refused:
            await self.release(desk, **wide())
        assert refused.value.code == "unusual"
        newest = (await desk.alerts())[0]
        assert (newest.state, newest.digest) == ("draft", None)

    async def test_nor_is_what_goes_to_everybody(self, desk):
        with pytest.raises(DeskRefused, match="everybody who can be reached") as refused:
            await self.release(desk, **everywhere())
        assert refused.value.code == "unusual"


class TestTheDemosPolicy:
    def test_differs_in_asking_for_nobody_more_for_its_whole_county(self):
        packaged = load_policy(share("config/approval.toml"))
        usual_there = packaged.usual.model_copy(update={"everybody": False})
        assert load_policy(share("config/demo/approval.toml")) == packaged.model_copy(
            update={"usual": usual_there}
        )
