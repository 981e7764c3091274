"""Reads every source while this process holds the lease, and waits for it otherwise.

Each source runs by itself: whatever happens to one, its failure is noted and the others go on. One that
people turned off is left alone until it is on again (:mod:`gateway.feeds.switched`). The moment the lease
cannot be renewed any more everything stops, before another process may begin.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog
from yarl import URL

from gateway.clock import SYSTEM
from gateway.feeds.book import Book
from gateway.feeds.fetch.address import Guard, check_host, check_url, system_lookup
from gateway.feeds.fetch.client import Client
from gateway.feeds.fetch.pace import Pace
from gateway.feeds.fetch.refused import FetchRefused
from gateway.feeds.lease import Lease, LeaseLost
from gateway.feeds.poller import Poller
from gateway.feeds.settling import keep_settling
from gateway.feeds.stream import Stream
from gateway.feeds.switched import Switched
from gateway.store.database import AWAY, heed
from gateway.store.faults import DATABASE_FAULTS, database_fault

if TYPE_CHECKING:
    from gateway.clock import Clock
    from gateway.feeds.fetch.address import Lookup
    from gateway.feeds.intake import Intake
    from gateway.feeds.settings import SourceSettings
    from gateway.settings import Settings
    from gateway.store.database import Database

log = structlog.get_logger(__name__)

STREAMS = frozenset({"ws", "wss", "tcp"})
"""Schemes of sources that push."""
_AGAIN = 5.0
"""Seconds until a source is tried again that failed in a way of our own."""
_FAULTS = (*DATABASE_FAULTS, *AWAY)
"""Of the database; the driver has one that is no error of the database's own."""
_NOT_NOTED: tuple[type[Exception], ...] = (LeaseLost, *_FAULTS)


class Reader:
    """One process that may read the sources; :meth:`run` lives until it is cancelled."""

    def __init__(
        self,
        database: Database,
        intake: Intake,
        settings: Settings,
        clock: Clock = SYSTEM,
        *,
        lookup: Lookup = system_lookup,
        lease: Lease | None = None,
    ) -> None:
        """Hold nothing and open nothing yet; a lease with connections of its own need not wait for others."""
        self.lease = lease or Lease(database, settings.feeds.lease_seconds)
        self._database = database
        self._intake = intake
        self._settings = settings
        self._clock = clock
        self._lookup = lookup
        self._pace = Pace()

    async def run(self) -> None:
        """Take the lease when it is free, and read for as long as it can be kept."""
        while True:
            heed()
            try:
                held = await self.lease.take()
            except _FAULTS as error:
                log.warning("lease cannot be asked for", reason=database_fault(error))
                held = False
            if held:
                await self._hold()
            await asyncio.sleep(self.lease.seconds / 5)

    async def _hold(self) -> None:
        sources = {name: one for name, one in self._settings.sources.items() if one.enabled}
        log.info("this process reads the sources", sources=sorted(sources), lease=self.lease.token)
        switched = Switched(self._database, sources)
        reading = [
            asyncio.create_task(self._keep_reading(*one, switched), name=one[0]) for one in sources.items()
        ]
        reading.append(asyncio.create_task(switched.keep_looking(), name="switches"))
        reading.append(asyncio.create_task(keep_settling(self._intake, self._clock), name="settle"))
        try:
            await self.lease.keep()
            log.warning("the lease is lost: this process stops reading")
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            await self.lease.give_up()

    async def _keep_reading(self, name: str, source: SourceSettings, switched: Switched) -> None:
        """Read one source for as long as the lease is ours, while it is on."""
        book = Book(self._database, self._clock, self.lease, name, source)
        while True:
            await switched.on(name)
            try:
                if not await switched.while_on(name, self._read(book)):
                    continue
            except LeaseLost:
                return
            except FetchRefused as refused:  # its client could not even be made
                await self._note(book, refused)
            except _FAULTS as error:
                log.warning("source waits for the database", source=name, error=type(error).__name__)
            except Exception:
                log.exception("source failed", source=name, alarm=True)
                heed()  # a cancellation that was hidden must not wait for an interval
                await asyncio.sleep(source.interval_seconds)
            heed()
            await asyncio.sleep(_AGAIN)

    async def _note(self, book: Book, refused: FetchRefused) -> None:
        try:
            await book.failed(refused)
        except _NOT_NOTED as error:
            log.warning("failure is not noted", source=book.name, error=type(error).__name__)

    async def _read(self, book: Book) -> None:
        client = make_client(book.source, self._settings, self._pace, self._clock, self._lookup)
        async with client:
            kind = Stream if URL(book.source.url).scheme in STREAMS else Poller
            await kind(book, client, self._intake).run()


def make_client(
    source: SourceSettings,
    settings: Settings,
    pace: Pace,
    clock: Clock = SYSTEM,
    lookup: Lookup = system_lookup,
) -> Client:
    """Return the client of a source, which reaches the hosts that its settings name and no others."""
    return Client(
        make_guard(source, lookup),
        source.url,
        user_agent=settings.feeds.user_agent,
        headers={name: value.get_secret_value() for name, value in source.headers.items()},
        ca_file=source.ca_file,
        pace=pace,
        clock=clock,
    )


def make_guard(source: SourceSettings, lookup: Lookup = system_lookup) -> Guard:
    """Return what a source may reach; raises FetchRefused where the settings name a host that is none."""
    urls = (source.url, *source.more_urls, *([source.archive_url] if source.archive_url else []))
    hosts = {check_host(URL(url)) for url in urls}
    schemes = {"https", "wss"} | ({"http", "ws", "tcp"} if source.allow_http else set())
    return Guard(
        schemes=frozenset(schemes),
        hosts=frozenset(hosts | {check_host(check_url(f"https://{host}/")) for host in source.allow_hosts}),
        allow_private=source.allow_private,
        lookup=lookup,
    )
