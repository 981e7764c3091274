"""The one clock. Whatever needs the time takes a :class:`Clock`, so that tests can turn it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time of day and measures intervals."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that only rise, for intervals; not comparable between processes."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that only rise."""
        return time.monotonic()


class HandClock:
    """A clock that stands still until somebody moves it: for tests and rehearsals.

    Args:
        start: the time of day it shows first; must be aware.
    """

    def __init__(self, start: datetime) -> None:
        """Show ``start`` and stand still."""
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware time: add a time zone")
        self._now = start.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return the time of day it shows."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it was advanced in all."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move forward; a negative number is refused, since clocks do not run back."""
        if seconds < 0:
            raise ValueError("a clock does not run back")
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


SYSTEM = SystemClock()
"""What the program uses unless told otherwise."""
