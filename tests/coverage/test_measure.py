"""Every figure of a hand-made release, written out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from channels.base import Proof
from gateway.clock import HandClock
from gateway.coverage import Difference, ReleaseUnknown, Share, coverage, recount
from gateway.coverage.villages import township_of
from tests.coverage.build import (
    COUNTY,
    NORTH,
    NORTH_1,
    NORTH_2,
    RELEASED,
    SOUTH,
    SOUTH_1,
    Person,
    Sent,
    build,
)

REJECTED, UNKNOWN, ACCEPTED = Sent(Proof.REJECTED), Sent(Proof.UNKNOWN), Sent(Proof.ACCEPTED)
CLOCK = HandClock(RELEASED + timedelta(hours=1))

# Ten people: four reached, of whom two confirmed.
PEOPLE = [
    Person(NORTH_1, "responsible", {"sms": Sent(Proof.CONFIRMED, 10, 200), "email": ACCEPTED}),
    Person(NORTH_1, "resident", {"sms": REJECTED, "email": ACCEPTED}),
    Person(NORTH_1, "resident", {"sms": UNKNOWN, "email": REJECTED}),
    Person(NORTH_2, "responsible", {"sms": Sent(Proof.CONFIRMED, 400, 400)}),
    Person(NORTH_2, "resident", {"sms": Sent(Proof.DELIVERED, 20), "email": Sent(Proof.READ, 15)}),
    Person(SOUTH_1, "responsible", {"sms": Sent(Proof.EXPIRED), "email": Sent(Proof.SUPPRESSED)}),
    Person(SOUTH_1, "resident", {"sms": Sent(Proof.LEASED), "email": UNKNOWN}),
    Person(SOUTH_1, "resident", {"sms": Sent(Proof.DELIVERED, 700)}),
    Person(SOUTH_1, "resident", {}),
    Person(COUNTY, "group", {"chat": ACCEPTED}),
]


def counts(tally) -> tuple[int, ...]:
    names = ("intended", "accepted", "delivered", "confirmed", "unknown", "failed", "pending")
    return tuple(getattr(tally, name) for name in names)


@pytest.fixture
async def built(database):
    return await build(database, PEOPLE)


@pytest.fixture
async def measured(database, built):
    return await coverage(database, built.release, CLOCK)


class TestPeople:
    async def test_each_is_counted_once_by_the_best_of_their_channels(self, measured):
        assert counts(measured.people) == (10, 6, 4, 2, 1, 2, 1)
        assert measured.people.rate == 0.4

    async def test_whoever_has_no_address_is_intended_and_failed(self, measured):
        assert measured.without_address == 1

    async def test_townships_gather_their_villages(self, measured):
        rows = {row.code: row for row in measured.townships}
        assert {code: (row.name, *counts(row)) for code, row in rows.items()} == {
            COUNTY: ("示范县", 1, 1, 0, 0, 0, 0, 0),
            "999901101000": ("北山镇", 5, 4, 3, 2, 1, 0, 0),
            "999901102000": ("南河镇", 4, 1, 1, 0, 0, 2, 1),
        }
        assert [row.rank for row in measured.townships] == [3, 1, 2]

    async def test_roles_add_up_to_everybody(self, measured):
        rows = {row.name: counts(row) for row in measured.roles}
        assert rows["responsible"] == (3, 2, 2, 2, 0, 1, 0)
        assert rows["resident"] == (6, 3, 2, 0, 1, 1, 1)
        assert rows["group"] == (1, 1, 0, 0, 0, 0, 0)

    async def test_named_groups_are_counted_apart(self, database, built):
        async with database.begin() as connection:
            for statement in (
                "INSERT INTO contacts (name, region, role) SELECT 'Invented', region, role FROM targets",
                "INSERT INTO contact_groups (name) VALUES ('水库巡查组')",
                (
                    "INSERT INTO group_members SELECT g.id, c.id FROM contact_groups g, contacts c "
                    "WHERE c.id IN (1, 3, 9)"
                ),
            ):
                await connection.execute(text(statement))
        groups = (await coverage(database, built.release, CLOCK)).groups
        assert [(row.name, counts(row)) for row in groups] == [("水库巡查组", (3, 1, 1, 1, 1, 1, 0))]


class TestResponsible:
    async def test_confirmed_of_all_responsible_and_within_five_minutes(self, measured):
        assert measured.responsible == Share(part=2, of=3)
        assert measured.responsible_in_time == Share(part=1, of=3)
        assert measured.responsible_limit_s == 300

    async def test_the_public_reached_within_ten_minutes(self, measured):
        assert measured.public_in_time == Share(part=1, of=7)


class TestVillages:
    async def test_covered_villages_count_and_weigh_by_population(self, measured):
        assert measured.villages == Share(part=2, of=3)
        assert measured.population == Share(part=3000, of=3500)

    @pytest.mark.parametrize(
        ("role", "proof", "covered"),
        [
            ("responsible", Proof.CONFIRMED, 1),
            ("informant", Proof.CONFIRMED, 1),
            ("device", Proof.DELIVERED, 1),
            ("device", Proof.ACCEPTED, 0),
            ("responsible", Proof.READ, 0),
            ("resident", Proof.CONFIRMED, 0),
            ("liaison", Proof.CONFIRMED, 0),
        ],
    )
    async def test_who_covers_a_village(self, database, role, proof, covered):
        built = await build(database, [Person(NORTH_1, role, {"sms": Sent(proof, 1)})])
        assert (await coverage(database, built.release)).villages == Share(part=covered, of=1)

    async def test_a_village_of_the_area_counts_though_nobody_in_it_is_known(self, database):
        area = {"regions": [{"code": COUNTY, "level": "county", "name": "", "reason": "", "whole": True}]}
        built = await build(
            database, [Person(NORTH_1, "informant", {"sms": Sent(Proof.CONFIRMED, 1)})], area=area
        )
        measured = await coverage(database, built.release)
        assert measured.villages == Share(part=1, of=3)
        assert measured.population == Share(part=2000, of=3500)
        rows = {row.name: (row.villages, row.intended, row.rate, row.rank) for row in measured.townships}
        assert rows == {
            "北山镇": (Share(part=1, of=2), 1, 1.0, 1),
            "南河镇": (Share(part=0, of=1), 0, None, 2),
        }

    @pytest.mark.parametrize(
        ("hits", "villages"),
        [
            ([], 1),
            ([(NORTH, "township")], 2),
            ([(NORTH_2, "village")], 2),
            ([(SOUTH, "township"), (SOUTH_1, "village")], 2),
            ([("980000000000", "province")], 1),
            ([("990000000000", "province")], 3),
            ([("999900000000", "city")], 3),
        ],
    )
    async def test_which_villages_an_area_means(self, database, hits, villages):
        area = {"regions": [{"code": code, "level": level} for code, level in hits]}
        built = await build(database, [Person(NORTH_1)], area=area)
        assert (await coverage(database, built.release)).villages == Share(part=0, of=villages)


class TestChannels:
    async def test_deliveries_by_channel(self, measured):
        rows = {row.channel: counts(row) for row in measured.channels}
        assert rows == {
            "chat": (1, 1, 0, 0, 0, 0, 0),
            "email": (6, 3, 1, 0, 1, 2, 0),
            "sms": (8, 4, 4, 2, 1, 2, 1),
        }
        assert counts(measured.deliveries) == (15, 8, 5, 2, 2, 4, 1)

    async def test_half_and_nine_tenths_of_a_channel(self, measured):
        sms = next(row for row in measured.channels if row.channel == "sms")
        assert (sms.p50_s, sms.p90_s) == (20, 700)
        chat = next(row for row in measured.channels if row.channel == "chat")
        assert (chat.p50_s, chat.p90_s) == (None, None)

    async def test_reasons_add_up_to_what_failed_or_is_unknown(self, database, built):
        delivery = built.deliveries[1]["sms"]
        unanswered = built.deliveries[2]["sms"]
        async with database.begin() as connection:
            for values in (
                (delivery, "sms", "rejected", "00000045"),
                (unanswered, "sms", "retry", "timeout"),
                (unanswered, "sms", "unknown", "no_answer"),
            ):
                await connection.execute(
                    text("INSERT INTO attempts VALUES (:d, :c, 1, 1, 1, 1, :o, '', :code, now(), now())"),
                    dict(zip(("d", "c", "o", "code"), values, strict=True)),
                )
        measured = await coverage(database, built.release)
        reasons = {
            (row.channel, one.state, one.code): one.count for row in measured.channels for one in row.reasons
        }
        assert reasons == {
            ("sms", "rejected", "00000045"): 1,
            ("sms", "unknown", "no_answer"): 1,
            ("sms", "expired", ""): 1,
            ("email", "rejected", ""): 1,
            ("email", "unknown", ""): 1,
            ("email", "suppressed", ""): 1,
        }


class TestTimes:
    async def test_first_receipt_and_ninety_percent_of_those_reached(self, measured):
        # Reached at 10, 15, 400 and 700 s: nine tenths of four are all four.
        assert measured.first_receipt_s == 10
        assert measured.t90_s == 700

    async def test_ninety_percent_is_the_ninth_of_ten(self, database):
        people = [Person(NORTH_1, sent={"sms": Sent(Proof.DELIVERED, second)}) for second in range(1, 11)]
        built = await build(database, people)
        assert (await coverage(database, built.release)).t90_s == 9

    async def test_the_curve_rises_to_everybody_reached_and_confirmed(self, measured):
        assert measured.curve_step_s == 15
        assert [(point.seconds, point.delivered, point.confirmed) for point in measured.curve] == [
            (0, 0, 0),
            (15, 2, 0),
            (210, 2, 1),
            (405, 3, 2),
            (705, 4, 2),
        ]

    async def test_nothing_reached_gives_no_times_and_no_curve(self, database):
        built = await build(database, [Person(NORTH_1, sent={"sms": UNKNOWN})])
        measured = await coverage(database, built.release)
        assert (measured.first_receipt_s, measured.t90_s) == (None, None)
        assert max(point.delivered for point in measured.curve) == 0


class TestRelease:
    async def test_it_is_found_by_reference_too(self, database, built):
        assert (await coverage(database, built.reference)).release.id == built.release

    @pytest.mark.parametrize("name", ["none", "999999", 10**30, "-1", "", "１"])
    async def test_an_unknown_one_is_refused_in_words(self, database, name):
        with pytest.raises(ReleaseUnknown, match="no release has the id or reference"):
            await coverage(database, name)
        with pytest.raises(ReleaseUnknown):
            await recount(database, name)

    async def test_its_head_is_what_was_released(self, measured, built):
        head = measured.release
        assert (head.mode, head.msg_type, head.level, head.reference) == (
            "live",
            "Alert",
            "red",
            built.reference,
        )
        assert head.headline("zh") == "示范县发布暴雨红色预警"
        assert head.headline("en") == "Red rainstorm warning for Demo County"
        assert head.headline("fr") in head.headlines.values()
        assert head.measured_at == CLOCK.now()

    async def test_a_drill_says_so(self, database):
        built = await build(database, [Person(NORTH_1)], mode="drill")
        assert (await coverage(database, built.release)).release.mode == "drill"

    async def test_a_cancel_of_the_same_warning_stands_apart(self, database, built):
        cancel = await build(
            database,
            [Person(NORTH_1, sent={"sms": Sent(Proof.DELIVERED, 1)})],
            msg_type="Cancel",
            warning=built.warning,
        )
        measured = await coverage(database, built.release, CLOCK)
        assert measured.people.intended == 10
        assert [(row.id, row.msg_type, row.intended, row.delivered) for row in measured.related] == [
            (cancel.release, "Cancel", 1, 1)
        ]
        assert (await coverage(database, cancel.release)).people.intended == 1

    async def test_another_release_is_not_mixed_in(self, database, built, measured):
        await build(database, PEOPLE)
        assert await coverage(database, built.release, CLOCK) == measured


class TestRecount:
    async def test_counters_that_fit_the_rows_differ_nowhere(self, database, built):
        assert await recount(database, built.release) == []

    @pytest.mark.parametrize(
        ("statement", "difference"),
        [
            (
                (
                    "UPDATE counters SET count = count + 1 "
                    "WHERE region = '999901101001' AND channel = 'sms' AND state = 3"
                ),
                Difference("sms", NORTH_1, 3, 2, 1),
            ),
            (
                "DELETE FROM counters WHERE region = '999901101001' AND channel = 'sms' AND state = 10",
                Difference("sms", NORTH_1, 10, 0, 1),
            ),
            (
                "INSERT INTO counters SELECT release_id, 'sms', '999901101001', 8, 5 FROM counters LIMIT 1",
                Difference("sms", NORTH_1, 8, 5, 0),
            ),
        ],
    )
    async def test_each_wrong_counter_is_named(self, database, built, statement, difference):
        async with database.begin() as connection:
            await connection.execute(text(statement))
        assert await recount(database, built.release) == [difference]


@pytest.mark.parametrize(
    ("region", "township"),
    [(NORTH_1, "999901101000"), ("999901101000", "999901101000"), (COUNTY, COUNTY)],
)
def test_a_township_is_the_first_nine_digits(region, township):
    assert township_of(region) == township
