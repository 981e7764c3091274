"""A contract's rate, shared over Redis by all workers, and kept by each alone while Redis is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from gateway.dispatch.limits import SLOT, Pace, RateLimit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AWAY = "unix:///nonexistent/socket"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
async def no_redis() -> AsyncIterator[Redis]:
    client = Redis.from_url(AWAY)
    yield client
    await client.aclose()


async def granted(limit: RateLimit, seconds: float, parts: int = 1) -> int:
    """How much a worker gets that asks without pause for so long."""
    count = 0

    async def ask() -> None:
        nonlocal count
        while True:
            await limit.take(parts)
            count += parts

    task = asyncio.create_task(ask())
    await asyncio.wait([task], timeout=seconds)
    assert not task.done(), task.exception()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return count


async def slots(redis: Redis, name: str) -> list[int]:
    """What was granted in each slot, all workers together."""
    keys = [key async for key in redis.scan_iter(f"tongda:rate:{name}:*")]
    return [int(await redis.get(key)) for key in keys]


@pytest.mark.parametrize(
    ("rate", "parts", "largest"), [(100, 1, 10), (100, 3, 3), (5, 1, 1), (4_000, 1, 400)]
)
def test_a_slice_is_what_one_slot_allows_and_at_least_one_message(rate, parts, largest):
    assert RateLimit(None, "x", rate).largest(parts) == largest


async def test_no_slot_takes_more_than_the_contract_however_many_workers_ask(redis: Redis):
    limits = [RateLimit(redis, "sms.live", 100) for _ in range(4)]
    counts = await asyncio.gather(*(granted(limit, 1.0) for limit in limits))
    # Ten slots or so of ten each: fewer on a busy machine, never more.
    assert sum(counts) <= 10 * (1.0 / SLOT + 2)
    assert sum(counts) >= 10


async def test_different_channels_and_modes_do_not_share(redis: Redis):
    one, other = RateLimit(redis, "sms.live", 10), RateLimit(redis, "sms.drill", 10)
    await one.take(1)
    await other.take(1)
    assert sorted(await slots(redis, "sms.live") + await slots(redis, "sms.drill")) == [1, 1]


async def test_a_message_that_is_larger_than_a_slot_passes_alone(redis: Redis):
    limit = RateLimit(redis, "sms.live", 10)
    await asyncio.wait_for(limit.take(5), 30)


@pytest.mark.parametrize(("rate", "parts", "most"), [(2, 1, 6), (20, 7, 63)])
async def test_a_contract_smaller_than_a_slot_or_a_message_is_kept_over_time(redis: Redis, rate, parts, most):
    limits = [RateLimit(redis, "sms.live", rate) for _ in range(2)]
    counts = await asyncio.gather(*(granted(limit, 2.0, parts) for limit in limits))
    # What two seconds allow, one message that is paid for afterwards, and the slot that was begun.
    assert parts <= sum(counts) <= most


async def test_a_silent_redis_is_not_asked_for_every_slice(monkeypatch):
    client = Redis.from_url(AWAY)
    limit, asked = RateLimit(client, "sms.live", 100), []

    async def silent(parts: dict[int, float]) -> float:
        asked.append(parts)
        raise TimeoutError

    async def known() -> None: ...

    monkeypatch.setattr(limit, "_add", silent)
    monkeypatch.setattr(limit, "_read_clock", known)
    for _ in range(3):
        await limit.take(10)
    assert len(asked) == 1
    await client.aclose()


async def test_its_keys_go_by_themselves(redis: Redis):
    await RateLimit(redis, "sms.live", 10).take(1)
    keys = [key async for key in redis.scan_iter("tongda:rate:*")]
    assert len(keys) == 1
    assert 0 < await redis.pttl(keys[0]) <= 2_000


async def test_without_redis_each_worker_keeps_to_its_share(no_redis: Redis):
    limits = [RateLimit(no_redis, "sms.live", 200, workers=4) for _ in range(4)]
    counts = await asyncio.gather(*(granted(limit, 1.0) for limit in limits))
    assert all(1 <= count <= 5 * (1.0 / SLOT + 2) for count in counts)


async def test_a_pace_that_was_cut_cuts_the_rate(redis: Redis):
    limit = RateLimit(redis, "sms.live", 100)
    limit.pace.share = 0.5
    assert await granted(limit, 1.0) <= 5 * (1.0 / SLOT + 2)


class TestAPace:
    def test_falls_once_for_a_burst_of_refusals(self):
        pace = Pace()
        for _ in range(50):
            pace.throttled(1.0)
        assert pace.share == pytest.approx(0.8)

    def test_never_falls_below_a_tenth_and_climbs_back_to_all(self):
        pace = Pace()
        for seconds in range(1, 40):
            pace.throttled(2.0**seconds)
            pace._held_until = 0.0
        assert pace.share == pytest.approx(0.1)
        for _ in range(60):
            pace.went_well()
        assert pace.share == pytest.approx(1.0)

    async def test_waits_as_long_as_the_provider_asked_but_never_over_a_minute(self):
        pace = Pace()
        loop = asyncio.get_running_loop()
        began = loop.time()
        pace.throttled(0.2)
        await pace.pause()
        assert loop.time() - began >= 0.19
        pace.throttled(1e9)
        assert pace._held_until <= loop.time() + 60
