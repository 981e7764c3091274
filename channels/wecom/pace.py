"""The vendor's limit for each robot, kept inside one worker process."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Final

WINDOW: Final = 61.0
"""Seconds: the vendor counts a minute; one more covers the travel time of what we sent before."""


class Pace:
    """Hands out moments to send, at most ``limit`` for each key in any :data:`WINDOW`.

    Other worker processes have a pace of their own; what they use up shows as a throttle
    of the vendor, which :meth:`hold` turns into silence of this key.

    Args:
        limit: messages for each key and minute.
        patience: seconds that a message may wait for its moment; beyond that it is refused.
    """

    def __init__(self, limit: int, patience: float) -> None:
        """Begin with every moment free."""
        self._limit = limit
        self._patience = patience
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)
        self._held: dict[str, float] = {}

    def take(self, key: str, now: float) -> tuple[bool, float]:
        """Return (True, seconds to wait) with the moment taken, or (False, seconds until there is one)."""
        taken = self._taken[key]
        while taken and taken[0] <= now - WINDOW:
            taken.popleft()
        moment = max(now, self._held.get(key, now))
        if len(taken) >= self._limit:
            moment = max(moment, taken[-self._limit] + WINDOW)
        wait = moment - now
        if wait > self._patience:
            return False, wait
        taken.append(moment)
        return True, wait

    def give_back(self, key: str) -> None:
        """Return the latest moment of a key: nothing was sent in it."""
        if self._taken[key]:
            self._taken[key].pop()

    def hold(self, key: str, seconds: float, now: float) -> None:
        """Let no message of this key out for so many seconds."""
        self._held[key] = now + seconds
