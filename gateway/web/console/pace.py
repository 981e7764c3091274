"""How fast a release goes: deliveries settled in each second, told from the counters as they were seen."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from gateway.store.database import Database

SPAN = 10.0
"""Seconds over which a rate is taken."""
_SHORTEST = 1.0
_KEPT = 64


class Seen(NamedTuple):
    """How many deliveries of each channel were settled at a moment."""

    at: datetime
    settled: Mapping[str, int]


class Pace:
    """What was seen of each release lately."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._seen: collections.OrderedDict[int, collections.deque[Seen]] = collections.OrderedDict()

    def note(self, release: int, seen: Seen) -> dict[str, float]:
        """Remember what is seen and return deliveries per second by channel; empty at the first look."""
        looks = self._seen.setdefault(release, collections.deque())
        self._seen.move_to_end(release)
        while len(self._seen) > _KEPT:
            self._seen.popitem(last=False)
        if not looks or (seen.at - looks[-1].at).total_seconds() >= _SHORTEST:
            looks.append(seen)
        while len(looks) > 1 and (seen.at - looks[1].at).total_seconds() >= SPAN:
            looks.popleft()
        return _rates(looks[0], seen)


def _rates(first: Seen, last: Seen) -> dict[str, float]:
    seconds = (last.at - first.at).total_seconds()
    if not _SHORTEST <= seconds <= 2 * SPAN:  # a look of long ago says nothing of this moment
        return {}
    return {
        channel: max(0, settled - first.settled.get(channel, 0)) / seconds
        for channel, settled in last.settled.items()
    }


_PACES: WeakKeyDictionary[Database, Pace] = WeakKeyDictionary()


def pace(database: Database) -> Pace:
    """Return what this process has seen of a database's releases."""
    return _PACES.setdefault(database, Pace())
