"""Hearing of releases: PostgreSQL tells every listener as soon as one has committed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from gateway.store.database import AWAY, heed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.store.database import Database


class Heard:
    """Sets an event for each release that commits, and whenever one may have been missed."""

    def __init__(self, database: Database, every: float) -> None:
        """``every``: seconds until a lost connection is opened again; hearing is only slower meanwhile."""
        self.event = asyncio.Event()
        self._database = database
        self._every = every

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            heed()
            with suppress(*AWAY):
                async with self._listening() as lost:
                    await lost.wait()
            await asyncio.sleep(self._every)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[asyncio.Event]:
        lost = asyncio.Event()
        async with self._database.raw() as connection:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener("outbox", self._hear)
            self.event.set()
            try:
                yield lost
            finally:
                await connection.remove_listener("outbox", self._hear)

    def _hear(self, *_: object) -> None:
        self.event.set()
