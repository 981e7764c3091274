"""Providers that drop answers, throttle, and report in every wrong way."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.checker import ACCEPTED, DELIVERED, EXPIRED, REJECTED, UNKNOWN
from tests.faults.harness import UNFINISHED, UNPROVEN, House

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

DROPPING = {"rate": 2_000, "window": 100, "timeout": 1.5}


async def test_d1_an_orange_alert_whose_answers_are_dropped_is_sent_once_more_and_never_unknown(
    house: House,
):
    """D1, first half: 3,000 messages, 5 % of the answers to first copies are dropped."""
    await house.open(3_000, route=DROPPING, drop=0.05)
    await house.release("orange")
    house.reconciler()
    house.worker()
    await house.until_received(3_000)
    await house.smsc.change(drop=0)
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("D1 orange")
    assert not verdict.violations
    assert verdict.states == {DELIVERED: 3_000}
    assert verdict.copies == {1: 3_000 - verdict.ambiguous, 2: verdict.ambiguous}
    assert 75 <= verdict.ambiguous <= 300


async def test_d1_a_blue_alert_whose_answers_are_dropped_is_sent_once_and_unknown_where_they_were(
    house: House,
):
    """D1, second half: 3,000 messages without receipts; unknown is exactly what was not answered."""
    await house.open(3_000, route=DROPPING, drop=0.05, receipts=False)
    await house.release("blue")
    house.reconciler()
    house.normal_worker()
    await house.until_none(UNFINISHED)
    verdict = await house.verdict("D1 blue")
    assert not verdict.violations
    assert verdict.copies == {1: 3_000}
    dropped = {
        delivery
        for delivery, entries in verdict.case.received.items()
        if entries[0].ref not in verdict.case.refs(delivery)
    }
    unknown = {number for number, row in verdict.case.deliveries.items() if row["state"] == UNKNOWN}
    assert unknown == dropped
    assert 75 <= len(unknown) <= 300
    assert verdict.states == {UNKNOWN: len(unknown), ACCEPTED: 3_000 - len(unknown)}


THROTTLE = 200


async def test_d3_a_provider_that_throttles_is_used_nearly_to_its_limit_and_seldom_refuses(house: House):
    """D3: 4,000 messages to a provider that takes 200/s and was said to take 400/s."""
    await house.open(4_000, route={"rate": 400, "window": 20}, throttle_above=THROTTLE)
    await house.release("orange")
    house.reconciler()
    house.worker()
    await house.until_none(UNPROVEN)
    stats = await house.smsc.stats()
    verdict = await house.verdict(f"D3 ({stats['refused']} of {stats['submitted']} refused)")
    assert not verdict.violations
    assert verdict.copies == {1: 4_000}
    times = sorted(entry.at for entries in verdict.case.received.values() for entry in entries)
    seconds = (times[3_600] - times[400]).total_seconds()
    house.tell(f"D3 used {3_200 / seconds / THROTTLE:.0%}")
    assert stats["refused"] <= 0.05 * stats["submitted"]
    assert 3_200 / seconds >= 0.9 * THROTTLE


async def test_d4_receipts_in_every_disorder_end_in_the_states_of_the_ledger(house: House):
    """D4: 5,000 messages; receipts doubled, reordered, early, in another base, 10 % missing, 5 % foreign."""
    await house.open(
        5_000,
        responsible=200,
        route={"rate": 2_000, "window": 100, "id_form": "hex-decimal"},
        response_ids="hex",
        receipt_early=True,
        receipt_reorder=True,
        receipt_duplicate=0.3,
        receipt_missing=0.1,
        receipt_foreign=0.05,
        states={"DELIVRD": 0.9, "UNDELIV": 0.07, "EXPIRED": 0.03},
    )
    await house.release("orange")
    house.reconciler()
    house.worker()
    await house.until_none(UNFINISHED)
    await house.until_quiet("SELECT count(*) FROM receipts")
    verdict = await house.verdict("D4")
    assert not verdict.violations
    assert verdict.copies == {1: 5_000}
    told = verdict.case.receipts
    silent = {number for number in verdict.case.deliveries if not told[number]}
    assert 350 <= len(silent) <= 650
    assert all(verdict.case.deliveries[number]["state"] == ACCEPTED for number in silent)
    assert verdict.states[DELIVERED] > 3_500
    assert verdict.states[REJECTED] > 100
    assert verdict.states[EXPIRED] > 50
    parked = verdict.case.tables["parked_receipts"]
    assert len(parked) > 100
    assert all(int(row["ref"]) > 900_000_000 for row in parked)


async def test_d4_receipts_that_come_after_the_closing_still_count(house: House):
    """D4, late: 1,000 messages whose receipts come when the release has been closed."""
    await house.open(1_000, route={"rate": 2_000, "window": 100}, receipt_delay=3.0)
    await house.release("orange")
    house.worker()
    house.reconciler()
    await house.until_none(UNFINISHED)
    assert await house.number("UPDATE releases SET state = 'closed' RETURNING id")
    assert await house.number("SELECT count(*) FROM deliveries WHERE state = 5")
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("D4 late")
    assert not verdict.violations
    assert verdict.states == {DELIVERED: 1_000}


async def test_d4_a_reference_that_the_provider_gives_twice_proves_each_message_once(house: House):
    """D4, reused: 2,000 messages at 400/s; half-way the provider counts its references from 1 again."""
    await house.open(2_000, route={"rate": 400, "window": 20})
    await house.release("orange")
    house.reconciler()
    house.worker()
    await house.until_received(1_000)
    await house.smsc.change(last_id=0)
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("D4 reused")
    assert not verdict.violations
    assert verdict.copies == {1: 2_000}
    refs = Counter(entry.ref for entries in verdict.case.received.values() for entry in entries)
    assert Counter(refs.values())[2] > 500
    told = verdict.case.receipts
    assert {len(told[number]) for number in verdict.case.deliveries} == {1}
