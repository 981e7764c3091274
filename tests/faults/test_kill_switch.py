"""A route that is turned off in the middle of sending, and on again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.desk.steps import step
from gateway.desk.switching import switch
from gateway.store.database import Database
from tests.faults import village
from tests.faults.checker import DELIVERED
from tests.faults.evidence import read_ledger
from tests.faults.harness import TRIED, UNFINISHED, UNPROVEN, House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

ROUTE = {"rate": 400, "window": 60}
PROMISED = timedelta(seconds=2)


async def turn(house: House, *, off: bool) -> datetime:
    """Turn the route at the desk and return when that was committed."""
    async with Database(house.url, size=2) as database:
        desk = await village.open_desk(database, house.given)
        person = village.PEOPLE[2].login
        async with step(database, person, desk.clock.now(), desk.office.policy) as one:
            assert await switch(one, "route", "sms.live", off=off, reason="虚构：错发")
    return datetime.now(UTC)


async def test_d9_nothing_leaves_on_a_route_that_is_off_and_all_of_it_once_it_is_on(house: House):
    """D9: 2,000 messages at 400/s, off after a quarter, a worker that starts meanwhile, on again."""
    await house.open(2_000, route=ROUTE, latency=0.1)
    await house.release("orange")
    house.reconciler()
    house.worker()
    await house.until_received(500)
    off = await turn(house, off=True)
    house.worker()
    await house.until_quiet(TRIED, looks=60)
    held = [entry.at for entry in read_ledger("sms", await house.smsc.ledger())]
    assert max(held) <= off + PROMISED
    assert 500 <= len(held) < 1_900
    on = await turn(house, off=False)
    house.interrupted()
    await house.until_none(UNFINISHED)
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("D9")
    assert not verdict.violations
    assert verdict.states == {DELIVERED: 2_000}
    assert verdict.copies == {1: 2_000}
    between = [
        entry.at
        for entry in read_ledger("sms", await house.smsc.ledger())
        if off + PROMISED < entry.at < on - PROMISED
    ]
    assert not between
