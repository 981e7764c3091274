"""The drill that runs: every page says so, and asks the database for it every two seconds at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from gateway.desk import drills

if TYPE_CHECKING:
    from gateway.store.drills import Drill
    from gateway.web.console.parts import Console

KEPT_SECONDS = 2.0


class Running:
    """What one process knows of it."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.drill: Drill | None = None
        self._read: float | None = None
        self._steps = 0

    async def look(self, console: Console) -> None:
        """Read it anew where that was not done a moment ago."""
        at = console.clock.monotonic()
        if self._read is not None and at - self._read < KEPT_SECONDS:
            return
        begun = self._steps
        found = await drills.running(console.database)
        if begun == self._steps:  # else one was started or ended meanwhile, and this may be from before
            self.drill, self._read = found, at

    def forget(self) -> None:
        """Have it read anew: one was started or ended here."""
        self._read = None
        self._steps += 1


RUNNING = web.AppKey("running", Running)
