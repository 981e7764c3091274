"""What must hold for any release, whatever happened to its deliveries (I9)."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from channels.base import Accepted, Proof, Receipt, Rejected, Unknown
from gateway.coverage import Tally, coverage, recount
from gateway.receipts.ledger import Attempt, Ledger
from gateway.store.coverage import Standing
from gateway.store.database import Database
from tests.coverage.build import COUNTY, NORTH_1, NORTH_2, SOUTH_1, Person, Sent, build

REACHED = (Proof.DELIVERED, Proof.READ, Proof.CONFIRMED)
FAILED = (Proof.REJECTED, Proof.EXPIRED, Proof.SUPPRESSED)


def sent(proof: Proof) -> Sent:
    return Sent(proof, 1.0 if proof in REACHED else None, 2.0 if proof is Proof.CONFIRMED else None)


PEOPLE = st.lists(
    st.builds(
        Person,
        st.sampled_from([COUNTY, NORTH_1, NORTH_2, SOUTH_1]),
        st.sampled_from(["responsible", "informant", "resident", "device", "group"]),
        st.dictionaries(st.sampled_from(["sms", "email", "radio"]), st.sampled_from(Proof).map(sent)),
    ),
    min_size=1,
    max_size=12,
)
UNKNOWN_EVERYWHERE = [
    Person(NORTH_1, "responsible", {"sms": sent(Proof.UNKNOWN), "email": sent(Proof.UNKNOWN)})
]


def add_up(tally: Tally) -> bool:
    whole = tally.accepted + tally.unknown + tally.failed + tally.pending
    return tally.intended == whole and tally.accepted >= tally.delivered >= tally.confirmed >= 0


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PEOPLE)
@example(UNKNOWN_EVERYWHERE)
def test_every_figure_agrees_with_a_plain_count_of_the_rows(database_url, people):
    async def measure():
        async with Database(database_url, size=2) as database:
            built = await build(database, people)
            return await coverage(database, built.release), await recount(database, built.release)

    measured, differences = asyncio.run(measure())
    assert differences == []
    states = [[one.state for one in person.sent.values()] for person in people]
    assert measured.people.intended == len(people)
    assert measured.people.delivered == sum(any(s in REACHED for s in of) for of in states)
    assert measured.people.confirmed == sum(Proof.CONFIRMED in of for of in states)
    assert measured.people.failed == sum(all(s in FAILED for s in of) for of in states)
    assert measured.deliveries.intended == sum(len(of) for of in states)
    assert measured.deliveries.unknown == sum(of.count(Proof.UNKNOWN) for of in states)
    for whole, parts in (
        (measured.people, measured.townships),
        (measured.people, measured.roles),
        (measured.deliveries, measured.channels),
    ):
        for name in ("intended", "accepted", "delivered", "confirmed", "unknown", "failed", "pending"):
            assert sum(getattr(part, name) for part in parts) == getattr(whole, name)
        assert all(add_up(tally) for tally in (whole, *parts))
    assert measured.curve[-1].delivered == measured.people.delivered
    assert measured.curve[-1].confirmed == measured.people.confirmed
    for row in measured.channels:
        assert sum(one.count for one in row.reasons) == row.unknown + row.failed


@given(st.dictionaries(st.sampled_from(Standing), st.integers(0, 10**6)))
def test_a_tally_adds_up_for_any_standings(standings):
    tally = Tally.of(standings)
    assert add_up(tally)
    assert tally.delivered == sum(n for rank, n in standings.items() if rank >= Standing.DELIVERED)


@pytest.mark.parametrize("others", [[], [Proof.REJECTED], [Proof.PLANNED], [Proof.ACCEPTED], [Proof.EXPIRED]])
async def test_unknown_is_never_counted_as_delivered(database, others):
    names = ["sms", "email"]
    person = Person(
        NORTH_1, "responsible", dict(zip(names, map(sent, [Proof.UNKNOWN, *others]), strict=False))
    )
    built = await build(database, [person])
    measured = await coverage(database, built.release)
    for tally in (measured.people, *measured.townships, *measured.roles, *measured.channels):
        assert tally.delivered == tally.confirmed == 0
    assert measured.villages.part == measured.responsible.part == 0
    assert measured.first_receipt_s is None


async def test_counters_and_rows_agree_after_the_ledger_took_a_muddle(database):
    """Receipts doubled, early, contradicting each other, in any order: counted and kept are the same."""
    chance = random.Random(20260701)
    people = [
        Person(chance.choice([NORTH_1, NORTH_2, SOUTH_1]), "resident", {"sms": Sent(Proof.SUBMITTING)})
        for _ in range(200)
    ]
    built = await build(database, people)
    now = datetime.now(UTC)
    async with Ledger(database, interval=0.005) as ledger:
        for one in chance.sample(built.deliveries, len(people)):
            delivery = one["sms"]
            outcome = chance.choice([Accepted((f"r{delivery}",)), Rejected("45"), Unknown("lost")])
            steps = [
                lambda d=delivery, o=outcome: ledger.record(
                    [Attempt(d, "sms", 1, 1, 1, now, now, o, again=False)], lambda: None
                )
            ]
            steps += [
                lambda d=delivery, s=state: ledger.sink("sms", "person")(
                    [Receipt(s, delivery=d)] * 2, lambda: None
                )
                for state in chance.choices([*REACHED, Proof.REJECTED, Proof.EXPIRED], k=3)
            ]
            chance.shuffle(steps)
            for step in steps:
                step()
            await asyncio.sleep(0)
    assert await recount(database, built.release) == []
    measured = await coverage(database, built.release)
    assert measured.people.intended == 200
    assert measured.people.pending == 0
    assert add_up(measured.people)
    assert measured.people.delivered > 0
