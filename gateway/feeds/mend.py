"""Fetch what a stream has missed: the messages that a heartbeat lists, or all since the last sign of life."""

from __future__ import annotations

import asyncio
import importlib
from datetime import timedelta
from typing import TYPE_CHECKING

from yarl import URL

from gateway.feeds.adapters import KINDS
from gateway.feeds.contract import FeedRefused, Reading
from gateway.feeds.document import Document
from gateway.feeds.fetch.pace import poll_pause
from gateway.feeds.fetch.refused import FetchRefused
from gateway.feeds.taking import hand_over, index_adapter, place_of, read, trouble
from gateway.store.sources import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from gateway.alerts.model import Reference
    from gateway.feeds.book import Book
    from gateway.feeds.fetch.client import Client
    from gateway.feeds.intake import Intake

OVERLAP = timedelta(minutes=10)
"""Asked for before the last sign of life, since messages are not sent in order."""
FURTHEST = timedelta(hours=24)
"""More than this is never asked for."""
MOST_TRIES = 5
"""For one message, a heartbeat apart; then it is a trouble."""
_REMEMBERED = 200
_FIRST_PAUSE = 5.0
_OK, _NO_CONTENT = 200, 204


class Mender:
    """Mends one stream beside its reading; :meth:`run` lives until it is cancelled."""

    def __init__(self, book: Book, client: Client, intake: Intake) -> None:
        """Have nothing to mend yet."""
        self._book = book
        self._client = client
        self._intake = intake
        self._archive = book.source.archive_url
        self._adapter = book.source.adapter
        self._since: datetime | None = None
        self._recent: tuple[Reference, ...] = ()
        self._tries: dict[tuple[str, str], int] = {}
        self._wanted = asyncio.Event()

    def since(self, heard_at: datetime | None) -> None:
        """Ask for what came since the last sign of life, where the kind can ask so."""
        if self._archive is None or backfill_query(self._adapter.kind) is None:
            return
        earliest = self._book.clock.now() - FURTHEST
        start = max(heard_at - OVERLAP, earliest) if heard_at else earliest
        self._since = min(self._since or start, start)
        self._wanted.set()

    def listed(self, recent: Sequence[Reference]) -> None:
        """Ask for those of the messages that never came; without an archive they are told of, in the end."""
        if self._adapter.archive_names is None or not recent:
            return
        self._recent = tuple(recent)
        self._wanted.set()

    async def run(self) -> None:
        """Mend what is asked for; what fails is tried again. Raises what the database raises."""
        failures = 0
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.mend()
                failures = 0
            except (FetchRefused, FeedRefused) as refused:
                failures += 1
                await self._book.troubled([trouble(refused, place_of(self._archive or ""))])
                await asyncio.sleep(poll_pause(_FIRST_PAUSE, failures, getattr(refused, "retry_after", None)))
                self._wanted.set()

    async def mend(self) -> None:
        """Fetch what is asked for, once."""
        if self._since is not None:
            await self._backfill(self._since)
            self._since = None
        recent, self._recent = self._recent, ()
        failure: FetchRefused | FeedRefused | None = None
        for reference in await self._intake.unknown(recent) if recent else ():
            try:
                await self._fetch_one(reference)
            except (FetchRefused, FeedRefused) as refused:  # the others must not wait for it
                failure = refused
        if failure is not None:
            raise failure

    async def _backfill(self, since: datetime) -> None:
        query = backfill_query(self._adapter.kind)
        assert self._archive is not None
        assert query is not None
        joint = "&" if "?" in self._archive else "?"
        fetched = await self._client.fetch(f"{self._archive}{joint}{query(since)}")
        if fetched.status == _NO_CONTENT:
            return
        if fetched.status != _OK:
            raise FetchRefused("missing", f"there is nothing at archive_url (HTTP {fetched.status})")
        document = Document(fetched.data, fetched.url)
        await self._take(await read(index_adapter(self._adapter, document), document))

    async def _fetch_one(self, reference: Reference) -> None:
        """Fetch a message by the names that the archive may have for it; none is a trouble, in the end."""
        key = (reference.sender, reference.identifier)
        tries = self._tries.get(key, 0)
        if tries >= MOST_TRIES:
            return
        for url in self._names(reference):
            fetched = await self._client.fetch(url)
            if fetched.status == _OK:
                await self._take(await read(self._adapter, Document(fetched.data, fetched.url)))
                return
        self._tries[key] = tries + 1
        while len(self._tries) > _REMEMBERED:
            self._tries.pop(next(iter(self._tries)))
        if tries + 1 == MOST_TRIES:
            await self._book.troubled([_gone(reference)])

    def _names(self, reference: Reference) -> list[str]:
        if self._archive is None or self._adapter.archive_names is None:
            return []
        names = (name.split("/") for name in self._adapter.archive_names(reference))
        base = URL(f"{self._archive.rstrip('/')}/")
        return [str(base.joinpath(*parts)) for parts in names if not {"", ".", ".."}.intersection(parts)]

    async def _take(self, reading: Reading) -> None:
        handed = await hand_over(self._intake, self._book, reading, place=place_of(self._archive or ""))
        await self._book.took(handed.total, new=handed.new)
        if handed.troubles:
            await self._book.troubled(handed.troubles)


def backfill_query(kind: str) -> Callable[[datetime], str] | None:
    """Return what makes the query for all messages since a time, where the kind can ask so."""
    module = importlib.import_module(f"gateway.feeds.adapters.{KINDS[kind]}")
    query: Callable[[datetime], str] | None = getattr(module, "backfill_query", None)
    return query


def _gone(reference: Reference) -> Trouble:
    sentence = "a message that the stream lists did not come and is not in the archive either"
    place = f"{reference.sender} {reference.identifier}"
    return Trouble("message_missed", place, sentence, "ask the source for it, and set or check archive_url")
