"""How often and how many at once: turns at a host, jitter, back-off, and what ``Retry-After`` asks."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

AT_ONCE = 4
"""Requests under way at one host, whichever sources they serve."""
LONGEST_WAIT = 3600.0
"""Seconds that a source may ask us to stay away."""
_LONGEST_PAUSE = 900.0
_MOST_INTERVALS = 10
_JITTER = 0.1
_FIRST_RETRY, _LONGEST_RETRY = 1.0, 60.0
_MOST_DOUBLINGS = 20


class Pace:
    """Turns at each host, shared by all clients of a process."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        """Allow so many requests at once."""
        self._at_once = at_once
        self._hosts: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        """Wait for one of the turns at a host."""
        async with self._hosts.setdefault(host, asyncio.Semaphore(self._at_once)):
            yield


def jittered(seconds: float) -> float:
    """Return the seconds within 10 %, so that sources are not all asked in the same moment."""
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - not a secret


def poll_pause(interval: float, failures: int, retry_after: float | None = None) -> float:
    """Return the seconds to the next poll, without jitter.

    After failures it doubles, up to 10 intervals or 15 minutes; a source may ask for up to an hour.
    """
    pause = interval
    if failures:
        doubled = interval * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)
        pause = min(doubled, interval * _MOST_INTERVALS, _LONGEST_PAUSE)
    return max(pause, min(retry_after or 0.0, LONGEST_WAIT))


def reconnect_pause(failures: int) -> float:
    """Return the seconds to the next try of a stream, anywhere between nothing and a bound that doubles."""
    bound = min(_FIRST_RETRY * 2.0 ** min(failures, _MOST_DOUBLINGS), _LONGEST_RETRY)
    return random.uniform(bound / 10, bound)  # noqa: S311 - not a secret


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that ``Retry-After`` asks (RFC 9110, 10.2.3), bounded; None if unreadable."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        asked = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    zoned = asked if asked.tzinfo else asked.replace(tzinfo=UTC)
    return min(max((zoned - now).total_seconds(), 0.0), LONGEST_WAIT)
