"""The doorbell is lost, emptied, or rung by somebody who dies: the database still knows everything."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
import redis

from gateway.dispatch import reconciler as reconciling
from gateway.dispatch.queues import Doorbells
from gateway.dispatch.reconciler import Reconciler
from gateway.store.database import Database
from tests.faults.harness import UNPROVEN, House

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]

ROUTE = {"rate": 500, "window": 20}


async def test_b1_a_valkey_that_is_emptied_or_killed_with_its_data_costs_nothing(house: House):
    """B1: 8,000 messages at 500/s; by turns FLUSHALL, and SIGKILL with the data deleted, 8 times."""
    await house.open(8_000, route=ROUTE)
    await house.release("orange")
    house.reconciler()
    house.worker()
    for step in range(1, 9):
        await house.until_tried(step * 800)
        await asyncio.to_thread(empty if step % 2 else ruin, house)
        house.interrupted()
    await house.until_none(UNPROVEN)
    verdict = await house.verdict("B1 (4 times emptied, 4 times killed)")
    assert not verdict.violations
    assert verdict.copies == {1: 8_000}
    assert verdict.ambiguous == 0


def empty(house: House) -> None:
    with redis.Redis.from_url(house.servers.valkey.url) as client:
        client.flushall()


def ruin(house: House) -> None:
    """Kill the server, delete what it kept, start it anew."""
    valkey = house.servers.valkey
    valkey.kill()
    shutil.rmtree(valkey.data)
    valkey.start()


class CrashError(Exception):
    """The process ends here."""


class Fragile(Doorbells):
    """Rings, but its process mostly dies just before or just after."""

    def __init__(self, redis_url: str, chance: random.Random) -> None:
        super().__init__(redis_url)
        self.chance = chance
        self.before = self.after = 0

    def ring(self, queue: str, batches: Iterable[int], *, first: bool = False) -> None:
        if self.chance.random() < 0.8:
            self.before += 1
            raise CrashError
        super().ring(queue, batches, first=first)
        if self.chance.random() < 0.8:
            self.after += 1
            raise CrashError


async def test_b3_a_relay_that_dies_before_or_after_ringing_neither_loses_nor_doubles(
    house: House, monkeypatch: pytest.MonkeyPatch
):
    """B3: 4,000 messages in 20 batches, each rung by itself; the relay dies some 500 times on the way."""
    await house.open(4_000, route={"rate": 100, "window": 100})
    await house.release("orange")
    monkeypatch.setattr(reconciling, "_RINGS", 1)
    crashes = 0
    async with Database(house.url, size=2) as database:
        relay = Reconciler(database, house.servers.valkey.narrow_url)
        relay._bells.close()
        relay._bells = bells = Fragile(house.servers.valkey.narrow_url, house.chance)
        while await house.number("SELECT count(*) FROM outbox"):
            try:
                await relay.relay()
            except CrashError:
                crashes += 1
        bells.close()
    assert bells.before > 200
    assert bells.after > 30
    assert crashes == bells.before + bells.after
    house.given["channels"]["sms"]["live"]["rate"] = 2_000
    house.worker()
    await house.until_none(UNPROVEN)
    verdict = await house.verdict(f"B3 ({bells.before} deaths before the ring, {bells.after} after)")
    assert not verdict.violations
    assert verdict.copies == {1: 4_000}
