"""Rates by contract, shared by all workers: parts a second of one channel and one set of credentials.

Time is cut into slots on Redis' own clock, each long enough for one part; a worker reserves parts
in the slot with one INCRBYFLOAT and waits for the next slot where it is full. A message larger
than a slot passes alone and is paid for in the slots after it. Plain commands only, so the Redis
user needs no scripting right. While Redis is away each worker keeps to its own share.
A provider that still answers "too fast" makes the worker slow down by itself (:class:`Pace`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger(__name__)

SLOT = 0.1
"""Seconds of one slot, where the contract allows a part or more in it; else a slot holds one part."""
AWAY_SECONDS = 5.0
"""How long Redis is left alone after it did not answer: no slice may wait for it again and again."""
LONGEST_PAUSE = 60.0
"""Seconds after which a provider that asked for a longer pause is tried again all the same."""
_CLOCK_SECONDS = 10.0
_KEEP_MS = 2_000


class Pace:
    """How much of the contract's rate a provider really takes: falls on throttling, recovers slowly."""

    def __init__(self) -> None:
        """Begin at the full rate."""
        self.share = 1.0
        self._held_until = 0.0

    def throttled(self, after: float) -> None:
        """The provider refused because we were too fast, and asks for a pause of ``after`` seconds."""
        pause = min(after, LONGEST_PAUSE)
        held = time.monotonic() + pause
        if held - self._held_until > pause / 2:
            self.share = max(0.1, self.share * 0.8)
        self._held_until = max(self._held_until, held)

    def went_well(self) -> None:
        """A slice went out without a refusal."""
        self.share = min(1.0, self.share + 0.015)

    async def pause(self) -> None:
        """Wait until the provider's pause is over."""
        await asyncio.sleep(max(0.0, self._held_until - time.monotonic()))


class RateLimit:
    """The contract of one channel and mode."""

    def __init__(self, redis: Redis, name: str, rate: float, *, workers: int = 1) -> None:
        """``rate`` in parts a second; ``workers`` share it while Redis is away."""
        self._redis = redis
        self._name = name
        self._rate = rate
        self._workers = max(1, workers)
        self._offset = 0.0
        self._clock_read = -_CLOCK_SECONDS
        self._slot = max(SLOT, 1 / rate)
        self._keep_ms = int(max(_KEEP_MS, 2_000 * self._slot))
        self._away_until = 0.0
        self._free_at = 0.0
        self.pace = Pace()

    def largest(self, parts: int) -> int:
        """Return how many messages of ``parts`` parts fit into one slot; at least one."""
        return max(1, int(self._rate * self._slot / parts))

    async def take(self, parts: int) -> None:
        """Wait until the contract allows ``parts`` more."""
        await self.pace.pause()
        while not await self._reserve(parts):
            now = time.time() + self._offset
            await asyncio.sleep(self._slot - now % self._slot + 0.001)

    async def _reserve(self, parts: int) -> bool:
        if time.monotonic() < self._away_until:
            return self._reserve_alone(parts)
        try:
            await self._read_clock()
            return await self._reserve_shared(parts)
        except (RedisError, OSError) as error:
            log.warning("rate limit without Redis", channel=self._name, error=type(error).__name__)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return self._reserve_alone(parts)

    async def _reserve_shared(self, parts: int) -> bool:
        slot = int((time.time() + self._offset) / self._slot)
        allowed = self._rate * self._slot * self.pace.share
        total = await self._add({slot: parts})
        if total <= allowed:
            return True
        if total > parts:
            return False
        owed = parts - allowed
        debts: dict[int, float] = {}
        while owed > 0:
            debts[slot + len(debts) + 1] = min(owed, allowed)
            owed -= allowed
        await self._add(debts)
        return True

    async def _add(self, parts: dict[int, float]) -> float:
        """Add parts to slots and return what is in the first of them."""
        first = min(parts)
        async with self._redis.pipeline(transaction=False) as pipe:
            for slot, count in parts.items():
                key = f"tongda:rate:{self._name}:{slot}"
                pipe.incrbyfloat(key, count)
                pipe.pexpire(key, self._keep_ms + int((slot - first) * self._slot * 1000))
            return float((await pipe.execute())[0])

    def _reserve_alone(self, parts: int) -> bool:
        now = time.monotonic()
        if now < self._free_at:
            return False
        cost = parts * self._workers / (self._rate * self.pace.share)
        self._free_at = max(self._free_at, now - self._slot) + cost
        return True

    async def _read_clock(self) -> None:
        if time.monotonic() - self._clock_read > _CLOCK_SECONDS:
            seconds, microseconds = await self._redis.time()
            self._offset = seconds + microseconds / 1e6 - time.time()
            self._clock_read = time.monotonic()
