"""How many requests a key, and how many failures an address, may make in a minute.

Counted in Redis, for all web processes together: one INCR and one EXPIRE NX. While Redis is away
each process counts by itself, to a quarter of the limit: never without any, never nobody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import structlog
from redis.exceptions import RedisError

from gateway.partners.refused import PartnerRefused

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from gateway.clock import Clock

log = structlog.get_logger(__name__)

WINDOW = 60
"""Seconds of a window; windows begin at whole minutes."""
FAILURES = 30
"""Requests without a good key or signature that an address may send in a window."""
AWAY_SECONDS = 5.0
"""How long Redis is left alone after it did not answer."""
ANSWERS_WITHIN = 0.5

_ALONE_SHARE = 4
_MOST_NAMES = 10_000


class Spent(NamedTuple):
    """What is left of a limit."""

    name: str
    limit: int
    left: int
    """Below 0: it is exceeded."""
    reset: int
    """Seconds until the next window."""

    @property
    def headers(self) -> dict[str, str]:
        """The fields RateLimit-Policy and RateLimit of the IETF's draft."""
        return {
            "RateLimit-Policy": f'"{self.name}";q={self.limit};w={WINDOW}',
            "RateLimit": f'"{self.name}";r={max(0, self.left)};t={self.reset}',
        }


class Rates:
    """Counts."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        """Begin without any count of our own."""
        self._redis = redis
        self._clock = clock
        self._away_until = float("-inf")
        self._window = 0
        self._alone: dict[str, int] = {}

    async def spend(self, name: str, who: str, limit: int, cost: int = 1) -> Spent:
        """Count ``cost`` requests of ``who`` and return what is left.

        Args:
            name: what is limited: ``push``, ``read`` or ``failures``.
            who: a key's number, or an address.
            limit: in a window.
            cost: of this request.
        """
        now = self._clock.now().timestamp()
        window, reset = int(now // WINDOW), WINDOW - int(now % WINDOW)
        key = f"tongda:partner:{name}:{who}:{window}"
        count = await self._in_redis(key, cost)
        if count is None:
            limit = max(cost, limit // _ALONE_SHARE)
            count = self._by_ourselves(key, window, cost)
        return Spent(name, limit, limit - count, reset)

    async def _in_redis(self, key: str, cost: int) -> int | None:
        if self._clock.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(ANSWERS_WITHIN), self._redis.pipeline(transaction=False) as pipeline:
                pipeline.incrby(key, cost)
                pipeline.expire(key, 2 * WINDOW, nx=True)
                count, _ = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("partner limits without Redis", error=type(error).__name__)
            self._away_until = self._clock.monotonic() + AWAY_SECONDS
            return None
        return int(count)

    def _by_ourselves(self, key: str, window: int, cost: int) -> int:
        if window != self._window:
            self._window, self._alone = window, {}
        if len(self._alone) >= _MOST_NAMES:  # strangers have many addresses; what keys have spent stays
            self._alone = {name: count for name, count in self._alone.items() if ":failures:" not in name}
        self._alone[key] = self._alone.get(key, 0) + cost
        return self._alone[key]


def refuse_if_over(spent: Spent) -> None:
    """Raise PartnerRefused with status 429 where a limit is exceeded."""
    if spent.left < 0:
        words = f"more than {spent.limit} requests ({spent.name}) within {WINDOW} s: wait {spent.reset} s"
        refused = PartnerRefused(429, "too_many", words)
        refused.headers |= spent.headers | {"Retry-After": str(spent.reset)}
        raise refused
