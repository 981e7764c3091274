"""A contract's rate, shared over Redis by all workers, and kept by each alone while Redis is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from gateway.dispatch.limits import CREDIT_SECONDS, Pace, RateLimit

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
    await limit.close()
    return count


@pytest.mark.parametrize(
    ("rate", "parts", "largest"), [(100, 1, 10), (100, 3, 3), (5, 1, 1), (4_000, 1, 400)]
)
def test_a_slice_is_what_the_credit_allows_and_at_least_one_message(rate, parts, largest):
    assert RateLimit(None, "x", rate).largest(parts) == largest


async def test_no_more_leaves_than_the_contract_however_many_workers_ask(redis: Redis):
    limits = [RateLimit(redis, "sms.live", 100) for _ in range(4)]
    counts = await asyncio.gather(*(granted(limit, 1.0) for limit in limits))
    # What one second allows and what may be caught up: fewer on a busy machine, never more.
    assert 10 <= sum(counts) <= 100 * (1.0 + CREDIT_SECONDS) + 2


@pytest.mark.parametrize(("rate", "parts"), [(50, 3), (100, 6), (70, 4), (30, 2), (10, 7)])
async def test_turns_follow_each_other_without_a_gap_whatever_a_message_costs(redis: Redis, rate, parts):
    limits = [RateLimit(redis, "sms.live", rate) for _ in range(2)]
    began = await turn_after(limits[0], redis, 0.0)
    for number in range(1, 20):
        moved = await turn_after(limits[number % 2], redis, parts / rate)
        assert moved == pytest.approx(began + number * parts / rate)


async def turn_after(limit: RateLimit, redis: Redis, seconds: float) -> float:
    """Queue up for so many seconds of the rate and return when the next turn begins."""
    await limit._queue_up(seconds)
    return float(await redis.get(limit._next))


async def test_different_channels_and_modes_do_not_share(redis: Redis):
    one, other = RateLimit(redis, "sms.live", 0.1), RateLimit(redis, "sms.drill", 0.1)
    assert await one._queue_up(10.0) == 0
    assert await other._queue_up(10.0) == 0
    assert await one._queue_up(10.0) > 0


@pytest.mark.parametrize(("rate", "parts", "most"), [(2, 1, 6), (20, 7, 63)])
async def test_a_contract_smaller_than_a_slice_or_a_message_is_kept_over_time(
    redis: Redis, rate, parts, most
):
    limits = [RateLimit(redis, "sms.live", rate) for _ in range(2)]
    counts = await asyncio.gather(*(granted(limit, 2.0, parts) for limit in limits))
    # What two seconds allow, and one message that is paid for afterwards.
    assert parts <= sum(counts) <= most


async def test_other_lanes_give_way_while_an_urgent_worker_sends(redis: Redis):
    urgent = RateLimit(redis, "sms.live", 1_000, urgent=True)
    normal = RateLimit(redis, "sms.live", 1_000)
    assert await normal._queue_up(0.01) is not None
    assert await urgent._queue_up(10.0) is not None
    assert await normal._queue_up(0.01) is None
    assert await urgent._queue_up(0.01) is not None


async def test_other_lanes_go_on_when_the_urgent_one_has_ended(redis: Redis):
    await RateLimit(redis, "sms.live", 1_000, urgent=True).take(1)
    await asyncio.wait_for(RateLimit(redis, "sms.live", 1_000).take(1), 30)


async def test_a_drill_gives_way_to_nobody_and_holds_nobody_up(redis: Redis):
    assert await RateLimit(redis, "sms.live", 1_000, urgent=True)._queue_up(10.0) is not None
    assert await RateLimit(redis, "sms.drill", 1_000)._queue_up(0.01) is not None


@pytest.mark.parametrize("key", ["_next", "_first"])
async def test_a_moment_from_before_the_clock_was_set_back_holds_nobody_up(redis: Redis, key):
    limit = RateLimit(redis, "sms.live", 100)
    seconds, _ = await redis.time()
    await redis.set(getattr(limit, key), repr(seconds + 3_600.0))
    assert await limit._queue_up(0.01) == 0


async def test_a_silent_redis_is_not_asked_for_every_slice(monkeypatch, no_redis: Redis):
    limit, asked = RateLimit(no_redis, "sms.live", 100), []

    async def silent(seconds: float) -> float:
        asked.append(seconds)
        raise TimeoutError

    monkeypatch.setattr(limit, "_queue_up", silent)
    for _ in range(3):
        await limit.take(10)
    assert len(asked) == 1


async def test_its_keys_go_by_themselves(redis: Redis):
    await RateLimit(redis, "sms.live", 10, urgent=True).take(1)
    keys = [key async for key in redis.scan_iter("tongda:rate:*")]
    assert len(keys) == 2
    for key in keys:
        assert 0 < await redis.pttl(key) <= 2_000


async def test_without_redis_each_worker_keeps_to_its_share(no_redis: Redis):
    limits = [RateLimit(no_redis, "sms.live", 200, workers=4) for _ in range(4)]
    counts = await asyncio.gather(*(granted(limit, 1.0) for limit in limits))
    assert all(1 <= count <= 50 * (1.0 + CREDIT_SECONDS) + 2 for count in counts)


async def test_a_pace_that_was_cut_cuts_the_rate(redis: Redis):
    limit = RateLimit(redis, "sms.live", 100)
    limit.pace.share = 0.5
    assert await granted(limit, 1.0) <= 50 * (1.0 + CREDIT_SECONDS) + 2


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
        for _ in range(200):
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
