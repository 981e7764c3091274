"""A release that is taken back or expires in the middle of sending."""

from __future__ import annotations

import pytest

from tests.faults.checker import DELIVERED, EXPIRED, SUPPRESSED
from tests.faults.harness import UNFINISHED, UNPROVEN, House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

ROUTE = {"rate": 400, "window": 60}


@pytest.mark.parametrize(("sent", "held"), [(200, 1_000), (1_000, 300), (1_800, 0)])
async def test_w4_nothing_leaves_for_the_first_time_once_a_cancel_has_taken_it_back(
    house: House, sent: int, held: int
):
    """W4: 2,000 messages at 400/s, cancelled after 10, 50 and 90 %; the Cancel itself reaches everybody."""
    await house.open(2_000, route=ROUTE, latency=0.1)
    await house.release("orange")
    house.reconciler()
    house.worker()
    await house.until_received(sent)
    await house.take_back()
    await house.until_none(UNFINISHED)
    await house.until_none(f"{UNPROVEN} + (SELECT count(*) FROM releases WHERE state = 'open')")
    verdict = await house.verdict("W4")
    assert not verdict.violations
    assert verdict.states[DELIVERED] >= 2_000 + sent
    assert verdict.states[SUPPRESSED] >= held


@pytest.mark.benchmark
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("share", [10, 50, 90])
async def test_w4_holds_for_a_town(house: House, share: int):
    """W4 as planned: 50,000 messages at 2,500/s, cancelled after 10, 50 and 90 %."""
    many, sent = 50_000, 500 * share
    await house.open(many, route={"rate": 2_500, "window": 200}, latency=0.05)
    await house.release("orange")
    house.reconciler()
    house.worker()
    house.worker()
    await house.until_received(sent)
    await house.take_back()
    await house.until_none(UNFINISHED)
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("W4")
    print(f"\n{share} %: {dict(verdict.states)}")  # noqa: T201 - the figure is what it is for
    assert not verdict.violations
    assert verdict.states[DELIVERED] >= 2 * sent
    assert verdict.states[SUPPRESSED] > 0 or share == 90


async def test_t3_nothing_leaves_for_the_first_time_after_the_expiry(house: House):
    """T3: 2,000 messages for a warning that holds for 12 s.

    Answers take a second, so that at the end a full window waits for its turn.
    """
    await house.open(2_000, route=ROUTE | {"rate": 2_000}, latency=1.0)
    house.reconciler()
    house.worker()
    await house.release("orange", valid=12)
    await house.until_none(UNFINISHED)
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("T3")
    assert not verdict.violations
    assert verdict.states[EXPIRED] > 1_000
    assert verdict.states[DELIVERED] > 200
