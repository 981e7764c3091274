"""The right to read the sources: one process has it, however many run.

The lease is a row that is held for a few seconds at a time, by the database's clock, and renewed at a third
of that. The holder counts its own time from before it asked, so it stops before the row runs out even where
the answer was slow; and each holder has a higher token, so that what a late one still writes is refused.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from gateway.store import sources as store
from gateway.store.database import AWAY, heed
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from gateway.store.database import Database

log = structlog.get_logger(__name__)

_MARGIN = 0.1
"""Share of the lease that is kept for stopping."""
_GIVE_UP_WITHIN = 2.0


class LeaseLost(Exception):
    """Somebody else reads the sources, or may do so any moment."""


class Lease:
    """One name's lease.

    Attributes:
        token: higher for each holder.
        seconds: how long it is held at a time.
    """

    def __init__(self, database: Database, seconds: float, name: str = "sources") -> None:
        """Hold nothing yet."""
        self.token = 0
        self.seconds = seconds
        self.name = name
        self.holder = f"{socket.gethostname()} {os.getpid()}"
        self._database = database
        self._until = 0.0

    async def take(self) -> bool:
        """Take the lease if nobody holds it; raises what the database raises."""
        asked = _time()
        async with self._database.begin() as connection:
            token = await store.acquire(connection, self.name, self.holder, self.seconds)
        if token is None:
            return False
        self.token = token
        self._until = asked + self.seconds * (1 - _MARGIN)
        return True

    def require(self) -> None:
        """Raise LeaseLost unless the lease is surely ours still."""
        if _time() >= self._until:
            raise LeaseLost

    async def keep(self) -> None:
        """Renew until that is no longer possible; the caller must then have stopped at once."""
        while (left := self._until - _time()) > 0:
            heed()
            await asyncio.sleep(min(self.seconds / 3, left))
            if not await self._renewed():
                return

    async def _renewed(self) -> bool:
        """Try until it is renewed, or cannot be any more."""
        while _time() < self._until:
            heed()
            asked = _time()
            try:
                async with asyncio.timeout_at(self._until), self._database.begin() as connection:
                    held = await store.renew(connection, self.name, self.token, self.seconds)
            except (*DATABASE_FAULTS, *AWAY) as error:
                log.warning("lease is not renewed", error=type(error).__name__)
                await asyncio.sleep(min(0.5, max(self._until - _time(), 0)))
                continue
            self._until = asked + self.seconds * (1 - _MARGIN) if held else 0.0
            return held
        return False

    async def give_up(self) -> None:
        """Let another process go on at once; if the database is away, it waits for the lease to run out."""
        self._until = 0.0
        with suppress(*DATABASE_FAULTS, *AWAY):
            async with asyncio.timeout(_GIVE_UP_WITHIN), self._database.begin() as connection:
                await store.release(connection, self.name, self.token)


def _time() -> float:
    return asyncio.get_running_loop().time()
