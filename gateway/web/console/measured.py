"""Coverage in people, which is dear for a large release: measured aside, one release at a time, and kept."""

from __future__ import annotations

import asyncio
import collections
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from gateway.coverage import coverage

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.coverage import Coverage
    from gateway.store.database import Database

KEPT_SECONDS = 10.0
"""A measurement is shown for so long, with its time, before the next one."""
DEAR = 10.0
"""And for so many times as long as it took, so that measuring takes a tenth of the database at most."""
KEPT = 32
"""Releases whose last measurement a process keeps."""


class _Kept(NamedTuple):
    coverage: Coverage
    until: float


class Measured:
    """The latest measurements of one database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Begin with none."""
        self._database, self._clock = database, clock
        self._kept: collections.OrderedDict[int, _Kept] = collections.OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, release: int) -> Coverage:
        """Return the coverage of a release; its head says when it was measured.

        While another measurement runs, the last one of this release is returned where there is one.

        Raises:
            ReleaseUnknown: there is no such release.
        """
        kept = self._kept.get(release)
        if kept and (self._lock.locked() or self._now() < kept.until):
            return kept.coverage
        async with self._lock:
            kept = self._kept.get(release)
            if kept and self._now() < kept.until:
                return kept.coverage
            return await self._measure(release)

    async def _measure(self, release: int) -> Coverage:
        began = self._now()
        found = await coverage(self._database, release, self._clock)
        took = self._now() - began
        self._kept[release] = _Kept(found, self._now() + max(KEPT_SECONDS, DEAR * took))
        self._kept.move_to_end(release)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


_MEASURED: WeakKeyDictionary[Database, Measured] = WeakKeyDictionary()


def measured(database: Database, clock: Clock) -> Measured:
    """Return the measurements that this process keeps of a database."""
    if database not in _MEASURED:
        _MEASURED[database] = Measured(database, clock)
    return _MEASURED[database]
