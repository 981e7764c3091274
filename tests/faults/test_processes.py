"""Workers, reconcilers and everything else of ours is killed or frozen in the middle of sending."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.checker import DELIVERED, SUPPRESSED
from tests.faults.harness import TRIED, UNFINISHED, UNPROVEN, House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

ROUTE = {"rate": 400, "window": 60}
LATENCY = 0.1
"""Seconds before the provider answers, so that at any moment some forty messages are under way."""


async def test_a1_a_worker_that_is_killed_at_random_again_and_again_loses_nothing(house: House):
    """A1: 6,000 messages at 400/s, and a SIGKILL at a random moment after each 400 attempts or so."""
    await house.open(6_000, responsible=100, route=ROUTE, latency=LATENCY)
    await house.release("orange")
    house.reconciler()
    kills = 0
    while (await house.number(TRIED) or 0) < 5_000:
        worker = house.worker()
        before = await house.number(TRIED) or 0
        await house.until_tried(before + 100)
        await asyncio.sleep(house.chance.uniform(0.0, 1.5))
        worker.kill()
        house.interrupted()
        kills += 1
    house.worker()
    await house.until_none(UNPROVEN)
    verdict = await house.verdict(f"A1 ({kills} kills)")
    assert not verdict.violations
    assert kills >= 5
    doubled = verdict.copies[2]
    assert doubled <= verdict.ambiguous <= kills * 2 * ROUTE["window"]


CROWDED = {"rate": 2_000, "window": 60}
"""With an answer after 0.2 s the window is always full, and as many messages wait before it."""


async def test_a3_a_worker_that_thaws_after_its_lease_sends_nothing_more(house: House):
    """A3: 3,000 messages at 300/s; the first worker is frozen past its lease of 3 s, then thawed."""
    await house.open(3_000, route=CROWDED, latency=0.2, receipts=False)
    await house.release("orange")
    house.reconciler()
    frozen = house.worker()
    await house.until_tried(600)
    frozen.freeze()
    await house.until_some("SELECT count(*) FROM attempts WHERE code = 'lease lost'")
    house.worker()
    await house.until_none(UNFINISHED)
    before = (await house.smsc.stats())["ledger"]
    frozen.thaw()
    await house.until_logged(frozen, "lease lost")
    assert await frozen.stop() == 0
    after = (await house.smsc.stats())["ledger"]
    verdict = await house.verdict(f"A3 ({after - before} sent after the thaw)")
    assert not verdict.violations
    assert after - before == 0
    doubtful = {row["delivery_id"] for row in verdict.case.tables["attempts"] if row["code"] == "lease lost"}
    doubled = {delivery for delivery, entries in verdict.case.received.items() if len(entries) > 1}
    assert doubled <= doubtful
    assert 0 < len(doubtful) <= 2 * CROWDED["window"]


async def test_a3_a_worker_that_thaws_after_a_cancel_sends_nothing_of_what_was_taken_back(house: House):
    """A3: 3,000 messages at 300/s; frozen after 600, cancelled meanwhile, thawed 4 s later."""
    await house.open(3_000, route=CROWDED, latency=0.2)
    await house.release("orange")
    house.reconciler()
    frozen = house.worker()
    await house.until_tried(600)
    frozen.freeze()
    await house.take_back()
    await asyncio.sleep(4.0)
    frozen.thaw()
    await house.until_logged(frozen, "lease lost")
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("A3 cancelled")
    assert not verdict.violations
    assert verdict.states[SUPPRESSED] > 1_000
    assert verdict.states[DELIVERED] >= 3_000 + 600


async def test_a4_everything_killed_at_once_three_times_loses_nothing(house: House):
    """A4: 6,000 messages; worker, reconciler, PostgreSQL and Valkey die together at 25, 50 and 75 %."""
    await house.open(6_000, route=ROUTE | {"rate": 600}, latency=LATENCY)
    await house.release("orange")
    for share in (0.25, 0.5, 0.75):
        ours = house.reconciler(), house.worker()
        await house.until_received(int(6_000 * share))
        for process in ours:
            process.kill()
        await asyncio.to_thread(kill_servers, house)
        await asyncio.to_thread(house.servers.start)
        house.interrupted()
    house.reconciler()
    house.worker()
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("A4 (3 times everything)")
    assert not verdict.violations
    assert verdict.copies[2] <= verdict.ambiguous <= 3 * 2 * ROUTE["window"]


def kill_servers(house: House) -> None:
    house.servers.postgres.kill()
    house.servers.valkey.kill()
