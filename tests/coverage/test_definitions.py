"""What the channels took, how long the desk needed, which terminals are on line: against plain counts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from statistics import median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from channels.base import Proof
from gateway.coverage import Share, coverage
from gateway.store import tables
from gateway.store.database import Database
from tests.coverage.build import COUNTY, NORTH_1, RELEASED, SOUTH_1, Desk, Person, Sent, Try, build, record

ACCEPTED = Sent(Proof.ACCEPTED)
OUTCOMES = ("accepted", "rejected", "retry", "throttled", "unknown")


async def accepted(database, *tries):
    built = await build(database, [Person(NORTH_1, sent={"sms": ACCEPTED})])
    if tries:
        await record(database, built, [(0, "sms", one) for one in tries])
    measured = await coverage(database, built.release)
    (row,) = measured.channels
    assert measured.attempts_accepted == row.attempts_accepted
    return row.attempts_accepted.part, row.attempts_accepted.of


class TestAttempts:
    @pytest.mark.parametrize(
        ("tries", "expected"),
        [
            ([], (0, 0)),
            (["accepted"], (1, 1)),
            *[([one], (0, 1)) for one in OUTCOMES[1:]],
            *[([one, "accepted"], (1, 2)) for one in ("retry", "throttled", "unknown")],
            (["throttled"] * 3 + ["retry", "accepted"], (1, 5)),
            (["unknown", "unknown"], (0, 2)),
        ],
    )
    async def test_every_try_counts(self, database, tries, expected):
        numbered = [Try(outcome, number) for number, outcome in enumerate(tries, 1)]
        assert await accepted(database, *numbered) == expected

    async def test_the_parts_of_a_message_are_one_try(self, database):
        assert await accepted(database, *[Try("accepted", 1, part) for part in (1, 2, 3)]) == (1, 1)

    @pytest.mark.parametrize("words", [("unknown", "accepted"), ("accepted", "unknown")])
    async def test_an_answer_that_came_late_replaces_the_missing_one(self, database, words):
        assert await accepted(database, *[Try(word) for word in words]) == (1, 1)

    async def test_a_flush_that_was_written_twice_counts_once(self, database):
        assert await accepted(database, Try("throttled"), Try("throttled"), Try("accepted", 2)) == (1, 2)

    async def test_what_we_refused_ourselves_was_a_try_that_failed(self, database):
        assert await accepted(database, Try("rejected", 0)) == (0, 1)

    async def test_a_receipt_does_not_make_a_try_accepted(self, database):
        built = await build(database, [Person(NORTH_1, sent={"sms": Sent(Proof.DELIVERED, 1)})])
        await record(database, built, [(0, "sms", Try("unknown"))])
        assert (await coverage(database, built.release)).attempts_accepted == Share(part=0, of=1)

    async def test_a_release_planned_at_the_same_moment_is_not_mixed_in(self, database):
        ours = await build(database, [Person(NORTH_1, sent={"sms": ACCEPTED})])
        theirs = await build(database, [Person(NORTH_1, sent={"sms": ACCEPTED})])
        async with database.begin() as connection:
            last = insert(tables.deliveries).values(
                release_id=ours.release,
                target_id=0,
                batch_id=ours.batches["sms"],
                channel="sms",
                region=NORTH_1,
                address="invented",
                text_key="zh-CN",
            )
            number = (await connection.execute(last.returning(tables.deliveries.c.id))).scalar_one()
        ours.deliveries.append({"sms": number})
        assert ours.deliveries[0]["sms"] < theirs.deliveries[0]["sms"] < number
        await record(database, theirs, [(0, "sms", Try("rejected"))])
        await record(database, ours, [(0, "sms", Try("accepted")), (1, "sms", Try("accepted"))])
        assert (await coverage(database, ours.release)).attempts_accepted == Share(part=2, of=2)
        assert (await coverage(database, theirs.release)).attempts_accepted == Share(part=0, of=1)

    async def test_a_release_without_deliveries_has_none(self, database):
        built = await build(database, [Person(NORTH_1)])
        measured = await coverage(database, built.release)
        assert measured.attempts_accepted == Share(part=0, of=0)
        assert measured.attempts_accepted.rate is None


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["sms", "email"]),
        st.builds(Try, st.sampled_from(OUTCOMES), st.integers(1, 3), st.integers(1, 2)),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_tries_agree_with_a_plain_count_of_the_ledger(database_url, rows):
    async def measure():
        async with Database(database_url, size=2) as database:
            built = await build(
                database, [Person(NORTH_1, sent=dict.fromkeys(["sms", "email"], ACCEPTED))] * 4
            )
            await record(database, built, rows)
            return await coverage(database, built.release)

    measured = asyncio.run(measure())
    for row in measured.channels:
        tries = {(place, one.number) for place, channel, one in rows if channel == row.channel}
        taken = {
            (place, one.number)
            for place, channel, one in rows
            if channel == row.channel and one.outcome == "accepted"
        }
        assert (row.attempts_accepted.part, row.attempts_accepted.of) == (len(taken), len(tries))
    for name in ("part", "of"):
        parts = [getattr(row.attempts_accepted, name) for row in measured.channels]
        assert getattr(measured.attempts_accepted, name) == sum(parts)


async def steps(database, desk, **how):
    built = await build(database, [Person(NORTH_1)], desk=desk, **how)
    measured = await coverage(database, built.release)
    return {row.name: (row.count, row.median_s, row.max_s) for row in measured.approval}


class TestApproval:
    @pytest.mark.parametrize(
        ("desk", "expected"),
        [
            (
                Desk(drafted=600, submitted=500, approved=200, signed=(440, 200)),
                {
                    "drafting": (1, 100, 100),
                    "review": (2, 180, 300),
                    "signing": (1, 200, 200),
                    "whole": (1, 600, 600),
                },
            ),
            (
                Desk(drafted=90, submitted=60, approved=60),
                {
                    "drafting": (1, 30, 30),
                    "review": (0, None, None),
                    "signing": (1, 60, 60),
                    "whole": (1, 90, 90),
                },
            ),
            (
                Desk(drafted=10, submitted=None, approved=None),
                {
                    "drafting": (0, None, None),
                    "review": (0, None, None),
                    "signing": (0, None, None),
                    "whole": (1, 10, 10),
                },
            ),
            (
                Desk(drafted=5, submitted=4, approved=-0.25, signed=(-0.25,)),
                {"drafting": (1, 1, 1), "review": (1, 4.25, 4.25), "signing": (1, 0, 0), "whole": (1, 5, 5)},
            ),
        ],
        ids=["two approvers", "nobody need approve", "no times", "clocks that differ"],
    )
    async def test_each_step(self, database, desk, expected):
        assert await steps(database, desk) == expected

    @pytest.mark.parametrize("signed", [(50,), (50, 40), (50, 40, 10), (55, 54, 53, 1)])
    async def test_steps_add_up_to_the_whole(self, database, signed):
        desk = Desk(drafted=100, submitted=60, approved=signed[-1], signed=signed)
        found = await steps(database, desk)
        assert found["review"][1:] == (median(60 - one for one in signed), 60 - signed[-1])
        assert sum(found[name][2] for name in ("drafting", "review", "signing")) == found["whole"][2]

    async def test_a_cancel_lay_prepared_until_it_was_submitted(self, database):
        desk = Desk(drafted=7200, submitted=30, approved=10, signed=(10,))
        found = await steps(database, desk, msg_type="Cancel")
        assert found["drafting"] == (0, None, None)
        assert found["whole"] == (1, 30, 30)

    async def test_only_approvals_of_what_was_released_count(self, database):
        built = await build(database, [Person(NORTH_1)], desk=Desk(signed=(20,)))
        async with database.begin() as connection:
            alert = {"alert_id": 1, "person": "invented", "at": RELEASED - timedelta(seconds=25)}
            for digest, decision in (("older", "approve"), ("invented", "reject")):
                row = insert(tables.approvals).values(**alert, digest=digest, decision=decision)
                await connection.execute(row)
        review = (await coverage(database, built.release)).approval[1]
        assert (review.count, review.max_s) == (1, 10)


DEVICES = [
    Person(NORTH_1, "device", {"radio": ACCEPTED}, address=f"{NORTH_1}/horn-{number}") for number in range(3)
] + [
    Person(SOUTH_1, "device", {"radio": ACCEPTED}, address=f"{SOUTH_1}/horn-9"),
    Person(SOUTH_1, "resident", {"radio": ACCEPTED}, address=f"{SOUTH_1}/horn-10"),
]


async def states(database, *told):
    built = await build(database, DEVICES)
    async with database.begin() as connection:
        for channel, device, online in told:
            row = {"channel": channel, "device": device, "online": online, "at": RELEASED}
            await connection.execute(insert(tables.device_states).values(row))
    return await coverage(database, built.release)


def shown(row):
    return row.online.part, row.online.of, row.offline, row.silent


class TestDevices:
    @pytest.mark.parametrize(
        ("told", "expected"),
        [
            ([], (0, 4, 0, 4)),
            ([("radio", f"{NORTH_1}/horn-0", True)], (1, 4, 0, 3)),
            ([("radio", f"{NORTH_1}/horn-0", False)], (0, 4, 1, 3)),
            ([("radio", f"{NORTH_1}/horn-{number}", number < 2) for number in range(3)], (2, 4, 1, 1)),
            ([("other", f"{NORTH_1}/horn-0", True)], (0, 4, 0, 4)),
            ([("radio", f"{NORTH_1}/horn-77", True)], (0, 4, 0, 4)),
            ([("radio", f"{SOUTH_1}/horn-10", True)], (0, 4, 0, 4)),
        ],
        ids=["silent", "on line", "off line", "some of each", "another channel", "a stranger", "no device"],
    )
    async def test_the_last_word_counts(self, database, told, expected):
        measured = await states(database, *told)
        assert shown(measured.devices) == expected

    async def test_townships_add_up(self, database):
        measured = await states(
            database, ("radio", f"{NORTH_1}/horn-0", True), ("radio", f"{SOUTH_1}/horn-9", False)
        )
        rows = {row.name: shown(row) for row in measured.device_townships}
        assert rows == {"北山镇": (1, 3, 0, 2), "南河镇": (0, 1, 1, 0)}
        assert shown(measured.devices) == tuple(map(sum, zip(*rows.values(), strict=True)))

    async def test_where_no_device_is_meant_there_is_no_rate(self, database):
        built = await build(database, [Person(COUNTY, "resident", {"sms": ACCEPTED})])
        measured = await coverage(database, built.release)
        assert measured.devices.online == Share(part=0, of=0)
        assert measured.devices.online.rate is None
        assert measured.device_townships == ()

    async def test_a_device_of_two_channels_is_counted_once(self, database):
        both = Person(NORTH_1, "device", {"radio": ACCEPTED, "sms": ACCEPTED}, address="horn-1")
        built = await build(database, [both])
        async with database.begin() as connection:
            for channel, online in (("radio", True), ("sms", False)):
                row = {"channel": channel, "device": "horn-1", "online": online, "at": RELEASED}
                await connection.execute(insert(tables.device_states).values(row))
        assert shown((await coverage(database, built.release)).devices) == (1, 1, 0, 0)
