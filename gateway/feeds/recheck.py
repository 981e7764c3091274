"""Earthquakes that a list no longer has while a warning of them stands: is it gone, or only left out?

A summary feed drops what has left its window as it drops what was deleted, so absence proves nothing (USGS
feed documentation). The source's own query for the one event does: it answers with the event, or with 409
Conflict where it was deleted (fdsnws-event, ``includedeleted``).
"""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from yarl import URL

from gateway.feeds.contract import FeedRefused, Reading
from gateway.feeds.document import Document
from gateway.feeds.fetch.refused import FetchRefused
from gateway.feeds.taking import hand_over, place_of, read, trouble

if TYPE_CHECKING:
    from gateway.feeds.book import Book
    from gateway.feeds.fetch.client import Client, Fetched
    from gateway.feeds.intake import Intake

STANDS = timedelta(days=1)
"""A warning made longer ago than this is not asked about any more."""
AGAIN_SECONDS = 300.0
"""The same event is not asked about more often."""
MOST = 10
"""Events that are asked about after one poll."""
LONGEST_SECONDS = 10.0
"""After this no further one is asked about."""


class Recheck:
    """Asks about what one source no longer lists."""

    def __init__(self, book: Book, client: Client, intake: Intake) -> None:
        """Ask nothing yet."""
        self._book = book
        self._client = client
        self._intake = intake
        self._asked: dict[str, float] = {}

    async def missing(self, reading: Reading) -> None:
        """Ask about each event with a standing warning that the document of a good poll does not have."""
        source, at = self._book.source, self._book.clock.monotonic()
        if source.adapter.deleted is None or source.archive_url is None:
            return
        standing = await self._book.standing_quakes(self._book.clock.now() - STANDS)
        listed = {name for one in reading.solutions for name in one.ids}
        due = [name for name in standing if name not in listed and self._is_due(name, at)]
        for name in due[:MOST]:
            # The list itself must not wait for a query that hangs; the others come after the next poll.
            if self._book.clock.monotonic() - at > LONGEST_SECONDS:
                return
            self._asked[name] = at
            if not await self._ask(name, source.archive_url):
                return

    def _is_due(self, name: str, at: float) -> bool:
        return at - self._asked.get(name, -AGAIN_SECONDS) >= AGAIN_SECONDS

    async def _ask(self, name: str, archive: str) -> bool:
        """Ask about one event; return whether there was an answer."""
        try:
            url = str(URL(archive).update_query(eventid=name, format="geojson"))
            found = await self._found(name, await self._client.fetch(url))
        except (FetchRefused, FeedRefused) as refused:
            await self._book.troubled([trouble(refused, place_of(archive))])
            return False
        handed = await hand_over(self._intake, self._book, found)
        await self._book.took(handed.total, new=handed.new)
        return True

    async def _found(self, name: str, fetched: Fetched) -> Reading:
        adapter = self._book.source.adapter
        if fetched.status == HTTPStatus.CONFLICT:
            assert adapter.deleted is not None
            gone = adapter.deleted(name, fetched.data, self._book.clock.now())
            return Reading(adapter.kind, solutions=[gone])
        if fetched.status != HTTPStatus.OK:
            raise FetchRefused("missing", f"the source has no answer about {name} (HTTP {fetched.status})")
        return await read(adapter, Document(fetched.data, fetched.url))
