"""One source that pushes: websocket or TCP, on all its hosts at once.

Each host is read by itself; the intake keeps what both bring once. A host that falls silent, closes or makes
no sense is opened anew, after a pause that doubles and has chance in it. What was missed meanwhile is
fetched by :class:`gateway.feeds.mend.Mender`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from gateway.feeds.contract import FeedRefused
from gateway.feeds.document import Document
from gateway.feeds.fetch.pace import reconnect_pause
from gateway.feeds.fetch.refused import FetchRefused
from gateway.feeds.fetch.wire import open_wire
from gateway.feeds.mend import Mender
from gateway.feeds.taking import STREAM_FIXES, hand_over, host_of, read, trouble, troubles
from gateway.store.database import heed

if TYPE_CHECKING:
    from datetime import datetime

    from gateway.feeds.book import Book
    from gateway.feeds.contract import Reading
    from gateway.feeds.fetch.client import Client
    from gateway.feeds.fetch.wire import Heard, Wire
    from gateway.feeds.intake import Intake

log = structlog.get_logger(__name__)

_OFTEN = 5.0
"""Seconds between two notes of a sign of life: a lively stream must not write the database full."""


class Stream:
    """Reads one stream; the lease is asked before each message is handed over."""

    def __init__(self, book: Book, client: Client, intake: Intake) -> None:
        """Open nothing yet."""
        self._book = book
        self._client = client
        self._intake = intake
        self._source = book.source
        self._adapter = book.source.adapter
        self._mender = Mender(book, client, intake)
        self._noted: dict[tuple[str, bool], float] = {}
        self._certificates: dict[str, datetime | None] = {}

    async def run(self) -> None:
        """Read every host until cancelled or the lease is lost; raises what the database raises."""
        urls = dict.fromkeys((self._source.url, *self._source.more_urls))
        await self._book.hosts([host_of(url) for url in urls])
        tasks = [asyncio.create_task(self._mender.run())]
        tasks += [asyncio.create_task(self._keep_open(url)) for url in urls]
        try:
            # None of them returns: the first failure, which is one of ours, ends them all.
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_open(self, url: str) -> None:
        failures = 0
        host = host_of(url)
        while True:
            heed()
            self._book.lease.require()
            for document in (True, False):
                self._noted.pop((host, document), None)
            try:
                await self._read(url, host)
            except FetchRefused as refused:
                spoke = not {(host, True), (host, False)}.isdisjoint(self._noted)
                failures = 1 if spoke else failures + 1
                log.warning("stream broke", source=self._book.name, host=host, why=refused.sentence)
                await self._book.disconnected(host, refused, failures)
            await asyncio.sleep(reconnect_pause(failures))

    async def _read(self, url: str, host: str) -> None:
        """Read one connection to its end, which is FetchRefused."""
        heard_at = (await self._book.state()).heartbeat_at
        async with open_wire(self._client, url, self._adapter) as wire:
            self._certificates[host] = wire.certificate_until
            ends = (end for end in self._certificates.values() if end)
            await self._book.connected(host, min(ends, default=None))
            self._mender.since(heard_at)
            loop = asyncio.get_running_loop()
            alive_until = loop.time() + self._source.idle_seconds
            while True:
                heard = await self._hear(wire, alive_until)
                self._book.lease.require()
                if heard.alive:
                    alive_until = loop.time() + self._source.idle_seconds
                await self._take_all(heard, url, host)

    async def _hear(self, wire: Wire, until: float) -> Heard:
        try:
            async with asyncio.timeout_at(until):
                return await wire.hear()
        except TimeoutError:
            idle = f"{self._source.idle_seconds:g} s"
            raise FetchRefused("too_slow", f"the stream gave no sign of life for {idle}") from None

    async def _take_all(self, heard: Heard, url: str, host: str) -> None:
        if heard.alive and not heard.documents:
            await self._note(host, document=False)
        for data in heard.documents:
            try:
                reading = await read(self._adapter, Document(data, url))
            except FeedRefused as refused:
                await self._book.troubled([trouble(refused, host, STREAM_FIXES)])
                continue
            await self._take(reading, host)

    async def _take(self, reading: Reading, host: str) -> None:
        handed = await hand_over(self._intake, self._book, reading, place=host)
        await self._book.took(handed.total, new=handed.new)
        await self._note(host, document=True)
        if noted := [*troubles(reading.findings, host, STREAM_FIXES), *handed.troubles]:
            await self._book.troubled(noted)
        self._mender.listed(reading.recent if reading.heartbeat else ())

    async def _note(self, host: str, *, document: bool) -> None:
        """Write a sign of life down, unless that was done a moment ago."""
        now = self._book.clock.monotonic()
        if now - self._noted.get((host, document), float("-inf")) >= _OFTEN:
            self._noted[host, document] = now
            await self._book.heard(host, document=document)
