"""Rates by contract, shared by all workers: parts a second of one channel and one set of credentials.

Workers queue on one number in Redis: the moment, on Redis' own clock, at which the next part may
leave. Who wants to send so many parts takes that moment as its turn, moves it on by the time that
the parts take at the contract's rate, and waits for its turn. What nobody used is gone, but for
:data:`CREDIT_SECONDS` of it. Plain commands only (WATCH, MULTI), so the Redis user needs no
scripting right. While Redis is away each worker keeps to its own share.

The urgent lane goes first: while one of its workers waits or sends, the other lanes of the same
contract take no turn (:data:`URGENT_SECONDS`).
A provider that still answers "too fast" makes the worker slow down by itself (:class:`Pace`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from redis.exceptions import RedisError, WatchError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

T = TypeVar("T")

log = structlog.get_logger(__name__)

CREDIT_SECONDS = 0.1
"""What was not used of the rate may be caught up for so long; bounds a burst, and sizes a slice."""
URGENT_SECONDS = 0.5
"""How long after an urgent worker's turn the other lanes still give way to its next one."""
AWAY_SECONDS = 5.0
"""How long Redis is left alone after it did not answer: no slice may wait for it again and again."""
KEPT_MS = 1_000
"""How long a moment that is over stays in Redis."""
LONGEST_PAUSE = 60.0
"""Seconds after which a provider that asked for a longer pause is tried again all the same."""


CLIMB = 0.005
"""What a slice that went out whole adds to the share of the rate: each climb past what the provider
takes costs refusals, so climbs are slow."""


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
        self.share = min(1.0, self.share + CLIMB)

    async def pause(self) -> None:
        """Wait until the provider's pause is over."""
        await asyncio.sleep(max(0.0, self._held_until - time.monotonic()))


class RateLimit:
    """The contract of one channel and mode."""

    def __init__(
        self, redis: Redis, name: str, rate: float, *, workers: int = 1, urgent: bool = False
    ) -> None:
        """``rate`` in parts a second; ``workers`` share it while Redis is away; ``urgent`` goes first."""
        self._redis = redis
        self._name = name
        self._rate = rate
        self._workers = max(1, workers)
        self._urgent = urgent
        self._next = f"tongda:rate:{name}:next"
        self._first = f"tongda:rate:{name}:urgent"
        self._away_until = 0.0
        self._next_alone = 0.0
        self._asking = asyncio.Lock()
        self.pace = Pace()

    def largest(self, parts: int) -> int:
        """Return how many messages of ``parts`` parts make a slice; at least one."""
        return max(1, int(self._rate * CREDIT_SECONDS / parts))

    async def take(self, parts: int) -> None:
        """Wait until the contract allows ``parts`` more."""
        await self.pace.pause()
        while (wait := await self._queue(parts / (self._rate * self.pace.share))) is None:  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(CREDIT_SECONDS / 2)
        await asyncio.sleep(wait)

    async def close(self) -> None:
        """Wait for the exchange with Redis that is under way, so that its client can be closed."""
        async with self._asking:
            pass

    async def _queue(self, seconds: float) -> float | None:
        if time.monotonic() >= self._away_until:
            try:
                return await _whole(self._queue_up(seconds))
            except (RedisError, OSError) as error:
                log.warning("rate limit without Redis", channel=self._name, error=type(error).__name__)
                self._away_until = time.monotonic() + AWAY_SECONDS
        return self._queue_alone(seconds)

    async def _queue_up(self, seconds: float) -> float | None:
        """Take a turn among all workers and return the seconds until it, or None to give way."""
        async with self._asking, self._redis.pipeline() as pipe:
            while True:
                try:
                    return await self._try_turn(pipe, seconds)
                except WatchError:
                    continue

    async def _try_turn(self, pipe: Pipeline, seconds: float) -> float | None:
        await pipe.watch(self._next)
        told, urgent = await pipe.mget(self._next, self._first)
        now = _seconds(await pipe.time())
        if not self._urgent and self._ahead(urgent, now, seconds) > now:
            return None
        turn = max(self._ahead(told, now, seconds), now - CREDIT_SECONDS)
        ends = turn + seconds
        pipe.multi()  # type: ignore[no-untyped-call]
        self._note(pipe, self._next, ends, now)
        if self._urgent:
            self._note(pipe, self._first, max(ends, now) + URGENT_SECONDS, now)
        await pipe.execute()
        return max(0.0, turn - now)

    def _ahead(self, told: bytes | str | None, now: float, seconds: float) -> float:
        """Return a moment that was noted; one too far ahead was noted before the clock was set back."""
        moment = float(told or 0.0)
        return moment if moment - now <= max(LONGEST_PAUSE, 4 * self._workers * seconds) else 0.0

    @staticmethod
    def _note(pipe: Pipeline, key: str, moment: float, now: float) -> None:
        pipe.set(key, repr(moment), px=int((moment - now) * 1000) + KEPT_MS)

    def _queue_alone(self, seconds: float) -> float:
        now = time.monotonic()
        turn = max(self._next_alone, now - CREDIT_SECONDS)
        self._next_alone = turn + seconds * self._workers
        return max(0.0, turn - now)


async def _whole(asking: Coroutine[Any, Any, T]) -> T:
    """Let an exchange with Redis come to its end though we be cancelled: its client loses cancellations."""
    task = asyncio.create_task(asking)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return await asyncio.shield(task)


def _seconds(told: tuple[int, int]) -> float:
    seconds, microseconds = told
    return seconds + microseconds / 1e6
