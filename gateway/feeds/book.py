"""What one source's reader writes down, so that any process can tell how the source is."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from gateway.feeds.fetch.pace import jittered, poll_pause
from gateway.feeds.lease import LeaseLost
from gateway.feeds.taking import place_of, trouble
from gateway.store import seismic
from gateway.store import sources as store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock
    from gateway.feeds.contract import FeedRefused, Reading
    from gateway.feeds.fetch.client import Fetched
    from gateway.feeds.fetch.refused import FetchRefused
    from gateway.feeds.lease import Lease
    from gateway.feeds.settings import SourceSettings
    from gateway.store.database import Database
    from gateway.store.sources import LinkRow, State, Trouble

ALWAYS_MOVING = frozenset({"usgs"})
"""Kinds that stamp their document anew each minute, so that even 'not modified' must not go on for long."""
WELL: dict[str, Any] = {"failures": 0, "code": "", "error": "", "fix": ""}
"""What takes the place of the last failure."""
_MOST_LINKS = 3_000


class Book:
    """The state of one source; every method is one transaction and raises what the database raises."""

    def __init__(
        self, database: Database, clock: Clock, lease: Lease, name: str, source: SourceSettings
    ) -> None:
        """Write about the source of that name, under the lease."""
        self.name = name
        self.source = source
        self._database = database
        self.clock = clock
        self.lease = lease

    async def state(self) -> State:
        """Return what is known of the source; begin to know it."""
        async with self._database.begin() as connection:
            await store.ensure(connection, [self.name], self.clock.now())
            return (await store.states(connection))[self.name]

    async def standing_quakes(self, since: datetime) -> list[str]:
        """Return the source's names of earthquakes that a warning made since then stands for."""
        async with self._database.begin() as connection:
            return await seismic.standing(connection, self.name, since)

    async def failed(self, refused: FetchRefused | FeedRefused) -> float:
        """Note a poll that failed; return the seconds to the next."""
        failures = (await self.state()).failures + 1
        asked = getattr(refused, "retry_after", None)
        pause = jittered(poll_pause(self.source.interval_seconds, failures, asked))
        what = trouble(refused, place_of(self.source.url))
        now = self.clock.now()
        values = {"failures": failures, "code": what.code, "error": what.sentence, "fix": what.fix}
        values |= {"polled_at": now, "next_at": now + timedelta(seconds=pause)}
        async with self._database.begin() as connection:
            await self._note(connection, values)
            await store.add_troubles(connection, self.name, [what], now)
        return pause

    async def unchanged(self, fetched: Fetched) -> float:
        """Note a poll whose answer was that nothing has changed; return the seconds to the next."""
        now = self.clock.now()
        moved = {} if self.source.kind in ALWAYS_MOVING or not fetched.unchanged else {"moved_at": now}
        pause, values = self._good(fetched, now)
        async with self._database.begin() as connection:
            await self._note(connection, values | moved)
        return pause

    async def good(
        self, fetched: Fetched, reading: Reading, links: Mapping[str, str], troubled: Sequence[Trouble]
    ) -> float:
        """Note a document that was read, with the links that it leads to; return the seconds to the next."""
        now = self.clock.now()
        before = await self.state()
        pause, values = self._good(fetched, now)
        values |= _movement(before, digest(fetched.data), reading.generated, now)
        async with self._database.begin() as connection:
            await self._note(connection, values | {"troubled": len(troubled)})
            await store.add_troubles(connection, self.name, troubled, now)
            await store.list_links(connection, self.name, links, now)
        return pause

    def _good(self, fetched: Fetched, now: datetime) -> tuple[float, dict[str, Any]]:
        pause = jittered(poll_pause(self.source.interval_seconds, 0, fetched.retry_after))
        heard = dict.fromkeys(("polled_at", "good_at", "heartbeat_at"), now)
        end = {"certificate_until": fetched.certificate_until}
        return pause, {**WELL, **heard, **end, "next_at": now + timedelta(seconds=pause)}

    async def due_links(self) -> list[LinkRow]:
        """Return the links that are to be fetched."""
        async with self._database.begin() as connection:
            return await store.due_links(connection, self.name, self.clock.now(), _MOST_LINKS)

    async def link_fetched(self, link: LinkRow, troubled: Sequence[Trouble]) -> None:
        """Note that a link was read, which ends the troubles that it had."""
        async with self._database.begin() as connection:
            await store.link_fetched(connection, self.name, link.key, self.clock.now())
            await store.clear_troubles(connection, self.name, place_of(link.url))
            await store.add_troubles(connection, self.name, troubled, self.clock.now())

    async def link_failed(self, link: LinkRow, what: Trouble) -> None:
        """Note that a link could not be fetched or read; it is tried at the next poll, then less and less."""
        now = self.clock.now()
        pause = poll_pause(self.source.interval_seconds, link.failures) if link.failures else 0.0
        async with self._database.begin() as connection:
            await store.link_failed(connection, self.name, link.key, now + timedelta(seconds=pause))
            await store.add_troubles(connection, self.name, [what], now)

    async def took(self, count: int, *, new: bool) -> None:
        """Count what was read, and whether something of it was new."""
        if not count:
            return
        async with self._database.begin() as connection:
            await store.count_items(connection, self.name, count, self.clock.now() if new else None)

    async def connected(self, host: str, certificate_until: datetime | None) -> None:
        """Note that a host of a stream answers."""
        now = self.clock.now()
        async with self._database.begin() as connection:
            await self._note(connection, {"polled_at": now, "certificate_until": certificate_until})
            await store.note_connection(connection, self.name, host, {"connected_at": now, **WELL})

    async def heard(self, host: str, *, document: bool) -> None:
        """Note a sign of life of a host of a stream; of a document it gave, that it could be read."""
        now = self.clock.now()
        good = {"good_at": now, "troubled": 0} if document else {}
        async with self._database.begin() as connection:
            await self._note(connection, {**WELL, "heartbeat_at": now, **good})
            await store.note_connection(connection, self.name, host, {"heartbeat_at": now, **WELL})

    async def troubled(self, what: Sequence[Trouble]) -> None:
        """Keep troubles of a stream's message."""
        async with self._database.begin() as connection:
            await self._note(connection, {"troubled": len(what)})
            await store.add_troubles(connection, self.name, what, self.clock.now())

    async def disconnected(self, host: str, refused: FetchRefused, failures: int) -> None:
        """Note that a host of a stream does not answer, or no longer."""
        what = trouble(refused, host)
        values = {"failures": failures, "code": what.code, "error": what.sentence, "fix": what.fix}
        now = self.clock.now()
        async with self._database.begin() as connection:
            await self._note(connection, {**values, "polled_at": now})
            await store.note_connection(connection, self.name, host, values)
            await store.add_troubles(connection, self.name, [what], now)

    async def hosts(self, hosts: Sequence[str]) -> None:
        """Forget hosts of a stream other than these."""
        async with self._database.begin() as connection:
            await store.forget_connections(connection, self.name, hosts)

    async def _note(self, connection: AsyncConnection, values: Mapping[str, Any]) -> None:
        if not await store.note(connection, self.name, self.lease.token, values):
            raise LeaseLost


def digest(data: bytes) -> str:
    """Return the SHA-256 of a document."""
    return sha256(data).hexdigest()


def _movement(before: State, body: str, stamp: datetime | None, now: datetime) -> dict[str, Any]:
    """Return what changed: the source's own stamp must move, or the body where it has none."""
    changed = body != before.digest
    moved = stamp != before.generated_at if stamp else changed
    values: dict[str, Any] = {"digest": body, "generated_at": stamp}
    values |= {"changed_at": now} if changed else {}
    return values | ({"moved_at": now} if moved or before.moved_at is None else {})
