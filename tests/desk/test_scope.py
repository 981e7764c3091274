"""Where rights hold, what a unit is authorised for, and who stands in for whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
import shapely
from sqlalchemy import func, select, text, update

from gateway.alerts.model import Area, Circle, ValuePair
from gateway.desk import authority, rota, scope
from gateway.desk.authority import Granted
from gateway.desk.compose import Changes
from gateway.desk.refused import DeskRefused
from gateway.desk.rota import Span
from gateway.desk.service import Desk
from gateway.desk.steps import step
from gateway.store import audit, duty
from gateway.store.desk import Person
from gateway.store.tables import regions, releases

from .conftest import COUNTY, NORTH, PEOPLE, SOUTH, START, area, fields, make_office, ready

LEVELS = "[approvers]\nblue = 1\nyellow = 1\norange = 2\nred = 2\n"
SQUARE = ((29.0, 110.0), (29.0, 111.0), (30.0, 111.0), (30.0, 110.0), (29.0, 110.0))
"""The invented border of the north, latitude first."""
HOUR = timedelta(hours=1)


def person(login: str, **more: object) -> Person:
    return Person(login, f"虚构 {login}", PEOPLE[login], True, **more)


async def refusal(work) -> str:
    with pytest.raises(DeskRefused) as refused:
        await work
    return refused.value.code


async def act(desk, login: str, work):
    async with step(desk.database, login, desk.clock.now(), desk.office.policy) as one:
        return await work(one)


async def count_releases(database) -> int:
    async with database.begin() as connection:
        return (await connection.execute(select(func.count()).select_from(releases))).scalar_one()


async def draw_north(database) -> None:
    border = shapely.Polygon([(lon, lat) for lat, lon in SQUARE])
    async with database.begin() as connection:
        drawn = update(regions).where(regions.c.code == NORTH).values(geometry=bytes(shapely.to_wkb(border)))
        await connection.execute(drawn)


@pytest.fixture
async def north(desk: Desk) -> Desk:
    """The desk, where the author and the first approver act in the north only."""
    for login in ("author", "first", "sender"):
        await desk.set_person(person(login, region=NORTH))
    return desk


AREAS = {
    "the region itself": (area(NORTH), True),
    "a village of it": (area("999901101201"), True),
    "two codes of it": (area(f"{NORTH} 999901101201"), True),
    "the region beside it": (area(SOUTH), False),
    "the county around it": (area(COUNTY), False),
    "one code of it and one beside it": (area(f"{NORTH},{SOUTH}"), False),
    "no code at all": (area("everywhere"), False),
    "a code list that nobody holds": (
        Area(area_desc="北山镇", geocodes=(ValuePair(value_name="UGC", value=NORTH),)),
        False,
    ),
    "words only": (Area(area_desc="北山镇"), False),
    "a polygon inside": (Area(area_desc="北山镇", polygons=(SQUARE,)), True),
    "a polygon that reaches outside": (
        Area(area_desc="北山镇", polygons=(((29.1, 110.1), (29.1, 111.1), (29.9, 110.5), (29.1, 110.1)),)),
        False,
    ),
    "a circle inside": (Area(area_desc="北山镇", circles=(Circle(lat=29.5, lon=110.5, radius_km=5),)), True),
    "a circle that reaches outside": (
        Area(area_desc="北山镇", circles=(Circle(lat=29.5, lon=110.99, radius_km=5),)),
        False,
    ),
}


class TestTheRegionOfAPerson:
    """S2: the own region and nothing beyond it."""

    @pytest.mark.parametrize(("where", "inside"), AREAS.values(), ids=AREAS)
    async def test_holds_for(self, north, database, where, inside):
        await draw_north(database)
        if inside:
            assert (await north.draft(fields(areas=(where,)), "author")).state == "draft"
        else:
            assert await refusal(north.draft(fields(areas=(where,)), "author")) == "outside"
            assert await north.alerts() == []

    async def test_a_shape_without_any_border_to_compare_is_outside(self, north):
        where = Area(area_desc="北山镇", polygons=(SQUARE,))
        assert await refusal(north.draft(fields(areas=(where,)), "author")) == "outside"

    async def test_the_refusal_names_the_region_and_the_person(self, north):
        with pytest.raises(
            DeskRefused, match=r"author may act in 北山镇 only, but alert \d+: '9999"
        ) as refused:
            await north.draft(fields(areas=(area(SOUTH),)), "author")
        assert refused.value.values["region"] == "北山镇"

    async def test_nobody_edits_an_alert_into_or_out_of_it(self, north):
        mine = await north.draft(fields(), "author")
        assert await refusal(north.edit(mine.id, "author", Changes(region=SOUTH))) == "outside"
        theirs = await north.draft(fields(areas=(area(SOUTH),)), "writer")
        assert await refusal(north.edit(theirs.id, "author", Changes(region=NORTH))) == "outside"
        assert await refusal(north.withdraw(theirs.id, "author")) == "outside"
        assert await refusal(north.submit(theirs.id, "author")) == "outside"

    async def test_signing_and_sending_take_it_as_well(self, north, database):
        drafted = await north.draft(fields(areas=(area(SOUTH),)), "writer")
        row = await north.submit(drafted.id, "writer")
        assert await refusal(north.approve(row.id, row.digest, "first")) == "outside"
        assert await refusal(north.reject(row.id, row.digest, "first", "不对")) == "outside"
        await north.approve(row.id, row.digest, "second")
        assert await refusal(north.release(row.id, "sender")) == "outside"
        assert await count_releases(database) == 0

    async def test_a_list_with_somebody_outside_is_outside(self, north, database):
        row = await ready(north)
        async with database.begin() as connection:
            await connection.execute(
                text("UPDATE targets SET region = :south WHERE contact_id = 1"), {"south": SOUTH}
            )
        assert await refusal(north.approve(row.id, row.digest, "first")) == "outside"

    async def test_within_it_everything_goes_its_way_to_the_cancel(self, north, database):
        row = await ready(north)
        await north.approve(row.id, row.digest, "first")
        await north.release(row.id, "sender")
        update_ = await north.update(row.id, "author")
        assert update_.state == "draft"
        assert (await north.cancel(row.id, "author")).state == "submitted"
        assert await count_releases(database) == 1

    async def test_a_cancel_of_elsewhere_is_refused(self, north):
        drafted = await north.draft(fields(areas=(area(SOUTH),)), "writer")
        row = await north.submit(drafted.id, "writer")
        await north.approve(row.id, row.digest, "second")
        await north.release(row.id, "third")
        assert await refusal(north.cancel(row.id, "author")) == "outside"

    async def test_a_signature_lapses_when_the_signer_is_moved_away(self, north, database):
        row = await ready(north)
        await north.approve(row.id, row.digest, "first")
        await north.set_person(person("first", region=SOUTH))
        assert await refusal(north.release(row.id, "sender")) == "approvals"
        assert await count_releases(database) == 0


class TestBetweenPageAndClick:
    """W3: what changes about the approver after the page was read."""

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            (Person("first", "虚构", ("author",), active=True), "role"),
            (Person("first", "虚构", ("approver",), active=False), "person"),
            (Person("first", "虚构", ("approver",), active=True, region=SOUTH), "outside"),
        ],
        ids=["role removed", "account disabled", "region moved"],
    )
    async def test_the_click_is_refused(self, desk, database, changed, code):
        row = await ready(desk)
        await desk.set_person(changed)
        assert await refusal(desk.approve(row.id, row.digest, "first")) == code
        assert (await desk.show(row.id)).signatures == []


COVERED = {
    "all that it needs": ({}, True),
    "every hazard": ({"hazard": "*"}, True),
    "the same level at most": ({"level": "yellow"}, True),
    "the township": ({"region": NORTH}, True),
    "the county around it": ({"region": COUNTY}, True),
    "another hazard": ({"hazard": "gale"}, False),
    "lower levels only": ({"level": "blue"}, False),
    "another township": ({"region": SOUTH}, False),
    "another unit": ({"unit": "虚构水利局"}, False),
    "later": ({"begins_at": START + HOUR}, False),
    "earlier": ({"begins_at": START - 2 * HOUR, "ends_at": START}, False),
}


def granted(**changes: object) -> Granted:
    base = Granted("虚构气象局", "rainstorm", "red", None, START - HOUR, START + 48 * HOUR, "虚构〔2026〕1号")
    return base._replace(**changes)


@pytest.fixture
async def units(desk: Desk) -> Desk:
    """The desk, where the first approver belongs to a unit, and somebody administers."""
    await desk.set_person(person("first", unit="虚构气象局"))
    await desk.set_person(Person("admin", "虚构管理员", ("administrator",), active=True))
    return desk


async def grant(desk: Desk, **changes: object) -> int:
    return await act(desk, "admin", lambda one: authority.grant(one, desk.office.hazards, granted(**changes)))


class TestTheAuthorisationOfAUnit:
    @pytest.mark.parametrize(("changes", "covered"), COVERED.values(), ids=COVERED)
    async def test_covers(self, units, changes, covered):
        await grant(units, **changes)
        row = await ready(units)
        if covered:
            assert (await units.approve(row.id, row.digest, "first")).have == 1
        else:
            assert await refusal(units.approve(row.id, row.digest, "first")) == "authorisation"

    async def test_the_refusal_says_which_one_is_missing(self, units):
        row = await ready(units)
        with pytest.raises(
            DeskRefused, match="unit 虚构气象局 has no authorisation in force for rainstorm yellow"
        ):
            await units.approve(row.id, row.digest, "first")

    async def test_who_has_no_unit_signs_unless_the_policy_asks_for_one(self, units, clock, tmp_path):
        row = await ready(units)
        assert (await units.approve(row.id, row.digest, "second")).have == 1
        strict = Desk(
            units.database, clock, make_office(f"{LEVELS}[authorisations]\nrequired = true\n", tmp_path)
        )
        other = await ready(strict)
        assert await refusal(strict.approve(other.id, other.digest, "second")) == "no_unit"

    async def test_revoked_before_the_release_the_signature_counts_no_more(self, units, database):
        number = await grant(units)
        row = await ready(units)
        await units.approve(row.id, row.digest, "first")
        for _ in range(2):
            await act(units, "admin", lambda one: authority.revoke(one, number))
        assert await refusal(units.release(row.id, "sender")) == "approvals"
        assert await count_releases(database) == 0
        async with database.begin() as connection:
            told = [one.action for one in await audit.show(connection, f"authorisation {number}")]
        assert told == ["authorise", "authorisation_revoked"]

    async def test_over_before_the_release_the_signature_counts_no_more(self, units, clock):
        await grant(units, ends_at=START + HOUR)
        row = await ready(units)
        await units.approve(row.id, row.digest, "first")
        clock.advance(3601)
        assert await refusal(units.release(row.id, "sender")) == "approvals"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"unit": " "}, "unit"),
            ({"hazard": "dragons"}, "hazard"),
            ({"level": "purple"}, "level"),
            ({"region": "110000000000"}, "region"),
            ({"ends_at": START - 2 * HOUR}, "span"),
            ({"document": "一\n二"}, "document"),
        ],
    )
    async def test_what_cannot_be_is_not_entered(self, units, changes, code):
        assert await refusal(grant(units, **changes)) == code

    async def test_only_an_administrator_enters_one(self, units):
        work = act(units, "first", lambda one: authority.grant(one, units.office.hazards, granted()))
        assert await refusal(work) == "role"

    async def test_an_administrator_of_one_region_gives_nothing_beyond_it(self, units):
        await units.set_person(Person("local", "虚构", ("administrator",), True, NORTH))
        for region, code in ((None, "administers"), (SOUTH, "administers"), (COUNTY, "administers")):
            work = act(
                units,
                "local",
                lambda one, r=region: authority.grant(one, units.office.hazards, granted(region=r)),
            )
            assert await refusal(work) == code
        assert await act(
            units, "local", lambda one: authority.grant(one, units.office.hazards, granted(region=NORTH))
        )


class TestPeople:
    async def test_the_last_administrator_stays_one(self, units):
        for changed in (
            Person("admin", "虚构管理员", ("author",), active=True),
            Person("admin", "虚构管理员", ("administrator",), active=False),
            Person("admin", "虚构管理员", ("administrator",), True, NORTH),
        ):
            assert await refusal(units.set_person(changed)) == "last_administrator"
        await units.set_person(Person("other", "虚构", ("administrator",), active=True))
        await units.set_person(Person("admin", "虚构管理员", (), active=False))

    async def test_a_region_that_is_not_loaded_is_refused(self, desk):
        assert await refusal(desk.set_person(person("first", region="110000000000"))) == "region"

    async def test_region_and_unit_are_in_the_log_and_compared_with_it(self, north, database):
        await north.set_person(person("first", region=NORTH, unit="虚构气象局"))
        async with database.begin() as connection:
            assert (await audit.verify(connection)).reason == ""
            await connection.execute(text("UPDATE people SET region = NULL WHERE login = 'first'"))
            assert "what first may do" in (await audit.verify(connection)).reason

    async def test_a_record_from_before_there_were_regions_still_holds(self, desk, database):
        async with database.begin() as connection:
            await audit.append(
                connection,
                actor="system",
                action="person",
                subject="person first",
                detail={"roles": ["approver"], "active": True},
                at=START,
            )
            assert (await audit.verify(connection)).reason == ""

    @pytest.mark.parametrize(
        ("region", "code", "covered"),
        [
            (None, SOUTH, True),
            (NORTH, NORTH, True),
            (NORTH, "999901101201", True),
            (NORTH, COUNTY, False),
            (NORTH, SOUTH, False),
            (COUNTY, SOUTH, True),
            (NORTH, "nonsense", False),
        ],
    )
    def test_covers(self, region, code, covered):
        assert scope.covers(person("first", region=region), code) is covered


async def away(desk, login, deputy, by="admin", *, begins=START, hours=8, own=False):
    span = Span(begins, begins + hours * HOUR)
    return await act(desk, by, lambda one: rota.add_absence(one, login, span, deputy, "虚构培训", own=own))


async def deputies(desk, at=START):
    async with desk.database.begin() as connection:
        return await duty.deputies(connection, at)


class TestAbsences:
    async def test_the_deputy_is_asked_while_it_lasts(self, units):
        await away(units, "first", "second")
        assert await deputies(units) == {"first": "second"}
        assert await deputies(units, START - HOUR) == {}
        assert await deputies(units, START + 8 * HOUR) == {}

    async def test_without_a_deputy_nobody_is_asked(self, units):
        await away(units, "first", None)
        assert await deputies(units) == {"first": None}

    async def test_a_deputy_who_is_away_is_replaced_by_the_own_one(self, units):
        await away(units, "first", "second")
        await away(units, "second", "third")
        assert await deputies(units) == {"first": "third", "second": "third"}
        await away(units, "third", "first")
        assert await deputies(units) == {"first": None, "second": None, "third": None}

    async def test_a_deputy_who_left_stands_in_for_nobody(self, units):
        await away(units, "first", "second")
        await units.set_person(Person("second", "虚构", ("approver",), active=False))
        assert await deputies(units) == {"first": None}

    @pytest.mark.parametrize("deputy", ["first", "author", "gone", "nobody-here", "southern"])
    async def test_who_could_not_sign_is_no_deputy(self, units, deputy):
        await units.set_person(Person("gone", "虚构", ("approver",), active=False))
        await units.set_person(Person("southern", "虚构", ("approver",), True, SOUTH))
        assert await refusal(away(units, "first", deputy)) in {"deputy", "no_person"}

    async def test_two_absences_at_once_are_refused(self, units):
        await away(units, "first", "second")
        assert await refusal(away(units, "first", "third", begins=START + HOUR)) == "absence_clash"

    async def test_everybody_notes_the_own_one_and_no_other(self, units):
        number = await away(units, "first", "second", by="first", own=True)
        assert await refusal(away(units, "second", None, by="first", own=True)) == "role"
        await act(units, "first", lambda one: rota.end_absence(one, number, own=True))
        assert await deputies(units) == {}


class TestTheRoster:
    async def put(self, desk, login, post, begins=START, hours=12, days=1, by="admin"):
        span = Span(begins, begins + hours * HOUR)
        return await act(desk, by, lambda one: rota.add_duties(one, login, post, span, days))

    async def test_tells_who_is_on_duty_the_main_post_first(self, units):
        await self.put(units, "second", "leader")
        await self.put(units, "first", "main", days=2)
        async with units.database.begin() as connection:
            assert [(post, login) for post, login, _ in await duty.on_duty(connection, START)] == [
                ("main", "first"),
                ("leader", "second"),
            ]
            assert await duty.on_duty(connection, START + 12 * HOUR) == []
            assert [one.login for one in await duty.on_duty(connection, START + 25 * HOUR)] == ["first"]

    async def test_nobody_is_on_duty_twice_at_once(self, units):
        await self.put(units, "first", "main")
        assert await refusal(self.put(units, "first", "second", begins=START + HOUR)) == "duty_clash"

    async def test_it_takes_one_of_two_rights(self, units):
        await self.put(units, "first", "main", by="sender")
        assert await refusal(self.put(units, "third", "main", by="author")) == "role"

    @pytest.mark.parametrize(("changes", "code"), [({"post": "cook"}, "duty"), ({"hours": 72}, "span")])
    async def test_what_cannot_be_is_refused(self, units, changes, code):
        assert await refusal(self.put(units, "first", **{"post": "main"} | changes)) == code

    async def test_an_entry_that_is_gone_is_no_error(self, units):
        (number,) = await self.put(units, "first", "main")
        for _ in range(2):
            await act(units, "admin", lambda one: rota.remove_duty(one, number))
        async with units.database.begin() as connection:
            assert await duty.on_duty(connection, START) == []
