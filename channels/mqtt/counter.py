"""The counter of commands: rises for ever, without a store, over restarts and processes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Counter:
    """Gives the time in microseconds since 1970, or one more than the last where the clock stood still.

    A terminal takes a command only if its counter is above the last one it took. Time as the
    counter needs no store and no agreement between worker processes: a later command of any
    process has a higher counter as long as the clocks of the hosts agree (NTP).
    It fits in the 53 bits of a JSON number until the year 2255.

    Where the clock is set back while a process runs, its counter goes on rising by one.
    A process that starts after such a step gives lower counters than before: the terminals
    answer ``failed`` with code ``counter`` until the clock has caught up. Where a clock ran
    ahead and was corrected, the route setting ``counter_lead`` bridges the gap.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Begin at the present time of ``clock_ns``."""
        self._clock_ns = clock_ns
        self._last = 0

    def next(self, lead: float = 0.0) -> int:
        """Return a counter above all earlier ones; ``lead`` is added, in seconds."""
        self._last = max(self._last + 1, self._clock_ns() // 1000 + int(lead * 1_000_000))
        return self._last
