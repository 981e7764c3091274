"""Which sources people turned off, as the reader of sources follows it.

The database is looked at every :data:`EVERY` seconds for all sources together. Until the first look has
succeeded nothing is read: what was turned off must not be asked after a restart. A look that fails changes
nothing; without the database the lease is lost soon, and with it the right to read at all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from gateway.store import switches as store
from gateway.store.database import AWAY, heed
from gateway.store.faults import DATABASE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from gateway.store.database import Database

log = structlog.get_logger(__name__)

EVERY = 1.0
"""Seconds between two looks, so that a source is left alone that soon after it was turned off."""


class Switched:
    """Follows the switches of some sources."""

    def __init__(self, database: Database, names: Iterable[str]) -> None:
        """Know of nothing yet: no source is on."""
        self._database = database
        self._on = {name: asyncio.Event() for name in names}
        self._off = {name: asyncio.Event() for name in self._on}

    async def keep_looking(self) -> None:
        """Look for as long as the process reads."""
        while True:
            heed()
            try:
                await self.look()
            except (*DATABASE_FAULTS, *AWAY) as error:
                log.warning("switches of sources cannot be read", error=type(error).__name__)
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Read the switches once; raises what the database raises."""
        async with self._database.begin() as connection:
            rows = await store.switches(connection, "source")
        for name, on in self._on.items():
            off, row = self._off[name], rows.get(name)
            if row is not None and row.off:
                on.clear()
                off.set()
            else:
                off.clear()
                on.set()

    async def while_on(self, name: str, reading: Awaitable[None]) -> bool:
        """Let something run until it ends or the source is turned off; return whether it ended by itself.

        What it raises is raised.
        """
        work = asyncio.ensure_future(reading)
        turned = asyncio.ensure_future(self._off[name].wait())
        try:
            await asyncio.wait((work, turned), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
                return True
            log.info("source is turned off", source=name)
            return False
        finally:
            for task in (work, turned):
                task.cancel()
            await asyncio.gather(work, turned, return_exceptions=True)

    async def on(self, name: str) -> None:
        """Wait until the source is on."""
        await self._on[name].wait()
